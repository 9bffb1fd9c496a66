//! The guard as a process of its own.
//!
//! It can only be started by a process with one thread, so the part of the tracer is played by a fork of the test.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::restore;
use super::*;
use crate::process::proc::{IfFound, ProcFs};

/// What is written over the program's code.
const NEW: [u8; 2] = [0xcc, 0xcc];

/// A program that waits, with a place in its code that it will never reach again: where it was started.
struct Program {
    child: Child,
    memory: File,
    start: u64,
}

impl Program {
    fn start() -> Program {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cat");
        let mut stdin = child.stdin.take().expect("its input");
        let stdout = child.stdout.take().expect("its output");
        stdin.write_all(b"x\n").expect("it reads");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it writes");
        child.stdin = Some(stdin);
        let pid = child.id() as i32;
        let auxv = std::fs::read(format!("/proc/{pid}/auxv")).expect("auxv");
        let words: Vec<u64> = auxv
            .chunks_exact(8)
            .map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes")))
            .collect();
        let entry = words.chunks_exact(2).find(|pair| pair[0] == libc::AT_ENTRY);
        Program {
            start: entry.expect("AT_ENTRY")[1],
            memory: restore::open(pid).expect("its memory"),
            child,
        }
    }

    fn code(&self) -> [u8; 2] {
        let mut bytes = [0; 2];
        self.memory
            .read_exact_at(&mut bytes, self.start)
            .expect("code");
        bytes
    }

    /// Forks a tracer, which has changed the program's code when this returns.
    fn traced(&self, end: End) -> Tracer {
        let (mut changed, tell_changed) = pipe().expect("a pipe");
        let (told_to_end, tell_to_end) = pipe().expect("a pipe");
        // SAFETY: the child has one thread, and glibc makes its allocator usable after a fork.
        let pid = match unsafe { libc::fork() } {
            0 => {
                drop((changed, tell_to_end));
                let done = self.trace(end, tell_changed, told_to_end).is_ok();
                // SAFETY: ends the child alone.
                unsafe { libc::_exit(i32::from(!done)) }
            }
            pid => pid,
        };
        drop((tell_changed, told_to_end));
        changed.read_exact(&mut [0]).expect("a tracer");
        Tracer { pid, tell_to_end }
    }

    fn trace(
        &self,
        end: End,
        mut changed: PipeWriter,
        mut told: PipeReader,
    ) -> std::io::Result<()> {
        let guard = Guard::start()?;
        let (address, old) = (self.start, self.code());
        guard.watch(7, self.child.id() as i32, &self.memory)?;
        let new = NEW.to_vec();
        guard.changing(
            7,
            &[Undo::Code {
                address,
                new,
                old: old.to_vec(),
            }],
        )?;
        self.memory.write_all_at(&NEW, address)?;
        changed.write_all(b"x")?;
        told.read_exact(&mut [0])?;
        match end {
            End::Forget => guard.forget(&[7])?,
            End::Restore => self.memory.write_all_at(&old, address)?,
        }
        guard.dismiss()
    }

    /// Waits until the code is as it is to be; how long that took.
    fn wait_for(&self, code: [u8; 2]) -> Duration {
        let start = Instant::now();
        while self.code() != code {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{:x?}",
                self.code()
            );
            std::thread::yield_now();
        }
        start.elapsed()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a tracer ends that is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Forget,
    Restore,
}

/// A fork of the test that plays the tracer.
struct Tracer {
    pid: i32,
    tell_to_end: PipeWriter,
}

impl Tracer {
    /// Its wait status.
    fn wait(self) -> i32 {
        let mut status = -1;
        // SAFETY: plain system call.
        assert_eq!(
            unsafe { libc::waitpid(self.pid, &raw mut status, 0) },
            self.pid
        );
        status
    }
}

/// The guard of a program, as soon as it holds the program's memory open.
fn guard_of(program: &Program) -> i32 {
    let start = Instant::now();
    loop {
        if let Some(guard) = find_guard_of(program) {
            return guard;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no guard");
        std::thread::yield_now();
    }
}

fn find_guard_of(program: &Program) -> Option<i32> {
    let proc = ProcFs::default();
    let memory = format!("/proc/{}/mem", program.child.id());
    let holds = |pid: &i32| {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"));
        let mut descriptors = descriptors.into_iter().flatten().flatten();
        descriptors.any(|it| {
            std::fs::read_link(it.path()).is_ok_and(|to| to.as_os_str() == memory.as_str())
        })
    };
    let named = |pid: &i32| {
        proc.comm(*pid, *pid)
            .if_found()
            .is_some_and(|it| it.as_encoded_bytes() == process::NAME.to_bytes())
    };
    proc.processes()
        .ok()?
        .into_iter()
        .find(|pid| named(pid) && holds(pid))
}

fn wait_for_the_end_of(guard: i32) {
    let start = Instant::now();
    let lives = || {
        let status = ProcFs::default().status(guard).if_found();
        status.is_some_and(|it| {
            !it.state.has_ended() && it.name.as_encoded_bytes() == process::NAME.to_bytes()
        })
    };
    while lives() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the guard ends, too"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_tracers_changes_are_undone() {
    let program = Program::start();
    let before = program.code();
    let tracer = program.traced(End::Restore);
    let guard = guard_of(&program);
    assert_eq!(program.code(), NEW);
    // SAFETY: plain system call.
    unsafe { libc::kill(tracer.pid, libc::SIGKILL) };
    let took = program.wait_for(before);
    println!("undone {took:?} after the tracer was killed");
    assert_eq!(tracer.wait(), libc::SIGKILL);
    wait_for_the_end_of(guard);
}

#[test]
fn a_tracer_that_ends_by_itself_leaves_nothing() {
    for end in [End::Restore, End::Forget] {
        let program = Program::start();
        let before = program.code();
        let mut tracer = program.traced(end);
        let guard = guard_of(&program);
        tracer.tell_to_end.write_all(b"x").expect("a tracer");
        assert_eq!(tracer.wait(), 0);
        wait_for_the_end_of(guard);
        // What was forgotten is not undone.
        let after = if end == End::Forget { NEW } else { before };
        assert_eq!(program.code(), after);
    }
}

#[test]
fn with_threads_there_is_no_guard() {
    let another = std::thread::spawn(std::thread::park);
    let error = Guard::start().expect_err("two threads");
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    another.thread().unpark();
    another.join().expect("a thread");
}
