//! What is said when a program has not what is wanted, or cannot be traced at all: cause and remedy, and the exit
//! status.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ptpytrace::cpython::{Version, availability};
use ptpytrace::elf::Image;

use crate::harness::interpreters::interpreter;

fn cached(name: &str) -> PathBuf {
    interpreter(name).wrapper
}

fn trace(options: &[&str], program: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ptpytrace"))
        .args(options)
        .args(["-o", "/dev/null", "--"])
        .arg(program)
        .args(arguments)
        .output()
        .expect("ptpytrace runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("made executable");
    path
}

/// python3.11 as it would be without `--with-dtrace`: no notes.
fn without_notes(folder: &Path) -> PathBuf {
    let notes = interpreter("python3.11").notes;
    let bare = folder.join("python3.11");
    let status = Command::new("objcopy")
        .arg("--remove-section=.note.stapsdt")
        .arg(&notes)
        .arg(&bare)
        .status();
    assert!(status.expect("objcopy (binutils)").success());
    bare
}

#[test]
fn a_build_without_markers_gets_injected_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = without_notes(folder.path());
    let home = cached("python3.11")
        .with_file_name("../ROOT-3.11/usr")
        .canonicalize()
        .expect("the root");
    let trace = folder.path().join("trace");
    let output = Command::new(env!("CARGO_BIN_EXE_ptpytrace"))
        .arg("-o")
        .arg(&trace)
        .arg("--")
        .arg(&bare)
        .args(["-S", "-c", "def marked(): print('ran')\nmarked()"])
        .env("PYTHONHOME", &home)
        .output()
        .expect("ptpytrace runs");
    assert_eq!(said(&output), "");
    assert_eq!(output.stdout, b"ran\n");
    assert_eq!(output.status.code(), Some(0));
    let trace = std::fs::read_to_string(trace).expect("a trace");
    for arrow in ["=>", "<="] {
        let lines = trace
            .lines()
            .filter(|line| line.contains(&format!("{arrow} marked in <string>:1")));
        assert_eq!(lines.count(), 1, "{arrow}");
    }
}

/// What is said where nothing can be injected.
#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = without_notes(folder.path());
    let functions = "CPython 3.12 to 3.14 have no function markers";
    let line = "CPython 3.12 and later have no marker `line`";
    let table = [
        (bare, "function__entry", "was built without --with-dtrace"),
        (
            interpreter("python3.13").notes,
            "function__entry",
            functions,
        ),
        (
            interpreter("python3.13").notes,
            "function__return",
            functions,
        ),
        (interpreter("python3.13").notes, "line", line),
        (interpreter("python3.15").notes, "line", line),
    ];
    for (path, marker, reason) in table {
        let image = Image::open(&path).expect("an image");
        let wanted = |name: &str| name == marker;
        let text = availability::missing(&image, &path, &wanted).expect("a reason");
        assert!(text.contains(reason), "{} {marker}: {text}", path.display());
        let advice = text.contains("On this machine ") || text.contains("No interpreter");
        assert!(advice, "{text}");
    }
}

#[test]
fn what_is_there_or_injected_is_traced_in_silence() {
    for marker in ["gc__*", "function__entry", "line"] {
        let program = cached("python3.13");
        let output = trace(&["-m", marker], &program, &["-c", "print('ran')"]);
        let status = output.status.code();
        assert_eq!((said(&output).as_str(), status), ("", Some(0)), "{marker}");
        assert_eq!(output.stdout, b"ran\n", "{marker}");
    }
}

#[test]
fn the_one_release_that_crashes_is_left_alone() {
    let version = |hex| Version::from_hex(hex).expect("a version");
    for (hex, crashes) in [
        (0x030b_00f0, true),
        (0x030b_01f0, false),
        (0x030c_00f0, false),
    ] {
        for name in ["line", "function__entry"] {
            assert_eq!(
                availability::crashes(&version(hex), name),
                crashes,
                "{hex:#x} {name}"
            );
        }
        assert!(!availability::crashes(&version(hex), "function__return"));
    }
    assert!(availability::CRASHES.contains("3.11.1 or later"));
}

#[test]
fn commands_that_cannot_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut class32 = vec![0; 64];
    class32[..20].copy_from_slice(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0");
    let table: [(PathBuf, &str); 6] = [
        (
            PathBuf::from("no-such-program"),
            "no folder of PATH has such a program",
        ),
        (path.join("missing"), "missing"),
        (path.to_owned(), "folder"),
        (
            written(path, "script", b"#!/no/such/interpreter\n"),
            "/no/such/interpreter",
        ),
        (written(path, "old", &class32), "32-bit"),
        (
            {
                let plain = written(path, "plain", b"#!/bin/sh\n");
                std::fs::set_permissions(&plain, PermissionsExt::from_mode(0o644))
                    .expect("changed");
                plain
            },
            "execut",
        ),
    ];
    for (program, expected) in table {
        let output = trace(&[], &program, &[]);
        let text = said(&output);
        assert!(text.starts_with("ptpytrace: cannot run `"), "{text}");
        assert!(text.contains(expected), "{expected}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(output.status.code(), Some(1), "{text}");
    }
}

#[test]
fn commands_without_markers() {
    let output = trace(&[], Path::new("/bin/sh"), &["-c", "exit 7"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(said(&output).contains("nothing that ran has the wanted markers"));
    let output = trace(&[], Path::new("/bin/true"), &[]);
    assert_eq!(output.status.code(), Some(1), "nothing was traced");
}

fn exit_and_text(words: &[&OsStr]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ptpytrace"))
        .args(words)
        .output()
        .expect("ptpytrace runs");
    (output.status.code(), said(&output))
}

#[test]
fn processes_that_cannot_be_traced() {
    let mut child = Command::new("/bin/sleep")
        .arg("1000")
        .spawn()
        .expect("sleep");
    let pid = child.id().to_string();
    let (status, text) = exit_and_text(&["-p", &pid].map(OsStr::new));
    child.kill().expect("killed");
    assert_eq!(status, Some(1));
    assert!(text.contains("has none of the wanted markers"), "{text}");
    // Not yet waited for: a zombie.
    let (status, text) = exit_and_text(&["-p", &pid].map(OsStr::new));
    assert_eq!(status, Some(1));
    assert!(text.contains("has ended"), "{text}");
    child.wait().expect("waited for");
    let (status, text) = exit_and_text(&["-p", &pid].map(OsStr::new));
    assert_eq!(status, Some(1));
    assert!(text.contains("there is no such process"), "{text}");
}

#[test]
fn wrong_options_give_status_two() {
    for words in [
        &["--nonsense"][..],
        &[],
        &["-p", "0"],
        &["-p", "-5"],
        &["-p", "12x"],
        &["-c", "a 'b"],
        &["--max-string", "0", "-c", "x"],
        &["-m", "", "-c", "x"],
        &["-m", "[", "-c", "x"],
        &["-T", "-1", "-c", "x"],
        &["-f", "xml", "-c", "x"],
        &["-q", "-v", "-c", "x"],
        &["script.py"],
    ] {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        let (status, text) = exit_and_text(&words);
        assert_eq!(status, Some(2), "{words:?}: {text}");
        assert!(!text.is_empty(), "{words:?}");
    }
}
