//! What an event costs, with and without a trap, side by side with its peers, from one run.
//!
//!     cargo bench --bench event [-- ROUNDS [INTERPRETER]]
//!
//! The workload is a recursive `fib` in the tests' python3.9 (or another of their interpreters) with `function__entry` and `function__return` traced: two
//! strings and a line number an event. The program takes its own time, so nobody's start-up counts. Rounds are
//! interleaved and medians are shown, because a machine has other things to do. Beside the elapsed time stands the CPU
//! time of tracer and program together, which other people's load disturbs less; on one CPU the two agree when
//! the machine is otherwise idle.
//!
//! The baseline is the least that a tracer with breakpoints can do ([`baseline`]). Peers that are not installed are
//! said to be missing; as root they are installed first.

mod baseline;
mod contestants;
mod runs;
mod table;

use std::process::ExitCode;

use contestants::Contestant;
use runs::{Run, Sample};

/// Rounds when none are asked for; less than 7 say little.
const ROUNDS: usize = 9;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--baseline", rest)) = words
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return report(baseline::main(rest));
    }
    let asked = words.iter().find_map(|word| word.parse().ok());
    let name = words
        .iter()
        .find(|word| word.contains("python") || word.contains("shared"));
    let name = name.map_or("python3.9", String::as_str);
    report(compare(asked.unwrap_or(ROUNDS), name))
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("event: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(rounds: usize, name: &str) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let python = runs::python(name)?;
    let contestants = contestants::all(&python, scratch.path())?;
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); contestants.len()];
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (contestant, samples) in contestants.iter().zip(&mut samples) {
            samples.extend(sample(contestant)?);
        }
    }
    table::print(&contestants, &samples);
    Ok(())
}

/// One run, less what the same run costs with next to no events; nothing where the peer is missing.
fn sample(contestant: &Contestant) -> anyhow::Result<Option<Sample>> {
    let Some(command) = &contestant.command else {
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
