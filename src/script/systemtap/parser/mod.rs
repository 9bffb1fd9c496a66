//! Recursive descent over the tokens. An error ends one declaration; the next is parsed again, so that several errors
//! are told at once.

mod expressions;
mod items;
mod points;
mod printing;
mod statements;

use super::ast::{Expr, ExprKind, File, Name};
use super::token::{KEYWORDS, Token, TokenKind};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::source::Span;

/// How deep brackets, statements and operators may lie within each other.
const MAX_DEPTH: usize = 100;

/// What went wrong, told by whoever can go on.
type Parsed<T> = Result<T, Box<Diagnostic>>;

/// Parses declarations. `end` is where the text ends.
pub fn parse(tokens: Vec<Token>, end: Span, guru: bool, diagnostics: &mut Diagnostics) -> File {
    let mut parser = Parser {
        tokens,
        at: 0,
        end,
        level: 0,
        in_function: false,
        guru,
    };
    let mut file = File::default();
    while !parser.is_at_end() {
        if let Err(error) = parser.item(&mut file) {
            diagnostics.push(*error);
            parser.skip_to_item();
        }
    }
    file
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    end: Span,
    /// How deep it is.
    level: usize,
    in_function: bool,
    guru: bool,
}

impl Parser {
    fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at.saturating_add(ahead))
    }

    fn advance(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned()?;
        self.at += 1;
        Some(token)
    }

    /// Where the next token stands.
    fn span(&self) -> Span {
        self.peek().map_or(self.end, |token| token.span)
    }

    /// Where the last token stood.
    fn span_before(&self) -> Span {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.map_or(self.end, |token| token.span)
    }

    fn is_operator(&self, operator: &str) -> bool {
        self.is_operator_at(0, operator)
    }

    fn is_operator_at(&self, ahead: usize, operator: &str) -> bool {
        matches!(self.peek_at(ahead), Some(Token { kind: TokenKind::Operator(it), .. }) if *it == operator)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token { kind: TokenKind::Name(it), .. }) if it == name)
    }

    fn takes_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    fn takes_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    fn expect_operator(&mut self, operator: &str) -> Parsed<Span> {
        let span = self.span();
        if self.takes_operator(operator) {
            return Ok(span);
        }
        Err(self.expected(&format!("'{operator}'")))
    }

    /// An identifier that is no keyword.
    fn expect_name(&mut self) -> Parsed<Name> {
        match self.peek() {
            Some(Token {
                kind: TokenKind::Name(text),
                span,
            }) if !KEYWORDS.contains(&text.as_str()) && !text.starts_with(['$', '@']) => {
                let name = Name {
                    text: text.clone(),
                    span: *span,
                };
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.expected("identifier")),
        }
    }

    fn expect_number(&mut self) -> Parsed<i64> {
        let negative = self.takes_operator("-");
        match self.peek() {
            Some(Token {
                kind: TokenKind::Number(number),
                ..
            }) => {
                let number = *number;
                self.at += 1;
                Ok(if negative {
                    number.wrapping_neg()
                } else {
                    number
                })
            }
            _ => Err(self.expected("number")),
        }
    }

    /// A string; several that follow each other are one.
    fn expect_text(&mut self) -> Parsed<(Vec<u8>, Span)> {
        let mut span = self.span();
        let mut whole: Option<Vec<u8>> = None;
        while let Some(Token {
            kind: TokenKind::Text(text),
            span: own,
        }) = self.peek()
        {
            whole.get_or_insert_default().extend_from_slice(text);
            span = span.to(*own);
            self.at += 1;
        }
        match whole {
            Some(text) => Ok((text, span)),
            None => Err(self.expected("literal string")),
        }
    }

    /// The error that something else stands here.
    fn expected(&self, what: &str) -> Box<Diagnostic> {
        Box::new(self.unexpected(what))
    }

    fn unexpected(&self, what: &str) -> Diagnostic {
        match self.peek() {
            None => Diagnostic::error(
                self.end,
                format!("parse error: expected {what}, saw the end of the script"),
            ),
            Some(token) => match &token.kind {
                TokenKind::Junk(why) => {
                    Diagnostic::error(token.span, format!("parse error: {why}"))
                }
                TokenKind::MissingArgument(count) => Diagnostic::error(
                    token.span,
                    format!("parse error: command line argument out of range [1-{count}]"),
                )
                .hint("give the script its arguments behind its name"),
                TokenKind::Embedded => embedded(token.span),
                kind => Diagnostic::error(
                    token.span,
                    format!("parse error: expected {what}, saw {}", kind.describe()),
                ),
            },
        }
    }

    /// Goes one level deeper; every success is undone by [`Parser::leave`].
    fn enter(&mut self) -> Parsed<()> {
        if self.level >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.level += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.level = self.level.saturating_sub(1);
    }

    fn too_deep(&self) -> Box<Diagnostic> {
        let message = format!("parse error: more than {MAX_DEPTH} levels within each other");
        Box::new(Diagnostic::error(self.span(), message))
    }

    /// An expression of this kind.
    fn node(&self, kind: ExprKind, span: Span) -> Parsed<Expr> {
        let mut expr = Expr {
            kind,
            span,
            depth: 1,
        };
        let deepest = expr.children().iter().map(|it| it.depth).max().unwrap_or(0);
        if deepest >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        expr.depth = deepest + 1;
        Ok(expr)
    }

    /// Goes on at the next declaration.
    fn skip_to_item(&mut self) {
        self.level = 0;
        self.in_function = false;
        while let Some(token) = self.peek() {
            if let TokenKind::Name(name) = &token.kind
                && matches!(name.as_str(), "probe" | "global" | "function" | "private")
            {
                return;
            }
            self.at += 1;
        }
    }
}

/// Embedded C is refused.
pub fn embedded(span: Span) -> Diagnostic {
    Diagnostic::error(span, "parse error: embedded C (%{ … %}) cannot be run")
        .hint("it is compiled into a kernel module by SystemTap; without one there is only the script language")
}
