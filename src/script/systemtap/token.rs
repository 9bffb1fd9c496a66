//! Tokens of SystemTap scripts.

use crate::script::source::Span;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands; what comes from a script argument stands where the `$1` does.
    pub span: Span,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    /// A name or keyword; `$` and `@` may lead it.
    Name(String),
    /// A number. Those from 2^63 to 2^64 - 1 are negative.
    Number(i64),
    /// A string, its escapes resolved.
    Text(Vec<u8>),
    /// An operator or bracket, from [`OPERATORS`].
    Operator(&'static str),
    /// `%{ … %}`
    Embedded,
    /// `$N` or `@N` with a number above that of the script's arguments, and how many those are.
    MissingArgument(usize),
    /// What is none of these, and why.
    Junk(&'static str),
}

/// All operators; one that begins like another comes before it.
pub const OPERATORS: &[&str] = &[
    "<<<", "<<=", ">>>", ">>=", "%(", "%?", "%:", "%)", "++", "--", "+=", "-=", "*=", "/=", "%=",
    "&=", "^=", "|=", ".=", "->", "<<", ">>", "<=", ">=", "==", "!=", "=~", "!~", "&&", "||", "{",
    "}", "(", ")", "[", "]", ";", ",", ".", "?", ":", "~", "!", "+", "-", "*", "/", "%", "&", "|",
    "^", "<", ">", "=",
];

/// Names that cannot be those of variables.
pub const KEYWORDS: &[&str] = &[
    "probe", "global", "function", "if", "else", "for", "foreach", "in", "limit", "return",
    "delete", "while", "break", "continue", "next", "string", "long", "try", "catch", "private",
];

impl TokenKind {
    /// What messages call it.
    pub fn describe(&self) -> String {
        match self {
            TokenKind::Name(name) if KEYWORDS.contains(&name.as_str()) => {
                format!("keyword '{name}'")
            }
            TokenKind::Name(name) => format!("identifier '{name}'"),
            TokenKind::Number(number) => format!("number '{number}'"),
            TokenKind::Text(text) => format!("string '{}'", String::from_utf8_lossy(text)),
            TokenKind::Operator(operator) => format!("operator '{operator}'"),
            TokenKind::Embedded => "embedded C".to_owned(),
            TokenKind::MissingArgument(_) => "a missing script argument".to_owned(),
            TokenKind::Junk(_) => "junk".to_owned(),
        }
    }
}
