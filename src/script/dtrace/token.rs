//! The words of D.

use super::ast::Int;
use crate::script::source::Span;

/// A word, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where.
    pub span: Span,
}

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A name or keyword.
    Name(String),
    /// A name with a `` ` `` in it: a symbol of the kernel.
    Symbol(String),
    /// An integer constant, a character constant among them.
    Int(Int),
    /// A string constant, its escapes replaced.
    Str(Vec<u8>),
    /// `$name` without the `$`; `$$1` is `$1`.
    Macro(String),
    /// `@name` without the `@`.
    Aggregation(String),
    /// An operator or bracket.
    Punct(&'static str),
    /// The end of the text.
    End,
    /// What is no word; a message has been given.
    Wrong,
}

/// Operators and brackets, the longer ones first.
pub(super) const PUNCTS: &[&str] = &[
    "<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "^^",
    "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "+", "-", "*", "/", "%", "&", "|", "^", "~",
    "!", "=", "<", ">", "?", ":", ";", ",", ".", "(", ")", "[", "]", "{", "}",
];

impl TokenKind {
    /// How messages name it.
    pub fn describe(&self) -> String {
        match self {
            TokenKind::Name(name) | TokenKind::Symbol(name) => format!("`{name}`"),
            TokenKind::Int(int) => format!("`{}`", int.value),
            TokenKind::Str(_) => "a string".to_owned(),
            TokenKind::Macro(name) => format!("`${name}`"),
            TokenKind::Aggregation(name) => format!("`@{name}`"),
            TokenKind::Punct(text) => format!("`{text}`"),
            TokenKind::End => "the end of the program".to_owned(),
            TokenKind::Wrong => "what stands here".to_owned(),
        }
    }

    /// Whether it is this operator or bracket.
    pub fn is(&self, text: &str) -> bool {
        matches!(self, TokenKind::Punct(own) if *own == text)
    }

    /// Whether it is this name.
    pub fn is_name(&self, text: &str) -> bool {
        matches!(self, TokenKind::Name(own) if own == text)
    }
}
