//! `function__entry` and `function__return` against sys.setprofile, thread by thread.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::interpreters::program_file;
use crate::harness::program;
use crate::harness::trace::{self, Fired};
use crate::harness::tracer::{Scratch, ptpytrace, run};
use crate::oracle::calls::{Step, recorded, traced};
use crate::oracle::compare::assert_same;
use crate::oracle::record::{self, Records};

use super::interpreters::{FREE_THREADED, Python, of_pyenv};
use super::window::windows;

const LIGHT: [&str; 9] = [
    "recursion",
    "generators",
    "exceptions",
    "comprehensions_lambdas",
    "del_method",
    "threads8",
    "long_strings",
    "fork_no_exec",
    "execv",
];
const HEAVY: [&str; 4] = ["async_tasks", "mp_fork", "mp_spawn", "subprocess_run"];

/// A traced run and an untraced one print and end alike; gives the trace and the oracle's files.
fn traced_run(
    python: &Python,
    program: &str,
    kinds: &str,
    markers: &[&str],
) -> (Vec<Fired>, Records) {
    let scratch = Scratch::new();
    let (file, records) = (scratch.file("trace"), scratch.file("oracle"));
    let mut command = ptpytrace(false);
    command
        .args(["--max-string", "100000", "-f", "json", "-o"])
        .arg(&file);
    for marker in markers {
        command.args(["-m", marker]);
    }
    command.arg("--");
    command
        .arg(&python.path)
        .arg(program_file(&format!("{program}.py")));
    command
        .env("PTPYTRACE_ORACLE", &records)
        .env("PTPYTRACE_ORACLE_KINDS", kinds);
    let mut plain = program::command(false, &python.path);
    plain.arg(program_file(&format!("{program}.py")));
    let [traced, untraced] = [&mut command, &mut plain].map(|command| {
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", scratch.path());
        run(command)
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        (
            traced.status.code(),
            text(&traced.stdout),
            text(&traced.stderr)
        ),
        (
            untraced.status.code(),
            text(&untraced.stdout),
            text(&untraced.stderr)
        ),
        "{} {program}: traced (left) and untraced (right) differ",
        python.name
    );
    (trace::read(&file), record::read(scratch.path()))
}

fn check(python: &Python, program: &str) {
    let (fired, records) = traced_run(
        python,
        program,
        "profile",
        &["function__entry", "function__return"],
    );
    let mut events = 0;
    for (pid, threads) in windows(&fired, &records) {
        for (tid, fired) in threads {
            let values = records.get(&pid).and_then(|threads| threads.get(&tid));
            let values = values.map_or(&[][..], Vec::as_slice);
            let title = format!("{} {program}, process {pid}, thread {tid}", python.name);
            let steps = traced(&fired);
            events += steps.len();
            assert_same::<Step>(&title, &expected(values), &steps);
        }
    }
    assert!(
        events > 40,
        "{} {program}: only {events} events",
        python.name
    );
}

/// The one difference: a module's code begins with an instruction on line 0, which is what setprofile says; its first
/// line, which is what the markers of 3.6 to 3.11 say, is 1.
fn expected(values: &[Value]) -> Vec<Step> {
    let mut steps = recorded(values);
    for step in &mut steps {
        if (step.kind, step.func.as_str(), step.line) == ("call", "<module>", 0) {
            step.line = 1;
        }
    }
    steps
}

/// `line` against sys.settrace, in the main thread. The oracle's own run is untraced.
fn check_lines(python: &Python, program: &str) {
    let title = format!("{} {program}, lines", python.name);
    let plain = recorded_alone(python, program, "lines");
    let markers = ["function__entry", "function__return", "line"];
    let (fired, records) = traced_run(python, program, "lines", &markers);
    let lines: Vec<&Fired> = windows(&fired, &records)
        .into_values()
        .flat_map(|threads| threads.into_values().flatten())
        .filter(|event| event.probe == "line")
        .collect();
    let threads = plain.values().flat_map(|threads| threads.values());
    let expected: Vec<Step> = threads.flat_map(|values| recorded(values)).collect();
    assert!(expected.len() > 150, "{title}: only {}", expected.len());
    assert_same(&title, &expected, &traced(&lines));
}

/// Before 3.12 a thread has one profile function: the oracle's would replace ours. So the oracle runs untraced, and the
/// program alone is traced; what both see of the program's own file is compared. Which thread has which number is
/// chance, and the oracle begins only when the program's own module has begun.
fn check_apart(python: &Python, program: &str) {
    let markers = ["function__entry", "function__return"];
    let scratch = Scratch::new();
    let title = format!("{} {program}", python.name);
    let plain = recorded_alone(python, program, "profile");
    let file = scratch.file("trace");
    let mut command = ptpytrace(false);
    command
        .args(["--max-string", "100000", "-f", "json", "-o"])
        .arg(&file);
    for marker in markers {
        command.args(["-m", marker]);
    }
    command
        .arg("--")
        .arg(&python.path)
        .arg(program_file(&format!("{program}.py")));
    let output = run(command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TMPDIR", scratch.path()));
    assert!(output.status.success(), "{title}: {output:?}");
    let fired = trace::read(&file);
    let own = |steps: Vec<Step>| -> Vec<Step> {
        let own =
            |step: &Step| step.file.ends_with(&format!("/{program}.py")) && step.func != "<module>";
        steps.into_iter().filter(own).collect()
    };
    let mut by_thread: BTreeMap<(i32, i32), Vec<&Fired>> = BTreeMap::new();
    for event in &fired {
        by_thread
            .entry((event.pid, event.tid))
            .or_default()
            .push(event);
    }
    let threads = plain.values().flat_map(|threads| threads.values());
    let mut expected: Vec<Vec<Step>> = threads.map(|values| own(recorded(values))).collect();
    let mut seen: Vec<Vec<Step>> = by_thread.values().map(|fired| own(traced(fired))).collect();
    for threads in [&mut expected, &mut seen] {
        threads.retain(|steps| !steps.is_empty());
        threads.sort();
    }
    assert_eq!(expected.len(), seen.len(), "{title}: threads");
    for (expected, seen) in expected.iter().zip(&seen) {
        assert_same(&title, expected, seen);
    }
    let events: usize = seen.iter().map(Vec::len).sum();
    assert!(events > 40, "{title}: only {events} events");
}

/// What the oracle says without a tracer.
fn recorded_alone(python: &Python, program: &str, kinds: &str) -> Records {
    let scratch = Scratch::new();
    let mut command = program::command(false, &python.path);
    command.arg(program_file(&format!("{program}.py")));
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TMPDIR", scratch.path());
    command.env("PTPYTRACE_ORACLE", scratch.file("oracle"));
    command.env("PTPYTRACE_ORACLE_KINDS", kinds);
    let output = run(&mut command);
    assert!(
        output.status.success(),
        "{} {program}: {output:?}",
        python.name
    );
    record::read(scratch.path())
}

fn check_all(python: &Python, programs: &[&str]) {
    programs.iter().for_each(|program| check(python, program));
}

#[test]
fn debian_3_13() {
    check_all(&Python::cached("python3.13"), &LIGHT);
    check_all(&Python::cached("python3.13"), &HEAVY);
}

#[test]
fn debian_3_14() {
    check_all(&Python::cached("python3.14"), &LIGHT);
    check_all(&Python::cached("python3.14"), &HEAVY);
}

/// Callbacks run in several threads at a time.
#[test]
fn free_threaded() {
    check_all(&Python::cached(FREE_THREADED), &LIGHT);
    check_all(&Python::cached(FREE_THREADED), &HEAVY);
}

#[test]
fn the_other_ways_to_run_it() {
    for name in ["shared3.13", "dlopen3.13", "shared3.14", "dlopen3.14"] {
        check_all(&Python::cached(name), &["generators", "threads8", "execv"]);
    }
}

#[test]
fn pyenv() {
    for python in of_pyenv(12) {
        check_all(&python, &LIGHT);
        check_all(&python, &HEAVY);
    }
}

/// The oracle needs `threading.get_native_id`, which came with 3.8; the versions before that get the same code.
#[test]
fn pyenv_before_3_12() {
    let programs = [
        "recursion",
        "generators",
        "exceptions",
        "comprehensions_lambdas",
        "threads8",
        "async_tasks",
    ];
    for python in of_pyenv(8).iter().filter(|python| python.minor < 12) {
        programs
            .iter()
            .for_each(|program| check_apart(python, program));
    }
}

#[test]
fn lines() {
    let programs = [
        "recursion",
        "generators",
        "exceptions",
        "comprehensions_lambdas",
        "del_method",
        "async_tasks",
    ];
    let cached = ["python3.13", "python3.14", "python3.15", FREE_THREADED].map(Python::cached);
    for python in cached.iter().chain(&of_pyenv(12)) {
        programs
            .iter()
            .for_each(|program| check_lines(python, program));
    }
}
