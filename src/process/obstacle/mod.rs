//! Says why a process cannot be traced. The kernel answers nearly every refusal with the same `EPERM`, so the cause is
//! inferred from what `/proc` shows, in the order of the kernel's own checks (`ptrace_attach` and
//! `__ptrace_may_access` in its `kernel/ptrace.c`; ptrace(2), "Ptrace access mode checking").

use std::ffi::OsString;

use super::proc::ProcFs;
use super::program::{Unfit, unfit};
use super::status::Status;
use crate::process::proc::IfFound;

pub mod caller;
pub mod facts;
mod text;

pub(crate) use text::printable;

pub use caller::Caller;
pub use facts::{Facts, Names};

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// `PTRACE_SEIZE` (or `PTRACE_ATTACH`).
    Seize,
    /// Opening `/proc/PID/mem`.
    OpenMemory,
}

/// A process and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub pid: i32,
    /// Its name, if it could be read.
    pub name: Option<OsString>,
}

/// Why one process cannot be traced. Displayed, it says what was tried, what stands in the way, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The process.
    pub process: Named,
    /// What was tried.
    pub attempt: Attempt,
    /// What stands in the way.
    pub cause: Cause,
    /// Who tried.
    pub caller: Caller,
}

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no process of that id (any more).
    NoSuchProcess,
    /// `/proc` hides the process from this user (`hidepid`).
    Hidden,
    /// It has ended; or its main thread has, while others go on.
    Ended {
        /// Who should ask for its status.
        parent: Option<Named>,
        /// Whether other threads of it go on.
        threads_left: bool,
    },
    /// It is a thread of the kernel and runs no program.
    KernelThread,
    /// It is the tracer itself.
    Itself,
    /// Another process traces it.
    TracedBy(Named),
    /// This tracer traces it already.
    TracedByCaller,
    /// Every ptrace call fails with this error: a seccomp filter or a sandbox refuses them.
    PtraceRefused(i32),
    /// Yama's level: 1 (only descendants), 2 (only with CAP_SYS_PTRACE), 3 (nobody).
    Yama(u32),
    /// It belongs to another user.
    OtherUser {
        /// The user's id.
        uid: u32,
        /// The user's name.
        user: Option<String>,
        /// The caller's id.
        own_uid: u32,
        /// The caller's name.
        own_user: Option<String>,
    },
    /// It was started by the same user but has, or can take, the rights of another one: a setuid program.
    SetUser {
        /// Whose rights it has.
        uid: u32,
        /// That user's name.
        user: Option<String>,
    },
    /// The user is the same, but the group is not.
    OtherGroup {
        /// The group's id.
        gid: u32,
        /// The group's name.
        group: Option<String>,
    },
    /// It has capabilities that the caller lacks.
    MoreCapable,
    /// It is not dumpable (`PR_SET_DUMPABLE` in prctl(2)).
    NotDumpable,
    /// It is in a user namespace where the caller's capabilities do not hold.
    OtherUserNamespace,
    /// Its program is none that can be traced.
    Program(Unfit),
    /// The kernel or what stands in for it does not know the call.
    Unsupported(i32),
    /// Nothing of the above: probably a security module, or a tracer that this pid namespace does not show.
    Unexplained {
        /// The error number.
        errno: i32,
        /// The process's label of a security module.
        profile: Option<String>,
    },
}

/// Finds out why `attempt` on a process failed with `errno`. Call it at once: the process may change or end meanwhile.
pub fn diagnose(
    pid: i32,
    attempt: Attempt,
    errno: i32,
    proc: &ProcFs,
    caller: &Caller,
) -> Obstacle {
    let facts = Facts::gather(pid, proc, caller);
    explain(pid, attempt, errno, &facts, caller)
}

/// Says whether a process runs a program that cannot be traced although an attach would succeed: a 32-bit one, or one
/// for another CPU (under an emulator). `None` also when the program cannot be read.
pub fn program_obstacle(pid: i32, proc: &ProcFs, caller: &Caller) -> Option<Obstacle> {
    let cause = Cause::Program(unfit(&proc.process_path(pid, "exe"))?);
    let status = proc.status(pid).if_found();
    Some(Obstacle {
        process: Named {
            pid,
            name: status.map(|status| status.name),
        },
        attempt: Attempt::Seize,
        cause,
        caller: caller.clone(),
    })
}

/// The reasoning of [`diagnose`], from facts alone.
pub fn explain(pid: i32, attempt: Attempt, errno: i32, facts: &Facts, caller: &Caller) -> Obstacle {
    let name = facts.status.as_ref().map(|status| status.name.clone());
    Obstacle {
        process: Named { pid, name },
        attempt,
        cause: cause(attempt, errno, facts, caller),
        caller: caller.clone(),
    }
}

