//! Notes and headers that lie: each costs its own error, and no good note.

use ptpytrace::elf::{Image, ImageError, NoteError, NoteProblem};

use super::builder::{AUDIT, Elf, Marker, X86_64, section};

const UTF8: &[u8] = b"\xff\xfe";

fn parse(elf: &Elf) -> Image {
    Image::parse(&elf.build()).expect("an image")
}

fn problems(image: &Image) -> Vec<NoteProblem> {
    image
        .note_errors()
        .iter()
        .map(|error| error.problem)
        .collect()
}

#[test]
fn a_wrong_descriptor_costs_only_its_own_note() {
    let whole = AUDIT.descriptor(&X86_64);
    let cut = |size: usize| whole[..size].to_vec();
    let with = |marker: Marker| marker.descriptor(&X86_64);
    let long = vec![b'x'; (64 << 10) + 1];
    let table: Vec<(Vec<u8>, NoteProblem)> = vec![
        (Vec::new(), NoteProblem::NoAddresses),
        (cut(23), NoteProblem::NoAddresses),
        (cut(24), NoteProblem::Unterminated("provider")),
        (cut(30), NoteProblem::Unterminated("provider")),
        (cut(31), NoteProblem::Unterminated("name")),
        (cut(36), NoteProblem::Unterminated("name")),
        (cut(37), NoteProblem::Unterminated("argument string")),
        (
            cut(whole.len() - 1),
            NoteProblem::Unterminated("argument string"),
        ),
        (
            with(Marker {
                provider: b"",
                ..AUDIT
            }),
            NoteProblem::EmptyString("provider"),
        ),
        (
            with(Marker { name: b"", ..AUDIT }),
            NoteProblem::EmptyString("name"),
        ),
        (
            with(Marker {
                provider: UTF8,
                ..AUDIT
            }),
            NoteProblem::NotUtf8("provider"),
        ),
        (
            with(Marker {
                name: UTF8,
                ..AUDIT
            }),
            NoteProblem::NotUtf8("name"),
        ),
        (
            with(Marker {
                arguments: UTF8,
                ..AUDIT
            }),
            NoteProblem::NotUtf8("argument string"),
        ),
        (
            with(Marker {
                provider: &long,
                ..AUDIT
            }),
            NoteProblem::TooLong("provider"),
        ),
        (
            with(Marker {
                name: &long,
                ..AUDIT
            }),
            NoteProblem::TooLong("name"),
        ),
        (
            with(Marker {
                arguments: &long,
                ..AUDIT
            }),
            NoteProblem::TooLong("argument string"),
        ),
    ];
    for (descriptor, problem) in table {
        let good = X86_64.marker(&AUDIT);
        let bad = X86_64.note(b"stapsdt\0", 3, &descriptor);
        let image = parse(&X86_64.with_notes([&good[..], &bad, &good].concat()));
        assert_eq!(image.notes().len(), 2, "{problem:?}");
        let offset = 64 + good.len() as u64;
        assert_eq!(image.note_errors(), [NoteError { offset, problem }]);
    }
}

#[test]
fn the_longest_string_that_is_allowed_is_read() {
    let long = vec![b'x'; 64 << 10];
    let image = parse(&X86_64.with_notes(X86_64.marker(&Marker {
        name: &long,
        ..AUDIT
    })));
    assert_eq!(image.notes()[0].name.len(), 64 << 10);
}

#[test]
fn sizes_that_overflow_end_their_section_only() {
    let good = X86_64.marker(&AUDIT);
    for (owner, descriptor) in [
        (u32::MAX, 0x33),
        (8, u32::MAX),
        (u32::MAX, u32::MAX),
        (8, 0x7fff_ffff),
        (8, good.len() as u32),
        (0xffff_fff8, 8),
    ] {
        let mut lie = good.clone();
        lie[..4].copy_from_slice(&owner.to_le_bytes());
        lie[4..8].copy_from_slice(&descriptor.to_le_bytes());
        let elf = X86_64
            .with_notes([good.clone(), lie].concat())
            .with_notes(good.clone());
        let image = parse(&elf);
        assert_eq!(image.notes().len(), 2, "{owner:#x} {descriptor:#x}");
        assert_eq!(
            problems(&image),
            [NoteProblem::Truncated],
            "{owner:#x} {descriptor:#x}"
        );
    }
    for cut in 1..12 {
        let image = parse(&X86_64.with_notes([&good[..], &good[..cut]].concat()));
        assert_eq!(
            (image.notes().len(), problems(&image)),
            (1, vec![NoteProblem::Truncated])
        );
    }
}

#[test]
fn the_last_padding_may_be_missing() {
    let good = X86_64.marker(&AUDIT);
    let unpadded = good.len() - (4 - AUDIT.descriptor(&X86_64).len() % 4) % 4;
    assert_ne!(unpadded, good.len());
    let image = parse(&X86_64.with_notes(good[..unpadded].to_vec()));
    assert_eq!((image.notes().len(), problems(&image)), (1, Vec::new()));
}

