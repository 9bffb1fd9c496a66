use super::*;

fn summary(keep: &Keep, values: &[i64]) -> Summary {
    let mut summary = Summary::new(keep);
    values.iter().for_each(|it| summary.record(keep, *it, 1));
    summary
}

fn squares() -> Keep {
    Keep {
        squares: true,
        ..Keep::default()
    }
}

#[test]
fn statistics_are_exact() {
    let table = [
        (Statistic::Count, &[][..], Some(0)),
        (Statistic::Sum, &[], Some(0)),
        (Statistic::Min, &[], None),
        (Statistic::Max, &[], None),
        (Statistic::Average, &[], None),
        (Statistic::Variance(0), &[], None),
        (Statistic::Deviation, &[], None),
        (Statistic::Count, &[4, -9], Some(2)),
        (Statistic::Sum, &[4, -9], Some(-5)),
        (Statistic::Min, &[4, -9], Some(-9)),
        (Statistic::Max, &[4, -9], Some(4)),
        // -5 / 2 is -2 toward 0.
        (Statistic::Average, &[4, -9], Some(-2)),
        (Statistic::Variance(0), &[7], Some(0)),
        // About 5: (9 + 1 + 1 + 1 + 0 + 0 + 4 + 16) / 7 is 4.57.
        (Statistic::Variance(0), &[2, 4, 4, 4, 5, 5, 7, 9], Some(4)),
        (Statistic::Variance(8), &[2, 4, 4, 4, 5, 5, 7, 9], Some(4)),
        // 232 / 8 is 29, less 5 * 5, is 4.
        (Statistic::Deviation, &[2, 4, 4, 4, 5, 5, 7, 9], Some(2)),
        (Statistic::Deviation, &[7], Some(0)),
        (Statistic::Min, &[i64::MAX], Some(i64::MAX)),
        (Statistic::Max, &[i64::MIN], Some(i64::MIN)),
        (Statistic::Sum, &[i64::MAX, 1], Some(i64::MIN)),
        (
            Statistic::Variance(0),
            &[i64::MAX, 0, 0, 0, 0, 0],
            Some(i64::MAX),
        ),
        // Twice 2^63: the average, of a sum that has wrapped, is 0.
        (Statistic::Deviation, &[i64::MIN, i64::MIN], Some(i64::MIN)),
    ];
    for (what, values, expected) in table {
        let summary = summary(&squares(), values);
        assert_eq!(summary.statistic(what), expected, "{what:?} {values:?}");
    }
}

#[test]
fn clearing_forgets_all() {
    let keep = Keep {
        log: Some(Buckets::Log),
        squares: true,
        ..Keep::default()
    };
    let mut used = summary(&keep, &[1, 2, 3]);
    used.clear();
    assert_eq!(used, Summary::new(&keep));
}

#[test]
fn weights_count_values_several_times() {
    let keep = Keep {
        log: Some(Buckets::Log),
        ..Keep::default()
    };
    let mut summary = Summary::new(&keep);
    summary.record(&keep, 5, 3);
    summary.record(&keep, 100, -2);
    summary.record(&keep, i64::MAX, i64::MIN);
    summary.record(&keep, i64::MAX, i64::MIN);
    assert_eq!(summary.count(), 1);
    let hits: Vec<_> = summary.histogram(&Buckets::Log).hits().collect();
    assert_eq!(hits, [(63 + 3, 3), (63 + 7, -2)]);
}

#[test]
fn histograms_grow_to_both_sides() {
    let mut histogram = Histogram::default();
    assert_eq!(histogram.range(), None);
    for (index, weight) in [(50, 1), (40, 2), (60, 3), (50, 1), (45, 0)] {
        histogram.add(index, weight);
    }
    assert_eq!(histogram.range(), Some((40, 60)));
    let hits: Vec<_> = histogram.hits().collect();
    assert_eq!(hits, [(40, 2), (50, 2), (60, 3)]);
    assert_eq!(histogram.count(0), 0);
    assert_eq!(histogram.count(45), 0);
    assert_eq!(histogram.count(usize::MAX), 0);
    assert!(histogram.counts.len() == 21);
}
