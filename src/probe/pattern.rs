//! Patterns that choose markers: `[PROVIDER:]NAME`, each part a [`Glob`].

use std::fmt;
use std::str::FromStr;

use super::glob::Glob;

/// The longest pattern, in characters: matching takes its length times the name's.
const MAX_PATTERN: usize = 1024;

/// A pattern for a marker's provider and name.
///
/// In names `-` and `__` are the same, as in DTrace: `function-entry` matches `function__entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkerPattern {
    text: String,
    provider: Option<Glob>,
    name: Glob,
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
        let glob =
            |part: &str| Glob::parse(part).ok_or_else(|| PatternError::Bracket(text.to_owned()));
        Ok(MarkerPattern {
            text: text.to_owned(),
            provider: provider.map(glob).transpose()?,
            name: glob(&dashed(name))?,
        })
    }

    /// The provider's glob; `None` for any.
    pub fn provider(&self) -> Option<&Glob> {
        self.provider.as_ref()
    }

    /// The name's glob, in DTrace's spelling (`-` for `__`).
    pub fn name(&self) -> &Glob {
        &self.name
    }

    /// Whether a marker is meant; its name may be written with `__` or `-`.
    pub fn matches(&self, provider: &str, name: &str) -> bool {
        let provider_matches = self
            .provider
            .as_ref()
            .is_none_or(|glob| glob.matches(provider));
        provider_matches && self.name.matches(&dashed(name))
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
