//! Statements. No `;` is needed between them.

use super::super::ast::{Expr, ForEach, Name, Order, Statistic, Stmt, StmtKind};
use super::super::token::{KEYWORDS, Token, TokenKind};
use super::{Parsed, Parser};
use crate::script::diagnostic::Diagnostic;

impl Parser {
    /// `{ … }`
    pub(super) fn block(&mut self) -> Parsed<Vec<Stmt>> {
        self.enter()?;
        self.expect_operator("{")?;
        let mut body = Vec::new();
        loop {
            if self.takes_operator("}") {
                self.leave();
                return Ok(body);
            }
            if self.takes_operator(";") {
                continue;
            }
            if self.is_at_end() {
                return Err(self.expected("'}'"));
            }
            body.push(self.statement()?);
        }
    }

    /// A statement as the body of another: a list of statements.
    fn body(&mut self) -> Parsed<Vec<Stmt>> {
        if self.is_operator("{") {
            return self.block();
        }
        if self.takes_operator(";") {
            return Ok(Vec::new());
        }
        Ok(vec![self.statement()?])
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        self.enter()?;
        let span = self.span();
        let kind = self.statement_kind()?;
        self.leave();
        Ok(Stmt { kind, span })
    }

    fn statement_kind(&mut self) -> Parsed<StmtKind> {
        if self.is_operator("{") {
            return Ok(StmtKind::Block(self.block()?));
        }
        let keyword = match self.peek() {
            Some(Token {
                kind: TokenKind::Embedded,
                ..
            }) if self.guru => {
                self.at += 1;
                return Ok(StmtKind::Embedded);
            }
            Some(Token {
                kind: TokenKind::Name(name),
                ..
            }) if KEYWORDS.contains(&name.as_str()) => name.clone(),
            _ => return Ok(StmtKind::Expr(self.expression()?)),
        };
        let start = self.span();
        self.at += 1;
        match keyword.as_str() {
            "if" => self.conditional(),
            "while" => Ok(StmtKind::While(self.bracketed()?, self.body()?)),
            "for" => self.counted(),
            "foreach" => self.each(),
            "break" => Ok(StmtKind::Break),
            "continue" => Ok(StmtKind::Continue),
            "next" => Ok(StmtKind::Next),
            "delete" => Ok(StmtKind::Delete(self.expression()?)),
            "try" => self.attempt(),
            "return" if !self.in_function => Err(Box::new(
                Diagnostic::error(start, "parse error: found 'return' not in function context")
                    .hint("a probe is left by `next`"),
            )),
            "return" => Ok(StmtKind::Return(self.result()?)),
            _ => {
                self.at -= 1;
                Err(self.expected("statement"))
            }
        }
    }

    fn conditional(&mut self) -> Parsed<StmtKind> {
        let condition = self.bracketed()?;
        let then = self.body()?;
        // `if (x) a; else b`
        let mut ahead = 0_usize;
        while self.is_operator_at(ahead, ";") {
            ahead += 1;
        }
        let is_else = matches!(self.peek_at(ahead), Some(Token { kind: TokenKind::Name(name), .. }) if name == "else");
        let otherwise = if is_else {
            self.at += ahead + 1;
            self.body()?
        } else {
            Vec::new()
        };
        Ok(StmtKind::If(condition, then, otherwise))
    }

    fn counted(&mut self) -> Parsed<StmtKind> {
        self.expect_operator("(")?;
        let mut part = |end: &str| -> Parsed<Option<Expr>> {
            let expr = if self.is_operator(end) {
                None
            } else {
                Some(self.expression()?)
            };
            self.expect_operator(end)?;
            Ok(expr)
        };
        let (first, condition, step) = (part(";")?, part(";")?, part(")")?);
        let body = self.body()?;
        Ok(StmtKind::For {
            first,
            condition,
            step,
            body,
        })
    }

    fn attempt(&mut self) -> Parsed<StmtKind> {
        let body = self.block()?;
        if !self.takes_name("catch") {
            return Err(self.expected("'catch'"));
        }
        let message = if self.takes_operator("(") {
            let name = self.expect_name()?;
            self.expect_operator(")")?;
            Some(name)
        } else {
            None
        };
        let handler = self.block()?;
        Ok(StmtKind::Try {
            body,
            message,
            handler,
        })
    }

