//! Statements.

use super::super::analysis::Callee;
use super::super::ast::{self, Assignment, ExprKind, StmtKind};
use super::super::builtins::Does;
use super::expr::{lower_statistic, table};
use super::{Home, Lowering};
use crate::script::diagnostic::Diagnostic;
use crate::script::ir::{
    Block, Expr, ForEach, IntExpr, Order, OrderBy, Place, Region, Statistic, Stmt, Table,
};

impl Lowering<'_, '_, '_> {
    /// Statements one behind the other.
    pub(super) fn block(&mut self, body: &[ast::Stmt]) -> Block {
        let mut block = Block::new();
        for stmt in body {
            self.stmt(stmt, &mut block);
        }
        block
    }

    fn looped(&mut self, body: &[ast::Stmt]) -> Block {
        self.loops = self.loops.saturating_add(1);
        let block = self.block(body);
        self.loops = self.loops.saturating_sub(1);
        block
    }

    fn stmt(&mut self, stmt: &ast::Stmt, into: &mut Block) {
        match &stmt.kind {
            StmtKind::Expr(expr) => self.effect(expr, into),
            StmtKind::Block(body) => into.extend(self.block(body)),
            StmtKind::If(condition, then, otherwise) => {
                let condition = self.int(condition);
                let (then, otherwise) = (self.block(then), self.block(otherwise));
                into.push(Stmt::If {
                    condition,
                    then,
                    otherwise,
                });
            }
            StmtKind::While(condition, body) => {
                let condition = self.int(condition);
                let body = self.looped(body);
                into.push(Stmt::Loop {
                    condition,
                    body,
                    step: Block::new(),
                });
            }
            StmtKind::For {
                first,
                condition,
                step,
                body,
            } => {
                if let Some(first) = first {
                    self.effect(first, into);
                }
                let condition = condition
                    .as_ref()
                    .map_or(IntExpr::Constant(1), |it| self.int(it));
                let mut after = Block::new();
                if let Some(step) = step {
                    self.effect(step, &mut after);
                }
                let body = self.looped(body);
                into.push(Stmt::Loop {
                    condition,
                    body,
                    step: after,
                });
            }
            StmtKind::ForEach(each) => self.each(each, into),
            StmtKind::Break | StmtKind::Continue if self.loops == 0 => {
                let message = "semantic error: found 'break' or 'continue' outside of a loop";
                self.diagnostics.push(Diagnostic::error(stmt.span, message));
            }
            StmtKind::Break => into.push(Stmt::Break),
            StmtKind::Continue => into.push(Stmt::Continue),
            StmtKind::Next => into.push(Stmt::Next),
            StmtKind::Return(value) => {
                let value = value.as_ref().map(|it| self.expr(it));
                into.push(Stmt::Return(value));
            }
            StmtKind::Delete(expr) => self.delete(expr, into),
            StmtKind::Try {
                body,
                message,
                handler,
            } => {
                let message = message
                    .as_ref()
                    .and_then(|name| self.scalar(&name.text, name.span));
                let message = match message {
                    Some(Place::Str(variable)) => Some(variable),
                    _ => None,
                };
                let (body, handler) = (self.block(body), self.block(handler));
                into.push(Stmt::Try {
                    body,
                    message,
                    handler,
                });
            }
            StmtKind::Embedded => {}
        }
    }

    /// An expression whose value nobody wants.
    fn effect(&mut self, expr: &ast::Expr, into: &mut Block) {
        match &expr.kind {
            ExprKind::Print(print) if !print.to_string => self.print(print, expr.span, into),
            ExprKind::Assign(Assignment::Record, to, value) => {
                let value = self.int(value);
                if let Some((to, keys)) = self.entry(to) {
                    into.push(Stmt::Record {
                        to,
                        keys,
                        value,
                        weight: None,
                        span: expr.span,
                    });
                }
            }
            ExprKind::Call(name, arguments) => {
                let callee =
                    self.inference
                        .declarations
                        .callee(name, arguments.len(), expr.span.source);
                match callee {
                    Ok(Callee::Builtin(row)) if row.types().result.is_none() => {
                        let arguments: Vec<Expr> =
                            arguments.iter().map(|it| self.expr(it)).collect();
                        match row.does {
                            Does::Act(action) => into.push(Stmt::Act(action, arguments, expr.span)),
                            Does::Special(special) => self.act(special, arguments, expr.span, into),
                            _ => {}
                        }
                    }
                    _ => into.push(Stmt::Evaluate(self.expr(expr))),
                }
            }
            _ => into.push(Stmt::Evaluate(self.expr(expr))),
        }
    }

    fn each(&mut self, each: &ast::ForEach, into: &mut Block) {
        let Some(table) = table(self.global(&each.array.text, each.array.span)) else {
            return;
        };
        let keys = each
            .keys
            .iter()
            .map(|key| self.scalar(&key.text, key.span))
            .collect();
        let value = each
            .value
            .as_ref()
            .and_then(|name| self.scalar(&name.text, name.span));
        let slice = self.slice(&each.slice);
        let order = each.order.map(|order| Order {
            by: match (order.column.checked_sub(1), table, order.statistic) {
                (Some(key), ..) => OrderBy::Key(key),
                (None, Table::Array(_), _) => OrderBy::Value,
                (None, Table::Aggregation(_), statistic) => {
                    OrderBy::Statistic(statistic.map_or(Statistic::Count, lower_statistic))
                }
            },
            descending: order.descending,
        });
        let limit = each.limit.as_ref().map(|it| self.int(it));
        let body = self.looped(&each.body);
        into.push(Stmt::ForEach(Box::new(ForEach {
            table,
            keys,
            value,
            slice,
            order,
            limit,
            body,
        })));
    }

    fn delete(&mut self, expr: &ast::Expr, into: &mut Block) {
        let all = |home: Home| table(home).map(|it| Stmt::Delete(Region::All(it)));
        let stmt = match &expr.kind {
            ExprKind::Name(name) => match self.scalar(name, expr.span) {
                Some(place) => Some(Stmt::Reset(place)),
                None => all(self.global(name, expr.span)),
            },
            ExprKind::Index(name, keys) => {
                let slice = self.slice(keys);
                table(self.global(name, expr.span)).map(|it| Stmt::Delete(Region::Slice(it, slice)))
            }
            _ => None,
        };
        into.extend(stmt);
    }
}
