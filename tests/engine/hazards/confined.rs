//! Programs in which there is no way or no room to divert anything.

use super::INTERPRETERS;
use crate::engine::session::{Session, Trace};
use crate::harness::program;

/// Has the program prepare itself, attaches, has it call functions, and leaves. Gives what was seen, which is exact.
fn attached(name: &'static str, user: bool, prepare: &[&str]) -> Trace {
    let mut session = Session::start_as(name, user);
    for command in prepare {
        session.ask(command);
    }
    session.attach(user, &["--engine", "jump"]);
    session.ask("single 12");
    session.ask("threads 5");
    let trace = session.leave();
    trace.assert_exact(&format!("{name} {prepare:?}"), &session.expected);
    assert!(trace.says("events lost: 0"), "{name}: {}", trace.said);
    session.assert_clean("after the tracer has left");
    session.ask_untraced("single 9");
    session.end();
    trace
}

/// A filter that comes when the program records already, and one that was there before.
fn seccomp(result: &str) {
    let confine = format!("confine {result}");
    for name in INTERPRETERS {
        let trace = attached(name, false, &[&confine]);
        assert!(!trace.is_diverted(), "{name}: {}", trace.said);
        let why = "markers stay breakpoints: seccomp confines it";
        assert!(trace.says(why), "{name}: {}", trace.said);
        let mut session = Session::start(name);
        session.attach(false, &["--engine", "jump"]);
        for command in ["single 12", &confine, "single 13", "threads 5"] {
            session.ask(command);
        }
        let trace = session.leave();
        trace.assert_exact(&format!("{name}, confined later"), &session.expected);
        assert!(trace.is_diverted(), "{name}: {}", trace.said);
        session.ask_untraced("single 9");
        session.end();
    }
}

/// The system calls that sharing memory takes fail; they are not even tried.
#[test]
fn seccomp_that_returns_errno() {
    seccomp("errno");
}

/// They would kill the program.
#[test]
fn seccomp_that_kills() {
    seccomp("kill");
}

/// Code that is written from outside into pages that nobody can write to inside is no gain of execution.
#[test]
fn memory_that_may_not_be_made_executable() {
    for name in INTERPRETERS {
        for user in [false, program::is_root()] {
            let mut session = Session::start_as(name, user);
            let known = session.ask("refuse_to_gain_execution").contains("Refused");
            println!("the kernel knows PR_SET_MDWE: {known}");
            session.attach(user, &["--engine", "jump"]);
            session.ask("single 12");
            let trace = session.leave();
            trace.assert_exact(name, &session.expected);
            assert!(trace.is_diverted(), "{name}: {}", trace.said);
            session.assert_clean("after the tracer has left");
            session.end();
        }
    }
}

/// All memory near the code is taken: there is no place for a recorder.
#[test]
fn no_free_page_in_reach() {
    for name in INTERPRETERS {
        let trace = attached(name, false, &["occupy 4"]);
        assert!(!trace.is_diverted(), "{name}: {}", trace.said);
        let why = "no page is free in the reach";
        assert!(trace.says(why), "{name}: {}", trace.said);
    }
}
