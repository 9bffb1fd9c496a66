//! What printf and its relatives are lowered to. Widths are C's (printf(3)).

use super::expr::{IntExpr, StrExpr};

/// Pieces that are printed one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Format {
    /// The pieces. Literals that follow each other may be joined.
    pub pieces: Vec<Piece>,
}

/// A piece of a format.
#[derive(Clone, Debug)]
pub enum Piece {
    /// These bytes.
    Literal(Vec<u8>),
    /// An integer.
    Int {
        /// Flags, width, precision.
        spec: Spec,
        /// How it is shown.
        style: IntStyle,
        /// The integer.
        value: IntExpr,
    },
    /// A string.
    Str {
        /// Flags, width, precision (the most bytes).
        spec: Spec,
        /// How it is shown.
        style: StrStyle,
        /// The string.
        value: StrExpr,
    },
}

/// Flags, width and precision of a conversion.
#[derive(Clone, Debug, Default)]
pub struct Spec {
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
    /// The least width.
    pub width: Option<Number>,
    /// The least digits of an integer, the most bytes of a string.
    pub precision: Option<Number>,
}

/// A width or precision.
#[derive(Clone, Debug)]
pub enum Number {
    /// As written.
    Fixed(u32),
    /// `*`: from an argument. A negative width means to the left; a negative precision none.
    Argument(Box<IntExpr>),
}

/// How an integer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntStyle {
    /// Signed, decimal.
    Signed,
    /// Unsigned, decimal.
    Unsigned,
    /// Octal.
    Octal,
    /// Hexadecimal, lower case.
    Hex,
    /// Hexadecimal, upper case.
    HexUpper,
    /// `0x` and hexadecimal, as C's `%p`; 0 is `0x0`.
    Pointer,
    /// The byte of that value.
    Char,
    /// A time, ns since 1970, as DTrace's `%Y`: `2026 Nov 22 23:39:38`, local time.
    Time,
    /// A time, ns since 1970, as ctime(3) shows it in GMT, without its newline.
    GmtTime,
    /// As raw bytes, little-endian, so many (SystemTap's `%b`): 1, 2, 4 or 8.
    Binary(u8),
    /// An address of the traced process as symbol: ``module`function+0x10``, or hexadecimal when it has none.
    Symbol,
}

/// How a string is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrStyle {
    /// As it is.
    Plain,
    /// What is not printable as C escapes (DTrace's `%S`).
    Escaped,
}

/// A piece of a format for the rows of aggregations.
#[derive(Clone, Debug)]
pub enum AggregationPiece {
    /// These bytes.
    Literal(Vec<u8>),
    /// A key that is an integer.
    IntKey {
        /// Flags, width, precision.
        spec: Spec,
        /// How it is shown.
        style: IntStyle,
        /// Which key, from 0.
        key: usize,
    },
    /// A key that is a string.
    StrKey {
        /// Flags, width, precision.
        spec: Spec,
        /// How it is shown.
        style: StrStyle,
        /// Which key, from 0.
        key: usize,
    },
    /// The value of one of the aggregations that are printed together, as its [`super::Keep::value`] says; where that
    /// has a histogram, the histogram.
    Value {
        /// Flags, width, precision.
        spec: Spec,
        /// How it is shown.
        style: IntStyle,
        /// Which aggregation, from 0.
        which: usize,
    },
}
