//! A program's own tools see traced what they see untraced.

use crate::harness::interpreters::program_file;
use crate::harness::program;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::interpreters::{FREE_THREADED, Python, of_pyenv};

fn check(python: &Python, tool: &str) {
    let file = program_file("targets/tools.py");
    let scratch = Scratch::new();
    let mut traced = ptpytrace(false);
    traced.arg("-o").arg(scratch.file("trace"));
    traced
        .args(["-m", "function__*", "-m", "line", "--"])
        .arg(&python.path);
    let mut untraced = program::command(false, &python.path);
    let [traced, untraced] = [&mut traced, &mut untraced].map(|command| {
        let output = run(command.arg(&file).arg(tool));
        assert!(
            output.status.success(),
            "{} {tool}: {output:?}",
            python.name
        );
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    });
    assert_eq!(traced, untraced, "{} {tool}", python.name);
    let trace = std::fs::read_to_string(scratch.file("trace")).expect("a trace");
    assert!(trace.contains("line"), "{} {tool}", python.name);
}

#[test]
fn of_3_12_and_later() {
    let cached = ["python3.13", "python3.14", "python3.15", FREE_THREADED].map(Python::cached);
    for python in cached.iter().chain(&of_pyenv(12)) {
        ["monitoring", "profile", "trace"]
            .iter()
            .for_each(|tool| check(python, tool));
    }
}

/// There the program's profiler takes the place of ours, and its tracer likewise. One thing differs: tools.py says it.
#[test]
fn before_3_12() {
    for python in of_pyenv(6).iter().filter(|python| python.minor < 12) {
        ["profile", "trace"]
            .iter()
            .for_each(|tool| check(python, tool));
    }
}
