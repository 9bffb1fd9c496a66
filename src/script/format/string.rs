//! Strings.

use super::{Layout, write_padded};
use crate::script::ir::StrStyle;

/// Writes a string: at most as many bytes as the precision says, in a field as wide as the width says. Bytes are
/// copied as they are, whatever their encoding.
pub fn write_str(out: &mut Vec<u8>, bytes: &[u8], style: StrStyle, layout: &Layout) {
    match style {
        StrStyle::Plain if layout.width.is_none() && layout.precision.is_none() => {
            out.extend_from_slice(bytes);
        }
        StrStyle::Plain => write_padded(out, cut(bytes, layout), layout),
        StrStyle::Escaped => {
            let mut text = Vec::with_capacity(bytes.len());
            for byte in bytes {
                write_escaped(&mut text, *byte);
            }
            write_padded(out, cut(&text, layout), layout);
        }
    }
}

/// At most as many bytes as the precision says.
pub(super) fn cut<'a>(text: &'a [u8], layout: &Layout) -> &'a [u8] {
    layout
        .precision
        .and_then(|precision| text.get(..precision))
        .unwrap_or(text)
}

/// As DTrace's `%S` shows it (user guide, "printf conversion formats").
fn write_escaped(out: &mut Vec<u8>, byte: u8) {
    match (named_escape(byte), byte) {
        (Some(letter), _) => out.extend_from_slice(&[b'\\', letter]),
        (None, 0) => out.extend_from_slice(b"\\0"),
        (None, b' '..=b'~') => out.push(byte),
        (None, _) => write_octal_escape(out, byte),
    }
}

/// The letter of a C escape: `n` for a newline.
pub fn named_escape(byte: u8) -> Option<u8> {
    Some(match byte {
        0x07 => b'a',
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x0b => b'v',
        b'"' | b'\\' => byte,
        _ => return None,
    })
}

/// A backslash and three octal digits.
pub fn write_octal_escape(out: &mut Vec<u8>, byte: u8) {
    let digit = |shift: u32| b'0'.wrapping_add((byte >> shift) & 7);
    out.extend_from_slice(&[b'\\', digit(6), digit(3), digit(0)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], style: StrStyle, layout: Layout) -> Vec<u8> {
        let mut out = Vec::new();
        write_str(&mut out, bytes, style, &layout);
        out
    }

    #[test]
    fn what_is_not_printable_is_escaped() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"", b""),
            (b"a b~", b"a b~"),
            (b"\x07\x08\x0c\n\r\t\x0b\"\\", br#"\a\b\f\n\r\t\v\"\\"#),
            (b"\0", b"\\0"),
            (b"\x01\x1b\x7f", b"\\001\\033\\177"),
            (b"\xe9\xff", b"\\351\\377"),
        ];
        for (bytes, expected) in table {
            assert_eq!(
                shown(bytes, StrStyle::Escaped, Layout::default()),
                expected,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn escapes_count_as_they_are_written() {
        let layout = Layout {
            left: true,
            precision: Some(3),
            ..Layout::width(5)
        };
        assert_eq!(shown(b"\n\n", StrStyle::Escaped, layout), b"\\n\\  ");
    }
}
