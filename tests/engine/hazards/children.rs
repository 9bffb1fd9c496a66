//! Processes that are born, that turn into other programs, and that end.

use std::fs;

use super::INTERPRETERS;
use crate::engine::session::{Session, Trace, parse};
use crate::harness::task::children;

const JUMP: &[&str] = &["--engine", "jump"];

/// Launches the program, has it do things, and compares.
fn exact(name: &'static str, options: &[&str], commands: &[&str]) {
    let mut session = Session::launch(name, options, &[]);
    for command in commands {
        session.ask(command);
    }
    let trace = session.ends_exact(&format!("{commands:?}"));
    assert!(trace.is_diverted(), "{name}: {}", trace.said);
    assert!(trace.says("events lost: 0"), "{name}: {}", trace.said);
}

/// It is let go before it runs, with its code as it was; what it calls is not seen.
#[test]
fn an_untraced_fork_child() {
    for name in INTERPRETERS {
        let options = ["--engine", "jump", "--no-follow"];
        exact(name, &options, &["single 10", "forked 12", "forked 3"]);
    }
}

/// It has its parent's diversions, and a gate that the kernel has emptied.
#[test]
fn a_fork_child_that_no_tracer_sees() {
    for name in INTERPRETERS {
        exact(
            name,
            JUMP,
            &["single 10", "untraced_clone 12", "untraced_clone 3"],
        );
    }
}

/// A child in its parent's memory calls functions; others call exec, as vfork's do.
#[test]
fn vfork_and_clone_vm() {
    for name in INTERPRETERS {
        exact(
            name,
            JUMP,
            &["single 10", "shared_memory 9", "spawned 8", "single 5"],
        );
    }
}

#[test]
fn exec_with_records_in_the_ring() {
    for name in INTERPRETERS {
        for ring in ["8K", "4M"] {
            let options = ["--engine", "jump", "--buffer", ring];
            let session = Session::launch(name, &options, &["executed", "14", "5"]);
            let trace = session.ends_exact(&format!("exec, {ring}"));
            assert!(trace.is_diverted(), "{name}: {}", trace.said);
        }
    }
}

/// What was recorded before the program was killed arrives.
#[test]
fn an_end_by_sigkill() {
    for name in INTERPRETERS {
        for ring in ["8K", "4M"] {
            let mut session = Session::launch(name, &["--engine", "jump", "--buffer", ring], &[]);
            session.program.say("killed 16");
            let (said, status) = session.program.end();
            assert_eq!(status.code(), Some(128 + libc::SIGKILL), "{name}: {said}");
            let read = |file| fs::read_to_string(session.scratch.file(file)).unwrap();
            let trace = Trace::of(&read("trace"), read("said"));
            trace.assert_exact(&format!("{name} {ring}"), &parse(&said));
            assert!(trace.is_diverted());
        }
    }
}

/// The tracer leaves while a family is diverted: every member's code is as it was.
#[test]
fn leaving_a_family() {
    for name in INTERPRETERS {
        let mut session = Session::start(name);
        session.attach(false, JUMP);
        session.ask("single 9");
        session.ask("forks 6");
        let trace = session.leave();
        trace.assert_exact(name, &session.expected);
        session.assert_clean("after the tracer has left");
        assert_eq!(children(session.pid), [0; 0], "{name}");
        session.end();
    }
}
