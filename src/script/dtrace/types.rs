//! D's types, as far as they can be had without debug information: integers, strings, and pointers to those.
//!
//! What a variable keeps is always 64 bits wide; the type says how wide a value is where it is printed or recorded,
//! and whether an operator is signed (Dynamic Tracing Guide, "Types, Operators, and Expressions").

use super::ast::{Int, TypeName};

/// An integer's size and sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntType {
    /// 8, 16, 32 or 64.
    pub bits: u8,
    /// It has a sign.
    pub signed: bool,
}

/// A type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// None.
    Void,
    /// An integer.
    Int(IntType),
    /// A string.
    Str,
    /// An address.
    Pointer(Box<Type>),
    /// The address of what `copyin` has read: it may be looked at.
    Copied(Box<Type>),
    /// A call stack: a string of many lines.
    Stack,
}

const fn int(bits: u8, signed: bool) -> IntType {
    IntType { bits, signed }
}

/// `int`
pub const INT: IntType = int(32, true);
/// `unsigned short`
pub const USHORT: IntType = int(16, false);
/// `unsigned int`
pub const UINT: IntType = int(32, false);
/// `int64_t`
pub const INT64: IntType = int(64, true);
/// `uint64_t`
pub const UINT64: IntType = int(64, false);

/// Integer types by all their names.
const INTEGERS: &[(&str, IntType)] = &[
    ("bool", int(8, false)),
    ("_Bool", int(8, false)),
    ("boolean_t", INT),
    ("char", int(8, true)),
    ("signed char", int(8, true)),
    ("unsigned char", int(8, false)),
    ("uchar_t", int(8, false)),
    ("int8_t", int(8, true)),
    ("uint8_t", int(8, false)),
    ("short", int(16, true)),
    ("short int", int(16, true)),
    ("signed short", int(16, true)),
    ("unsigned short", int(16, false)),
    ("unsigned short int", int(16, false)),
    ("ushort_t", int(16, false)),
    ("int16_t", int(16, true)),
    ("uint16_t", int(16, false)),
    ("int", INT),
    ("signed", INT),
    ("signed int", INT),
    ("unsigned", UINT),
    ("unsigned int", UINT),
    ("uint_t", UINT),
    ("int32_t", INT),
    ("uint32_t", UINT),
    ("long", INT64),
    ("long int", INT64),
    ("signed long", INT64),
    ("unsigned long", UINT64),
    ("unsigned long int", UINT64),
    ("ulong_t", UINT64),
    ("long long", INT64),
    ("long long int", INT64),
    ("signed long long", INT64),
    ("unsigned long long", UINT64),
    ("unsigned long long int", UINT64),
    ("longlong_t", INT64),
    ("u_longlong_t", UINT64),
    ("int64_t", INT64),
    ("uint64_t", UINT64),
    ("intmax_t", INT64),
    ("uintmax_t", UINT64),
    ("intptr_t", INT64),
    ("uintptr_t", UINT64),
    ("size_t", UINT64),
    ("ssize_t", INT64),
    ("ptrdiff_t", INT64),
    ("off_t", INT64),
    ("pid_t", INT),
    ("id_t", INT),
    ("uid_t", UINT),
    ("gid_t", UINT),
    ("zoneid_t", INT),
    ("projid_t", INT),
    ("taskid_t", INT),
    ("processorid_t", INT),
    ("mode_t", UINT),
    ("dev_t", UINT64),
    ("ino_t", UINT64),
    ("time_t", INT64),
    ("clock_t", INT64),
    ("hrtime_t", INT64),
];

/// Words of which types are made, and other names of types.
const WORDS: &[&str] = &[
    "void", "string", "float", "double", "caddr_t", "struct", "union", "enum", "const", "volatile",
    "unsigned", "signed",
];

/// Whether a word can begin a type.
pub fn is_type_word(word: &str) -> bool {
    WORDS.contains(&word) || INTEGERS.iter().any(|(name, _)| *name == word)
}

