//! Where values are kept.

use crate::script::source::Span;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A 64-bit integer.
    Int,
    /// A string of bytes.
    Str,
}

/// How long a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// As long as the program.
    Global,
    /// As long as its thread.
    Thread,
    /// For one firing, in all handlers that run for it.
    Firing,
    /// In one call of a function, or one run of a handler.
    Local,
}

/// A scalar variable: its type, and how it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, for messages.
    pub name: String,
    /// What it begins as.
    pub initial: Initial,
}

/// What a variable begins as; it has the same type for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initial {
    /// An integer.
    Int(i64),
    /// A string.
    Str(Vec<u8>),
}

impl Initial {
    /// Its type.
    pub fn ty(&self) -> Type {
        match self {
            Initial::Int(_) => Type::Int,
            Initial::Str(_) => Type::Str,
        }
    }
}

/// An integer variable: an index into the table of its scope. (For locals: into the function's or handler's.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntVar {
    /// Which table.
    pub scope: Scope,
    /// Which entry; it is an integer.
    pub index: usize,
}

/// A string variable, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StrVar {
    /// Which table.
    pub scope: Scope,
    /// Which entry; it is a string.
    pub index: usize,
}

/// A variable of either type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// An integer.
    Int(IntVar),
    /// A string.
    Str(StrVar),
}

/// Names an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArrayId(pub usize);

/// Names an aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AggregationId(pub usize);

/// Names a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId(pub usize);

/// An associative array. What is not in it reads as 0 or "".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// Its name, for messages.
    pub name: String,
    /// True: every thread has one of its own.
    pub per_thread: bool,
    /// The types of its keys; at least one.
    pub keys: Vec<Type>,
    /// The type of its values.
    pub value: Type,
    /// The most entries; `None`: as the options say.
    pub limit: Option<usize>,
    /// When it is full the oldest entry goes, instead of an error (SystemTap's `%`).
    pub wraps: bool,
    /// Assigning 0 or "" removes the entry (D).
    pub zero_removes: bool,
    /// Where it is declared or first used.
    pub span: Span,
}

/// An aggregation: for each key a summary of the values that were recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// Its name without `@`; empty for D's anonymous one.
    pub name: String,
    /// The types of its keys; may be none.
    pub keys: Vec<Type>,
    /// The bytes of the keys' types in the script (1, 2, 4 or 8), on which DTrace's own format of a row depends; 8
    /// where it is short.
    pub key_sizes: Vec<u8>,
    /// What is kept of the values.
    pub keep: Keep,
    /// The most entries; `None`: as the options say.
    pub limit: Option<usize>,
    /// When it is full the oldest entry goes, instead of an error.
    pub wraps: bool,
    /// Where it is declared or first used.
    pub span: Span,
}

/// What is kept of recorded values. Count, sum, minimum and maximum are always kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// What the value of an entry is where there must be one: in sorting, in [`super::AggregationPiece::Value`].
    pub value: super::Statistic,
    /// The sum of squares, for variance and deviation.
    pub squares: bool,
    /// A histogram of powers of two.
    pub log: Option<Buckets>,
    /// A linear one.
    pub linear: Option<Buckets>,
    /// A log-linear one.
    pub log_linear: Option<Buckets>,
}

/// The buckets of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buckets {
    /// Powers of two, of both signs.
    Log,
    /// From `low` up to `high`, each `step` wide (above 0); what is below or above has a bucket at each end.
    Linear {
        /// The lowest value.
        low: i64,
        /// The highest.
        high: i64,
        /// The width of a bucket.
        step: i64,
    },
    /// D's llquantize: each order of magnitude from `factor`^`low` to `factor`^`high` has `steps` buckets.
    LogLinear {
        /// The base, above 1.
        factor: u16,
        /// The lowest exponent.
        low: u16,
        /// The highest.
        high: u16,
        /// Buckets an order of magnitude; `factor` divides it, or it divides `factor`.
        steps: u16,
    },
}
