//! Arbitrary bytes, and real and built files with bytes changed: whatever they
//! say, reading them ends, without a panic.

use std::sync::OnceLock;

use proptest::prelude::*;
use ptpytrace::address::{FileAddress, RuntimeAddress};
use ptpytrace::elf::Image;

use super::builder::{AUDIT, X86_64, elf, section};

/// Calls all that an image can do.
fn exercise(bytes: &[u8]) -> usize {
    let Ok(image) = Image::parse(bytes) else {
        return 0;
    };
    let segments = image.segments().iter().map(|segment| segment.address);
    let notes = image.notes().iter().map(|note| note.location);
    let addresses: Vec<FileAddress> = segments
        .take(20)
        .chain(notes.take(50))
        .chain([FileAddress(0), FileAddress(u64::MAX)])
        .collect();
    for at in addresses {
        let _ = image.function_at(at);
        let _ = image.read_at(at, 16);
        let _ = image.is_executable(at) || image.is_writable(at);
        let _ = image.load_bias(RuntimeAddress(at.0), at.0, at.0);
    }
    for error in image.note_errors() {
        assert!(!error.to_string().is_empty());
    }
    let _ = image.symbol("_PyRuntime");
    let _ = image.is_cpython();
    ptpytrace::probe::catalog([&image]).len()
}

fn linker() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| std::fs::read("/lib64/ld-linux-x86-64.so.2").expect("the dynamic linker"))
}

/// A file small enough that a random change is likely to matter.
fn small(bits: u8, big: bool) -> Vec<u8> {
    let elf = elf(bits, big, if bits == 64 { 62 } else { 3 });
    let notes = elf.marker(&AUDIT).repeat(3);
    elf.with_notes(notes)
        .with(section(".text", 1, 0x2000, vec![0x90; 64]))
        .with(section(".stapsdt.base", 1, 0x3000, vec![0]))
        .with_symbols(2, &[("f", 0x2000, 0x40, 0x12, 2), ("g", 0x2010, 8, 2, 2)])
        .with_segment(1, 5, 0x2000, 1)
        .with_segment(4, 4, 0x200, 0)
        .with_segment(2, 4, 0x2000, 1)
        .build()
}

#[test]
fn what_is_not_changed_is_read_whole() {
    assert_eq!(
        exercise(linker()),
        Image::parse(linker()).map_or(0, |image| {
            let names: std::collections::HashSet<_> =
                image.notes().iter().map(|n| &n.name).collect();
            names.len()
        })
    );
    assert_eq!(exercise(&small(64, false)), 1);
    assert_eq!(exercise(&small(32, true)), 1);
}

/// A value that headers are likely to choke on.
fn nasty() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(0),
        Just(u64::MAX),
        Just(1 << 63),
        Just(u64::from(u32::MAX)),
        0_u64..0x400,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        exercise(&bytes);
    }

    #[test]
    fn arbitrary_bytes_behind_a_good_identity(
        bytes in proptest::collection::vec(any::<u8>(), 0..600), class in 1_u8..3, order in 1_u8..3,
    ) {
        let mut file = b"\x7fELF".to_vec();
        file.extend([class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        file.extend(bytes);
        exercise(&file);
    }

    #[test]
    fn a_small_file_with_words_changed(
        bits in prop_oneof![Just(32_u8), Just(64)], big: bool,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), nasty(), 1_usize..9), 1..6),
    ) {
        let mut bytes = small(bits, big);
        for (place, value, size) in changes {
            let place = place.index(bytes.len() - 8);
            bytes[place..place + size].copy_from_slice(&value.to_be_bytes()[8 - size..]);
        }
        exercise(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_real_file_with_header_words_changed(
        changes in proptest::collection::vec((any::<bool>(), 0_usize..2000, nasty(), 1_usize..9), 1..4),
    ) {
        let mut bytes = linker().to_vec();
        for (at_end, place, value, size) in changes {
            // The headers are at the start, the table of sections at the end.
            let place = if at_end { bytes.len() - 2008 + place } else { place };
            bytes[place..place + size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
        exercise(&bytes);
    }
}

#[test]
fn a_small_file_with_each_byte_changed() {
    let whole = small(64, false);
    assert_eq!(
        X86_64.build().len(),
        64 + 16 + 2 * 64,
        "headers, names, two sections"
    );
    for place in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            exercise(&bytes);
        }
    }
}
