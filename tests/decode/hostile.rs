//! What only hostile or changing memory holds: it costs little and harms nothing.

use proptest::prelude::*;
use ptpytrace::cpython::{Limits, PyValue, Text, Version};

use super::image::{ALL, BASE, Image, Offsets, points, types};

#[test]
fn hostile_objects_end_quickly() {
    for offsets in ALL {
        let mut image = Image::new(offsets);
        let t = types();
        let huge = 1_u64 << 62;
        let o = offsets;
        let wild = image.list(huge, 0xdead_beef_0000_0000);
        let wrapping = image.list(huge, u64::MAX - 7);
        let negative = image.list(u64::MAX, BASE);
        let long_list = image.list(huge, BASE);
        let long_bytes = image.sized(t.bytes, huge, o.size + 16, vec![0x61; 4]);
        let long_tuple = image.sized(t.tuple, huge, o.tuple, vec![0; 8]);
        let digits = if o.tagged { !7 } else { huge };
        let long_int = image.sized(t.long, digits, o.size + 8, vec![1; 4]);
        let untyped = image.object(0, &[(0, vec![0; 64])]);
        let self_typed = image.bytes.len() as u64 + BASE;
        image.object(self_typed, &[(0, vec![0xff; 64])]);
        let limits = Limits::default();
        for (address, expected) in [
            (0, "<NULL>".to_owned()),
            (u64::MAX, format!("<unreadable at {:#x}>", u64::MAX)),
            (wild, "[<unreadable at 0xdeadbeef00000000>]".to_owned()),
            (wrapping, format!("[<unreadable at {:#x}>]", u64::MAX - 7)),
            (negative, format!("<unreadable at {negative:#x}>")),
            (long_int, "...".to_owned()),
            (untyped, format!("<unreadable at {untyped:#x}>")),
            (self_typed, format!("<unreadable at {self_typed:#x}>")),
        ] {
            image.reads.set(0);
            let value = image.decode(address, &limits);
            assert_eq!(value.to_string(), expected, "{}", offsets.name);
            assert!(image.reads.get() <= 4, "{}", offsets.name);
        }
        let PyValue::Bytes(bytes, true) = image.decode(long_bytes, &limits) else {
            panic!("{}: not cut bytes", offsets.name);
        };
        assert!(bytes.starts_with(b"aaaa") && bytes.len() <= limits.string_bytes);
        for (address, opening) in [(long_list, "["), (long_tuple, "(")] {
            image.reads.set(0);
            let shown = image.decode(address, &limits).to_string();
            assert!(shown.starts_with(opening), "{}: {shown}", offsets.name);
            assert!(
                image.reads.get() <= 4 * limits.total_items,
                "{}",
                offsets.name
            );
        }
    }
}

#[test]
fn nested_without_end() {
    // Each list holds the next, 10,000 deep; and one list whose only item is itself.
    let mut image = Image::new(ALL[6]);
    let mut inner = image.list(0, 0);
    for _ in 0..10_000 {
        let array = image.array(&[inner]);
        inner = image.list(1, array);
    }
    let limits = Limits {
        depth: usize::MAX,
        total_items: usize::MAX,
        ..Limits::default()
    };
    let depth = Limits::MAX_DEPTH;
    assert_eq!(
        image.decode(inner, &limits).to_string(),
        format!("{}[...]{}", "[".repeat(depth), "]".repeat(depth))
    );
    let own = BASE + image.bytes.len() as u64 + 8;
    let array = image.array(&[own]);
    let own = image.list(1, array);
    assert_eq!(image.shown(own), "[[...]]");
}

/// Some of everything, to be damaged.
fn sample(offsets: Offsets) -> (Image, u64) {
    let mut image = Image::new(offsets);
    let text = image.str(&points("event 日本"), 2, true, false);
    let apart = image.str(&points("apart"), 1, false, false);
    let number = image.int(true, &[7, 8, 9]);
    let bytes = image.sized(types().bytes, 5, offsets.size + 16, b"bytes".to_vec());
    let inner = image.tuple(&[text, number]);
    let array = image.array(&[inner, apart, bytes, types().none]);
    let list = image.list(4, array);
    let all = image.tuple(&[list, inner, number, text]);
    (image, all)
}

