//! The part of an SDT note's argument string that all CPUs share: splitting it, sizes, numbers and symbols.

use std::ops::Range;

use crate::Arch;
use crate::arg::ArgSpec;
use crate::error::{ArgError, Reason};
use crate::location::Location;

/// The most arguments one note may have. SystemTap's header allows 12; a bound keeps a hostile note small.
pub const MAX_ARGUMENTS: usize = 64;

/// The longest argument string that is read, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;

/// What is wrong with an operand, and which of its bytes are at fault.
pub(crate) struct Fault {
    span: Range<usize>,
    reason: Reason,
}

/// Reads one operand up to the end of the cursor's text.
pub(crate) type ParseOperand = fn(&mut Cursor<'_>) -> Result<Location, Fault>;

/// Reads the argument string of a note, whose operands `operand` reads.
pub(crate) fn arguments(
    arch: &'static dyn Arch,
    operand: ParseOperand,
    specs: &str,
) -> Result<Vec<Result<ArgSpec, ArgError>>, ArgError> {
    if specs.len() > MAX_TEXT {
        return Err(ArgError::new(specs, MAX_TEXT..specs.len(), Reason::TooLong));
    }
    let mut found = Vec::new();
    for (start, text) in Split::new(specs) {
        if found.len() == MAX_ARGUMENTS {
            let span = start..start.saturating_add(text.len());
            return Err(ArgError::new(text, span, Reason::TooMany));
        }
        found.push(argument(arch, operand, text).map_err(|fault| {
            let from = start.saturating_add(fault.span.start);
            let to = start.saturating_add(fault.span.end);
            ArgError::new(text, from..to, fault.reason)
        }));
    }
    Ok(found)
}

fn argument(arch: &'static dyn Arch, operand: ParseOperand, text: &str) -> Result<ArgSpec, Fault> {
    let mut cursor = Cursor { text, at: 0 };
    let (size, signed, float) = cursor.size()?;
    let location = operand(&mut cursor)?;
    if !cursor.rest().is_empty() {
        return Err(cursor.expected("the end of the argument"));
    }
    Ok(ArgSpec {
        size,
        signed,
        float,
        location,
        text: text.into(),
        arch,
    })
}

/// The arguments of a string and their offsets: white space parts them, but not inside of brackets (aarch64 writes
/// `[sp, 28]`).
struct Split<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Split<'a> {
    fn new(text: &'a str) -> Split<'a> {
        Split { text, at: 0 }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<(usize, &'a str)> {
        let rest = self.text.get(self.at..)?;
        let skipped = rest.find(|it: char| !it.is_ascii_whitespace())?;
        let start = self.at.saturating_add(skipped);
        let rest = self.text.get(start..)?;
        let mut depth = 0u32;
        let ends = |it: char| {
            match it {
                '[' | '(' => depth = depth.saturating_add(1),
                ']' | ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && it.is_ascii_whitespace()
        };
        let length = rest.find(ends).unwrap_or(rest.len());
        self.at = start.saturating_add(length);
        Some((start, rest.get(..length)?))
    }
}

/// A place in the text of one argument.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// A number, or a symbol and a number added to it.
pub(crate) struct Expression<'a> {
    pub(crate) symbol: Option<&'a str>,
    pub(crate) number: i64,
}

impl<'a> Cursor<'a> {
    /// What is left.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// A cursor at the same place, to look what comes.
    pub(crate) fn lookahead(&self) -> Cursor<'a> {
        Cursor {
            text: self.text,
            at: self.at,
        }
    }

    /// The byte offset in the argument's text.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes past `wanted` if it stands here.
    pub(crate) fn eat(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at = self.at.saturating_add(wanted.len());
        }
        found
    }

    /// Goes past white space.
    pub(crate) fn spaces(&mut self) {
        self.take(|it| it.is_ascii_whitespace());
    }

    /// Takes the characters that `wanted` accepts, perhaps none.
    pub(crate) fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|it| !wanted(it)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(length);
        rest.get(..length).unwrap_or("")
    }

    /// A fault at this place.
    pub(crate) fn expected(&self, what: &'static str) -> Fault {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        let span = self.at..self.at.saturating_add(length);
        Fault {
            span,
            reason: Reason::Expected(what),
        }
    }

    /// A fault from `start` to this place.
    pub(crate) fn fault_since(&self, start: usize, reason: Reason) -> Fault {
        Fault {
            span: start..self.at,
            reason,
        }
    }

    /// `[-]N[f]@`; without it the argument has eight bytes and no sign, as in SystemTap and GDB.
    fn size(&mut self) -> Result<(u8, bool, bool), Fault> {
        let Some((prefix, _)) = self.rest().split_once('@') else {
            return Ok((8, false, false));
        };
        // `sym@tpoff` has an @ too; a size starts with a digit or a sign.
        if !prefix.is_empty() && !prefix.starts_with(|it: char| it == '-' || it.is_ascii_digit()) {
            return Ok((8, false, false));
        }
        let start = self.at;
        self.at = start.saturating_add(prefix.len());
        let (unsigned, signed) = match prefix.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (prefix, false),
        };
        let (digits, float) = match unsigned.strip_suffix('f') {
            Some(rest) => (rest, true),
            None => (unsigned, false),
        };
        let size = match (digits, float) {
            ("1", false) => 1,
            ("2", false) => 2,
            ("4", _) => 4,
            ("8", _) => 8,
            _ => return Err(self.fault_since(start, Reason::Size)),
        };
        self.at = self.at.saturating_add(1);
        Ok((size, signed, float))
    }

    /// A sum of numbers and at most one symbol: `8`, `-0x10`, `sym`, `sym+8`, `8+sym`, `-4+8-4`.
    pub(crate) fn expression(&mut self) -> Result<Expression<'a>, Fault> {
        let start = self.at;
        let mut symbol = None;
        let mut sum = 0i128;
        let mut negative = self.eat("-");
        loop {
            if self.rest().starts_with(|it: char| it.is_ascii_digit()) {
                let number = i128::from(self.number()?);
                // 64 KiB of text hold fewer than 2^16 terms below 2^64 each: far from 2^127.
                sum = sum.saturating_add(if negative { -number } else { number });
            } else if symbol.is_none() && !negative {
                symbol = Some(self.symbol()?);
            } else {
                return Err(self.expected("a number"));
            }
            negative = self.eat("-");
            if !negative && !self.eat("+") {
                break;
            }
        }
        let number = i64::try_from(sum)
            .or_else(|_| u64::try_from(sum).map(|it| it as i64))
            .map_err(|_| self.fault_since(start, Reason::Number))?;
        Ok(Expression { symbol, number })
    }

    /// A decimal number or, after `0x`, a hexadecimal one.
    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        let start = self.at;
        let hexadecimal = self.eat("0x") || self.eat("0X");
        let (digits, radix) = if hexadecimal {
            (self.take(|it| it.is_ascii_hexdigit()), 16)
        } else {
            (self.take(|it| it.is_ascii_digit()), 10)
        };
        if digits.is_empty() {
            return Err(self.expected("a number"));
        }
        u64::from_str_radix(digits, radix).map_err(|_| self.fault_since(start, Reason::Number))
    }

    /// A symbol's name with its relocation, if any.
    fn symbol(&mut self) -> Result<&'a str, Fault> {
        let starts = |it: char| it.is_alphabetic() || it == '_' || it == '.';
        if !self.rest().starts_with(starts) {
            return Err(self.expected("an operand"));
        }
        Ok(self.take(|it| it.is_alphanumeric() || matches!(it, '_' | '.' | '$' | '@')))
    }
}

/// Writes what [`Cursor::expression`] reads.
pub(crate) fn write_expression(
    out: &mut std::fmt::Formatter<'_>,
    symbol: Option<&str>,
    number: i64,
) -> std::fmt::Result {
    match symbol {
        Some(symbol) if number == 0 => out.write_str(symbol),
        Some(symbol) => write!(out, "{symbol}{number:+}"),
        None => write!(out, "{number}"),
    }
}
