//! The ways out: whatever ends the tracing, the program goes on unharmed and untraced, and its end is passed on.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::guard;
use crate::harness::interpreters::{Interpreter, WITH_FUNCTIONS, interpreter, program_file};
use crate::harness::memory::{Code, Semaphores};
use crate::harness::program::{Program, command};
use crate::harness::task::{catches, children, tasks, until};
use crate::harness::tracer::{PTPYTRACE, Scratch, ptpytrace};

/// Nothing traces the process, and its memory is as it was.
fn assert_clean(pid: i32, interpreter: &Interpreter, when: &str) {
    let when = format!("{}, {when}", interpreter.name);
    let traced: Vec<_> = tasks(pid)
        .into_iter()
        .filter(|task| task.tracer != 0)
        .collect();
    assert!(traced.is_empty(), "{when}: still traced: {traced:?}");
    assert_eq!(Code::default().differences(pid), [""; 0], "{when}");
    assert!(!catches(pid, libc::SIGTRAP), "{when}: the shield is up");
    let values = Semaphores::of(&interpreter.notes).values(pid);
    assert!(values.iter().all(|value| *value == 0), "{when}: {values:?}");
}

/// The first of a trace that may be very long.
fn beginning(trace: &Path) -> String {
    let mut text = Vec::new();
    if let Ok(file) = fs::File::open(trace) {
        file.take(1 << 22).read_to_end(&mut text).unwrap();
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn until_traced(trace: &Path, wanted: &str) {
    until(&format!("the trace has {wanted}"), || {
        beginning(trace).contains(wanted)
    });
}

fn until_free(pid: i32) {
    until("the process is not traced any more", || {
        let tasks = tasks(pid);
        !tasks.is_empty() && tasks.iter().all(|task| task.tracer == 0)
    });
}

/// Starts stubborn.py under the tracer; gives both.
fn stubborn(interpreter: &Interpreter, options: &[&str], user: bool) -> (Program, i32) {
    let mut tracer = ptpytrace(user);
    tracer.args(options).arg("--").arg(&interpreter.wrapper);
    let mut tracer = Program::start(tracer.arg(program_file("targets/stubborn.py")));
    let pid = tracer.line().parse().unwrap();
    (tracer, pid)
}

#[test]
fn a_launched_program_goes_on_when_the_tracer_is_told_to_leave() {
    for (name, user) in WITH_FUNCTIONS
        .map(|name| (name, false))
        .into_iter()
        .chain([("python3.9", true)])
    {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            let (scratch, interpreter) = (Scratch::new(), interpreter(name));
            let trace = scratch.file("trace");
            let (mut tracer, pid) = stubborn(&interpreter, &["-o", trace.to_str().unwrap()], user);
            until_traced(&trace, " => work in ");
            tracer.signal(signal);
            until_free(pid);
            assert_clean(pid, &interpreter, &format!("signal {signal}"));
            tracer.say("");
            let (output, status) = tracer.end();
            assert_eq!(
                (output.as_str(), status.code()),
                ("right\n", Some(7)),
                "{name}, signal {signal}"
            );
        }
    }
}

#[test]
fn a_launched_program_goes_on_when_the_time_is_over() {
    let (scratch, interpreter) = (Scratch::new(), interpreter("python3.9"));
    let trace = scratch.file("trace");
    let options = ["-T", "0.3", "-o", trace.to_str().unwrap()];
    let (mut tracer, pid) = stubborn(&interpreter, &options, false);
    until_free(pid);
    assert_clean(pid, &interpreter, "-T");
    tracer.say("");
    let (output, status) = tracer.end();
    assert_eq!((output.as_str(), status.code()), ("right\n", Some(7)));
}

/// The first detaches, the second asks the command to end, the third ends it.
#[test]
fn insisting_ends_a_launched_program() {
    let (scratch, interpreter) = (Scratch::new(), interpreter("python3.9"));
    let trace = scratch.file("trace");
    let (mut tracer, pid) = stubborn(&interpreter, &["-o", trace.to_str().unwrap()], false);
    until_traced(&trace, " => work in ");
    tracer.signal(libc::SIGINT);
    until_free(pid);
    assert_clean(pid, &interpreter, "after the first");
    tracer.signal(libc::SIGINT);
    tracer.expect("got 15");
    assert_clean(pid, &interpreter, "after the second");
    tracer.signal(libc::SIGINT);
    // Its input stays open meanwhile: the end of that would end it, too.
    assert_eq!(tracer.line(), "");
    let (output, status) = tracer.end();
    assert_eq!(
        (output.as_str(), status.code()),
        ("", Some(128 + libc::SIGKILL))
    );
}

/// Whoever starts it with SIGHUP ignored (nohup) wants it to go on.
#[test]
fn an_ignored_signal_is_ignored() {
    let (scratch, interpreter) = (Scratch::new(), interpreter("python3.9"));
    let trace = scratch.file("trace");
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh", PTPYTRACE, "-o"])
        .arg(&trace)
        .arg("--");
    shell
        .arg(&interpreter.wrapper)
        .arg(program_file("targets/stubborn.py"));
    let mut tracer = Program::start(&mut shell);
    let pid: i32 = tracer.line().parse().unwrap();
    tracer.signal(libc::SIGHUP);
    let length = || fs::metadata(&trace).map_or(0, |file| file.len());
    let before = length();
    until("more is traced", || length() > before + 1_000_000);
    assert!(tasks(pid).iter().all(|task| task.tracer != 0));
    tracer.say("");
    let (output, status) = tracer.end();
    assert_eq!((output.as_str(), status.code()), ("right\n", Some(7)));
}

/// As with `| head -n 3`: no message, and the command's own status.
#[test]
fn a_closed_output_ends_the_tracing_quietly() {
    let code = "def f(): pass\nfor _ in range(30000): f()\nraise SystemExit(9)";
    for user in [false, true] {
        let mut tracer = ptpytrace(user);
        tracer
            .arg("--")
            .arg(interpreter("python3.9").wrapper)
            .args(["-c", code]);
        tracer
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut tracer = tracer.spawn().unwrap();
        let _guard = guard::Guard::new(tracer.id() as i32);
        let mut output = BufReader::new(tracer.stdout.take().unwrap());
        for _ in 0..3 {
            let mut line = String::new();
            assert!(output.read_line(&mut line).unwrap() > 0);
        }
        drop(output);
        let output = tracer.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((&*said, output.status.code()), ("", Some(9)));
    }
}

/// Ctrl-C goes to the command as well, which may end before the tracer hears of it: its status counts, and the rest of
/// the trace is written.
#[test]
fn a_signal_after_the_end_of_the_command_loses_nothing() {
    let code = "def f(): pass\nfor _ in range(5000): f()\nraise SystemExit(9)";
    for user in [false, true] {
        let mut tracer = ptpytrace(user);
        tracer.arg("--").arg(interpreter("python3.9").wrapper);
        let mut tracer = Program::start(tracer.args(["-c", code]));
        assert!(tracer.line().contains(" => "));
        // The trace is more than the pipe holds, and nobody reads it: the tracer outlives the command.
        until("the command has ended", || {
            children(tracer.pid()).is_empty()
        });
        tracer.signal(libc::SIGINT);
        let (trace, status) = tracer.end();
        let calls = trace.lines().filter(|line| line.contains(" => f in "));
        assert_eq!((calls.count(), status.code()), (5000, Some(9)));
    }
}

/// An error of ours: it is said, and the program does not notice.
#[test]
fn a_full_disk_harms_nobody() {
    let interpreter = interpreter("python3.9");
    let mut tracer = Command::new(PTPYTRACE);
    tracer
        .args(["-o", "/dev/full", "--"])
        .arg(&interpreter.wrapper);
    tracer
        .arg(program_file("targets/stubborn.py"))
        .stderr(Stdio::piped());
    let mut tracer = Program::start(&mut tracer);
    let pid: i32 = tracer.line().parse().unwrap();
    until_free(pid);
    assert_clean(pid, &interpreter, "a launched program");
    tracer.say("");
    let (output, said, status) = tracer.end_with_errors();
    assert_eq!((output.as_str(), status.code()), ("right\n", Some(1)));
    assert!(
        said.starts_with("ptpytrace: ") && said.contains("No space left on device"),
        "{said}"
    );

    let mut target = Program::start(
        command(false, &interpreter.wrapper).arg(program_file("targets/stubborn.py")),
    );
    target.line();
    let pid = target.pid().to_string();
    let output =
        crate::harness::tracer::run(ptpytrace(false).args(["-p", &pid, "-o", "/dev/full"]));
    assert_eq!(output.status.code(), Some(1));
    assert_clean(target.pid(), &interpreter, "an attached program");
    target.say("");
    let (output, status) = target.end();
    assert_eq!((output.as_str(), status.code()), ("right\n", Some(7)));
}

/// Every process is restored, whatever it is doing, and left as it was.
#[test]
fn a_whole_family_is_left_as_it_was() {
    for (name, user) in WITH_FUNCTIONS
        .map(|name| (name, false))
        .into_iter()
        .chain([("python3.9", true)])
    {
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let (scratch, interpreter) = (Scratch::new(), interpreter(name));
            let mut tracer = ptpytrace(user);
            tracer
                .arg("-o")
                .arg(scratch.file("trace"))
                .arg("--")
                .arg(&interpreter.wrapper);
            let mut tracer = Program::start(tracer.arg(program_file("targets/family.py")));
            let family: Vec<i32> = tracer
                .line()
                .split(' ')
                .map(|pid| pid.parse().unwrap())
                .collect();
            tracer.expect("ready");
            let all = || family.iter().flat_map(|pid| tasks(*pid));
            assert!(
                all().all(|task| task.tracer != 0),
                "{name}: not all are traced"
            );
            tracer.signal(signal);
            for pid in &family {
                until_free(*pid);
                assert_clean(*pid, &interpreter, &format!("signal {signal}"));
            }
            until("the stopped one is stopped", || {
                tasks(family[3]).iter().all(|task| task.state == 'T')
            });
            assert!(tasks(family[2]).iter().all(|task| task.state == 'S'));
            tracer.say("");
            let (output, status) = tracer.end();
            assert_eq!(
                (output.as_str(), status.code()),
                ("right\n", Some(0)),
                "{name}, signal {signal}"
            );
        }
    }
}

