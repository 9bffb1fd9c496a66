//! Converts the CPU's ticks to CLOCK_MONOTONIC.
//!
//! The kernel bends CLOCK_MONOTONIC a little all the time (adjtimex(2)), so pairs of readings are taken again and
//! again, and times lie on the line through two of them.

use nix::time::{ClockId, clock_gettime};

use super::sys;

/// How old a pair may be before another is taken, ns.
const FRESH: u64 = 100_000_000;
/// How long the first line is at least, ns: what a reading is off by, some tens of nanoseconds, is then less than a
/// thousandth of it.
const LEAST: u64 = 100_000;
/// How often both clocks are read for one pair; the best is kept.
const TRIES: usize = 4;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) ticks: u64,
    /// CLOCK_MONOTONIC, ns.
    pub(super) time: u64,
}

impl Pair {
    /// Now: of several readings the one during which the fewest ticks went by.
    pub(super) fn now() -> Pair {
        let mut best = (u64::MAX, Pair { ticks: 0, time: 0 });
        for _ in 0..TRIES {
            let before = sys::ticks();
            let time = monotonic();
            let between = sys::ticks().wrapping_sub(before);
            let ticks = before.wrapping_add(between / 2);
            if between < best.0 {
                best = (between, Pair { ticks, time });
            }
        }
        best.1
    }
}

fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC);
    let ns = time.map(|it| {
        it.tv_sec()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(it.tv_nsec())
    });
    ns.map_or(0, i64::cast_unsigned)
}

/// The line through two pairs.
#[derive(Clone, Debug)]
pub(in crate::fastpath) struct Clock {
    /// The line's beginning.
    from: Pair,
    /// The next line's beginning.
    middle: Pair,
    /// The line's end, the last pair taken.
    to: Pair,
    /// Nanoseconds a tick, in units of 2⁻³².
    slope: u64,
    /// The latest time given: time does not run backwards when the line is bent.
    latest: u64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new(Pair { ticks: 0, time: 0 })
    }
}

impl Clock {
    /// Begins now; times are only good after [`Clock::refresh`].
    pub(in crate::fastpath) fn now() -> Clock {
        Clock::new(Pair::now())
    }

    /// Begins at a pair.
    pub(super) fn new(at: Pair) -> Clock {
        Clock {
            from: at,
            middle: at,
            to: at,
            slope: 1 << 32,
            latest: 0,
        }
    }

    /// Takes another pair when the last is old, or the line too short to go so far beyond it; the first time at once.
    /// `ticks` is a moment that is not before the last.
    pub(in crate::fastpath) fn refresh(&mut self, ticks: u64) {
        if self.to == self.from {
            while monotonic().saturating_sub(self.from.time) < LEAST {
                std::hint::spin_loop();
            }
        }
        self.refresh_with(Pair::now, ticks);
    }

    /// As [`Clock::refresh`], with the pair that is to be taken.
    pub(super) fn refresh_with(&mut self, now: impl FnOnce() -> Pair, ticks: u64) {
        // What a reading is off by grows with the distance, in units of the line's length.
        let length = self.to.ticks.saturating_sub(self.from.ticks);
        let beyond = ticks.saturating_sub(self.to.ticks);
        let age = self.unlimited(ticks).saturating_sub(self.to.time);
        if length > 0 && beyond <= length && age < FRESH {
            return;
        }
        let pair = now();
        if pair.time.saturating_sub(self.middle.time) >= FRESH {
            self.from = self.middle;
            self.middle = pair;
        }
        let passed = u128::from(pair.ticks.saturating_sub(self.from.ticks));
        let time = u128::from(pair.time.saturating_sub(self.from.time));
        if passed == 0 || time == 0 {
            return;
        }
        let slope = (time << 32) / passed;
        self.slope = u64::try_from(slope).unwrap_or(u64::MAX);
        self.to = pair;
    }

