//! Whether a process's memory is as it was: its code byte by byte as in the files, its semaphores at 0. Where the
//! semaphores are is taken from readelf.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A line of /proc/PID/maps that belongs to a file.
struct Mapping {
    start: u64,
    end: u64,
    executable: bool,
    offset: u64,
    path: PathBuf,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

fn mappings(pid: i32) -> Vec<Mapping> {
    let text = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    text.lines()
        .filter_map(|line| {
            let path = line.get(line.find('/')?..)?;
            let mut words = line.split_whitespace();
            let (start, end) = words.next()?.split_once('-')?;
            let executable = words.next()?.contains('x');
            let offset = hex(words.next()?);
            Some(Mapping {
                start: hex(start),
                end: hex(end),
                executable,
                offset,
                path: path.into(),
            })
        })
        .collect()
}

/// What the notes of one file say of its semaphores.
pub struct Semaphores {
    file: PathBuf,
    /// Relative to the first byte of the file's mapping.
    offsets: BTreeSet<u64>,
}

impl Semaphores {
    /// Those of all markers of an ELF file.
    pub fn of(file: &Path) -> Semaphores {
        let notes = readelf("-n", file);
        let addresses: BTreeSet<u64> = notes
            .lines()
            .filter_map(|line| {
                line.split_once("Semaphore: ")
                    .map(|(_, address)| hex(address.trim()))
            })
            .filter(|address| *address != 0)
            .collect();
        let segments = readelf("-l", file);
        let first = segments
            .lines()
            .find_map(|line| {
                line.trim()
                    .strip_prefix("LOAD")?
                    .split_whitespace()
                    .nth(1)
                    .map(hex)
            })
            .unwrap();
        assert!(
            !addresses.is_empty(),
            "{} has no semaphores",
            file.display()
        );
        Semaphores {
            file: file.to_owned(),
            offsets: addresses.iter().map(|address| address - first).collect(),
        }
    }

    /// Their values in a process.
    pub fn values(&self, pid: i32) -> Vec<u16> {
        let Ok(memory) = File::open(format!("/proc/{pid}/mem")) else {
            panic!("the memory of process {pid} cannot be read");
        };
        let mappings = mappings(pid);
        let base = mappings
            .iter()
            .find(|mapping| mapping.path == self.file && mapping.offset == 0)
            .unwrap_or_else(|| panic!("{} is not in process {pid}", self.file.display()));
        self.offsets
            .iter()
            .map(|offset| {
                let mut word = [0; 2];
                memory
                    .read_exact_at(&mut word, base.start + offset)
                    .unwrap();
                u16::from_ne_bytes(word)
            })
            .collect()
    }

    /// Whether any is above 0.
    pub fn raised(&self, pid: i32) -> bool {
        self.values(pid).iter().any(|value| *value > 0)
    }
}

fn readelf(option: &str, file: &Path) -> String {
    let output = Command::new("readelf")
        .args([option, "-W"])
        .arg(file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "readelf {option} {}",
        file.display()
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Compares code with files; remembers the files.
#[derive(Default)]
pub struct Code {
    files: HashMap<PathBuf, Vec<u8>>,
}

impl Code {
    /// Every byte of every executable mapping of a process that is not as in its file.
    pub fn differences(&mut self, pid: i32) -> Vec<String> {
        self.differences_if_alive(pid).unwrap()
    }

    /// The same; an error for a process that ends meanwhile.
    pub fn differences_if_alive(&mut self, pid: i32) -> std::io::Result<Vec<String>> {
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let mut found = Vec::new();
        let mut compared = 0;
        for mapping in mappings(pid).iter().filter(|mapping| mapping.executable) {
            let file = self.files.entry(mapping.path.clone()).or_insert_with(|| {
                let read = fs::read(&mapping.path);
                read.unwrap_or_else(|error| panic!("{}: {error}", mapping.path.display()))
            });
            let mut code = vec![0; (mapping.end - mapping.start) as usize];
            memory.read_exact_at(&mut code, mapping.start)?;
            let original = &file[(mapping.offset as usize).min(file.len())..];
            compared += code.len();
            // The last page may reach past the file's end.
            let pairs = code.iter().zip(original).enumerate();
            found.extend(
                pairs
                    .filter(|(_, (now, then))| now != then)
                    .map(|(at, (now, then))| {
                        let path = mapping.path.display();
                        format!(
                            "{path}+{:#x}: {now:02x} instead of {then:02x}",
                            mapping.offset + at as u64
                        )
                    }),
            );
        }
        assert!(compared > 1 << 20, "process {pid} has hardly any code");
        Ok(found)
    }
}
