//! Attaching to programs that run, sleep or are stopped, again and again: they give the results that they would have
//! given untraced, and nothing is left in their memory or of the tracer.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::harness::guard::{self, Guard};
use crate::harness::interpreters::{Interpreter, WITH_FUNCTIONS, interpreter, program_file};
use crate::harness::memory::{Code, Semaphores};
use crate::harness::program::{self, Program, command};
use crate::harness::task::{all_in, catches, system_call, tasks, until};
use crate::harness::tracer::{Scratch, ptpytrace};

/// How often each program is attached to.
fn cycles() -> usize {
    let text = std::env::var("PTPYTRACE_CYCLES").unwrap_or_else(|_| "200".to_owned());
    text.parse().expect("PTPYTRACE_CYCLES is a number")
}

/// The ways in which the tracer is made to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Signal(i32),
    Timeout,
    ClosedOutput,
}

const WAYS: [Way; 5] = [
    Way::Signal(libc::SIGINT),
    Way::Timeout,
    Way::Signal(libc::SIGTERM),
    Way::ClosedOutput,
    Way::Signal(libc::SIGHUP),
];

/// A program that is attached to.
struct Target {
    program: Program,
    semaphores: Semaphores,
    code: Code,
    user: bool,
    /// Whether it makes events all the time.
    busy: bool,
    scratch: Scratch,
}

impl Target {
    fn start(interpreter: &Interpreter, words: &[&Path], user: bool, busy: bool) -> Target {
        let mut command = command(user, &interpreter.wrapper);
        let mut program = Program::start(command.args(words).env("PYTHONDONTWRITEBYTECODE", "1"));
        program.expect("ready");
        let mut target = Target {
            program,
            semaphores: Semaphores::of(&interpreter.notes),
            code: Code::default(),
            user,
            busy,
            scratch: Scratch::new(),
        };
        target.assert_clean("before the first attach");
        target
    }

    fn pid(&self) -> i32 {
        self.program.pid()
    }

    /// Attaches, waits until the program is armed, leaves, and checks that nothing is left.
    fn cycle(&mut self, number: usize) {
        let way = match WAYS[number % WAYS.len()] {
            Way::ClosedOutput if !self.busy => Way::Signal(libc::SIGTERM), // nothing is ever written
            way => way,
        };
        // Breakpoints, what the tracer chooses, and recorders from the first hit on.
        let engine = ["trap", "auto", "jump"][number % 3];
        let mut tracer = self.attach(way, engine);
        let _guard = Guard::new(tracer.id() as i32);
        match way {
            Way::Signal(signal) => {
                self.until_armed(&mut tracer);
                guard::signal(tracer.id() as i32, signal);
            }
            Way::ClosedOutput => drop(tracer.stdout.take()),
            Way::Timeout => {}
        }
        let output = tracer.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.is_empty(),
            "{way:?} {engine}: {:?}: {said}",
            output.status
        );
        self.assert_clean(&format!("after cycle {number}, {way:?}, {engine}"));
    }

    fn attach(&self, way: Way, engine: &str) -> Child {
        let _ = fs::remove_file(self.scratch.file("trace")); // there is none yet at first
        let mut command = ptpytrace(self.user);
        command.args(["--engine", engine, "-p", &self.pid().to_string()]);
        match way {
            Way::Timeout => command.args(["-T", "0.01"]),
            _ => &mut command,
        };
        match way {
            Way::ClosedOutput => command.stdout(Stdio::piped()),
            _ => command.arg("-o").arg(self.scratch.file("trace")),
        };
        command.stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The semaphores are up and breakpoints are planted; where the program makes events, the first one is written.
    fn until_armed(&mut self, tracer: &mut Child) {
        let trace = self.scratch.file("trace");
        let pid = self.pid();
        until("the program is armed", || {
            let ended = tracer.try_wait().unwrap();
            assert!(ended.is_none(), "the tracer has ended by itself: {ended:?}");
            match self.busy {
                true => fs::metadata(&trace).is_ok_and(|file| file.len() > 0),
                false => {
                    tasks(pid).iter().all(|task| task.tracer != 0)
                        && self.semaphores.raised(pid)
                        && !self.code.differences(pid).is_empty()
                }
            }
        });
    }

    fn assert_clean(&mut self, when: &str) {
        let pid = self.pid();
        let left: Vec<_> = tasks(pid)
            .into_iter()
            .filter(|task| task.tracer != 0)
            .collect();
        assert!(left.is_empty(), "{when}: still traced: {left:?}");
        assert_eq!(self.code.differences(pid), [""; 0], "{when}");
        assert!(!catches(pid, libc::SIGTRAP), "{when}: the shield is up");
        assert!(
            !self.semaphores.raised(pid),
            "{when}: {:?}",
            self.semaphores.values(pid)
        );
    }
}

fn end_right(target: Target, name: &str) {
    let (output, status) = target.program.end();
    assert_eq!(output, "right\n", "{name}");
    assert!(status.success(), "{name}: {status}");
}

fn busy(name: &str, user: bool, cycles: usize) {
    let scratch = Scratch::new();
    let counters = scratch.file("counters");
    fs::write(&counters, [0; 64]).unwrap();
    std::os::unix::fs::chown(&counters, program::is_root().then_some(65534), None).unwrap();
    let words = [&*program_file("targets/busy.py"), &*counters];
    let mut target = Target::start(&interpreter(name), &words, user, true);
    for number in 0..cycles {
        target.cycle(number);
    }
    target.program.say("");
    end_right(target, name);
}

