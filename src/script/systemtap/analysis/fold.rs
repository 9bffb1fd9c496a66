//! Decides what is known when a script is compiled: `@defined(…)`, and the branches that hang on it.

use super::super::ast::{Binary, Expr, ExprKind, Key, Stmt, StmtKind, Unary};
use super::super::points::Site;
use super::target::variable;

/// Folds statements. `site`: the point of a handler; `None` in functions.
pub fn fold(body: &mut Vec<Stmt>, site: Option<Site>) {
    for stmt in body {
        fold_stmt(stmt, site);
    }
}

fn fold_stmt(stmt: &mut Stmt, site: Option<Site>) {
    match &mut stmt.kind {
        StmtKind::Expr(expr) | StmtKind::Delete(expr) | StmtKind::Return(Some(expr)) => {
            fold_expr(expr, site)
        }
        StmtKind::Block(body) => fold(body, site),
        StmtKind::If(condition, then, otherwise) => {
            fold_expr(condition, site);
            if let ExprKind::Number(number) = condition.kind {
                let chosen = std::mem::take(if number != 0 { then } else { otherwise });
                stmt.kind = StmtKind::Block(chosen);
                fold_stmt(stmt, site);
                return;
            }
            fold(then, site);
            fold(otherwise, site);
        }
        StmtKind::While(condition, body) => {
            fold_expr(condition, site);
            fold(body, site);
        }
        StmtKind::For {
            first,
            condition,
            step,
            body,
        } => {
            for expr in [first, condition, step].into_iter().flatten() {
                fold_expr(expr, site);
            }
            fold(body, site);
        }
        StmtKind::ForEach(each) => {
            fold_keys(&mut each.slice, site);
            if let Some(limit) = &mut each.limit {
                fold_expr(limit, site);
            }
            fold(&mut each.body, site);
        }
        StmtKind::Try { body, handler, .. } => {
            fold(body, site);
            fold(handler, site);
        }
        StmtKind::Return(None)
        | StmtKind::Break
        | StmtKind::Continue
        | StmtKind::Next
        | StmtKind::Embedded => {}
    }
}

fn fold_keys(keys: &mut [Key], site: Option<Site>) {
    for key in keys {
        if let Key::Is(expr) = key {
            fold_expr(expr, site);
        }
    }
}

/// Folds an expression.
pub fn fold_expr(expr: &mut Expr, site: Option<Site>) {
    match &mut expr.kind {
        ExprKind::Number(_)
        | ExprKind::Text(_)
        | ExprKind::Name(_)
        | ExprKind::Target(_)
        | ExprKind::Embedded => {}
        ExprKind::Index(_, keys) | ExprKind::In(keys, _) => fold_keys(keys, site),
        ExprKind::Call(_, arguments) => arguments.iter_mut().for_each(|it| fold_expr(it, site)),
        ExprKind::Print(print) => print
            .arguments
            .iter_mut()
            .for_each(|it| fold_expr(it, site)),
        ExprKind::Step { of, .. } | ExprKind::Statistic(_, of) | ExprKind::Histogram(_, of) => {
            fold_expr(of, site)
        }
        ExprKind::Matches(left, right, _) | ExprKind::Assign(_, left, right) => {
            fold_expr(left, site);
            fold_expr(right, site);
        }
        ExprKind::Unary(unary, of) => {
            fold_expr(of, site);
            if let (Unary::Not, ExprKind::Number(number)) = (*unary, &of.kind) {
                expr.kind = ExprKind::Number(i64::from(*number == 0));
            }
        }
        ExprKind::Binary(binary, left, right) => {
            fold_expr(left, site);
            fold_expr(right, site);
            let known = match (*binary, &left.kind) {
                (Binary::And, ExprKind::Number(0)) => Some(0),
                (Binary::Or, ExprKind::Number(number)) if *number != 0 => Some(1),
                _ => None,
            };
            if let Some(number) = known {
                expr.kind = ExprKind::Number(number);
            }
        }
        ExprKind::Choose(condition, then, otherwise) => {
            fold_expr(condition, site);
            fold_expr(then, site);
            fold_expr(otherwise, site);
            if let ExprKind::Number(number) = condition.kind {
                let chosen = if number != 0 { then } else { otherwise };
                *expr = (**chosen).clone();
            }
        }
        ExprKind::Defined(of) => {
            let there = match &of.kind {
                ExprKind::Target(target) => {
                    site.is_some_and(|site| variable(target, site).is_some())
                }
                _ => true,
            };
            expr.kind = ExprKind::Number(i64::from(there));
        }
    }
}