    /// The moment of a time, ticks.
    pub(in crate::fastpath) fn ticks_at(&self, time: u64) -> u64 {
        match time.checked_sub(self.to.time) {
            Some(after) => self.to.ticks.saturating_add(self.ticks_in(after)),
            None => {
                let before = self.to.time.saturating_sub(time);
                self.to.ticks.saturating_sub(self.ticks_in(before))
            }
        }
    }

    /// The time of a moment, ns; never before one that was asked for earlier.
    pub(in crate::fastpath) fn time(&mut self, ticks: u64) -> u64 {
        self.latest = self.unlimited(ticks).max(self.latest);
        self.latest
    }

    /// How many ticks there are in so many nanoseconds, as far as that is known.
    pub(in crate::fastpath) fn ticks_in(&self, time: u64) -> u64 {
        let ticks = (u128::from(time) << 32) / u128::from(self.slope.max(1));
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    fn unlimited(&self, ticks: u64) -> u64 {
        let scaled = |ticks: u64| {
            let ns = (u128::from(ticks) * u128::from(self.slope)) >> 32;
            u64::try_from(ns).unwrap_or(u64::MAX)
        };
        match ticks.checked_sub(self.to.ticks) {
            Some(after) => self.to.time.saturating_add(scaled(after)),
            None => {
                let before = self.to.ticks.saturating_sub(ticks);
                self.to.time.saturating_sub(scaled(before))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lie_on_the_line_through_the_last_two_pairs() {
        let pair = |ticks, time| Pair { ticks, time };
        let mut clock = Clock::new(pair(1000, 5000));
        clock.refresh_with(|| pair(3000, 6000), 3000);
        assert_eq!(clock.time(1000), 5000);
        assert_eq!((clock.ticks_at(5500), clock.ticks_at(6001)), (2000, 3002));
        assert_eq!(clock.time(2000), 5500);
        assert_eq!(clock.time(3002), 6001);
        assert_eq!(clock.time(2000), 6001, "never backwards");
        let mut clock = Clock::new(pair(0, 0));
        clock.refresh_with(|| pair(10, 30), 10);
        clock.refresh_with(|| unreachable!("the last pair is fresh"), 20);
        assert_eq!(clock.time(20), 60);
        assert_eq!(clock.time(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_short_line_is_not_trusted_far_beyond_its_end() {
        let pair = |ticks, time| Pair { ticks, time };
        let mut clock = Clock::new(pair(0, 0));
        // Its end was read 50 ns late.
        clock.refresh_with(|| pair(1000, 1050), 1000);
        let mut taken = 0;
        for ticks in (0..400_000_000u64).step_by(1000) {
            clock.refresh_with(
                || {
                    taken += 1;
                    pair(ticks, ticks)
                },
                ticks,
            );
            let off = clock.unlimited(ticks).abs_diff(ticks);
            assert!(off <= 110, "{off} ns off at {ticks}");
        }
        assert!((10..30).contains(&taken), "{taken}");
        assert!(clock.to.time - clock.from.time >= FRESH);
    }

    #[test]
    fn what_makes_no_line_changes_nothing() {
        let pair = Pair { ticks: 7, time: 9 };
        let mut clock = Clock::new(pair);
        clock.refresh_with(|| pair, 7);
        clock.refresh_with(|| Pair { ticks: 0, time: 0 }, 7);
        assert_eq!(clock.time(7), 9);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_first_line_is_long_enough_to_look_back() {
        let earlier = Pair::now();
        let until = monotonic() + 20_000_000;
        while monotonic() < until {}
        let mut clock = Clock::now();
        clock.refresh(sys::ticks());
        let off = clock.unlimited(earlier.ticks).abs_diff(earlier.time);
        assert!(off < 1_000_000, "{off} ns off");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn ticks_become_the_time_that_the_system_says() {
        let mut clock = Clock::new(Pair::now());
        let until = monotonic() + 5_000_000;
        while monotonic() < until {}
        let now = Pair::now();
        clock.refresh_with(|| now, now.ticks);
        let later = Pair::now();
        let off = clock.time(later.ticks).abs_diff(later.time);
        assert!(off < 100_000, "{off} ns off");
    }
}
