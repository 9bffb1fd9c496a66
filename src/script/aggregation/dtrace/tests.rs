//! The expected texts were worked out by hand from the rules of the guide, and are what DTrace 2.0.7 prints.

use super::*;
use crate::script::aggregation::Summary;
use crate::script::ir::{Buckets, Keep, Number, Spec, Statistic};

const LOG: Keep = Keep {
    log: Some(Buckets::Log),
    ..NONE
};
const NONE: Keep = Keep {
    value: Statistic::Count,
    squares: false,
    log: None,
    linear: None,
    log_linear: None,
};

fn keep(value: Statistic) -> Keep {
    Keep {
        value,
        squares: true,
        ..NONE
    }
}

fn linear(low: i64, high: i64, step: i64) -> Keep {
    Keep {
        linear: Some(Buckets::Linear { low, high, step }),
        ..NONE
    }
}

fn log_linear(factor: u16, low: u16, high: u16, steps: u16) -> Keep {
    let buckets = Buckets::LogLinear {
        factor,
        low,
        high,
        steps,
    };
    assert_eq!(buckets.check(), Ok(()));
    Keep {
        log_linear: Some(buckets),
        ..NONE
    }
}

/// A row without keys, of these values and their weights.
fn row(keep: &Keep, values: &[(i64, i64)], normal: i64) -> String {
    let mut summary = Summary::new(keep);
    for (value, weight) in values {
        summary.record(keep, *value, *weight);
    }
    let column = Column {
        summary: Some(&summary),
        keep,
        normal,
    };
    let mut out = Vec::new();
    write_default_row(&mut out, &[], &[], &[column]);
    String::from_utf8(out).expect("ASCII")
}

/// A histogram of these lines, with the header before them and an empty line behind.
fn histogram(lines: &[&str]) -> String {
    let header = "           value  ------------- Distribution ------------- count    ";
    format!("\n{header}\n{}\n\n", lines.join("\n"))
}

#[test]
fn powers_of_two_have_a_bar_by_their_share() {
    let values = [(0, 1), (1, 1), (5, 1), (7, 1), (-3, 1)];
    // 1 / 5 of 40 is 8.
    let expected = [
        "              -4 |                                         0        ",
        "              -2 |@@@@@@@@                                 1        ",
        "              -1 |                                         0        ",
        "               0 |@@@@@@@@                                 1        ",
        "               1 |@@@@@@@@                                 1        ",
        "               2 |                                         0        ",
        "               4 |@@@@@@@@@@@@@@@@                         2        ",
        "               8 |                                         0        ",
    ];
    assert_eq!(row(&LOG, &values, 1), histogram(&expected));
}

#[test]
fn counts_of_both_signs_have_halves() {
    // 6 in all: 3 / 6 of 20 is 10, 2 / 6 is 6.7, 1 / 6 is 3.3.
    let expected = [
        "               4                     |                     0        ",
        "               8                     |@@@@@@@@@@           3        ",
        "              16              @@@@@@@|                     -2       ",
        "              32                     |@@@                  1        ",
        "              64                     |                     0        ",
    ];
    let values = [(10, 3), (20, -2), (40, 1)];
    assert_eq!(row(&LOG, &values, 1), histogram(&expected));
    let expected = [
        "               4                                         | 0        ",
        "               8           @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@| -3       ",
        "              16                                         | 0        ",
        "              32                                         | 0        ",
        "              64                               @@@@@@@@@@| -1       ",
        "             128                                         | 0        ",
    ];
    assert_eq!(row(&LOG, &[(10, -3), (100, -1)], 1), histogram(&expected));
}

#[test]
fn without_values_there_are_the_buckets_around_0() {
    let line = |label: &str| format!("{label:>16} |{:40} 0        ", "");
    let expected = [line("-1"), line("0"), line("1")];
    let lines: Vec<&str> = expected.iter().map(String::as_str).collect();
    assert_eq!(row(&LOG, &[], 1), histogram(&lines));
    assert_eq!(row(&LOG, &[(8, 1), (8, -1)], 1), histogram(&lines));
    let expected = [line("< 5"), line("5"), line("6")];
    let lines: Vec<&str> = expected.iter().map(String::as_str).collect();
    assert_eq!(row(&linear(5, 9, 1), &[], 1), histogram(&lines));
}

#[test]
fn the_extremes_have_buckets() {
    let text = row(&LOG, &[(i64::MIN, 1), (i64::MAX, 1)], 1);
    assert_eq!(text.lines().count(), 2 + 127 + 1);
    assert!(
        text.contains(
            "\n-4611686018427387904 |@@@@@@@@@@@@@@@@@@@@                     1        \n"
        )
    );
    assert!(
        text.contains(
            "\n4611686018427387904 |@@@@@@@@@@@@@@@@@@@@                     1        \n"
        )
    );
    let text = row(&linear(i64::MIN, i64::MAX, i64::MAX), &[(i64::MAX, 1)], 1);
    assert!(text.contains(">= 9223372036854775806 |@@@"), "{text}");
}

