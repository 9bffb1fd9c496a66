//! Memory of the traced process, at addresses that the script computes. The thread is held meanwhile.
//!
//! Where no thread is held (`BEGIN`, timers) nothing can be read, as at an address where nothing lies.

use super::process::warn;
use super::quoting::write_text;
use crate::process::memory::c_string::{StringRead, c_string};
use crate::script::builtin::{IntFunction, Needs, StrFunction};
use crate::script::ir::Fault;
use crate::script::vm::{Call, Value};

/// `copyinstr(address[, length])`: the string there, at most so many bytes.
pub static COPYINSTR: StrFunction = StrFunction {
    name: "copyinstr",
    needs: Needs::HOLD,
    run: |call| {
        let address = address(call);
        let text = string(call, limit(call, 1)).ok_or(Fault::Address(address))?;
        call.give(&text);
        Ok(())
    },
};

/// `inet_ntoa(address)`: the IPv4 address there, in dotted decimal.
pub static INET_NTOA: StrFunction = StrFunction {
    name: "inet_ntoa",
    needs: Needs::HOLD,
    run: |call| {
        let bytes = read::<4>(call).ok_or(Fault::Address(address(call)))?;
        let text = std::net::Ipv4Addr::from(bytes).to_string();
        call.give(text.as_bytes());
        Ok(())
    },
};

/// `user_string(address[, otherwise])`: the string there; when it cannot be read, `otherwise`, or a fault.
pub static USER_STRING: StrFunction = StrFunction {
    name: "user_string",
    needs: Needs::HOLD,
    run: |call| {
        let most = call.state.max_string;
        give_or(call, most, 1)
    },
};

/// `user_string_n(address, length[, otherwise])`: the same, at most so many bytes.
pub static USER_STRING_N: StrFunction = StrFunction {
    name: "user_string_n",
    needs: Needs::HOLD,
    run: |call| {
        let most = limit(call, 1);
        give_or(call, most, 2)
    },
};

/// `user_string_warn(address[, otherwise])`: the string there; when it cannot be read, a warning and `otherwise` or "".
pub static USER_STRING_WARN: StrFunction = StrFunction {
    name: "user_string_warn",
    needs: Needs::HOLD,
    run: |call| {
        let most = call.state.max_string;
        give_or_warn(call, most, 1);
        Ok(())
    },
};

/// `user_string_n_warn(address, length[, otherwise])`: the same, at most so many bytes.
pub static USER_STRING_N_WARN: StrFunction = StrFunction {
    name: "user_string_n_warn",
    needs: Needs::HOLD,
    run: |call| {
        let most = limit(call, 1);
        give_or_warn(call, most, 2);
        Ok(())
    },
};

/// `user_string_nofault(address)`: the string there; "" when it cannot be read.
pub static USER_STRING_NOFAULT: StrFunction = StrFunction {
    name: "user_string_nofault",
    needs: Needs::HOLD,
    run: |call| {
        let text = string(call, call.state.max_string);
        call.give(&text.unwrap_or_default());
        Ok(())
    },
};

/// `user_string_n_nofault(address, length)`: the same, at most so many bytes.
pub static USER_STRING_N_NOFAULT: StrFunction = StrFunction {
    name: "user_string_n_nofault",
    needs: Needs::HOLD,
    run: |call| {
        let text = string(call, limit(call, 1));
        call.give(&text.unwrap_or_default());
        Ok(())
    },
};

/// `user_string_quoted(address)`: the string there, with escapes and in quotes; when it cannot be read, the address.
pub static USER_STRING_QUOTED: StrFunction = StrFunction {
    name: "user_string_quoted",
    needs: Needs::HOLD,
    run: |call| {
        let text = string(call, call.state.max_string);
        give_quoted(call, text, 0);
        Ok(())
    },
};

/// `user_string_n_quoted(address, length[, most])`: the same of at most so many bytes; what is given is cut to `most`.
pub static USER_STRING_N_QUOTED: StrFunction = StrFunction {
    name: "user_string_n_quoted",
    needs: Needs::HOLD,
    run: |call| {
        let text = string(call, limit(call, 1));
        let most = usize::try_from(call.int(2)).unwrap_or(0);
        give_quoted(call, text, most);
        Ok(())
    },
};

/// `user_buffer_quoted(address, length, most)`: just so many bytes there, with escapes and in quotes, cut to `most`;
/// when they cannot be read, the address.
pub static USER_BUFFER_QUOTED: StrFunction = StrFunction {
    name: "user_buffer_quoted",
    needs: Needs::HOLD,
    run: |call| {
        let bytes = buffer(call, limit(call, 1));
        if let Ok(most @ 1..) = usize::try_from(call.int(2)) {
            give_quoted(call, bytes, most);
        }
        Ok(())
    },
};

