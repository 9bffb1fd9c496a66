//! What a record looks like: fixed for a site, so that the recorder writes it with constants and the reader knows
//! beforehand what to find.
//!
//! | offset | size | what |
//! | --- | --- | --- |
//! | 0 | 4 | the record's length in bytes, a multiple of 8 |
//! | 4 | 2 | the site's number |
//! | 6 | 2 | bit N: number N could not be read |
//! | 8 | 8 | the time, in ticks of the CPU's time stamp counter |
//! | 16 | 8 each | the numbers, extended to 64 bits |
//! | then | 4 each | the strings' descriptors; padded to a multiple of 8 |
//! | then | | for each string that is not only named: its address (8), its bytes, padded to a multiple of 8 |
//!
//! A descriptor holds the length in its low 16 bits, a slot's number in the next 11, then [`CUT`], then the kind.

use ptpytrace_arch::{ArgSpec, ArgValue};

/// Where the site's number is.
pub const SITE: u64 = 4;
/// Where the numbers that could not be read are marked.
pub const UNREADABLE: u64 = 6;
/// Where the time is.
pub const TIME: u64 = 8;
/// Where the numbers begin.
pub const NUMBERS: u64 = 16;

/// The bits of a descriptor that are the length.
pub const LENGTH_MASK: u32 = 0xffff;
/// Where the slot's number begins in a descriptor.
pub const SLOT_SHIFT: u32 = 16;
/// What the slot's number has of a descriptor when it is shifted down.
pub const SLOT_MASK: u32 = 0x7ff;
/// The bit of a descriptor that says that the string was longer than the limit, or its rest unreadable.
pub const CUT: u32 = 1 << 27;
/// Where the kind begins in a descriptor.
pub const KIND_SHIFT: u32 = 28;

/// The most numbers in a record: each has a bit at [`UNREADABLE`].
pub const MOST_NUMBERS: usize = 16;
/// The most strings in a record.
pub const MOST_TEXTS: usize = 8;
/// The longest limit of a string, in bytes.
pub const LONGEST_TEXT: usize = LENGTH_MASK as usize;

/// How a descriptor says where the string is: the value of its bits from [`KIND_SHIFT`] on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Its first byte could not be read; only the address follows.
    Unreadable = 0,
    /// It follows.
    Inline = 1,
    /// It follows and is in this slot from now on.
    Remembered = 2,
    /// It is the one in this slot.
    Known = 3,
}

impl Kind {
    /// The kind that a descriptor has.
    pub fn of(descriptor: u32) -> Option<Kind> {
        Some(match descriptor >> KIND_SHIFT {
            0 => Kind::Unreadable,
            1 => Kind::Inline,
            2 => Kind::Remembered,
            3 => Kind::Known,
            _ => return None,
        })
    }

    /// The bits of a descriptor that say so.
    pub const fn bits(self) -> u32 {
        (self as u32) << KIND_SHIFT
    }
}

/// What is recorded of one argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    #[default]
    Nothing,
    /// Its value.
    Number,
    /// The string at the address that it holds, and the address.
    Text,
}

/// An argument of a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Where it lies; `None` when the note's spec could not be understood.
    pub spec: Option<ArgSpec>,
    /// What is recorded of it.
    pub wanted: Wanted,
}

impl Argument {
    /// What is recorded of arguments that lie there.
    pub fn all(specs: Vec<ArgSpec>, wanted: impl IntoIterator<Item = Wanted>) -> Vec<Argument> {
        let argument = |(spec, wanted)| Argument {
            spec: Some(spec),
            wanted,
        };
        specs.into_iter().zip(wanted).map(argument).collect()
    }
}

/// A number in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The argument's index.
    pub argument: usize,
    /// Whether it is signed.
    pub signed: bool,
    /// Whether it is an IEEE 754 number.
    pub float: bool,
    /// Its size in bytes.
    pub size: u8,
}

impl Number {
    /// The value that a record's 64 bits are.
    pub fn value(&self, bits: u64) -> ArgValue {
        match (self.float, self.signed) {
            (true, _) if self.size == 4 => {
                let low = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
                ArgValue::Float(f32::from_bits(low).into())
            }
            (true, _) => ArgValue::Float(f64::from_bits(bits)),
            (false, true) => ArgValue::Signed(bits.cast_signed()),
            (false, false) => ArgValue::Unsigned(bits),
        }
    }
}

