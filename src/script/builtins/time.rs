//! Clocks and dates.
//!
//! A time is that of the firing, so that it does not matter how late its handler runs.

use crate::script::builtin::{IntFunction, Needs, StrFunction};
use crate::script::format::{Layout, write_decimal, write_gmt, write_int, zone};
use crate::script::ir::{Fault, IntStyle};
use crate::script::vm::Call;

/// Ticks of the kernel's clock a second, as most distributions configure it.
const TICKS: i64 = 250;
/// In ns.
pub(super) const SECOND: i64 = 1_000_000_000;

/// CLOCK_REALTIME of the firing, ns since 1970.
fn wall_time(call: &mut Call<'_>) -> i64 {
    let time = call.time();
    call.state.wall_clock.at(time)
}

/// CLOCK_MONOTONIC of the firing, ns.
pub(super) fn monotonic_time(call: &Call<'_>) -> i64 {
    i64::try_from(call.time()).unwrap_or(i64::MAX)
}

/// Rows that are a clock in different units.
macro_rules! clocks {
    ($($(#[$doc:meta])* $row:ident $name:literal: $clock:ident / $divisor:expr;)*) => {$(
        $(#[$doc])*
        pub static $row: IntFunction = IntFunction {
            name: $name,
            needs: Needs::NONE,
            run: |call| Ok($clock(call) / $divisor),
        };
    )*};
}

pub(super) use clocks;

clocks! {
    /// `local_clock_ns()`, `cpu_clock_ns(cpu)` and `ktime_get_ns()`: ns of a clock that is never set. All CPUs have
    /// the same.
    LOCAL_CLOCK_NS "local_clock_ns": monotonic_time / 1;
    /// `local_clock_us()`
    LOCAL_CLOCK_US "local_clock_us": monotonic_time / 1_000;
    /// `local_clock_ms()`
    LOCAL_CLOCK_MS "local_clock_ms": monotonic_time / 1_000_000;
    /// `local_clock_s()`
    LOCAL_CLOCK_S "local_clock_s": monotonic_time / SECOND;
    /// `get_cycles()`: as if the CPU had 1 GHz.
    GET_CYCLES "get_cycles": monotonic_time / 1;
    /// `jiffies()`: [`HZ`] a second.
    JIFFIES "jiffies": monotonic_time / (SECOND / TICKS);
}

/// `HZ()`: 250.
pub static HZ: IntFunction = IntFunction {
    name: "HZ",
    needs: Needs::NONE,
    run: |_| Ok(TICKS),
};

/// `ctime([seconds])`: a time since 1970 in GMT, 24 characters: `Sun Nov 22 23:39:38 2026`; now when there is none. A
/// fault when it does not fit 32 bits.
pub static CTIME: StrFunction = StrFunction {
    name: "ctime",
    needs: Needs::NONE,
    run: |call| {
        let seconds = seconds(call)?;
        write_gmt(call.result, seconds);
        Ok(())
    },
};

/// `tz_ctime(seconds)`: the same in local time, with the name of the zone behind it.
pub static TZ_CTIME: StrFunction = StrFunction {
    name: "tz_ctime",
    needs: Needs::NONE,
    run: |call| {
        let seconds = seconds(call)?;
        let (ahead, name) = zone(seconds);
        write_gmt(call.result, seconds.saturating_add(ahead));
        call.give(b" ");
        call.give(name.as_bytes());
        Ok(())
    },
};

/// `tz_gmtoff()`: by how many seconds the local time is behind GMT.
pub static TZ_GMTOFF: IntFunction = IntFunction {
    name: "tz_gmtoff",
    needs: Needs::NONE,
    run: |call| {
        let (ahead, _) = zone(wall_time(call) / SECOND);
        Ok(ahead.saturating_neg())
    },
};

/// `tz_name()`: what the local zone is called.
pub static TZ_NAME: StrFunction = StrFunction {
    name: "tz_name",
    needs: Needs::NONE,
    run: |call| {
        let (_, name) = zone(wall_time(call) / SECOND);
        call.give(name.as_bytes());
        Ok(())
    },
};

/// The first argument, seconds since 1970; now when there is none.
fn seconds(call: &mut Call<'_>) -> Result<i64, Fault> {
    let seconds = match call.is_empty() {
        true => wall_time(call) / SECOND,
        false => call.int(0),
    };
    let far = match i32::try_from(seconds) {
        Ok(_) => return Ok(seconds),
        Err(_) if seconds > 0 => "future",
        Err(_) => "past",
    };
    let text = format!("Time too far in the {far} to be converted");
    Err(Fault::Said(text))
}

macro_rules! durations {
    ($($(#[$doc:meta])* $row:ident $name:literal: $second:expr, $digits:expr;)*) => {$(
        $(#[$doc])*
        pub static $row: StrFunction = StrFunction {
            name: $name,
            needs: Needs::NONE,
            run: |call| {
                write_duration(call, $second, $digits);
                Ok(())
            },
        };
    )*};
}

durations! {
    /// `msecs_to_string(ms)`: `1m2.003s`. `cputime_to_string` of a time in ms is the same.
    MSECS_TO_STRING "msecs_to_string": 1_000, 3;
    /// `usecs_to_string(us)`
    USECS_TO_STRING "usecs_to_string": 1_000_000, 6;
    /// `nsecs_to_string(ns)`
    NSECS_TO_STRING "nsecs_to_string": 1_000_000_000, 9;
}

/// Minutes, seconds, and so many digits of a second, of which `second` makes one.
fn write_duration(call: &mut Call<'_>, second: i64, digits: usize) {
    let value = call.int(0);
    let seconds = value / second;
    let layout = Layout {
        precision: Some(digits),
        ..Layout::default()
    };
    write_decimal(call.result, seconds / 60);
    call.give(b"m");
    write_decimal(call.result, seconds % 60);
    call.give(b".");
    write_int(call.result, value % second, IntStyle::Signed, &layout);
    call.give(b"s");
}

#[cfg(test)]
mod tests {
    use super::super::trial::Value::Int;
    use super::super::trial::{Trial, check_str};
    use super::*;

    /// By `date -u`.
    #[test]
    fn ctime_is_gmt() {
        check_str(
            &CTIME,
            &[
                (&[Int(0)], b"Thu Jan  1 00:00:00 1970"),
                (&[Int(1_795_390_778)], b"Sun Nov 22 23:39:38 2026"),
                (&[Int(-2_147_483_648)], b"Fri Dec 13 20:45:52 1901"),
                (&[Int(2_147_483_647)], b"Tue Jan 19 03:14:07 2038"),
            ],
        );
        for (seconds, text) in [
            (2_147_483_648, "Time too far in the future to be converted"),
            (i64::MIN, "Time too far in the past to be converted"),
        ] {
            let given = Trial::default().str(&CTIME, &[Int(seconds)]);
            assert_eq!(given, Err(Fault::Said(text.to_owned())));
            assert!(Trial::default().str(&TZ_CTIME, &[Int(seconds)]).is_err());
        }
        let now = Trial::default().str(&CTIME, &[]).expect("no fault");
        assert_eq!(now.len(), 24);
    }

    #[test]
    fn local_times_have_a_zone() {
        let given = Trial::default()
            .str(&TZ_CTIME, &[Int(0)])
            .expect("no fault");
        assert!(given.len() > 25 && given[24] == b' ', "{given:?}");
        assert!(
            Trial::default()
                .str(&TZ_NAME, &[])
                .is_ok_and(|it| !it.is_empty())
        );
        let offset = Trial::default().int(&TZ_GMTOFF, &[]).expect("no fault");
        assert!(offset.abs() < 86_400);
    }

    #[test]
    fn a_time_is_that_of_the_firing() {
        let mut trial = Trial {
            time: 3_004_005_006,
            ..Trial::default()
        };
        let table = [
            (&LOCAL_CLOCK_NS, 3_004_005_006),
            (&LOCAL_CLOCK_US, 3_004_005),
            (&LOCAL_CLOCK_MS, 3_004),
            (&LOCAL_CLOCK_S, 3),
            (&GET_CYCLES, 3_004_005_006),
            (&JIFFIES, 751),
            (&HZ, 250),
        ];
        for (clock, expected) in table {
            assert_eq!(trial.int(clock, &[]), Ok(expected), "{clock:?}");
        }
    }

    /// Worked out by hand from the printf formats of `task_time.stp`.
    #[test]
    fn durations_are_spelt_out() {
        check_str(
            &MSECS_TO_STRING,
            &[
                (&[Int(0)], b"0m0.000s"),
                (&[Int(62_003)], b"1m2.003s"),
                (&[Int(-62_003)], b"-1m-2.-003s"),
            ],
        );
        check_str(&USECS_TO_STRING, &[(&[Int(1_000_001)], b"0m1.000001s")]);
        check_str(
            &NSECS_TO_STRING,
            &[(&[Int(3_600_000_000_000)], b"60m0.000000000s")],
        );
    }
}
