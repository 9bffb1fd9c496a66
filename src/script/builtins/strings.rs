//! D's string functions (DTrace user guide, "Actions and Subroutines"). Strings are bytes, offsets count bytes.
//!
//! Where D gives a null pointer these give an empty string.

use crate::script::builtin::{IntFunction, Needs, StrFunction};
use crate::script::format::write_decimal;
use crate::script::ir::Fault;
use crate::script::vm::{Call, Value};

/// `strlen(s)`: its bytes.
pub static STRLEN: IntFunction = IntFunction {
    name: "strlen",
    needs: Needs::NONE,
    run: |call| Ok(offset(call.bytes(0).len())),
};

/// `substr(s, start[, length])`: a start below 0 counts from the end; a length below 0 leaves so many bytes at the end
/// away.
pub static SUBSTR: StrFunction = StrFunction {
    name: "substr",
    needs: Needs::NONE,
    run: |call| {
        let text = call.bytes(0);
        let wanted = (call.len() > 2).then(|| call.int(2));
        call.give(substring(text, call.int(1), wanted));
        Ok(())
    },
};

/// `index(s, t[, start])`: where `t` is first, at `start` or behind it; -1 when it is not.
pub static INDEX: IntFunction = IntFunction {
    name: "index",
    needs: Needs::NONE,
    run: |call| {
        let start = usize::try_from(call.int(2).max(0)).unwrap_or(usize::MAX);
        let text = call.bytes(0).get(start..);
        let found = text.and_then(|text| find(text, call.bytes(1)));
        Ok(found.map_or(-1, |found| offset(found.saturating_add(start))))
    },
};

/// `rindex(s, t[, start])`: where `t` is last, at `start` or before it; -1 when it is not.
pub static RINDEX: IntFunction = IntFunction {
    name: "rindex",
    needs: Needs::NONE,
    run: |call| {
        let (text, wanted) = (call.bytes(0), call.bytes(1));
        let last = if call.len() > 2 {
            call.int(2)
        } else {
            i64::MAX
        };
        let Ok(last) = usize::try_from(last) else {
            return Ok(-1);
        };
        let end = last.saturating_add(wanted.len()).min(text.len());
        let found = find_last(text.get(..end).unwrap_or(text), wanted);
        Ok(found.map_or(-1, offset))
    },
};

/// `strstr(s, t)`: `s` from the first `t` on; empty when there is none.
pub static STRSTR: StrFunction = StrFunction {
    name: "strstr",
    needs: Needs::NONE,
    run: |call| {
        let text = call.bytes(0);
        if let Some(found) = find(text, call.bytes(1)) {
            call.give(text.get(found..).unwrap_or_default());
        }
        Ok(())
    },
};

/// `strchr(s, c)`: `s` from the first byte `c` on; empty when there is none.
pub static STRCHR: StrFunction = StrFunction {
    name: "strchr",
    needs: Needs::NONE,
    run: |call| from_byte(call, |text, byte| text.iter().position(|it| *it == byte)),
};

/// `strrchr(s, c)`: `s` from the last byte `c` on; empty when there is none.
pub static STRRCHR: StrFunction = StrFunction {
    name: "strrchr",
    needs: Needs::NONE,
    run: |call| from_byte(call, |text, byte| text.iter().rposition(|it| *it == byte)),
};

/// `toupper(s)`: ASCII letters only.
pub static TOUPPER: StrFunction = StrFunction {
    name: "toupper",
    needs: Needs::NONE,
    run: |call| {
        let text = call.bytes(0);
        call.result.extend(text.iter().map(u8::to_ascii_uppercase));
        Ok(())
    },
};

/// `tolower(s)`: ASCII letters only.
pub static TOLOWER: StrFunction = StrFunction {
    name: "tolower",
    needs: Needs::NONE,
    run: |call| {
        let text = call.bytes(0);
        call.result.extend(text.iter().map(u8::to_ascii_lowercase));
        Ok(())
    },
};

/// `lltostr(n[, base])`: base 10 has a sign, others show 64 bits; 8 and 16 have C's prefix. A base is 2 to 36.
pub static LLTOSTR: StrFunction = StrFunction {
    name: "lltostr",
    needs: Needs::NONE,
    run: |call| {
        let value = call.int(0);
        match base(call, 1)? {
            10 => write_decimal(call.result, value),
            base => write_in_base(call.result, value.cast_unsigned(), base),
        }
        Ok(())
    },
};

/// `strtoll(s[, base])`: white space, a sign, for base 16 perhaps `0x`, then digits up to what is none. It wraps. A
/// base is 2 to 36; 10 when it is not said.
pub static STRTOLL: IntFunction = IntFunction {
    name: "strtoll",
    needs: Needs::NONE,
    run: |call| {
        let base = base(call, 1)?;
        Ok(parse(call.bytes(0).trim_ascii_start(), base))
    },
};

