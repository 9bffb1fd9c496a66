//! From text to tokens. Script arguments (`$1`, `@1`, `$#`, `@#`) are replaced here, as SystemTap does: `$1` by what the
//! argument's text itself lexes to, `@1` by a string.

use super::token::{OPERATORS, Token, TokenKind};
use crate::script::source::{Sources, Span};

/// The tokens of a text. What is no token is [`TokenKind::Junk`].
pub fn lex(sources: &Sources, whole: Span, arguments: &[String]) -> Vec<Token> {
    let mut lexer = Lexer {
        text: sources.slice(whole),
        at: 0,
        whole,
        arguments,
        tokens: Vec::new(),
    };
    lexer.run();
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    whole: Span,
    arguments: &'a [String],
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        loop {
            self.skip_blanks();
            let start = self.at;
            let Some(first) = self.peek(0) else { return };
            let kind = match first {
                b'"' => self.string(),
                b'0'..=b'9' => self.number(),
                b'$' | b'@' if self.argument(first) => continue,
                b'%' if self.peek(1) == Some(b'{') => self.embedded(),
                byte if is_name_start(byte) => self.name(),
                _ => self.operator(),
            };
            self.push(kind, start);
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        let at = self.at.checked_add(ahead)?;
        self.text.as_bytes().get(at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        let span = self.span(start);
        self.tokens.push(Token { kind, span });
    }

    fn span(&self, start: usize) -> Span {
        let offset = self.whole.start as usize;
        Span::new(self.whole.source, start + offset..self.at + offset)
    }

    /// Skips white space and comments.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed =
                rest.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == '\x0b');
            let skipped = rest.len() - trimmed.len();
            let comment = if trimmed.starts_with('#') || trimmed.starts_with("//") {
                trimmed.find('\n').unwrap_or(trimmed.len())
            } else if let Some(inside) = trimmed.strip_prefix("/*") {
                // The first `*/` ends it, also after a backslash.
                inside.find("*/").map_or(trimmed.len(), |at| at + 4)
            } else {
                0
            };
            self.at += skipped + comment;
            if comment == 0 {
                return;
            }
        }
    }

    /// A name; its first byte may be a `$` or `@`.
    fn name(&mut self) -> TokenKind {
        let rest = self.rest();
        let length = rest.bytes().skip(1).take_while(|it| is_name(*it)).count() + 1;
        let name = rest.get(..length).unwrap_or("").to_owned();
        self.at += length;
        TokenKind::Name(name)
    }

    fn number(&mut self) -> TokenKind {
        let rest = self.rest();
        let body = rest.trim_start_matches(|it: char| it.is_ascii_alphanumeric());
        let text = rest.get(..rest.len() - body.len()).unwrap_or("").to_owned();
        self.at += text.len();
        match parse_number(&text) {
            Some(number) => TokenKind::Number(number),
            None => TokenKind::Junk("number invalid or out of range"),
        }
    }

    fn operator(&mut self) -> TokenKind {
        let rest = self.rest();
        if let Some(found) = OPERATORS.iter().find(|it| rest.starts_with(**it)) {
            self.at += found.len();
            return TokenKind::Operator(found);
        }
        self.at += rest.chars().next().map_or(1, char::len_utf8);
        TokenKind::Junk("this character means nothing here")
    }

    fn embedded(&mut self) -> TokenKind {
        let rest = self.rest();
        match rest.find("%}") {
            Some(end) => {
                self.at += end + 2;
                TokenKind::Embedded
            }
            None => {
                self.at = self.text.len();
                TokenKind::Junk("Could not find matching '%}' to close embedded function block")
            }
        }
    }

    fn string(&mut self) -> TokenKind {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek(0) {
                None | Some(b'\n') => {
                    return TokenKind::Junk("Could not find matching closing quote");
                }
                Some(b'"') => {
                    self.at += 1;
                    return TokenKind::Text(bytes);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut bytes);
                }
                Some(byte) => {
                    self.at += 1;
                    bytes.push(byte);
                }
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self, bytes: &mut Vec<u8>) {
        let Some(byte) = self.peek(0) else { return };
        self.at += 1;
        bytes.push(match byte {
            b'a' => 0x07,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'r' => b'\r',
            b'0'..=b'7' => {
                self.at -= 1;
                self.digits(8, 3)
            }
            b'x' if self.peek(0).is_some_and(|it| it.is_ascii_hexdigit()) => self.digits(16, 2),
            other => other,
        });
    }

    fn digits(&mut self, base: u32, most: usize) -> u8 {
        let mut value = 0_u32;
        for _ in 0..most {
            let digit = self.peek(0).and_then(|it| char::from(it).to_digit(base));
            let Some(digit) = digit else { break };
            value = value * base + digit;
            self.at += 1;
        }
        value.to_le_bytes()[0]
    }

    /// Replaces `$N`, `@N`, `$#` and `@#`; false when it is none of them.
    fn argument(&mut self, sigil: u8) -> bool {
        let start = self.at;
        let rest = self.rest().get(1..).unwrap_or("");
        if rest.starts_with('#') {
            self.at += 2;
            let count = self.arguments.len();
            let kind = if sigil == b'$' {
                TokenKind::Number(i64::try_from(count).unwrap_or(i64::MAX))
            } else {
                TokenKind::Text(count.to_string().into_bytes())
            };
            self.push(kind, start);
            return true;
        }
        let digits = rest.len()
            - rest
                .trim_start_matches(|it: char| it.is_ascii_digit())
                .len();
        if digits == 0 {
            return false;
        }
        let index: Option<usize> = rest.get(..digits).and_then(|it| it.parse().ok());
        self.at += digits + 1;
        let argument = index
            .and_then(|it| it.checked_sub(1))
            .and_then(|it| self.arguments.get(it));
        match argument {
            None => self.push(TokenKind::MissingArgument(self.arguments.len()), start),
            Some(text) if sigil == b'@' => {
                self.push(TokenKind::Text(text.clone().into_bytes()), start);
            }
            Some(text) => {
                let inner = within_argument(text);
                let span = self.span(start);
                let tokens = inner.into_iter().map(|kind| Token { kind, span });
                self.tokens.extend(tokens);
            }
        }
        true
    }
}

