//! Real interpreters for the tests: which there are, how one is started, and how its symbols and memory are found
//! without the code that is tested.

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use object::{Object, ObjectSegment, ObjectSymbol};
use ptpytrace_arch::ReadMemory;

/// An interpreter's command; what it runs is found in the process.
pub struct Interpreter {
    pub name: String,
    pub command: PathBuf,
}

/// All interpreters: those of the cache, which must be there, those that pyenv has on this machine, and those that
/// PTPYTRACE_EXTRA_PYTHONS names, separated by colons.
pub fn interpreters() -> Vec<Interpreter> {
    let cache = env::var_os("PTPYTRACE_CACHE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/interpreters"),
        PathBuf::from,
    );
    let table = cache.join("interpreters.tsv");
    let text = fs::read_to_string(&table).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run tests/interpreters/fetch first, or set PTPYTRACE_CACHE to its folder",
            table.display()
        )
    });
    let mut found: Vec<Interpreter> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            Interpreter {
                name: fields[0].to_owned(),
                command: fields[3].into(),
            }
        })
        .collect();
    assert!(!found.is_empty(), "{} is empty", table.display());
    let versions = Path::new(&env::var_os("HOME").unwrap_or_default()).join(".pyenv/versions");
    for entry in fs::read_dir(versions).into_iter().flatten().flatten() {
        let name = format!("pyenv {}", entry.file_name().to_string_lossy());
        let command = entry.path().join("bin/python");
        if command.exists() {
            found.push(Interpreter { name, command });
        }
    }
    let extra = env::var_os("PTPYTRACE_EXTRA_PYTHONS").unwrap_or_default();
    for command in env::split_paths(&extra).filter(|path| !path.as_os_str().is_empty()) {
        let name = command.display().to_string();
        found.push(Interpreter { name, command });
    }
    found
}

/// A running interpreter, which ends when this is dropped.
pub struct Target {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Target {
    /// Starts `program` of tests/decode.
    pub fn start(interpreter: &Interpreter, program: &str, arguments: &[&str]) -> Target {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/decode")
            .join(program);
        let mut child = Command::new(&interpreter.command)
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", interpreter.command.display()));
        let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Target { child, output }
    }

    /// The next line of its output, without the line's end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self
            .output
            .read_line(&mut line)
            .expect("its output is UTF-8");
        assert!(length > 0, "the interpreter ended before its time");
        line.truncate(line.trim_end_matches('\n').len());
        line
    }

    pub fn memory(&self) -> ProcessMemory {
        let path = format!("/proc/{}/mem", self.child.id());
        ProcessMemory(File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    /// The mapped file that defines CPython's types.
    pub fn image(&self) -> PythonImage {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.child.id())).expect("maps");
        let mapped = maps.lines().filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let start = fields.next()?.split('-').next()?;
            let (_, offset) = (fields.next()?, fields.next()?);
            let path = fields.nth(2)?;
            let first = path.starts_with('/') && u64::from_str_radix(offset, 16) == Ok(0);
            first.then(|| (u64::from_str_radix(start, 16).unwrap(), path.to_owned()))
        });
        let mut seen = Vec::new();
        for (start, path) in mapped {
            if seen.contains(&path) {
                continue;
            }
            if let Some(image) = PythonImage::read(&path, start) {
                return image;
            }
            seen.push(path);
        }
        panic!("no mapped file defines CPython's types:\n{maps}");
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // The end of its input is what it waits for; a test that failed midway need not wait with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `/proc/PID/mem`.
pub struct ProcessMemory(File);

impl ReadMemory for ProcessMemory {
    fn read(&self, addr: u64, buf: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buf.len() {
            match self
                .0
                .read_at(&mut buf[done..], addr.wrapping_add(done as u64))
            {
                Ok(got) if got > 0 => done += got,
                _ => break,
            }
        }
        done
    }
}

/// The file that holds the interpreter, with its defined dynamic symbols and its segments at the file's addresses.
pub struct PythonImage {
    pub path: String,
    pub bias: u64,
    pub symbols: HashMap<String, u64>,
    segments: Vec<(u64, Vec<u8>)>,
}

impl PythonImage {
    /// `start`: where the file's first byte is mapped.
    fn read(path: &str, start: u64) -> Option<PythonImage> {
        let bytes = fs::read(path).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        let symbols: HashMap<String, u64> = file
            .dynamic_symbols()
            .filter(|symbol| symbol.is_definition())
            .map(|symbol| (symbol.name().unwrap_or("").to_owned(), symbol.address()))
            .collect();
        if !symbols.contains_key("PyUnicode_Type") {
            return None;
        }
        let base = file.segments().find(|s| s.file_range().0 == 0)?.address();
        let segments = file
            .segments()
            .map(|s| (s.address(), s.data().unwrap_or(&[]).to_vec()))
            .collect();
        Some(PythonImage {
            path: path.to_owned(),
            bias: start.wrapping_sub(base),
            symbols,
            segments,
        })
    }

    /// A symbol's address in the process.
    pub fn runtime(&self, name: &str) -> Option<u64> {
        Some(self.symbols.get(name)?.wrapping_add(self.bias))
    }
}

/// The file's own bytes, at the file's addresses.
impl ReadMemory for PythonImage {
    fn read(&self, addr: u64, buf: &mut [u8]) -> usize {
        let from = self.segments.iter().find_map(|(start, bytes)| {
            let offset = usize::try_from(addr.checked_sub(*start)?).ok()?;
            bytes.get(offset..).filter(|rest| !rest.is_empty())
        });
        let from = from.unwrap_or(&[]);
        let length = from.len().min(buf.len());
        buf[..length].copy_from_slice(&from[..length]);
        length
    }
}
