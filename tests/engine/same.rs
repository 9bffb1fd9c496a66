//! Breakpoints and recorders see the same: on each test program the two engines give the same events in the same order,
//! thread by thread.

use std::path::Path;

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::trace::{self, Fired};
use crate::harness::tracer::{Scratch, ptpytrace, run};

/// What other tests have in the same folder that is no program.
const NO_PROGRAMS: [&str; 2] = ["oracle.py", "line_marker.py"];

/// The programs, by their file names.
fn programs() -> Vec<String> {
    let entries = std::fs::read_dir(program_file("")).unwrap().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| name.ends_with(".py") && !NO_PROGRAMS.contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// Its events with all that a run leaves to chance left out: each thread's for itself, in the order of what they are, of
/// the program's own code (what the library does depends on who comes first) and of imports.
fn threads(fired: Vec<Fired>, program: &str) -> Vec<Vec<String>> {
    let mut threads = std::collections::BTreeMap::<_, Vec<String>>::new();
    let end = format!("/{program}");
    for event in fired {
        let file = event.args["filename"].as_str();
        if file.is_none_or(|file| file.ends_with(&end)) {
            let shown = format!("{} {}", event.probe, event.args);
            threads
                .entry((event.pid, event.tid))
                .or_default()
                .push(shown);
        }
    }
    let mut threads: Vec<Vec<String>> = threads.into_values().collect();
    threads.sort();
    threads
}

fn traced(name: &str, program: &str, engine: &str) -> (Vec<Vec<String>>, String) {
    let scratch = Scratch::new();
    let mut tracer = ptpytrace(false);
    tracer.args(["--engine", engine, "--stats", "-f", "json"]);
    for marker in ["function*", "line", "import*"] {
        tracer.args(["-m", marker]);
    }
    tracer.arg("-o").arg(scratch.file("trace"));
    tracer.arg("--").arg(interpreter(name).wrapper);
    tracer.arg(program_file(program));
    tracer
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONHASHSEED", "0");
    tracer.env("TMPDIR", scratch.path());
    let output = run(&mut tracer);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("events lost: 0"),
        "{name} {program} {engine}: {said}"
    );
    let fired = trace::read(&scratch.file("trace"));
    (threads(fired, Path::new(program).to_str().unwrap()), said)
}

fn same(name: &str) {
    let mut all = 0;
    for program in programs() {
        let (traps, _) = traced(name, &program, "trap");
        let (records, said) = traced(name, &program, "jump");
        let title = format!("{name} {program}");
        let diverted = ["retarget", "pun", "jump"].map(|way| format!(" {way} at 0x"));
        assert!(
            diverted.iter().any(|way| said.contains(way)),
            "{title}: {said}"
        );
        for (traps, records) in traps.iter().zip(&records) {
            let first = traps.iter().zip(records).position(|(a, b)| a != b);
            let at = first.unwrap_or(traps.len().min(records.len()));
            let around = |events: &[String]| {
                let begin = at.saturating_sub(3).min(events.len());
                events[begin..(at + 4).min(events.len())].to_vec()
            };
            assert!(
                traps == records,
                "{title}: event {at} of {} and {}: {:#?}, recorded {:#?}",
                traps.len(),
                records.len(),
                around(traps),
                around(records)
            );
            all += traps.len();
        }
        assert_eq!(traps.len(), records.len(), "{title}: threads");
    }
    println!("{name}: {all} events were the same");
    assert!(all > 10_000, "{name}: only {all} events");
}

#[test]
fn python_3_9() {
    same("python3.9");
}

#[test]
fn python_3_11() {
    same("python3.11");
}

#[test]
fn python_3_15() {
    same("python3.15");
}

#[test]
fn a_shared_library() {
    same("shared3.9");
}
