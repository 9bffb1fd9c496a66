//! Why an argument could not be read: from its note, or from the stopped thread.

use std::ops::Range;

/// A note's argument that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("marker argument `{}`: {reason}", .text.escape_debug())]
pub struct ArgError {
    /// The argument as it stands in the note, cut after 100 characters.
    pub text: Box<str>,
    /// Which bytes are at fault: of the string given to [`Arch::parse_args`](crate::Arch::parse_args), or, from
    /// [`ArgSpec::resolve`](crate::ArgSpec::resolve), of the argument's own text.
    pub span: Range<usize>,
    /// What is wrong.
    pub reason: Reason,
}

impl ArgError {
    pub(crate) fn new(text: &str, span: Range<usize>, reason: Reason) -> ArgError {
        let text = text.chars().take(100).collect::<String>().into();
        ArgError { text, span, reason }
    }
}

/// What is wrong with an argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The size is none of 1, 2, 4 and 8 (for a floating-point value 4 and 8).
    #[error("the size must be 1, 2, 4 or 8, for a floating-point value 4 or 8")]
    Size,
    /// Something else should stand here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The CPU has no such register, or it can hold no argument.
    #[error("no register of this CPU that can hold an argument")]
    Register,
    /// The register cannot be used here to form an address.
    #[error("this register cannot form an address here")]
    AddressRegister,
    /// The factor or shift of an index register is out of its range.
    #[error("an index is scaled by 1, 2, 4 or 8 (x86-64), shifted by 0 to 4 (aarch64)")]
    Scale,
    /// A number does not fit into 64 bits.
    #[error("the number does not fit into 64 bits")]
    Number,
    /// The lookup given to [`ArgSpec::resolve`](crate::ArgSpec::resolve) does not know this symbol.
    #[error("symbol `{}` not found", .0.escape_debug())]
    UnknownSymbol(Box<str>),
    /// The note has more than [`MAX_ARGUMENTS`](crate::MAX_ARGUMENTS) arguments.
    #[error("more than {} arguments", crate::MAX_ARGUMENTS)]
    TooMany,
    /// The note's argument string has more than [`MAX_TEXT`](crate::MAX_TEXT) bytes.
    #[error("the argument string is longer than {} bytes", crate::MAX_TEXT)]
    TooLong,
}

/// Why an argument's value cannot be had at this hit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The memory that holds the value cannot be read in full.
    #[error("cannot read {size} bytes at {address:#x} (only {read})")]
    Memory {
        /// The run-time address of the value.
        address: u64,
        /// How many bytes the value has.
        size: usize,
        /// How many of them could be read.
        read: usize,
    },
    /// The value is in a vector register and the snapshot has none, or not this one.
    #[error("vector register {0} was not fetched")]
    Vector(u8),
    /// The address depends on a symbol that was not resolved.
    #[error("symbol `{}` has no run-time address yet", .0.escape_debug())]
    Unresolved(Box<str>),
}
