//! The format strings of `printf` and `printa` ("Output Formatting" in the Dynamic Tracing Guide). Flags, width, and the
//! `@` that asks for an aggregation may stand in any order, as in DTrace.

use crate::script::ir::{IntStyle, StrStyle};

/// The largest width or precision.
const MAX_WIDTH: u32 = 1 << 16;

/// A part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(Vec<u8>),
    Conversion(Conversion),
}

/// A `%` and what follows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conversion {
    pub(super) left: bool,
    pub(super) plus: bool,
    pub(super) space: bool,
    pub(super) alternate: bool,
    pub(super) zero: bool,
    pub(super) grouped: bool,
    pub(super) width: Option<Amount>,
    pub(super) precision: Option<Amount>,
    /// It shows the value of an aggregation.
    pub(super) aggregation: bool,
    /// As written.
    pub(super) text: String,
    letter: u8,
}

/// A width or precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Fixed(u32),
    /// `*`
    Argument,
}

/// What a conversion shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// An integer, signed when its type is (`%d` and `%i`).
    Decimal,
    /// An integer.
    Int(IntStyle),
    /// A string.
    Str(StrStyle),
    /// An address as a symbol, or a string that says it.
    Symbol,
    /// A call stack.
    Stack,
}

impl Conversion {
    /// What it shows.
    ///
    /// # Errors
    /// It is none; the text says so.
    pub(super) fn shows(&self) -> Result<Shows, String> {
        Ok(match self.letter {
            b'd' | b'i' => Shows::Decimal,
            b'u' => Shows::Int(IntStyle::Unsigned),
            b'o' => Shows::Int(IntStyle::Octal),
            b'x' | b'p' => Shows::Int(IntStyle::Hex),
            b'X' => Shows::Int(IntStyle::HexUpper),
            b'c' | b'C' => Shows::Int(IntStyle::Char),
            b'Y' => Shows::Int(IntStyle::Time),
            b's' => Shows::Str(StrStyle::Plain),
            b'S' => Shows::Str(StrStyle::Escaped),
            b'a' | b'A' => Shows::Symbol,
            b'k' => Shows::Stack,
            b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
                return Err(format!(
                    "{}: floating-point values are not supported",
                    self.text
                ));
            }
            _ => return Err(format!("{} is not a valid conversion", self.text)),
        })
    }
}

/// The parts of a format.
///
/// # Errors
/// A `%` has no conversion behind it, or a number is too large; the text says which.
pub(super) fn parse(format: &[u8]) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    let mut rest = format;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            literal.push(byte);
            continue;
        }
        if let Some(after) = rest.strip_prefix(b"%") {
            literal.push(b'%');
            rest = after;
            continue;
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        let (conversion, after) = conversion(rest)?;
        rest = after;
        parts.push(Part::Conversion(conversion));
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// What stands behind a `%`, and what follows that.
fn conversion(start: &[u8]) -> Result<(Conversion, &[u8]), String> {
    let mut found = Conversion::default();
    let mut rest = start;
    let mut precise = false;
    loop {
        let Some((&byte, after)) = rest.split_first() else {
            return Err("the format ends within a conversion".to_owned());
        };
        rest = after;
        match byte {
            b'-' => found.left = true,
            b'+' => found.plus = true,
            b' ' => found.space = true,
            b'#' => found.alternate = true,
            b'\'' => found.grouped = true,
            b'@' => found.aggregation = true,
            b'0' if found.width.is_none() && !precise => found.zero = true,
            b'.' => {
                precise = true;
                found.precision = Some(Amount::Fixed(0));
            }
            // As wide as an address.
            b'?' => found.width = Some(Amount::Fixed(16)),
            b'*' if precise => found.precision = Some(Amount::Argument),
            b'*' => found.width = Some(Amount::Argument),
            b'0'..=b'9' => {
                let (number, after) = number(byte, rest)?;
                rest = after;
                let amount = Some(Amount::Fixed(number));
                if precise {
                    found.precision = amount;
                } else {
                    found.width = amount;
                }
            }
            // The argument's own type decides its size.
            b'h' | b'l' | b'L' | b'q' | b'w' | b'z' | b'j' | b't' => {}
            letter => {
                found.letter = letter;
                let length = start.len().saturating_sub(rest.len());
                let text = start.get(..length).unwrap_or(start);
                found.text = format!("%{}", String::from_utf8_lossy(text));
                return Ok((found, rest));
            }
        }
    }
}

fn number(first: u8, mut rest: &[u8]) -> Result<(u32, &[u8]), String> {
    let mut number = u32::from(first.wrapping_sub(b'0'));
    while let Some((&digit @ b'0'..=b'9', after)) = rest.split_first() {
        let digit = u32::from(digit.wrapping_sub(b'0'));
        number = number.saturating_mul(10).saturating_add(digit);
        rest = after;
    }
    if number > MAX_WIDTH {
        return Err(format!("a width or precision is larger than {MAX_WIDTH}"));
    }
    Ok((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(format: &str) -> Conversion {
        match parse(format.as_bytes()).expect(format).as_slice() {
            [Part::Conversion(it)] => it.clone(),
            other => panic!("{format}: {other:?}"),
        }
    }

    #[test]
    fn flags_and_widths_are_read() {
        let it = only("%'@9i");
        assert!(it.grouped && it.aggregation);
        assert_eq!(it.width, Some(Amount::Fixed(9)));
        assert_eq!(it.shows(), Ok(Shows::Decimal));
        let it = only("%@8d");
        assert!(it.aggregation && it.width == Some(Amount::Fixed(8)));
        let it = only("%-*.*s");
        assert!(it.left);
        assert_eq!(
            (it.width, it.precision),
            (Some(Amount::Argument), Some(Amount::Argument))
        );
        assert_eq!(only("%016llx").shows(), Ok(Shows::Int(IntStyle::Hex)));
        assert!(only("%016llx").zero);
        assert_eq!(only("%10d").width, Some(Amount::Fixed(10)));
        assert_eq!(only("%.0s").precision, Some(Amount::Fixed(0)));
        assert_eq!(only("%?p").width, Some(Amount::Fixed(16)));
        assert_eq!(only("%ws").shows(), Ok(Shows::Str(StrStyle::Plain)));
        assert_eq!(only("%A").shows(), Ok(Shows::Symbol));
        assert!(only("%f").shows().is_err());
        assert!(only("%r").shows().expect_err("none").contains("%r"));
    }

    #[test]
    fn literals_and_errors() {
        let parts = parse(b"100%% %d\n").expect("right");
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0], Part::Literal(b"100% ".to_vec()));
        assert_eq!(parts[2], Part::Literal(b"\n".to_vec()));
        assert!(parse(b"%").is_err());
        assert!(parse(b"%-").is_err());
        assert!(parse(b"%99999999999d").is_err());
        assert_eq!(parse(b"").expect("right"), []);
    }
}
