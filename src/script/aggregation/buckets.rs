//! Which bucket of a histogram a value belongs to, and where buckets begin.
//!
//! Buckets are numbered from the lowest to the highest:
//! - [`Buckets::Log`]: 0 to 62 for -2^62 (and below) to -1, 63 for 0, 64 to 126 for 1 to 2^62. A bucket of positive
//!   values begins at its power of two, one of negative values ends there.
//! - [`Buckets::Linear`]: 0 for what is below, then one a step, then one from `high` up to the next step, then what is
//!   above. DTrace shows the last two as one.
//! - [`Buckets::LogLinear`]: those of negative values mirror those of positive ones; what is nearer to 0 than the
//!   lowest magnitude has one in the middle, what is beyond the highest has one at each end.

use super::log_linear::LogLinear;
use crate::script::ir::Buckets;

/// The most buckets of a linear or log-linear histogram, the ones at the ends included.
pub const MAX_BUCKETS: usize = 65_536;

/// Where 0 is in a histogram of powers of two.
pub(super) const LOG_ZERO: usize = 63;
/// The last bucket of a histogram of powers of two.
pub(super) const LOG_LAST: usize = 126;

impl Buckets {
    /// Whether a histogram can have these buckets.
    ///
    /// # Errors
    /// What is wrong, in one line without a full stop.
    pub fn check(&self) -> Result<(), String> {
        match *self {
            Buckets::Log => Ok(()),
            Buckets::Linear { low, high, step } => {
                if step < 1 {
                    return Err(format!("the step is {step}, it has to be above 0"));
                }
                if high <= low {
                    return Err(format!(
                        "the upper limit {high} is not above the lower limit {low}"
                    ));
                }
                limited(i128::from(levels(low, high, step)).saturating_add(3))
            }
            Buckets::LogLinear { .. } => self.check_log_linear(),
        }
    }

    fn check_log_linear(&self) -> Result<(), String> {
        let Buckets::LogLinear {
            factor,
            low,
            high,
            steps,
        } = *self
        else {
            return Ok(());
        };
        if factor < 2 {
            return Err(format!("the factor is {factor}, it has to be above 1"));
        }
        if high < low {
            return Err(format!(
                "the high magnitude {high} is below the low magnitude {low}"
            ));
        }
        if steps < 1 {
            return Err("the number of steps has to be above 0".to_owned());
        }
        let top = power(factor, high.saturating_add(1));
        if top.is_none_or(|top| i64::try_from(top).is_err()) {
            return Err(format!(
                "{factor} to the power of {high} is too large for a magnitude"
            ));
        }
        let scale = LogLinear::new(factor, low, high, steps);
        let sides = i128::from(scale.a_side()).saturating_mul(2);
        let divides = steps % factor == 0 || factor % steps == 0;
        // Magnitude 0 may have fewer values than steps.
        let first = if low == 0 && steps > factor {
            2
        } else {
            low.saturating_add(1)
        };
        let width = power(factor, first).map(|it| it % u64::from(steps));
        if !divides || first <= high.saturating_add(1) && width != Some(0) {
            return Err(format!(
                "{steps} steps do not divide magnitudes of {factor} evenly"
            ));
        }
        limited(sides.saturating_add(3))
    }

    /// The number of the bucket that a value belongs to.
    pub(super) fn index(&self, value: i64) -> usize {
        match *self {
            Buckets::Log => match (value, magnitude(value)) {
                (0, _) => LOG_ZERO,
                (1.., magnitude) => LOG_ZERO.saturating_add(1).saturating_add(magnitude),
                (_, magnitude) => (LOG_ZERO - 1).saturating_sub(magnitude),
            },
            Buckets::Linear { low, .. } if value < low => 0,
            Buckets::Linear { low, high, step } => {
                let above = i128::from(value).saturating_sub(i128::from(low));
                let bucket = above.checked_div(i128::from(step)).unwrap_or(0);
                let last = i128::from(levels(low, high, step)).saturating_add(1);
                number(bucket.min(last)).saturating_add(1)
            }
            Buckets::LogLinear {
                factor,
                low,
                high,
                steps,
            } => LogLinear::new(factor, low, high, steps).index(value),
        }
    }

    /// What a bucket counts for when histograms are compared: DTrace's rules.
    pub(super) fn weight(&self, index: usize) -> i128 {
        match *self {
            Buckets::Log => i128::from(log_value(index)),
            Buckets::Linear { low, high, step } => {
                let last = number(i128::from(levels(low, high, step)));
                let begin = |index: usize| {
                    i128::from(low).saturating_add(i128::from(step).saturating_mul(wide(index)))
                };
                match index {
                    0 => i128::from(low).saturating_sub(1),
                    index if index > last => begin(last).saturating_add(1),
                    index => begin(index.saturating_sub(1)),
                }
            }
            Buckets::LogLinear {
                factor,
                low,
                high,
                steps,
            } => LogLinear::new(factor, low, high, steps).weight(index),
        }
    }
}

/// How many whole steps there are between two limits; 0 when there are none.
pub(super) fn levels(low: i64, high: i64, step: i64) -> u64 {
    let range = i128::from(high).saturating_sub(i128::from(low)).max(0);
    let levels = range.checked_div(i128::from(step.max(1))).unwrap_or(0);
    u64::try_from(levels).unwrap_or(u64::MAX)
}

/// Where a step of a linear histogram begins; the nearest number where that is out of range.
pub(super) fn linear_value(low: i64, step: i64, index: usize) -> i64 {
    let steps = i128::from(step).saturating_mul(wide(index));
    let value = i128::from(low).saturating_add(steps);
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// Where a bucket of a histogram of powers of two begins (of negative values: ends).
pub(super) fn log_value(index: usize) -> i64 {
    let power = |exponent: usize| {
        let exponent = u32::try_from(exponent).unwrap_or(62).min(62);
        1_i64 << exponent
    };
    match index {
        ..LOG_ZERO => -power((LOG_ZERO - 1).saturating_sub(index)),
        LOG_ZERO => 0,
        _ => power(index.saturating_sub(LOG_ZERO + 1)),
    }
}

/// The exponent of the largest power of two that is not larger than a value without its sign; at most 62.
fn magnitude(value: i64) -> usize {
    let exponent = value.unsigned_abs().checked_ilog2().unwrap_or(0).min(62);
    usize::try_from(exponent).unwrap_or(62)
}

fn limited(count: i128) -> Result<(), String> {
    if count > wide(MAX_BUCKETS) {
        return Err(format!(
            "these are {count} buckets, the most are {MAX_BUCKETS}"
        ));
    }
    Ok(())
}

fn power(factor: u16, exponent: u16) -> Option<u64> {
    u64::from(factor).checked_pow(u32::from(exponent))
}

fn wide(index: usize) -> i128 {
    i128::try_from(index).unwrap_or(i128::MAX)
}

fn number(value: i128) -> usize {
    usize::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests;
