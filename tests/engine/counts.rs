//! Exact counts under the trap-free engine, with small and large rings: the programs know how often they call what.

use std::collections::BTreeMap;

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::tracer::{Scratch, ptpytrace, run};

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

/// Counts the calls of each function of the file.
const SCRIPT: &str = r#"
    python*:::function-entry
    /strstr(copyinstr(arg0), "counted.py") != NULL/
    { @calls[copyinstr(arg1)] = count(); }
    python*:::function-return
    /strstr(copyinstr(arg0), "counted.py") != NULL/
    { @returns[copyinstr(arg1)] = count(); }
    END { printa("%s %@d\n", @calls); printf("--\n"); printa("%s %@d\n", @returns); }
"#;

fn parse(text: &str) -> BTreeMap<String, u64> {
    let rows = text.lines().filter_map(|line| line.split_once(' '));
    rows.filter_map(|(name, count)| Some((name.to_owned(), count.trim().parse().ok()?)))
        .collect()
}

/// Runs one way of the program with one size of rings.
fn check(name: &str, ring: &str, way: &str, amount: &str) {
    let scratch = Scratch::new();
    let out = scratch.file("out");
    let output = run(ptpytrace(false)
        .args(["--engine", "jump", "--stats", "--buffer", ring, "-q"])
        .args(["--lang", "dtrace", "-e", SCRIPT, "-o"])
        .arg(&out)
        .arg("--")
        .arg(interpreter(name).wrapper)
        .arg(program_file("engine/counted.py"))
        .args([way, amount]));
    let title = format!("{name} {way} {ring}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{title}: {errors}");
    assert!(!errors.contains("trap at"), "{title} has traps: {errors}");
    let trace = std::fs::read_to_string(&out).unwrap();
    let (calls, returns) = trace.split_once("--\n").expect("both tables");
    let (calls, returns) = (parse(calls), parse(returns));
    let expected = parse(&String::from_utf8_lossy(&output.stdout));
    assert!(!expected.is_empty(), "{title}: {errors}");
    for (function, count) in expected {
        assert_eq!(calls.get(&function), Some(&count), "{title}: {function}");
        assert_eq!(
            returns.get(&function),
            Some(&count),
            "{title}: return of {function}"
        );
    }
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
