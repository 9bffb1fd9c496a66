//! Signal dispositions as they were before this program changed them: the command inherits those (execve(2): ignored
//! signals stay ignored, handled ones become default).
//!
//! Rust's runtime ignores SIGPIPE before `main`, the C library handles one of its own real-time signals as soon as
//! there are threads, and the tracer handles SIGINT, SIGTERM and SIGHUP even if it was started with them ignored
//! (nohup). Without this the command would see the difference.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bit `n - 1`: signal `n` was ignored when the program started.
static IGNORED_AT_START: AtomicU64 = AtomicU64::new(0);

/// The highest signal of the kernel.
const LAST: i32 = 64;

/// The kernel's `struct sigaction`: handler, flags, restorer, mask. The C library's functions refuse the signals that
/// it keeps for itself, so the system call is used.
type Action = [u64; 4];

/// rt_sigaction(2); false when it fails. Async-signal-safe.
fn rt_sigaction(signal: i32, new: Option<&Action>, old: Option<&mut Action>) -> bool {
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    let old = old.map_or(std::ptr::null_mut(), std::ptr::from_mut);
    // SAFETY: both are null or point to a whole struct; the mask's size is the kernel's. What is installed by the
    // callers below is no code that could run.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, size_of::<u64>()) == 0 }
}

fn bit(signal: i32) -> u64 {
    1u64.checked_shl(signal.wrapping_sub(1) as u32).unwrap_or(0)
}

/// Runs before Rust's runtime changes anything.
extern "C" fn remember() {
    let mut ignored = 0;
    for signal in 1..=LAST {
        let mut action = Action::default();
        if rt_sigaction(signal, None, Some(&mut action)) && action[0] == libc::SIG_IGN as u64 {
            ignored |= bit(signal);
        }
    }
    IGNORED_AT_START.store(ignored, Ordering::Relaxed);
}

// SAFETY: the dynamic linker calls each entry of .init_array once before main; `remember` needs nothing that is
// set up later.
#[used]
#[unsafe(link_section = ".init_array")]
static REMEMBER: extern "C" fn() = remember;

/// Whether the signal was ignored when this program was started.
fn ignored_at_start(signal: i32) -> bool {
    IGNORED_AT_START.load(Ordering::Relaxed) & bit(signal) != 0
}

/// In the forked child: puts the dispositions back. Async-signal-safe.
pub fn restore_for_exec() {
    for signal in 1..=LAST {
        let handler = if ignored_at_start(signal) {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        };
        // It fails for SIGKILL and SIGSTOP, which cannot be changed.
        rt_sigaction(signal, Some(&[handler as u64, 0, 0, 0]), None);
    }
}

/// In the tracer: SIGHUP goes on being ignored when this program was started so (nohup). SIGINT does not: shells start
/// every background job with it ignored, and `kill -INT` is how such a tracer is told to leave.
pub fn ignore_what_was_ignored() {
    if ignored_at_start(libc::SIGHUP) {
        // SAFETY: SIG_IGN is no code that could run.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    }
}
