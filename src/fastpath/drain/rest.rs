//! How whoever drains sleeps: long enough that a busy program need not wake it for each event and an idle one costs
//! nothing, and short enough that a person who watches sees each event within a few milliseconds.
//!
//! After a drain that found something it sleeps for [`GATHER`], and is woken before only when a quarter of a ring is
//! full. After one that found nothing it is woken by the first record, and needs no clock.
//!
//! A thread publishes a record and then looks whether it is to ring, without a barrier in between (that would cost it
//! several times as much as the rest): so just when it is asked to, the record may not be visible here yet, and the
//! request not there. Each becomes visible by itself in much less than [`SETTLE`]; so after that time it is looked once
//! more, before it sleeps for good.

use std::sync::Arc;
use std::time::Duration;

use super::Source;
use crate::fastpath::ring::Waker;
use crate::tracer::monotonic;

/// How long what comes after a drain may gather before the next, ns.
const GATHER: u64 = 4_000_000;
/// How long (ns) it takes at most until a running thread sees what was asked of it.
pub(super) const SETTLE: u64 = 4_000_000;
/// How long it sleeps at least and at most where threads cannot wake it, ns.
const BACK_OFF: (u64, u64) = (1_000_000, 20_000_000);

/// Sleeps.
#[derive(Debug)]
pub(super) struct Rest {
    waker: Arc<Waker>,
    /// Something was found since it last slept.
    pub(super) busy: bool,
    /// Since when (ns) every thread has been asked to ring for its first record.
    pub(super) asked: Option<u64>,
    /// The kernel cannot wait for several bells.
    deaf: bool,
    /// How long it slept last where threads cannot wake it, ns.
    nap: u64,
}

/// What may end a sleep besides the threads.
pub(super) struct Alarm<F> {
    /// A time (CLOCK_MONOTONIC, ns).
    pub(super) until: Option<u64>,
    /// Whether it listens to the waker; if so, says whether there is nothing to do for which it would have been woken.
    pub(super) idle: Option<F>,
}

impl Rest {
    pub(super) fn new(waker: Arc<Waker>) -> Rest {
        Rest {
            waker,
            busy: true,
            asked: None,
            deaf: false,
            nap: 0,
        }
    }

    /// Who wakes it.
    pub(super) fn waker(&self) -> &Arc<Waker> {
        &self.waker
    }

    /// Something was found.
    pub(super) fn busy(&mut self) {
        self.busy = true;
        self.nap = 0;
    }

    /// Sleeps until one of the threads rings, or the alarm goes off.
    pub(super) fn sleep(&mut self, sources: &mut [Source], alarm: Alarm<impl FnOnce() -> bool>) {
        let now = monotonic();
        let listens = alarm.idle.is_some();
        if listens {
            self.waker.prepare_sleep();
        }
        let (mut more, mut changed) = (false, false);
        for source in &mut *sources {
            let prepared = source.reader.prepare_sleep(!self.busy);
            more |= prepared.more || source.line.ended();
            changed |= prepared.changed;
        }
        let own = self.until(now, changed);
        if more || alarm.idle.is_some_and(|idle| !idle()) {
            self.waker.stay_awake();
        } else {
            let until = own.into_iter().chain(alarm.until).min();
            self.wait(sources, now, until, listens);
        }
        if sources.iter().any(|it| it.reader.has_more()) {
            // Nobody need ring while it looks.
            sources.iter().for_each(|it| it.reader.awake());
        }
        self.busy = false;
    }

    /// How long it sleeps by itself.
    fn until(&mut self, now: u64, changed: bool) -> Option<u64> {
        if self.busy {
            self.asked = None;
            return Some(now.saturating_add(GATHER));
        }
        let since = self.asked.filter(|_| !changed);
        let settled = self.asked.insert(since.unwrap_or(now));
        Some(settled.saturating_add(SETTLE)).filter(|it| *it > now)
    }

    fn wait(&mut self, sources: &[Source], now: u64, until: Option<u64>, listens: bool) {
        if !self.deaf && sources.len() <= Waker::MOST_BELLS {
            let bells: Vec<_> = sources.iter().filter_map(|it| it.reader.bell()).collect();
            match self.waker.sleep(&bells, until, listens) {
                Ok(()) => return,
                Err(_) => self.deaf = true,
            }
            if listens {
                self.waker.prepare_sleep();
            }
        }
        self.nap = self.nap.saturating_mul(2).clamp(BACK_OFF.0, BACK_OFF.1);
        let left = until.map_or(u64::MAX, |it| it.saturating_sub(now));
        let limit = Duration::from_nanos(left.min(self.nap));
        self.waker.nap(limit, listens);
    }
}
