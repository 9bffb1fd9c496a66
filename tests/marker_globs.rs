//! `-m`: which markers a pattern means, and the line that each prints.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

const FUNCTIONS: &[&str] = &["function__entry", "function__return"];
const GC: &[&str] = &["gc__done", "gc__start"];
const IMPORT: &[&str] = &["import__find__load__done", "import__find__load__start"];

fn traced(name: &str, patterns: &[&str], format: &str) -> Scratch {
    let scratch = Scratch::new();
    let mut command = ptpytrace(false);
    command
        .args(["-f", format, "-o"])
        .arg(scratch.file("trace"));
    for pattern in patterns {
        command.args(["-m", pattern]);
    }
    command
        .arg("--")
        .arg(interpreter(name).wrapper)
        .arg(program_file("gc_program.py"));
    let output = run(command.env("PYTHONDONTWRITEBYTECODE", "1"));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        printed, "gc_program [True, True, True, True, True] 400\n",
        "{output:?}"
    );
    scratch
}

fn fired(name: &str, patterns: &[&str]) -> BTreeSet<String> {
    let scratch = traced(name, patterns, "json");
    trace::read(&scratch.file("trace"))
        .into_iter()
        .map(|event| event.probe)
        .collect()
}

#[test]
fn patterns_mean_what_they_would_in_a_shell() {
    let table: [(&[&str], &[&[&str]]); 9] = [
        (&["gc__*"], &[GC]),
        (&["gc-*"], &[GC]),
        (&["python:gc__start"], &[&["gc__start"]]),
        (&["pyth?n:gc__[a-e]*"], &[&["gc__done"]]),
        (&["*__done"], &[&["gc__done", "import__find__load__done"]]),
        (&["import*", "audit"], &[IMPORT, &["audit"]]),
        (&["function__[!r]*"], &[&["function__entry"]]),
        (&["function-entry", "function-return"], &[FUNCTIONS]),
        (&["*"], &[FUNCTIONS, GC, IMPORT, &["audit", "line"]]),
    ];
    for (patterns, names) in table {
        let expected: BTreeSet<String> = names
            .concat()
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        assert_eq!(fired("python3.9", patterns), expected, "{patterns:?}");
    }
}

/// 3.11 fires `function__entry` only while the semaphore of `line` is up too; `line` itself is not shown for that.
#[test]
fn entries_of_3_11_come_without_lines() {
    assert_eq!(
        fired("python3.11", &["function__entry"]),
        ["function__entry".to_owned()].into()
    );
    let all: BTreeSet<String> = FUNCTIONS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(fired("shared3.11", &["function*"]), all);
}

#[test]
fn each_line_names_the_arguments() {
    let scratch = traced("python3.9", &["gc__*", "import__*"], "text");
    let text = fs::read_to_string(scratch.file("trace")).unwrap();
    for line in text.lines() {
        let (head, rest) = line.split_once(": ").expect(line);
        let (micros, thread) = head.trim_start().split_once(' ').expect(line);
        assert!(micros.parse::<u64>().is_ok() && head.len() >= 6, "{line}");
        let tid = thread
            .strip_prefix("python3.9(")
            .and_then(|rest| rest.strip_suffix(')'));
        let shells = thread.strip_prefix("bash(").is_some();
        assert!(
            shells || tid.is_some_and(|tid| tid.parse::<i32>().is_ok()),
            "{line}"
        );
        let words: Vec<&str> = rest.split(' ').collect();
        let number = |word: &str, name: &str| {
            let value = word
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='));
            value.is_some_and(|value| value.parse::<i64>().is_ok())
        };
        let known = match words[..] {
            ["gc__start", generation] => number(generation, "generation"),
            ["gc__done", collected] => number(collected, "collected"),
            ["import__find__load__start", module] => {
                module.starts_with("modulename=\"") && module.ends_with('"')
            }
            ["import__find__load__done", module, found] => {
                module.starts_with("modulename=\"")
                    && module.ends_with('"')
                    && number(found, "found")
            }
            _ => false,
        };
        assert!(known, "{line}");
    }
    assert!(
        text.lines()
            .any(|line| line.ends_with(": gc__start generation=2")),
        "{text}"
    );
    assert!(
        text.lines()
            .any(|line| line.contains("_start modulename=\"oracle\"")),
        "{text}"
    );
}
