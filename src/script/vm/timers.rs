//! When timers are due.

use crate::script::ir::Timer;

/// A timer that runs.
#[derive(Clone, Copy, Debug)]
struct Running {
    timer: Timer,
    /// Whose it is.
    owner: Owner,
    /// When it fires next: CLOCK_MONOTONIC, ns.
    due: u64,
}

/// Whose a timer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A handler's, by its index.
    Handler(usize),
    /// It prints all aggregations.
    Aggregations,
}

/// All timers of a program.
#[derive(Debug, Default)]
pub struct Timers {
    timers: Vec<Running>,
    /// The state of the random numbers that jitter comes from; they need not be good ones.
    random: u64,
}

impl Timers {
    /// Adds one; it fires when [`Timers::start`] was called.
    pub fn add(&mut self, timer: Timer, owner: Owner) {
        self.timers.push(Running {
            timer,
            owner,
            due: u64::MAX,
        });
    }

    /// They run from now on.
    pub fn start(&mut self, now: u64) {
        self.random = now | 1;
        for index in 0..self.timers.len() {
            self.rearm(index, now, now);
        }
    }

    /// When the first one is due.
    pub fn due(&self) -> Option<u64> {
        let dues = self.timers.iter().map(|timer| timer.due);
        dues.filter(|due| *due != u64::MAX).min()
    }

    /// Those that are due, the first first. Each is armed again; what it missed it skips.
    pub fn take_due(&mut self, now: u64) -> Vec<(Owner, Timer)> {
        let due = |(index, running): (usize, &Running)| {
            (running.due <= now).then_some((running.due, index))
        };
        let mut ready: Vec<_> = self.timers.iter().enumerate().filter_map(due).collect();
        ready.sort_unstable();
        let mut fired = Vec::with_capacity(ready.len());
        for (due, index) in ready {
            self.rearm(index, due, now);
            fired.extend(self.timers.get(index).map(|it| (it.owner, it.timer)));
        }
        fired
    }

    /// The next time after `now` that is a whole number of periods from `due`.
    fn rearm(&mut self, index: usize, due: u64, now: u64) {
        let random = self.next_random();
        let Some(running) = self.timers.get_mut(index) else {
            return;
        };
        let Timer { period, jitter, .. } = running.timer;
        let period = period.max(1);
        let missed = now.saturating_sub(due).checked_rem(period).unwrap_or(0);
        let next = now.saturating_sub(missed).saturating_add(period);
        running.due = match jitter {
            0 => next,
            _ => {
                let width = jitter.saturating_mul(2).saturating_add(1);
                let shift = random.checked_rem(width).unwrap_or(0);
                let earliest = next.saturating_sub(jitter);
                earliest.saturating_add(shift).max(now.saturating_add(1))
            }
        };
    }

    /// Marsaglia's xorshift64.
    fn next_random(&mut self) -> u64 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random = x;
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::ir::TimerName;

    fn timer(period: u64, jitter: u64) -> Timer {
        Timer {
            period,
            jitter,
            name: TimerName(0),
            samples: false,
        }
    }

    fn owners(fired: Vec<(Owner, Timer)>) -> Vec<Owner> {
        fired.into_iter().map(|(owner, _)| owner).collect()
    }

    #[test]
    fn what_was_missed_is_skipped_and_the_rhythm_kept() {
        let mut timers = Timers::default();
        timers.add(timer(100, 0), Owner::Handler(0));
        timers.add(timer(30, 0), Owner::Handler(1));
        assert_eq!(timers.due(), None);
        timers.start(1000);
        assert_eq!(timers.due(), Some(1030));
        assert!(timers.take_due(1029).is_empty());
        assert_eq!(owners(timers.take_due(1030)), [Owner::Handler(1)]);
        assert_eq!(timers.due(), Some(1060));
        // 1060 comes before 1100; 1090 is missed.
        let both = [Owner::Handler(1), Owner::Handler(0)];
        assert_eq!(owners(timers.take_due(1105)), both);
        assert_eq!(timers.due(), Some(1120));
        assert!(timers.take_due(1105).is_empty(), "each fires once");
        timers.take_due(1120);
        timers.take_due(1150);
        timers.take_due(1180);
        assert_eq!(timers.due(), Some(1200), "the rhythm of the first");
    }

    #[test]
    fn jitter_stays_within_its_bounds() {
        let mut timers = Timers::default();
        timers.add(timer(1000, 100), Owner::Aggregations);
        let mut now = 5000;
        timers.start(now);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let due = timers.due().expect("armed");
            assert!((900..=1100).contains(&(due - now)), "{}", due - now);
            seen.insert(due - now);
            now = due;
            assert_eq!(timers.take_due(now).len(), 1);
        }
        assert!(seen.len() > 50, "it varies");
    }

    #[test]
    fn absurd_timers_do_no_harm() {
        let mut timers = Timers::default();
        timers.add(timer(0, 0), Owner::Aggregations);
        timers.add(timer(u64::MAX, u64::MAX), Owner::Aggregations);
        timers.start(u64::MAX - 5);
        timers.take_due(u64::MAX);
        timers.due();
    }
}
