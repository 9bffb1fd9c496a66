//! Python's integers have any size: machine words where they fit, else CPython's own digits and their decimal form.

use std::fmt::{self, Write as _};

/// An integer of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integer {
    /// One that fits a machine word.
    Small(i64),
    /// One that does not: the sign, and the magnitude in digits of 30 bits, the least significant first.
    Big {
        /// Below zero.
        negative: bool,
        /// Each below 2^30.
        digits: Box<[u32]>,
    },
}

const BITS: u32 = 30;
const MASK: u32 = (1 << BITS) - 1;
/// Decimal digits are split off in groups of 18, the most that stay in a u64 with 30 bits to spare in a u128.
const GROUP: u64 = 1_000_000_000_000_000_000;

impl Integer {
    /// From CPython's digits, of which only the low 30 bits count.
    pub(super) fn from_digits(negative: bool, digits: &[u32]) -> Integer {
        let used = digits
            .iter()
            .rposition(|digit| digit & MASK != 0)
            .map_or(0, |last| last + 1);
        let digits: Box<[u32]> = digits.iter().take(used).map(|digit| digit & MASK).collect();
        match small(negative, &digits) {
            Some(value) => Integer::Small(value),
            None => Integer::Big { negative, digits },
        }
    }

    /// The value, where it fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Integer::Small(value) => Some(*value),
            Integer::Big { .. } => None,
        }
    }

    /// The value, where it fits.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Integer::Small(value) => u64::try_from(*value).ok(),
            Integer::Big { negative, digits } => magnitude(digits)
                .filter(|_| !negative)
                .and_then(|value| u64::try_from(value).ok()),
        }
    }
}

/// The magnitude of up to four digits.
fn magnitude(digits: &[u32]) -> Option<u128> {
    if digits.len() > 4 {
        return None;
    }
    Some(
        digits
            .iter()
            .rev()
            .fold(0, |value, digit| (value << BITS) | u128::from(*digit)),
    )
}

fn small(negative: bool, digits: &[u32]) -> Option<i64> {
    let value = i128::try_from(magnitude(digits)?).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// Splits off the last 18 decimal digits and leaves the quotient in `digits`.
fn divide(digits: &mut Vec<u32>) -> u64 {
    let mut rest: u64 = 0;
    for digit in digits.iter_mut().rev() {
        let value = (u128::from(rest) << BITS) | u128::from(*digit);
        // rest < GROUP, so the quotient is below 2^30 and the remainder below 2^64: no bit is lost.
        *digit = (value / u128::from(GROUP)) as u32;
        rest = (value % u128::from(GROUP)) as u64;
    }
    while digits.last() == Some(&0) {
        digits.pop();
    }
    rest
}

impl fmt::Display for Integer {
    /// All decimal digits; the time is quadratic in their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negative, digits) = match self {
            Integer::Small(value) => return write!(f, "{value}"),
            Integer::Big { negative, digits } => (*negative, digits),
        };
        let mut digits = digits.to_vec();
        let mut groups = Vec::new();
        while !digits.is_empty() {
            groups.push(divide(&mut digits));
        }
        if negative {
            f.write_char('-')?;
        }
        write!(f, "{}", groups.pop().unwrap_or(0))?;
        groups
            .iter()
            .rev()
            .try_for_each(|group| write!(f, "{group:018}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_words() {
        for (negative, digits, expected) in [
            (false, &[][..], "0"),
            (true, &[0, 0], "0"),
            (false, &[1], "1"),
            (true, &[5, 0], "-5"),
            (false, &[MASK, MASK, 7], "9223372036854775807"),
            (true, &[0, 0, 8], "-9223372036854775808"),
        ] {
            let value = Integer::from_digits(negative, digits);
            assert_eq!(value.to_string(), expected);
            assert_eq!(
                value.as_i64().map(|v| v.to_string()).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn beyond_machine_words() {
        let above = Integer::from_digits(false, &[0, 0, 8]);
        assert_eq!(above.to_string(), "9223372036854775808");
        assert_eq!((above.as_i64(), above.as_u64()), (None, Some(1 << 63)));
        let below = Integer::from_digits(true, &[1, 0, 8]);
        assert_eq!(below.to_string(), "-9223372036854775809");
        assert_eq!((below.as_i64(), below.as_u64()), (None, None));
        let last = Integer::from_digits(false, &[MASK, MASK, 15]);
        assert_eq!(last.as_u64(), Some(u64::MAX));
        assert_eq!(Integer::from_digits(false, &[0, 0, 16]).as_u64(), None);
        // 2^120 and 2^150, zeros in the middle of the decimal groups.
        let power = Integer::from_digits(false, &[0, 0, 0, 0, 1]);
        assert_eq!(power.to_string(), "1329227995784915872903807060280344576");
        let power = Integer::from_digits(true, &[0, 0, 0, 0, 0, 1]);
        assert_eq!(
            power.to_string(),
            "-1427247692705959881058285969449495136382746624"
        );
    }

    #[test]
    fn groups_keep_their_leading_zeros() {
        // 10^36 = 2^36 * 5^36, in digits of 30 bits worked out with Python.
        let mut rest: u128 = 10_u128.pow(36);
        let mut digits = Vec::new();
        while rest > 0 {
            digits.push((rest & u128::from(MASK)) as u32);
            rest >>= 30;
        }
        assert_eq!(
            Integer::from_digits(false, &digits).to_string(),
            format!("1{}", "0".repeat(36))
        );
    }

    #[test]
    fn bits_above_the_digit_do_not_count() {
        assert_eq!(
            Integer::from_digits(false, &[u32::MAX, 0xc000_0000]),
            Integer::Small(i64::from(MASK))
        );
    }
}
