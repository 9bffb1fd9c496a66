use std::ffi::CString;

use proptest::prelude::*;

use super::super::write_str;
use super::*;
use crate::script::ir::StrStyle;

fn shown(value: i64, style: IntStyle, layout: &Layout) -> String {
    let mut out = Vec::new();
    write_int(&mut out, value, style, layout);
    String::from_utf8_lossy(&out).into_owned()
}

/// A conversion as C writes it, without its letters.
fn directive(layout: &Layout) -> String {
    let mut text = "%".to_owned();
    let flags = [
        (layout.left, '-'),
        (layout.plus, '+'),
        (layout.space, ' '),
        (layout.alternate, '#'),
        (layout.zero, '0'),
    ];
    text.extend(flags.iter().filter(|it| it.0).map(|it| it.1));
    if let Some(width) = layout.width.filter(|it| *it > 0) {
        text.push_str(&width.to_string());
    }
    if let Some(precision) = layout.precision {
        text.push_str(&format!(".{precision}"));
    }
    text
}

/// What the C library makes of it.
fn by_libc(layout: &Layout, letters: &str, value: i64) -> String {
    let format = CString::new(directive(layout) + letters).expect("no NUL");
    let mut buffer = [0_u8; 512];
    // SAFETY: the format has one conversion, of a long long; the buffer is as long as said.
    let length = unsafe {
        libc::snprintf(
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            format.as_ptr(),
            value,
        )
    };
    String::from_utf8_lossy(&buffer[..usize::try_from(length).expect("fits")]).into_owned()
}

fn string_by_libc(layout: &Layout, value: &[u8]) -> Vec<u8> {
    let format = CString::new(directive(layout) + "s").expect("no NUL");
    let value = CString::new(value).expect("no NUL");
    let mut buffer = [0_u8; 512];
    // SAFETY: the format has one conversion, of a string; the buffer is as long as said.
    let length = unsafe {
        libc::snprintf(
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            format.as_ptr(),
            value.as_ptr(),
        )
    };
    buffer[..usize::try_from(length).expect("fits")].to_vec()
}

fn layouts() -> impl Strategy<Value = Layout> {
    let size = || proptest::option::of(0..30_usize);
    (any::<[bool; 5]>(), size(), size()).prop_map(|(flags, width, precision)| Layout {
        left: flags[0],
        plus: flags[1],
        space: flags[2],
        alternate: flags[3],
        zero: flags[4],
        grouped: false,
        width,
        precision,
    })
}

fn values() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -300..300_i64,
        Just(0),
        Just(i64::MIN),
        Just(i64::MAX)
    ]
}

const STYLES: [(IntStyle, &str); 5] = [
    (IntStyle::Signed, "lld"),
    (IntStyle::Unsigned, "llu"),
    (IntStyle::Octal, "llo"),
    (IntStyle::Hex, "llx"),
    (IntStyle::HexUpper, "llX"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn integers_are_as_in_c(value in values(), layout in layouts()) {
        for (style, letters) in STYLES {
            let expected = by_libc(&layout, letters, value);
            prop_assert_eq!(shown(value, style, &layout), expected, "{} {:?}", letters, layout);
        }
    }

    #[test]
    fn strings_are_as_in_c(value in proptest::collection::vec(1..=255_u8, 0..40), layout in layouts()) {
        // C leaves the flags other than `-` undefined.
        let layout = Layout { left: layout.left, width: layout.width, precision: layout.precision, ..Layout::default() };
        let mut out = Vec::new();
        write_str(&mut out, &value, StrStyle::Plain, &layout);
        prop_assert_eq!(out, string_by_libc(&layout, &value));
    }
}

#[test]
fn characters_are_single_bytes() {
    let left = Layout {
        left: true,
        ..Layout::width(3)
    };
    let mut out = Vec::new();
    write_int(&mut out, 0x141, IntStyle::Char, &Layout::width(3));
    write_int(&mut out, 0xe9, IntStyle::Char, &left);
    write_int(&mut out, 0, IntStyle::Char, &Layout::default());
    assert_eq!(out, b"  A\xe9  \0");
}

#[test]
fn pointers_have_a_prefix_always() {
    let table = [
        (0, Layout::default(), "0x0"),
        (255, Layout::default(), "0xff"),
        (-1, Layout::default(), "0xffffffffffffffff"),
        (255, Layout::width(6), "  0xff"),
        (
            255,
            Layout {
                zero: true,
                ..Layout::width(6)
            },
            "0x00ff",
        ),
    ];
    for (value, layout, expected) in table {
        assert_eq!(shown(value, IntStyle::Pointer, &layout), expected);
        assert_eq!(shown(value, IntStyle::Symbol, &layout), expected);
    }
}

#[test]
fn thousands_are_grouped() {
    let layout = Layout {
        grouped: true,
        ..Layout::default()
    };
    let table = [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (-1_234_567, "-1,234,567"),
        (i64::MIN, "-9,223,372,036,854,775,808"),
    ];
    for (value, expected) in table {
        assert_eq!(shown(value, IntStyle::Signed, &layout), expected);
    }
    assert_eq!(
        shown(-1, IntStyle::Unsigned, &layout),
        "18,446,744,073,709,551,615"
    );
    assert_eq!(shown(0xabcdef, IntStyle::Hex, &layout), "abcdef");
}

#[test]
fn binary_is_little_endian() {
    for (size, expected) in [
        (1, &b"\x04"[..]),
        (2, b"\x04\x03"),
        (4, b"\x04\x03\x02\x01"),
        (8, b"\x04\x03\x02\x01\0\0\0\0"),
        (200, b"\x04\x03\x02\x01\0\0\0\0"),
    ] {
        let mut out = Vec::new();
        write_int(
            &mut out,
            0x0102_0304,
            IntStyle::Binary(size),
            &Layout::default(),
        );
        assert_eq!(out, expected);
    }
}

#[test]
fn hostile_widths_are_capped() {
    let layout = Layout {
        width: Some(usize::MAX),
        precision: Some(usize::MAX),
        ..Layout::default()
    };
    assert_eq!(shown(-5, IntStyle::Signed, &layout).len(), MAX_WIDTH + 1);
    let mut out = Vec::new();
    write_str(&mut out, b"x", StrStyle::Plain, &layout);
    assert_eq!(out.len(), MAX_WIDTH);
}

#[test]
fn times_can_be_padded() {
    let layout = Layout {
        left: true,
        ..Layout::width(26)
    };
    let text = shown(1_795_390_778_999_999_999, IntStyle::GmtTime, &layout);
    assert_eq!(text, "Sun Nov 22 23:39:38 2026  ");
    assert_eq!(
        shown(-1, IntStyle::GmtTime, &Layout::default()),
        "Wed Dec 31 23:59:59 1969"
    );
}
