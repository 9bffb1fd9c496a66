//! Which CPU the tracer runs on. A trap costs two switches between program and tracer; on one CPU they are cheap,
//! between two CPUs each is a wake-up of an idle one, 5 to 12 times as dear.
//!
//! The scheduler wakes a thread on an idle CPU rather than beside its busy waker, so left alone the two always end up
//! apart. The program's affinity is not ours to touch, so for a thread that traps again and again within [`HOT_RUN`]:
//!
//! - Where the tracer may change its scheduling policy and change it back (CAP_SYS_NICE, RLIMIT_NICE), it takes
//!   SCHED_IDLE and keeps to the CPU where the thread last ran. A CPU on which only such tasks run counts as idle
//!   (`sched_idle_cpu`), so the woken thread stays there, and takes the CPU at once. Should others want that CPU, the
//!   tracer would starve; a [`Rescue`] thread notices, and puts the tracer back to the ordinary policy for a while.
//! - Elsewhere it looks for the next stop for some microseconds before it sleeps: that saves one of the two wake-ups.

use std::sync::Arc;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::rescue::Rescue;
use super::stopped::StoppedThread;
use super::sys::{self, monotonic};
use super::wait::{Waited, wait};
use crate::process::proc::{IfFound, ProcFs};

/// A thread that traps again within this time (ns) is worth waiting for nearby.
const HOT_RUN: u64 = 100_000;
/// So many quick traps in a row make a thread hot.
const HOT_STREAK: u32 = 16;
/// A run that took longer (ns) may have been on another CPU: the load balancer moves threads now and then.
const NEAR_RUN: u64 = 20_000;
/// It is looked up again where the thread runs after so many wake-ups, if a run was long.
const LOOK_AGAIN: u32 = 8;
/// How long (ns) the next stop is looked for before sleeping.
const SPIN: u64 = 30_000;

/// What is known of one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadPlacement {
    resumed: u64,
    streak: u32,
    /// The last run took longer than [`NEAR_RUN`].
    long: bool,
}

impl ThreadPlacement {
    /// Notes that it has trapped, at this time (CLOCK_MONOTONIC, ns).
    pub fn trapped(&mut self, now: u64) {
        let run = now.saturating_sub(self.resumed);
        self.long = run > NEAR_RUN;
        if run < HOT_RUN {
            self.streak = self.streak.saturating_add(1).min(8 * HOT_STREAK);
        } else {
            // One slow run may be somebody else's doing.
            self.streak /= 2;
        }
    }

    fn hot(&self) -> bool {
        self.streak >= HOT_STREAK
    }
}

/// Where the tracer runs.
#[derive(Debug)]
pub struct Placement {
    /// Where it may run; `None` when that is one CPU only, and there is nothing to choose.
    allowed: Option<CpuSet>,
    /// Whether the policy can be changed and changed back; asked when it is first needed.
    reversible: Option<bool>,
    rescue: Option<Arc<Rescue>>,
    /// The CPU that the tracer keeps to, with SCHED_IDLE.
    home: Option<usize>,
    wakes: u32,
    /// Until when (ns) to look for the next stop without sleeping.
    spin_until: u64,
}

impl Placement {
    /// Nothing is changed yet.
    pub fn new() -> Placement {
        Placement {
            allowed: sched_getaffinity(Pid::from_raw(0))
                .ok()
                .filter(|set| members(set).nth(1).is_some()),
            reversible: None,
            rescue: None,
            home: None,
            wakes: 0,
            spin_until: 0,
        }
    }

    /// Resumes a thread of process `pid` after a breakpoint, at this time.
    pub fn resume(
        &mut self,
        thread: StoppedThread,
        placement: &mut ThreadPlacement,
        (pid, proc): (i32, &ProcFs),
        now: u64,
    ) {
        placement.resumed = now;
        if !placement.hot() || self.allowed.is_none() {
            self.cool();
        } else if *self.reversible.get_or_insert_with(sys::idle_is_reversible) {
            self.keep_near(thread.tid(), pid, proc, (now, placement.long));
        } else {
            self.spin_until = now.saturating_add(SPIN);
        }
        thread.resume(0);
    }

    /// Waits for the next tracee.
    pub fn wait(&self) -> Waited {
        if self.spin_until == 0 {
            return wait(true);
        }
        loop {
            match wait(false) {
                Waited::Interrupted if monotonic() < self.spin_until => std::hint::spin_loop(),
                Waited::Interrupted => return wait(true),
                news => return news,
            }
        }
    }

    /// Takes the ordinary policy, and lets the scheduler choose the CPU.
    pub fn cool(&mut self) {
        self.spin_until = 0;
        if let (Some(_), Some(rescue)) = (self.home.take(), &self.rescue) {
            rescue.to_ordinary();
        }
    }

    fn keep_near(&mut self, tid: i32, pid: i32, proc: &ProcFs, (now, long): (u64, bool)) {
        let Some(allowed) = self.allowed else {
            return;
        };
        let rescue = self.rescue.get_or_insert_with(|| Rescue::start(allowed));
        if rescue.beat(now) {
            self.home = None;
            return; // it had to be rescued not long ago
        }
        self.wakes = self.wakes.wrapping_add(1);
        let look = long && self.wakes >= LOOK_AGAIN;
        if self.home.is_some() && !look {
            return;
        }
        self.wakes = 0;
        let stat = proc.stat(pid, tid).if_found();
        let cpu = stat.and_then(|stat| usize::try_from(stat.processor?).ok());
        let Some(cpu) = cpu.filter(|cpu| allowed.is_set(*cpu) == Ok(true)) else {
            return self.cool();
        };
        if self.home == Some(cpu) {
            return;
        }
        let mut only = CpuSet::new();
        if only.set(cpu).is_ok() && sched_setaffinity(Pid::from_raw(0), &only).is_ok() {
            if self.home.is_none() {
                rescue.to_idle();
            }
            self.home = Some(cpu);
        }
    }
}

/// The CPUs in a set.
fn members(set: &CpuSet) -> impl Iterator<Item = usize> {
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_streak_of_quick_traps_makes_a_thread_hot() {
        let mut placement = ThreadPlacement::default();
        for trap in 0..u64::from(HOT_STREAK) {
            assert!(!placement.hot());
            placement.resumed = trap * 1_000_000;
            placement.trapped(placement.resumed + HOT_RUN - 1);
        }
        assert!(placement.hot());
        placement.trapped(placement.resumed + HOT_RUN);
        assert!(!placement.hot());
        for _ in 0..1000 {
            placement.trapped(placement.resumed + 1);
        }
        // One slow run in between changes nothing, a few do.
        placement.trapped(placement.resumed + HOT_RUN);
        assert!(placement.hot());
        for _ in 0..3 {
            placement.trapped(placement.resumed + HOT_RUN);
        }
        assert!(!placement.hot());
    }
}