    /// What `return` gives; nothing before an end or another statement.
    fn result(&mut self) -> Parsed<Option<Expr>> {
        let none = match self.peek() {
            None
            | Some(Token {
                kind: TokenKind::Operator(";" | "}"),
                ..
            }) => true,
            Some(Token {
                kind: TokenKind::Name(name),
                ..
            }) => KEYWORDS.contains(&name.as_str()),
            Some(_) => false,
        };
        if none {
            Ok(None)
        } else {
            self.expression().map(Some)
        }
    }

    /// `+` or `-` behind what a loop is ordered by: whether it descends.
    fn direction(&mut self) -> Option<bool> {
        if self.takes_operator("+") {
            Some(false)
        } else if self.takes_operator("-") {
            Some(true)
        } else {
            None
        }
    }

    fn each(&mut self) -> Parsed<StmtKind> {
        self.expect_operator("(")?;
        let mut order = None;
        let value = self.each_value(&mut order)?;
        let keys = self.each_keys(&mut order)?;
        if !self.takes_name("in") {
            return Err(self.expected("'in'"));
        }
        let array = self.expect_name()?;
        let slice = if self.is_operator("[") {
            self.keys()?
        } else {
            Vec::new()
        };
        let statistic = self.each_statistic()?;
        if let Some(descending) = self.direction() {
            self.set_order(
                &mut order,
                Order {
                    column: 0,
                    statistic,
                    descending,
                },
            )?;
        } else if statistic.is_some() {
            return Err(self.expected("'+' or '-'"));
        }
        let limit = if self.takes_name("limit") {
            Some(self.expression()?)
        } else {
            None
        };
        self.expect_operator(")")?;
        let body = self.body()?;
        Ok(StmtKind::ForEach(Box::new(ForEach {
            value,
            keys,
            array,
            slice,
            order,
            limit,
            body,
        })))
    }

    fn set_order(&self, order: &mut Option<Order>, new: Order) -> Parsed<()> {
        if order.replace(new).is_some() {
            let message = "parse error: multiple sort directives";
            return Err(Box::new(Diagnostic::error(self.span_before(), message)));
        }
        Ok(())
    }

    /// `VALUE =`, when it is there.
    fn each_value(&mut self, order: &mut Option<Order>) -> Parsed<Option<Name>> {
        let sorted = self.is_operator_at(1, "+") || self.is_operator_at(1, "-");
        // `v+ = k` may be written without the blank.
        let fused = self.is_operator_at(1, "+=") || self.is_operator_at(1, "-=");
        let plain = self.is_operator_at(1, "=");
        let named = plain || fused || (sorted && self.is_operator_at(2, "="));
        if !named {
            return Ok(None);
        }
        let name = self.expect_name()?;
        let descending = if fused {
            let descending = self.is_operator("-=");
            self.at += 1;
            Some(descending)
        } else {
            let descending = self.direction();
            self.expect_operator("=")?;
            descending
        };
        if let Some(descending) = descending {
            self.set_order(
                order,
                Order {
                    column: 0,
                    statistic: None,
                    descending,
                },
            )?;
        }
        Ok(Some(name))
    }

    fn each_keys(&mut self, order: &mut Option<Order>) -> Parsed<Vec<Name>> {
        let listed = self.takes_operator("[");
        let mut keys = Vec::new();
        loop {
            keys.push(self.expect_name()?);
            if let Some(descending) = self.direction() {
                let column = keys.len();
                self.set_order(
                    order,
                    Order {
                        column,
                        statistic: None,
                        descending,
                    },
                )?;
            }
            if !listed {
                return Ok(keys);
            }
            if self.takes_operator("]") {
                return Ok(keys);
            }
            if !self.takes_operator(",") {
                return Err(self.expected("',' or ']'"));
            }
        }
    }

    /// `@sum`, before `+` or `-`.
    fn each_statistic(&mut self) -> Parsed<Option<Statistic>> {
        let Some(Token {
            kind: TokenKind::Name(name),
            ..
        }) = self.peek()
        else {
            return Ok(None);
        };
        let found = match name.as_str() {
            "@count" => Statistic::Count,
            "@sum" => Statistic::Sum,
            "@min" => Statistic::Min,
            "@max" => Statistic::Max,
            "@avg" => Statistic::Avg,
            "@variance" => Statistic::Variance(0),
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(found))
    }
}
