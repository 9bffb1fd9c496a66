//! The call hierarchy, read back: each line as the documentation has it, indentation by the calls of its thread.

use std::collections::BTreeMap;
use std::fs;

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::tracer::{Scratch, ptpytrace, run};

/// A line such as ` 11408 python(8274):  => __contains__ in Lib/_abcoll.py:362`.
#[derive(Debug)]
struct Line<'a> {
    micros: u64,
    tid: i32,
    depth: usize,
    entry: bool,
    func: &'a str,
    file: &'a str,
}

/// ` *\d+ \S+\(\d+\): *(=>|<=) FUNCTION in FILE:\d+`; the time takes at least six columns.
fn parse(line: &str) -> Option<Line<'_>> {
    let digits = line.trim_start_matches(' ');
    let (micros, rest) = digits.split_once(' ')?;
    if line.len() - digits.len() + micros.len() != micros.len().max(6) {
        return None;
    }
    let (comm, rest) = rest.split_once('(')?;
    let (tid, rest) = rest.split_once("):")?;
    let arrow = rest.trim_start_matches(' ');
    // one space belongs to the arrow
    let depth = (rest.len() - arrow.len()).checked_sub(1)?;
    let (arrow, place) = arrow.split_once(' ')?;
    let (func, place) = place.split_once(" in ")?;
    let (file, number) = place.rsplit_once(':')?;
    number.parse::<i32>().ok()?;
    (!comm.is_empty() && !comm.contains(' ')).then_some(())?;
    Some(Line {
        micros: micros.parse().ok()?,
        tid: tid.parse().ok()?,
        depth,
        entry: matches!(arrow, "=>")
            .then_some(true)
            .or((arrow == "<=").then_some(false))?,
        func,
        file,
    })
}

fn trace(name: &str, user: bool, program: &str) -> String {
    let scratch = Scratch::new();
    let mut command = ptpytrace(user);
    command.arg("-o").arg(scratch.file("trace")).arg("--");
    command
        .arg(interpreter(name).wrapper)
        .arg(program_file(program));
    let output = run(command.env("PYTHONDONTWRITEBYTECODE", "1"));
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(scratch.file("trace")).unwrap()
}

/// Each thread's lines nest: a return stands where its call stands, with its name, and the time starts anew at each
/// outermost call. With `holes` there are calls without returns, which end with the function around them, and returns
/// without calls, which change nothing.
fn check(name: &str, user: bool, program: &str, holes: bool) -> usize {
    let text = trace(name, user, program);
    let mut stacks: BTreeMap<i32, (Vec<(String, String)>, u64)> = BTreeMap::new();
    for text in text.lines() {
        let line =
            parse(text).unwrap_or_else(|| panic!("{name} {program}: not as documented: {text:?}"));
        let (stack, before) = stacks.entry(line.tid).or_default();
        let place = (line.func.to_owned(), line.file.to_owned());
        if line.entry {
            assert_eq!(line.depth, stack.len(), "{name} {program}: {text}");
            assert!(
                !stack.is_empty() || line.micros == 0,
                "{name} {program}: {text}"
            );
            stack.push(place);
        } else {
            let called = stack.iter().rposition(|inside| *inside == place);
            let innermost = called.is_some_and(|called| called + 1 == stack.len());
            assert!(holes || innermost, "{name} {program}: {text}, in {stack:?}");
            stack.truncate(called.unwrap_or(stack.len()));
            assert_eq!(line.depth, stack.len(), "{name} {program}: {text}");
        }
        let outermost = line.micros == 0 && stack.len() < 2;
        assert!(
            outermost || line.micros >= *before,
            "{name} {program}: back in time: {text}"
        );
        *before = line.micros;
    }
    for (tid, (stack, _)) in &stacks {
        assert!(
            holes || stack.is_empty(),
            "{name} {program}: thread {tid} has not left {stack:?}"
        );
    }
    stacks.len()
}

#[test]
fn calls_and_returns_nest() {
    for (name, user) in [
        ("python3.9", false),
        ("shared3.9", true),
        ("python3.11", true),
        ("shared3.11", false),
    ] {
        assert_eq!(check(name, user, "recursion.py", false), 1, "threads");
        assert_eq!(check(name, user, "exceptions.py", false), 1, "threads");
        assert_eq!(check(name, user, "threads8.py", false), 9, "threads");
    }
}

/// The markers of 3.15 do not nest: tests/oracle/calls.rs and classes.rs say how.
#[test]
fn holes_do_not_shift_the_rest() {
    for (name, user) in [
        ("python3.15", false),
        ("dlopen3.15", false),
        ("shared3.15", true),
    ] {
        assert_eq!(check(name, user, "recursion.py", true), 1, "threads");
        assert_eq!(check(name, user, "threads8.py", true), 9, "threads");
    }
}

#[test]
fn the_documentations_line_is_read() {
    let line = parse(" 11408 python(8274):  => __contains__ in Lib/_abcoll.py:362")
        .expect("the documentation's");
    assert_eq!(
        (line.micros, line.tid, line.depth, line.entry),
        (11408, 8274, 1, true)
    );
    assert_eq!((line.func, line.file), ("__contains__", "Lib/_abcoll.py"));
    for wrong in [
        "1 p(1): => f in g:1",
        "     0 p(1):=> f in g:1",
        "     0 p(1): => f in g",
        "     0 p(1): -> f in g:1",
    ] {
        assert!(parse(wrong).is_none(), "{wrong}");
    }
}
