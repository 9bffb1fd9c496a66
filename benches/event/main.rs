//! What tracing costs, side by side with its peers, from one run: an event, the moments of attaching and starting, the
//! tracer's memory.
//!
//!     cargo bench --bench event [-- [ROUNDS] [PART]... [--minutes M]]
//!
//! A part is the name of one of the tests' interpreters, `moments` or `memory`; without any it is all of them, for the
//! interpreters in [`INTERPRETERS`]. `--minutes` is how long the tracer's memory is watched.
//!
//! The workload of an event is a recursive `fib` with `function__entry` and `function__return` traced: two strings and a
//! line number an event. The program takes its own time, so nobody's start-up counts. Rounds are interleaved and medians
//! are shown, because a machine has other things to do; beside them stands the fastest round, which other people's load
//! disturbs least, and the CPU time of tracer and program together.
//!
//! The baseline is the least that a tracer with breakpoints can do ([`baseline`]). Peers that cannot be had are said to
//! be missing; bpftrace and gdb are installed as root, packages of Python are fetched into the cache of the interpreters.

mod baseline;
mod busy;
mod contestants;
mod memory;
mod moments;
mod packages;
mod peers;
mod probes;
mod runs;
mod table;

use std::process::ExitCode;

use anyhow::Context;

use contestants::Contestant;
use runs::{Run, Sample};
use table::Row;

/// Rounds when none are asked for; less say little.
const ROUNDS: usize = 7;
/// Two with function markers of their own, two without.
const INTERPRETERS: [&str; 4] = ["python3.9", "python3.15", "python3.13", "python3.14"];
/// How long the tracer's memory is watched when nothing else is asked for.
const MINUTES: f64 = 0.25;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.split_first() {
        Some((first, rest)) if first == "--baseline" => baseline::main(rest),
        _ => Asked::of(&words).and_then(|asked| asked.run()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("event: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be measured.
struct Asked {
    rounds: usize,
    minutes: f64,
    parts: Vec<String>,
}

impl Asked {
    fn of(words: &[String]) -> anyhow::Result<Asked> {
        let mut asked = Asked {
            rounds: ROUNDS,
            minutes: MINUTES,
            parts: Vec::new(),
        };
        let mut words = words.iter().filter(|word| *word != "--bench"); // cargo's own
        while let Some(word) = words.next() {
            if word == "--minutes" {
                let minutes = words.next().context("--minutes needs a number")?;
                asked.minutes = minutes.parse().context("--minutes needs a number")?;
            } else if let Ok(rounds) = word.parse() {
                asked.rounds = rounds;
            } else {
                asked.parts.push(word.clone());
            }
        }
        anyhow::ensure!(asked.rounds > 0, "at least one round is needed");
        let sensible = asked.minutes > 0.0 && asked.minutes <= 10_000.0;
        anyhow::ensure!(sensible, "--minutes is a number above 0, at most 10000");
        if asked.parts.is_empty() {
            let all = INTERPRETERS.iter().chain(&["moments", "memory"]);
            asked.parts = all.map(|part| (*part).to_owned()).collect();
        }
        Ok(asked)
    }

    fn run(&self) -> anyhow::Result<()> {
        for part in &self.parts {
            match part.as_str() {
                "moments" => moments::print(self.rounds)?,
                "memory" => memory::print(self.minutes)?,
                name => compare(self.rounds, name)?,
            }
        }
        println!("\nprinted: lines in the output for each event; below 100 % some were lost");
        Ok(())
    }
}

fn compare(rounds: usize, name: &str) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let python = runs::python(name)?;
    let all = contestants::all(&python, scratch.path())?.into_iter();
    let mut rows: Vec<Row> = all
        .map(|contestant| Row {
            contestant,
            samples: Vec::new(),
        })
        .collect();
    for round in 0..rounds {
        eprintln!("{name}: round {} of {rounds}", round + 1);
        for row in &mut rows {
            match sample(&row.contestant) {
                Ok(sample) => row.samples.extend(sample),
                // One that does not work here must not cost the others their rounds.
                Err(error) => {
                    let text = format!("{error:#}");
                    let last = text.lines().last().unwrap_or_default();
                    row.contestant.command = Err(format!("failed: {last}"));
                }
            }
        }
    }
    table::print(name, &rows);
    Ok(())
}

/// One run, less what the same run costs with next to no events; nothing where the peer is missing.
fn sample(contestant: &Contestant) -> anyhow::Result<Option<Sample>> {
    let Ok(command) = &contestant.command else {
        return Ok(None);
    };
    let lines = || contestant.trace.as_deref().map(runs::lines).transpose();
    let small = Run::of(command, 1)?;
    let before = lines()?;
    let large = Run::of(command, contestant.depth)?;
    let events = runs::events(contestant.depth);
    let printed = before
        .zip(lines()?)
        .map(|(before, all)| all.saturating_sub(before));
    Ok(Some(Sample::new(&small, &large, events, printed)))
}
