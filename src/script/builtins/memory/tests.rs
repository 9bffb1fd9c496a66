use ptpytrace_arch::Bytes;

use super::super::trial::Trial;
use super::super::trial::Value::{Int, Str};
use super::*;

/// Where the bytes of the tests lie.
const BASE: u64 = 0x7fff_0000_0000;

fn at(offset: i64) -> Value<'static> {
    Int(0x7fff_0000_0000 + offset)
}

/// `hello`, a string with escapes, then a string that goes on where nothing can be read.
const TEXT: &[u8] = b"hello\0a\"\xff\n\0endless";

fn trial<R>(bytes: &[u8], check: impl FnOnce(&mut Trial<'_>) -> R) -> R {
    let memory = Bytes { base: BASE, bytes };
    check(&mut Trial {
        memory: Some(&memory),
        ..Trial::default()
    })
}

#[track_caller]
fn gives(function: &StrFunction, arguments: &[Value<'_>], expected: &[u8]) {
    let given = trial(TEXT, |trial| trial.str(function, arguments));
    assert_eq!(given.as_deref(), Ok(expected), "{function:?}{arguments:?}");
}

#[test]
fn strings_are_read_up_to_their_end() {
    gives(&COPYINSTR, &[at(0)], b"hello");
    gives(&COPYINSTR, &[at(0), Int(2)], b"he");
    gives(&COPYINSTR, &[at(0), Int(99)], b"hello");
    gives(&COPYINSTR, &[at(0), Int(-1)], b"");
    gives(&COPYINSTR, &[at(5)], b"");
    gives(&COPYINSTR, &[at(11), Int(7)], b"endless");
    gives(&USER_STRING, &[at(6)], b"a\"\xff\n");
    gives(&USER_STRING, &[at(6), Str(b"?")], b"a\"\xff\n");
    gives(&USER_STRING_N, &[at(0), Int(3)], b"hel");
    gives(&USER_STRING_N, &[at(0), Int(0)], b"");
    gives(&USER_STRING_WARN, &[at(0)], b"hello");
    gives(&USER_STRING_N_WARN, &[at(0), Int(3)], b"hel");
    gives(&USER_STRING_NOFAULT, &[at(0)], b"hello");
    gives(&USER_STRING_N_NOFAULT, &[at(0), Int(4)], b"hell");
    gives(&USER_STRING_QUOTED, &[at(6)], br#""a\"\377\n""#);
    gives(&USER_STRING_N_QUOTED, &[at(6), Int(2)], br#""a\"""#);
    gives(
        &USER_STRING_N_QUOTED,
        &[at(0), Int(5), Int(7)],
        b"\"hello\"",
    );
    gives(&USER_STRING_N_QUOTED, &[at(0), Int(5), Int(6)], b"\"h\"...");
    gives(
        &USER_BUFFER_QUOTED,
        &[at(4), Int(3), Int(99)],
        br#""o\000a""#,
    );
    gives(&USER_BUFFER_QUOTED, &[at(4), Int(3), Int(0)], b"");
}

#[test]
fn what_cannot_be_read_is_told_in_many_ways() {
    // An address where nothing lies, and a string whose end cannot be read.
    for (address, hex) in [(Int(16), "10"), (at(11), "7fff0000000b")] {
        let number = u64::from_str_radix(hex, 16).expect("hexadecimal");
        trial(TEXT, |trial| {
            let fault = trial.str(&COPYINSTR, &[address]);
            assert_eq!(fault, Err(Fault::Address(number)));
            for function in [&USER_STRING, &USER_STRING_N] {
                let fault = trial.str(function, &[address, Int(99)]);
                assert_eq!(fault, Err(Fault::UserString(number)));
            }
        });
        gives(&USER_STRING, &[address, Str(b"?")], b"?");
        gives(&USER_STRING_N, &[address, Int(99), Str(b"?")], b"?");
        gives(&USER_STRING_NOFAULT, &[address], b"");
        gives(&USER_STRING_N_NOFAULT, &[address, Int(99)], b"");
        let quoted = format!("0x{hex}");
        gives(&USER_STRING_QUOTED, &[address], quoted.as_bytes());
        gives(
            &USER_STRING_N_QUOTED,
            &[address, Int(99)],
            quoted.as_bytes(),
        );
        gives(
            &USER_BUFFER_QUOTED,
            &[address, Int(99), Int(99)],
            quoted.as_bytes(),
        );
        trial(TEXT, |trial| {
            let given = trial.str(&USER_STRING_WARN, &[address, Str(b"?")]);
            assert_eq!(given.as_deref(), Ok(&b"?"[..]));
            let text = format!("WARNING: user string copy fault -14 at 0x{hex:0>16}\n");
            assert_eq!(String::from_utf8_lossy(&trial.err), text);
        });
    }
}

#[test]
fn without_a_held_thread_nothing_can_be_read() {
    let mut trial = Trial::default();
    assert_eq!(trial.str(&COPYINSTR, &[Int(5)]), Err(Fault::Address(5)));
    assert_eq!(trial.int(&USER_INT32, &[Int(5)]), Ok(0));
    assert_eq!(
        trial.int(&COPYIN_INT8, &[Int(-1)]),
        Err(Fault::Address(u64::MAX))
    );
    assert_eq!(
        trial.str(&USER_STRING, &[Int(5)]),
        Err(Fault::UserString(5))
    );
}

#[test]
fn strings_are_no_longer_than_strings_are_kept() {
    let long = vec![b'x'; 10_000];
    let length = trial(&long, |trial| {
        trial.state.max_string = 300;
        let text = trial.str(&USER_STRING_N, &[at(0), Int(i64::MAX)]);
        let buffer = trial.str(&USER_BUFFER_QUOTED, &[at(0), Int(i64::MAX), Int(i64::MAX)]);
        (text.map(|it| it.len()), buffer.map(|it| it.len()))
    });
    assert_eq!(length, (Ok(300), Ok(302)));
}

#[test]
fn integers_have_widths_and_signs() {
    let bytes = [0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8];
    type Row<'a> = (
        &'a IntFunction,
        &'a IntFunction,
        &'a IntFunction,
        &'a IntFunction,
        i64,
    );
    let table: [Row<'_>; 8] = [
        (
            &COPYIN_INT8,
            &USER_INT8,
            &USER_INT8_WARN,
            &USER_INT8_ERROR,
            -0x0f,
        ),
        (
            &COPYIN_UINT8,
            &USER_UINT8,
            &USER_UINT8_WARN,
            &USER_UINT8_ERROR,
            0xf1,
        ),
        (
            &COPYIN_INT16,
            &USER_INT16,
            &USER_INT16_WARN,
            &USER_INT16_ERROR,
            -0x0d0f,
        ),
        (
            &COPYIN_UINT16,
            &USER_UINT16,
            &USER_UINT16_WARN,
            &USER_UINT16_ERROR,
            0xf2f1,
        ),
        (
            &COPYIN_INT32,
            &USER_INT32,
            &USER_INT32_WARN,
            &USER_INT32_ERROR,
            -0x0b0c_0d0f,
        ),
        (
            &COPYIN_UINT32,
            &USER_UINT32,
            &USER_UINT32_WARN,
            &USER_UINT32_ERROR,
            0xf4f3_f2f1,
        ),
        (
            &COPYIN_INT64,
            &USER_INT64,
            &USER_INT64_WARN,
            &USER_INT64_ERROR,
            -0x0708_090a_0b0c_0d0f,
        ),
        (
            &COPYIN_UINT64,
            &USER_UINT64,
            &USER_UINT64_WARN,
            &USER_UINT64_ERROR,
            -0x0708_090a_0b0c_0d0f,
        ),
    ];
    for (copyin, user, warning, error, expected) in table {
        trial(&bytes, |trial| {
            for function in [copyin, user, warning, error] {
                assert_eq!(trial.int(function, &[at(0)]), Ok(expected), "{function:?}");
                assert!(function.needs.hold);
            }
            assert_eq!(trial.int(copyin, &[at(8)]), Err(Fault::Address(BASE + 8)));
            assert_eq!(trial.int(user, &[at(8)]), Ok(0));
            let fault = Fault::Said("user read fault at 0x00007fff00000008".to_owned());
            assert_eq!(trial.int(error, &[at(8)]), Err(fault));
            assert_eq!(trial.int(warning, &[at(8)]), Ok(0));
            let type_name = user.name.trim_start_matches("user_");
            let text = format!("WARNING: user {type_name} copy fault 0x7fff00000008\n");
            assert_eq!(String::from_utf8_lossy(&trial.err), text);
        });
    }
    // One byte is missing.
    trial(&bytes, |trial| {
        assert_eq!(trial.int(&USER_INT32, &[at(5)]), Ok(0));
        assert_eq!(trial.int(&USER_INT8, &[at(7)]), Ok(-8));
    });
}

#[test]
fn internet_addresses_are_dotted() {
    trial(&[192, 0, 2, 255], |trial| {
        let given = trial.str(&INET_NTOA, &[at(0)]);
        assert_eq!(given.as_deref(), Ok(&b"192.0.2.255"[..]));
        assert!(trial.str(&INET_NTOA, &[at(1)]).is_err());
    });
}
