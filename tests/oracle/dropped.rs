//! Generators closed by their deallocation, where sys.setprofile is no judge (generators_dropped.py says why):
//! against sequences worked out by hand from the program's text, line by line.

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::calls::{Step, traced};
use super::compare::assert_same;

type Row = (&'static str, &'static str, i64);

/// One round of main's loop before 3.12: the deallocation resumes the generator at its `yield`, and it ends where it
/// is (plain), after its `finally`, or after its `except`.
const BEFORE_3_12: [Row; 18] = [
    ("call", "drop", 28),
    ("call", "plain", 9),
    ("return", "plain", 10),
    ("call", "plain", 10),
    ("return", "plain", 10),
    ("return", "drop", 31),
    ("call", "drop", 28),
    ("call", "careful", 14),
    ("return", "careful", 16),
    ("call", "careful", 16),
    ("return", "careful", 18),
    ("return", "drop", 31),
    ("call", "drop", 28),
    ("call", "handling", 21),
    ("return", "handling", 23),
    ("call", "handling", 23),
    ("return", "handling", 25),
    ("return", "drop", 31),
];

/// The same in 3.15: an entry at each creation; no entry where the deallocation throws GeneratorExit into the
/// generator; and plain, which has nothing to clean up, is not resumed at all.
const IN_3_15: [Row; 17] = [
    ("call", "drop", 28),
    ("call", "plain", 9),
    ("call", "plain", 9),
    ("return", "plain", 10),
    ("return", "drop", 31),
    ("call", "drop", 28),
    ("call", "careful", 14),
    ("call", "careful", 14),
    ("return", "careful", 16),
    ("return", "careful", 18),
    ("return", "drop", 31),
    ("call", "drop", 28),
    ("call", "handling", 21),
    ("call", "handling", 21),
    ("return", "handling", 23),
    ("return", "handling", 25),
    ("return", "drop", 31),
];

fn check(name: &str, user: bool, round: &[Row]) {
    let (scratch, file) = (Scratch::new(), program_file("generators_dropped.py"));
    let mut command = ptpytrace(user);
    command
        .args(["-f", "json", "-o"])
        .arg(scratch.file("trace"))
        .arg("--");
    command
        .arg(interpreter(name).wrapper)
        .arg(&file)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = run(&mut command);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "generators_dropped 10 10\n",
        "{output:?}"
    );
    let fired = trace::read(&scratch.file("trace"));
    let own: Vec<_> = fired
        .iter()
        .filter(|event| event.args["filename"].as_str() == file.to_str())
        .collect();
    let step = |(kind, func, line): &Row| Step {
        kind,
        file: file.to_str().expect("UTF-8").to_owned(),
        func: (*func).to_owned(),
        line: *line,
    };
    let rounds = std::iter::repeat_n(round, 10).flatten();
    let before = [("call", "<module>", 1), ("call", "main", 34)];
    let after = [("return", "main", 40), ("return", "<module>", 43)];
    let mut expected: Vec<Step> = before
        .iter()
        .chain(rounds)
        .chain(&after)
        .map(step)
        .collect();
    let mut traced = traced(&own);
    // Which line a module's code begins on (0 or 1) is a matter of the release and not of the tracer.
    for steps in [&mut expected, &mut traced] {
        steps[0].line = 1;
    }
    assert_same(&format!("{name}, user {user}"), &expected, &traced);
}

#[test]
fn before_3_12() {
    for name in ["python3.9", "python3.11"] {
        check(name, false, &BEFORE_3_12);
    }
    for name in ["shared3.9", "shared3.11"] {
        check(name, true, &BEFORE_3_12);
    }
}

#[test]
fn in_3_15() {
    check("python3.15", false, &IN_3_15);
    check("shared3.15", true, &IN_3_15);
}
