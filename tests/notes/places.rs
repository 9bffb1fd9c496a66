//! Bytes by address, and where an image lies in a process: tables worked out
//! by hand.

use ptpytrace::address::{FileAddress, LoadBias, RuntimeAddress};
use ptpytrace::elf::Image;
use ptpytrace_arch::ReadMemory;

use super::builder::{Elf, X86_64, section};

const LOAD: u32 = 1;

/// Headers of 64 + 3 * 56 bytes; then 16 bytes of code at offset 0xe8, 16 of constants, 16 of data.
fn three_segments() -> Elf {
    let bytes = |first: u8| (first..first + 16).collect::<Vec<u8>>();
    X86_64
        .with(section(".text", 1, 0x10e8, bytes(0x10)))
        .with(section(".rodata", 1, 0x20f8, bytes(0x20)))
        .with(section(".data", 1, 0x3108, bytes(0x30)))
        .with_segment(LOAD, 5, 0x10e8, 0)
        .with_segment(LOAD, 4, 0x20f8, 1)
        .with_segment(LOAD, 6, 0x3108, 2)
}

#[test]
fn bytes_are_read_by_address_within_one_segment() {
    let image = Image::parse(&three_segments().build()).expect("an image");
    let read = |address, len| image.read_at(FileAddress(address), len);
    assert_eq!(read(0x10e8, 3), Some(vec![0x10, 0x11, 0x12]));
    assert_eq!(read(0x10f7, 1), Some(vec![0x1f]));
    assert_eq!(read(0x10f7, 2), None, "beyond the segment");
    assert_eq!(read(0x10f8, 1), None);
    assert_eq!(read(0x10e7, 1), None);
    assert_eq!(read(0x20f8, 16), Some((0x20..0x30).collect()));
    assert_eq!(read(0x3110, 1), Some(vec![0x38]));
    assert_eq!(read(u64::MAX, 1), None);
    assert_eq!(read(0x10e8, usize::MAX), None);
    assert_eq!(read(0x10e8, 0), Some(Vec::new()));
    let mut buf = [0; 8];
    assert_eq!(ReadMemory::read(&image, 0x10f4, &mut buf), 4);
    assert_eq!(buf[..4], [0x1c, 0x1d, 0x1e, 0x1f]);
    assert_eq!(ReadMemory::read(&image, 0x10f8, &mut buf), 0);
}

#[test]
fn what_an_address_may_be_used_for() {
    let image = Image::parse(&three_segments().build()).expect("an image");
    let table = [
        (0x10e8, true, false),
        (0x10f7, true, false),
        (0x10f8, false, false),
        (0x20f8, false, false),
        (0x3108, false, true),
        (0x3118, false, false),
    ];
    for (address, executable, writable) in table {
        let at = FileAddress(address);
        assert_eq!(image.is_executable(at), executable, "{address:#x}");
        assert_eq!(image.is_writable(at), writable, "{address:#x}");
    }
}

#[test]
fn the_bias_follows_from_one_executable_mapping() {
    let mut elf = three_segments();
    let bias = |elf: &Elf, start, offset, length| {
        let image = Image::parse(&elf.build()).expect("an image");
        image.load_bias(RuntimeAddress(start), offset, length)
    };
    // The text, linked for 0x10e8 from offset 0xe8: its page is page 0x1000, from offset 0.
    let high = 0x5555_0000_0000;
    let biased = Some(LoadBias(high));
    assert_eq!(bias(&elf, high + 0x1000, 0, 0x1000), biased);
    assert_eq!(
        bias(&elf, 0, 0, 0x1000),
        Some(LoadBias(0x1000_u64.wrapping_neg()))
    );
    assert_eq!(
        bias(&elf, high + 0x1000, 0x1000, 0x1000),
        None,
        "not the text's page"
    );
    assert_eq!(bias(&elf, high + 0x1800, 0, 0x1000), None, "no page");
    assert_eq!(bias(&elf, high, u64::MAX, u64::MAX), None);
    elf.kind = 2;
    assert_eq!(bias(&elf, 0x1000, 0, 0x1000), Some(LoadBias(0)));
    assert_eq!(
        bias(&elf, high + 0x1000, 0, 0x1000),
        None,
        "ET_EXEC lies where it was linked"
    );
}

#[test]
fn a_mapping_that_was_split_has_the_bias_of_the_whole() {
    let mut elf = X86_64
        .with(section(".text", 1, 0x4000, vec![0x90; 0x5000]))
        .with_segment(LOAD, 5, 0x4078, 0);
    elf.kind = 3;
    let image = Image::parse(&elf.build()).expect("an image");
    assert_eq!(image.segments()[0].offset, 0x78);
    for (page, length) in [
        (0, 0x6000),
        (0, 0x1000),
        (0x1000, 0x1000),
        (0x3000, 0x3000),
        (0x5000, 0x1000),
    ] {
        let start = RuntimeAddress(0x7f00_0000_4000 + page);
        let bias = image.load_bias(start, page, length);
        assert_eq!(bias, Some(LoadBias(0x7f00_0000_0000)), "{page:#x}");
    }
}

#[test]
fn of_two_executable_segments_on_one_page_the_larger_share_counts() {
    let elf = X86_64
        .with(section(".init", 1, 0x10b0, vec![0x90; 0x10]))
        .with(section(".text", 1, 0x20c0, vec![0x90; 0x800]))
        .with_segment(LOAD, 5, 0x10b0, 0)
        .with_segment(LOAD, 5, 0x20c0, 1);
    let image = Image::parse(&elf.build()).expect("an image");
    let bias = image.load_bias(RuntimeAddress(0x9000_2000), 0, 0x1000);
    assert_eq!(bias, Some(LoadBias(0x9000_0000)));
}
