//! Patterns that choose markers: `[PROVIDER:]NAME`, each part a shell glob
//! (glob(7)): `*`, `?`, `[a-z]`, `[!a]`, and `\` before a character that is
//! meant literally.

use std::fmt;
use std::str::FromStr;

/// The longest pattern, in characters: matching takes its length times the name's.
const MAX_PATTERN: usize = 1024;

/// A pattern for a marker's provider and name.
///
/// In names `-` and `__` are the same, as in DTrace: `function-entry` matches `function__entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkerPattern {
    text: String,
    provider: Option<Vec<Piece>>,
    name: Vec<Piece>,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The provider or the name is missing.
    #[error("the pattern `{0}` has an empty part; write PROVIDER:NAME or NAME, with * for any")]
    Empty(String),
    /// There are three or more parts.
    #[error("the pattern `{0}` has more than two parts; write PROVIDER:NAME or NAME")]
    Parts(String),
    /// A `[` has no `]`.
    #[error("the pattern `{0}` has a `[` without its `]`; for the character itself write `\\[`")]
    Bracket(String),
    /// The pattern is longer than 1024 characters.
    #[error("the pattern has more than 1024 characters")]
    TooLong,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    Any,
    Star,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl MarkerPattern {
    /// Parses `[PROVIDER:]NAME`; without a provider any provider matches.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong and how to write it.
    pub fn parse(text: &str) -> Result<MarkerPattern, PatternError> {
        if text.chars().count() > MAX_PATTERN {
            return Err(PatternError::TooLong);
        }
        let mut parts = text.split(':');
        let (provider, name) = match (parts.next(), parts.next(), parts.next()) {
            (Some(name), None, None) => (None, name),
            (Some(provider), Some(name), None) => (Some(provider), name),
            _ => return Err(PatternError::Parts(text.to_owned())),
        };
        if name.is_empty() || provider == Some("") {
            return Err(PatternError::Empty(text.to_owned()));
        }
        let glob = |part: &str| {
            pieces(&mut part.chars()).ok_or_else(|| PatternError::Bracket(text.to_owned()))
        };
        Ok(MarkerPattern {
            text: text.to_owned(),
            provider: provider.map(glob).transpose()?,
            name: glob(&dashed(name))?,
        })
    }

    /// Whether a marker is meant; its name may be written with `__` or `-`.
    pub fn matches(&self, provider: &str, name: &str) -> bool {
        let provider_matches = self
            .provider
            .as_ref()
            .is_none_or(|pieces| matches(pieces, provider));
        provider_matches && matches(&self.name, &dashed(name))
    }
}

impl FromStr for MarkerPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<MarkerPattern, PatternError> {
        MarkerPattern::parse(text)
    }
}

impl fmt::Display for MarkerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A marker's name as DTrace writes it: with `-` for `__`.
pub fn dashed(name: &str) -> String {
    name.replace("__", "-")
}

fn pieces(text: &mut std::str::Chars<'_>) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    while let Some(character) = text.next() {
        pieces.push(match character {
            '*' => Piece::Star,
            '?' => Piece::Any,
            '[' => set(text)?,
            '\\' => Piece::Char(text.next().unwrap_or('\\')),
            other => Piece::Char(other),
        });
    }
    // Runs of stars are one star.
    pieces.dedup_by(|a, b| *a == Piece::Star && *b == Piece::Star);
    Some(pieces)
}

/// What stands between `[` and `]`; a `]` that comes first is a member, and so is a `-` that comes first or last.
fn set(text: &mut std::str::Chars<'_>) -> Option<Piece> {
    let negated = text.as_str().starts_with(['!', '^']);
    if negated {
        text.next();
    }
    let mut ranges = Vec::new();
    loop {
        let low = match text.next()? {
            ']' if !ranges.is_empty() => return Some(Piece::Set { negated, ranges }),
            '\\' => text.next()?,
            other => other,
        };
        let rest = text.as_str();
        let ranged = rest.starts_with('-') && !rest.starts_with("-]");
        if ranged {
            text.next();
            let high = match text.next()? {
                '\\' => text.next()?,
                other => other,
            };
            ranges.push((low, high));
        } else {
            ranges.push((low, low));
        }
    }
}

