//! Clauses: probes, predicate, statements.

use super::Lower;
use super::Place;
use crate::plan::{self, Point};
use crate::script::diagnostic::Diagnostic;
use crate::script::dtrace::Unit;
use crate::script::dtrace::ast::{Clause, Description, Expr, ExprKind, Stmt, StmtKind};
use crate::script::dtrace::builtins::{self, Kind};
use crate::script::dtrace::voice::ClauseWords;
use crate::script::dtrace::{macros, probes};
use crate::script::ir::{self, Block, Handler, Row, Trigger};

impl Lower<'_> {
    pub(super) fn clause(&mut self, clause: &Clause, unit: Unit) {
        let triggers: Vec<Trigger> = clause
            .probes
            .iter()
            .flat_map(|it| self.triggers(it, unit))
            .collect();
        self.place = Place {
            syscall_return: !triggers.is_empty() && triggers.iter().all(is_syscall_return),
            arguments: triggers.clone(),
            index: self.program.handlers.len(),
            records: false,
        };
        let predicate = clause.predicate.as_ref().and_then(|it| self.condition(it));
        let statements = clause.body.as_deref().unwrap_or(&[]);
        let body = self.block(statements);
        let records = self.place.records || statements.is_empty();
        let row = match (records && !self.options.quiet, self.options.flow) {
            (false, _) => Row::None,
            (true, false) => Row::Columns,
            (true, true) => Row::Flow,
        };
        self.words.clauses.push(ClauseWords {
            probe: clause.probes.first().map_or(String::new(), full_name),
            predicate: clause.predicate.as_ref().map(|it| it.span),
            actions: statements.iter().map(|it| it.span).collect(),
        });
        self.program.handlers.push(Handler {
            triggers,
            predicate,
            locals: Vec::new(),
            body,
            row,
            span: clause.span,
        });
    }

    fn triggers(&mut self, description: &Description, unit: Unit) -> Vec<Trigger> {
        let expanded = macros::expand(&description.text, self.settings, &mut self.used_arguments);
        let text = match expanded {
            Ok(text) => text,
            Err(message) => {
                self.error(description.span, message);
                return Vec::new();
            }
        };
        let optional = self.options.unmatched;
        match probes::triggers(&text, unit.spec, optional, &mut self.words) {
            Ok(triggers) => triggers,
            Err(wrong) => {
                let mut diagnostic = Diagnostic::error(description.span, wrong.message);
                diagnostic.hints.extend(wrong.hint);
                self.diagnostics.push(diagnostic);
                Vec::new()
            }
        }
    }

    pub(super) fn block(&mut self, statements: &[Stmt]) -> Block {
        let mut block = Block::new();
        for statement in statements {
            match &statement.kind {
                StmtKind::Expr(expr) => self.statement(expr, &mut block),
                StmtKind::If(condition, then, otherwise) => {
                    let condition = self.condition(condition);
                    let then = self.block(then);
                    let otherwise = self.block(otherwise);
                    if let Some(condition) = condition {
                        block.push(ir::Stmt::If {
                            condition,
                            then,
                            otherwise,
                        });
                    }
                }
            }
        }
        block
    }

    /// A statement that is an expression: an action, an aggregation, or what is evaluated and forgotten.
    fn statement(&mut self, expr: &Expr, block: &mut Block) {
        match &expr.kind {
            ExprKind::Call(name, arguments) => {
                let kinds = [Kind::Action, Kind::Function];
                if let Some(row) = builtins::find(&kinds, name)
                    && self.action(row, arguments, expr.span, block).is_some()
                {
                    return;
                }
            }
            ExprKind::Assign(op, to, value) => {
                if let ExprKind::Aggregation(name, keys) = &to.kind {
                    if op.is_some() {
                        self.error(
                            expr.span,
                            format!("@{name}: an aggregation is assigned with `=`"),
                        );
                        return;
                    }
                    let keys = keys.as_deref().unwrap_or(&[]);
                    let recorded = self.record(name, keys, value, expr.span);
                    block.extend(recorded);
                    return;
                }
            }
            ExprKind::Comma(first, second) => {
                self.statement(first, block);
                self.statement(second, block);
                return;
            }
            _ => {}
        }
        if let Some(typed) = self.expr(expr) {
            block.push(ir::Stmt::Evaluate(typed.value));
        }
    }
}

fn is_syscall_return(trigger: &Trigger) -> bool {
    match trigger {
        Trigger::Traced(traced) => matches!(
            traced.point,
            Point::Syscall {
                place: plan::Place::Return,
                ..
            }
        ),
        _ => false,
    }
}

/// A probe's name as messages have it: `BEGIN` is `dtrace:::BEGIN`.
fn full_name(description: &Description) -> String {
    let text = description.text.as_str();
    let name = text.rsplit(':').next().unwrap_or(text);
    if matches!(name, "BEGIN" | "END" | "ERROR") {
        format!("dtrace:::{name}")
    } else if name.starts_with("tick-") || name.starts_with("profile-") {
        format!("profile:::{name}")
    } else {
        text.to_owned()
    }
}