fn cause(attempt: Attempt, errno: i32, facts: &Facts, caller: &Caller) -> Cause {
    let refused = matches!(errno, libc::EPERM | libc::EACCES);
    let Some(status) = facts.status.as_ref() else {
        // Refused, and now gone: it has ended since, unless this /proc does not show everything.
        return match refused && (facts.visible || facts.hides_others) {
            true => Cause::Hidden,
            false => Cause::NoSuchProcess,
        };
    };
    if status.state.has_ended() {
        return Cause::Ended {
            parent: facts.parent.clone(),
            threads_left: facts.several_threads,
        };
    }
    if facts.kernel_thread.unwrap_or(status.is_kernel_thread()) {
        return Cause::KernelThread; // whatever the errno: opening its memory gives ESRCH
    }
    let refused_always = caller.ptrace_refused.filter(|_| attempt == Attempt::Seize);
    match errno {
        // The attempt failed on an id that has been reused since, or on a process of another pid namespace.
        libc::ESRCH | libc::ENOENT => Cause::NoSuchProcess,
        _ if status.tgid == caller.pid && attempt == Attempt::Seize => Cause::Itself,
        libc::EIO | libc::ENOSYS => match refused_always {
            Some(errno) => Cause::PtraceRefused(errno),
            None => Cause::Unsupported(errno),
        },
        _ if refused_always == Some(errno) => Cause::PtraceRefused(errno),
        _ if refused => refusal(attempt, errno, status, facts, caller),
        _ => unexplained(errno, facts),
    }
}

/// Why the kernel says `EPERM` to a ptrace call, or `EACCES` to opening memory.
fn refusal(attempt: Attempt, errno: i32, status: &Status, facts: &Facts, caller: &Caller) -> Cause {
    // A tracer stands in the way of another tracer, but not of a reader of memory.
    if let Some(tracer) = facts.tracer.as_ref().filter(|_| attempt == Attempt::Seize) {
        return match tracer.pid == caller.pid {
            true => Cause::TracedByCaller,
            false => Cause::TracedBy(tracer.clone()),
        };
    }
    if facts.ptrace_scope == Some(3) {
        return Cause::Yama(3);
    }
    if !caller.may_trace_others() {
        if let Some(cause) = without_capability(attempt, status, facts, caller) {
            return cause;
        }
    } else if !facts
        .same_user_namespace
        .unwrap_or(!caller.in_user_namespace)
    {
        return Cause::OtherUserNamespace;
    }
    unexplained(errno, facts)
}

/// What CAP_SYS_PTRACE would overcome.
fn without_capability(
    attempt: Attempt,
    status: &Status,
    facts: &Facts,
    caller: &Caller,
) -> Option<Cause> {
    if facts.ptrace_scope == Some(2) {
        return Some(Cause::Yama(2));
    }
    // ptrace compares the real ids of the caller, access to /proc those for files.
    // Of the capabilities, it looks at those that could be in force, and at those that are.
    let (own_uid, own_gid, capabilities) = match attempt {
        Attempt::Seize => (caller.uid.real, caller.gid.real, caller.permitted),
        Attempt::OpenMemory => (
            caller.uid.filesystem,
            caller.gid.filesystem,
            caller.capabilities,
        ),
    };
    if !status.uid.are_traceable_by(own_uid) {
        return Some(foreign(own_uid, status, facts));
    }
    if !status.gid.are_traceable_by(own_gid) {
        return Some(Cause::OtherGroup {
            gid: status.gid.effective,
            group: facts.names.group.clone(),
        });
    }
    // What is not dumpable has files of root. (A process of root has them in any case.)
    let owner_differs = facts
        .files_owner
        .is_some_and(|owner| owner != status.uid.effective);
    match () {
        () if !capabilities.include(status.permitted) => Some(Cause::MoreCapable),
        () if owner_differs => Some(Cause::NotDumpable),
        () if facts.same_user_namespace == Some(false) => Some(Cause::OtherUserNamespace),
        () if facts.ptrace_scope == Some(1) && !facts.descendant => Some(Cause::Yama(1)),
        () => None,
    }
}

/// Another user's process, or one with another user's rights.
fn foreign(own_uid: u32, status: &Status, facts: &Facts) -> Cause {
    let ids = [status.uid.effective, status.uid.saved];
    let other = ids.into_iter().find(|id| *id != own_uid);
    let name_of = |id| {
        facts
            .names
            .user
            .clone()
            .filter(|_| id == status.uid.effective)
    };
    match other {
        Some(uid) if status.uid.real == own_uid => Cause::SetUser {
            uid,
            user: name_of(uid),
        },
        _ => Cause::OtherUser {
            uid: status.uid.effective,
            user: facts.names.user.clone(),
            own_uid,
            own_user: facts.names.caller.clone(),
        },
    }
}

fn unexplained(errno: i32, facts: &Facts) -> Cause {
    Cause::Unexplained {
        errno,
        profile: facts.profile.clone(),
    }
}

#[cfg(test)]
mod tests;
