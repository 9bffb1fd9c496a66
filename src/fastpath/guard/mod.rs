//! What happens to the traced programs when the tracer is killed with SIGKILL.
//!
//! The kernel lets the traced threads go and they run on. A diverted site goes on working: its stub sees that nobody
//! listens any more and records nothing. A breakpoint does not: the next thread that runs into it dies by SIGTRAP. Two
//! things stand against that, of which each covers what the other cannot.
//!
//! 1. The *guard*: a process that the tracer forks before all else and tells, before each change of a program, how to undo
//!    it ([`Guard`], [`Undo`]). When the tracer is gone its end of a socket is closed, and the guard writes the original
//!    bytes and lowers the semaphores through `/proc/PID/mem`, whose descriptors the tracer has passed to it: opening
//!    them itself, the guard would be refused where Yama lets only ancestors trace. It is nobody's tracer. It cannot be
//!    at once: the kernel may let the threads go before the guard has been woken, and a busy program runs into a
//!    breakpoint within a microsecond.
//! 2. The [`shield`]: a handler for SIGTRAP in the program. While there is a tracer, the signal goes to it and never
//!    arrives. When there is none, the handler waits until the guard has undone everything, and has the original
//!    instruction run.
//!
//! # What is promised
//!
//! - A shielded program survives: threads that were stopped at a breakpoint when the tracer died, threads that run into
//!   one afterwards, and children that were forked meanwhile, which inherit the handler.
//! - After the guard's work no breakpoint of a registered address space is left, and no semaphore is raised. So it is in
//!   children that were forked when the tracer died: they are known by the shield in their memory, or by their parents,
//!   and are searched for over five seconds.
//! - Threads that were making system calls or calling functions on the tracer's behalf go on as before.
//! - When the tracer ends by itself it dismisses the guard, and nothing of it is left.
//!
//! # What is not
//!
//! - A breakpoint that a thread runs into with SIGTRAP blocked, before the guard has undone it: the kernel then ends the
//!   program whatever the handler says. Where a thread blocks everything by the C library's functions, the tracer
//!   leaves SIGTRAP out of that; a program that blocks it by other ways, or some signals only, is exposed, and so is
//!   a child made by vfork or `posix_spawn` that the tracer has not seen yet.
//! - A program that cannot be shielded, because nothing may be injected into it (seccomp, W^X policy), and one that has
//!   disposed of SIGTRAP itself: by its handler, or by ignoring it, which a breakpoint overrides.
//! - The time between an attach and the moment in which a thread first has signals unblocked, where that takes longer
//!   than a second.
//! - A guard that is killed, too (it has a session and a name of its own, so that signals to the tracer's process group
//!   and terminal, and `pkill ptpytrace`, do not reach it): threads wait ten seconds, and go on behind the breakpoint.
//!
//! The shield's page and handler, and ten bytes behind the code of the vdso, stay in the program of a killed tracer; the
//! next tracer uses them again.

mod message;
mod process;
mod restore;
pub mod shield;

pub use message::{MAX_BYTES, Undo};
pub use process::Guard;

#[cfg(test)]
mod killed;
#[cfg(test)]
mod tests;
