//! Takes away what has no effect: assignments to variables that nobody reads, expressions whose value nobody wants. A
//! tapset may so mention `$arg4` where a marker has three arguments, as long as nobody asks for it.

use std::collections::HashSet;

use super::super::ast::{Assignment, Expr, ExprKind, Stmt, StmtKind};
use super::scope::{Callee, Declarations};
use crate::script::source::SourceId;

/// How often all is gone through: each time takes away what only what was taken away before did read.
const MAX_ROUNDS: usize = 20;

/// How deep calls are followed to find out whether a function has effects.
const MAX_CALLS: usize = 40;

/// Prunes the body of a handler or function.
pub struct Pruner<'p, 'a> {
    /// What names mean.
    pub declarations: &'p Declarations<'a>,
    /// Which functions have no effects, as far as is known.
    pub pure: &'p mut Vec<Option<bool>>,
}

impl Pruner<'_, '_> {
    /// Prunes statements.
    pub fn prune(&mut self, body: &mut Vec<Stmt>) {
        for _ in 0..MAX_ROUNDS {
            let mut read = HashSet::new();
            reads(body, &mut read);
            if !self.block(body, &read) {
                return;
            }
        }
    }

    /// Whether anything was taken away.
    fn block(&mut self, body: &mut Vec<Stmt>, read: &HashSet<String>) -> bool {
        let before = body.len();
        let mut changed = false;
        body.retain_mut(|stmt| self.keeps(stmt, read, &mut changed));
        changed || body.len() != before
    }

    fn keeps(&mut self, stmt: &mut Stmt, read: &HashSet<String>, changed: &mut bool) -> bool {
        match &mut stmt.kind {
            StmtKind::Expr(expr) => return self.keeps_expr(expr, read, changed),
            StmtKind::Block(body) => {
                *changed |= self.block(body, read);
                return !body.is_empty();
            }
            StmtKind::If(condition, then, otherwise) => {
                *changed |= self.block(then, read);
                *changed |= self.block(otherwise, read);
                return !then.is_empty() || !otherwise.is_empty() || !self.is_pure(condition, 0);
            }
            StmtKind::While(_, body) | StmtKind::For { body, .. } => {
                *changed |= self.block(body, read)
            }
            StmtKind::ForEach(each) => *changed |= self.block(&mut each.body, read),
            StmtKind::Try { body, handler, .. } => {
                *changed |= self.block(body, read);
                *changed |= self.block(handler, read);
            }
            _ => {}
        }
        true
    }

    fn keeps_expr(&mut self, expr: &mut Expr, read: &HashSet<String>, changed: &mut bool) -> bool {
        let unread = |this: &Self, of: &Expr| match &of.kind {
            ExprKind::Name(name) => {
                !read.contains(name) && this.declarations.global(name, of.span.source).is_none()
            }
            _ => false,
        };
        match &mut expr.kind {
            ExprKind::Assign(Assignment::Set | Assignment::Combine(_), to, value)
                if unread(self, to) =>
            {
                if self.is_pure(value, 0) {
                    return false;
                }
                *expr = (**value).clone();
                *changed = true;
                true
            }
            ExprKind::Step { of, .. } if unread(self, of) => false,
            _ => !self.is_pure(expr, 0),
        }
    }

    /// Whether nothing changes when an expression is not evaluated.
    fn is_pure(&mut self, expr: &Expr, depth: usize) -> bool {
        let own = match &expr.kind {
            ExprKind::Call(name, arguments) => {
                self.is_pure_call(name, arguments.len(), expr.span.source, depth)
            }
            ExprKind::Print(print) => print.to_string,
            ExprKind::Assign(..)
            | ExprKind::Step { .. }
            | ExprKind::Matches(..)
            | ExprKind::Histogram(..)
            | ExprKind::Embedded => false,
            _ => true,
        };
        own && expr
            .children()
            .into_iter()
            .all(|it| self.is_pure(it, depth))
    }

    fn is_pure_call(
        &mut self,
        name: &str,
        arguments: usize,
        source: SourceId,
        depth: usize,
    ) -> bool {
        let index = match self.declarations.callee(name, arguments, source) {
            Ok(Callee::Script(index)) => index,
            Ok(Callee::Builtin(row)) => return row.is_pure(),
            Err(_) => return false,
        };
        if let Some(known) = self.pure.get(index).copied().flatten() {
            return known;
        }
        let body = self
            .declarations
            .functions
            .get(index)
            .and_then(|(it, _)| it.body.as_ref());
        let (Some(body), true) = (body, depth < MAX_CALLS) else {
            return false;
        };
        // What calls itself has no effect by that.
        self.remember(index, true);
        let found = body.iter().all(|it| self.is_pure_stmt(it, depth + 1));
        self.remember(index, found);
        found
    }

    fn remember(&mut self, index: usize, pure: bool) {
        if let Some(known) = self.pure.get_mut(index) {
            *known = Some(pure);
        }
    }

    fn is_pure_stmt(&mut self, stmt: &Stmt, depth: usize) -> bool {
        let local = |this: &Self, of: &Expr| match &of.kind {
            ExprKind::Name(name) => this.declarations.global(name, of.span.source).is_none(),
            _ => false,
        };
        match &stmt.kind {
            StmtKind::Expr(Expr {
                kind: ExprKind::Assign(_, to, value),
                ..
            }) => local(self, to) && self.is_pure(value, depth),
            StmtKind::Expr(Expr {
                kind: ExprKind::Step { of, .. },
                ..
            }) => local(self, of),
            // Loops change what they count by.
            StmtKind::For { .. }
            | StmtKind::While(..)
            | StmtKind::Delete(_)
            | StmtKind::Next
            | StmtKind::Embedded => false,
            _ => {
                let (exprs, blocks) = stmt.parts();
                exprs.into_iter().all(|it| self.is_pure(it, depth))
                    && blocks
                        .into_iter()
                        .flatten()
                        .all(|it| self.is_pure_stmt(it, depth))
            }
        }
    }
}

/// The names that are read in statements.
fn reads(body: &[Stmt], into: &mut HashSet<String>) {
    for stmt in body {
        if let StmtKind::Expr(expr) = &stmt.kind {
            match &expr.kind {
                // At the level of a statement nobody gets the value.
                ExprKind::Assign(Assignment::Set | Assignment::Combine(_), to, value) => {
                    to.children()
                        .into_iter()
                        .for_each(|it| reads_expr(it, into));
                    reads_expr(value, into);
                    continue;
                }
                ExprKind::Step { of, .. } => {
                    of.children()
                        .into_iter()
                        .for_each(|it| reads_expr(it, into));
                    continue;
                }
                _ => {}
            }
        }
        let (exprs, blocks) = stmt.parts();
        exprs.into_iter().for_each(|it| reads_expr(it, into));
        blocks.into_iter().for_each(|it| reads(it, into));
    }
}

fn reads_expr(expr: &Expr, into: &mut HashSet<String>) {
    if let ExprKind::Name(name) = &expr.kind {
        into.insert(name.clone());
    }
    expr.children()
        .into_iter()
        .for_each(|it| reads_expr(it, into));
}
