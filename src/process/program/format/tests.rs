//! What files are, against `readelf`, and over noise.

use super::*;
use proptest::prelude::*;
use std::io::Write;
use std::process::Command;

fn format_of_bytes(content: &[u8]) -> Format {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(content).expect("written");
    format_of(file.path()).expect("readable")
}

#[test]
fn the_loader_is_the_one_that_readelf_names() {
    let own = std::env::current_exe().expect("a file");
    for path in [own.as_path(), Path::new("/bin/sh"), Path::new("/bin/ls")] {
        let readelf = Command::new("readelf")
            .args(["-lW"])
            .arg(path)
            .output()
            .expect("readelf runs");
        let text = String::from_utf8_lossy(&readelf.stdout).into_owned();
        let (_, rest) = text
            .split_once("[Requesting program interpreter: ")
            .expect("a dynamic program");
        let (loader, _) = rest.split_once(']').expect("a path");
        let expected = Format::Program {
            loader: Some(loader.into()),
        };
        assert_eq!(format_of(path).expect("readable"), expected);
        assert_eq!(unfit(path), None);
    }
}

#[test]
fn the_first_word_of_the_first_line_interprets() {
    let cases: [(&[u8], &str); 6] = [
        (b"#!/bin/sh", "/bin/sh"),
        (b"#!/bin/sh\nx", "/bin/sh"),
        (b"#! \t/usr/bin/env python3\n", "/usr/bin/env"),
        (b"#!/bin/sh\t-e\n", "/bin/sh"),
        (b"#!/bin/sh\r\n", "/bin/sh\r"),
        (b"#!a\0b\n", "a"),
    ];
    for (content, interpreter) in cases {
        let expected = Format::Script {
            interpreter: interpreter.into(),
        };
        assert_eq!(format_of_bytes(content), expected, "{content:?}");
    }
    for content in [
        &b"#!"[..],
        b"#! \n/bin/sh",
        b"# !/bin/sh",
        b"\x7fEL",
        b"echo",
    ] {
        assert_eq!(
            format_of_bytes(content),
            Format::Unknown { empty: false },
            "{content:?}"
        );
    }
    assert_eq!(format_of_bytes(b""), Format::Unknown { empty: true });
}

#[test]
fn a_pipe_or_a_folder_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("made");
    assert_eq!(unfit(&pipe), None);
    assert_eq!(unfit(folder.path()), None);
    assert_eq!(unfit(&folder.path().join("absent")), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_header_gives_an_answer(
        mut head in prop::collection::vec(any::<u8>(), 0..200),
        sizes: (u64, u16, u16),
        kind in 0u8..5,
    ) {
        // Past the first checks, so that the program headers are looked at.
        let machine = host().map_or(0, |(number, _)| number).to_le_bytes();
        let start = [b"\x7fELF\x02\x01".as_slice(), &[0; 10], &[kind, 0], &machine].concat();
        for (place, byte) in head.iter_mut().zip(&start) {
            *place = *byte;
        }
        let _ = format_of_bytes(&head);
        head.resize(200, 0);
        head[32..40].copy_from_slice(&(sizes.0 % 300).to_le_bytes());
        head[54..56].copy_from_slice(&(sizes.1 % 80).to_le_bytes());
        head[56..58].copy_from_slice(&(sizes.2 % 4).to_le_bytes());
        let _ = format_of_bytes(&head);
    }
}
