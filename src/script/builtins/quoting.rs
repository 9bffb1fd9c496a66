//! Strings made printable, as SystemTap's `text_str` and its relatives do it: C escapes for what is not ASCII, `\u`
//! and `\U` for UTF-8.

use crate::script::builtin::{Needs, StrFunction};
use crate::script::format::{named_escape, write_octal_escape};

/// `text_str(s)`: with escapes.
pub static TEXT_STR: StrFunction = StrFunction {
    name: "text_str",
    needs: Needs::NONE,
    run: |call| {
        write_text(call.result, call.bytes(0), 0, false);
        Ok(())
    },
};

/// `text_strn(s, length, quoted)`: at most so many bytes (0: any); where `quoted` is not 0, in quotes that count too,
/// with `...` behind them when it was cut.
pub static TEXT_STRN: StrFunction = StrFunction {
    name: "text_strn",
    needs: Needs::NONE,
    run: |call| {
        let length = usize::try_from(call.int(1)).unwrap_or(0);
        write_text(call.result, call.bytes(0), length, call.int(2) != 0);
        Ok(())
    },
};

/// `string_quoted(s)`: with escapes, in quotes.
pub static STRING_QUOTED: StrFunction = StrFunction {
    name: "string_quoted",
    needs: Needs::NONE,
    run: |call| {
        write_text(call.result, call.bytes(0), 0, true);
        Ok(())
    },
};

/// Adds a string with escapes: at most `limit` bytes, the quotes included but not the `...` behind them; 0 means any.
pub(super) fn write_text(out: &mut Vec<u8>, text: &[u8], limit: usize, quoted: bool) {
    let limit = match (limit, quoted) {
        (0, _) => usize::MAX,
        (limit, false) => limit,
        (limit, true) => limit.max(5).saturating_sub(2),
    };
    if quoted {
        out.push(b'"');
    }
    let begin = out.len();
    // Up to where all fits with three bytes to spare: there it is cut, never within an escape.
    let mut spare = begin;
    let mut whole = true;
    for piece in Pieces(text) {
        let mark = out.len();
        write_piece(out, piece);
        let length = out.len().saturating_sub(begin);
        if length > limit {
            out.truncate(mark);
            whole = false;
            break;
        }
        if length.saturating_add(3) <= limit {
            spare = out.len();
        }
    }
    match (quoted, whole) {
        (false, _) => {}
        (true, true) => out.push(b'"'),
        (true, false) => {
            out.truncate(spare);
            out.extend_from_slice(b"\"...");
        }
    }
}

/// A character of UTF-8, or a byte that belongs to none.
#[derive(Clone, Copy)]
enum Unit {
    Character(char),
    Byte(u8),
}

/// Takes a string apart.
struct Pieces<'a>(&'a [u8]);

impl Iterator for Pieces<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let first = *self.0.first()?;
        let length = match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        };
        let character = self.0.get(..length).filter(|_| length > 1);
        let character = character
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .and_then(|text| text.chars().next());
        let (unit, length) = match character {
            Some(character) => (Unit::Character(character), length),
            None => (Unit::Byte(first), 1),
        };
        self.0 = self.0.get(length..).unwrap_or_default();
        Some(unit)
    }
}

fn write_piece(out: &mut Vec<u8>, unit: Unit) {
    match unit {
        Unit::Character(character) => {
            let code = u32::from(character);
            let text = match code {
                ..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
            out.extend_from_slice(text.as_bytes());
        }
        Unit::Byte(byte) => match named_escape(byte) {
            Some(letter) => out.extend_from_slice(&[b'\\', letter]),
            None if matches!(byte, b' '..=b'~') => out.push(byte),
            None => write_octal_escape(out, byte),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::Value::{Int, Str};
    use super::super::trial::check_str;
    use super::*;

    #[test]
    fn what_is_not_printable_is_escaped() {
        check_str(
            &TEXT_STR,
            &[
                (&[Str(b"")], b""),
                (&[Str(b"a \"b\"\\\n")], br#"a \"b\"\\\n"#),
                (&[Str(b"\x07\x08\x0c\r\t\x0b")], br"\a\b\f\r\t\v"),
                (&[Str(b"\x01\x7f")], br"\001\177"),
                (
                    &[Str("\u{e9}\u{20ac}\u{1f600}".as_bytes())],
                    br"\u00E9\u20AC\U0001F600",
                ),
                // Not UTF-8: a lone byte, a cut character, one that is longer than needed, half of a pair.
                (&[Str(b"\xe9x")], br"\351x"),
                (&[Str(b"\xe2\x82")], br"\342\202"),
                (&[Str(b"\xc0\x80")], br"\300\200"),
                (&[Str(b"\xed\xa0\x80")], br"\355\240\200"),
            ],
        );
        check_str(
            &STRING_QUOTED,
            &[(&[Str(b"")], b"\"\""), (&[Str(b"a\n")], b"\"a\\n\"")],
        );
    }

    /// By the rules of `_stp_text_str`: quotes take 2 of the length, which is at least 5; a cut string loses 3 bytes
    /// to `...`, or an escape as a whole.
    #[test]
    fn long_strings_are_cut() {
        let s = Str(b"abcdefghij");
        check_str(
            &TEXT_STRN,
            &[
                (&[s, Int(4), Int(0)], b"abcd"),
                (&[s, Int(0), Int(0)], b"abcdefghij"),
                (&[s, Int(-1), Int(0)], b"abcdefghij"),
                (&[s, Int(12), Int(1)], b"\"abcdefghij\""),
                (&[s, Int(11), Int(1)], b"\"abcdef\"..."),
                (&[s, Int(1), Int(1)], b"\"\"..."),
                (&[s, Int(6), Int(1)], b"\"a\"..."),
                (&[Str(b"ab\n"), Int(3), Int(0)], b"ab"),
                (&[Str(b"\n\n\n\n\n"), Int(9), Int(1)], b"\"\\n\\n\"..."),
                (&[Str(b"a\x01\x01"), Int(10), Int(1)], b"\"a\\001\"..."),
                (&[Str(b"a\x01\x01"), Int(9), Int(1)], b"\"a\"..."),
            ],
        );
    }
}
