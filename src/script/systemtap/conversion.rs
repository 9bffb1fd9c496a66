//! Formats as they are written: `"%-20s %*d\n"` to its parts.

/// A part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Literal(Vec<u8>),
    /// `%…`
    Conversion(Conversion),
}

/// A conversion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// `-`
    pub left: bool,
    /// `+`
    pub plus: bool,
    /// A space.
    pub space: bool,
    /// `#`
    pub alternate: bool,
    /// `0`
    pub zero: bool,
    /// The width.
    pub width: Option<Size>,
    /// The precision.
    pub precision: Option<Size>,
    /// The letter.
    pub letter: u8,
}

/// A width or precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As written.
    Fixed(u32),
    /// `*`
    Argument,
}

/// The widest that a format may ask for: the most bytes of a string in SystemTap's own terms are far fewer.
const MAX_SIZE: u32 = 1 << 16;

/// The parts of a format; `None` when a conversion is not known or not whole.
pub fn parts(format: &[u8]) -> Option<Vec<Part>> {
    let (mut parts, mut literal) = (Vec::new(), Vec::new());
    let mut rest = format.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            literal.push(byte);
            continue;
        }
        let mut conversion = Conversion::default();
        while let Some(flag) = rest.peek() {
            match flag {
                b'-' => conversion.left = true,
                b'+' => conversion.plus = true,
                b' ' => conversion.space = true,
                b'#' => conversion.alternate = true,
                b'0' => conversion.zero = true,
                _ => break,
            }
            rest.next();
        }
        conversion.width = size(&mut rest)?;
        if rest.next_if_eq(&b'.').is_some() {
            conversion.precision = Some(size(&mut rest)?.unwrap_or(Size::Fixed(0)));
        }
        while rest.next_if_eq(&b'l').is_some() {}
        conversion.letter = rest.next()?;
        if conversion.letter == b'%' {
            literal.push(b'%');
            continue;
        }
        if !b"bcdiopsuxXmM".contains(&conversion.letter) {
            return None;
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Conversion(conversion));
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Some(parts)
}

/// A number or `*`; `None` inside when there is neither, outside when it is too large.
fn size(rest: &mut std::iter::Peekable<impl Iterator<Item = u8>>) -> Option<Option<Size>> {
    if rest.next_if_eq(&b'*').is_some() {
        return Some(Some(Size::Argument));
    }
    let mut value: Option<u32> = None;
    while let Some(digit) = rest.next_if(u8::is_ascii_digit) {
        let digit = u32::from(digit - b'0');
        let next = value.unwrap_or(0).saturating_mul(10).saturating_add(digit);
        value = Some(next);
    }
    match value {
        Some(value) if value > MAX_SIZE => None,
        other => Some(other.map(Size::Fixed)),
    }
}

impl Conversion {
    /// How many arguments it takes before its own.
    pub fn sizes(&self) -> usize {
        let by_argument = |size| usize::from(size == Some(Size::Argument));
        by_argument(self.width) + by_argument(self.precision)
    }

    /// Whether it shows a string.
    pub fn is_text(&self) -> bool {
        self.letter == b's'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_fall_into_parts() {
        let found = parts(b"a%%b %-5.3s|%*d%lu%#x").expect("it is whole");
        let conversion = |edit: &dyn Fn(&mut Conversion)| {
            let mut it = Conversion::default();
            edit(&mut it);
            Part::Conversion(it)
        };
        let expected = [
            Part::Literal(b"a%b ".to_vec()),
            conversion(&|it| {
                it.left = true;
                it.width = Some(Size::Fixed(5));
                it.precision = Some(Size::Fixed(3));
                it.letter = b's';
            }),
            Part::Literal(b"|".to_vec()),
            conversion(&|it| {
                it.width = Some(Size::Argument);
                it.letter = b'd';
            }),
            conversion(&|it| it.letter = b'u'),
            conversion(&|it| {
                it.alternate = true;
                it.letter = b'x';
            }),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_not_known_is_none() {
        for wrong in [
            "%",
            "%5",
            "%q",
            "%hd",
            "%zd",
            "%n",
            "%1$d",
            "%99999999999d",
            "%'d",
        ] {
            assert_eq!(parts(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
