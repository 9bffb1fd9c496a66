//! A safety net against hangs: kills a process and all it has started when a test takes far too long.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::task::children;

/// Much longer than anything here takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(300);

/// Campaigns take longer, a second for each cycle that is asked for.
fn limit() -> Duration {
    let cycles = std::env::var("PTPYTRACE_CYCLES").ok();
    let more = cycles.and_then(|text| text.parse().ok()).unwrap_or(0);
    LIMIT + Duration::from_secs(more)
}

/// Kills a process tree unless dropped in time.
pub struct Guard {
    _done: Sender<()>,
}

impl Guard {
    /// Watches over a process.
    pub fn new(pid: i32) -> Guard {
        let (done, wait) = channel();
        thread::spawn(move || {
            if wait.recv_timeout(limit()) == Err(RecvTimeoutError::Timeout) {
                eprintln!("process {pid} takes too long: it is killed");
                kill_tree(pid);
            }
        });
        Guard { _done: done }
    }
}

/// Kills a process and its descendants.
pub fn kill_tree(pid: i32) {
    let children = children(pid);
    signal(pid, libc::SIGKILL);
    children.into_iter().for_each(kill_tree);
}

/// kill(2); that the process has ended is no error.
pub fn signal(pid: i32, signal: i32) {
    // SAFETY: kill takes numbers only.
    unsafe { libc::kill(pid, signal) };
}
