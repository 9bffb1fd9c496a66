//! Strings that cannot be read, or only in part: what is seen of them is what a stopped thread's memory shows.

use super::INTERPRETERS;
use crate::engine::session::Session;
use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::trace::{self, Fired};
use crate::harness::tracer::{Scratch, ptpytrace, run};

/// How often each bad address comes.
const ROUNDS: u64 = 200;

/// The events of the functions that the program calls by a name that is not ASCII.
fn events(name: &str, engine: &str, command: &str) -> Vec<Fired> {
    let scratch = Scratch::new();
    let file = scratch.file("trace");
    let mut tracer = ptpytrace(false);
    tracer.args(["--engine", engine, "--stats", "-m", "function*"]);
    tracer
        .args(["--only", "counted.py", "-f", "json", "-o"])
        .arg(&file);
    tracer.arg("--").arg(interpreter(name).wrapper);
    tracer.arg(program_file("engine/hazards.py"));
    let output = run(tracer.args([command, &ROUNDS.to_string()]));
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name} {engine}: {said}");
    assert!(
        printed.ends_with("done\nready\nright\n"),
        "{name} {engine}: {printed}"
    );
    assert_eq!(
        said.contains(" trap at 0x"),
        engine == "trap",
        "{name} {engine}: {said}"
    );
    let fired = trace::read(&file).into_iter();
    let of_command = fired.filter(|it| {
        it.args["filename"]
            .as_str()
            .is_some_and(|file| file.ends_with("/counted.py"))
    });
    of_command
        .filter(|it| it.args["funcname"] != "<module>")
        .collect()
}

fn same(name: &str, command: &str) {
    let [traps, records] = ["trap", "jump"].map(|engine| events(name, engine, command));
    let shown = |events: &[Fired]| -> Vec<(String, String)> {
        let each = events.iter();
        each.map(|it| (it.probe.clone(), it.args["funcname"].to_string()))
            .collect()
    };
    let (traps, records) = (shown(&traps), shown(&records));
    // Ten addresses and as many calls by the right one in between; calls and returns.
    assert_eq!(traps.len() as u64, ROUNDS * 10 * 2 * 2, "{name} {command}");
    let bad = traps
        .iter()
        .filter(|(_, text)| !text.contains("na\u{ef}ve"));
    assert_eq!(bad.count() as u64, ROUNDS * 10 * 2, "{name} {command}");
    let first = traps.iter().zip(&records).position(|(a, b)| a != b);
    assert_eq!(
        first.map(|at| (&traps[at], &records[at])),
        None,
        "{name} {command}"
    );
    assert_eq!(traps.len(), records.len(), "{name} {command}");
}

/// NULL's neighbours, addresses of no form that there is, the kernel's, pages that cannot be read, strings that end in
/// one.
#[test]
fn a_bad_string_pointer() {
    for name in INTERPRETERS {
        same(name, "bad_strings");
    }
}

/// The kernel would unblock the signal and forget its handler.
#[test]
fn a_bad_string_pointer_with_signals_blocked() {
    for name in INTERPRETERS {
        same(name, "bad_strings_with_signals_blocked");
    }
}

/// The signals are blocked before the tracer comes.
#[test]
fn a_bad_string_pointer_after_attaching() {
    for name in INTERPRETERS {
        let mut session = Session::start(name);
        session.ask("block_faults");
        session.attach(false, &["--engine", "jump"]);
        session.ask("single 9");
        session.ask("bad_strings 50");
        session.ask("assert_faults_blocked");
        let trace = session.leave();
        trace.assert_exact(name, &session.expected);
        assert!(trace.is_diverted(), "{name}: {}", trace.said);
        session.assert_clean("after the tracer has left");
        session.end();
    }
}
