//! Text to words. D's lexing depends on where it is: outside of braces a word is a probe's description, in a predicate
//! `//` is no comment. So the parser asks for the next word of a kind, one at a time.

use super::ast::{Int, Pragma};
use super::token::{PUNCTS, Token, TokenKind};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::source::{SourceId, Span};

/// Reads words from a text.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    source: SourceId,
    at: usize,
    /// Within a predicate `//` is two slashes.
    pub(super) in_predicate: bool,
}

/// What the lexer finds besides words.
#[derive(Debug, Default)]
pub(super) struct Finds {
    pub(super) diagnostics: Diagnostics,
    pub(super) pragmas: Vec<Pragma>,
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, source: SourceId) -> Lexer<'a> {
        Lexer {
            text,
            source,
            at: 0,
            in_predicate: false,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn first(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The span from an offset to here.
    pub(super) fn from(&self, start: usize) -> Span {
        Span::new(self.source, start..self.at)
    }

    fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|it| !accepts(it)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    /// Whether the text goes on so.
    pub(super) fn starts_with(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    /// Skips blanks, comments and lines that begin with `#`.
    pub(super) fn skip(&mut self, finds: &mut Finds) {
        loop {
            self.take_while(char::is_whitespace);
            let (start, rest) = (self.at, self.rest());
            if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => {
                        self.at += 2;
                        let span = self.from(start);
                        self.at = self.text.len();
                        let message = "this comment has no end";
                        finds
                            .diagnostics
                            .push(Diagnostic::error(span, message).hint("it ends with `*/`"));
                    }
                }
            } else if rest.starts_with("//") && !self.in_predicate {
                self.take_while(|it| it != '\n');
            } else if rest.starts_with('#') && self.begins_line() {
                self.directive(finds);
            } else {
                return;
            }
        }
    }

    fn begins_line(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or("");
        before
            .rsplit('\n')
            .next()
            .is_none_or(|line| line.trim().is_empty())
    }

    /// A line that begins with `#`.
    fn directive(&mut self, finds: &mut Finds) {
        let start = self.at;
        let line = self.take_while(|it| it != '\n');
        let span = self.from(start);
        let line = line.split("/*").next().unwrap_or("");
        let words: Vec<&str> = line.trim_start_matches('#').split_whitespace().collect();
        match words.split_first() {
            _ if line.starts_with("#!") => {}
            None => {}
            Some((&"pragma", rest)) => {
                if let Some((&"D", rest)) = rest.split_first() {
                    finds.pragmas.push(Pragma {
                        words: rest.iter().map(|&it| it.to_owned()).collect(),
                        span,
                    });
                }
            }
            Some((&"error", rest)) => finds.diagnostics.push(Diagnostic::error(
                span,
                format!("#error: {}", rest.join(" ")),
            )),
            Some((&("line" | "ident"), _)) => {}
            Some((word, _)) if word.starts_with(|it: char| it.is_ascii_digit()) => {}
            Some((word, _)) => finds.diagnostics.push(
                Diagnostic::error(span, format!("invalid control directive: #{word}"))
                    .hint("`-C` runs the C preprocessor over the program first"),
            ),
        }
    }

    /// A word as it can stand in a probe's description, and nothing when there is none.
    pub(super) fn probe_word(&mut self) -> (&'a str, Span) {
        let start = self.at;
        let accepts = |it: char| it.is_ascii_alphanumeric() || "-$:_.?*\\[]!`^+~<>".contains(it);
        let word = self.take_while(accepts);
        (word, self.from(start))
    }

    /// The next word.
    pub(super) fn next(&mut self, finds: &mut Finds) -> Token {
        self.skip(finds);
        let start = self.at;
        let kind = match self.first() {
            None => TokenKind::End,
            Some(it) if it.is_ascii_digit() => self.integer(finds),
            Some(it) if is_word(it) || it == '`' => self.name(),
            Some('"') => self.string(finds),
            Some('\'') => self.character(finds),
            Some('@') => {
                self.at += 1;
                TokenKind::Aggregation(self.take_while(is_word).to_owned())
            }
            Some('$') => self.macro_name(),
            Some(other) => self.punct(other, finds),
        };
        Token {
            kind,
            span: self.from(start),
        }
    }

    fn name(&mut self) -> TokenKind {
        let text = self.take_while(|it| is_word(it) || it == '`');
        if text.contains('`') {
            return TokenKind::Symbol(text.to_owned());
        }
        TokenKind::Name(text.to_owned())
    }

    fn macro_name(&mut self) -> TokenKind {
        self.at += 1;
        let mut name = String::new();
        if self.first() == Some('$') {
            self.at += 1;
            name.push('$');
        }
        name.push_str(self.take_while(is_word));
        TokenKind::Macro(name)
    }

    fn punct(&mut self, first: char, finds: &mut Finds) -> TokenKind {
        let rest = self.rest();
        // A predicate's end may stand before any operator character.
        let found = PUNCTS.iter().find(|&&it| rest.starts_with(it));
        if let Some(&text) = found {
            self.at += text.len();
            return TokenKind::Punct(text);
        }
        let start = self.at;
        self.at += first.len_utf8();
        let message = format!("`{}` has no meaning here", first.escape_default());
        finds
            .diagnostics
            .push(Diagnostic::error(self.from(start), message));
        TokenKind::Wrong
    }

    fn integer(&mut self, finds: &mut Finds) -> TokenKind {
        let start = self.at;
        let word = self.take_while(is_word);
        if self.rest().starts_with('.')
            && self
                .rest()
                .get(1..)
                .is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()))
        {
            self.at += 1;
            self.take_while(is_word);
            let message = "floating-point constants are not permitted in D";
            finds
                .diagnostics
                .push(Diagnostic::error(self.from(start), message));
            return TokenKind::Wrong;
        }
        match integer(word) {
            Ok(int) => TokenKind::Int(int),
            Err(message) => {
                finds
                    .diagnostics
                    .push(Diagnostic::error(self.from(start), message));
                TokenKind::Wrong
            }
        }
    }

    /// The bytes between two quotes; `None`: the second is missing.
    fn quoted(&mut self, quote: char) -> Option<Vec<u8>> {
        self.at += quote.len_utf8();
        let mut bytes = Vec::new();
        loop {
            let character = self.first()?;
            if character == '\n' {
                return None;
            }
            self.at += character.len_utf8();
            if character == quote {
                return Some(bytes);
            }
            if character != '\\' {
                let mut buffer = [0; 4];
                bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                continue;
            }
            self.escape(&mut bytes)?;
        }
    }

    /// What stands behind a backslash (C's escapes; any other character is itself).
    fn escape(&mut self, bytes: &mut Vec<u8>) -> Option<()> {
        let character = self.first()?;
        let digits = |text: &str, most: usize, radix: u32| {
            text.chars()
                .take(most)
                .take_while(|it| it.is_digit(radix))
                .count()
        };
        if character.is_digit(8) {
            let count = digits(self.rest(), 3, 8);
            let value = u32::from_str_radix(self.rest().get(..count)?, 8).ok()?;
            bytes.push(u8::try_from(value & 0xff).ok()?);
            self.at += count;
            return Some(());
        }
        self.at += character.len_utf8();
        let byte = match character {
            'n' => b'\n',
            't' => b'\t',
            'r' => b'\r',
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'v' => 11,
            '\n' => return Some(()),
            'x' if digits(self.rest(), 2, 16) > 0 => {
                let count = digits(self.rest(), 2, 16);
                let byte = u8::from_str_radix(self.rest().get(..count)?, 16).ok()?;
                self.at += count;
                byte
            }
            other => {
                let mut buffer = [0; 4];
                bytes.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes());
                return Some(());
            }
        };
        bytes.push(byte);
        Some(())
    }

    fn string(&mut self, finds: &mut Finds) -> TokenKind {
        let start = self.at;
        if let Some(mut bytes) = self.quoted('"') {
            // A string ends at a NUL, as in C.
            if let Some(end) = bytes.iter().position(|&it| it == 0) {
                bytes.truncate(end);
            }
            return TokenKind::Str(bytes);
        }
        let message = "this string has no end on its line";
        finds
            .diagnostics
            .push(Diagnostic::error(self.from(start), message));
        TokenKind::Wrong
    }

    fn character(&mut self, finds: &mut Finds) -> TokenKind {
        let start = self.at;
        let bytes = self.quoted('\'');
        match bytes {
            Some(bytes) if (1..=8).contains(&bytes.len()) => TokenKind::Int(Int {
                value: bytes
                    .iter()
                    .fold(0, |value, &byte| value << 8 | u64::from(byte)),
                decimal: true,
                unsigned: false,
                long: false,
            }),
            _ => {
                let message = "a character constant is one to eight characters between quotes";
                finds
                    .diagnostics
                    .push(Diagnostic::error(self.from(start), message));
                TokenKind::Wrong
            }
        }
    }
}

/// Reads an integer constant: decimal, `0x` hexadecimal, `0` octal, with any of the suffixes `u`, `l`, `ll`.
pub(super) fn integer(word: &str) -> Result<Int, String> {
    let lower = word.to_ascii_lowercase();
    let digits = lower.trim_end_matches(['u', 'l']);
    let suffix = lower.get(digits.len()..).unwrap_or("");
    let (body, radix) = match digits.strip_prefix("0x") {
        Some(body) => (body, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if suffix.len() > 3 || body.is_empty() || !body.chars().all(|it| it.is_digit(radix)) {
        return Err(format!("`{word}` is not an integer"));
    }
    let value = u64::from_str_radix(body, radix)
        .map_err(|_| format!("integer constant {word} is too large for 64 bits"))?;
    Ok(Int {
        value,
        decimal: radix == 10,
        unsigned: suffix.contains('u'),
        long: suffix.contains('l'),
    })
}
