//! Where a string object keeps its text: behind itself or elsewhere, in 1, 2 or 4 bytes a code point (PEP 393).

use super::object::{Decoder, Head, units};
use super::text::Text;

/// The text of a `str`; `None` when the object makes no sense.
pub(super) fn text(decoder: &mut Decoder<'_>, head: &Head) -> Option<Text> {
    let place = Place::of(decoder, head)?;
    let (bytes, cut) = decoder.content(head, place.start, place.length, place.width)?;
    Some(Text::from_code_points(units(&bytes, place.width), cut))
}

/// Where the text lies.
struct Place {
    start: u64,
    /// In code points.
    length: u64,
    /// Bytes a code point.
    width: usize,
}

impl Place {
    fn of(decoder: &Decoder<'_>, head: &Head) -> Option<Place> {
        let layout = decoder.layout;
        let state = head.u32(layout.state)?;
        let length = head.length(layout.size)?;
        let from = |bit: u32| state.checked_shr(bit).unwrap_or(0);
        let has = |bit: u32| from(bit) & 1 != 0;
        let width = match from(layout.state_bits.kind) & 7 {
            0 => {
                // Not "ready": made by the old API (Py_UNICODE), its length and width not yet known.
                let (pointer, length) = layout.unready_text?;
                return Some(Place {
                    start: head.u64(pointer)?,
                    length: head.length(length)?,
                    width: 4,
                });
            }
            1 => 1,
            2 => 2,
            4 => 4,
            _ => return None,
        };
        let start = if !has(layout.state_bits.compact) {
            head.u64(layout.wide_text)?
        } else if has(layout.state_bits.ascii) {
            head.address.checked_add(layout.ascii_text)?
        } else {
            head.address.checked_add(layout.wide_text)?
        };
        Some(Place {
            start,
            length,
            width,
        })
    }
}
