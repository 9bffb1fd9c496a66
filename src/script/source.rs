//! Script text, and places in it.

use std::ops::Range;

/// The largest script file, in bytes: spans are 32 bits wide, and nobody writes more.
pub const MAX_SOURCE: usize = 16 << 20;

/// Names a source in [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A range of bytes in a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which source.
    pub source: SourceId,
    /// The offset of the first byte.
    pub start: u32,
    /// The offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The span of these offsets.
    pub fn new(source: SourceId, range: Range<usize>) -> Span {
        let offset = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        Span {
            source,
            start: offset(range.start),
            end: offset(range.end.max(range.start)),
        }
    }

    /// From the beginning of this to the end of another; this when they are of different sources.
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        Span {
            end: self.end.max(other.end),
            ..self
        }
    }
}

/// One text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What messages call it: a path, or `<command line>`.
    pub name: String,
    /// The text. Bytes that are not UTF-8 have become U+FFFD.
    pub text: String,
}

/// All texts of a script: itself, and the tapsets or headers that it uses.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
}

/// A text is too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: the script is longer than {} MiB", MAX_SOURCE >> 20)]
pub struct TooLong {
    /// What was read.
    pub name: String,
}

impl Sources {
    /// Adds a text.
    ///
    /// # Errors
    /// It is longer than [`MAX_SOURCE`].
    pub fn add(&mut self, name: &str, text: &[u8]) -> Result<SourceId, TooLong> {
        if text.len() > MAX_SOURCE {
            return Err(TooLong {
                name: name.to_owned(),
            });
        }
        let id = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(Source {
            name: name.to_owned(),
            text: String::from_utf8_lossy(text).into_owned(),
        });
        Ok(SourceId(id))
    }

    /// A source; `None` for an id of other sources.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.all.get(usize::try_from(id.0).ok()?)
    }

    /// The text of a source; empty for an id of other sources.
    pub fn text(&self, id: SourceId) -> &str {
        self.get(id).map_or("", |source| source.text.as_str())
    }

    /// The text that a span covers; empty when it does not fit the source.
    pub fn slice(&self, span: Span) -> &str {
        let range = span.start as usize..span.end as usize;
        self.text(span.source).get(range).unwrap_or("")
    }

    /// The line and column, both from 1, where a span begins. Columns count characters.
    pub fn position(&self, span: Span) -> (usize, usize) {
        let text = self.text(span.source);
        let mut end = (span.start as usize).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = text.get(..end).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let mut sources = Sources::default();
        let id = sources
            .add("t.d", "ab\n\u{e9}cd\n".as_bytes())
            .expect("short");
        let at = |range: Range<usize>| sources.position(Span::new(id, range));
        assert_eq!(at(0..1), (1, 1));
        assert_eq!(at(2..3), (1, 3));
        assert_eq!(at(3..4), (2, 1));
        assert_eq!(at(5..6), (2, 2));
        assert_eq!(at(4..6), (2, 1), "within a character");
        assert_eq!(at(8..8), (3, 1));
        assert_eq!(at(99..99), (3, 1));
        assert_eq!(sources.slice(Span::new(id, 3..6)), "\u{e9}c");
        assert_eq!(sources.slice(Span::new(id, 4..99)), "");
    }

    #[test]
    fn what_is_too_long_or_not_utf8_does_no_harm() {
        let mut sources = Sources::default();
        assert!(sources.add("big", &vec![b' '; MAX_SOURCE + 1]).is_err());
        let id = sources.add("latin1", b"\xe9").expect("short");
        assert_eq!(sources.text(id), "\u{fffd}");
    }
}
