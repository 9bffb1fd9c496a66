//! The table, its verbose form and JSON, for files: spelled out by hand for
//! built ones, judged by `readelf` for real ones.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use ptpytrace::cli::list::list_files;

use super::{cache, list, options};
use crate::notes::builder::{AUDIT, Elf, Marker, X86_64, elf};

/// A file of that name and contents in a folder of its own.
fn written(name: &str, elf: &Elf) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, elf.build()).expect("written");
    (folder, path)
}

/// Two sites of `audit` in one function, one outside any, and an unknown marker.
fn sample() -> Elf {
    let site = |location, name: &'static [u8], arguments: &'static [u8]| {
        X86_64.marker(&Marker {
            location,
            name,
            arguments,
            ..AUDIT
        })
    };
    let notes = [
        site(0x2010, b"audit", b"8@%rbx 8@%r15"),
        site(0x2014, b"function__entry", b"8@%rbp 8@%r12 -4@%eax"),
        site(0x2018, b"audit", b"8@%rbx 8@%r14"),
        site(0x9000, b"audit", b""),
        site(0x2020, b"cfunction__entry", b"-4@-8(%rbp, %rax, 4) 8@$1"),
    ];
    X86_64
        .with_notes(notes.concat())
        .with_symbols(2, &[("PySys_Audit", 0x2000, 0x30, 0x12, 1)])
}

#[test]
fn the_table_is_that_of_dtrace() {
    let (_folder, path) = written("python3.15", &sample());
    let (text, report) = list(&[&path], &options("", &[]));
    let expected = "\x20  ID   PROVIDER            MODULE                          FUNCTION NAME
    1     python        python3.15                       PySys_Audit audit
    2     python        python3.15                       PySys_Audit function-entry
    3     python        python3.15                                   audit
    4     python        python3.15                       PySys_Audit cfunction-entry
";
    assert_eq!(text, expected);
    assert_eq!((report.markers, report.errors.len()), (4, 0));
}

#[test]
fn verbose_adds_every_site_as_readelf_writes_it() {
    let (_folder, path) = written("python3.15", &sample());
    let (text, _) = list(&[&path], &options("v", &["audit", "c*"]));
    let expected = "\x20  ID   PROVIDER            MODULE                          FUNCTION NAME
    1     python        python3.15                       PySys_Audit audit
    Location: 0x0000000000002010, Base: 0x0000000000003000, Semaphore: 0x0000000000004008
    Arguments: 8@%rbx 8@%r15
    Location: 0x0000000000002018, Base: 0x0000000000003000, Semaphore: 0x0000000000004008
    Arguments: 8@%rbx 8@%r14
    event: char *, args: PyObject *
    2     python        python3.15                                   audit
    Location: 0x0000000000009000, Base: 0x0000000000003000, Semaphore: 0x0000000000004008
    Arguments: 
    3     python        python3.15                       PySys_Audit cfunction-entry
    Location: 0x0000000000002020, Base: 0x0000000000003000, Semaphore: 0x0000000000004008
    Arguments: -4@-8(%rbp, %rax, 4) 8@$1
";
    assert_eq!(text, expected);
}

#[test]
fn json_has_one_object_for_every_site() {
    let (_folder, path) = written("python3.15", &sample());
    let (text, report) = list(&[&path], &options("j", &[]));
    let objects: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!((objects.len(), report.markers), (5, 4));
    assert_eq!(
        objects[2],
        serde_json::json!({
            "injected": false, "provider": "python", "module": "python3.15", "path": path.to_str(),
            "function": "PySys_Audit", "name": "function__entry",
            "location": 0x2014, "base": 0x3000, "semaphore": 0x4008,
            "arguments": ["8@%rbp", "8@%r12", "-4@%eax"],
            "argument_names": ["filename", "funcname", "lineno"],
        })
    );
    assert_eq!(objects[3]["function"], serde_json::Value::Null);
    assert_eq!(
        objects[4]["arguments"],
        serde_json::json!(["-4@-8(%rbp, %rax, 4)", "8@$1"])
    );
    assert_eq!(
        objects[4]["argument_names"],
        serde_json::json!(["arg0", "arg1"])
    );
}

