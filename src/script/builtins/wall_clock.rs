//! The time since 1970 of something that fired a while ago.
//!
//! CLOCK_REALTIME is CLOCK_MONOTONIC and a number, which changes only when somebody sets the clock (clock_gettime(2);
//! adjtimex(2) bends both alike). Were that number worked out anew for each firing, two of them would come in the wrong
//! order whenever the tracer is interrupted between its readings of the two clocks.

use std::ops::RangeInclusive;

use nix::time::{ClockId, clock_gettime};

use super::time::SECOND;

/// How long the number is believed, ns.
const FRESH: u64 = 100_000_000;
/// How often the clocks are read for it; the best reading is kept.
const TRIES: usize = 4;

/// The clock.
#[derive(Debug, Default)]
pub(in crate::script) struct WallClock {
    ahead: Option<Ahead>,
}

/// By how much one clock is ahead of the other.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    /// In ns.
    by: i64,
    /// By how much that may be wrong, in ns.
    off: i64,
    /// Until then it is believed: CLOCK_MONOTONIC, ns.
    until: u64,
}

impl WallClock {
    /// CLOCK_REALTIME, ns since 1970, when CLOCK_MONOTONIC had this time, ns.
    pub fn at(&mut self, time: u64) -> i64 {
        let ahead = match self.ahead {
            Some(ahead) if time < ahead.until => ahead,
            known => {
                let best = (0..TRIES).map(|_| Ahead::now()).min_by_key(|it| it.off);
                let ahead = best.unwrap_or_else(Ahead::now).after(known);
                *self.ahead.insert(ahead)
            }
        };
        time.cast_signed().wrapping_add(ahead.by)
    }
}

impl Ahead {
    fn now() -> Ahead {
        let before = read(ClockId::CLOCK_MONOTONIC);
        let since_1970 = read(ClockId::CLOCK_REALTIME);
        let after = read(ClockId::CLOCK_MONOTONIC);
        let off = after.saturating_sub(before) / 2;
        Ahead {
            by: since_1970.saturating_sub(before.saturating_add(off)),
            off: off.saturating_add(1), // the halves' rounding
            until: after.cast_unsigned().saturating_add(FRESH),
        }
    }

    /// What was known before stays where both may be right: then nobody has set the clock.
    fn after(self, known: Option<Ahead>) -> Ahead {
        match known {
            Some(known) if self.range().contains(known.range().start()) => self.keeping(known),
            Some(known) if known.range().contains(self.range().start()) => self.keeping(known),
            _ => self,
        }
    }

    fn range(&self) -> RangeInclusive<i64> {
        self.by.saturating_sub(self.off)..=self.by.saturating_add(self.off)
    }

    fn keeping(self, known: Ahead) -> Ahead {
        Ahead {
            until: self.until,
            ..known
        }
    }
}

fn read(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |it| {
        it.tv_sec()
            .saturating_mul(SECOND)
            .saturating_add(it.tv_nsec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_far_apart_as_the_firings() {
        let now = read(ClockId::CLOCK_MONOTONIC).cast_unsigned();
        let mut clock = WallClock::default();
        let times: Vec<i64> = (0..100_000).map(|it| clock.at(now + it * 10_000)).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 10_000));
        let since_1970 = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        let since_1970 = i64::try_from(since_1970.as_nanos()).expect("before 2262");
        // A minute: whatever else the machine has to do in between.
        assert!((since_1970 - times[0]).abs() < 60 * SECOND);
    }

    /// Hand-computed: readings that agree with what is known leave it, others mean that the clock was set.
    #[test]
    fn only_setting_the_clock_changes_it() {
        let ahead = |by, off, until| Ahead { by, off, until };
        let known = ahead(1_000, 10, 1);
        let table = [
            (ahead(1_015, 10, 2), 1_000),
            (ahead(985, 10, 2), 1_000),
            (ahead(1_001, 1, 2), 1_000),
            (ahead(1_500, 600, 2), 1_000),
            (ahead(1_021, 10, 2), 1_021),
            (ahead(-5_000, 10, 2), -5_000),
        ];
        for (read, expected) in table {
            let after = read.after(Some(known));
            assert_eq!((after.by, after.until), (expected, 2), "{read:?}");
        }
        assert_eq!(ahead(7, 1, 2).after(None).by, 7);
    }
}
