//! Words to a tree, by recursive descent. After an error it goes on behind the next `;` or `}`, so that several errors
//! are told in one go. Nesting is limited: trees are walked and dropped recursively.

mod expression;
mod outer;
mod statement;

use std::collections::BTreeSet;

use super::ast::Script;
use super::lexer::{Finds, Lexer};
use super::token::{Token, TokenKind};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::source::{SourceId, Sources, Span};

/// How deep parentheses, operators in front, and statements may be nested.
pub const MAX_NESTING: u16 = 100;

/// How many levels a tree of operators may have.
pub const MAX_HEIGHT: u16 = 200;

/// An error has been told; the caller goes on elsewhere.
#[derive(Debug)]
struct Skip;

type Parsed<T> = Result<T, Skip>;

struct Parser<'a> {
    lexer: Lexer<'a>,
    finds: Finds,
    peeked: Option<Token>,
    /// Where the last word that was taken stands.
    last: Span,
    depth: u16,
    /// Names of types that the program declares.
    types: BTreeSet<String>,
    /// Clauses without braces are allowed (`-n`, `-P` and so on).
    bare: bool,
}

/// Parses a program. `bare`: a clause may have no braces, as on the command line.
pub fn parse(sources: &Sources, id: SourceId, bare: bool) -> (Script, Diagnostics) {
    let mut parser = Parser {
        lexer: Lexer::new(sources.text(id), id),
        finds: Finds::default(),
        peeked: None,
        last: Span::new(id, 0..0),
        depth: 0,
        types: BTreeSet::new(),
        bare,
    };
    let mut script = Script::default();
    parser.program(&mut script);
    script.pragmas = parser.finds.pragmas;
    (script, parser.finds.diagnostics)
}

impl Parser<'_> {
    fn peek(&mut self) -> &Token {
        let (lexer, finds) = (&mut self.lexer, &mut self.finds);
        self.peeked.get_or_insert_with(|| lexer.next(finds))
    }

    fn next(&mut self) -> Token {
        let token = match self.peeked.take() {
            Some(token) => token,
            None => self.lexer.next(&mut self.finds),
        };
        self.last = token.span;
        token
    }

    fn error<T>(&mut self, diagnostic: Diagnostic) -> Parsed<T> {
        self.finds.diagnostics.push(diagnostic);
        Err(Skip)
    }

    /// An error at the next word. What the lexer has complained of is not told twice.
    fn unexpected<T>(&mut self, wanted: &str) -> Parsed<T> {
        let token = self.peek().clone();
        if token.kind == TokenKind::Wrong {
            return Err(Skip);
        }
        let message = format!("expected {wanted}, found {}", token.kind.describe());
        self.error(Diagnostic::error(token.span, message))
    }

    /// Takes the next word when it is this one.
    fn accept(&mut self, text: &str) -> bool {
        let found = self.peek().kind.is(text);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, text: &str) -> Parsed<Span> {
        if self.accept(text) {
            return Ok(self.last);
        }
        self.unexpected(&format!("`{text}`"))
    }

    fn expect_name(&mut self, what: &str) -> Parsed<(String, Span)> {
        if let TokenKind::Name(name) = &self.peek().kind {
            let name = name.clone();
            self.next();
            return Ok((name, self.last));
        }
        self.unexpected(what)
    }

    /// Runs a part of the parser one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            let span = self.peek().span;
            return self.error(Diagnostic::error(
                span,
                format!("nested more than {MAX_NESTING} levels deep"),
            ));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Takes words up to the end of what had an error. `within`: inside of braces; the `}` that ends them is left.
    fn recover(&mut self, within: bool) {
        let mut braces = 0_u32;
        // What the lexer finds wrong on the way is mostly an echo.
        let told = std::mem::take(&mut self.finds.diagnostics);
        loop {
            let kind = &self.peek().kind;
            match kind {
                TokenKind::End => break,
                kind if kind.is("{") => braces = braces.saturating_add(1),
                kind if kind.is("}") => {
                    if within && braces == 0 {
                        break;
                    }
                    braces = braces.saturating_sub(1);
                    if braces == 0 {
                        self.next();
                        break;
                    }
                }
                kind if kind.is(";") && braces == 0 => {
                    self.next();
                    break;
                }
                _ => {}
            }
            self.next();
        }
        self.finds.diagnostics = told;
    }
}

#[cfg(test)]
mod tests;
