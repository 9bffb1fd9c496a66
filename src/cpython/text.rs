//! A Python string's text, which unlike Rust's may hold lone surrogates: file names that are no UTF-8 become such.

/// The text of a `str`, or its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text, with U+FFFD in each surrogate's place.
    string: String,
    /// The surrogates, by the byte offset of their U+FFFD in `string`, ascending.
    surrogates: Vec<(usize, u16)>,
    /// Whether more text follows in the object.
    cut: bool,
}

impl Text {
    /// Collects code points; what is no code point at all (above 0x10ffff) becomes U+FFFD.
    pub(super) fn from_code_points(points: impl Iterator<Item = u32>, cut: bool) -> Text {
        let mut text = Text {
            cut,
            ..Text::default()
        };
        for point in points {
            let character = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
            if let (0xd800..=0xdfff, Ok(surrogate)) = (point, u16::try_from(point)) {
                text.surrogates.push((text.string.len(), surrogate));
            }
            text.string.push(character);
        }
        text
    }

    /// The text as UTF-8, each lone surrogate replaced by U+FFFD.
    pub fn as_str(&self) -> &str {
        &self.string
    }

    /// Whether this is only the beginning of the object's text.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether the text has surrogates, which `as_str` does not show.
    pub fn has_surrogates(&self) -> bool {
        !self.surrogates.is_empty()
    }

    /// The code points, surrogates included.
    pub fn code_points(&self) -> impl Iterator<Item = u32> {
        let mut surrogates = self.surrogates.iter().peekable();
        self.string.char_indices().map(move |(at, character)| {
            match surrogates.next_if(|(place, _)| *place == at) {
                Some((_, surrogate)) => u32::from(*surrogate),
                None => u32::from(character),
            }
        })
    }
}

impl From<&str> for Text {
    fn from(string: &str) -> Text {
        Text {
            string: string.to_owned(),
            surrogates: Vec::new(),
            cut: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogates_stay_apart_from_replacement_characters() {
        let points = [
            0x61, 0xfffd, 0xdcff, 0x1f40d, 0xd83d, 0xde00, 0x110000, 0x7a,
        ];
        let text = Text::from_code_points(points.into_iter(), false);
        assert_eq!(
            text.as_str(),
            "a\u{fffd}\u{fffd}\u{1f40d}\u{fffd}\u{fffd}\u{fffd}z"
        );
        assert!(text.has_surrogates());
        let back: Vec<u32> = text.code_points().collect();
        assert_eq!(
            back,
            [0x61, 0xfffd, 0xdcff, 0x1f40d, 0xd83d, 0xde00, 0xfffd, 0x7a]
        );
    }
}
