//! What to do at each stop: a pure function, so that every corner of ptrace is a row in a table of tests.

use super::wait::{ChildKind, Stop};

/// Where a traced thread is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Attached by the kernel at its birth; it has not run yet.
    Newborn,
    /// It runs, or is about to.
    Running,
    /// In a group-stop, after PTRACE_LISTEN.
    Listening,
    /// It was told to stop so that it can be detached.
    Leaving,
}

/// What the tracer does about a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Forget the thread: it has ended.
    Forget,
    /// Set it running with this signal (0: none).
    Resume(i32),
    /// PTRACE_LISTEN.
    Listen,
    /// A new thread or process stands before its first instruction; `group` when a group-stop was in effect.
    Welcome {
        /// Listen instead of resuming it.
        group: bool,
    },
    /// SIGTRAP: perhaps one of our breakpoints.
    Trap,
    /// It has made a thread or process: note which, then resume it.
    Child(ChildKind),
    /// It runs a new program: look for markers.
    Exec,
    /// It is about to end: tell, then let it.
    Exiting,
    /// It begins or ends a system call: tell, then resume it.
    SystemCall,
    /// Detach it with this signal, unless a breakpoint's SIGTRAP still waits for it.
    Part(i32),
    /// As `Trap`, then detach.
    TrapThenPart,
    /// As `Child`, then detach.
    ChildThenPart(ChildKind),
    /// It runs a new program, in which nothing is planted: detach it.
    ExecThenPart,
}

/// The next phase and what to do, given the phase and why the thread stopped (ptrace(2), PTRACE_SEIZE's rules).
pub fn step(phase: Phase, stop: Stop) -> (Phase, Action) {
    match (phase, stop) {
        (_, Stop::Exited(_) | Stop::Killed(_)) => (phase, Action::Forget),
        (Phase::Leaving, stop) => (Phase::Leaving, leave(stop)),
        (Phase::Newborn, Stop::Trap) => (Phase::Running, Action::Welcome { group: false }),
        (Phase::Newborn, Stop::Group(_)) => (Phase::Listening, Action::Welcome { group: true }),
        (_, Stop::Group(_)) => (Phase::Listening, Action::Listen),
        (_, Stop::Trap | Stop::Other) => (Phase::Running, Action::Resume(0)),
        (_, Stop::Signal(libc::SIGTRAP)) => (Phase::Running, Action::Trap),
        (_, Stop::Signal(signal)) => (Phase::Running, Action::Resume(signal)),
        (_, Stop::Child(kind)) => (Phase::Running, Action::Child(kind)),
        (_, Stop::Exec) => (Phase::Running, Action::Exec),
        (_, Stop::Exiting) => (Phase::Running, Action::Exiting),
        (_, Stop::SystemCall) => (Phase::Running, Action::SystemCall),
    }
}

fn leave(stop: Stop) -> Action {
    match stop {
        Stop::Exited(_) | Stop::Killed(_) => Action::Forget,
        Stop::Signal(libc::SIGTRAP) => Action::TrapThenPart,
        Stop::Signal(signal) => Action::Part(signal),
        Stop::Child(kind) => Action::ChildThenPart(kind),
        Stop::Exec => Action::ExecThenPart,
        Stop::Group(_) | Stop::Trap | Stop::Exiting | Stop::SystemCall | Stop::Other => {
            Action::Part(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Phase::*;

    /// Written from ptrace(2), a row a corner.
    #[test]
    fn every_corner_of_ptrace_has_its_action() {
        let fork = ChildKind::Fork;
        let table = [
            // a new child's first stop; its parent may be in a group-stop
            (
                Newborn,
                Stop::Trap,
                Running,
                Action::Welcome { group: false },
            ),
            (
                Newborn,
                Stop::Group(19),
                Listening,
                Action::Welcome { group: true },
            ),
            // killed before it ever ran
            (Newborn, Stop::Killed(9), Newborn, Action::Forget),
            // signals are passed on, stopping ones and real-time ones too
            (Running, Stop::Signal(2), Running, Action::Resume(2)),
            (Running, Stop::Signal(19), Running, Action::Resume(19)),
            (Running, Stop::Signal(64), Running, Action::Resume(64)),
            (Running, Stop::Signal(5), Running, Action::Trap),
            // the stopping signal delivered, the thread enters the group-stop
            (Running, Stop::Group(20), Listening, Action::Listen),
            // another thread of the process stops it again
            (Listening, Stop::Group(19), Listening, Action::Listen),
            // SIGCONT ends the group-stop: PTRACE_EVENT_STOP with SIGTRAP, then SIGCONT itself
            (Listening, Stop::Trap, Running, Action::Resume(0)),
            (Running, Stop::Signal(18), Running, Action::Resume(18)),
            // SIGKILL ends it wherever it is
            (Listening, Stop::Killed(9), Listening, Action::Forget),
            (Leaving, Stop::Killed(9), Leaving, Action::Forget),
            (Running, Stop::Exited(3), Running, Action::Forget),
            (Running, Stop::Child(fork), Running, Action::Child(fork)),
            (Running, Stop::Exec, Running, Action::Exec),
            (Running, Stop::Other, Running, Action::Resume(0)),
            (Running, Stop::Exiting, Running, Action::Exiting),
            (Running, Stop::SystemCall, Running, Action::SystemCall),
            (Leaving, Stop::Exiting, Leaving, Action::Part(0)),
            (Leaving, Stop::SystemCall, Leaving, Action::Part(0)),
            // leaving: the interrupt's stop, or whatever came first
            (Leaving, Stop::Trap, Leaving, Action::Part(0)),
            (Leaving, Stop::Group(19), Leaving, Action::Part(0)),
            (Leaving, Stop::Signal(15), Leaving, Action::Part(15)),
            (Leaving, Stop::Signal(5), Leaving, Action::TrapThenPart),
            (
                Leaving,
                Stop::Child(fork),
                Leaving,
                Action::ChildThenPart(fork),
            ),
            (Leaving, Stop::Exec, Leaving, Action::ExecThenPart),
            (Leaving, Stop::Other, Leaving, Action::Part(0)),
        ];
        for (phase, stop, next, action) in table {
            assert_eq!(step(phase, stop), (next, action), "{phase:?} {stop:?}");
        }
    }
}