#[test]
fn a_32_bit_file_is_listed_with_addresses_of_its_size() {
    let elf = elf(32, false, 3);
    let notes = elf.marker(&AUDIT);
    let (_folder, path) = written("python", &elf.with_notes(notes));
    let (text, report) = list(&[&path], &options("v", &[]));
    assert!(
        text.contains("    Location: 0x00002010, Base: 0x00003000, Semaphore: 0x00004008\n"),
        "{text}"
    );
    assert_eq!((report.markers, report.errors.len()), (1, 0));
}

#[test]
fn names_cannot_command_the_terminal() {
    let name = b"a\x1b[31m\nb\xc2\x9b";
    let (_folder, path) = written(
        "x",
        &X86_64.with_notes(X86_64.marker(&Marker { name, ..AUDIT })),
    );
    let (text, _) = list(&[&path], &options("v", &[]));
    assert!(text.contains(r"a\u{1b}[31m\nb\u{9b}"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn verbose_lines_of_real_files_are_those_of_readelf() {
    let interpreters = cache();
    let files = [
        PathBuf::from("/usr/bin/python3.11"),
        PathBuf::from("/usr/lib/x86_64-linux-gnu/libstdc++.so.6"),
        interpreters.join("ROOT-3.15/usr/bin/python3.15"),
        interpreters.join("ROOT-3.9/usr/lib/x86_64-linux-gnu/libpython3.9.so.1.0"),
    ];
    for path in files {
        let (text, report) = list(&[&path], &options("vn", &[]));
        assert_eq!(report.errors.len(), 0);
        let output = Command::new("readelf")
            .arg("-n")
            .arg(&path)
            .env("LC_ALL", "C")
            .output();
        let said = String::from_utf8(output.expect("readelf (binutils)").stdout).expect("UTF-8");
        let of_sites = |text: &str| -> Vec<String> {
            let begins = |line: &&str| {
                line.starts_with("    Location:") || line.starts_with("    Arguments:")
            };
            text.lines().filter(begins).map(str::to_owned).collect()
        };
        // Rows group the sites of one name, readelf does not: pairs of lines, in any order.
        let pairs = |lines: Vec<String>| -> Vec<Vec<String>> {
            let mut pairs: Vec<_> = lines.chunks(2).map(<[String]>::to_vec).collect();
            pairs.sort();
            pairs
        };
        let ours = pairs(of_sites(&text));
        assert!(!ours.is_empty());
        assert_eq!(ours, pairs(of_sites(&said)), "{}", path.display());
        let names: HashSet<String> = said
            .lines()
            .filter_map(|line| Some(line.trim().strip_prefix("Name: ")?.replace("__", "-")))
            .collect();
        let shown: HashSet<String> = text
            .lines()
            .skip(1)
            .filter(|line| {
                !line.starts_with("    ") || line.as_bytes().get(4).is_some_and(u8::is_ascii_digit)
            })
            .filter_map(|line| line.rsplit(' ').next().map(str::to_owned))
            .collect();
        assert_eq!(shown, names, "{}", path.display());
    }
}

#[test]
fn ids_go_on_from_file_to_file() {
    let (_one, first) = written("one", &X86_64.with_notes(X86_64.marker(&AUDIT)));
    let (_two, second) = written("two", &X86_64.with_notes(X86_64.marker(&AUDIT)));
    let (text, report) = list(&[&first, Path::new("/no/such"), &second], &options("", &[]));
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1], ["1", "python", "one", "audit"]);
    assert_eq!(rows[2], ["2", "python", "two", "audit"]);
    assert_eq!((rows.len(), report.markers, report.errors.len()), (3, 2, 1));
}

/// A pipe whose reader goes away after so many bytes.
struct Closed(usize);

impl Write for Closed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        match taken {
            0 => Err(io::ErrorKind::BrokenPipe.into()),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_listing_quietly() {
    let (_folder, path) = written("x", &sample());
    for flags in ["", "v", "j"] {
        for room in [0, 1, 80, 200] {
            let report = list_files(
                std::slice::from_ref(&path),
                &options(flags, &[]),
                &mut Closed(room),
            );
            assert_eq!(report.expect("no error").errors.len(), 0);
        }
    }
    let mut full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let error = list_files(&[path], &options("", &[]), &mut full).expect_err("no space");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
