//! Threads that run when a sampling timer fires. DTrace's `profile` probes fire on every CPU, in whatever runs there;
//! here they fire in the traced threads that run.

use std::sync::Arc;

use crate::event::{Context, Event, EventKind, Ids};
use crate::process::proc::{IfFound, ProcFs};
use crate::process::status::State;

/// A sample of each thread of a process that runs, or would if it were not stopped at a probe. None for no process (0).
pub fn running(pid: i32, now: u64) -> Vec<Event> {
    if pid <= 0 {
        return Vec::new();
    }
    let proc = ProcFs::from_environment();
    let threads = proc.threads(pid).if_found().unwrap_or_default();
    let sample = |tid: i32| {
        let stat = proc.stat(pid, tid).if_found()?;
        let runs = matches!(stat.state, State::Running | State::TracingStop);
        runs.then(|| Event {
            time: now,
            pid,
            tid,
            comm: Arc::from(String::from_utf8_lossy(&stat.comm)),
            // Nothing has fired in it; only what it is matters.
            kind: EventKind::ThreadEnd,
            context: Some(Box::new(Context {
                cpu: stat.processor.unwrap_or(0),
                cpu_time: proc.cpu_time(pid, tid).if_found().unwrap_or(0),
                ids: Ids::default(),
                frames: Vec::new(),
            })),
        })
    };
    threads.into_iter().filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::running;

    #[test]
    fn the_thread_that_asks_runs() {
        let pid = std::process::id().cast_signed();
        let threads = running(pid, 5);
        let own = nix::unistd::gettid().as_raw();
        let sample = threads.iter().find(|it| it.tid == own).expect("it runs");
        assert_eq!((sample.pid, sample.time), (pid, 5));
        assert!(running(0, 5).is_empty());
    }
}
