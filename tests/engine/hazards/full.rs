//! Rings that are full because nobody reads: the program waits, or counts what it drops; whoever waits is let go when the
//! tracer leaves or is killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use super::INTERPRETERS;
use crate::engine::session::Session;
use crate::harness::guard;
use crate::harness::task::{system_call, until};
use crate::harness::tracer::ptpytrace;

/// futex(2) on x86-64.
const FUTEX: i64 = 202;

/// Starts a tracer whose output nobody reads yet; gives that.
fn unread(session: &mut Session, options: &[&str]) -> BufReader<ChildStdout> {
    session.until_it_listens();
    let mut tracer = ptpytrace(false);
    tracer.args(["--buffer", "8K", "--stats"]).args(options);
    tracer.args(["-m", "function*", "-f", "json"]);
    tracer.args(["-v", "-p", &session.pid.to_string()]);
    tracer.stdin(Stdio::null()).stdout(Stdio::piped());
    tracer.stderr(File::create(session.scratch.file("said")).unwrap());
    let mut tracer: Child = tracer.spawn().unwrap();
    let output = BufReader::new(tracer.stdout.take().unwrap());
    session.tracer_is(tracer);
    session.until_armed();
    output
}

/// The program stands still, and waits for room.
fn until_it_waits(session: &Session) {
    until("the program waits for room", || {
        system_call(session.pid) == Some(FUTEX)
    });
}

fn said(session: &Session) -> String {
    std::fs::read_to_string(session.scratch.file("said")).unwrap()
}

/// How many calls of fib the rest of an output shows.
fn calls_of_fib(output: impl BufRead) -> u64 {
    let lines = output.lines().map(Result::unwrap);
    let entry = |line: &String| {
        line.contains(r#""probe":"function__entry""#) && line.contains(r#""funcname":"fib""#)
    };
    lines.filter(entry).count() as u64
}

#[test]
fn a_full_ring() {
    for name in INTERPRETERS {
        let mut session = Session::start(name);
        let output = unread(&mut session, &["--engine", "jump"]);
        session.program.say("single 16");
        until_it_waits(&session);
        let reader = std::thread::spawn(|| calls_of_fib(output));
        let answer = session.lines_until("done");
        session.expect(&answer);
        let pid = session.tracer_pid();
        guard::signal(pid, libc::SIGINT);
        assert_eq!(reader.join().unwrap(), session.expected["fib"], "{name}");
        session.tracer_gone();
        assert!(
            said(&session).contains("events lost: 0"),
            "{name}: {}",
            said(&session)
        );
        session.assert_clean("after the tracer has left");
        session.end();
    }
}

/// The number that stands between two texts.
fn number_between(text: &str, before: &str, after: &str) -> u64 {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before}: {text}"));
    let (digits, _) = rest.split_once(after).unwrap();
    digits.parse().unwrap()
}

/// What is dropped is counted: with what arrived it is all that a tracer sees which drops nothing.
#[test]
fn a_full_ring_with_drop() {
    for name in INTERPRETERS {
        let mut counted = Vec::new();
        for options in [
            ["--engine", "trap"],
            ["--engine", "jump"],
            ["--engine", "jump"],
        ] {
            let mut session = Session::start(name);
            let drops = counted.len() == 1;
            let mut options = options.to_vec();
            options.extend(drops.then_some("--drop"));
            let output = unread(&mut session, &options);
            let reader =
                |output: BufReader<ChildStdout>| output.lines().map(Result::unwrap).count() as u64;
            let arrived = if drops {
                session.ask("single 18"); // does not wait for anybody
                session.until_it_listens();
                guard::signal(session.tracer_pid(), libc::SIGINT);
                reader(output)
            } else {
                let reader = std::thread::spawn(move || reader(output));
                session.ask("single 18");
                session.until_it_listens();
                guard::signal(session.tracer_pid(), libc::SIGINT);
                reader.join().unwrap()
            };
            session.tracer_gone();
            let said = said(&session);
            let lost = number_between(&said, "events lost: ", "\n");
            assert_eq!(lost > 0, drops, "{name}: {said}");
            assert!(arrived > 0, "{name}: {said}");
            counted.push(arrived + lost);
            session.assert_clean("after the tracer has left");
            session.end();
        }
        assert!(
            counted.iter().all(|count| *count == counted[0]),
            "{name}: {counted:?}"
        );
    }
}

/// A thread that waits for room sees that nobody will make any.
#[test]
fn the_tracer_is_killed() {
    for name in INTERPRETERS {
        let mut session = Session::start(name);
        let _output = unread(&mut session, &["--engine", "jump"]);
        session.program.say("single 16");
        until_it_waits(&session);
        guard::signal(session.tracer_pid(), libc::SIGKILL);
        session.tracer_gone();
        let answer = session.lines_until("done");
        assert!(answer.starts_with("fib "), "{name}: {answer}");
        session.ask_untraced("threads 10");
        session.ask_untraced("forked 10");
        session.end();
    }
}

/// A thread that waits for room when the tracer is told to leave stands in the middle of the recorder.
#[test]
fn detaching_with_a_thread_inside_the_recorder() {
    for name in INTERPRETERS {
        for closed in [false, true] {
            let mut session = Session::start(name);
            let mut output = Some(unread(&mut session, &["--engine", "jump"]));
            session.program.say("single 16");
            until_it_waits(&session);
            if closed {
                output = None; // nobody will ever read: the tracer leaves
            }
            guard::signal(session.tracer_pid(), libc::SIGINT);
            let answer = session.lines_until("done");
            assert!(answer.starts_with("fib "), "{name}: {answer}");
            session.expect(&answer);
            output.map(calls_of_fib);
            session.tracer_gone();
            // What was mapped may stay: a word on the thread's stack may lead there.
            session.assert_restored("after the tracer has left");
            // Another tracer finds everything as it was.
            session.attach(false, &["--engine", "jump"]);
            session.ask("single 12");
            let trace = session.leave();
            trace.assert_exact(name, &session.expected);
            assert!(trace.is_diverted(), "{name}: {}", trace.said);
            session.end();
        }
    }
}