/// The system calls of the x86-64 kernel in which the states wait.
fn call_of(state: &str) -> &'static [i64] {
    match state {
        "sleep" => &[23, 270, 230], // select, pselect6, clock_nanosleep
        "select" => &[23, 270],
        "lock" | "join" => &[202], // futex
        "recv" => &[45],           // recvfrom
        "waitpid" => &[61],        // wait4
        other => panic!("{other}"),
    }
}

fn asleep(name: &str, state: &str, user: bool, cycles: usize) {
    let program = program_file("targets/asleep.py");
    let words = [&*program, Path::new(state)];
    let mut target = Target::start(&interpreter(name), &words, user, false);
    let pid = target.pid();
    until("the program is asleep", || {
        all_in(pid, "S") && system_call(pid).is_some_and(|call| call_of(state).contains(&call))
    });
    for number in 0..cycles {
        target.cycle(number);
        until("all its threads sleep again", || all_in(pid, "S"));
    }
    match state {
        "sleep" => target.program.signal(libc::SIGUSR1),
        _ => target.program.say(""),
    }
    end_right(target, &format!("{name} in {state}"));
}

fn asleep_everywhere(state: &str) {
    for name in WITH_FUNCTIONS {
        asleep(name, state, false, cycles());
    }
    asleep("python3.9", state, true, cycles().min(20));
}

/// Stopped in the midst of its work: it stays so, and does not run for a moment.
fn stopped(name: &str, user: bool, cycles: usize) {
    let scratch = Scratch::new();
    let counters = scratch.file("counters");
    fs::write(&counters, [0; 64]).unwrap();
    std::os::unix::fs::chown(&counters, program::is_root().then_some(65534), None).unwrap();
    let words = [&*program_file("targets/busy.py"), &*counters];
    let mut target = Target::start(&interpreter(name), &words, user, false);
    let pid = target.pid();
    target.program.signal(libc::SIGSTOP);
    until("the program has stopped", || all_in(pid, "T"));
    let count = fs::read(&counters).unwrap();
    for number in 0..cycles {
        target.cycle(number);
        until("all its threads are stopped", || all_in(pid, "T"));
        assert_eq!(
            fs::read(&counters).unwrap(),
            count,
            "{name}: it ran in cycle {number}"
        );
    }
    target.program.signal(libc::SIGCONT);
    until("the program runs again", || {
        fs::read(&counters).unwrap() != count
    });
    target.program.say("");
    end_right(target, name);
}

#[test]
fn eight_busy_threads_do_not_notice() {
    for name in WITH_FUNCTIONS {
        busy(name, false, cycles());
    }
    busy("python3.9", true, cycles().min(20));
}

/// Python repeats a call that was interrupted; C programs may not. The kernel resumes these calls by itself.
#[test]
fn raw_system_calls_are_not_interrupted() {
    let program = program_file("targets/signals.py");
    let words = [&*program, Path::new("raw_calls")];
    let mut target = Target::start(&interpreter("python3.9"), &words, false, false);
    for number in 0..cycles() {
        target.cycle(number);
    }
    target.program.say("");
    end_right(target, "raw calls");
}

/// What a parent hears of its child's stops (waitpid(2), WUNTRACED and WCONTINUED).
fn wait_for_change(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: status outlives the call.
    let waited = unsafe { libc::waitpid(pid, &mut status, libc::WUNTRACED | libc::WCONTINUED) };
    assert_eq!(waited, pid);
    status
}

/// The parent is this test, which is not traced.
#[test]
fn a_parent_sees_each_stop_of_an_attached_program() {
    for name in WITH_FUNCTIONS {
        let program = program_file("targets/stubborn.py");
        let mut command = command(false, interpreter(name).wrapper);
        let mut program = Program::start(command.arg(program));
        program.line();
        let scratch = Scratch::new();
        let pid = program.pid().to_string();
        let mut tracer = ptpytrace(false);
        tracer.args(["-p", &pid, "-o"]).arg(scratch.file("trace"));
        let tracer = Program::start(&mut tracer);
        until("it is traced", || {
            fs::metadata(scratch.file("trace")).is_ok_and(|file| file.len() > 0)
        });
        for _ in 0..100 {
            program.signal(libc::SIGSTOP);
            let status = wait_for_change(program.pid());
            assert!(libc::WIFSTOPPED(status), "{name}: {status:#x}");
            assert_eq!(libc::WSTOPSIG(status), libc::SIGSTOP);
            program.signal(libc::SIGCONT);
            let status = wait_for_change(program.pid());
            assert!(libc::WIFCONTINUED(status), "{name}: {status:#x}");
        }
        program.say("");
        assert_eq!(tracer.end().1.code(), Some(0));
        let (output, status) = program.end();
        assert_eq!(
            (output.as_str(), status.code()),
            ("right\n", Some(7)),
            "{name}"
        );
    }
}

#[test]
fn a_stopped_program_stays_stopped() {
    for name in WITH_FUNCTIONS {
        stopped(name, false, cycles());
    }
    stopped("python3.9", true, cycles().min(20));
}

#[test]
fn asleep_in_sleep() {
    asleep_everywhere("sleep");
}

#[test]
fn asleep_in_select() {
    asleep_everywhere("select");
}

#[test]
fn asleep_in_lock_acquire() {
    asleep_everywhere("lock");
}

#[test]
fn asleep_in_join() {
    asleep_everywhere("join");
}

#[test]
fn asleep_in_recv() {
    asleep_everywhere("recv");
}

#[test]
fn asleep_in_waitpid() {
    asleep_everywhere("waitpid");
}
