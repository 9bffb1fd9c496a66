use super::super::trial::Value::{Int, Str};
use super::super::trial::{Trial, check_int, check_str};
use super::*;

#[test]
fn strlen_counts_bytes() {
    check_int(
        &STRLEN,
        &[
            (&[Str(b"")], 0),
            (&[Str(b"abc")], 3),
            (&[Str("\u{e9}".as_bytes())], 2),
            (&[Str(b"\xff\xfe")], 2),
        ],
    );
}

/// By the rules of the guide: a start below 0 counts from the end, a length below 0 leaves bytes away.
#[test]
fn substr_takes_a_part() {
    let s = Str(b"abcdef");
    check_str(
        &SUBSTR,
        &[
            (&[s, Int(0)], b"abcdef"),
            (&[s, Int(2)], b"cdef"),
            (&[s, Int(5)], b"f"),
            (&[s, Int(6)], b""),
            (&[s, Int(99)], b""),
            (&[s, Int(-2)], b"ef"),
            (&[s, Int(-6)], b"abcdef"),
            (&[s, Int(-8)], b"abcdef"),
            (&[s, Int(1), Int(3)], b"bcd"),
            (&[s, Int(1), Int(0)], b""),
            (&[s, Int(4), Int(9)], b"ef"),
            (&[s, Int(-3), Int(2)], b"de"),
            // Two bytes before the string are missing from four.
            (&[s, Int(-8), Int(4)], b"ab"),
            (&[s, Int(-8), Int(2)], b""),
            (&[s, Int(1), Int(-2)], b"bcd"),
            (&[s, Int(1), Int(-5)], b""),
            (&[s, Int(1), Int(-9)], b""),
            (&[s, Int(i64::MIN)], b"abcdef"),
            (&[s, Int(i64::MAX), Int(i64::MAX)], b""),
            (&[s, Int(0), Int(i64::MIN)], b""),
            (&[s, Int(i64::MIN), Int(i64::MIN)], b""),
            (&[Str(b""), Int(0), Int(1)], b""),
            (&[Str(b""), Int(-1)], b""),
        ],
    );
}

#[test]
fn index_finds_the_first() {
    let s = Str(b"abcabc");
    check_int(
        &INDEX,
        &[
            (&[s, Str(b"bc")], 1),
            (&[s, Str(b"bc"), Int(1)], 1),
            (&[s, Str(b"bc"), Int(2)], 4),
            (&[s, Str(b"bc"), Int(5)], -1),
            (&[s, Str(b"bc"), Int(-7)], 1),
            (&[s, Str(b"x")], -1),
            (&[s, Str(b"abcabcd")], -1),
            (&[s, Str(b"")], 0),
            (&[s, Str(b""), Int(6)], 6),
            (&[s, Str(b""), Int(7)], -1),
            (&[s, Str(b"c"), Int(i64::MAX)], -1),
            (&[Str(b""), Str(b"")], 0),
            (&[Str(b""), Str(b"a")], -1),
        ],
    );
}

#[test]
fn rindex_finds_the_last() {
    let s = Str(b"abcabc");
    check_int(
        &RINDEX,
        &[
            (&[s, Str(b"bc")], 4),
            (&[s, Str(b"bc"), Int(4)], 4),
            (&[s, Str(b"bc"), Int(3)], 1),
            (&[s, Str(b"bc"), Int(0)], -1),
            (&[s, Str(b"bc"), Int(-1)], -1),
            (&[s, Str(b"bc"), Int(i64::MAX)], 4),
            (&[s, Str(b"")], 6),
            (&[s, Str(b""), Int(2)], 2),
            (&[s, Str(b"abcabcd")], -1),
            (&[Str(b""), Str(b"")], 0),
        ],
    );
}

#[test]
fn strings_from_something_on() {
    let s = Str(b"a.b.c");
    check_str(
        &STRSTR,
        &[
            (&[s, Str(b".b")], b".b.c"),
            (&[s, Str(b"")], b"a.b.c"),
            (&[s, Str(b"x")], b""),
        ],
    );
    let dot = Int(i64::from(b'.'));
    check_str(
        &STRCHR,
        &[
            (&[s, dot], b".b.c"),
            (&[s, Int(0x100 + 0x62)], b"b.c"),
            (&[s, Int(0)], b""),
            (&[Str(b"a\xe9"), Int(-23)], b"\xe9"),
        ],
    );
    check_str(&STRRCHR, &[(&[s, dot], b".c"), (&[s, Int(120)], b"")]);
}

#[test]
fn case_is_changed_in_ascii() {
    check_str(&TOUPPER, &[(&[Str(b"aZ1\xe9")], b"AZ1\xe9")]);
    check_str(&TOLOWER, &[(&[Str(b"aZ1\xe9")], b"az1\xe9")]);
}

#[test]
fn numbers_become_strings() {
    check_str(
        &LLTOSTR,
        &[
            (&[Int(0)], b"0"),
            (&[Int(-42)], b"-42"),
            (&[Int(i64::MIN)], b"-9223372036854775808"),
            (&[Int(31), Int(10)], b"31"),
            (&[Int(31), Int(16)], b"0x1f"),
            (&[Int(0), Int(16)], b"0x0"),
            (&[Int(-1), Int(16)], b"0xffffffffffffffff"),
            (&[Int(8), Int(8)], b"010"),
            (&[Int(0), Int(8)], b"0"),
            (&[Int(5), Int(2)], b"101"),
            (&[Int(35), Int(36)], b"z"),
        ],
    );
    for base in [-1, 0, 1, 37, i64::MAX] {
        let given = Trial::default().str(&LLTOSTR, &[Int(1), Int(base)]);
        assert!(matches!(given, Err(Fault::Said(_))), "{base}");
    }
}

#[test]
fn strings_become_numbers() {
    check_int(
        &STRTOLL,
        &[
            (&[Str(b"")], 0),
            (&[Str(b"42")], 42),
            (&[Str(b" \t-42abc")], -42),
            (&[Str(b"+7")], 7),
            (&[Str(b"x")], 0),
            (&[Str(b"-")], 0),
            (&[Str(b"0x1F"), Int(16)], 31),
            (&[Str(b"1f"), Int(16)], 31),
            (&[Str(b"0x"), Int(16)], 0),
            (&[Str(b"777"), Int(8)], 511),
            (&[Str(b"1012"), Int(2)], 5),
            (&[Str(b"z"), Int(36)], 35),
            (&[Str(b"-9223372036854775808")], i64::MIN),
            (&[Str(b"18446744073709551616")], 0),
        ],
    );
    assert!(
        Trial::default()
            .int(&STRTOLL, &[Str(b"1"), Int(1)])
            .is_err()
    );
}

#[test]
fn bytes_are_swapped() {
    check_int(
        &HTONS,
        &[(&[Int(0x1234)], 0x3412), (&[Int(0x99_00ff)], 0xff00)],
    );
    check_int(
        &HTONL,
        &[
            (&[Int(0x0102_0304)], 0x0403_0201),
            (&[Int(0xff)], 0xff00_0000),
        ],
    );
    check_int(&HTONLL, &[(&[Int(1)], 1 << 56)]);
}
