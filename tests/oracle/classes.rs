//! Calls of classes without any hook, against a sequence worked out by hand from classes.py. With sys.setprofile 3.15
//! does not specialise them, so that what is looked at here is hidden from the oracle.

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::calls::{Step, traced};
use super::compare::assert_same;

/// A specialised call of a class (3.13 and later) runs `__init__` inside a helper frame whose code has the name and
/// the file name `__init__` and no line. Its return fires the marker, its entry does not.
fn helper() -> Step {
    Step {
        kind: "return",
        file: "__init__".to_owned(),
        func: "__init__".to_owned(),
        line: -1,
    }
}

fn check(name: &str, user: bool, helpers: std::ops::RangeInclusive<usize>) {
    let (scratch, file) = (Scratch::new(), program_file("classes.py"));
    let mut command = ptpytrace(user);
    command
        .args(["-f", "json", "-o"])
        .arg(scratch.file("trace"))
        .arg("--");
    command.arg(interpreter(name).wrapper).arg(&file);
    let output = run(&mut command);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "classes 4950\n",
        "{output:?}"
    );
    let fired = trace::read(&scratch.file("trace"));
    let all: Vec<Step> = traced(&fired.iter().collect::<Vec<_>>());
    let main = |kind| {
        all.iter()
            .position(|step| step.kind == kind && step.func == "make")
    };
    let last = all
        .iter()
        .rposition(|step| step.kind == "return" && step.func == "make");
    let (first, last) = (main("call").expect("make"), last.expect("make"));
    let (mut own, mut count) = (Vec::new(), 0);
    for step in &all[first..=last] {
        if *step == helper() {
            let before = own
                .last()
                .is_some_and(|step: &Step| (step.kind, step.line) == ("return", 6));
            assert!(
                before,
                "{name}: the helper returns where no __init__ has returned"
            );
            count += 1;
        } else {
            own.push(step.clone());
        }
    }
    let step = |(kind, func, line): (&'static str, &str, i64)| Step {
        kind,
        file: file.to_str().expect("UTF-8").to_owned(),
        func: func.to_owned(),
        line,
    };
    let round = [
        ("call", "make", 9),
        ("call", "__init__", 5),
        ("return", "__init__", 6),
        ("return", "make", 10),
    ];
    let expected: Vec<Step> = std::iter::repeat_n(round, 100)
        .flatten()
        .map(step)
        .collect();
    assert_same(name, &expected, &own);
    assert!(
        helpers.contains(&count),
        "{name}: {count} returns of the helper"
    );
}

#[test]
fn calls_of_classes() {
    for name in ["python3.9", "shared3.11"] {
        check(name, true, 0..=0);
    }
    // How soon a call is specialised is CPython's affair; most of 100 are.
    check("python3.15", false, 50..=100);
    check("shared3.15", true, 50..=100);
}
