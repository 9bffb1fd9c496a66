//! SystemTap's string functions (`string.stp` of its tapset; stapfuncs(3stap)). Strings are bytes, offsets count bytes.

use super::strings::{digits, find, offset};
use crate::script::builtin::{IntFunction, Needs, StrFunction};
use crate::script::ir::Fault;

/// `substr(s, start, length)`: empty when the start is outside of the string or the length below 1.
pub static STAP_SUBSTR: StrFunction = StrFunction {
    name: "substr",
    needs: Needs::NONE,
    run: |call| {
        let Ok(start) = usize::try_from(call.int(1)) else {
            return Ok(());
        };
        let text = call.bytes(0).get(start..).unwrap_or_default();
        let length = usize::try_from(call.int(2)).unwrap_or(0).min(text.len());
        call.give(text.get(..length).unwrap_or_default());
        Ok(())
    },
};

/// `stringat(s, position)`: the byte there, 0 to 255. A fault outside of the string.
pub static STRINGAT: IntFunction = IntFunction {
    name: "stringat",
    needs: Needs::NONE,
    run: |call| {
        let place = usize::try_from(call.int(1)).ok();
        match place.and_then(|place| call.bytes(0).get(place)) {
            Some(byte) => Ok(i64::from(*byte)),
            None => Err(Fault::Said("Position out of bounds".to_owned())),
        }
    },
};

/// `isinstr(s, t)`: 1 when `t` is in `s`, else 0.
pub static ISINSTR: IntFunction = IntFunction {
    name: "isinstr",
    needs: Needs::NONE,
    run: |call| Ok(i64::from(find(call.bytes(0), call.bytes(1)).is_some())),
};

/// `strpos(s, t)`: where `t` is first in `s`; -1 when it is not.
pub static STRPOS: IntFunction = IntFunction {
    name: "strpos",
    needs: Needs::NONE,
    run: |call| Ok(find(call.bytes(0), call.bytes(1)).map_or(-1, offset)),
};

/// `str_replace(s, old, new)`: every `old` becomes `new`; an empty `old` is nowhere.
pub static STR_REPLACE: StrFunction = StrFunction {
    name: "str_replace",
    needs: Needs::NONE,
    run: |call| {
        let (mut text, old, new) = (call.bytes(0), call.bytes(1), call.bytes(2));
        while !old.is_empty()
            && let Some(found) = find(text, old)
        {
            call.give(text.get(..found).unwrap_or_default());
            call.give(new);
            let behind = found.saturating_add(old.len());
            text = text.get(behind..).unwrap_or_default();
        }
        call.give(text);
        Ok(())
    },
};

/// `strtol(s, base)`: perhaps `-`, then digits up to what is none. It wraps. Base 0 is that of a C constant, base 16
/// may have `0x` before it; there are no digits beyond `f`.
pub static STRTOL: IntFunction = IntFunction {
    name: "strtol",
    needs: Needs::NONE,
    run: |call| {
        let text = call.bytes(0);
        Ok(match text {
            [b'-', rest @ ..] => unsigned(rest, call.int(1)).wrapping_neg(),
            _ => unsigned(text, call.int(1)),
        })
    },
};

/// `isdigit(s)`: 1 when its first byte is a digit, else 0.
pub static ISDIGIT: IntFunction = IntFunction {
    name: "isdigit",
    needs: Needs::NONE,
    run: |call| {
        let first = call.bytes(0).first();
        Ok(i64::from(first.is_some_and(u8::is_ascii_digit)))
    },
};

