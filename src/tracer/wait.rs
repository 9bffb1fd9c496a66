//! The one door for waiting: what wait4(2) says becomes a [`Stop`], and a stopped thread becomes a
//! [`StoppedThread`], which nothing else can make.

use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::stopped::StoppedThread;
use super::sys;

/// How a syscall-stop differs from a signal (PTRACE_O_TRACESYSGOOD).
const SYSTEM_CALL: i32 = libc::SIGTRAP | 0x80;

/// Why a thread stopped or ended (ptrace(2), "Stopped states").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It ended by itself with this status.
    Exited(i32),
    /// A signal ended it.
    Killed(i32),
    /// Signal-delivery-stop: it is about to get this signal. A breakpoint shows as SIGTRAP.
    Signal(i32),
    /// Group-stop by this stopping signal, or its renewal.
    Group(i32),
    /// PTRACE_EVENT_STOP without a group-stop: after PTRACE_INTERRUPT, at a new thread's start, or when a group-stop
    /// has ended.
    Trap,
    /// PTRACE_EVENT_FORK, VFORK or CLONE: it has made a thread or process.
    Child(ChildKind),
    /// PTRACE_EVENT_EXEC: it runs a new program.
    Exec,
    /// PTRACE_EVENT_EXIT: it is about to end, but is still there.
    Exiting,
    /// Syscall-stop: at the beginning or end of a system call.
    SystemCall,
    /// Any other event: nothing to do.
    Other,
}

/// By which event a new thread or process was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildKind {
    /// `fork`, or `clone` with SIGCHLD.
    Fork,
    /// `vfork`, `posix_spawn`: the parent waits, the memory is shared.
    Vfork,
    /// `clone` otherwise: mostly a thread.
    Clone,
}

impl Stop {
    /// The status as wait(2) would give it, of a thread that has ended; 0 otherwise.
    pub fn status(self) -> i32 {
        match self {
            Stop::Exited(code) => code << 8,
            Stop::Killed(signal) => signal,
            _ => 0,
        }
    }

    /// Reads wait4's status of a seized thread.
    pub fn from_status(status: i32) -> Stop {
        if libc::WIFEXITED(status) {
            return Stop::Exited(libc::WEXITSTATUS(status));
        }
        if libc::WIFSIGNALED(status) {
            return Stop::Killed(libc::WTERMSIG(status));
        }
        let signal = (status >> 8) & 0xff;
        match status >> 16 {
            0 if signal == SYSTEM_CALL => Stop::SystemCall,
            0 => Stop::Signal(signal),
            libc::PTRACE_EVENT_EXIT => Stop::Exiting,
            libc::PTRACE_EVENT_FORK => Stop::Child(ChildKind::Fork),
            libc::PTRACE_EVENT_VFORK => Stop::Child(ChildKind::Vfork),
            libc::PTRACE_EVENT_CLONE => Stop::Child(ChildKind::Clone),
            libc::PTRACE_EVENT_EXEC => Stop::Exec,
            libc::PTRACE_EVENT_STOP if signal == libc::SIGTRAP => Stop::Trap,
            libc::PTRACE_EVENT_STOP => Stop::Group(signal),
            _ => Stop::Other,
        }
    }
}

/// What waiting gave.
#[derive(Debug)]
pub enum Waited {
    /// A tracee stopped.
    Stopped(StoppedThread, Stop),
    /// A tracee or child ended.
    Ended(i32, Stop),
    /// A signal came, or nothing had news: look at the commands.
    Interrupted,
    /// There is nothing to wait for.
    NoChildren,
}

/// Waits for the next tracee; with `block` false only takes what is there.
pub fn wait(block: bool) -> Waited {
    match sys::wait_any(block) {
        Ok(Some((tid, status))) => told(tid, status),
        Err(Errno::ECHILD) => Waited::NoChildren,
        Ok(None) | Err(_) => Waited::Interrupted,
    }
}

/// Waits for one tracee, for so long; [`Waited::Interrupted`] when it has no news by then.
pub fn wait_for(tid: i32, patience: Duration) -> Waited {
    const PAUSE: Duration = Duration::from_micros(20);
    let begun = Instant::now();
    loop {
        match sys::poll_one(tid) {
            Ok(Some(status)) => return told(tid, status),
            Err(Errno::ECHILD) => return Waited::NoChildren,
            Ok(None) | Err(_) if begun.elapsed() >= patience => return Waited::Interrupted,
            Ok(None) | Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn told(tid: i32, status: i32) -> Waited {
    match Stop::from_status(status) {
        stop @ (Stop::Exited(_) | Stop::Killed(_)) => Waited::Ended(tid, stop),
        stop => Waited::Stopped(StoppedThread::new(tid), stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statuses composed by hand from ptrace(2) and wait(2).
    #[test]
    fn every_status_has_its_stop() {
        let stopped = |signal: i32, event: i32| (event << 16) | (signal << 8) | 0x7f;
        let table = [
            (0x0000, Stop::Exited(0)),
            (0x0700, Stop::Exited(7)),
            (0x0009, Stop::Killed(9)),
            (0x008b, Stop::Killed(11)), // with a core dump
            (stopped(5, 0), Stop::Signal(5)),
            (stopped(19, 0), Stop::Signal(19)),
            (stopped(34, 0), Stop::Signal(34)), // a real-time signal
            (stopped(5, 1), Stop::Child(ChildKind::Fork)),
            (stopped(5, 2), Stop::Child(ChildKind::Vfork)),
            (stopped(5, 3), Stop::Child(ChildKind::Clone)),
            (stopped(5, 4), Stop::Exec),
            (stopped(5, 5), Stop::Other), // vfork done
            (stopped(5, 6), Stop::Exiting),
            (stopped(0x85, 0), Stop::SystemCall),
            (stopped(5, 128), Stop::Trap),
            (stopped(19, 128), Stop::Group(19)),
            (stopped(20, 128), Stop::Group(20)),
            (stopped(21, 128), Stop::Group(21)),
            (stopped(22, 128), Stop::Group(22)),
        ];
        for (status, stop) in table {
            assert_eq!(Stop::from_status(status), stop, "{status:#x}");
        }
    }
}
