//! Aggregations and statistics: what is kept of recorded values, and how it is printed.
//!
//! Nothing here knows where the entries of an aggregation are stored: whoever does hands over [`Column`]s.

mod buckets;
mod dtrace;
mod dtrace_histogram;
#[cfg(test)]
mod hostile;
mod log_linear;
mod order;
mod summary;
mod systemtap;

pub use buckets::MAX_BUCKETS;
pub use dtrace::{write_default_row, write_formatted_row};
pub use order::compare_rows;
pub use summary::Summary;
pub use systemtap::write_histogram_systemtap;

use super::ir::{Buckets, Keep, Statistic};

/// A key of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// An integer.
    Int(i64),
    /// A string.
    Str(&'a [u8]),
}

/// What one of the aggregations that are printed side by side has under a row's keys.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Its entry; `None` when it has none: shown as one of no records.
    pub summary: Option<&'a Summary>,
    /// What the aggregation keeps.
    pub keep: &'a Keep,
    /// What its values are divided by when they are shown; 1 where nothing is said. 0 counts as 1.
    pub normal: i64,
}

impl Column<'_> {
    /// The buckets of the histogram that is its value; `None` when that is a number.
    fn buckets(&self) -> Option<Buckets> {
        self.keep.log.or(self.keep.linear).or(self.keep.log_linear)
    }
}
