//! Tracers that come while the program's threads are anywhere, and a tracer that comes when there is one already.

use std::fs;

use super::INTERPRETERS;
use crate::engine::session::Session;
use crate::harness::guard;
use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::program::Program;
use crate::harness::task::{catches, until};
use crate::harness::tracer::{Scratch, ptpytrace, run};

/// How often a busy program is attached to.
const CYCLES: usize = 8;

/// Markers whose sites are diverted by a jump over several instructions: `line` of 3.9, and injected ones, where without
/// a GIL eight threads run through the site at once.
#[test]
fn attaching_with_a_thread_inside_the_jump() {
    for (name, marker) in [
        ("python3.9", "line"),
        ("python3.13", "function*"),
        ("python3.13t", "function*"),
    ] {
        let scratch = Scratch::new();
        let counters = scratch.file("counters");
        fs::write(&counters, [0; 64]).unwrap();
        let mut busy = std::process::Command::new(interpreter(name).wrapper);
        busy.arg(program_file("targets/busy.py")).arg(&counters);
        let mut busy = Program::start(busy.env("PYTHONDONTWRITEBYTECODE", "1"));
        busy.expect("ready");
        for cycle in 0..CYCLES {
            let said = come_and_go(&busy, marker, &scratch);
            let about = format!("{name}, cycle {cycle}: {said}");
            assert!(said.contains(" jump at 0x"), "{about}");
            assert!(said.contains("events lost: 0"), "{about}");
        }
        busy.say("");
        let (output, status) = busy.end();
        assert_eq!(
            (output.as_str(), status.code()),
            ("right\n", Some(0)),
            "{name}"
        );
    }
}

/// Attaches until events have been recorded, and leaves.
fn come_and_go(busy: &Program, marker: &str, scratch: &Scratch) -> String {
    let trace = scratch.file("trace");
    let _ = fs::remove_file(&trace); // there is none yet at first
    let mut tracer = ptpytrace(false);
    tracer.args(["--engine", "jump", "--stats", "-m", marker, "--drop"]);
    tracer.args(["--only", "checked", "-p", &busy.pid().to_string(), "-o"]);
    tracer.arg(&trace).stderr(std::process::Stdio::piped());
    let tracer = Program::start(&mut tracer);
    until(&format!("events of {marker} are recorded"), || {
        fs::metadata(&trace).is_ok_and(|file| file.len() > 0)
    });
    tracer.signal(libc::SIGINT);
    let (_, said, status) = tracer.end_with_errors();
    assert!(status.success(), "{said}");
    // Events that are dropped are no fault here.
    said.lines()
        .filter(|line| !line.contains("in time"))
        .map(|line| match line.starts_with("events lost") {
            true => "events lost: 0\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect()
}

/// The second is told who is there; the first goes on.
#[test]
fn two_tracers() {
    for name in INTERPRETERS {
        let mut session = Session::start(name);
        session.attach(false, &["--engine", "jump"]);
        session.ask("single 12");
        let pid = session.pid.to_string();
        for engine in ["jump", "trap"] {
            let second = run(ptpytrace(false).args(["--engine", engine, "-p", &pid]));
            let said = String::from_utf8_lossy(&second.stderr);
            assert_eq!(second.status.code(), Some(1), "{name}: {said}");
            let first = format!("{}", session.tracer_pid());
            assert!(
                said.contains(&first) && said.contains("ptpytrace"),
                "{name}: {said}"
            );
            session.ask("single 11");
        }
        let trace = session.leave();
        trace.assert_exact(name, &session.expected);
        assert!(
            trace.is_diverted() && trace.says("events lost: 0"),
            "{}",
            trace.said
        );
        // Then it is another's turn, which is killed, and another's, which leaves alone what that has left.
        session.attach(false, &["--engine", "jump"]);
        session.ask("single 10");
        guard::signal(session.tracer_pid(), libc::SIGKILL);
        session.tracer_gone();
        session.ask_untraced("single 9");
        let mut third = ptpytrace(false);
        third.args(["--stats", "-m", "function*", "-T", "0.1", "-p", &pid]);
        let third = run(&mut third);
        let said = String::from_utf8_lossy(&third.stderr);
        assert!(third.status.success(), "{name}: {said}");
        let alone = said.contains("not armed at 0x") && said.contains(" is not armed: ");
        assert!(alone || said.contains(" trap at 0x"), "{name}: {said}");
        session.ask_untraced("single 7");
        session.end();
    }
}

/// As around vfork. What is to guard the program against the tracer's death has to wait until signals come again.
#[test]
fn signals_are_blocked_when_the_tracer_comes() {
    for name in INTERPRETERS {
        let mut session = Session::start(name);
        session.ask("block_everything");
        session.attach(false, &["--engine", "jump"]);
        session.ask("single 9");
        assert!(!catches(session.pid, libc::SIGTRAP), "{name}");
        session.ask("unblock_everything");
        assert!(catches(session.pid, libc::SIGTRAP), "{name}");
        session.ask("single 9");
        let trace = session.leave();
        trace.assert_exact(name, &session.expected);
        assert!(trace.is_diverted(), "{name}: {}", trace.said);
        session.assert_clean("after the tracer has left");
        session.end();
    }
}
