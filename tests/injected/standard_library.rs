//! The standard library's own tests give the same results traced and untraced.

use std::collections::BTreeMap;
use std::process::Command;

use crate::harness::program;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::interpreters::Python;

/// Modules, one a line.
const LIST: &str = include_str!("standard_library.list");

/// What unittest says of each test, by its name.
type Results = BTreeMap<String, String>;

/// Lines such as `test_x (test.test_y.Class.test_x) ... ok`; a test's description may stand in between.
fn results(text: &str) -> Results {
    let mut results = Results::new();
    let mut named = String::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once(" (test.") {
            named = rest.split(')').next().unwrap_or_default().to_owned();
        }
        if let Some((_, result)) = line.rsplit_once(" ... ") {
            results.insert(named.clone(), result.to_owned());
        }
    }
    results
}

fn tested(mut command: Command, modules: &[String]) -> (Results, Option<i32>) {
    let scratch = Scratch::new();
    command.args(["-m", "unittest", "-v"]).args(modules);
    let output = run(command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TMPDIR", scratch.path())
        .current_dir(scratch.path()));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (results(&text), output.status.code())
}

#[test]
fn its_tests_give_the_same_results() {
    let modules = LIST.lines().filter(|line| !line.starts_with('#'));
    let modules: Vec<String> = modules.map(|name| format!("test.{name}")).collect();
    assert!(modules.len() >= 40, "{modules:?}");
    let python = Python::cached("python3.13");
    for modules in modules.chunks(15) {
        let untraced = tested(program::command(false, &python.path), modules);
        let scratch = Scratch::new();
        let mut command = ptpytrace(false);
        command
            .arg("-o")
            .arg(scratch.file("trace"))
            .arg("--")
            .arg(&python.path);
        let traced = tested(command, modules);
        assert!(untraced.0.len() > 200, "{}: {modules:?}", untraced.0.len());
        assert_eq!(traced, untraced, "{modules:?}");
        let trace = std::fs::metadata(scratch.file("trace")).expect("a trace");
        assert!(trace.len() > 1_000_000, "{}", trace.len());
    }
}
