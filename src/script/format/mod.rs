//! Values as text: what printf and its relatives write.
//!
//! The rules are C's (printf(3), C11 7.21.6.1), the conversions those of the languages. Nothing here can fail: what C
//! leaves undefined has a defined result.

mod integer;
mod string;
mod time;

pub use integer::{write_decimal, write_int};
pub use string::{named_escape, write_octal_escape, write_str};
pub use time::{write_gmt, write_local, zone};

use super::ir::{IntExpr, IntStyle, Number, Spec};

/// The widest field and the highest precision: a `%*d` of a hostile number must not fill memory.
pub const MAX_WIDTH: usize = 65_536;

/// A resolved [`Spec`]: flags, width and precision of one conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// `-`: to the left.
    pub left: bool,
    /// `+`: a sign always.
    pub plus: bool,
    /// A space in place of a plus.
    pub space: bool,
    /// `#`: `0x` before hexadecimal, `0` before octal.
    pub alternate: bool,
    /// `0`: zeros to the width.
    pub zero: bool,
    /// `'`: thousands are grouped by commas.
    pub grouped: bool,
    /// The least width, in bytes; at most [`MAX_WIDTH`] counts.
    pub width: Option<usize>,
    /// The least digits of an integer, the most bytes of a string; at most [`MAX_WIDTH`] digits count.
    pub precision: Option<usize>,
}

impl Layout {
    /// A layout with this width and nothing else.
    pub fn width(width: usize) -> Layout {
        Layout {
            width: Some(width),
            ..Layout::default()
        }
    }

    /// This spec, its `*` evaluated by `evaluate` (the width first). A negative width means to the left, a negative
    /// precision none.
    ///
    /// # Errors
    /// Those of `evaluate`.
    pub fn resolve<E>(
        spec: &Spec,
        mut evaluate: impl FnMut(&IntExpr) -> Result<i64, E>,
    ) -> Result<Layout, E> {
        let mut layout = Layout {
            left: spec.left,
            plus: spec.plus,
            space: spec.space,
            alternate: spec.alternate,
            zero: spec.zero,
            grouped: spec.grouped,
            width: None,
            precision: None,
        };
        match &spec.width {
            None => {}
            Some(Number::Fixed(width)) => layout.width = Some(capped(u64::from(*width))),
            Some(Number::Argument(width)) => {
                let width = evaluate(width)?;
                layout.left |= width < 0;
                layout.width = Some(capped(width.unsigned_abs()));
            }
        }
        match &spec.precision {
            None => {}
            Some(Number::Fixed(precision)) => {
                layout.precision = Some(capped(u64::from(*precision)))
            }
            Some(Number::Argument(precision)) => {
                let precision = evaluate(precision)?;
                layout.precision = u64::try_from(precision).ok().map(capped);
            }
        }
        Ok(layout)
    }

    /// This spec where nothing can be evaluated (the rows of aggregations): a `*` counts as not written.
    pub fn fixed(spec: &Spec) -> Layout {
        let fixed = |number: &Option<Number>| match number {
            Some(Number::Fixed(number)) => Some(capped(u64::from(*number))),
            _ => None,
        };
        Layout {
            left: spec.left,
            plus: spec.plus,
            space: spec.space,
            alternate: spec.alternate,
            zero: spec.zero,
            grouped: spec.grouped,
            width: fixed(&spec.width),
            precision: fixed(&spec.precision),
        }
    }
}

fn capped(number: u64) -> usize {
    usize::try_from(number).map_or(MAX_WIDTH, |it| it.min(MAX_WIDTH))
}

/// Adds `count` times `byte`.
fn fill(out: &mut Vec<u8>, byte: u8, count: usize) {
    out.resize(out.len().saturating_add(count), byte);
}

/// Adds `text` in a field as wide as the layout says, padded with spaces.
fn write_padded(out: &mut Vec<u8>, text: &[u8], layout: &Layout) {
    let width = layout.width.unwrap_or(0).min(MAX_WIDTH);
    let padding = width.saturating_sub(text.len());
    if !layout.left {
        fill(out, b' ', padding);
    }
    out.extend_from_slice(text);
    if layout.left {
        fill(out, b' ', padding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(spec: &Spec) -> Layout {
        let evaluate = |it: &IntExpr| match it {
            IntExpr::Constant(value) => Ok(*value),
            _ => Err(()),
        };
        Layout::resolve(spec, evaluate).expect("constants")
    }

    fn argument(value: i64) -> Option<Number> {
        Some(Number::Argument(Box::new(IntExpr::Constant(value))))
    }

    /// printf(3): "A negative field width is taken as a '-' flag followed by a positive field width"; "a negative
    /// precision is taken as if the precision were omitted".
    #[test]
    fn arguments_have_signs() {
        let table = [
            (argument(7), argument(3), false, Some(7), Some(3)),
            (argument(-7), argument(-3), true, Some(7), None),
            (argument(0), argument(0), false, Some(0), Some(0)),
            (Some(Number::Fixed(9)), None, false, Some(9), None),
            (None, Some(Number::Fixed(2)), false, None, Some(2)),
            (
                argument(i64::MIN),
                argument(i64::MAX),
                true,
                Some(MAX_WIDTH),
                Some(MAX_WIDTH),
            ),
            (
                Some(Number::Fixed(u32::MAX)),
                argument(i64::MIN),
                false,
                Some(MAX_WIDTH),
                None,
            ),
        ];
        for (width, precision, left, expected_width, expected_precision) in table {
            let spec = Spec {
                width,
                precision,
                ..Spec::default()
            };
            let layout = resolved(&spec);
            assert_eq!(layout.left, left, "{spec:?}");
            assert_eq!(layout.width, expected_width, "{spec:?}");
            assert_eq!(layout.precision, expected_precision, "{spec:?}");
        }
    }

    #[test]
    fn flags_are_kept() {
        let spec = Spec {
            left: true,
            plus: true,
            space: true,
            alternate: true,
            zero: true,
            grouped: true,
            width: argument(5),
            precision: Some(Number::Fixed(4)),
        };
        let expected = Layout {
            left: true,
            plus: true,
            space: true,
            alternate: true,
            zero: true,
            grouped: true,
            width: Some(5),
            precision: Some(4),
        };
        assert_eq!(resolved(&spec), expected);
        let fixed = Layout {
            width: None,
            ..expected
        };
        assert_eq!(Layout::fixed(&spec), fixed);
    }

    #[test]
    fn errors_of_arguments_come_through() {
        let spec = Spec {
            width: argument(1),
            ..Spec::default()
        };
        assert_eq!(Layout::resolve(&spec, |_| Err("no")), Err("no"));
    }
}