/// The tracer may leave when a fork has made its child, but has not returned yet.
#[test]
fn a_program_that_forks_all_the_time_is_left() {
    for name in WITH_FUNCTIONS {
        let scratch = Scratch::new();
        let interpreter = interpreter(name);
        let mut forker = command(false, &interpreter.wrapper);
        forker.arg(program_file("targets/toiler.py")).arg("forks");
        let mut forker = Program::start(&mut forker);
        while forker.line() != "ready" {}
        for cycle in 0..40 {
            let trace = scratch.file(&format!("trace{cycle}"));
            let mut tracer = ptpytrace(false);
            let pid = forker.pid().to_string();
            tracer.args(["-m", "gc__*", "-m", "function__entry", "--only", "forks"]);
            tracer.args(["-p", &pid, "-o"]).arg(&trace);
            let tracer = Program::start(tracer.stderr(Stdio::piped()));
            until_traced(&trace, "function__entry");
            tracer.signal(libc::SIGINT);
            // Children that were just being made when it came are armed, too.
            let (_, said, status) = tracer.end_with_errors();
            assert_eq!((said.as_str(), status.code()), ("", Some(0)), "{name}");
            assert!(
                !catches(forker.pid(), libc::SIGTRAP),
                "{name}: the shield is up"
            );
        }
        forker.say("");
        let (output, status) = forker.end();
        assert!(output.ends_with("right\n"), "{name}: {output}");
        assert!(status.success(), "{name}: {status}");
    }
}
