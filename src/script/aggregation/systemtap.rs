//! Histograms as SystemTap prints them (stap(1), "Statistics").

use super::Summary;
use super::buckets::{LOG_LAST, LOG_ZERO, levels, linear_value, log_value};
use super::summary::Histogram;
use crate::script::format::{Layout, write_int, write_str};
use crate::script::ir::{Buckets, IntStyle, StrStyle};

/// The longest bar.
const BAR: u64 = 50;
/// So many buckets around one that was hit are shown; longer gaps are left away.
const MARGIN: usize = 2;

/// Writes `@hist_log` or `@hist_linear` of an entry, and an empty line. Of one without values it writes nothing.
pub fn write_histogram_systemtap(out: &mut Vec<u8>, summary: &Summary, buckets: &Buckets) {
    let histogram = summary.histogram(buckets);
    let Some((first, last)) = histogram.range() else {
        return;
    };
    let scale = Scale::new(buckets);
    let rows = Rows {
        first: scale.first(first, histogram),
        last: scale.last(last, histogram),
        histogram,
        scale,
    };
    rows.write(out);
}

/// The values of buckets.
enum Scale {
    Log,
    Linear {
        low: i64,
        step: i64,
        /// The bucket of what is above.
        over: usize,
    },
}

impl Scale {
    /// What SystemTap does not have is shown by powers of two.
    fn new(buckets: &Buckets) -> Scale {
        match *buckets {
            Buckets::Log | Buckets::LogLinear { .. } => Scale::Log,
            Buckets::Linear { low, high, step } => {
                let levels = levels(low, high, step).saturating_add(2);
                Scale::Linear {
                    low,
                    step,
                    over: usize::try_from(levels).unwrap_or(usize::MAX),
                }
            }
        }
    }

    /// Where to begin when that is the first that was hit: in logarithmic ones never below 0 without need, in linear
    /// ones not with what is below when there is nothing.
    fn first(&self, hit: usize, histogram: &Histogram) -> usize {
        match self {
            Scale::Log if hit >= LOG_ZERO => hit.saturating_sub(MARGIN).max(LOG_ZERO),
            Scale::Log => hit.saturating_sub(MARGIN),
            Scale::Linear { .. } => {
                let lowest = usize::from(histogram.count(0) == 0);
                hit.saturating_sub(MARGIN).max(lowest)
            }
        }
    }

    /// Where to end.
    fn last(&self, hit: usize, histogram: &Histogram) -> usize {
        let last = hit.saturating_add(MARGIN);
        match self {
            Scale::Log => last.min(LOG_LAST),
            Scale::Linear { over, .. } => {
                let highest = over.saturating_sub(usize::from(histogram.count(*over) == 0));
                last.min(highest)
            }
        }
    }

    /// The value of a bucket, and what stands before it.
    fn label(&self, index: usize) -> (&'static [u8], i64) {
        match *self {
            Scale::Log => (b"", log_value(index)),
            Scale::Linear { low, step, over } => {
                let (prefix, steps): (&[u8], usize) = match index {
                    0 => (b"<", 0),
                    index if index == over => (b">", index.saturating_sub(2)),
                    index => (b"", index.saturating_sub(1)),
                };
                (prefix, linear_value(low, step, steps))
            }
        }
    }

    /// How wide the values of these buckets are.
    fn width(&self, first: usize, last: usize) -> usize {
        let (low, high) = match *self {
            Scale::Log => (log_value(first), log_value(last)),
            // By the highest bucket's own end, prefixes included.
            Scale::Linear { low, step, over } => {
                let high = linear_value(low, step, last);
                let (under, over) = (usize::from(first == 0), usize::from(last == over));
                return (digits(low).saturating_add(under))
                    .max(digits(high).saturating_add(over))
                    .max(5);
            }
        };
        digits(low).max(digits(high)).max(5)
    }
}

/// The lines of a histogram.
struct Rows<'a> {
    first: usize,
    last: usize,
    histogram: &'a Histogram,
    scale: Scale,
}

impl Rows<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let width = self.scale.width(self.first, self.last);
        let most = self.histogram.hits().map(|(_, count)| count).max();
        let most = u64::try_from(most.unwrap_or(0)).unwrap_or(0);
        let a_sign = most.div_ceil(BAR).max(1);
        write_str(out, b"value", StrStyle::Plain, &Layout::width(width));
        out.extend_from_slice(b" |");
        repeat(out, b'-', BAR);
        out.extend_from_slice(b" count\n");
        let mut gap = false;
        for index in self.first..=self.last {
            if self.is_far(index) {
                gap = true;
                continue;
            }
            if std::mem::take(&mut gap) {
                repeat(out, b' ', u64::try_from(width).unwrap_or(0));
                out.extend_from_slice(b" ~\n");
            }
            let (prefix, value) = self.scale.label(index);
            let before = width.saturating_sub(digits(value));
            write_str(out, prefix, StrStyle::Plain, &Layout::width(before));
            write_int(out, value, IntStyle::Signed, &Layout::default());
            out.extend_from_slice(b" |");
            let count = self.histogram.count(index);
            let length = u64::try_from(count).unwrap_or(0) / a_sign;
            repeat(out, b'@', length);
            let left = usize::try_from(BAR.saturating_sub(length)).unwrap_or(0);
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let layout = Layout::width(left.saturating_add(1).saturating_add(digits(most)));
            write_int(out, count, IntStyle::Signed, &layout);
            out.push(b'\n');
        }
        out.push(b'\n');
    }

    /// Whether neither a bucket nor those around it were hit.
    fn is_far(&self, index: usize) -> bool {
        let first = index.saturating_sub(MARGIN).max(self.first);
        let last = index.saturating_add(MARGIN).min(self.last);
        (first..=last).all(|index| self.histogram.count(index) == 0)
    }
}

fn repeat(out: &mut Vec<u8>, byte: u8, times: u64) {
    let times = usize::try_from(times).unwrap_or(0);
    out.resize(out.len().saturating_add(times), byte);
}

/// How wide a number is, its sign included.
fn digits(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0);
    let sign = usize::from(value < 0);
    usize::try_from(digits)
        .unwrap_or(0)
        .saturating_add(1)
        .saturating_add(sign)
}

#[cfg(test)]
mod tests;
