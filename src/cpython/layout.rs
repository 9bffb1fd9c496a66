//! Where the fields of CPython's built-in objects lie: one row for each family of versions.
//!
//! Source: the structures of CPython's `Include/object.h`, `Include/cpython/unicodeobject.h`, `longintrepr.h` and
//! `tupleobject.h` at those versions, on a 64-bit little-endian machine; checked against running interpreters.

use thiserror::Error;

use super::version::Version;

/// Offsets in bytes from an object's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size of `PyObject`: what every object begins with.
    pub header: u64,
    /// Pointer to the object's type.
    pub type_pointer: u64,
    /// Number of items of a tuple, list or bytes object; number of code points of a string.
    pub size: u64,
    /// A tuple's items.
    pub tuple_items: u64,
    /// The pointer to a list's items.
    pub list_items: u64,
    /// How an integer keeps sign and number of digits, at `size`.
    pub integer: IntegerForm,
    /// An integer's digits: u32, 30 bits each, the least significant first.
    pub digits: u64,
    /// A float's double.
    pub float: u64,
    /// The bytes of a bytes object.
    pub bytes: u64,
    /// The state word (u32) of a string.
    pub state: u64,
    /// Where that word has its fields.
    pub state_bits: StateBits,
    /// The code points of a compact ASCII string.
    pub ascii_text: u64,
    /// The code points of any other compact string; in a string that is not compact the pointer to them.
    pub wide_text: u64,
    /// Strings not yet "ready" (before 3.12): pointer to `wchar_t` text and the number of its characters.
    pub unready_text: Option<(u64, u64)>,
    /// `tp_name` of a type object: pointer to a NUL-terminated name.
    pub type_name: u64,
}

/// How an integer keeps its sign and its number of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerForm {
    /// `ob_size`: the number of digits, negative for a negative integer (until 3.11).
    SignedSize,
    /// `lv_tag`: the low two bits are 0 for positive, 1 for zero, 2 for negative; the number of digits is in the
    /// bits from 3 on (since 3.12).
    Tag,
}

/// Bit numbers in a string's state word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateBits {
    /// Three bits: 1, 2 or 4 bytes a code point; 0 for a string that is not ready.
    pub kind: u32,
    /// The text follows the object.
    pub compact: u32,
    /// All code points are below 128.
    pub ascii: u32,
}

/// The layout of this version's objects is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("how CPython {0} lays out its objects is not known (known are 3.6 to 3.15)")]
pub struct UnknownLayout(pub Version);

/// One row of the table: what differs between versions 3.`first` to 3.`last`.
struct Family {
    first: u8,
    last: u8,
    free_threaded: bool,
    /// `ob_tid`, mutex, counts and `ob_type` when free-threaded; else `ob_refcnt` and `ob_type`.
    header: u64,
    /// Bytes from the end of the variable-size header to a tuple's items (3.14 put the hash in between).
    before_items: u64,
    integer: IntegerForm,
    state_bits: StateBits,
    /// `wstr` and `wstr_length` are still there.
    unready: bool,
}

/// interned 0-1, kind 2-4, compact 5, ascii 6.
const PACKED: StateBits = StateBits {
    kind: 2,
    compact: 5,
    ascii: 6,
};
/// interned has a byte of its own, as it is changed atomically.
const AFTER_BYTE: StateBits = StateBits {
    kind: 8,
    compact: 11,
    ascii: 12,
};

const FAMILIES: &[Family] = &[
    row(6, 11, false, 16, 0, IntegerForm::SignedSize, PACKED, true),
    row(12, 13, false, 16, 0, IntegerForm::Tag, PACKED, false),
    row(14, 15, false, 16, 8, IntegerForm::Tag, PACKED, false),
    row(13, 13, true, 32, 0, IntegerForm::Tag, PACKED, false),
    row(14, 15, true, 32, 8, IntegerForm::Tag, AFTER_BYTE, false),
];

