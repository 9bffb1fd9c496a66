//! The expected texts were worked out by hand from the rules: a bar of 50, values at least 5 wide, two empty rows
//! around what was hit, `~` for a longer gap.

use super::*;
use crate::script::ir::Keep;

fn keep(buckets: Buckets) -> Keep {
    match buckets {
        Buckets::Log => Keep {
            log: Some(buckets),
            ..Keep::default()
        },
        _ => Keep {
            linear: Some(buckets),
            ..Keep::default()
        },
    }
}

fn shown(buckets: Buckets, values: &[(i64, i64)]) -> String {
    let keep = keep(buckets);
    let mut summary = Summary::new(&keep);
    for (value, weight) in values {
        summary.record(&keep, *value, *weight);
    }
    let mut out = Vec::new();
    write_histogram_systemtap(&mut out, &summary, &buckets);
    String::from_utf8(out).expect("ASCII")
}

/// A row: the label as it stands, a bar, a count that ends in that column behind the longest bar.
fn row(label: &str, bar: usize, count: i64, width: usize) -> String {
    let space = 50 - bar + 1 + width;
    format!("{label} |{}{count:>space$}\n", "@".repeat(bar))
}

fn header(width: usize) -> String {
    format!("{:>width$} |{} count\n", "value", "-".repeat(50))
}

#[test]
fn powers_of_two_never_go_below_0_without_need() {
    let text = shown(Buckets::Log, &[(0, 1), (1, 3), (5, 2)]);
    let expected = [
        header(5),
        row("    0", 1, 1, 1),
        row("    1", 3, 3, 1),
        row("    2", 0, 0, 1),
        row("    4", 2, 2, 1),
        row("    8", 0, 0, 1),
        row("   16", 0, 0, 1),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
    // A margin of two, but no further than 0.
    let text = shown(Buckets::Log, &[(1, 1)]);
    assert!(text.starts_with(&(header(5) + &row("    0", 0, 0, 1) + &row("    1", 1, 1, 1))));
}

#[test]
fn negative_values_have_negative_rows() {
    let text = shown(Buckets::Log, &[(-3, 1), (-1, 1)]);
    let expected = [
        header(5),
        row("   -8", 0, 0, 1),
        row("   -4", 0, 0, 1),
        row("   -2", 1, 1, 1),
        row("   -1", 1, 1, 1),
        row("    0", 0, 0, 1),
        row("    1", 0, 0, 1),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
}

#[test]
fn long_gaps_are_left_away() {
    let text = shown(Buckets::Log, &[(1, 1), (1_000_000, 1)]);
    let expected = [
        header(7),
        row("      0", 0, 0, 1),
        row("      1", 1, 1, 1),
        row("      2", 0, 0, 1),
        row("      4", 0, 0, 1),
        "        ~\n".to_owned(),
        row(" 131072", 0, 0, 1),
        row(" 262144", 0, 0, 1),
        row(" 524288", 1, 1, 1),
        row("1048576", 0, 0, 1),
        row("2097152", 0, 0, 1),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
    // Four empty rows are all near to something.
    let text = shown(Buckets::Log, &[(1, 1), (32, 1)]);
    assert!(!text.contains('~'), "{text}");
    let text = shown(Buckets::Log, &[(1, 1), (64, 1)]);
    assert!(text.contains("      ~\n"), "{text}");
}

#[test]
fn bars_are_scaled_by_whole_numbers() {
    // ceil(101 / 50) is 3: 101 / 3 is 33, 50 / 3 is 16, 2 / 3 is 0.
    let buckets = Buckets::Linear {
        low: 0,
        high: 100,
        step: 10,
    };
    let text = shown(buckets, &[(0, 101), (10, 50), (20, 2)]);
    let expected = [
        header(5),
        row("    0", 33, 101, 3),
        row("   10", 16, 50, 3),
        row("   20", 0, 2, 3),
        row("   30", 0, 0, 3),
        row("   40", 0, 0, 3),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
    assert!(shown(buckets, &[(0, 50)]).contains(&row("    0", 50, 50, 2)));
    assert!(shown(buckets, &[(0, 51)]).contains(&row("    0", 25, 51, 2)));
}

#[test]
fn linear_ones_have_ends_when_they_are_hit() {
    let buckets = Buckets::Linear {
        low: 0,
        high: 20,
        step: 10,
    };
    // Up to the next step, 30, values belong to the row of 20.
    let text = shown(buckets, &[(-1, 1), (5, 1), (29, 1), (30, 2)]);
    let expected = [
        header(5),
        row("   <0", 1, 1, 1),
        row("    0", 1, 1, 1),
        row("   10", 0, 0, 1),
        row("   20", 1, 1, 1),
        row("  >20", 2, 2, 1),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
    let text = shown(buckets, &[(15, 1)]);
    let expected = [
        header(5),
        row("    0", 0, 0, 1),
        row("   10", 1, 1, 1),
        row("   20", 0, 0, 1),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
}

#[test]
fn wide_values_widen_the_column() {
    let buckets = Buckets::Linear {
        low: -100_000,
        high: 0,
        step: 100_000,
    };
    let text = shown(buckets, &[(-200_000, 1)]);
    // The prefix counts: `<-100000` is 8 wide.
    let expected = [
        header(8),
        row("<-100000", 1, 1, 1),
        row(" -100000", 0, 0, 1),
        row("       0", 0, 0, 1),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
}

#[test]
fn without_values_nothing_is_written() {
    assert_eq!(shown(Buckets::Log, &[]), "");
}

#[test]
fn hostile_values_do_no_harm() {
    let buckets = Buckets::Linear {
        low: i64::MIN,
        high: i64::MAX,
        step: i64::MAX,
    };
    let values = [(i64::MIN, i64::MAX), (i64::MAX, 1), (0, i64::MIN)];
    assert!(shown(buckets, &values).lines().count() > 2);
    assert!(shown(Buckets::Log, &values).lines().count() > 2);
}

#[test]
fn the_highest_power_has_no_row_behind_it() {
    let text = shown(Buckets::Log, &[(i64::MAX, 1)]);
    let expected = [
        header(19),
        row("1152921504606846976", 0, 0, 1),
        row("2305843009213693952", 0, 0, 1),
        row("4611686018427387904", 1, 1, 1),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
}

#[test]
fn both_ends_widen_the_column() {
    let buckets = Buckets::Linear {
        low: 250,
        high: 1_000,
        step: 50,
    };
    let values = [(0, 680), (250, 94), (1_049, 23), (1_050, 102)];
    let text = shown(buckets, &values);
    // ceil(680 / 50) is 14: 680 / 14 is 48, 94 / 14 is 6, 23 / 14 is 1, 102 / 14 is 7.
    let expected = [
        header(5),
        row(" <250", 48, 680, 3),
        row("  250", 6, 94, 3),
        row("  300", 0, 0, 3),
        row("  350", 0, 0, 3),
        "      ~\n".to_owned(),
        row("  900", 0, 0, 3),
        row("  950", 0, 0, 3),
        row(" 1000", 1, 23, 3),
        row(">1000", 7, 102, 3),
        "\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
}
