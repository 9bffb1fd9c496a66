//! `--no-follow` leaves the processes that a traced one starts alone: they work as untraced and are not shown.

use std::collections::BTreeSet;

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::program;
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

/// fork, fork by multiprocessing, a new interpreter by multiprocessing, subprocess (vfork), and posix_spawn: the
/// programs print their children's output and exit statuses.
const PROGRAMS: [&str; 5] = [
    "fork_no_exec",
    "mp_fork",
    "mp_spawn",
    "subprocess_run",
    "spawned",
];

fn check(name: &str, user: bool, program: &str) {
    let (scratch, python) = (Scratch::new(), interpreter(name).wrapper);
    let file = program_file(&format!("{program}.py"));
    let mut command = ptpytrace(user);
    command
        .args(["--no-follow", "-f", "json", "-m", "function__*", "-o"])
        .arg(scratch.file("trace"));
    command.arg("--").arg(&python).arg(&file);
    let mut plain = program::command(user, &python);
    plain.arg(&file);
    let [traced, untraced] = [&mut command, &mut plain].map(|command| {
        run(command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", scratch.path()))
    });
    assert_eq!(traced, untraced, "{name} {program}, user {user}");
    assert!(traced.status.success(), "{traced:?}");
    let fired = trace::read(&scratch.file("trace"));
    let pids: BTreeSet<i32> = fired.iter().map(|event| event.pid).collect();
    assert_eq!(pids.len(), 1, "{name} {program}: events of {pids:?}");
    let main = fired
        .iter()
        .filter(|event| event.text("filename") == file.to_str().expect("UTF-8"));
    let mains =
        main.filter(|event| event.probe == "function__entry" && event.text("funcname") == "main");
    assert_eq!(mains.count(), 1, "{name} {program}: entries of main");
}

#[test]
fn children_are_left_alone() {
    for program in PROGRAMS {
        check("python3.9", false, program);
        check("shared3.15", true, program);
    }
    for program in ["fork_no_exec", "subprocess_run", "spawned"] {
        check("python3.11", true, program);
    }
}

/// The same programs, followed: the children are there. So the test above can fail.
#[test]
fn without_it_they_are_followed() {
    let (scratch, file) = (Scratch::new(), program_file("fork_no_exec.py"));
    let mut command = ptpytrace(false);
    command
        .args(["-f", "json", "-m", "function__*", "-o"])
        .arg(scratch.file("trace"));
    command
        .arg("--")
        .arg(interpreter("python3.9").wrapper)
        .arg(&file);
    let output = run(command.env("PYTHONDONTWRITEBYTECODE", "1"));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "fork_no_exec [5, 8, 5]\n"
    );
    let fired = trace::read(&scratch.file("trace"));
    let pids: BTreeSet<i32> = fired.iter().map(|event| event.pid).collect();
    assert_eq!(
        pids.len(),
        5,
        "the program, three children, a grandchild: {pids:?}"
    );
}
