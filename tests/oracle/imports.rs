//! `import__find__load__start` and `__done` against the calls of `importlib._bootstrap._find_and_load` that
//! sys.setprofile reports, and against what the program says it imports.

use serde_json::Value;

use crate::harness::trace::Fired;

use super::compare::assert_same;
use super::run::Case;
use super::window::windows;

/// The module, and at the end whether it was found.
#[derive(Debug, PartialEq, Eq)]
enum Import {
    Start(String),
    Done(String, bool),
}

fn recorded(value: &Value) -> Option<Import> {
    let name = value["name"].as_str()?.to_owned();
    match value["kind"].as_str()? {
        "import_start" => Some(Import::Start(name)),
        "import_done" => Some(Import::Done(name, value["found"].as_bool()?)),
        _ => None,
    }
}

fn traced(event: &&Fired) -> Option<Import> {
    let name = || event.text("modulename").to_owned();
    match event.probe.as_str() {
        "import__find__load__start" => Some(Import::Start(name())),
        "import__find__load__done" => {
            let found = event.number("found");
            assert!(found == 0 || found == 1, "found={found} is neither");
            Some(Import::Done(name(), found == 1))
        }
        _ => None,
    }
}

/// What imports.py imports, in the order in which that ends, and whether it succeeds.
const KNOWN: [(&str, bool); 15] = [
    ("pkg.sub", true),
    ("pkg.sub.deep", true),
    ("pkg.first", true),
    ("pkg", true),
    ("pkg.broken", false),
    ("pkg.wrong", false),
    ("pkg.missing", false),
    ("absent", false),
    ("ring_b", true),
    ("ring_a", true),
    ("space.inner", true),
    ("gr\u{fc}\u{df}e", true),
    ("colorsys", true),
    ("wave", true),
    ("oracle", true),
];

/// Compares a run of the program by that interpreter.
pub fn check(interpreter: &'static str, user: bool) {
    let case = Case {
        interpreter,
        user,
        program: "imports",
        kinds: "imports",
        markers: &["import__find__load__*"],
    };
    let both = case.trace();
    let windows = windows(&both.fired, &both.records);
    let (pid, threads) = windows.first_key_value().expect("a process");
    let fired = threads.get(pid).expect("the main thread");
    let expected: Vec<Import> = both.records[pid][pid].iter().filter_map(recorded).collect();
    let traced: Vec<Import> = fired.iter().filter_map(traced).collect();
    assert_same(&case.title(), &expected, &traced);
    assert_known(&case, &traced);
}

fn assert_known(case: &Case, traced: &[Import]) {
    let done = traced.iter().filter_map(|import| match import {
        Import::Done(name, found) => Some((name.as_str(), *found)),
        Import::Start(_) => None,
    });
    let own = done.filter(|(name, _)| KNOWN.iter().any(|known| known.0 == *name));
    let own: Vec<(&str, bool)> = own.collect();
    // the window opens while `oracle` itself is being imported
    let mut known = KNOWN;
    known.rotate_right(1);
    assert_eq!(own, known, "{}", case.title());
}

#[test]
fn as_root() {
    for release in ["3.9", "3.11", "3.13", "3.15"] {
        check(name("python", release), false);
        check(name("dlopen", release), false);
    }
}

#[test]
fn as_a_user() {
    for release in ["3.9", "3.11", "3.13", "3.15"] {
        check(name("shared", release), true);
        check(name("python", release), true);
    }
}

fn name(kind: &str, release: &str) -> &'static str {
    String::leak(format!("{kind}{release}"))
}
