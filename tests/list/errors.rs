//! What is said of files that cannot be listed: the cause and what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{errors, list, options};
use crate::notes::builder::{AUDIT, Elf, X86_64, section};

fn error_of(path: &Path) -> String {
    let (text, report) = list(&[path], &options("", &[]));
    assert_eq!(
        (text.as_str(), report.markers),
        ("", 0),
        "{}",
        path.display()
    );
    let mut errors = errors(&report);
    assert_eq!(errors.len(), 1, "{errors:?}");
    let error = errors.remove(0);
    let prefix = format!("{}: ", path.display());
    error
        .strip_prefix(&prefix)
        .map(str::to_owned)
        .unwrap_or_else(|| panic!("{error}"))
}

fn error_of_bytes(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    error_of(file.path())
}

#[test]
fn files_that_are_no_images() {
    let table: [(&[u8], &str); 7] = [
        (b"", "is empty, not an ELF file"),
        (
            b"#!/bin/sh\necho",
            "is a script for /bin/sh; name the interpreter's binary",
        ),
        (
            b"#! /usr/bin/python3 -O\n",
            "is a script for /usr/bin/python3; name the interpreter's binary",
        ),
        (
            b"#!/usr/bin/env -S PYTHONPATH=x python3.9 -O\n",
            "is a script for python3.9; name the interpreter's binary",
        ),
        (
            b"MZ\x90",
            "is not an ELF file; name an executable or a shared library",
        ),
        (
            b"\x7fEL",
            "is truncated: the ELF header would end at byte 64, but the file has only 3; copy or install it again",
        ),
        (
            b"\x7fELF\x09\x01\x01",
            "is a malformed ELF file: its class is neither 32 nor 64 bits (EI_CLASS)",
        ),
    ];
    for (bytes, expected) in table {
        assert_eq!(error_of_bytes(bytes), expected);
    }
}

#[test]
fn paths_that_are_no_files() {
    assert_eq!(
        error_of(Path::new("/no/such")),
        "no such file; check the path"
    );
    assert_eq!(
        error_of(Path::new("/etc/passwd/x")),
        "no such file; check the path"
    );
    let directory = "is a directory; name an executable or a shared library in it";
    assert_eq!(error_of(Path::new("/usr")), directory);
    let special = "is not a regular file; name an executable or a shared library";
    assert_eq!(error_of(Path::new("/dev/null")), special);
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    assert_eq!(error_of(&pipe), special);
}

#[test]
fn a_truncated_interpreter() {
    let whole = std::fs::read("/usr/bin/python3.11").expect("python3.11");
    let cut = &whole[..whole.len() / 2];
    let text = error_of_bytes(cut);
    let tail = format!(
        "but the file has only {}; copy or install it again",
        cut.len()
    );
    assert!(
        text.starts_with("is truncated: the table of sections would end at byte "),
        "{text}"
    );
    assert!(text.ends_with(&tail), "{text}");
}

/// As root this test runs itself again without the rights that let root read everything.
#[test]
fn permission_denied() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, "x").expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).expect("changed");
    let denied =
        "permission denied; reading it needs read permission, or the file's owner, or root";
    if !nix::unistd::geteuid().is_root() {
        assert_eq!(error_of(&path), denied);
        return;
    }
    if std::env::var_os("WITHOUT_RIGHTS").is_some() {
        assert_eq!(error_of(&path), denied);
        return;
    }
    let status = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all"])
        .arg(std::env::current_exe().expect("own path"))
        .args(["--exact", "list::errors::permission_denied"])
        .env("WITHOUT_RIGHTS", "1")
        .output()
        .expect("setpriv (util-linux)");
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(
        status.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

fn written(elf: &Elf) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), elf.build()).expect("written");
    file
}

#[test]
fn images_without_markers() {
    let none = written(&X86_64.with(section(".text", 1, 0, vec![0x90])));
    let text = "has no markers: no SDT notes (readelf -n) in what it executes";
    assert_eq!(error_of(none.path()), text);
    for name in ["Py_Main", "Py_BytesMain", "_PyRuntime"] {
        let python = written(&X86_64.with_symbols(11, &[(name, 0x10, 8, 0x12, 1)]));
        let text = error_of(python.path());
        assert!(
            text.starts_with("has no markers: this CPython was built without --with-dtrace"),
            "{text}"
        );
    }
    let embeds = super::cache().join("ROOT-3.11/embed/embed");
    let text = error_of(&embeds);
    let expected = "has no markers of its own; it links libpython3.11.so.1.0: list that library, or a running process with -p";
    assert_eq!(text, expected);
}

#[test]
fn wrong_notes_are_reported_beside_the_good_ones() {
    let good = X86_64.marker(&AUDIT);
    let bad = X86_64.note(b"stapsdt\0", 3, b"short");
    let file = written(&X86_64.with_notes([bad, good].concat()));
    let (text, report) = list(&[file.path()], &options("", &[]));
    assert_eq!((report.markers, text.lines().count()), (1, 2));
    let errors = errors(&report);
    assert!(
        errors[0].contains("the note at byte 0x40 of the file is left out"),
        "{errors:?}"
    );
}

#[test]
fn a_pattern_that_nothing_matches() {
    let python = PathBuf::from("/usr/bin/python3.11");
    let (text, report) = list(&[&python], &options("", &["no-such", "ruby:*"]));
    assert_eq!((text.as_str(), report.markers), ("", 0));
    let expected = "no-such, ruby:*: no marker matches; list without a pattern to see them all";
    assert_eq!(errors(&report), [expected]);
    let (text, report) = list(&[&python], &options("", &["ruby:*", "python:gc-*"]));
    assert_eq!(
        (text.lines().count(), report.markers, report.errors.len()),
        (3, 2, 0)
    );
}
