//! `readelf -n` is the judge of every note of every real file.

use std::path::Path;
use std::process::Command;

use ptpytrace::elf::{Image, Note};

/// Provider, name, location, base, semaphore, arguments.
type Said = (String, String, u64, u64, u64, String);

/// What `readelf -n` says, in its order.
pub fn readelf_notes(path: &Path) -> Vec<Said> {
    let output = Command::new("readelf")
        .arg("-n")
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .expect("readelf (binutils)");
    assert!(output.status.success(), "readelf {}", path.display());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut said: Vec<Said> = Vec::new();
    for line in text.lines() {
        let line = line.strip_prefix("    ").unwrap_or("");
        if let Some(provider) = line.strip_prefix("Provider: ") {
            said.push((provider.to_owned(), String::new(), 0, 0, 0, String::new()));
        }
        let Some(last) = said.last_mut() else {
            continue;
        };
        if let Some(name) = line.strip_prefix("Name: ") {
            last.1 = name.to_owned();
        } else if let Some(arguments) = line.strip_prefix("Arguments: ") {
            last.5 = arguments.to_owned();
        } else if line.starts_with("Location: ") {
            let numbers: Vec<u64> = line
                .split(", ")
                .filter_map(|part| part.split_once(": 0x"))
                .map(|(_, digits)| u64::from_str_radix(digits, 16).expect("hexadecimal"))
                .collect();
            (last.2, last.3, last.4) = (numbers[0], numbers[1], numbers[2]);
        }
    }
    said
}

pub fn said(note: &Note) -> Said {
    (
        note.provider.clone(),
        note.name.clone(),
        note.raw.location,
        note.raw.base,
        note.raw.semaphore,
        note.arguments.clone(),
    )
}

#[test]
fn every_note_of_every_real_file_is_as_readelf_says() {
    let (mut python, mut others) = (0, 0);
    for path in super::real_files() {
        let image =
            Image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let ours: Vec<Said> = image.notes().iter().map(said).collect();
        assert_eq!(ours, readelf_notes(&path), "{}", path.display());
        assert_eq!(image.note_errors(), [], "{}", path.display());
        let own = ours.iter().filter(|note| note.0 == "python").count();
        python += own;
        others += ours.len() - own;
    }
    assert!(
        python > 40 && others >= 3,
        "python {python}, others {others}"
    );
}

#[test]
fn parsing_bytes_gives_what_opening_the_file_gives() {
    for path in super::real_files() {
        let bytes = std::fs::read(&path).expect("a readable file");
        let parsed = Image::parse(&bytes).expect("an image");
        let opened = Image::open(&path).expect("an image");
        assert_eq!(parsed.notes(), opened.notes(), "{}", path.display());
        assert_eq!(parsed.segments(), opened.segments(), "{}", path.display());
        for note in parsed.notes() {
            let at = note.location;
            assert_eq!(parsed.read_at(at, 16), opened.read_at(at, 16));
            assert_eq!(parsed.function_at(at), opened.function_at(at));
        }
    }
}

#[test]
fn markers_of_cpython_lie_on_one_byte_nops_in_code() {
    for path in super::cached_interpreters() {
        let image = Image::open(&path).expect("an image");
        assert!(!image.notes().is_empty(), "{}", path.display());
        for note in image.notes() {
            let at = note.location;
            assert_eq!(image.read_at(at, 1).as_deref(), Some(&[0x90][..]), "{at}");
            assert!(image.is_executable(at) && !image.is_writable(at), "{at}");
            let semaphore = note.semaphore.expect("CPython's markers have semaphores");
            assert!(image.is_writable(semaphore) && !image.is_executable(semaphore));
        }
        assert!(image.is_cpython(), "{}", path.display());
    }
}

#[test]
fn headers_are_as_readelf_says() {
    for path in super::real_files() {
        let image = Image::open(&path).expect("an image");
        let dynamic = run(&path, "-d");
        let named = |tag: &str| -> Vec<String> {
            dynamic
                .lines()
                .filter(|line| line.contains(tag))
                .filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned()))
                .collect()
        };
        assert_eq!(image.needed(), named("(NEEDED)"), "{}", path.display());
        let soname = image.soname().map(str::to_owned);
        assert_eq!(
            Vec::from_iter(soname),
            named("(SONAME)"),
            "{}",
            path.display()
        );
        let segments = run(&path, "-l");
        let interpreter = segments
            .split_once("interpreter: ")
            .and_then(|(_, rest)| rest.split(']').next());
        assert_eq!(image.interpreter(), interpreter, "{}", path.display());
        let loads: Vec<[u64; 4]> = segments
            .lines()
            .filter(|line| line.trim_start().starts_with("LOAD "))
            .map(|line| {
                let words: Vec<u64> = line
                    .split_ascii_whitespace()
                    .filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
                    .collect();
                [words[0], words[1], words[3], words[4]]
            })
            .collect();
        let ours: Vec<[u64; 4]> = image
            .segments()
            .iter()
            .map(|s| [s.offset, s.address.0, s.file_size, s.memory_size])
            .collect();
        assert_eq!(ours, loads, "{}", path.display());
    }
}

fn run(path: &Path, flag: &str) -> String {
    let output = Command::new("readelf")
        .args([flag, "-W"])
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .expect("readelf (binutils)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
