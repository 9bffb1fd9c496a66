//! A Python object's value, copied out of the process and independent of it.

use super::integer::Integer;
use super::text::Text;

/// What an object held when it was read.
///
/// [`std::fmt::Display`] prints it as Python's `repr` does, other types as `<type name>` and what was cut as `...`;
/// the alternate form `{:#}` as Python's `ascii` does.
#[derive(Clone, Debug, PartialEq)]
pub enum PyValue {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An exact `int`.
    Int(Integer),
    /// An exact `float`.
    Float(f64),
    /// An exact `str`.
    Str(Text),
    /// An exact `bytes`; the second field says that more bytes follow in the object.
    Bytes(Vec<u8>, bool),
    /// An exact `tuple`. When items were left out the last one is [`PyValue::Cut`].
    Tuple(Vec<PyValue>),
    /// An exact `list`. When items were left out the last one is [`PyValue::Cut`].
    List(Vec<PyValue>),
    /// An object of any other type, subclasses of the above included.
    Other {
        /// The type's `__name__`.
        type_name: String,
    },
    /// Not decoded, because a limit was reached.
    Cut(Cut),
    /// There is no object that could be read at this address: unmapped, or its fields make no sense. 0 for NULL, an
    /// item not yet set.
    Unreadable {
        /// The object's address in the process.
        address: u64,
    },
}

/// What was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A list inside itself, or deeper than the limit.
    List,
    /// A tuple inside itself, or deeper than the limit.
    Tuple,
    /// Further items, an integer with too many digits, or anything after the limit for the whole value.
    Rest,
}
