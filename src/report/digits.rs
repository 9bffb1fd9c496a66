//! Numbers as text, at the end of a line that is being made. std's formatting takes as long as all the rest of an
//! event.

/// The pairs of digits from 00 to 99.
const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

/// The most digits of a number.
const MOST: usize = 20;

/// Appends a number.
pub fn unsigned(line: &mut Vec<u8>, value: u64) {
    aligned(line, value, 0);
}

/// Appends a number, with a minus sign if it needs one.
pub fn signed(line: &mut Vec<u8>, value: i64) {
    if value < 0 {
        line.push(b'-');
    }
    aligned(line, value.unsigned_abs(), 0);
}

/// Appends a number with spaces before it, so that it takes `width` bytes.
pub fn aligned(line: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = [0u8; MOST];
    let mut begin = MOST;
    let mut rest = value;
    while rest >= 100 {
        begin = begin.saturating_sub(2);
        put(&mut digits, begin, pair(rest % 100));
        rest /= 100;
    }
    if rest >= 10 {
        begin = begin.saturating_sub(2);
        put(&mut digits, begin, pair(rest));
    } else if let Some(digit) = digits.get_mut(begin.saturating_sub(1)) {
        begin = begin.saturating_sub(1);
        *digit = b'0'.wrapping_add(u8::try_from(rest).unwrap_or(0));
    }
    let text = digits.get(begin..).unwrap_or_default();
    spaces(line, width.saturating_sub(text.len()));
    line.extend_from_slice(text);
}

/// Appends so many spaces.
pub fn spaces(line: &mut Vec<u8>, count: usize) {
    line.resize(line.len().saturating_add(count), b' ');
}

/// The two digits of a number below 100.
fn pair(value: u64) -> [u8; 2] {
    let index = usize::try_from(value).unwrap_or(0).saturating_mul(2);
    let found = PAIRS.get(index..).and_then(|it| it.first_chunk());
    found.copied().unwrap_or_default()
}

fn put(digits: &mut [u8; MOST], at: usize, pair: [u8; 2]) {
    if let Some(place) = digits.get_mut(at..).and_then(|it| it.first_chunk_mut()) {
        *place = pair;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(value: u64, width: usize) {
        let mut line = b"x".to_vec();
        unsigned(&mut line, value);
        line.push(b' ');
        signed(&mut line, value.cast_signed());
        line.push(b' ');
        aligned(&mut line, value, width);
        spaces(&mut line, width);
        let signed = value.cast_signed();
        let expected = format!("x{value} {signed} {value:width$}{:width$}", "");
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn every_length_is_as_std_has_it() {
        for power in 0..20 {
            let value = 10u64.pow(power);
            for near in [value - 1, value, value + 1, value.wrapping_mul(9)] {
                check(near, 6);
            }
        }
        for value in [0, u64::MAX, i64::MIN as u64, i64::MAX as u64] {
            check(value, 0);
        }
    }

    proptest! {
        #[test]
        fn any_number_is_as_std_has_it(value: u64, shift in 0u32..64, width in 0usize..30) {
            check(value >> shift, width);
        }
    }
}
