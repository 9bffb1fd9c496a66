use super::*;

fn linear(low: i64, high: i64, step: i64) -> Buckets {
    Buckets::Linear { low, high, step }
}

fn log_linear(factor: u16, low: u16, high: u16, steps: u16) -> Buckets {
    Buckets::LogLinear {
        factor,
        low,
        high,
        steps,
    }
}

/// A bucket of positive values begins at its power, one of negative values ends there.
#[test]
fn powers_of_two_are_on_the_right_side() {
    let table = [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 2),
        (4, 4),
        (1_023, 512),
        (1_024, 1_024),
        (i64::MAX, 1 << 62),
        (-1, -1),
        (-2, -2),
        (-3, -2),
        (-4, -4),
        (i64::MIN + 1, -(1 << 62)),
        (i64::MIN, -(1 << 62)),
    ];
    for (value, begin) in table {
        assert_eq!(log_value(Buckets::Log.index(value)), begin, "{value}");
    }
    assert_eq!(log_value(0), -(1 << 62));
    assert_eq!(log_value(LOG_LAST), 1 << 62);
    assert_eq!(log_value(usize::MAX), 1 << 62);
}

#[test]
fn linear_buckets_have_ends() {
    let buckets = linear(-10, 20, 10);
    let table = [
        (i64::MIN, 0),
        (-11, 0),
        (-10, 1),
        (-1, 1),
        (0, 2),
        (10, 3),
        (19, 3),
        (20, 4),
        (29, 4),
        (30, 5),
        (i64::MAX, 5),
    ];
    for (value, index) in table {
        assert_eq!(buckets.index(value), index, "{value}");
    }
    // What is left behind the last whole step is above.
    assert_eq!(linear(0, 25, 10).index(29), 3);
    assert_eq!(linear(0, 25, 10).index(30), 4);
    assert_eq!(linear(i64::MIN, i64::MAX, i64::MAX).index(i64::MAX), 3);
}

/// Magnitudes of 10 from 1 to 1000 in five steps: 1 2 4 6 8, 10 20 40 60 80, 100 200 400 600 800.
#[test]
fn log_linear_buckets_mirror() {
    let buckets = log_linear(10, 0, 2, 5);
    let begins = [
        1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400, 600, 800, 1_000,
    ];
    for (value, index) in [
        (0, 16),
        (i64::MAX, 32),
        (i64::MIN, 0),
        (1_000, 32),
        (-1_000, 0),
    ] {
        assert_eq!(buckets.index(value), index, "{value}");
    }
    for (place, begin) in begins.iter().enumerate() {
        assert_eq!(buckets.index(*begin), 17 + place, "{begin}");
        assert_eq!(buckets.index(begin - 1), 16 + place, "{begin}");
        assert_eq!(buckets.index(-begin), 15 - place, "{begin}");
        assert_eq!(buckets.weight(17 + place), i128::from(*begin));
        assert_eq!(buckets.weight(15 - place), -i128::from(*begin));
    }
    assert_eq!(buckets.weight(16), 0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let good = [
        Buckets::Log,
        linear(0, 100, 10),
        linear(-5, 5, 20),
        linear(0, 65_533, 1),
        linear(i64::MIN, i64::MAX, i64::MAX),
        log_linear(10, 0, 6, 20),
        log_linear(2, 0, 61, 2),
        log_linear(10, 0, 17, 10),
        log_linear(10, 3, 6, 5),
        log_linear(10, 3, 6, 100),
        log_linear(10, 0, 0, 20),
    ];
    for buckets in good {
        assert_eq!(buckets.check(), Ok(()), "{buckets:?}");
    }
    let bad = [
        (linear(0, 100, 0), "step is 0"),
        (linear(0, 100, i64::MIN), "step is -"),
        (linear(5, 5, 1), "upper limit 5 is not above"),
        (linear(i64::MAX, i64::MIN, 1), "upper limit"),
        (linear(0, 65_534, 1), "the most are 65536"),
        (linear(i64::MIN, i64::MAX, 1), "the most are 65536"),
        (log_linear(1, 0, 3, 10), "factor is 1"),
        (log_linear(10, 4, 3, 10), "magnitude 3 is below"),
        (log_linear(10, 0, 3, 0), "steps has to be above 0"),
        (log_linear(10, 0, 18, 10), "too large"),
        (log_linear(u16::MAX, u16::MAX, u16::MAX, 1), "too large"),
        (log_linear(10, 0, 3, 7), "do not divide"),
        // Magnitude 1 ends at 100.
        (log_linear(10, 1, 3, 30), "do not divide"),
        (log_linear(10, 0, 17, 20_000), "do not divide"),
        (log_linear(100, 0, 3, 10_000), "the most are 65536"),
    ];
    for (buckets, text) in bad {
        let error = buckets.check().expect_err("bad");
        assert!(error.contains(text), "{buckets:?}: {error}");
    }
}
