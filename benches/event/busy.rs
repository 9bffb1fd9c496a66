//! Busy programs that notice when they do not run: one with eight threads, of which one looks at the clock without the
//! GIL, and one whose only thread does. A gap is less what the thread waited for a CPU, which on a small machine is most
//! of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};

use super::runs::Python;

/// Shorter gaps (ns) are not noted: so long a page fault or an interrupt may take.
const LEAST: u64 = 20_000;

const WATCHER: &str = include_str!("watch.c");

/// Six threads and the main thread call functions, one watches. Told so on its standard input, it ends.
const EIGHT: &str = "
import ctypes, select, sys, threading
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def busy():
    while going:
        fib(12)
def look():
    count.append(library.watch(gaps, room, least, ctypes.byref(stop)))
least, library = int(sys.argv[1]), ctypes.CDLL(sys.argv[2])
library.watch.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_void_p]
going, room, count, stop = True, 200000, [], ctypes.c_int(0)
gaps = (ctypes.c_uint64 * (3 * room))()
threads = [threading.Thread(target=look)] + [threading.Thread(target=busy) for _ in range(6)]
for thread in threads:
    thread.start()
print('ready', flush=True)
while not select.select([0], [], [], 0)[0]:
    fib(12)
going, stop.value = False, 1
for thread in threads:
    thread.join()
for i in range(count[0]):
    print(*gaps[3 * i:3 * i + 3])
";

/// The main thread calls a function that looks at the clock.
const ONE: &str = "
import os, select, sys, time
clock = time.monotonic_ns
def tick():
    return clock()
def waited():
    return int(os.pread(stat, 100, 0).split()[1])
least, gaps = int(sys.argv[1]), []
stat = os.open('/proc/thread-self/schedstat', os.O_RDONLY)
print('ready', flush=True)
before, last, count = waited(), clock(), 0
while True:
    now = tick()
    if now - last >= least:
        after = waited()
        if len(gaps) < 200000:
            gaps.append((last, now - last, after - before))
        before, now = after, clock()
    last = now
    count += 1
    if count % 10000 == 0:
        if select.select([0], [], [], 0)[0]:
            break
        last = clock()
for gap in gaps:
    print(*gap)
";

/// A time in which a thread did not run, ns.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// When it began (CLOCK_MONOTONIC).
    pub begin: u64,
    /// How long it was, less the wait for a CPU.
    pub stopped: u64,
}

/// The longest of the gaps that begin in this time, ns.
pub fn longest(gaps: &[Gap], time: Range<u64>) -> f64 {
    let within = gaps.iter().filter(|gap| time.contains(&gap.begin));
    within.map(|gap| gap.stopped).max().unwrap_or(0) as f64
}

/// All gaps that begin in this time together, ns.
pub fn together(gaps: &[Gap], time: Range<u64>) -> f64 {
    let within = gaps.iter().filter(|gap| time.contains(&gap.begin));
    within.map(|gap| gap.stopped).sum::<u64>() as f64
}

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Eight,
    One,
}

/// The watcher as a library; it is compiled with this machine's C compiler (`CC`, or else cc).
pub fn watcher(scratch: &Path) -> anyhow::Result<PathBuf> {
    let (source, library) = (scratch.join("watch.c"), scratch.join("watch.so"));
    std::fs::write(&source, WATCHER)?;
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(&compiler);
    command.args(["-O2", "-shared", "-fPIC", "-o"]);
    let output = command.arg(&library).arg(&source).output();
    let output = output.with_context(|| format!("a C compiler is needed: {compiler:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{compiler:?} failed: {said}");
    Ok(library)
}

/// A busy program that runs.
pub struct Busy {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Busy {
    /// Starts it and waits until all of its threads run.
    pub fn start(python: &Python, kind: Kind, watcher: &Path) -> anyhow::Result<Busy> {
        let program = match kind {
            Kind::Eight => EIGHT,
            Kind::One => ONE,
        };
        let mut child = Command::new(&python.wrapper)
            .args(["-c", program, &LEAST.to_string()])
            .arg(watcher)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut busy = Busy {
            child,
            output: BufReader::new(output),
        };
        let mut line = String::new();
        busy.output.read_line(&mut line)?;
        ensure!(line == "ready\n", "the busy program said {line:?}");
        Ok(busy)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; what it has noticed.
    pub fn end(mut self) -> anyhow::Result<Vec<Gap>> {
        let mut input = self.child.stdin.take().context("no input")?;
        input.write_all(b"\n")?;
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the busy program failed ({status})");
        text.lines().map(gap).collect()
    }
}

/// Not left behind when something has gone wrong.
impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it has ended
        let _ = self.child.wait();
    }
}

fn gap(line: &str) -> anyhow::Result<Gap> {
    let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
    match numbers.with_context(|| format!("not a gap: {line:?}"))?[..] {
        [begin, length, waited] => Ok(Gap {
            begin,
            stopped: length.saturating_sub(waited),
        }),
        _ => anyhow::bail!("not a gap: {line:?}"),
    }
}
