//! Statements.

use super::{Parsed, Parser};
use crate::script::diagnostic::Diagnostic;
use crate::script::dtrace::ast::{Stmt, StmtKind};
use crate::script::dtrace::token::TokenKind;

/// Statements that C has and D does not.
const NOT_IN_D: &[&str] = &[
    "while", "for", "do", "switch", "case", "default", "return", "goto", "break", "continue",
];

impl Parser<'_> {
    /// Statements up to the `}` behind them, which is taken. An error in one of them is told, and the next one is
    /// parsed.
    pub(super) fn block_rest(&mut self) -> Parsed<Vec<Stmt>> {
        let mut statements = Vec::new();
        loop {
            if self.accept("}") {
                return Ok(statements);
            }
            if self.peek().kind == TokenKind::End {
                return self.unexpected("`}`");
            }
            if self.statement(&mut statements).is_err() {
                self.recover(true);
            }
        }
    }

    /// One statement; an empty one gives nothing.
    fn statement(&mut self, statements: &mut Vec<Stmt>) -> Parsed<()> {
        if self.accept(";") {
            return Ok(());
        }
        let token = self.peek().clone();
        match &token.kind {
            TokenKind::Name(word) if word == "if" => {
                let statement = self.deeper(Self::condition)?;
                statements.push(statement);
                return Ok(());
            }
            TokenKind::Name(word) if NOT_IN_D.contains(&word.as_str()) => {
                let message = format!("D has no `{word}`");
                let hint =
                    "D has no loops and no jumps; a `tick` probe can count, a predicate can choose";
                return self.error(Diagnostic::error(token.span, message).hint(hint));
            }
            TokenKind::Punct("{") => {
                self.next();
                let mut inner = self.deeper(Self::block_rest)?;
                statements.append(&mut inner);
                return Ok(());
            }
            _ => {}
        }
        let value = self.expression()?;
        let span = token.span.to(self.last);
        statements.push(Stmt {
            kind: StmtKind::Expr(value),
            span,
        });
        if self.accept(";") || self.peek().kind.is("}") {
            return Ok(());
        }
        self.unexpected("`;`")
    }

    fn condition(&mut self) -> Parsed<Stmt> {
        let start = self.next().span;
        self.expect("(")?;
        let condition = self.expression()?;
        let span = start.to(self.expect(")")?);
        let then = self.branch()?;
        let otherwise = if self.peek().kind.is_name("else") {
            self.next();
            self.branch()?
        } else {
            Vec::new()
        };
        Ok(Stmt {
            kind: StmtKind::If(condition, then, otherwise),
            span,
        })
    }

    fn branch(&mut self) -> Parsed<Vec<Stmt>> {
        let mut statements = Vec::new();
        if self.peek().kind.is("}") {
            return self.unexpected("a statement");
        }
        self.statement(&mut statements)?;
        Ok(statements)
    }
}
