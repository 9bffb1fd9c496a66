//! Integers.

use super::string::cut;
use super::{Layout, MAX_WIDTH, fill, time, write_padded};
use crate::script::ir::IntStyle;

/// The digits of a 64-bit number in base 8, with commas in between: 22 and 7.
const DIGITS: usize = 32;

/// Writes an integer in that style.
///
/// Flags that a style has no use for count as not written, as in C.
pub fn write_int(out: &mut Vec<u8>, value: i64, style: IntStyle, layout: &Layout) {
    match style {
        IntStyle::Signed => {
            if *layout == Layout::default() {
                return write_decimal(out, value);
            }
            let sign: &[u8] = match value {
                ..0 => b"-",
                _ if layout.plus => b"+",
                _ if layout.space => b" ",
                _ => b"",
            };
            write_decimal_number(out, sign, value.unsigned_abs(), layout);
        }
        IntStyle::Unsigned => write_decimal_number(out, b"", bits(value), layout),
        IntStyle::Octal => write_octal(out, bits(value), layout),
        IntStyle::Hex | IntStyle::HexUpper => {
            let upper = style == IntStyle::HexUpper;
            let prefix: &[u8] = match (layout.alternate && value != 0, upper) {
                (false, _) => b"",
                (true, false) => b"0x",
                (true, true) => b"0X",
            };
            write_number(out, prefix, &Digits::power(bits(value), 4, upper), layout);
        }
        IntStyle::Pointer | IntStyle::Symbol => {
            let digits = Digits::power(bits(value), 4, false);
            write_number(out, b"0x", &digits, layout);
        }
        IntStyle::Char => write_padded(
            out,
            value.to_le_bytes().get(..1).unwrap_or_default(),
            layout,
        ),
        IntStyle::Time => {
            let mut text = Vec::with_capacity(24);
            time::write_local(&mut text, value);
            write_padded(out, cut(&text, layout), layout);
        }
        IntStyle::GmtTime => {
            let mut text = Vec::with_capacity(24);
            time::write_gmt(&mut text, value.div_euclid(time::NANOSECONDS));
            write_padded(out, cut(&text, layout), layout);
        }
        IntStyle::Binary(size) => {
            let bytes = value.to_le_bytes();
            let size = usize::from(size).min(bytes.len());
            write_padded(out, bytes.get(..size).unwrap_or_default(), layout);
        }
    }
}

/// Writes an integer as a plain `%d` does.
pub fn write_decimal(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(Digits::decimal(value.unsigned_abs()).as_slice());
}

/// The bits of a number, without its sign.
fn bits(value: i64) -> u64 {
    value.cast_unsigned()
}

/// Digits of a number, the first not 0 but for the number 0.
struct Digits {
    bytes: [u8; DIGITS],
    start: usize,
}

impl Digits {
    fn none() -> Digits {
        Digits {
            bytes: [0; DIGITS],
            start: DIGITS,
        }
    }

    fn decimal(mut value: u64) -> Digits {
        let mut digits = Digits::none();
        loop {
            digits.prepend(b'0'.wrapping_add((value % 10) as u8));
            value /= 10;
            if value == 0 {
                return digits;
            }
        }
    }

    /// In base 2 to the power of `shift`, which is 3 or 4.
    fn power(mut value: u64, shift: u32, upper: bool) -> Digits {
        let table = if upper {
            b"0123456789ABCDEF"
        } else {
            b"0123456789abcdef"
        };
        let mask = (1_u64 << shift).wrapping_sub(1);
        let mut digits = Digits::none();
        loop {
            let digit = (value & mask) as usize;
            digits.prepend(table.get(digit).copied().unwrap_or(b'0'));
            value >>= shift;
            if value == 0 {
                return digits;
            }
        }
    }

    fn prepend(&mut self, byte: u8) {
        if let Some(start) = self.start.checked_sub(1) {
            self.start = start;
            if let Some(place) = self.bytes.get_mut(start) {
                *place = byte;
            }
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// With a comma before every third digit from the right.
    fn grouped(&self) -> Digits {
        let mut digits = Digits::none();
        for (index, digit) in self.as_slice().iter().rev().enumerate() {
            if index > 0 && index % 3 == 0 {
                digits.prepend(b',');
            }
            digits.prepend(*digit);
        }
        digits
    }
}

/// Only decimal digits are ever grouped.
fn write_decimal_number(out: &mut Vec<u8>, sign: &[u8], value: u64, layout: &Layout) {
    let digits = Digits::decimal(value);
    if layout.grouped {
        write_number(out, sign, &digits.grouped(), layout);
    } else {
        write_number(out, sign, &digits, layout);
    }
}

/// `#` raises the precision so far that the first digit is a 0.
fn write_octal(out: &mut Vec<u8>, value: u64, layout: &Layout) {
    let digits = Digits::power(value, 3, false);
    let enough = layout.precision.unwrap_or(1) > digits.as_slice().len();
    let starts_with_zero = value == 0 && layout.precision != Some(0);
    let prefix: &[u8] = if layout.alternate && !enough && !starts_with_zero {
        b"0"
    } else {
        b""
    };
    write_number(out, prefix, &digits, layout);
}

/// Writes sign or prefix and digits: zeros up to the precision, or, with the flag and without a precision, up to the
/// width; spaces around them up to the width.
fn write_number(out: &mut Vec<u8>, prefix: &[u8], digits: &Digits, layout: &Layout) {
    let mut text = digits.as_slice();
    if layout.precision == Some(0) && text == b"0" {
        text = b"";
    }
    let width = layout.width.unwrap_or(0).min(MAX_WIDTH);
    let precision = layout.precision.unwrap_or(0).min(MAX_WIDTH);
    let mut zeros = precision.saturating_sub(text.len());
    let length = prefix
        .len()
        .saturating_add(zeros)
        .saturating_add(text.len());
    let mut spaces = width.saturating_sub(length);
    if layout.zero && !layout.left && layout.precision.is_none() {
        zeros = zeros.saturating_add(spaces);
        spaces = 0;
    }
    if !layout.left {
        fill(out, b' ', spaces);
    }
    out.extend_from_slice(prefix);
    fill(out, b'0', zeros);
    out.extend_from_slice(text);
    if layout.left {
        fill(out, b' ', spaces);
    }
}

#[cfg(test)]
mod tests;
