//! Files built field by field: both classes, both byte orders, prelink, no
//! table of sections. `readelf` reads the same files.

use ptpytrace::address::FileAddress;
use ptpytrace::elf::{Image, ImageKind, RawNote};

use super::builder::{AUDIT, Elf, Marker, X86_64, elf, section};
use super::readelf::{readelf_notes, said};

fn parse(elf: &Elf) -> Image {
    Image::parse(&elf.build()).expect("an image")
}

#[test]
fn classes_byte_orders_and_cpus() {
    // Bits, big endian, machine: x86-64, i386, aarch64, ARM, PowerPC, PowerPC 64, s390x.
    for (bits, big, machine) in [
        (64, false, 62),
        (32, false, 3),
        (64, false, 183),
        (32, false, 40),
        (32, true, 20),
        (64, true, 21),
        (64, true, 22),
    ] {
        let elf = elf(bits, big, machine);
        let specs = Marker {
            name: b"import__find__load__done",
            arguments: b"8@[sp, 8] -4@28(%rsp)",
            ..AUDIT
        };
        let mut notes = elf.marker(&AUDIT);
        notes.extend(elf.note(b"GNU\0", 3, &[1; 20]));
        notes.extend(elf.marker(&specs));
        let bytes = elf.with_notes(notes).build();
        let image = Image::parse(&bytes).expect("an image");
        assert_eq!((image.bits(), image.machine()), (bits, machine));
        assert_eq!(image.kind(), ImageKind::Dynamic);
        let names: Vec<&str> = image
            .notes()
            .iter()
            .map(|note| note.name.as_str())
            .collect();
        assert_eq!(
            names,
            ["audit", "import__find__load__done"],
            "machine {machine}"
        );
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("written");
        let ours: Vec<_> = image.notes().iter().map(said).collect();
        assert_eq!(ours, readelf_notes(file.path()), "machine {machine}");
    }
}

#[test]
fn notes_of_other_owners_and_types_are_no_markers() {
    let descriptor = AUDIT.descriptor(&X86_64);
    let notes = [
        X86_64.note(b"stapsdt\0", 4, &descriptor),
        X86_64.note(b"stapsdt", 3, &descriptor),
        X86_64.note(b"stapsdt2\0", 3, &descriptor),
        X86_64.note(b"", 3, &descriptor),
        X86_64.note(b"GNU\0", 3, &descriptor),
    ];
    let image = parse(&X86_64.with_notes(notes.concat()));
    assert_eq!((image.notes(), image.note_errors()), (&[][..], &[][..]));
}

#[test]
fn prelink_moves_location_and_semaphore_but_not_what_is_shown() {
    // Noted base, where .stapsdt.base lies now, and the addresses that follow for 0x2010 and 0x4008.
    let table: [(u8, u64, Option<u64>, u64, u64); 7] = [
        (64, 0x3000, Some(0x3000), 0x2010, 0x4008),
        (64, 0x3000, Some(0x41_3000), 0x41_2010, 0x41_4008),
        (64, 0x3000, Some(0x1800), 0x810, 0x2808),
        (64, 0x3000, None, 0x2010, 0x4008),
        (64, 0, Some(0x41_3000), 0x2010, 0x4008),
        (32, 0x3000, Some(0xffff_f000), 0xffff_e010, 0x8),
        (64, 0x3000, Some(u64::MAX), 0xffff_ffff_ffff_f00f, 0x1007),
    ];
    for (bits, base, now, location, semaphore) in table {
        let mut elf = elf(bits, false, if bits == 64 { 62 } else { 3 });
        let notes = elf.marker(&Marker { base, ..AUDIT });
        if let Some(now) = now {
            elf = elf.with(section(".stapsdt.base", 1, now, vec![0]));
        }
        let image = parse(&elf.with_notes(notes));
        let note = &image.notes()[0];
        assert_eq!(note.location, FileAddress(location), "{base:#x} {now:x?}");
        assert_eq!(
            note.semaphore,
            Some(FileAddress(semaphore)),
            "{base:#x} {now:x?}"
        );
        let raw = RawNote {
            location: 0x2010,
            base,
            semaphore: 0x4008,
        };
        assert_eq!(note.raw, raw);
    }
}

#[test]
fn a_semaphore_of_zero_is_none_even_after_prelink() {
    let notes = X86_64.marker(&Marker {
        semaphore: 0,
        ..AUDIT
    });
    let elf = X86_64.with(section(".stapsdt.base", 1, 0x9000, vec![0]));
    let image = parse(&elf.with_notes(notes));
    assert_eq!(image.notes()[0].semaphore, None);
    assert_eq!(image.notes()[0].location, FileAddress(0x8010));
}

#[test]
fn without_a_table_of_sections_segments_of_notes_are_read() {
    let notes = X86_64.marker(&AUDIT);
    let mut elf = X86_64.with_notes(notes).with_segment(4, 4, 0x200, 0);
    elf.table = false;
    let image = parse(&elf);
    assert_eq!(image.notes().len(), 1);
    assert_eq!(image.notes()[0].location, FileAddress(0x2010));
    assert_eq!(image.symbol("anything"), None);
    elf.table = true;
    assert_eq!(parse(&elf).notes().len(), 1, "read once, by its section");
}

#[test]
fn every_site_is_kept_in_file_order_across_sections() {
    let site = |location, name: &'static [u8]| Marker {
        location,
        name,
        ..AUDIT
    };
    let first = [
        X86_64.marker(&site(1, b"audit")),
        X86_64.marker(&site(3, b"line")),
    ]
    .concat();
    let second = X86_64.marker(&site(2, b"audit"));
    let image = parse(&X86_64.with_notes(first).with_notes(second));
    let places: Vec<u64> = image.notes().iter().map(|note| note.location.0).collect();
    assert_eq!(places, [1, 3, 2]);
    let probes = ptpytrace::probe::catalog([&image, &image]);
    let shown: Vec<(&str, Vec<(usize, u64)>)> = probes
        .iter()
        .map(|probe| {
            let sites = probe.sites.iter().map(|site| (site.image, site.location.0));
            (probe.name.as_str(), sites.collect())
        })
        .collect();
    let audit = vec![(0, 1), (0, 2), (1, 1), (1, 2)];
    assert_eq!(shown, [("audit", audit), ("line", vec![(0, 3), (1, 3)])]);
}

#[test]
fn more_sections_than_sixteen_bits_count() {
    let mut elf = X86_64;
    for _ in 0..0xff00 {
        elf = elf.with(section(".data", 1, 0, Vec::new()));
    }
    let notes = elf.marker(&AUDIT);
    let elf = elf.with(section(".stapsdt.base", 1, 0x3001, Vec::new()));
    let image = parse(&elf.with_notes(notes));
    assert_eq!(image.notes()[0].location, FileAddress(0x2011));
}
