//! What is kept of the values that were recorded under one key.

use super::MAX_BUCKETS;
use crate::script::ir::{Buckets, Keep, Statistic};

/// What is kept of the values that were recorded under one key.
///
/// Sums wrap, as those of the languages do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    count: i64,
    sum: i64,
    /// Above `max` when there are no values.
    min: i64,
    max: i64,
    /// What few programs ask for.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    /// The sum of squares.
    squares: u128,
    log: Histogram,
    linear: Histogram,
    log_linear: Histogram,
}

impl More {
    fn record(&mut self, keep: &Keep, value: i64, weight: i64) {
        if keep.squares {
            let square = u128::from(value.unsigned_abs()).pow(2);
            let times = u128::from(weight.max(0).unsigned_abs());
            self.squares = self.squares.wrapping_add(square.wrapping_mul(times));
        }
        if let Some(buckets) = &keep.log {
            self.log.add(buckets.index(value), weight);
        }
        if let Some(buckets) = &keep.linear {
            self.linear.add(buckets.index(value), weight);
        }
        if let Some(buckets) = &keep.log_linear {
            self.log_linear.add(buckets.index(value), weight);
        }
    }
}

impl Summary {
    /// Of no records.
    pub fn new(keep: &Keep) -> Summary {
        let more = keep.squares
            || keep.log.is_some()
            || keep.linear.is_some()
            || keep.log_linear.is_some();
        Summary {
            count: 0,
            sum: 0,
            min: i64::MAX,
            max: i64::MIN,
            more: more.then(Box::default),
        }
    }

    /// Adds a value that counts `weight` times. `keep` is what the summary was made with.
    #[inline]
    pub fn record(&mut self, keep: &Keep, value: i64, weight: i64) {
        self.count = self.count.wrapping_add(weight);
        self.sum = self.sum.wrapping_add(value.wrapping_mul(weight));
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if let Some(more) = &mut self.more {
            more.record(keep, value, weight);
        }
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.count = 0;
        self.sum = 0;
        self.min = i64::MAX;
        self.max = i64::MIN;
        if let Some(more) = &mut self.more {
            **more = More::default();
        }
    }

    /// How many values were recorded; each counts by its weight.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// A statistic of the values; `None` when there are none and it needs some.
    pub fn statistic(&self, what: Statistic) -> Option<i64> {
        match what {
            Statistic::Count => Some(self.count),
            Statistic::Sum => Some(self.sum),
            Statistic::Min => (self.min <= self.max).then_some(self.min),
            Statistic::Max => (self.min <= self.max).then_some(self.max),
            Statistic::Average => self.sum.checked_div(self.count),
            Statistic::Variance(_) => self.variance(),
            Statistic::Deviation => self.deviation(1),
        }
    }

    /// A statistic as it is shown where all is divided by `normal` (DTrace's rules); 0 when there are no values.
    pub(super) fn shown(&self, what: Statistic, normal: i64) -> i64 {
        let shown = match what {
            Statistic::Deviation => self.deviation(normal),
            Statistic::Average => self.sum.wrapping_div(normal).checked_div(self.count),
            _ => self.statistic(what).map(|it| it.wrapping_div(normal)),
        };
        shown.unwrap_or(0)
    }

    /// The variance of a sample, toward 0; of one value it is 0. It is exact, so that no shift makes it more so.
    fn variance(&self) -> Option<i64> {
        let count = u128::try_from(self.count).ok().filter(|it| *it > 0)?;
        let (squares, sum) = (self.squares(), u128::from(self.sum.unsigned_abs()));
        let pairs = count.saturating_mul(count.saturating_sub(1));
        let variance = match (squares.checked_mul(count), sum.checked_pow(2)) {
            (Some(squares), Some(square)) => squares.saturating_sub(square).checked_div(pairs),
            _ => squares
                .saturating_sub((sum / count).saturating_mul(sum))
                .checked_div(count.saturating_sub(1)),
        };
        Some(i64::try_from(variance.unwrap_or(0)).unwrap_or(i64::MAX))
    }

    /// As DTrace has it: the root of the average of the squares less the square of the average, each toward 0.
    fn deviation(&self, normal: i64) -> Option<i64> {
        let divisor = u128::from(normal.unsigned_abs());
        let count = u128::try_from(self.count).ok()?;
        let squares = self.squares().checked_div(divisor)?.checked_div(count)?;
        let average = self.sum.checked_div(normal)?.checked_div(self.count)?;
        let square = u128::from(average.unsigned_abs()).pow(2);
        let root = squares.wrapping_sub(square).isqrt();
        u64::try_from(root).ok().map(u64::cast_signed)
    }

    fn squares(&self) -> u128 {
        self.more.as_ref().map_or(0, |more| more.squares)
    }

    /// The histogram of these buckets; empty when it is not kept.
    pub(super) fn histogram(&self, buckets: &Buckets) -> &Histogram {
        const NONE: &Histogram = &Histogram::new();
        match (&self.more, buckets) {
            (None, _) => NONE,
            (Some(more), Buckets::Log) => &more.log,
            (Some(more), Buckets::Linear { .. }) => &more.linear,
            (Some(more), Buckets::LogLinear { .. }) => &more.log_linear,
        }
    }
}

/// How often each bucket was hit. Only the range from the lowest to the highest that was hit takes memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    first: usize,
    counts: Vec<i64>,
}

impl Histogram {
    const fn new() -> Histogram {
        Histogram {
            first: 0,
            counts: Vec::new(),
        }
    }

    fn add(&mut self, index: usize, weight: i64) {
        // Buckets that were not checked must not fill memory.
        let index = index.min(MAX_BUCKETS);
        if self.counts.is_empty() {
            self.first = index;
        }
        if let Some(missing) = self.first.checked_sub(index) {
            self.counts.splice(..0, std::iter::repeat_n(0, missing));
            self.first = index;
        }
        let place = index.saturating_sub(self.first);
        if place >= self.counts.len() {
            self.counts.resize(place.saturating_add(1), 0);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.wrapping_add(weight);
        }
    }

    /// The count of a bucket.
    pub fn count(&self, index: usize) -> i64 {
        let place = index.checked_sub(self.first);
        place
            .and_then(|place| self.counts.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// The buckets whose count is not 0, the lowest first.
    pub fn hits(&self) -> impl DoubleEndedIterator<Item = (usize, i64)> {
        let hit = |(place, count): (usize, &i64)| {
            (*count != 0).then_some((self.first.saturating_add(place), *count))
        };
        self.counts.iter().enumerate().filter_map(hit)
    }

    /// The first and the last bucket whose count is not 0.
    pub fn range(&self) -> Option<(usize, usize)> {
        let (first, _) = self.hits().next()?;
        let (last, _) = self.hits().next_back()?;
        Some((first, last))
    }
}

#[cfg(test)]
mod tests;