/// The shape of a site's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The numbers, by argument.
    pub numbers: Vec<Number>,
    /// The arguments whose strings are recorded, ascending.
    pub texts: Vec<usize>,
    /// The most bytes of a string that are recorded.
    pub limit: usize,
    /// For each argument of the site whether its spec was understood.
    pub understood: Vec<bool>,
}

/// Why a site's events cannot be recorded in this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Too many numbers.
    #[error("more than {MOST_NUMBERS} numbers are wanted")]
    Numbers,
    /// Too many strings.
    #[error("more than {MOST_TEXTS} strings are wanted")]
    Texts,
    /// Too long strings.
    #[error("strings of more than {LONGEST_TEXT} bytes are wanted")]
    Limit,
}

impl Shape {
    /// The shape for these arguments, with strings of at most `limit` bytes.
    ///
    /// # Errors
    /// [`ShapeError`] for more than a record holds.
    pub fn of(arguments: &[Argument], limit: usize) -> Result<Shape, ShapeError> {
        let mut shape = Shape {
            numbers: Vec::new(),
            texts: Vec::new(),
            limit,
            understood: arguments.iter().map(|it| it.spec.is_some()).collect(),
        };
        for (argument, it) in arguments.iter().enumerate() {
            match (&it.spec, it.wanted) {
                (Some(spec), Wanted::Number) => shape.numbers.push(Number {
                    argument,
                    signed: spec.signed,
                    float: spec.float,
                    size: spec.size,
                }),
                (Some(_), Wanted::Text) => shape.texts.push(argument),
                _ => {}
            }
        }
        if shape.numbers.len() > MOST_NUMBERS {
            return Err(ShapeError::Numbers);
        }
        if shape.texts.len() > MOST_TEXTS {
            return Err(ShapeError::Texts);
        }
        if limit > LONGEST_TEXT {
            return Err(ShapeError::Limit);
        }
        Ok(shape)
    }

    /// Where the descriptors begin in a record.
    pub fn descriptors(&self) -> u64 {
        NUMBERS + 8 * self.numbers.len() as u64
    }

    /// The length in bytes of a record that names all of its strings.
    pub fn fixed(&self) -> u64 {
        self.descriptors() + (4 * self.texts.len() as u64).next_multiple_of(8)
    }

    /// The most bytes behind a record's address that may be written.
    pub fn largest(&self) -> u64 {
        // The address, the string and one byte more, and what copying by words writes too much.
        let text = 8 + (self.limit as u64).saturating_add(1 + 16);
        let text = text.next_multiple_of(8);
        self.fixed() + text * self.texts.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptpytrace_arch::{Arch, X86_64};

    fn argument(spec: &str, wanted: Wanted) -> Argument {
        let spec = X86_64.parse_args(spec).unwrap().remove(0);
        Argument {
            spec: Some(spec),
            wanted,
        }
    }

    #[test]
    fn two_strings_and_a_line_take_four_words() {
        let arguments = [
            argument("8@%rdi", Wanted::Text),
            argument("8@%rsi", Wanted::Text),
            argument("-4@%eax", Wanted::Number),
        ];
        let shape = Shape::of(&arguments, 255).unwrap();
        assert_eq!((shape.fixed(), shape.descriptors()), (32, 24));
        assert_eq!(shape.texts, [0, 1]);
        assert_eq!(shape.numbers[0].value(u64::MAX), ArgValue::Signed(-1));
        assert!(shape.largest() >= 32 + 2 * (8 + 256 + 8));
        assert_eq!(Shape::of(&arguments, 70_000), Err(ShapeError::Limit));
        let many = vec![argument("8@%rdi", Wanted::Text); 9];
        assert_eq!(Shape::of(&many, 1), Err(ShapeError::Texts));
        let many = vec![argument("8@%rdi", Wanted::Number); 17];
        assert_eq!(Shape::of(&many, 1), Err(ShapeError::Numbers));
    }
}
