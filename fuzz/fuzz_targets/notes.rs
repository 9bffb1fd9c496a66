//! Reads arbitrary bytes as an ELF file and asks it everything that an image can be asked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ptpytrace::address::{FileAddress, RuntimeAddress};
use ptpytrace::elf::{Image, ImageError};

fuzz_target!(|bytes: &[u8]| match Image::parse(bytes) {
    Ok(image) => ask(&image),
    Err(error) => tell(&error),
});

fn tell(error: &ImageError) {
    assert!(!error.to_string().is_empty());
}

fn ask(image: &Image) {
    let _ = (
        image.bits(),
        image.endianness(),
        image.machine(),
        image.kind(),
    );
    let _ = (image.interpreter(), image.soname(), image.needed());
    let notes = image.notes().iter().take(100);
    let addresses = notes
        .flat_map(|note| [Some(note.location), note.semaphore])
        .flatten()
        .chain(
            image
                .segments()
                .iter()
                .take(100)
                .map(|segment| segment.address),
        )
        .chain([FileAddress(0), FileAddress(u64::MAX)]);
    for at in addresses {
        let _ = image.function_at(at);
        let _ = image.read_at(at, 64);
        let _ = (image.is_executable(at), image.is_writable(at));
        let _ = image.load_bias(RuntimeAddress(at.0), at.0, 4096);
    }
    for segment in image.segments().iter().take(100) {
        let start = RuntimeAddress(segment.address.0.wrapping_add(0x1000));
        let _ = image.load_bias(start, segment.offset, segment.file_size);
    }
    for error in image.note_errors() {
        assert!(!error.to_string().is_empty());
    }
    let _ = (image.symbol("_PyRuntime"), image.is_cpython());
    let sites: usize = ptpytrace::probe::catalog([image])
        .iter()
        .map(|probe| probe.sites.len())
        .sum();
    assert_eq!(sites, image.notes().len());
}