/// The type of this name without pointers.
///
/// # Errors
/// There is none, or it is one that needs debug information; the text says which.
pub fn named(name: &str) -> Result<Type, String> {
    if let Some((_, found)) = INTEGERS.iter().find(|(own, _)| *own == name) {
        return Ok(Type::Int(*found));
    }
    match name {
        "void" => Ok(Type::Void),
        "string" => Ok(Type::Str),
        "caddr_t" => Ok(Type::Pointer(Box::new(Type::Int(int(8, true))))),
        "float" | "double" | "long double" => {
            Err(format!("{name}: floating-point types are not supported"))
        }
        _ if name.starts_with("enum ") => Ok(Type::Int(INT)),
        _ if name.starts_with("struct ") || name.starts_with("union ") => Err(format!(
            "{name}: structures are not supported: their layout would need debug information"
        )),
        _ => Err(format!("{name} is not a type that is known here")),
    }
}

impl TypeName {
    /// As written.
    pub fn text(&self) -> String {
        let stars = "*".repeat(usize::from(self.pointers));
        if stars.is_empty() {
            return self.name.clone();
        }
        format!("{} {stars}", self.name)
    }
}

impl Type {
    /// The integer type that it counts as in arithmetic: addresses are unsigned and 64 bits wide.
    pub fn as_int(&self) -> IntType {
        match self {
            Type::Int(own) => *own,
            Type::Pointer(_) | Type::Copied(_) => UINT64,
            Type::Void | Type::Str | Type::Stack => INT64,
        }
    }

    /// Whether its values are strings.
    pub fn is_str(&self) -> bool {
        matches!(self, Type::Str | Type::Stack)
    }

    /// What it points to.
    pub fn target(&self) -> Option<&Type> {
        match self {
            Type::Pointer(target) | Type::Copied(target) => Some(target),
            _ => None,
        }
    }

    /// Its size in bytes; strings are as long as `strsize` says.
    pub fn size(&self, strsize: u64) -> u64 {
        match self {
            Type::Void => 1,
            Type::Int(own) => u64::from(own.bits / 8),
            Type::Pointer(_) | Type::Copied(_) => 8,
            Type::Str | Type::Stack => strsize,
        }
    }

    /// As D writes it.
    pub fn text(&self) -> String {
        match self {
            Type::Void => "void".to_owned(),
            Type::Int(own) => own.text().to_owned(),
            Type::Str => "string".to_owned(),
            Type::Stack => "stack".to_owned(),
            Type::Pointer(target) | Type::Copied(target) => format!("{} *", target.text()),
        }
    }
}

impl IntType {
    /// As D writes it.
    pub fn text(self) -> &'static str {
        match (self.bits, self.signed) {
            (8, true) => "char",
            (8, false) => "uint8_t",
            (16, true) => "short",
            (16, false) => "uint16_t",
            (32, true) => "int",
            (32, false) => "uint32_t",
            (_, true) => "int64_t",
            (_, false) => "uint64_t",
        }
    }

    /// The type of an operator's result, by C's usual arithmetic conversions.
    pub fn promote(self, other: IntType) -> IntType {
        let (left, right) = (self.widened(), other.widened());
        let rank = |it: IntType| u16::from(it.bits) * 2 + u16::from(!it.signed);
        if rank(left) >= rank(right) {
            left
        } else {
            right
        }
    }

    /// Types narrower than `int` count as `int`.
    pub fn widened(self) -> IntType {
        if self.bits < 32 { INT } else { self }
    }

    /// The type of a constant: the first that holds it of `int`, `unsigned int` (unless it is decimal), `int64_t`,
    /// `uint64_t`.
    pub fn of_constant(int: &Int) -> IntType {
        let candidates = [
            (
                INT,
                u64::from(i32::MAX.unsigned_abs()),
                !int.unsigned && !int.long,
            ),
            (
                UINT,
                u64::from(u32::MAX),
                !int.long && (int.unsigned || !int.decimal),
            ),
            (INT64, i64::MAX.unsigned_abs(), !int.unsigned),
        ];
        candidates
            .into_iter()
            .find(|(_, most, allowed)| *allowed && int.value <= *most)
            .map_or(UINT64, |(found, ..)| found)
    }
}
