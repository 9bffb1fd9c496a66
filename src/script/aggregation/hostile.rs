//! Any buckets and any values: nothing panics, nothing is lost, nothing is endless.

use proptest::prelude::*;

use super::*;

fn buckets() -> impl Strategy<Value = Buckets> {
    let edge = || prop_oneof![any::<i64>(), -100..100_i64, Just(i64::MIN), Just(i64::MAX)];
    let small = || prop_oneof![0..20_u16, any::<u16>()];
    prop_oneof![
        Just(Buckets::Log),
        (edge(), edge(), edge()).prop_map(|(low, high, step)| Buckets::Linear { low, high, step }),
        (small(), small(), small(), small()).prop_map(|(factor, low, high, steps)| {
            Buckets::LogLinear {
                factor,
                low,
                high,
                steps,
            }
        }),
    ]
}

fn keep(buckets: Buckets) -> Keep {
    let mut keep = Keep::default();
    match buckets {
        Buckets::Log => keep.log = Some(buckets),
        Buckets::Linear { .. } => keep.linear = Some(buckets),
        Buckets::LogLinear { .. } => keep.log_linear = Some(buckets),
    }
    keep
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_value_has_a_line(
        buckets in buckets(),
        values in proptest::collection::vec(prop_oneof![any::<i64>(), -50..50_i64], 1..8),
        normal in prop_oneof![Just(1_i64), any::<i64>()],
    ) {
        let keep = keep(buckets);
        let mut summary = Summary::new(&keep);
        for value in &values {
            summary.record(&keep, *value, 1);
        }
        let column = Column { summary: Some(&summary), keep: &keep, normal };
        let mut out = Vec::new();
        write_default_row(&mut out, &[], &[], &[column]);
        write_histogram_systemtap(&mut out, &summary, &buckets);
        let _ = compare_rows((&[], &[column]), (&[], &[column]), true);
        if buckets.check().is_ok() && normal == 1 {
            let mut out = Vec::new();
            write_default_row(&mut out, &[], &[], &[column]);
            let text = String::from_utf8_lossy(&out).into_owned();
            let counts = text.lines().filter_map(|line| line.split('|').nth(1));
            let counted: usize = counts
                .filter_map(|bar| bar.trim_start_matches(['@', ' ']).trim().parse::<usize>().ok())
                .sum();
            prop_assert_eq!(counted, values.len(), "{}", text);
        }
    }

    #[test]
    fn larger_values_are_in_later_buckets(buckets in buckets(), a in any::<i64>(), b in any::<i64>()) {
        if buckets.check().is_ok() {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(buckets.index(low) <= buckets.index(high));
            prop_assert!(buckets.index(high) < MAX_BUCKETS);
            prop_assert!(buckets.weight(buckets.index(low)) <= buckets.weight(buckets.index(high)));
        }
    }
}
