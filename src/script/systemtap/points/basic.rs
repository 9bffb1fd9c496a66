//! `begin`, `end`, `error`, `never` and the timers.

use super::super::ast::{Argument, Component};
use super::{Resolver, Site, Way, mismatch, text};
use crate::script::diagnostic::Diagnostic;
use crate::script::ir::{Timer, TimerName, Trigger};
use crate::script::source::Span;

/// The longest interval of a timer: a day, in ns.
const MAX_INTERVAL: i64 = 86_400_000_000_000;

/// The shortest interval: 10 µs; shorter ones would do nothing but fire.
const MIN_INTERVAL: i64 = 10_000;

/// `timer.profile` fires so often a second: the kernel's HZ.
const PROFILE_HZ: i64 = 250;

/// A tick of the kernel, ns.
const JIFFY: i64 = 1_000_000_000 / PROFILE_HZ;

impl Resolver<'_, '_> {
    pub(super) fn basic(
        &mut self,
        components: &[Component],
        way: &Way<'_>,
    ) -> Result<Vec<(Trigger, Site)>, Diagnostic> {
        let Some((first, rest)) = components.split_first() else {
            return Ok(Vec::new());
        };
        if first.name == "timer" {
            let timer = self.timer(components, rest, way.span)?;
            return Ok(vec![(Trigger::Timer(timer), Site::Plain)]);
        }
        if let Some(behind) = rest.first() {
            return Err(mismatch(behind, way.span, &[]));
        }
        let priority = match (&first.argument, first.name.as_str()) {
            (None, _) => 0,
            (Some(Argument::Number(number)), "begin" | "end" | "error") => *number,
            _ => return Err(mismatch(first, way.span, &[])),
        };
        let trigger = match first.name.as_str() {
            "begin" => Trigger::Begin(priority),
            "end" => Trigger::End(priority),
            "error" => Trigger::Error(priority),
            _ => Trigger::Never,
        };
        Ok(vec![(trigger, Site::Plain)])
    }

    fn timer(
        &mut self,
        whole: &[Component],
        rest: &[Component],
        at: Span,
    ) -> Result<Timer, Diagnostic> {
        let known = ["s", "ms", "us", "ns", "hz", "jiffies", "profile"];
        let Some((kind, behind)) = rest.split_first() else {
            let message = "semantic error: probe point mismatch: a timer needs its interval";
            return Err(Diagnostic::error(at, message).hint("such as timer.s(1) or timer.ms(100)"));
        };
        let number = match &kind.argument {
            Some(Argument::Number(number)) => Some(*number),
            _ => None,
        };
        let unit = unit(&kind.name);
        let period = match (kind.name.as_str(), number, unit) {
            ("profile", None, _) => JIFFY,
            ("hz", Some(hz), _) if (1..=1_000_000).contains(&hz) => 1_000_000_000 / hz,
            (_, Some(number), Some(unit)) => number.checked_mul(unit).unwrap_or(i64::MAX),
            ("hz", Some(_), _) => 0,
            _ => return Err(mismatch(kind, at, &known)),
        };
        let mut jitter = 0;
        let mut behind = behind;
        if let Some((next, last)) = behind.split_first() {
            match (&next.argument, next.name.as_str(), unit) {
                (Some(Argument::Number(number)), "randomize", Some(unit)) => {
                    jitter = number.checked_mul(unit).unwrap_or(i64::MAX);
                    behind = last;
                }
                (None, "tick", None) => behind = last,
                _ => return Err(mismatch(next, at, &["randomize"])),
            }
        }
        if let Some(next) = behind.first() {
            return Err(mismatch(next, at, &[]));
        }
        if !(MIN_INTERVAL..=MAX_INTERVAL).contains(&period) {
            let message = "semantic error: interval value out of range (10 us to 1 day)";
            return Err(Diagnostic::error(at, message));
        }
        if !(0..=period).contains(&jitter) {
            let message = "semantic error: randomization value out of range (0 to the interval)";
            return Err(Diagnostic::error(at, message));
        }
        Ok(Timer {
            period: period.unsigned_abs(),
            jitter: jitter.unsigned_abs(),
            name: self.timer_name(text(whole)),
            samples: false,
        })
    }

    fn timer_name(&mut self, name: String) -> TimerName {
        let found = self.timers.iter().position(|it| *it == name);
        let index = found.unwrap_or_else(|| {
            self.timers.push(name);
            self.timers.len() - 1
        });
        TimerName(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// How many ns a unit is.
fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "s" | "sec" => 1_000_000_000,
        "ms" | "msec" => 1_000_000,
        "us" | "usec" => 1_000,
        "ns" | "nsec" => 1,
        "jiffies" => JIFFY,
        _ => return None,
    })
}
