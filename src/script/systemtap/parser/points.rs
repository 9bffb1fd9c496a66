//! Probe points: `process("python").library("l").mark("*") ?`, lists of them, and alternatives in braces.

use super::super::ast::{Argument, Component, Expr, Point};
use super::super::token::{Token, TokenKind};
use super::{Parsed, Parser};
use crate::script::diagnostic::Diagnostic;
use crate::script::source::Span;

/// The most points that braces may stand for.
const MAX_POINTS: usize = 1000;

impl Parser {
    /// Points and commas.
    pub(super) fn points(&mut self) -> Parsed<Vec<Point>> {
        let mut points = Vec::new();
        loop {
            let start = self.span();
            let alternatives = self.components()?;
            let span = start.to(self.span_before());
            let sufficient = self.takes_operator("!");
            let optional = sufficient || self.takes_operator("?");
            let condition = if self.takes_name("if") {
                Some(self.bracketed()?)
            } else {
                None
            };
            for components in alternatives {
                points.push(Point {
                    components,
                    optional,
                    sufficient,
                    condition: condition.clone(),
                    span,
                });
            }
            if !self.takes_operator(",") {
                return Ok(points);
            }
        }
    }

    /// `( EXPRESSION )`
    pub(super) fn bracketed(&mut self) -> Parsed<Expr> {
        self.expect_operator("(")?;
        let expr = self.expression()?;
        self.expect_operator(")")?;
        Ok(expr)
    }

    /// What stands between dots; each alternative.
    fn components(&mut self) -> Parsed<Vec<Vec<Component>>> {
        self.enter()?;
        let mut all: Vec<Vec<Component>> = vec![Vec::new()];
        loop {
            let parts = if self.takes_operator("{") {
                self.alternatives()?
            } else {
                vec![vec![self.component()?]]
            };
            if all.len().saturating_mul(parts.len()) > MAX_POINTS {
                let message = "parse error: too many alternatives in braces";
                return Err(Box::new(Diagnostic::error(self.span(), message)));
            }
            all = all
                .iter()
                .flat_map(|before| parts.iter().map(|part| [before.as_slice(), part].concat()))
                .collect();
            if !self.takes_operator(".") {
                self.leave();
                return Ok(all);
            }
        }
    }

    fn alternatives(&mut self) -> Parsed<Vec<Vec<Component>>> {
        let mut parts = Vec::new();
        loop {
            parts.extend(self.components()?);
            if !self.takes_operator(",") {
                self.expect_operator("}")?;
                return Ok(parts);
            }
        }
    }

    fn component(&mut self) -> Parsed<Component> {
        let (name, span) = self.component_name()?;
        let argument = if self.takes_operator("(") {
            let argument = match self.peek() {
                Some(Token {
                    kind: TokenKind::Text(_),
                    ..
                }) => {
                    let (text, _) = self.expect_text()?;
                    Argument::Text(String::from_utf8_lossy(&text).into_owned())
                }
                Some(Token {
                    kind: TokenKind::Number(_) | TokenKind::Operator("-"),
                    ..
                }) => Argument::Number(self.expect_number()?),
                _ => return Err(self.expected("literal string or number")),
            };
            self.expect_operator(")")?;
            Some(argument)
        } else {
            None
        };
        let span = span.to(self.span_before());
        Ok(Component {
            name,
            argument,
            span,
        })
    }

    /// A name; names and `*` that touch each other are one.
    fn component_name(&mut self) -> Parsed<(String, Span)> {
        let (mut name, mut whole) = (String::new(), self.span());
        while let Some(Token { kind, span }) = self.peek() {
            let touches = name.is_empty() || span.start == whole.end;
            let part = match kind {
                TokenKind::Name(part) if !part.starts_with(['$', '@']) => part.as_str(),
                TokenKind::Operator("*") => "*",
                _ => break,
            };
            if !touches {
                break;
            }
            name.push_str(part);
            whole = whole.to(*span);
            self.at += 1;
        }
        if name.is_empty() {
            return Err(self.expected("identifier or '*'"));
        }
        Ok((name, whole))
    }
}