/// Without any of the limits, what was read bounds what is kept.
const UNLIMITED: Limits = Limits {
    depth: usize::MAX,
    items: usize::MAX,
    string_bytes: usize::MAX,
    total_items: 2000,
    total_bytes: usize::MAX,
};

fn check_bounded(image: &Image, address: u64) -> Result<(), TestCaseError> {
    for limits in [Limits::default(), UNLIMITED] {
        image.reads.set(0);
        let value = image.decode(address, &limits);
        prop_assert!(image.reads.get() <= 4 * limits.total_items);
        // Each object shows at most a whole image's worth of text, each byte as "\xNN" or 5 decimal digits.
        let most = (image.bytes.len() * 6 + 64) * limits.total_items;
        prop_assert!(value.to_string().len() <= most);
        prop_assert!(!value.to_json().to_string().is_empty());
    }
    Ok(())
}

proptest! {
    #[test]
    fn damaged_objects(
        which in 0..ALL.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..24),
        words in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
        length in any::<prop::sample::Index>(),
    ) {
        let (mut image, all) = sample(ALL[which]);
        for (place, byte) in damage {
            let at = place.index(image.bytes.len());
            image.bytes[at] = byte;
        }
        // Pointers to anywhere in the image: cycles, objects inside objects.
        for (place, to) in words {
            let at = place.index(image.bytes.len() / 8) * 8;
            let pointer = BASE + to.index(image.bytes.len()) as u64;
            image.bytes[at..at + 8].copy_from_slice(&pointer.to_le_bytes());
        }
        let whole = image.bytes.len();
        image.bytes.truncate(whole - length.index(whole) % 64);
        check_bounded(&image, all)?;
    }

    #[test]
    fn arbitrary_memory(
        which in 0..ALL.len(),
        words in prop::collection::vec(
            prop_oneof![
                any::<u64>(),
                (0..64_u64).prop_map(|word| BASE + word * 8),
                0..200_u64,
                prop::sample::select(vec![
                    types().unicode, types().long, types().bytes, types().tuple, types().list, types().float,
                    types().none,
                ]),
            ],
            1..64,
        ),
        address in prop_oneof![any::<u64>(), (0..64_u64).prop_map(|word| BASE + word * 8)],
    ) {
        let mut image = Image::new(ALL[which]);
        image.bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        check_bounded(&image, address)?;
    }

    #[test]
    fn any_text_comes_back(text in ".*") {
        let mut image = Image::new(ALL[8]);
        let address = image.str(&points(&text), 4, true, false);
        let limits = Limits { string_bytes: 1 << 20, ..Limits::default() };
        prop_assert_eq!(image.decode(address, &limits), PyValue::Str(Text::from(&*text)));
    }

    #[test]
    fn integers_of_two_words(magnitude in any::<u128>(), negative: bool) {
        let mut rest = magnitude;
        let mut digits = Vec::new();
        while rest > 0 {
            digits.push((rest & 0x3fff_ffff) as u32);
            rest >>= 30;
        }
        let mut image = Image::new(ALL[which_layout(magnitude)]);
        let address = image.int(negative, &digits);
        let sign = if negative && magnitude > 0 { "-" } else { "" };
        prop_assert_eq!(image.shown(address), format!("{sign}{magnitude}"));
    }

    #[test]
    fn floats_read_back(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        let shown = PyValue::Float(value).to_string();
        let back: f64 = shown.parse().unwrap();
        prop_assert!(back == value || (back.is_nan() && value.is_nan()));
    }

    #[test]
    fn any_name_is_a_version_or_not(name in ".*", middle in "[0-9.dmtu-]{0,8}") {
        let _ = Version::from_name(&name);
        if let Some(version) = Version::from_name(&format!("python{middle}")) {
            prop_assert!(version.major == 2 || version.major == 3);
        }
    }
}

fn which_layout(magnitude: u128) -> usize {
    usize::try_from(magnitude % ALL.len() as u128).unwrap_or(0)
}
