//! Attaching to running interpreters and leaving them, again and again: they give the results that they would have
//! given untraced, and nothing is left in them.

use std::fs;

use crate::harness::guard::{self, Guard};
use crate::harness::interpreters::program_file;
use crate::harness::program::{Program, command};
use crate::harness::task::until;
use crate::harness::tracer::{Scratch, ptpytrace};

use super::interpreters::{FREE_THREADED, Python, of_pyenv};

/// The ways in which a main thread may wait.
const STATES: [&str; 14] = [
    "sleep",
    "select",
    "poll",
    "lock",
    "join",
    "event",
    "epoll",
    "accept",
    "recv",
    "read",
    "waitpid",
    "asyncio",
    "busy_join",
    "busy_sleep",
];

/// How often; `PTPYTRACE_CYCLES` for longer runs.
fn cycles(few: usize) -> usize {
    let text = std::env::var("PTPYTRACE_CYCLES").ok();
    text.map_or(few, |text| {
        text.parse().expect("PTPYTRACE_CYCLES is a number")
    })
}

fn start(python: &Python, words: &[&str]) -> Program {
    let (program, rest) = words.split_first().expect("a program");
    let mut command = command(false, &python.path);
    command.arg(program_file(program)).args(rest);
    let mut program = Program::start(command.env("PYTHONDONTWRITEBYTECODE", "1"));
    program.expect("ready");
    program
}

/// Attaches, waits until the markers are there, leaves.
fn cycle(program: &Program, title: &str) {
    let scratch = Scratch::new();
    let said = scratch.file("said");
    let mut command = ptpytrace(false);
    command.args(["--markers", "injected", "-v", "-p"]);
    command.arg(program.pid().to_string()).arg("-o");
    command.arg(scratch.file("trace"));
    command.stderr(fs::File::create(&said).unwrap());
    let mut tracer = command.spawn().unwrap();
    let _guard = Guard::new(tracer.id() as i32);
    let text = || fs::read_to_string(&said).unwrap();
    until("the markers have been injected", || {
        let ended = tracer.try_wait().unwrap();
        assert!(ended.is_none(), "{title}: {ended:?}: {}", text());
        text().contains("have been injected")
    });
    guard::signal(tracer.id() as i32, libc::SIGINT);
    let status = tracer.wait().unwrap();
    assert!(status.success(), "{title}: {status}: {}", text());
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid()));
    assert!(
        status.is_ok_and(|status| status.contains("TracerPid:\t0")),
        "{title}: the program has ended, or is still traced"
    );
}

fn check(python: &Python, words: &[&str], cycles: usize) {
    let title = format!("{} {words:?}", python.name);
    let mut program = start(python, words);
    for number in 0..cycles {
        cycle(&program, &format!("{title}, cycle {number}"));
    }
    program.say("");
    let (output, status) = program.end();
    assert_eq!(output, "right [] None\n", "{title}");
    assert!(status.success(), "{title}: {status}");
}

/// Those that have nothing in common but the agent.
const CACHED: [&str; 4] = ["python3.13", "python3.14", "python3.15", FREE_THREADED];

#[test]
fn blocked() {
    for name in CACHED {
        for state in STATES {
            let words = ["targets/blocked.py", state];
            check(&Python::cached(name), &words, cycles(2));
        }
    }
}

#[test]
fn blocked_pyenv() {
    for python in of_pyenv(6) {
        for state in STATES {
            // asyncio.run came with 3.7.
            if python.minor >= 7 || state != "asyncio" {
                check(&python, &["targets/blocked.py", state], cycles(1));
            }
        }
    }
}

#[test]
fn under_stress() {
    let churn = ["targets/churn.py"];
    for name in CACHED {
        check(&Python::cached(name), &churn, cycles(8));
    }
    check(&Python::cached("shared3.13"), &churn, cycles(5));
    for python in of_pyenv(6) {
        check(&python, &churn, cycles(5));
    }
}