#[test]
fn sections_that_are_no_notes_or_lie_elsewhere() {
    let good = X86_64.marker(&AUDIT);
    let notes = |kind| section(".note.stapsdt", kind, 0, X86_64.marker(&AUDIT));
    let mut compressed = notes(7);
    compressed.flags = 0x800;
    let mut aligned = notes(7);
    aligned.alignment = 16;
    let mut beyond = notes(7);
    beyond.offset = Some(1 << 40);
    let mut huge = notes(7);
    huge.size = Some(u64::MAX);
    let mut sum = notes(7);
    (sum.offset, sum.size) = (Some(u64::MAX - 8), Some(16));
    for (section, problem) in [
        (compressed, NoteProblem::Compressed),
        (aligned, NoteProblem::Alignment),
        (beyond, NoteProblem::OutsideFile),
        (huge, NoteProblem::OutsideFile),
        (sum, NoteProblem::OutsideFile),
        (notes(8), NoteProblem::NoBits),
    ] {
        let image = parse(&X86_64.with(section).with_notes(good.clone()));
        assert_eq!((image.notes().len(), problems(&image)), (1, vec![problem]));
    }
    let image = parse(&X86_64.with(notes(1)));
    assert_eq!(
        (image.notes().len(), problems(&image)),
        (0, Vec::new()),
        "PROGBITS is no note"
    );
}

#[test]
fn bytes_that_many_sections_claim_are_read_once() {
    let good = X86_64.marker(&AUDIT);
    let mut elf = X86_64.with_notes(good.repeat(1000));
    for _ in 0..60_000 {
        let mut again = section(".note.stapsdt", 7, 0, Vec::new());
        (again.offset, again.size) = (Some(64), Some(1000 * good.len() as u64));
        elf.sections.push(again);
    }
    let image = parse(&elf);
    assert_eq!(image.notes().len(), 1000);
    let problems = problems(&image);
    assert_eq!(problems.len(), 101);
    assert!(
        problems[..100]
            .iter()
            .all(|problem| *problem == NoteProblem::Overlap)
    );
    assert_eq!(problems[100], NoteProblem::Omitted(59_900));
}

#[test]
fn a_section_may_begin_inside_another_or_around_it() {
    let good = X86_64.marker(&AUDIT);
    let size = good.len() as u64;
    for (offset, length) in [
        (64 + size, size),
        (64, size),
        (60, 3 * size),
        (64 + 2 * size - 4, 8),
    ] {
        let mut inside = section(".note", 7, 0, Vec::new());
        (inside.offset, inside.size) = (Some(offset), Some(length));
        let image = parse(&X86_64.with_notes(good.repeat(2)).with(inside));
        assert_eq!(
            (image.notes().len(), problems(&image)),
            (2, vec![NoteProblem::Overlap])
        );
    }
}

#[test]
fn thousands_of_notes_are_read_and_more_than_16_mib_are_not() {
    let good = X86_64.marker(&AUDIT);
    let image = parse(&X86_64.with_notes(good.repeat(100_000)));
    assert_eq!(
        (image.notes().len(), problems(&image)),
        (100_000, Vec::new())
    );
    let too_many = (16 << 20) / good.len() + 1;
    let image = parse(
        &X86_64
            .with_notes(good.clone())
            .with_notes(good.repeat(too_many)),
    );
    assert_eq!(
        (image.notes().len(), problems(&image)),
        (1, vec![NoteProblem::TooMany])
    );
}

#[test]
fn errors_say_where_and_what() {
    let bad = X86_64.note(b"stapsdt\0", 3, b"short");
    let image = parse(&X86_64.with_notes(bad));
    let text = image.note_errors()[0].to_string();
    assert_eq!(
        text,
        "the note at byte 0x40 of the file is left out: its descriptor is too short for a location, a base and a semaphore"
    );
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
    let bytes = X86_64
        .with_notes(X86_64.marker(&AUDIT))
        .with_segment(1, 5, 0, 0)
        .build();
    for size in 0..bytes.len() {
        let error = Image::parse(&bytes[..size]).expect_err("a cut file");
        match (size, error) {
            (0, ImageError::Empty) => {}
            (1.., ImageError::Truncated { end, size: has, .. }) => {
                assert!(has == size as u64 && end > has);
            }
            (size, error) => panic!("cut to {size}: {error}"),
        }
    }
    assert!(Image::parse(&bytes).is_ok());
}

#[test]
fn headers_that_contradict_the_specification() {
    let bytes = X86_64.with_notes(X86_64.marker(&AUDIT)).build();
    // Offset in the header, value, what the error says.
    for (offset, value, cause) in [
        (4, 3, "EI_CLASS"),
        (5, 0, "EI_DATA"),
        (6, 9, "EI_VERSION"),
        (58, 63, "e_shoff"),
    ] {
        let mut wrong = bytes.clone();
        wrong[offset] = value;
        let text = Image::parse(&wrong).expect_err(cause).to_string();
        assert!(text.contains(cause), "{text}");
    }
    let mut no_names = bytes.clone();
    no_names[62..64].copy_from_slice(&[0xf0, 0]);
    let image = Image::parse(&no_names).expect("names are not needed");
    assert_eq!(image.notes().len(), 1);
}
