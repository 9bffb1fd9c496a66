//! `function__entry` and `function__return` against sys.setprofile.

use std::collections::BTreeMap;

use super::calls::{Code, Step, creations, expected_3_15, recorded, traced};
use super::compare::assert_same;
use super::run::Case;
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

/// Generators that 3.15 creates in the window but setprofile never sees start, or the reverse, and why: number,
/// program, function.
const CREATED_ONLY: [(i64, &str, &str); 2] = [
    // closed before it was started
    (1, "generators", "count"),
    // throw() before it was started
    (1, "generators", "echo"),
];

fn check(interpreter: &'static str, user: bool, program: &'static str) {
    let case = Case {
        interpreter,
        user,
        program,
        kinds: "profile",
        markers: &["function__entry", "function__return"],
    };
    let both = case.trace();
    let (mut created, mut events) = (BTreeMap::new(), 0);
    for (pid, threads) in windows(&both.fired, &both.records) {
        for (tid, fired) in threads {
            let values = both.records.get(&pid).and_then(|threads| threads.get(&tid));
            let values = values.map_or(&[][..], Vec::as_slice);
            let title = format!("{}, process {pid}, thread {tid}", case.title());
            let steps = traced(&fired);
            events += steps.len();
            if case.is("3.15") {
                let expected = expected_3_15(values);
                add(&mut created, creations(&title, &expected, &steps), 1);
                add(&mut created, expected.started, -1);
            } else {
                assert_same::<Step>(&title, &recorded(values), &steps);
            }
        }
    }
    assert!(events > 40, "{}: only {events} events", case.title());
    assert_creations(&case, created);
}

fn add(sums: &mut BTreeMap<Code, i64>, counts: BTreeMap<Code, i64>, sign: i64) {
    for (code, count) in counts {
        *sums.entry(code).or_insert(0) += sign * count;
    }
}

/// Each generator that was started was created, and only those in the table were created without.
fn assert_creations(case: &Case, created: BTreeMap<Code, i64>) {
    let mut found: Vec<(i64, String)> = created
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|(code, count)| (count, code.1))
        .collect();
    let in_table = CREATED_ONLY
        .iter()
        .filter(|row| case.is("3.15") && row.1 == case.program);
    let mut listed: Vec<(i64, String)> = in_table.map(|row| (row.0, row.2.to_owned())).collect();
    found.sort();
    listed.sort();
    assert_eq!(
        found,
        listed,
        "{}: creations (+) without a start (-) ",
        case.title()
    );
}

fn check_all(interpreter: &'static str, user: bool, programs: &[&'static str]) {
    for program in programs {
        check(interpreter, user, program);
    }
}

#[test]
fn static_3_9() {
    check_all("python3.9", false, &LIGHT);
    check_all("python3.9", false, &HEAVY);
}

#[test]
fn static_3_11() {
    check_all("python3.11", false, &LIGHT);
    check_all("python3.11", false, &HEAVY);
}

#[test]
fn static_3_15() {
    check_all("python3.15", false, &LIGHT);
    check_all("python3.15", false, &HEAVY);
}

#[test]
fn shared_3_9_as_a_user() {
    check_all("shared3.9", true, &LIGHT);
    check_all("shared3.9", true, &HEAVY);
}

#[test]
fn shared_3_11_as_a_user() {
    check_all("shared3.11", true, &LIGHT);
    check_all("shared3.11", true, &HEAVY);
}

#[test]
fn shared_3_15_as_a_user() {
    check_all("shared3.15", true, &LIGHT);
    check_all("shared3.15", true, &HEAVY);
}

/// How the library came into the process makes no difference, nor does who traces it: a smaller choice of programs.
#[test]
fn the_other_ways_to_run_an_interpreter() {
    for interpreter in ["dlopen3.9", "dlopen3.11", "dlopen3.15"] {
        check_all(interpreter, false, &["generators", "threads8", "execv"]);
        check_all(interpreter, true, &["recursion", "fork_no_exec"]);
    }
    for interpreter in ["python3.9", "python3.11", "python3.15"] {
        check_all(interpreter, true, &["generators", "threads8"]);
    }
    for interpreter in ["shared3.9", "shared3.11", "shared3.15"] {
        check_all(interpreter, false, &["exceptions", "fork_no_exec"]);
    }
}
