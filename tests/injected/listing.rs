//! `-l` names exactly the markers that fire: of a command, of a process, of a file.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::interpreters::program_file;
use crate::harness::program::{Program, command};
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::interpreters::{FREE_THREADED, Python, of_pyenv};

/// Has every marker fire.
const PROGRAM: &str = "\
import gc, sys
def function():
    import colorsys
function()
gc.collect()
";

/// The rows of `-l`, as JSON.
fn listed(options: &[&str], title: &str) -> Vec<Value> {
    let output = run(ptpytrace(false).args(["-l", "-f", "json"]).args(options));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (errors.as_str(), output.status.code()),
        ("", Some(0)),
        "{title}"
    );
    let text = String::from_utf8(output.stdout).expect("text");
    let rows = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    rows.filter(|row: &Value| row["provider"] == "python")
        .collect()
}

fn names(rows: &[Value]) -> BTreeSet<String> {
    rows.iter()
        .map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// What fires when everything is asked for.
fn firing(python: &Python, source: &str, scratch: &Scratch) -> BTreeSet<String> {
    let mut command = ptpytrace(false);
    command.args(["--markers", source, "-f", "json", "-m", "python:*", "-o"]);
    command
        .arg(scratch.file("trace"))
        .arg("--")
        .arg(&python.path);
    let output = run(command
        .arg(scratch.file("every.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1"));
    assert!(output.status.success(), "{}: {output:?}", python.name);
    let fired = trace::read(&scratch.file("trace"));
    fired.into_iter().map(|event| event.probe).collect()
}

fn check(python: &Python) {
    let scratch = Scratch::new();
    std::fs::write(scratch.file("every.py"), PROGRAM).expect("written");
    for source in ["auto", "injected"] {
        let title = format!("{} {source}", python.name);
        let fired = firing(python, source, &scratch);
        // What a wrapper will start is not known beforehand: a process is looked at.
        let mut target =
            Program::start(command(false, &python.path).arg(program_file("targets/rounds.py")));
        target.expect("ready");
        let pid = target.pid().to_string();
        let rows = listed(&["--markers", source, "-p", &pid], &title);
        assert_eq!(names(&rows), fired, "{title}");
        let injected = rows.iter().filter(|row| row["injected"] == true);
        for row in injected.clone() {
            assert!(
                row["location"].is_null() && row["pid"] == target.pid(),
                "{row}"
            );
        }
        assert!(
            source == "auto" || injected.count() == rows.len(),
            "{title}"
        );
        let text = run(ptpytrace(false).args(["-l", "-v", "--markers", source, "-p", &pid]));
        let text = String::from_utf8(text.stdout).expect("text");
        let shown = text
            .lines()
            .filter(|line| line.contains("(injected)"))
            .count();
        let means = text
            .lines()
            .filter(|line| line.starts_with("    Injected: "))
            .count();
        let all = rows.iter().filter(|row| row["injected"] == true).count();
        assert_eq!((shown, means), (all, all), "{title}: {text}");
        for path in paths(&rows) {
            let of_file = listed(&["--markers", source, &path], &title);
            assert_eq!(names(&of_file), fired, "{title} {path}");
        }
        drop(target);
    }
}

fn paths(rows: &[Value]) -> BTreeSet<String> {
    rows.iter()
        .map(|row| row["path"].as_str().expect("a path").to_owned())
        .collect()
}

#[test]
fn what_is_listed_fires() {
    let cached = [
        "python3.9",
        "python3.11",
        "python3.13",
        "python3.14",
        "python3.15",
        FREE_THREADED,
    ];
    for python in cached.into_iter().map(Python::cached).chain(of_pyenv(6)) {
        check(&python);
    }
}

#[test]
fn of_a_command() {
    for python in of_pyenv(6) {
        let rows = listed(
            &["-c", &format!("{} x.py", python.path.display())],
            &python.name,
        );
        let expected = match python.minor {
            6 => 5,
            7 => 7,
            _ => 8,
        };
        assert_eq!(names(&rows).len(), expected, "{}", python.name);
        assert!(
            rows.iter().all(|row| row["injected"] == true),
            "{}",
            python.name
        );
    }
}