/// The tokens of an argument's own text. It has no arguments itself, so nothing recurs.
fn within_argument(text: &str) -> Vec<TokenKind> {
    let mut lexer = Lexer {
        text,
        at: 0,
        whole: Span::default(),
        arguments: &[],
        tokens: Vec::new(),
    };
    lexer.run();
    lexer.tokens.into_iter().map(|it| it.kind).collect()
}

/// Decimal, `0x` hexadecimal, `0` octal, as strtoull(3) with base 0.
pub fn parse_number(text: &str) -> Option<i64> {
    let value = if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok()?
    } else if text.len() > 1 && text.starts_with('0') {
        u64::from_str_radix(text, 8).ok()?
    } else {
        text.parse::<u64>().ok()?
    };
    Some(value.cast_signed())
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$' | b'@')
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str, arguments: &[&str]) -> Vec<TokenKind> {
        let mut sources = Sources::default();
        let id = sources.add("t.stp", text.as_bytes()).expect("short");
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let tokens = lex(&sources, Span::new(id, 0..text.len()), &arguments);
        tokens.into_iter().map(|it| it.kind).collect()
    }

    fn name(text: &str) -> TokenKind {
        TokenKind::Name(text.to_owned())
    }

    fn text(text: &str) -> TokenKind {
        TokenKind::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn names_numbers_and_operators() {
        use TokenKind::{Number, Operator};
        assert_eq!(
            kinds("$arg1 <<<= 0x1F 017 9 @count x.=y", &[]),
            [
                name("$arg1"),
                Operator("<<<"),
                Operator("="),
                Number(31),
                Number(15),
                Number(9),
                name("@count"),
                name("x"),
                Operator(".="),
                name("y"),
            ]
        );
        assert_eq!(kinds("0xffffffffffffffff", &[]), [Number(-1)]);
        assert!(matches!(kinds("08", &[])[..], [TokenKind::Junk(_)]));
        assert!(matches!(
            kinds("18446744073709551616", &[])[..],
            [TokenKind::Junk(_)]
        ));
    }

    #[test]
    fn comments_end_at_the_first_star_slash_even_behind_a_backslash() {
        assert_eq!(
            kinds("a /* x \\*/ b // y\nc # z\nd /**/ e /* open", &[]),
            [name("a"), name("b"), name("c"), name("d"), name("e")]
        );
    }

    #[test]
    fn strings_resolve_escapes() {
        assert_eq!(
            kinds(r#""a\tb\n\101\x41\"\\n\q""#, &[]),
            [text("a\tb\nAA\"\\nq")]
        );
        assert_eq!(kinds("\"\\777\"", &[]), [TokenKind::Text(vec![0xff])]);
        assert!(matches!(
            kinds("\"a\nb", &[])[..],
            [TokenKind::Junk(_), TokenKind::Name(_)]
        ));
        assert!(matches!(kinds("\"\\", &[])[..], [TokenKind::Junk(_)]));
    }

    #[test]
    fn arguments_are_replaced_by_their_text_or_as_strings() {
        use TokenKind::{MissingArgument, Number, Operator};
        assert_eq!(
            kinds("$1 @1 $# @# $3 $10", &["-5", "x y"]),
            [
                Operator("-"),
                Number(5),
                text("-5"),
                Number(2),
                text("2"),
                MissingArgument(2),
                MissingArgument(2),
            ]
        );
        assert_eq!(kinds("$1", &["foo.bar($1)"]).len(), 6);
        assert_eq!(
            kinds("$$name $arg1", &["x"]),
            [name("$$name"), name("$arg1")]
        );
    }
}