#[test]
fn linear_ones_have_ends() {
    let expected = [
        "            < 10 |@@@@@@@@                                 1        ",
        "              10 |@@@@@@@@                                 1        ",
        "              20 |@@@@@@@@                                 1        ",
        "           >= 30 |@@@@@@@@@@@@@@@@                         2        ",
    ];
    let values = [(5, 1), (10, 1), (30, 1), (29, 1), (99, 1)];
    assert_eq!(row(&linear(10, 30, 10), &values, 1), histogram(&expected));
    // Only above: the last bucket and the one before it.
    let expected = [
        "              20 |                                         0        ",
        "           >= 30 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1        ",
    ];
    assert_eq!(
        row(&linear(10, 30, 10), &[(99, 1)], 1),
        histogram(&expected)
    );
    let expected = [
        "           < -10 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1        ",
        "             -10 |                                         0        ",
    ];
    assert_eq!(
        row(&linear(-10, 30, 10), &[(-11, 1)], 1),
        histogram(&expected)
    );
}

#[test]
fn log_linear_ones_have_steps() {
    let expected = [
        "               4 |                                         0        ",
        "               6 |@@@@@@@@@@@@@                            1        ",
        "               8 |@@@@@@@@@@@@@                            1        ",
        "              10 |                                         0        ",
        "              20 |@@@@@@@@@@@@@                            1        ",
        "              40 |                                         0        ",
    ];
    let values = [(7, 1), (9, 1), (23, 1)];
    assert_eq!(
        row(&log_linear(10, 0, 1, 5), &values, 1),
        histogram(&expected)
    );
    let expected = [
        "           -2000 |                                         0        ",
        "           -1000 |@@@@@@@@@@@@@@@@@@@@                     1        ",
        "            -900 |                                         0        ",
        "            -800 |                                         0        ",
        "            -700 |                                         0        ",
        "            -600 |                                         0        ",
        "            -500 |                                         0        ",
        "            -400 |                                         0        ",
        "            -300 |                                         0        ",
        "            -200 |                                         0        ",
        "            -100 |                                         0        ",
        "     abs() < 100 |@@@@@@@@@@@@@@@@@@@@                     1        ",
        "             100 |                                         0        ",
    ];
    let values = [(-1234, 1), (50, 1)];
    assert_eq!(
        row(&log_linear(10, 2, 4, 10), &values, 1),
        histogram(&expected)
    );
}

#[test]
fn log_linear_ones_leave_away_what_cannot_be() {
    // Twenty steps from 1 to 10: every second lies between two integers.
    let values = [(0, 1), (3, 1), (45, 1), (99_999, 1)];
    let text = row(&log_linear(10, 0, 2, 20), &values, 1);
    let labels: Vec<&str> = text
        .lines()
        .skip(2)
        .filter_map(|line| line.split('|').next())
        .map(str::trim)
        .collect();
    let mut expected = vec!["-1".to_owned()];
    expected.extend((0..10).map(|it| it.to_string()));
    expected.extend((10..100).step_by(5).map(|it| it.to_string()));
    expected.extend((100..1000).step_by(50).map(|it| it.to_string()));
    expected.extend([">= 1000".to_owned(), String::new()]);
    assert_eq!(labels, expected);
    for label in ["0", "3", "45", ">= 1000"] {
        assert!(
            text.contains(&format!("{label:>16} |@@@@@@@@@@    ")),
            "{text}"
        );
    }
}

#[test]
fn counts_are_divided_but_bars_are_not() {
    let expected = [
        "               0 |                                         0        ",
        "               1 |@@@@@@@@@@                               2        ",
        "               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@           7        ",
        "               4 |                                         0        ",
    ];
    assert_eq!(row(&LOG, &[(1, 25), (2, 75)], 10), histogram(&expected));
}

