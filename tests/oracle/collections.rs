//! `gc__start` and `gc__done` against gc.callbacks.

use serde_json::Value;

use crate::harness::trace::Fired;

use super::compare::assert_same;
use super::run::Case;
use super::window::windows;

/// The generation at the start, what was found unreachable at the end.
#[derive(Debug, PartialEq, Eq)]
enum Collection {
    Start(i64),
    Done(i64),
}

fn recorded(value: &Value) -> Option<Collection> {
    let number = |name: &str| value[name].as_i64().expect(name);
    match value["kind"].as_str()? {
        "gc_start" => Some(Collection::Start(number("generation"))),
        // the marker has the sum
        "gc_done" => Some(Collection::Done(
            number("collected") + number("uncollectable"),
        )),
        _ => None,
    }
}

fn traced(event: &&Fired) -> Option<Collection> {
    match event.probe.as_str() {
        "gc__start" => Some(Collection::Start(event.number("generation"))),
        "gc__done" => Some(Collection::Done(event.number("collected"))),
        _ => None,
    }
}

/// Compares a run of the program by that interpreter.
pub fn check(interpreter: &'static str, user: bool, program: &'static str, at_least: usize) {
    let case = Case {
        interpreter,
        user,
        program,
        kinds: "gc",
        markers: &["gc__*"],
    };
    let both = case.trace();
    let mut count = 0;
    for (pid, threads) in windows(&both.fired, &both.records) {
        for (tid, fired) in threads {
            let values = both.records.get(&pid).and_then(|threads| threads.get(&tid));
            let expected: Vec<Collection> =
                values.into_iter().flatten().filter_map(recorded).collect();
            let traced: Vec<Collection> = fired.iter().filter_map(traced).collect();
            count += traced.len();
            assert_same(
                &format!("{}, thread {tid}", case.title()),
                &expected,
                &traced,
            );
        }
    }
    assert!(count >= at_least, "{}: only {count} events", case.title());
}

const RELEASES: [[&str; 3]; 4] = [
    ["python3.9", "shared3.9", "dlopen3.9"],
    ["python3.11", "shared3.11", "dlopen3.11"],
    ["python3.13", "shared3.13", "dlopen3.13"],
    ["python3.15", "shared3.15", "dlopen3.15"],
];

#[test]
fn explicit_and_automatic_collections() {
    for interpreter in RELEASES.as_flattened() {
        check(interpreter, false, "gc_program", 12);
        check(interpreter, true, "gc_program", 12);
    }
}

/// A collection that runs finalisers in Python.
#[test]
fn collections_with_finalisers() {
    for [fixed, shared, _] in RELEASES {
        check(fixed, false, "del_method", 2);
        check(shared, true, "del_method", 2);
    }
}
