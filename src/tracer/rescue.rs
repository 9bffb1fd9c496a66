//! A thread that sees to it that the tracer does not starve while it has the policy SCHED_IDLE.
//!
//! Such a task gets next to nothing of a CPU that others want. The tracer counts a heartbeat; where that stands still
//! although the tracer wants to run, this thread, which has the ordinary policy, gives it the ordinary policy too, and
//! for some time, longer each time, the tracer does not change it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use super::sys;
use crate::process::proc::{IfFound, ProcFs};
use crate::process::status::State;

/// How often it is looked whether the tracer gets on.
const LOOK: Duration = Duration::from_millis(5);
/// For how long (ns) the tracer keeps the ordinary policy after the first rescue, and at most.
const DISTRUST: (u64, u64) = (1_000_000_000, 60_000_000_000);

/// What tracer and rescuer share.
#[derive(Debug)]
pub struct Rescue {
    tracer: i32,
    allowed: CpuSet,
    beats: AtomicU64,
    /// The tracer has SCHED_IDLE.
    idle: AtomicBool,
    /// It was rescued; the tracer has not noticed yet.
    rescued: AtomicBool,
    /// Until when (CLOCK_MONOTONIC, ns) the policy is left alone, and for how long the next time.
    distrust: [AtomicU64; 2],
    rescuer: std::sync::OnceLock<Thread>,
}

impl Rescue {
    /// Starts the thread, for the calling tracer, which may run on these CPUs.
    pub fn start(allowed: CpuSet) -> Arc<Rescue> {
        let rescue = Arc::new(Rescue {
            tracer: sys::own_thread(),
            allowed,
            beats: AtomicU64::new(0),
            idle: AtomicBool::new(false),
            rescued: AtomicBool::new(false),
            distrust: [AtomicU64::new(0), AtomicU64::new(DISTRUST.0)],
            rescuer: std::sync::OnceLock::new(),
        });
        let watched = Arc::clone(&rescue);
        let handle = thread::spawn(move || watched.watch());
        let _ = rescue.rescuer.set(handle.thread().clone()); // set once, here
        rescue
    }

    /// The tracer gets on. True while it must not take SCHED_IDLE.
    pub fn beat(&self, now: u64) -> bool {
        self.beats.fetch_add(1, Ordering::Relaxed);
        let [until, length] = &self.distrust;
        if self.rescued.load(Ordering::Relaxed) && self.rescued.swap(false, Ordering::Relaxed) {
            let next = length.load(Ordering::Relaxed);
            until.store(now.saturating_add(next), Ordering::Relaxed);
            length.store(next.saturating_mul(2).min(DISTRUST.1), Ordering::Relaxed);
        }
        now < until.load(Ordering::Relaxed)
    }

    /// The tracer takes SCHED_IDLE.
    pub fn to_idle(&self) {
        self.idle.store(true, Ordering::SeqCst);
        let _ = sys::set_policy(self.tracer, libc::SCHED_IDLE); // without it, things are only slower
        if let Some(rescuer) = self.rescuer.get() {
            rescuer.unpark();
        }
    }

    /// The tracer takes the ordinary policy and may run anywhere.
    pub fn to_ordinary(&self) {
        self.idle.store(false, Ordering::SeqCst);
        let _ = sys::set_policy(self.tracer, libc::SCHED_OTHER);
        let _ = sched_setaffinity(Pid::from_raw(self.tracer), &self.allowed);
    }

    fn watch(&self) {
        let proc = ProcFs::default();
        let own = std::process::id() as i32;
        let mut before = 0;
        loop {
            if !self.idle.load(Ordering::SeqCst) {
                thread::park();
            }
            thread::sleep(LOOK);
            let beats = self.beats.load(Ordering::Relaxed);
            let stands = beats == std::mem::replace(&mut before, beats);
            if !stands || !self.idle.load(Ordering::SeqCst) {
                continue;
            }
            let stat = proc.stat(own, self.tracer).if_found();
            // Asleep it waits for the program; running, or wanting to, without a beat it starves.
            if stat.is_some_and(|stat| stat.state == State::Running) {
                self.to_ordinary();
                self.rescued.store(true, Ordering::SeqCst);
            }
        }
    }
}
