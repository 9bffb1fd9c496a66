//! Floats as Python's `repr` prints them: the shortest digits that read back as the same number.

use std::fmt;

/// Prints one float. The exponent form is used, as Python does, when the decimal exponent is below -4 or above 15.
pub(super) struct Repr(pub(super) f64);

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value.is_nan() {
            return f.write_str("nan");
        }
        if value.is_infinite() {
            return f.write_str(if value > 0.0 { "inf" } else { "-inf" });
        }
        let scientific = shortest(value);
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if (-4..16).contains(&exponent) {
            return plain(f, digits, exponent);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(f, "{digits}e{sign}{:02}", exponent.unsigned_abs())
    }
}

/// `DIGITSeEXPONENT` with the fewest digits that read back as `value`.
///
/// Of two such numbers equally near, Rust takes the upper one and Python the even one, which is what rounding to that
/// many digits gives; where that does not read back (at powers of two, whose neighbours lie unevenly) there was no tie.
fn shortest(value: f64) -> String {
    let shortest = format!("{value:e}");
    let digits = shortest
        .chars()
        .take_while(|c| *c != 'e')
        .filter(char::is_ascii_digit)
        .count();
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    if rounded.parse() == Ok(value) {
        rounded
    } else {
        shortest
    }
}

/// The same number without exponent, and always with a point: exponents of -4 to 15.
fn plain(f: &mut fmt::Formatter<'_>, digits: &str, exponent: i32) -> fmt::Result {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let digits = digits.replace('.', "");
    let Ok(whole) = usize::try_from(exponent.saturating_add(1)) else {
        let zeros = exponent.unsigned_abs().saturating_sub(1) as usize;
        return write!(f, "{sign}0.{}{digits}", "0".repeat(zeros));
    };
    match digits.split_at_checked(whole) {
        Some(("", after)) => write!(f, "{sign}0.{after}"),
        Some((before, "")) => write!(f, "{sign}{before}.0"),
        Some((before, after)) => write!(f, "{sign}{before}.{after}"),
        None => write!(f, "{sign}{digits:0<whole$}.0"),
    }
}

#[cfg(test)]
mod tests {
    use super::Repr;

    /// As CPython 3.15 prints them.
    #[test]
    fn as_python() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.5e16, "1.5e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (0.00001, "1e-05"),
            (0.000012, "1.2e-05"),
            (1e100, "1e+100"),
            (-1e-100, "-1e-100"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-0.00025, "-0.00025"),
            (1230.0, "1230.0"),
            (-12.5, "-12.5"),
            (2.0_f64.powi(-25), "2.9802322387695312e-08"),
            (2.0_f64.powi(-44), "5.684341886080802e-14"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
        ] {
            assert_eq!(Repr(value).to_string(), expected);
        }
    }
}