macro_rules! integers {
    ($($ty:ty: $copyin:ident $copyin_name:literal, $user:ident $warn:ident $error:ident $user_name:literal;)*) => {$(
        #[doc = concat!("A `", stringify!($ty), "` of D's `copyin`: ", "a fault when it cannot be read.")]
        pub static $copyin: IntFunction = IntFunction {
            name: $copyin_name,
            needs: Needs::HOLD,
            run: |call| {
                let bytes = read(call).ok_or(Fault::Address(address(call)))?;
                Ok(number(<$ty>::from_ne_bytes(bytes)))
            },
        };

        #[doc = concat!("`", $user_name, "(address)`: 0 when it cannot be read.")]
        pub static $user: IntFunction = IntFunction {
            name: $user_name,
            needs: Needs::HOLD,
            run: |call| Ok(read(call).map_or(0, |bytes| number(<$ty>::from_ne_bytes(bytes)))),
        };

        #[doc = concat!("`", $user_name, "_warn(address)`: a warning and 0 when it cannot be read.")]
        pub static $warn: IntFunction = IntFunction {
            name: concat!($user_name, "_warn"),
            needs: Needs::HOLD,
            run: |call| match read(call) {
                Some(bytes) => Ok(number(<$ty>::from_ne_bytes(bytes))),
                None => {
                    let what = $user_name.trim_start_matches("user_");
                    let text = format!("user {what} copy fault 0x{:x}", address(call));
                    warn(call, text.as_bytes());
                    Ok(0)
                }
            },
        };

        #[doc = concat!("`", $user_name, "_error(address)`: a fault when it cannot be read.")]
        pub static $error: IntFunction = IntFunction {
            name: concat!($user_name, "_error"),
            needs: Needs::HOLD,
            run: |call| match read(call) {
                Some(bytes) => Ok(number(<$ty>::from_ne_bytes(bytes))),
                None => {
                    let address = address(call);
                    Err(Fault::Said(format!("user read fault at 0x{address:016x}")))
                }
            },
        };
    )*};
}

// `char` and `long` of C are `int8` and `int64` here: the signs are those of x86-64 and, where they differ, SystemTap's.
integers! {
    i8: COPYIN_INT8 "copyin int8_t", USER_INT8 USER_INT8_WARN USER_INT8_ERROR "user_int8";
    u8: COPYIN_UINT8 "copyin uint8_t", USER_UINT8 USER_UINT8_WARN USER_UINT8_ERROR "user_uint8";
    i16: COPYIN_INT16 "copyin int16_t", USER_INT16 USER_INT16_WARN USER_INT16_ERROR "user_int16";
    u16: COPYIN_UINT16 "copyin uint16_t", USER_UINT16 USER_UINT16_WARN USER_UINT16_ERROR "user_uint16";
    i32: COPYIN_INT32 "copyin int32_t", USER_INT32 USER_INT32_WARN USER_INT32_ERROR "user_int32";
    u32: COPYIN_UINT32 "copyin uint32_t", USER_UINT32 USER_UINT32_WARN USER_UINT32_ERROR "user_uint32";
    i64: COPYIN_INT64 "copyin int64_t", USER_INT64 USER_INT64_WARN USER_INT64_ERROR "user_int64";
    u64: COPYIN_UINT64 "copyin uint64_t", USER_UINT64 USER_UINT64_WARN USER_UINT64_ERROR "user_uint64";
}

/// An integer of any width as a script sees it: 64 bits, of which the highest is the sign.
fn number(value: impl Into<i128>) -> i64 {
    let value: i128 = value.into();
    i64::try_from(value)
        .or_else(|_| u64::try_from(value).map(u64::cast_signed))
        .unwrap_or(0)
}

/// The first argument.
pub(super) fn address(call: &Call<'_>) -> u64 {
    call.int(0).cast_unsigned()
}

/// An argument that says how many bytes are wanted; where there is none, as many as are ever kept.
fn limit(call: &Call<'_>, index: usize) -> usize {
    let most = call.state.max_string;
    match call.arguments.get(index) {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(0).min(most),
        _ => most,
    }
}

/// Just so many bytes at the address; `None` when they cannot all be read.
fn read<const N: usize>(call: &Call<'_>) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let read = call.memory()?.read(address(call), &mut bytes);
    (read == N).then_some(bytes)
}

/// The same, where the number is only known now.
fn buffer(call: &Call<'_>, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = call.memory()?.read(address(call), &mut bytes);
    (read == length).then_some(bytes)
}

/// The string at the address, at most `most` bytes; `None` when neither so many nor its end can be read.
fn string(call: &Call<'_>, most: usize) -> Option<Vec<u8>> {
    match c_string(call.memory()?, address(call), most) {
        StringRead::Text { bytes, truncated } if !truncated || bytes.len() >= most => Some(bytes),
        StringRead::Text { .. } | StringRead::Unreadable => None,
    }
}

/// Gives the string at the address, or the argument that stands for it.
fn give_or(call: &mut Call<'_>, most: usize, otherwise: usize) -> Result<(), Fault> {
    match string(call, most) {
        Some(text) => call.give(&text),
        None => match call.arguments.get(otherwise) {
            Some(Value::Str(text)) => call.result.extend_from_slice(text),
            _ => return Err(Fault::UserString(address(call))),
        },
    }
    Ok(())
}

/// Gives the string at the address, or warns and gives the argument that stands for it.
fn give_or_warn(call: &mut Call<'_>, most: usize, otherwise: usize) {
    match string(call, most) {
        Some(text) => call.give(&text),
        None => {
            let fault = Fault::UserString(address(call));
            warn(call, fault.to_string().as_bytes());
            call.give(call.bytes(otherwise));
        }
    }
}

/// Gives the bytes with escapes and in quotes, or the address.
pub(super) fn give_quoted(call: &mut Call<'_>, text: Option<Vec<u8>>, most: usize) {
    match text {
        Some(text) => write_text(call.result, &text, most, true),
        None => {
            let text = format!("0x{:x}", address(call));
            call.give(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
