//! The workload, and running it under something.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// Prints the seconds that `fib(N)` took, for the largest N given as the last argument.
pub const PROGRAM: &str = "
import sys, time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
start = time.perf_counter()
fib(int(sys.argv[1]))
sys.stderr.write('elapsed %.9f\\n' % (time.perf_counter() - start))
";

/// The interpreter and what it needs.
#[derive(Clone, Debug)]
pub struct Python {
    /// What the tests call it.
    pub name: String,
    /// The script that starts it.
    pub wrapper: PathBuf,
    /// The file with the notes: the interpreter itself.
    pub notes: PathBuf,
}

impl Python {
    /// What its wrapper sets, as `NAME=VALUE`.
    pub fn environment(&self) -> anyhow::Result<Vec<String>> {
        let print = "import os\nfor item in os.environ.items(): print('='.join(item))";
        let output = Command::new(&self.wrapper).args(["-c", print]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let set = |line: &&str| line.starts_with("PYTHON") || line.starts_with("LD_LIBRARY_PATH=");
        Ok(text.lines().filter(set).map(str::to_owned).collect())
    }

    /// Whether it has markers of its own for calls and returns.
    pub fn has_function_markers(&self) -> anyhow::Result<bool> {
        let image = ptpytrace::elf::Image::open(&self.notes)?;
        let mut notes = image.notes().iter();
        Ok(notes.any(|note| note.name == "function__entry"))
    }

    /// Whether its wrapper runs a loader that loads it.
    pub fn has_own_loader(&self) -> anyhow::Result<bool> {
        let text = std::fs::read_to_string(&self.wrapper)?;
        Ok(text.contains("--library-path"))
    }

    /// A copy of the interpreter that nobody else runs: the script that starts it, and the file.
    pub fn copy(&self, folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
        let (wrapper, notes) = (folder.join("python.sh"), folder.join("python"));
        let text = std::fs::read_to_string(&self.wrapper)?;
        let original = self.notes.display().to_string();
        ensure!(
            text.contains(&original),
            "{} does not name {original}",
            self.wrapper.display()
        );
        std::fs::copy(&self.notes, &notes)?;
        std::fs::copy(&self.wrapper, &wrapper)?;
        std::fs::write(
            &wrapper,
            text.replace(&original, &notes.display().to_string()),
        )?;
        Ok((wrapper, notes))
    }
}

/// The folder with the tests' interpreters.
pub fn cache() -> PathBuf {
    let cache = std::env::var_os("PTPYTRACE_CACHE").map(PathBuf::from);
    cache.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/interpreters"))
}

/// An interpreter of the tests, by its name.
pub fn python(name: &str) -> anyhow::Result<Python> {
    let cache = cache();
    let table = std::fs::read_to_string(cache.join("interpreters.tsv")).with_context(|| {
        format!(
            "no interpreters in {}: run tests/interpreters/fetch",
            cache.display()
        )
    })?;
    for line in table.lines() {
        if let [found, _, _, wrapper, notes, ..] = line.split('\t').collect::<Vec<_>>()[..]
            && found == name
        {
            return Ok(Python {
                name: name.to_owned(),
                wrapper: wrapper.into(),
                notes: notes.into(),
            });
        }
    }
    bail!("no {name} in {}", cache.display())
}

/// How many events `fib(depth)` gives: an entry and a return for each call.
pub fn events(depth: u32) -> u64 {
    let (mut one, mut calls) = (1u64, 1u64);
    for _ in 1..depth {
        (one, calls) = (calls, 1 + one + calls);
    }
    2 * calls
}

/// How many lines a trace has.
pub fn lines(path: &Path) -> anyhow::Result<u64> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut count, mut line) = (0, Vec::new());
    while file.read_until(b'\n', &mut line)? > 0 {
        count += 1;
        line.clear();
    }
    Ok(count)
}

/// How one run went.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What the program measured, seconds.
    elapsed: f64,
    /// CPU time of the tracer and the program, seconds.
    cpu: f64,
}

impl Run {
    /// Runs a command; `depth` is appended to it.
    pub fn of(command: &[OsString], depth: u32) -> anyhow::Result<Run> {
        let (program, arguments) = command.split_first().context("an empty command")?;
        let mut process = Command::new(program);
        process.args(arguments).arg(depth.to_string());
        process
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        process.process_group(0);
        let before = children_cpu();
        let mut child = process
            .spawn()
            .with_context(|| format!("cannot run {program:?}"))?;
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        let status = child.wait()?;
        ensure!(status.success(), "{program:?} failed ({status}): {said}");
        let elapsed = said
            .lines()
            .find_map(|line| line.strip_prefix("elapsed ")?.trim().parse().ok());
        Ok(Run {
            elapsed: elapsed.with_context(|| format!("{program:?} printed no time: {said}"))?,
            cpu: children_cpu() - before,
        })
    }
}

/// CPU time of all children that have ended and been waited for, and of theirs, seconds.
fn children_cpu() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0.0, |usage| {
        let time = usage.user_time() + usage.system_time();
        time.num_microseconds() as f64 / 1e6
    })
}

/// What an event cost in one round.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Elapsed, ns.
    pub elapsed: f64,
    /// CPU time, ns.
    pub cpu: f64,
    /// The share of the events that were printed; `None` where nothing is printed.
    pub printed: Option<f64>,
}

impl Sample {
    /// From a run with next to no events and one with many.
    pub fn new(small: &Run, large: &Run, events: u64, printed: Option<u64>) -> Sample {
        let ns = |seconds: f64| seconds * 1e9 / events as f64;
        Sample {
            elapsed: ns(large.elapsed - small.elapsed),
            cpu: ns(large.cpu - small.cpu),
            printed: printed.map(|lines| lines as f64 / events as f64),
        }
    }
}
