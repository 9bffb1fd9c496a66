//! Objects in an array: what no interpreter at hand makes (free-threaded builds, traced references), the limits, and
//! hostile memory.

use super::image::{ALL, BASE, Image, points, types};
use ptpytrace::cpython::{Cut, Integer, Limits, PyValue};

#[test]
fn every_kind_in_every_layout() {
    for offsets in ALL {
        let mut image = Image::new(offsets);
        let t = types();
        let ascii = image.str(&points("it's"), 1, true, true);
        let latin = image.str(&points("é"), 1, true, false);
        let bmp = image.str(&[0x65e5, 0xdcff], 2, true, false);
        let astral = image.str(&points("🐍"), 4, true, false);
        let apart = image.str(&points("日本"), 2, false, false);
        let zero = image.int(false, &[]);
        let big = image.int(true, &[0, 0, 0, 0, 1]);
        let float = image.object(t.float, &[(offsets.size, 0.1_f64.to_le_bytes().to_vec())]);
        let bytes = image.sized(t.bytes, 2, offsets.size + 16, b"\0\xff".to_vec());
        let array = image.array(&[t.r#true, t.r#false]);
        let list = image.list(2, array);
        let empty = image.list(0, 0);
        let all = [
            ascii, latin, bmp, astral, apart, zero, big, float, bytes, list, empty, t.none,
        ];
        let tuple = image.tuple(&all);
        let expected = concat!(
            r#"("it's", 'é', '日\udcff', '🐍', '日本', 0, -1329227995784915872903807060280344576, "#,
            r#"0.1, b'\x00\xff', [True, False], [], None)"#
        );
        assert_eq!(image.shown(tuple), expected, "{}", offsets.name);
    }
}

#[test]
fn names_of_other_types() {
    for offsets in ALL {
        let mut image = Image::new(offsets);
        let name = BASE + image.bytes.len() as u64;
        image.bytes.extend(b"collections.OrderedDict\0......");
        let kind = image.sized(0x77, 0, offsets.size + 8, name.to_le_bytes().to_vec());
        let other = image.object(kind, &[(0, vec![0; 64])]);
        let tuple = image.tuple(&[other, other]);
        assert_eq!(
            image.shown(tuple),
            "(<OrderedDict>, <OrderedDict>)",
            "{}",
            offsets.name
        );
    }
}

#[test]
fn strings_that_are_not_ready() {
    for offsets in ALL.into_iter().filter(|offsets| offsets.unready) {
        let mut image = Image::new(offsets);
        let text = BASE;
        let characters = [0x61_u32, 0x1f40d];
        image
            .bytes
            .extend(characters.iter().flat_map(|c| c.to_le_bytes()));
        let field = |at: usize, value: u64| (at, value.to_le_bytes().to_vec());
        let (wstr, wstr_length) = (offsets.ascii - 8, offsets.wide - 8);
        let fields = [
            field(offsets.size, 0),
            field(offsets.size + 16, 0),
            field(wstr, text),
            field(wstr_length, 2),
        ];
        let address = image.object(types().unicode, &fields);
        assert_eq!(image.shown(address), "'a🐍'", "{}", offsets.name);
    }
}

#[test]
fn most_values_cost_one_read() {
    let mut image = Image::new(ALL[4]);
    let text = image.str(&points("compile"), 1, true, true);
    let number = image.int(false, &[5]);
    let tuple = image.tuple(&[text, number, types().none]);
    image.bytes.resize(4096, 0);
    assert_eq!(image.shown(tuple), "('compile', 5, None)");
    assert_eq!(image.reads.get(), 3);
}

#[test]
fn limits_cut() {
    let mut image = Image::new(ALL[5]);
    let text = image.str(&points("abcdef"), 1, true, true);
    let wide = image.str(&points("日本語"), 2, true, false);
    let bytes = image.sized(types().bytes, 3, 32, b"xyz".to_vec());
    let number = image.int(false, &[1, 2, 3]);
    let inner = image.tuple(&[text]);
    let all = image.tuple(&[text, wide, bytes, number, inner]);
    let base = Limits::default();
    for (limits, expected) in [
        (
            base,
            "('abcdef', '日本語', b'xyz', 3458764515968024577, ('abcdef',))",
        ),
        (
            Limits { depth: 1, ..base },
            "('abcdef', '日本語', b'xyz', 3458764515968024577, (...))",
        ),
        (Limits { depth: 0, ..base }, "(...)"),
        (Limits { items: 2, ..base }, "('abcdef', '日本語', ...)"),
        (Limits { items: 0, ..base }, "(...)"),
        (
            Limits {
                string_bytes: 5,
                ..base
            },
            "('abcde'..., '日本'..., b'xyz', ..., ('abcde'...,))",
        ),
        (
            Limits {
                string_bytes: 0,
                ..base
            },
            "(''..., ''..., b''..., ..., (''...,))",
        ),
        (
            Limits {
                total_items: 3,
                ..base
            },
            "('abcdef', '日本語', ...)",
        ),
        (
            Limits {
                total_items: 6,
                ..base
            },
            "('abcdef', '日本語', b'xyz', 3458764515968024577, (...))",
        ),
        (
            Limits {
                total_items: 0,
                ..base
            },
            "...",
        ),
        (
            Limits {
                total_bytes: 8,
                ..base
            },
            "('abcdef', '日'..., b''..., ..., (''...,))",
        ),
    ] {
        assert_eq!(
            image.decode(all, &limits).to_string(),
            expected,
            "{limits:?}"
        );
    }
}

#[test]
fn a_limit_inside_a_character_leaves_it_out() {
    let mut image = Image::new(ALL[5]);
    let wide = image.str(&points("日本語"), 2, true, false);
    for (string_bytes, expected) in [(1, "''..."), (3, "'日'..."), (6, "'日本語'")] {
        let limits = Limits {
            string_bytes,
            ..Limits::default()
        };
        assert_eq!(image.decode(wide, &limits).to_string(), expected);
    }
}

#[test]
fn objects_run_out_inside_an_item() {
    let mut image = Image::new(ALL[5]);
    let none = types().none;
    let inner = image.tuple(&[none, none, none]);
    let outer = image.tuple(&[inner, none, none, none]);
    let limits = Limits {
        total_items: 4,
        ..Limits::default()
    };
    assert_eq!(
        image.decode(outer, &limits).to_string(),
        "((None, None, ...), ...)"
    );
}

#[test]
fn an_integer_is_whole_or_cut() {
    let mut image = Image::new(ALL[3]);
    let largest = image.int(false, &[0x3fff_ffff; 2048]);
    let larger = image.int(false, &[1; 2049]);
    let limits = Limits {
        string_bytes: 1 << 20,
        ..Limits::default()
    };
    let PyValue::Int(Integer::Big { digits, .. }) = image.decode(largest, &limits) else {
        panic!("not decoded");
    };
    assert_eq!(digits.len(), 2048);
    assert_eq!(image.decode(larger, &limits), PyValue::Cut(Cut::Rest));
}
