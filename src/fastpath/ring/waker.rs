//! One place where a thread waits for several things: the bells of rings, and other threads of this process.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use super::sys;

/// The sleeper is awake, or has been woken.
const AWAKE: u64 = 0;
/// It sleeps, or is about to.
const ASLEEP: u64 = 1;

/// Wakes one thread that sleeps. Costs next to nothing while it does not.
#[derive(Debug, Default)]
pub struct Waker(AtomicU64);

impl Waker {
    /// The most bells that can be waited for at once.
    pub(in crate::fastpath) const MOST_BELLS: usize = sys::MOST_WORDS - 1;

    /// Wakes the sleeper, if it sleeps. What was done before is seen by it when it wakes, or before it falls asleep.
    pub fn wake(&self) {
        // What was done before comes before looking: the sleeper does both the other way round.
        fence(Ordering::SeqCst);
        if self.0.load(Ordering::Relaxed) == ASLEEP
            && self.0.swap(AWAKE, Ordering::SeqCst) == ASLEEP
        {
            sys::futex_wake(&self.0);
        }
    }

    /// The one thread that sleeps says that it is about to. After that it must look once more whether there is
    /// something to do, and then sleep or call [`Waker::stay_awake`].
    pub fn prepare_sleep(&self) {
        self.0.store(ASLEEP, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// It has found something to do.
    pub fn stay_awake(&self) {
        self.0.store(AWAKE, Ordering::SeqCst);
    }

    /// Sleeps until [`Waker::wake`] is called if it was `prepared` for that, one of the bells rings (its low half is not
    /// 0 any more), or it is `until` (CLOCK_MONOTONIC, ns). It may wake for no reason.
    ///
    /// # Errors
    /// The kernel cannot wait for several things (before Linux 5.16), or not for so many.
    pub(in crate::fastpath) fn sleep(
        &self,
        bells: &[&AtomicU64],
        until: Option<u64>,
        prepared: bool,
    ) -> io::Result<()> {
        let mut words = Vec::with_capacity(bells.len().saturating_add(1));
        // The low half is all that is used of it.
        words.push((&self.0, u32::from(prepared)));
        words.extend(bells.iter().map(|bell| (*bell, 0)));
        let result = sys::futex_wait_any(&words, until);
        self.stay_awake();
        result
    }

    /// As [`Waker::sleep`] without bells, for so long at most.
    pub(in crate::fastpath) fn nap(&self, limit: Duration, prepared: bool) {
        sys::futex_wait(&self.0, u32::from(prepared), limit);
        self.stay_awake();
    }
}
