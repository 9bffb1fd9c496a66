//! Histograms as DTrace prints them: a line a bucket, from one before the first that was hit to one behind the last.

use super::Column;
use super::buckets::{LOG_LAST, LOG_ZERO, levels, linear_value, log_value};
use super::log_linear::LogLinear;
use super::summary::{Histogram, Summary};
use crate::script::format::{Layout, write_int, write_str};
use crate::script::ir::{Buckets, IntStyle, StrStyle};

/// The longest bar.
const BAR: usize = 40;

/// Writes a newline, a header, and the lines. What the values are divided by applies to the counts.
pub(super) fn write_histogram(out: &mut Vec<u8>, column: &Column<'_>, buckets: &Buckets) {
    let empty = Histogram::default();
    let histogram = column
        .summary
        .map_or(&empty, |summary: &Summary| summary.histogram(buckets));
    out.extend_from_slice(
        b"\n           value  ------------- Distribution ------------- count    \n",
    );
    let bars = Bars::new(histogram, column.divisor());
    match *buckets {
        Buckets::Log => write_log(out, histogram, &bars),
        Buckets::Linear { low, high, step } => {
            let scale = Linear {
                low,
                step,
                levels: usize::try_from(levels(low, high, step)).unwrap_or(usize::MAX),
            };
            scale.write(out, histogram, &bars);
        }
        Buckets::LogLinear {
            factor,
            low,
            high,
            steps,
        } => {
            let scale = LogLinear::new(factor, low, high, steps);
            write_log_linear(out, &scale, histogram, &bars);
        }
    }
}

fn write_log(out: &mut Vec<u8>, histogram: &Histogram, bars: &Bars) {
    let (first, last) = match histogram.range() {
        Some((first, last)) => (first.saturating_sub(1), last.saturating_add(1)),
        None => (LOG_ZERO - 1, LOG_ZERO + 1),
    };
    for index in first..=last.min(LOG_LAST) {
        write_number(out, log_value(index));
        bars.write(out, histogram.count(index));
    }
}

/// A linear scale.
struct Linear {
    low: i64,
    step: i64,
    levels: usize,
}

impl Linear {
    fn write(&self, out: &mut Vec<u8>, histogram: &Histogram, bars: &Bars) {
        // What is kept apart from the top up to the next step belongs to what is above.
        let over = self.levels.saturating_add(1);
        let (first, last) = match histogram.range() {
            Some((first, last)) => (first.saturating_sub(1), last.saturating_add(1)),
            None => (0, 2),
        };
        for index in first.min(self.levels)..=last.min(over) {
            match index {
                0 => write_label(out, &format!("< {}", self.low)),
                index if index == over => {
                    write_label(out, &format!(">= {}", self.begin(self.levels)));
                }
                index => write_number(out, self.begin(index.saturating_sub(1))),
            }
            let mut count = histogram.count(index);
            if index == over {
                count = count.wrapping_add(histogram.count(over.saturating_add(1)));
            }
            bars.write(out, count);
        }
    }

    fn begin(&self, level: usize) -> i64 {
        linear_value(self.low, self.step, level)
    }
}

fn write_log_linear(out: &mut Vec<u8>, scale: &LogLinear, histogram: &Histogram, bars: &Bars) {
    let middle = scale.middle();
    let end = middle.saturating_mul(2);
    let (mut first, mut last) = match histogram.range() {
        Some((first, last)) => (first.saturating_sub(1), last.saturating_add(1)),
        None => (middle, middle.saturating_add(2)),
    };
    // Where buckets that can have no values lie between, the next that can is the one to begin or end with.
    let shown = |index: usize| scale.begin(index.abs_diff(middle)).is_some();
    while first > 0 && !shown(first) {
        first = first.saturating_sub(1);
    }
    while last < end && !shown(last) {
        last = last.saturating_add(1);
    }
    let from_middle = first >= middle;
    for index in first..=last.min(end) {
        let Some(begin) = scale.begin(index.abs_diff(middle)) else {
            continue;
        };
        write_label(
            out,
            &match index {
                0 => format!("<= -{begin}"),
                index if index == end => format!(">= {begin}"),
                index if index == middle && scale.lowest() == 1 => "0".to_owned(),
                index if index == middle && from_middle => format!("< {}", scale.lowest()),
                index if index == middle => format!("abs() < {}", scale.lowest()),
                index if index < middle => format!("-{begin}"),
                _ => begin.to_string(),
            },
        );
        bars.write(out, histogram.count(index));
    }
}

fn write_number(out: &mut Vec<u8>, value: i64) {
    write_int(out, value, IntStyle::Signed, &Layout::width(16));
    out.push(b' ');
}

fn write_label(out: &mut Vec<u8>, text: &str) {
    write_str(out, text.as_bytes(), StrStyle::Plain, &Layout::width(16));
    out.push(b' ');
}

/// How long bars are.
struct Bars {
    /// The sum of all counts without their signs.
    total: u128,
    positive: bool,
    negative: bool,
    normal: i64,
}

impl Bars {
    fn new(histogram: &Histogram, normal: i64) -> Bars {
        let mut bars = Bars {
            total: 0,
            positive: false,
            negative: false,
            normal,
        };
        for (_, count) in histogram.hits() {
            bars.total = bars.total.saturating_add(u128::from(count.unsigned_abs()));
            bars.positive |= count > 0;
            bars.negative |= count < 0;
        }
        bars
    }

    /// The bar, and the count. Counts below 0 go to the left of the line; where there are such and others, each side
    /// has half of the length.
    fn write(&self, out: &mut Vec<u8>, count: i64) {
        match (self.positive, self.negative) {
            (_, false) => {
                let length = self.length(count, BAR);
                out.push(b'|');
                write_bar(out, b"@ ", length, BAR);
            }
            (false, true) => {
                let length = self.length(count, BAR);
                write_bar(out, b" @", BAR.saturating_sub(length), BAR);
                out.push(b'|');
            }
            (true, true) => {
                let half = BAR / 2;
                let length = self.length(count, half);
                let (left, right) = if count > 0 { (0, length) } else { (length, 0) };
                write_bar(out, b" @", half.saturating_sub(left), half);
                out.push(b'|');
                write_bar(out, b"@ ", right, half);
            }
        }
        let layout = Layout {
            left: true,
            ..Layout::width(9)
        };
        out.push(b' ');
        let shown = count.wrapping_div(self.normal);
        write_int(out, shown, IntStyle::Signed, &layout);
        out.push(b'\n');
    }

    /// The share of the total, in so many parts, to the nearest.
    fn length(&self, count: i64, parts: usize) -> usize {
        let parts = u128::try_from(parts).unwrap_or(0);
        let share = u128::from(count.unsigned_abs()).saturating_mul(parts);
        let doubled = share.saturating_mul(2).saturating_add(self.total);
        let length = doubled.checked_div(self.total.saturating_mul(2));
        length.and_then(|it| usize::try_from(it).ok()).unwrap_or(0)
    }
}

/// The first byte so many times, then the second up to the length.
fn write_bar(out: &mut Vec<u8>, bytes: &[u8; 2], first: usize, length: usize) {
    let [before, behind] = *bytes;
    let middle = out.len().saturating_add(first.min(length));
    let end = out.len().saturating_add(length);
    out.resize(middle, before);
    out.resize(end, behind);
}