#[test]
fn numbers_are_sixteen_wide() {
    let stddev = [(1, 1), (9, 1), (-7, 1)];
    let table = [
        // (1 + 81 + 49) / 3 = 43, less 1, has the root 6.
        (Statistic::Deviation, &stddev[..], 1, 6),
        // 131 / 2 / 3 = 21, less 0 (3 / 2 / 3), has the root 4.
        (Statistic::Deviation, &stddev, 2, 4),
        (Statistic::Average, &[(-7, 1), (2, 1)], 1, -2),
        (Statistic::Average, &[(-7, 1), (2, 1)], 2, -1),
        (Statistic::Sum, &[(-20, 1)], 1, -20),
        (Statistic::Sum, &[(-20, 1)], 3, -6),
        (Statistic::Sum, &[(-20, 1)], 0, -20),
        (Statistic::Min, &[(5, 1), (3, 1)], 1, 3),
        (Statistic::Max, &[(5, 1), (3, 1)], 1, 5),
        (Statistic::Count, &[(5, 1), (3, 1)], 1, 2),
        (Statistic::Count, &[], 1, 0),
        (Statistic::Min, &[], 1, 0),
        (Statistic::Average, &[], 1, 0),
        (Statistic::Deviation, &[], 1, 0),
        (Statistic::Sum, &[(i64::MIN, 1)], -1, i64::MIN),
    ];
    for (what, values, normal, expected) in table {
        let text = row(&keep(what), values, normal);
        assert_eq!(text, format!(" {expected:>16}\n"), "{what:?} {values:?}");
    }
}

fn keyed(keys: &[Key<'_>], sizes: &[u8]) -> String {
    let column = Column {
        summary: None,
        keep: &NONE,
        normal: 1,
    };
    let mut out = Vec::new();
    write_default_row(&mut out, keys, sizes, &[column]);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn keys_are_as_wide_as_their_types() {
    let zero = format!(" {:>16}\n", 0);
    let (one, x) = (Key::Int(1), Key::Str(b"x"));
    assert_eq!(
        keyed(&[one, x], &[4]),
        format!("        1  {:<50}{zero}", "x")
    );
    let keys = [
        Key::Int(10_649),
        Key::Int(3),
        Key::Int(-4),
        Key::Str(b"abc"),
    ];
    let text = keyed(&keys, &[4, 1, 2, 0]);
    assert_eq!(text, format!("    10649   3 65532  {:<50}{zero}", "abc"));
    assert_eq!(keyed(&[Key::Int(-1)], &[]), format!("{:>17}{zero}", -1));
    assert_eq!(keyed(&[Key::Int(-1)], &[4]), format!("       -1{zero}"));
    assert_eq!(keyed(&[Key::Int(-1)], &[1]), format!(" 255{zero}"));
    let long = "y".repeat(60);
    assert_eq!(
        keyed(&[Key::Str(long.as_bytes())], &[]),
        format!("  {long}{zero}")
    );
}

#[test]
fn formats_take_keys_and_values_in_any_order() {
    let (count, sum) = (NONE, keep(Statistic::Sum));
    let mut summary = Summary::new(&sum);
    summary.record(&sum, 1_000, 1);
    let columns = [
        Column {
            summary: None,
            keep: &count,
            normal: 1,
        },
        Column {
            summary: Some(&summary),
            keep: &sum,
            normal: 10,
        },
    ];
    let spec = |width, left| Spec {
        left,
        width: Some(Number::Fixed(width)),
        ..Spec::default()
    };
    let value = |which| AggregationPiece::Value {
        spec: spec(6, false),
        style: IntStyle::Signed,
        which,
    };
    let pieces = [
        AggregationPiece::StrKey {
            spec: spec(5, true),
            style: StrStyle::Plain,
            key: 1,
        },
        value(1),
        AggregationPiece::Literal(b"/".to_vec()),
        value(0),
        AggregationPiece::IntKey {
            spec: spec(4, false),
            style: IntStyle::Hex,
            key: 0,
        },
        // Neither is there.
        value(2),
        AggregationPiece::IntKey {
            spec: Spec::default(),
            style: IntStyle::Signed,
            key: 7,
        },
        AggregationPiece::Literal(b"\n".to_vec()),
    ];
    let mut out = Vec::new();
    let keys = [Key::Int(255), Key::Str(b"abc")];
    write_formatted_row(&mut out, &pieces, &keys, &columns);
    assert_eq!(String::from_utf8_lossy(&out), "abc     100/     0  ff\n");
}

#[test]
fn a_formatted_histogram_ignores_its_width() {
    let mut summary = Summary::new(&LOG);
    summary.record(&LOG, 1, 1);
    let column = Column {
        summary: Some(&summary),
        keep: &LOG,
        normal: 1,
    };
    let piece = AggregationPiece::Value {
        spec: Spec::default(),
        style: IntStyle::Signed,
        which: 0,
    };
    let mut out = b"x".to_vec();
    write_formatted_row(&mut out, &[piece], &[], &[column]);
    let mut expected = histogram(&[
        "               0 |                                         0        ",
        "               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1        ",
        "               2 |                                         0        ",
    ]);
    expected.pop();
    assert_eq!(String::from_utf8_lossy(&out), format!("x{expected}"));
}
