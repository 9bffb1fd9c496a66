//! Moments: attaching to a busy program, leaving it, and the time that a launched one takes to its first line.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::busy::{self, Busy, Gap, Kind};
use super::runs::{self, Python};
use super::table::median;

/// With function markers of its own, and with injected ones.
const INTERPRETERS: [&str; 2] = ["python3.9", "python3.13"];
const ENGINES: [&str; 2] = ["trap", "auto"];

/// Prints the time of the first event; the others are recorded and forgotten.
const FIRST: &str = "python*:::function-entry /!seen/ { seen = 1; printf(\"%d\\n\", timestamp); }
    python*:::function-return { @ = count(); }";
/// How long a program is watched before the attach, and from the first event on.
const WATCHED: Duration = Duration::from_millis(700);
/// So long the first event is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first line of a script.
const LINE: &str = "import time; print(time.monotonic_ns())";

/// Prints both tables.
pub fn print(rounds: usize) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let watcher = busy::watcher(scratch.path())?;
    println!("\nattach to a busy program, ms; medians of {rounds} rounds");
    println!(
        "{:28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "untraced", "pause", "leave", "event", "pause 1", "paused 1", "event 1"
    );
    for name in INTERPRETERS {
        let python = runs::python(name)?;
        for engine in ENGINES {
            eprintln!("attach: {name}, {engine}");
            attaches(&python, engine, &watcher, rounds)?;
        }
    }
    launches(rounds)
}

/// One row: with eight threads, and with one.
fn attaches(python: &Python, engine: &str, watcher: &Path, rounds: usize) -> anyhow::Result<()> {
    let mut eight = Vec::new();
    let mut one = Vec::new();
    for _ in 0..rounds {
        eight.push(Attach::of(python, engine, Kind::Eight, watcher)?);
        one.push(Attach::of(python, engine, Kind::One, watcher)?);
    }
    let middle = |all: &[Attach], part: fn(&Attach) -> f64| {
        median(all.iter().map(part).collect()).unwrap_or_default() / 1e6
    };
    println!(
        "{:28} {:9.3} {:9.3} {:9.3} {:9.1} {:9.3} {:9.3} {:9.1}",
        format!("{}, --engine {engine}", python.name),
        middle(&eight, |it| it.untraced),
        middle(&eight, |it| it.pause),
        middle(&eight, |it| it.leave),
        middle(&eight, |it| it.event),
        middle(&one, |it| it.pause),
        middle(&one, |it| it.paused),
        middle(&one, |it| it.event),
    );
    Ok(())
}

/// What a program has noticed of an attach, ns.
struct Attach {
    /// The longest gap before.
    untraced: f64,
    /// The longest from the attach on.
    pause: f64,
    /// All from the start of the tracer to the first event.
    paused: f64,
    /// The longest while the tracer leaves.
    leave: f64,
    /// From the start of the tracer to the first event.
    event: f64,
}

impl Attach {
    fn of(python: &Python, engine: &str, kind: Kind, watcher: &Path) -> anyhow::Result<Attach> {
        let program = Busy::start(python, kind, watcher)?;
        std::thread::sleep(WATCHED);
        let started = now()?;
        let mut tracer = tracer(engine, program.pid())?;
        let first = first_line(&mut tracer)?;
        std::thread::sleep(WATCHED);
        let asked = now()?;
        kill(Pid::from_raw(tracer.id().try_into()?), Signal::SIGINT)?;
        let status = tracer.wait()?;
        let left = now()?;
        ensure!(status.code().is_some(), "ptpytrace failed ({status})");
        let gaps: Vec<Gap> = program.end()?;
        Ok(Attach {
            untraced: busy::longest(&gaps, 0..started),
            pause: busy::longest(&gaps, started..asked),
            paused: busy::together(&gaps, started..first),
            leave: busy::longest(&gaps, asked..left),
            event: first.saturating_sub(started) as f64,
        })
    }
}

/// A tracer that drops what is too much, so that the program never waits for it.
fn tracer(engine: &str, pid: u32) -> anyhow::Result<Child> {
    let child = Command::new(env!("CARGO_BIN_EXE_ptpytrace"))
        .args(["-q", "--drop", "--engine", engine, "-p", &pid.to_string()])
        .args(["--lang", "dtrace", "-e", FIRST])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(child)
}

/// The number that the tracer prints first; the rest is read by somebody else.
fn first_line(tracer: &mut Child) -> anyhow::Result<u64> {
    let output = tracer.stdout.take().context("no output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line); // nobody wants more than the first
        }
    });
    loop {
        let line = receiver.recv_timeout(PATIENCE).context("no event came")?;
        if let Ok(time) = line.trim().parse() {
            return Ok(time);
        }
    }
}

/// From the start of a command to the first line of the script that it runs.
fn launches(rounds: usize) -> anyhow::Result<()> {
    println!(
        "\nfrom the start to a script's first line, ms above the untraced run; medians of {rounds} rounds"
    );
    println!(
        "{:20} {:>9} {:>12} {:>9} {:>9}",
        "", "untraced", "gc markers", "calls", "fastest"
    );
    for name in super::INTERPRETERS {
        let python = runs::python(name)?;
        let own = env!("CARGO_BIN_EXE_ptpytrace");
        let commands: [&[&str]; 3] = [
            &[],
            &[own, "-q", "-o", "/dev/null", "-m", "gc*", "--"],
            &[own, "-q", "-o", "/dev/null", "--"],
        ];
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            for (command, times) in commands.iter().zip(&mut times) {
                times.push(launch(command, &python)?);
            }
        }
        let fastest = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
        let fastest = fastest(&times[2]) - fastest(&times[0]);
        let [untraced, quiet, calls] = times.map(|times| median(times).unwrap_or_default());
        let (quiet, calls) = (quiet - untraced, calls - untraced);
        println!("{name:20} {untraced:9.1} {quiet:12.1} {calls:9.1} {fastest:9.1}");
    }
    Ok(())
}

/// One launch, ms.
fn launch(before: &[&str], python: &Python) -> anyhow::Result<f64> {
    let wrapper = python.wrapper.display().to_string();
    let words = [before, &[&wrapper, "-c", LINE]].concat();
    let (program, arguments) = words.split_first().context("an empty command")?;
    let started = now()?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{program} failed");
    let line = String::from_utf8(output.stdout)?;
    let reached: u64 = line.trim().parse().context("no time was printed")?;
    Ok(reached.saturating_sub(started) as f64 / 1e6)
}

/// CLOCK_MONOTONIC, ns.
fn now() -> anyhow::Result<u64> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?
        .num_nanoseconds()
        .try_into()?)
}