impl Piece {
    fn takes(&self, character: char) -> bool {
        match self {
            Piece::Char(own) => *own == character,
            Piece::Any => true,
            Piece::Star => false,
            Piece::Set { negated, ranges } => {
                let within = |(low, high): &(char, char)| (*low..=*high).contains(&character);
                ranges.iter().any(within) != *negated
            }
        }
    }
}

/// Matches by going back to the last star only, which is enough for globs and never exponential.
fn matches(pieces: &[Piece], text: &str) -> bool {
    let (mut rest, mut text) = (pieces, text.chars());
    let mut retry: Option<(&[Piece], std::str::Chars<'_>)> = None;
    loop {
        if let Some((Piece::Star, after)) = rest.split_first() {
            rest = after;
            retry = Some((after, text.clone()));
            continue;
        }
        let mut ahead = text.clone();
        match (rest.split_first(), ahead.next()) {
            (None, None) => return true,
            (Some((piece, after)), Some(character)) if piece.takes(character) => {
                rest = after;
                text = ahead;
            }
            _ => {
                let Some((after_star, mut from)) = retry.take() else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                rest = after_star;
                text = from.clone();
                retry = Some((after_star, from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_would() {
        let table = [
            ("function__entry", "python", "function__entry", true),
            ("function-entry", "python", "function__entry", true),
            ("function__entry", "python", "function-entry", true),
            ("function_entry", "python", "function__entry", false),
            ("python:gc-*", "python", "gc__start", true),
            ("python:gc-*", "ruby", "gc__start", false),
            ("*:gc__start", "ruby", "gc__start", true),
            ("pyth?n:line", "python", "line", true),
            ("line", "python", "lines", false),
            ("line", "python", "li", false),
            ("*", "python", "audit", true),
            ("**a**", "python", "audit", true),
            ("*t", "python", "tat", true),
            ("*a*b*c", "p", "xaybzbc", true),
            ("*a*b*c", "p", "xaybzb", false),
            ("[a-c]udit", "p", "audit", true),
            ("[!a-c]udit", "p", "audit", false),
            ("[^b-c]udit", "p", "audit", true),
            ("[]x]", "p", "]", true),
            ("[a-]", "p", "-", true),
            ("[-a]", "p", "-", true),
            ("[\\]]", "p", "]", true),
            ("\\*", "p", "*", true),
            ("\\*", "p", "x", false),
            ("function-*", "python", "function__return", true),
            ("?", "p", "\u{e9}", true),
            ("?", "p", "", false),
        ];
        for (pattern, provider, name, expected) in table {
            let parsed = MarkerPattern::parse(pattern).expect(pattern);
            assert_eq!(parsed.matches(provider, name), expected, "{pattern} {name}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn what_is_no_pattern_says_how_to_write_one() {
        let table = [
            ("", "empty part"),
            (":x", "empty part"),
            ("x:", "empty part"),
            ("a:b:c", "more than two parts"),
            ("[ab", "without its `]`"),
            ("[", "without its `]`"),
            ("[]", "without its `]`"),
            ("[a-", "without its `]`"),
        ];
        for (pattern, cause) in table {
            let error = MarkerPattern::parse(pattern).expect_err(pattern);
            assert!(error.to_string().contains(cause), "{pattern}: {error}");
        }
        let long = "a".repeat(MAX_PATTERN + 1);
        assert_eq!(MarkerPattern::parse(&long), Err(PatternError::TooLong));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = MarkerPattern::parse(&"*a".repeat(400)).expect("a pattern");
        assert!(!pattern.matches("p", &"a".repeat(399)));
        assert!(pattern.matches("p", &"a".repeat(4000)));
    }
}