#[expect(clippy::too_many_arguments, reason = "a row of the table above")]
const fn row(
    first: u8,
    last: u8,
    free_threaded: bool,
    header: u64,
    before_items: u64,
    integer: IntegerForm,
    state_bits: StateBits,
    unready: bool,
) -> Family {
    Family {
        first,
        last,
        free_threaded,
        header,
        before_items,
        integer,
        state_bits,
        unready,
    }
}

impl Layout {
    /// The layout of that version's objects.
    ///
    /// # Errors
    /// [`UnknownLayout`] for a version outside 3.6 to 3.15: a guess would print nonsense as if it were true.
    pub fn of(version: &Version) -> Result<Layout, UnknownLayout> {
        FAMILIES
            .iter()
            .find(|family| {
                version.major == 3
                    && (family.first..=family.last).contains(&version.minor)
                    && family.free_threaded == version.free_threaded
            })
            .map(|family| family.layout(version.trace_refs && !version.at_least(3, 13)))
            .ok_or(UnknownLayout(*version))
    }
}

impl Family {
    /// With `linked`, objects begin with two pointers to their neighbours in the list of all objects (3.13 keeps
    /// them elsewhere).
    fn layout(&self, linked: bool) -> Layout {
        let header = self.header + if linked { 16 } else { 0 };
        // Before 3.12 the pointer wstr lies in front of the text, and wstr_length in front of wide text.
        let (ascii_text, wide_text) = if self.unready {
            (header + 32, header + 56)
        } else {
            (header + 24, header + 40)
        };
        Layout {
            header,
            type_pointer: header - 8,
            size: header,
            tuple_items: header + 8 + self.before_items,
            list_items: header + 8,
            integer: self.integer,
            digits: header + 8,
            float: header,
            bytes: header + 16,
            state: header + 16,
            state_bits: self.state_bits,
            ascii_text,
            wide_text,
            unready_text: self.unready.then_some((header + 24, header + 48)),
            type_name: header + 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(name: &str) -> Layout {
        Layout::of(&Version::from_name(name).unwrap()).unwrap()
    }

    /// Offsets worked out by hand from the structures, not with the formulas above.
    #[test]
    fn offsets() {
        // name, type, size, tuple, ascii, wide, tp_name
        for (name, expected) in [
            ("python3.6", [8, 16, 24, 48, 72, 24]),
            ("python3.11", [8, 16, 24, 48, 72, 24]),
            ("python3.12", [8, 16, 24, 40, 56, 24]),
            ("python3.13", [8, 16, 24, 40, 56, 24]),
            ("python3.14", [8, 16, 32, 40, 56, 24]),
            ("python3.15", [8, 16, 32, 40, 56, 24]),
            ("python3.13t", [24, 32, 40, 56, 72, 40]),
            ("python3.14t", [24, 32, 48, 56, 72, 40]),
            ("python3.7dm", [24, 32, 40, 64, 88, 40]),
            ("python3.9d", [8, 16, 24, 48, 72, 24]),
        ] {
            let l = layout(name);
            let got = [
                l.type_pointer,
                l.size,
                l.tuple_items,
                l.ascii_text,
                l.wide_text,
                l.type_name,
            ];
            assert_eq!(got, expected, "{name}");
        }
        assert_eq!(layout("python3.9").unready_text, Some((40, 64)));
        assert_eq!(layout("python3.12").unready_text, None);
        assert_eq!(layout("python3.13t").state_bits.kind, 2);
        assert_eq!(layout("python3.14t").state_bits.kind, 8);
    }

    #[test]
    fn unknown_versions_are_refused() {
        for name in ["python2.7", "python3.5", "python3.16", "python3.12t"] {
            let version = Version::from_name(name).unwrap();
            assert_eq!(Layout::of(&version), Err(UnknownLayout(version)));
        }
        let error = UnknownLayout(Version::from_name("python3.16").unwrap());
        assert_eq!(
            error.to_string(),
            "how CPython 3.16 lays out its objects is not known (known are 3.6 to 3.15)"
        );
    }
}