/// As the kernel's `simple_strtoull`.
fn unsigned(text: &[u8], base: i64) -> i64 {
    let hexadecimal = matches!(text, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit());
    let base = match base {
        0 if hexadecimal => 16,
        0 if text.starts_with(b"0") => 8,
        0 => 10,
        base => u32::try_from(base).unwrap_or(0).min(16),
    };
    let prefixed = base == 16 && matches!(text, [b'0', b'x' | b'X', ..]);
    let text = if prefixed {
        text.get(2..).unwrap_or_default()
    } else {
        text
    };
    match base {
        2.. => digits(text, base),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::Value::{Int, Str};
    use super::super::trial::{Trial, check_int, check_str};
    use super::*;

    #[test]
    fn substr_takes_a_part() {
        let s = Str(b"abcdef");
        check_str(
            &STAP_SUBSTR,
            &[
                (&[s, Int(0), Int(3)], b"abc"),
                (&[s, Int(4), Int(9)], b"ef"),
                (&[s, Int(6), Int(1)], b""),
                (&[s, Int(-1), Int(3)], b""),
                (&[s, Int(1), Int(0)], b""),
                (&[s, Int(1), Int(-1)], b""),
                (&[s, Int(i64::MAX), Int(i64::MAX)], b""),
                (&[s, Int(1), Int(i64::MAX)], b"bcdef"),
                (&[s, Int(0), Int(i64::MIN)], b""),
                (&[Str(b""), Int(0), Int(1)], b""),
            ],
        );
    }

    #[test]
    fn bytes_have_positions() {
        check_int(
            &STRINGAT,
            &[
                (&[Str(b"a\xe9"), Int(0)], 97),
                (&[Str(b"a\xe9"), Int(1)], 233),
            ],
        );
        for position in [-1, 2, i64::MIN, i64::MAX] {
            let given = Trial::default().int(&STRINGAT, &[Str(b"ab"), Int(position)]);
            assert_eq!(given, Err(Fault::Said("Position out of bounds".to_owned())));
        }
    }

    #[test]
    fn strings_are_found() {
        check_int(
            &ISINSTR,
            &[
                (&[Str(b"abc"), Str(b"bc")], 1),
                (&[Str(b"abc"), Str(b"")], 1),
                (&[Str(b"abc"), Str(b"x")], 0),
                (&[Str(b""), Str(b"x")], 0),
            ],
        );
        check_int(
            &STRPOS,
            &[
                (&[Str(b"abcbc"), Str(b"bc")], 1),
                (&[Str(b"abc"), Str(b"")], 0),
                (&[Str(b"abc"), Str(b"abcd")], -1),
            ],
        );
    }

    #[test]
    fn every_occurrence_is_replaced() {
        check_str(
            &STR_REPLACE,
            &[
                (&[Str(b"aaa"), Str(b"a"), Str(b"bb")], b"bbbbbb"),
                (&[Str(b"aaa"), Str(b"aa"), Str(b"b")], b"ba"),
                (&[Str(b"abc"), Str(b"x"), Str(b"y")], b"abc"),
                (&[Str(b"abc"), Str(b""), Str(b"y")], b"abc"),
                (&[Str(b"abc"), Str(b"abc"), Str(b"")], b""),
                (&[Str(b"a\xffb"), Str(b"\xff"), Str(b"-")], b"a-b"),
            ],
        );
    }

    #[test]
    fn strings_become_numbers() {
        check_int(
            &STRTOL,
            &[
                (&[Str(b"12"), Int(10)], 12),
                (&[Str(b"-12x"), Int(10)], -12),
                (&[Str(b" 12"), Int(10)], 0),
                (&[Str(b"+12"), Int(10)], 0),
                (&[Str(b""), Int(10)], 0),
                (&[Str(b"0x1f"), Int(16)], 31),
                (&[Str(b"1F"), Int(16)], 31),
                (&[Str(b"0x1f"), Int(0)], 31),
                (&[Str(b"017"), Int(0)], 15),
                (&[Str(b"17"), Int(0)], 17),
                (&[Str(b"0xg"), Int(0)], 0),
                (&[Str(b"101"), Int(2)], 5),
                (&[Str(b"z"), Int(36)], 0),
                (&[Str(b"11"), Int(1)], 0),
                (&[Str(b"11"), Int(-5)], 0),
                (&[Str(b"-9223372036854775808"), Int(10)], i64::MIN),
                (&[Str(b"18446744073709551617"), Int(10)], 1),
            ],
        );
    }

    #[test]
    fn isdigit_looks_at_the_first_byte() {
        check_int(
            &ISDIGIT,
            &[(&[Str(b"1a")], 1), (&[Str(b"a1")], 0), (&[Str(b"")], 0)],
        );
    }
}
