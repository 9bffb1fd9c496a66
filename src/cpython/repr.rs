//! Values as Python's `repr` prints them, so that a trace reads like the program's own output.

use std::fmt::{self, Write};

use super::float;
use super::printable::is_printable;
use super::text::Text;
use super::value::{Cut, PyValue};

impl fmt::Display for PyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PyValue::None => f.write_str("None"),
            PyValue::Bool(true) => f.write_str("True"),
            PyValue::Bool(false) => f.write_str("False"),
            PyValue::Int(value) => write!(f, "{value}"),
            PyValue::Float(value) => write!(f, "{}", float::Repr(*value)),
            PyValue::Str(text) => fmt::Display::fmt(text, f),
            PyValue::Bytes(bytes, cut) => {
                write_bytes(f, bytes)?;
                f.write_str(if *cut { "..." } else { "" })
            }
            PyValue::Tuple(items) => {
                f.write_char('(')?;
                write_items(f, items)?;
                f.write_str(if is_lone(items) { ",)" } else { ")" })
            }
            PyValue::List(items) => {
                f.write_char('[')?;
                write_items(f, items)?;
                f.write_char(']')
            }
            PyValue::Other { type_name } => {
                f.write_char('<')?;
                for character in type_name.chars() {
                    write_code_point(f, u32::from(character), None)?;
                }
                f.write_char('>')
            }
            PyValue::Cut(Cut::List) => f.write_str("[...]"),
            PyValue::Cut(Cut::Tuple) => f.write_str("(...)"),
            PyValue::Cut(Cut::Rest) => f.write_str("..."),
            PyValue::Unreadable { address: 0 } => f.write_str("<NULL>"),
            PyValue::Unreadable { address } => write!(f, "<unreadable at {address:#x}>"),
        }
    }
}

/// Whether a tuple needs the comma of a tuple of one item.
fn is_lone(items: &[PyValue]) -> bool {
    matches!(items, [item] if !matches!(item, PyValue::Cut(Cut::Rest)))
}

fn write_items(f: &mut fmt::Formatter<'_>, items: &[PyValue]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        fmt::Display::fmt(item, f)?;
    }
    Ok(())
}

impl fmt::Display for Text {
    /// Between quotes, as `repr`; with `{:#}` as `ascii`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        let quote = quote_for(text.contains('\''), text.contains('"'));
        f.write_char(quote)?;
        for point in self.code_points() {
            write_code_point(f, point, Some(quote))?;
        }
        f.write_char(quote)?;
        f.write_str(if self.is_cut() { "..." } else { "" })
    }
}

/// Python prefers single quotes, unless they would be the only ones to need a backslash.
fn quote_for(single: bool, double: bool) -> char {
    if single && !double { '"' } else { '\'' }
}

fn write_code_point(f: &mut fmt::Formatter<'_>, point: u32, quote: Option<char>) -> fmt::Result {
    match char::from_u32(point) {
        Some('\n') => return f.write_str("\\n"),
        Some('\r') => return f.write_str("\\r"),
        Some('\t') => return f.write_str("\\t"),
        Some('\\') => return f.write_str("\\\\"),
        Some(c) if Some(c) == quote => return write!(f, "\\{c}"),
        Some(c @ ' '..='~') => return f.write_char(c),
        Some(c) if !f.alternate() && is_printable(c) => return f.write_char(c),
        _ => {}
    }
    match point {
        0..=0xff => write!(f, "\\x{point:02x}"),
        0x100..=0xffff => write!(f, "\\u{point:04x}"),
        _ => write!(f, "\\U{point:08x}"),
    }
}

fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let quote = quote_for(bytes.contains(&b'\''), bytes.contains(&b'"'));
    write!(f, "b{quote}")?;
    for &byte in bytes {
        match byte {
            b'\n' => f.write_str("\\n")?,
            b'\r' => f.write_str("\\r")?,
            b'\t' => f.write_str("\\t")?,
            b'\\' => f.write_str("\\\\")?,
            _ if char::from(byte) == quote => write!(f, "\\{quote}")?,
            b' '..=b'~' => f.write_char(char::from(byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    f.write_char(quote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::Integer;

    fn text(points: &[u32], cut: bool) -> PyValue {
        PyValue::Str(Text::from_code_points(points.iter().copied(), cut))
    }

    fn plain(string: &str) -> PyValue {
        PyValue::Str(Text::from(string))
    }

    /// As CPython 3.15 prints them.
    #[test]
    fn strings() {
        for (value, repr, ascii) in [
            (plain(""), "''", "''"),
            (plain("it's"), "\"it's\"", "\"it's\""),
            (plain("\"it's\""), r#"'"it\'s"'"#, r#"'"it\'s"'"#),
            (plain("\"q\""), "'\"q\"'", "'\"q\"'"),
            (
                plain("\0\t\n\r\x1b\\~\x7f"),
                r"'\x00\t\n\r\x1b\\~\x7f'",
                r"'\x00\t\n\r\x1b\\~\x7f'",
            ),
            (plain("é\u{a0}\u{ad}"), r"'é\xa0\xad'", r"'\xe9\xa0\xad'"),
            (
                plain("日\u{2028}\u{3000}"),
                r"'日\u2028\u3000'",
                r"'\u65e5\u2028\u3000'",
            ),
            (
                plain("🐍\u{10ffff}\u{e0001}"),
                r"'🐍\U0010ffff\U000e0001'",
                r"'\U0001f40d\U0010ffff\U000e0001'",
            ),
            (
                text(&[0xdcff, 0xd83d, 0xde00, 0xfffd], false),
                "'\\udcff\\ud83d\\ude00\u{fffd}'",
                r"'\udcff\ud83d\ude00\ufffd'",
            ),
            (text(&[0x61, 0x62], true), "'ab'...", "'ab'..."),
        ] {
            assert_eq!(value.to_string(), repr);
            assert_eq!(format!("{value:#}"), ascii);
        }
    }

    #[test]
    fn bytes() {
        for (bytes, expected) in [
            (&b""[..], "b''"),
            (b"it's", "b\"it's\""),
            (b"\"it's\"", r#"b'"it\'s"'"#),
            (b"\0\t\n\r\x7f\xff\\~", r"b'\x00\t\n\r\x7f\xff\\~'"),
        ] {
            assert_eq!(PyValue::Bytes(bytes.to_vec(), false).to_string(), expected);
        }
        assert_eq!(PyValue::Bytes(b"ab".to_vec(), true).to_string(), "b'ab'...");
    }

    #[test]
    fn containers_and_the_rest() {
        let int = |value| PyValue::Int(Integer::Small(value));
        let rest = PyValue::Cut(Cut::Rest);
        for (value, expected) in [
            (PyValue::Tuple(vec![]), "()"),
            (PyValue::Tuple(vec![int(1)]), "(1,)"),
            (PyValue::Tuple(vec![int(1), int(-2)]), "(1, -2)"),
            (PyValue::Tuple(vec![rest.clone()]), "(...)"),
            (PyValue::Tuple(vec![PyValue::Cut(Cut::Tuple)]), "((...),)"),
            (PyValue::List(vec![]), "[]"),
            (PyValue::List(vec![PyValue::Cut(Cut::List)]), "[[...]]"),
            (PyValue::List(vec![PyValue::None, rest]), "[None, ...]"),
            (PyValue::Bool(true), "True"),
            (PyValue::Float(1e16), "1e+16"),
            (
                PyValue::Other {
                    type_name: "dict".into(),
                },
                "<dict>",
            ),
            (
                PyValue::Other {
                    type_name: "<é\x1b>".into(),
                },
                "<<é\\x1b>>",
            ),
            (PyValue::Unreadable { address: 0 }, "<NULL>"),
            (
                PyValue::Unreadable { address: 0x10 },
                "<unreadable at 0x10>",
            ),
        ] {
            assert_eq!(value.to_string(), expected);
        }
    }
}
