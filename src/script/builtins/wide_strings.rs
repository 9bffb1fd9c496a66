//! Strings of 16-bit and 32-bit units in the traced process, as Python keeps what is not Latin-1. They become UTF-8.

use super::memory::{address, give_quoted};
use crate::script::builtin::{Needs, StrFunction};
use crate::script::ir::Fault;
use crate::script::vm::{Call, Value};

/// `user_string_utf16(address[, otherwise])`: the string there, up to a unit that is 0; when it cannot be read or is
/// no UTF-16, `otherwise`, or a fault.
pub static USER_STRING_UTF16: StrFunction = StrFunction {
    name: "user_string_utf16",
    needs: Needs::HOLD,
    run: |call| give_or::<2>(call),
};

/// `user_string_utf32(address[, otherwise])`: likewise.
pub static USER_STRING_UTF32: StrFunction = StrFunction {
    name: "user_string_utf32",
    needs: Needs::HOLD,
    run: |call| give_or::<4>(call),
};

/// `user_string_quoted_utf16(address)`: with escapes and in quotes; the address when there is no such string.
pub static USER_STRING_QUOTED_UTF16: StrFunction = StrFunction {
    name: "user_string_quoted_utf16",
    needs: Needs::HOLD,
    run: |call| {
        let text = read::<2>(call).ok();
        give_quoted(call, text, 0);
        Ok(())
    },
};

/// `user_string_quoted_utf32(address)`: likewise.
pub static USER_STRING_QUOTED_UTF32: StrFunction = StrFunction {
    name: "user_string_quoted_utf32",
    needs: Needs::HOLD,
    run: |call| {
        let text = read::<4>(call).ok();
        give_quoted(call, text, 0);
        Ok(())
    },
};

fn give_or<const N: usize>(call: &mut Call<'_>) -> Result<(), Fault> {
    match (read::<N>(call), call.arguments.get(1)) {
        (Ok(text), _) => call.give(&text),
        (Err(_), Some(Value::Str(otherwise))) => call.result.extend_from_slice(otherwise),
        (Err(fault), _) => return Err(fault),
    }
    Ok(())
}

/// The string of units of `N` bytes, 2 or 4, at the address, as UTF-8 of at most as many bytes as strings are kept.
fn read<const N: usize>(call: &Call<'_>) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    let mut place = address(call);
    loop {
        let mut code = unit::<N>(call, place)?;
        if code == 0 {
            return Ok(text);
        }
        let first = place;
        place = place.wrapping_add(N as u64);
        if N == 2 && (0xd800..0xdc00).contains(&code) {
            let low = unit::<N>(call, place)?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x1_0000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
                place = place.wrapping_add(N as u64);
            }
        }
        let Some(character) = char::from_u32(code) else {
            let bits = N * 8;
            let text = format!("invalid UTF-{bits} character U+{code:X} at 0x{first:x}");
            return Err(Fault::Said(text));
        };
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        if text.len().saturating_add(bytes.len()) > call.state.max_string {
            return Ok(text);
        }
        text.extend_from_slice(bytes);
    }
}

fn unit<const N: usize>(call: &Call<'_>, place: u64) -> Result<u32, Fault> {
    let mut bytes = [0; 4];
    let wanted = bytes.get_mut(..N).unwrap_or_default();
    let read = call.memory().map_or(0, |memory| memory.read(place, wanted));
    match read == N {
        true => Ok(u32::from_le_bytes(bytes)),
        false => Err(Fault::UserString(place)),
    }
}

#[cfg(test)]
mod tests {
    use ptpytrace_arch::Bytes;

    use super::super::trial::Trial;
    use super::super::trial::Value::{Int, Str};
    use super::*;

    const TEXT: &str = "a\u{e9}\u{20ac}\u{1f600}";

    fn utf16() -> Vec<u8> {
        let units = TEXT.encode_utf16().chain([0]);
        units.flat_map(u16::to_le_bytes).collect()
    }

    fn utf32() -> Vec<u8> {
        let units = TEXT.chars().map(u32::from).chain([0]);
        units.flat_map(u32::to_le_bytes).collect()
    }

    fn give(
        bytes: &[u8],
        function: &StrFunction,
        most: usize,
        arguments: &[Value<'_>],
    ) -> Result<Vec<u8>, Fault> {
        let memory = Bytes {
            base: 0x1000,
            bytes,
        };
        let mut trial = Trial {
            memory: Some(&memory),
            ..Trial::default()
        };
        trial.state.max_string = most;
        trial.str(function, arguments)
    }

    #[test]
    fn wide_strings_become_utf8() {
        let here = [Int(0x1000)];
        let quoted = br#""a\u00E9\u20AC\U0001F600""#;
        for (bytes, plain, escaped) in [
            (utf16(), &USER_STRING_UTF16, &USER_STRING_QUOTED_UTF16),
            (utf32(), &USER_STRING_UTF32, &USER_STRING_QUOTED_UTF32),
        ] {
            assert_eq!(give(&bytes, plain, 99, &here), Ok(TEXT.as_bytes().to_vec()));
            assert_eq!(give(&bytes, escaped, 99, &here), Ok(quoted.to_vec()));
            // Never half of a character.
            assert_eq!(
                give(&bytes, plain, 5, &here),
                Ok("a\u{e9}".as_bytes().to_vec())
            );
        }
    }

    #[test]
    fn what_is_none_is_told() {
        let lone = [0x41, 0, 0, 0xd8, 0x41, 0, 0, 0];
        let fault = Fault::Said("invalid UTF-16 character U+D800 at 0x1002".to_owned());
        assert_eq!(
            give(&lone, &USER_STRING_UTF16, 99, &[Int(0x1000)]),
            Err(fault)
        );
        let otherwise = [Int(0x1000), Str(b"?")];
        assert_eq!(
            give(&lone, &USER_STRING_UTF16, 99, &otherwise),
            Ok(b"?".to_vec())
        );
        let given = give(&lone, &USER_STRING_QUOTED_UTF16, 99, &[Int(0x1000)]);
        assert_eq!(given, Ok(b"0x1000".to_vec()));
        let fault = Fault::Said("invalid UTF-32 character U+D8000041 at 0x1000".to_owned());
        assert_eq!(
            give(&lone, &USER_STRING_UTF32, 99, &[Int(0x1000)]),
            Err(fault)
        );
        // The end cannot be read.
        let fault = Fault::UserString(0x1002);
        assert_eq!(
            give(b"a\0", &USER_STRING_UTF16, 99, &[Int(0x1000)]),
            Err(fault)
        );
        let fault = Fault::UserString(u64::MAX);
        assert_eq!(give(b"", &USER_STRING_UTF32, 99, &[Int(-1)]), Err(fault));
    }
}
