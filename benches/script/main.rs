//! What an event costs a script: synthetic events through the machine, no tracing.
//!
//!     cargo bench --bench script [-- RUNS]
//!
//! Each run sends ten million events of Python functions to one program; the event is changed in place, as draining a
//! ring does it. What is counted is CPU time, and medians are shown, because a machine has other things to do. Making
//! the events costs something too; that is measured alone and subtracted in the last column.

mod events;
mod programs;

use std::io::{self, Write};
use std::process::ExitCode;

use events::Events;
use nix::time::{ClockId, clock_gettime};
use programs::Contestant;
use ptpytrace::report::Consumer;
use ptpytrace::script::vm::Engine;

/// Runs when none are asked for; less than 7 say little.
const RUNS: usize = 7;

/// Events a run.
const EVENTS: u64 = 10_000_000;

/// Output that nobody reads, but that is counted.
#[derive(Default)]
struct Sink {
    bytes: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = words.iter().find_map(|word| word.parse().ok());
    let only = words.iter().find(|word| word.starts_with("only="));
    match compare(asked.unwrap_or(RUNS), only.map_or("", |it| &it[5..])) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("script: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(runs: usize, only: &str) -> anyhow::Result<()> {
    println!(
        "{:<28} {:>9} {:>7} {:>9}",
        "program", "ns/event", "aim", "its own"
    );
    let mut making = f64::NAN;
    for contestant in programs::all() {
        if !contestant.name.contains(only) {
            continue;
        }
        let mut times = Vec::new();
        for _ in 0..runs.max(1) {
            times.push(sample(&contestant)?);
        }
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
        if making.is_nan() {
            making = median;
        }
        let own = median - making;
        println!(
            "{:<28} {median:>9.1} {:>7} {own:>9.1}",
            contestant.name, contestant.aim
        );
    }
    Ok(())
}

/// Nanoseconds an event.
fn sample(contestant: &Contestant) -> anyhow::Result<f64> {
    let compiled = contestant.compile()?;
    let errors = Box::new(io::stderr());
    let mut engine = Engine::new(compiled.program, compiled.routes, errors);
    let mut out = io::BufWriter::with_capacity(1 << 16, Sink::default());
    let mut events = Events::new(&compiled.requests);
    engine.begin(None, &mut out)?;
    let start = cpu_time()?;
    for number in 0..EVENTS {
        engine.event(events.next(number), None, &mut out)?;
    }
    let due = engine.due();
    if let Some(due) = due {
        engine.tick(due, &mut out)?;
    }
    engine.end(&mut out)?;
    let elapsed = cpu_time()? - start;
    out.flush()?;
    anyhow::ensure!(engine.counters().errors == 0, "the script had errors");
    anyhow::ensure!(out.get_ref().bytes > 0, "the script printed nothing");
    Ok(elapsed * 1e9 / EVENTS as f64)
}

/// The CPU time of this thread, in seconds.
fn cpu_time() -> anyhow::Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}
