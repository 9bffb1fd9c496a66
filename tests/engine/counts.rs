//! Exact counts under the trap-free engine, with small and large rings: the programs know how often they call what.

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::session::{Trace, counting, parse};

/// Interpreters with function markers, in the executable and in a library.
const INTERPRETERS: [&str; 5] = [
    "python3.9",
    "shared3.9",
    "python3.11",
    "python3.15",
    "shared3.15",
];
/// The rings' sizes.
const RINGS: [&str; 3] = ["8K", "64K", "4M"];

/// Runs one way of the program with one size of rings.
fn check(name: &str, ring: &str, way: &str, amount: &str) {
    let scratch = Scratch::new();
    let out = scratch.file("out");
    let mut tracer = ptpytrace(false);
    counting(&mut tracer, &["--engine", "jump", "--buffer", ring]);
    tracer.arg("-o").arg(&out).arg("--");
    tracer.arg(interpreter(name).wrapper);
    tracer.arg(program_file("engine/counted.py"));
    let output = run(tracer.args([way, amount]));
    let title = format!("{name} {way} {ring}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{title}: {said}");
    let trace = Trace::of(&std::fs::read_to_string(&out).unwrap(), said);
    assert!(trace.is_diverted(), "{title} has traps: {}", trace.said);
    let expected = parse(&String::from_utf8_lossy(&output.stdout));
    trace.assert_exact(&title, &expected);
}

fn everywhere(way: &str, amount: &str) {
    for name in INTERPRETERS {
        for ring in RINGS {
            check(name, ring, way, amount);
        }
    }
}

#[test]
fn ten_million_events_of_one_thread() {
    // fib(32): 7,049,155 calls and as many returns
    for name in INTERPRETERS {
        check(name, "4M", "single", "32");
    }
    check("python3.9", "8K", "single", "32");
    check("python3.15", "64K", "single", "32");
}

#[test]
fn one_thread() {
    everywhere("single", "20");
}

#[test]
fn large_rings() {
    check("python3.9", "64M", "threads", "18");
    check("python3.9", "1G", "single", "18");
}

#[test]
fn eight_threads() {
    everywhere("threads", "18");
}

#[test]
fn threads_that_come_and_go() {
    everywhere("later_threads", "8");
}

#[test]
fn fork_storms() {
    everywhere("forks", "12");
}

#[test]
fn ten_thousand_signals_whose_handler_calls_functions() {
    everywhere("signals", "10000");
}

#[test]
fn an_end_by_exit_while_threads_are_calling() {
    everywhere("leave", "18");
}
