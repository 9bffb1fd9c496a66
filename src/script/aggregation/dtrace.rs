//! Rows as DTrace prints them (user guide, "Aggregations" and "Output Formatting").

use super::dtrace_histogram::write_histogram;
use super::{Column, Key};
use crate::script::format::{Layout, write_int, write_str};
use crate::script::ir::{AggregationPiece, IntStyle, StrStyle};

/// The width of a 64-bit integer.
const WIDE: usize = 16;
/// The width of a string that is a key.
const STRING: usize = 50;

/// Writes a row as DTrace does without a format: the keys, the values, a newline; a histogram takes several lines.
/// `sizes` are the bytes of the keys' types (1, 2, 4 or 8; 8 where it is short), on which their widths depend.
pub fn write_default_row(
    out: &mut Vec<u8>,
    keys: &[Key<'_>],
    sizes: &[u8],
    columns: &[Column<'_>],
) {
    for (index, key) in keys.iter().enumerate() {
        match key {
            Key::Int(value) => {
                let size = sizes.get(index).copied().unwrap_or(8);
                write_sized(out, *value, size);
            }
            Key::Str(text) => {
                let layout = Layout {
                    left: true,
                    ..Layout::width(STRING)
                };
                out.extend_from_slice(b"  ");
                write_str(out, text, StrStyle::Plain, &layout);
            }
        }
    }
    for column in columns {
        match column.buckets() {
            Some(buckets) => write_histogram(out, column, &buckets),
            None => {
                out.push(b' ');
                let layout = Layout::width(WIDE);
                write_int(out, column.shown(), IntStyle::Signed, &layout);
            }
        }
    }
    out.push(b'\n');
}

/// Writes an integer as `trace()` does for a type of so many bytes: the narrowest are shown without a sign.
fn write_sized(out: &mut Vec<u8>, value: i64, size: u8) {
    let [a, b, c, d, ..] = value.to_le_bytes();
    let (value, width) = match size {
        1 => (i64::from(a), 3),
        2 => (i64::from(u16::from_le_bytes([a, b])), 5),
        4 => (i64::from(i32::from_le_bytes([a, b, c, d])), 8),
        _ => (value, WIDE),
    };
    out.push(b' ');
    write_int(out, value, IntStyle::Signed, &Layout::width(width));
}

/// Writes a row in that format. A `*` in it counts as not written; what there is no key or column for is left away.
pub fn write_formatted_row(
    out: &mut Vec<u8>,
    pieces: &[AggregationPiece],
    keys: &[Key<'_>],
    columns: &[Column<'_>],
) {
    for piece in pieces {
        match piece {
            AggregationPiece::Literal(bytes) => out.extend_from_slice(bytes),
            AggregationPiece::IntKey { spec, style, key } => {
                if let Some(Key::Int(value)) = keys.get(*key) {
                    write_int(out, *value, *style, &Layout::fixed(spec));
                }
            }
            AggregationPiece::StrKey { spec, style, key } => {
                if let Some(Key::Str(text)) = keys.get(*key) {
                    write_str(out, text, *style, &Layout::fixed(spec));
                }
            }
            AggregationPiece::Value { spec, style, which } => {
                let Some(column) = columns.get(*which) else {
                    continue;
                };
                match column.buckets() {
                    Some(buckets) => write_histogram(out, column, &buckets),
                    None => write_int(out, column.shown(), *style, &Layout::fixed(spec)),
                }
            }
        }
    }
}

impl Column<'_> {
    /// What its values are divided by: never 0.
    pub(super) fn divisor(&self) -> i64 {
        match self.normal {
            0 => 1,
            normal => normal,
        }
    }

    /// The number that is shown.
    fn shown(&self) -> i64 {
        let what = self.keep.value;
        let normal = self.divisor();
        self.summary
            .map_or(0, |summary| summary.shown(what, normal))
    }
}

#[cfg(test)]
mod tests;