/// `htons(n)` and `ntohs(n)`: swaps the low 2 bytes.
pub static HTONS: IntFunction = IntFunction {
    name: "htons",
    needs: Needs::NONE,
    run: |call| {
        let [low, high, ..] = call.int(0).to_le_bytes();
        Ok(i64::from(u16::from_be_bytes([low, high])))
    },
};

/// `htonl(n)` and `ntohl(n)`: swaps the low 4 bytes.
pub static HTONL: IntFunction = IntFunction {
    name: "htonl",
    needs: Needs::NONE,
    run: |call| {
        let [a, b, c, d, ..] = call.int(0).to_le_bytes();
        Ok(i64::from(u32::from_be_bytes([a, b, c, d])))
    },
};

/// `htonll(n)` and `ntohll(n)`: swaps 8 bytes.
pub static HTONLL: IntFunction = IntFunction {
    name: "htonll",
    needs: Needs::NONE,
    run: |call| Ok(call.int(0).swap_bytes()),
};

/// A length or offset as the integer that a script sees.
pub(super) fn offset(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn substring(text: &[u8], start: i64, wanted: Option<i64>) -> &[u8] {
    let length = offset(text.len());
    let begin = if start < 0 {
        start.saturating_add(length)
    } else {
        start
    };
    // What lies before the string is missing from the length.
    let missing = begin.saturating_neg().max(0);
    let begin = begin.clamp(0, length);
    let left = length.saturating_sub(begin);
    let taken = match wanted {
        None => left,
        Some(wanted) if missing > 0 => match wanted.saturating_sub(missing) {
            wanted @ 1.. => wanted,
            _ => 0,
        },
        Some(wanted @ ..0) => wanted.saturating_add(left),
        Some(wanted) => wanted,
    };
    let end = begin.saturating_add(taken.clamp(0, left));
    let place = |it: i64| usize::try_from(it).unwrap_or(usize::MAX);
    text.get(place(begin)..place(end)).unwrap_or_default()
}

/// Where `wanted` is first; an empty one is at once.
pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    match wanted {
        [] => Some(0),
        [byte] => text.iter().position(|it| it == byte),
        _ => text
            .windows(wanted.len())
            .position(|window| window == wanted),
    }
}

fn find_last(text: &[u8], wanted: &[u8]) -> Option<usize> {
    match wanted {
        [] => Some(text.len()),
        _ => text
            .windows(wanted.len())
            .rposition(|window| window == wanted),
    }
}

fn from_byte(call: &mut Call<'_>, place: impl Fn(&[u8], u8) -> Option<usize>) -> Result<(), Fault> {
    let text = call.bytes(0);
    let [byte, ..] = call.int(1).to_le_bytes();
    if let Some(found) = place(text, byte) {
        call.give(text.get(found..).unwrap_or_default());
    }
    Ok(())
}

/// An argument that is a base; 10 when there is none.
fn base(call: &Call<'_>, index: usize) -> Result<u32, Fault> {
    if !matches!(call.arguments.get(index), Some(Value::Int(_))) {
        return Ok(10);
    }
    match u32::try_from(call.int(index)) {
        Ok(base @ 2..=36) => Ok(base),
        _ => Err(Fault::Said("illegal operation".to_owned())),
    }
}

fn write_in_base(out: &mut Vec<u8>, value: u64, base: u32) {
    match base {
        8 if value != 0 => out.push(b'0'),
        16 => out.extend_from_slice(b"0x"),
        _ => {}
    }
    let begin = out.len();
    let mut rest = value;
    loop {
        let digit = u32::try_from(rest % u64::from(base)).unwrap_or(0);
        let digit = char::from_digit(digit, base).unwrap_or('0');
        out.push(u8::try_from(digit).unwrap_or(b'0'));
        rest /= u64::from(base);
        if rest == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(begin..) {
        digits.reverse();
    }
}

/// A sign and digits, up to what is none; 0 when there are none. `base` is 2 to 36.
fn parse(text: &[u8], base: u32) -> i64 {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let text = match text {
        [b'0', b'x' | b'X', digit, ..] if base == 16 && digit.is_ascii_hexdigit() => {
            text.get(2..).unwrap_or_default()
        }
        _ => text,
    };
    let value = digits(text, base);
    if negative {
        value.wrapping_neg()
    } else {
        value
    }
}

/// The number of the digits at the beginning; it wraps. `base` is 2 to 36.
pub(super) fn digits(text: &[u8], base: u32) -> i64 {
    let mut value = 0_i64;
    for byte in text {
        let Some(digit) = char::from(*byte).to_digit(base) else {
            break;
        };
        value = value
            .wrapping_mul(i64::from(base))
            .wrapping_add(i64::from(digit));
    }
    value
}

#[cfg(test)]
mod tests;
