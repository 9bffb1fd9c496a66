//! In which order rows are printed.

use std::cmp::Ordering;

use super::{Column, Key};

/// Compares two rows: by the value of the first aggregation, then of the next, then by keys (DTrace's rules). What a
/// value is divided by when it is shown does not matter. With `unsigned_keys`, integers that are keys compare unsigned.
pub fn compare_rows(
    a: (&[Key<'_>], &[Column<'_>]),
    b: (&[Key<'_>], &[Column<'_>]),
    unsigned_keys: bool,
) -> Ordering {
    let values = a.1.iter().zip(b.1).map(|(a, b)| compare_values(a, b));
    let keys = a.0.iter().zip(b.0);
    let keys = keys.map(|(a, b)| compare_keys(a, b, unsigned_keys));
    values
        .chain(keys)
        .find(|it| it.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Histograms compare by what they weigh, then by the count of 0.
fn compare_values(a: &Column<'_>, b: &Column<'_>) -> Ordering {
    match (a.weight(), b.weight()) {
        (None, None) => match a.keep.value {
            // It is a square root without a sign, of 64 bits.
            super::Statistic::Deviation => {
                a.value().cast_unsigned().cmp(&b.value().cast_unsigned())
            }
            _ => a.value().cmp(&b.value()),
        },
        (a, b) => a.cmp(&b),
    }
}

fn compare_keys(a: &Key<'_>, b: &Key<'_>, unsigned: bool) -> Ordering {
    match (a, b) {
        (Key::Int(a), Key::Int(b)) if unsigned => a.cast_unsigned().cmp(&b.cast_unsigned()),
        (Key::Int(a), Key::Int(b)) => a.cmp(b),
        (Key::Str(a), Key::Str(b)) => a.cmp(b),
        (Key::Int(_), Key::Str(_)) => Ordering::Less,
        (Key::Str(_), Key::Int(_)) => Ordering::Greater,
    }
}

impl Column<'_> {
    /// The value that is not divided by anything; 0 when there is none.
    fn value(&self) -> i64 {
        let what = self.keep.value;
        self.summary
            .and_then(|summary| summary.statistic(what))
            .unwrap_or(0)
    }

    /// What a histogram weighs: the sum of its buckets' values, then the count of 0; `None` when there is no histogram.
    fn weight(&self) -> Option<(i128, i64)> {
        let buckets = self.buckets()?;
        let Some(summary) = self.summary else {
            return Some((0, 0));
        };
        let histogram = summary.histogram(&buckets);
        let weight = histogram.hits().fold(0_i128, |sum, (index, count)| {
            sum.saturating_add(buckets.weight(index).saturating_mul(i128::from(count)))
        });
        let zero = buckets.index(0);
        let zeros = match buckets.weight(zero) {
            0 => histogram.count(zero),
            _ => 0,
        };
        Some((weight, zeros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::aggregation::Summary;
    use crate::script::ir::{Buckets, Keep, Statistic};

    fn summary(keep: &Keep, values: &[i64]) -> Summary {
        let mut summary = Summary::new(keep);
        values.iter().for_each(|it| summary.record(keep, *it, 1));
        summary
    }

    fn compare(keep: &Keep, a: &[i64], b: &[i64]) -> Ordering {
        let (a, b) = (summary(keep, a), summary(keep, b));
        let column = |summary| Column {
            summary: Some(summary),
            keep,
            normal: 1,
        };
        compare_rows((&[], &[column(&a)]), (&[], &[column(&b)]), true)
    }

    #[test]
    fn values_come_first() {
        let keep = |value| Keep {
            value,
            squares: true,
            ..Keep::default()
        };
        let table = [
            (Statistic::Count, &[5][..], &[1, 1][..], Ordering::Less),
            (Statistic::Count, &[5], &[1], Ordering::Equal),
            (Statistic::Sum, &[-5], &[-6, 0], Ordering::Greater),
            (Statistic::Min, &[3, 9], &[4], Ordering::Less),
            (Statistic::Max, &[3, 9], &[4], Ordering::Greater),
            // 10 / 3 is 3.
            (Statistic::Average, &[3, 3, 4], &[3], Ordering::Equal),
            (Statistic::Deviation, &[1, 9], &[100], Ordering::Greater),
            (Statistic::Average, &[], &[-1], Ordering::Greater),
        ];
        for (value, a, b, expected) in table {
            assert_eq!(
                compare(&keep(value), a, b),
                expected,
                "{value:?} {a:?} {b:?}"
            );
        }
    }

    #[test]
    fn histograms_compare_by_weight() {
        let log = Keep {
            log: Some(Buckets::Log),
            ..Keep::default()
        };
        // Both 5 and 7 are in the bucket of 4; -5 is in that of -4.
        assert_eq!(compare(&log, &[5], &[7]), Ordering::Equal);
        assert_eq!(compare(&log, &[5], &[1, 1, 1]), Ordering::Greater);
        assert_eq!(compare(&log, &[-5], &[]), Ordering::Less);
        assert_eq!(compare(&log, &[1, -1], &[0]), Ordering::Less);
        let linear = Keep {
            linear: Some(Buckets::Linear {
                low: 10,
                high: 30,
                step: 10,
            }),
            ..Keep::default()
        };
        // Below weighs 9, 15 weighs 10, above weighs 31.
        assert_eq!(compare(&linear, &[5], &[15]), Ordering::Less);
        assert_eq!(compare(&linear, &[99], &[15, 15, 15]), Ordering::Greater);
        assert_eq!(
            compare(&linear, &[99, 99, 99], &[25, 25, 25, 25, 0]),
            Ordering::Greater
        );
        assert_eq!(compare(&linear, &[30], &[99]), Ordering::Equal);
    }

    #[test]
    fn keys_break_ties() {
        let keep = Keep::default();
        let column = Column {
            summary: None,
            keep: &keep,
            normal: 1,
        };
        let columns = [column];
        let compare = |a: &[Key<'_>], b: &[Key<'_>], unsigned| {
            compare_rows((a, &columns), (b, &columns), unsigned)
        };
        let (one, minus) = (Key::Int(1), Key::Int(-1));
        assert_eq!(compare(&[one], &[minus], true), Ordering::Less);
        assert_eq!(compare(&[one], &[minus], false), Ordering::Greater);
        let (a, b, upper) = (Key::Str(b"a"), Key::Str(b"ab"), Key::Str(b"Z"));
        assert_eq!(compare(&[a, one], &[b, one], true), Ordering::Less);
        assert_eq!(compare(&[a], &[upper], true), Ordering::Greater);
        assert_eq!(compare(&[a, minus], &[a, one], true), Ordering::Greater);
        assert_eq!(compare(&[a, one], &[a, one], true), Ordering::Equal);
    }
}
