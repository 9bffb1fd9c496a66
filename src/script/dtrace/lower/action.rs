//! Actions: what stands as a statement.

use super::Lower;
use crate::script::builtins::SYSTEM;
use crate::script::dtrace::ast::{Expr, ExprKind};
use crate::script::dtrace::builtins::{self, Kind, Meaning, Row, Setting, Special, Status};
use crate::script::ir::{self, Block, IntExpr, Stmt, StrExpr, Stream, Trim};
use crate::script::source::Span;

impl Lower<'_> {
    /// Lowers an action; nothing when the function is none, and is to be evaluated as an expression.
    pub(super) fn action(
        &mut self,
        row: Row,
        arguments: &[Expr],
        span: Span,
        block: &mut Block,
    ) -> Option<()> {
        if let Status::Refused(reason) = row.status {
            self.error(span, format!("{}( ) is not supported: {reason}", row.name));
            return Some(());
        }
        let lowered = match row.meaning {
            Meaning::Act(action, parameters) => {
                self.destructive(&row, span);
                let required = parameters.len();
                self.arguments(&row, arguments, parameters, required, span)
                    .map(|arguments| vec![Stmt::Act(action, arguments, span)])
            }
            Meaning::Special(special) => match special {
                Special::Symbol | Special::JStack | Special::UStack => {
                    self.place.records = true;
                    self.call(row.name, arguments, span)
                        .map(|typed| vec![Stmt::Print(Stream::Out, self.traced(typed))])
                }
                _ if row.kind == Kind::Action => self.by_hand(&row, special, arguments, span),
                _ => return None,
            },
            _ => return None,
        };
        block.extend(lowered.into_iter().flatten());
        Some(())
    }

    fn by_hand(
        &mut self,
        row: &Row,
        special: Special,
        arguments: &[Expr],
        span: Span,
    ) -> Option<Block> {
        let silent = matches!(
            special,
            Special::Speculate | Special::Commit | Special::Discard
        );
        self.place.records |= !silent;
        Some(vec![match special {
            Special::Printf => Stmt::Print(Stream::Out, self.printf(row, arguments, span)?),
            Special::Printa => return self.printa(row, arguments, span),
            Special::Trace => {
                let [value] = self.exactly(row, arguments, span)?;
                let typed = self.expr(value)?;
                Stmt::Print(Stream::Out, self.traced(typed))
            }
            Special::System => {
                self.destructive(row, span);
                let format = self.printf(row, arguments, span)?;
                let command = ir::Expr::Str(StrExpr::Format(Box::new(format)));
                Stmt::Act(&SYSTEM, vec![command], span)
            }
            Special::Exit => Stmt::Exit(self.one_int(row, arguments, span)?),
            Special::Speculate => Stmt::Speculate(self.one_int(row, arguments, span)?),
            Special::Commit => Stmt::Commit(self.one_int(row, arguments, span)?),
            Special::Discard => Stmt::Discard(self.one_int(row, arguments, span)?),
            Special::Setopt => return self.setopt(row, arguments, span),
            _ => self.on_aggregation(row, special, arguments, span)?,
        }])
    }

    fn one_int(&mut self, row: &Row, arguments: &[Expr], span: Span) -> Option<IntExpr> {
        let [value] = self.exactly(row, arguments, span)?;
        Some(self.int(value)?.0)
    }

    /// `clear`, `trunc`, `normalize`, `denormalize`
    fn on_aggregation(
        &mut self,
        row: &Row,
        special: Special,
        arguments: &[Expr],
        span: Span,
    ) -> Option<Stmt> {
        let Some((first, rest)) = arguments.split_first() else {
            return self.mismatch(row, 0, "1 or more", span);
        };
        let aggregation = self.aggregation_argument(row, first)?;
        let number = match (special, rest) {
            (Special::Trunc, []) => IntExpr::Constant(0),
            (Special::Trunc | Special::Normalize, [number]) => self.int(number)?.0,
            (Special::Clear | Special::Denormalize, []) => IntExpr::Constant(1),
            (Special::Normalize, _) => return self.mismatch(row, arguments.len(), "2", span),
            (Special::Trunc, _) => return self.mismatch(row, arguments.len(), "1 or 2", span),
            _ => return self.mismatch(row, arguments.len(), "1", span),
        };
        Some(match special {
            Special::Trunc => Stmt::Trim(Trim {
                aggregation,
                keep: number,
            }),
            Special::Clear => Stmt::Clear(aggregation),
            _ => Stmt::Normalize(aggregation, number, span),
        })
    }

    /// `setopt("name"[, "value"])`: options of buffers may be set at any time, they mean nothing.
    fn setopt(&mut self, row: &Row, arguments: &[Expr], span: Span) -> Option<Block> {
        let (name, value) = match arguments {
            [name] => (name, None),
            [name, value] => (name, Some(value)),
            _ => return self.mismatch(row, arguments.len(), "1 or 2", span),
        };
        let texts = (text(name), value.map(text));
        let (Some(name), None | Some(Some(_))) = texts else {
            self.error(span, "setopt( ) takes string constants");
            return None;
        };
        let found = builtins::find(&[Kind::Option], &name).map(|it| it.meaning);
        match found {
            Some(Meaning::Option(Setting::Size | Setting::Number | Setting::Ignored)) => {
                Some(Vec::new())
            }
            _ => {
                let hint = format!("`#pragma D option {name}` sets it from the beginning");
                self.hint(
                    span,
                    format!("setopt( ): {name} cannot be set while tracing"),
                    hint,
                );
                None
            }
        }
    }

    /// Says so when what changes processes is not allowed.
    fn destructive(&mut self, row: &Row, span: Span) {
        if !self.options.destructive {
            self.hint(
                span,
                format!("{}( ): destructive actions not allowed", row.name),
                "`-w` or `#pragma D option destructive` allows them",
            );
        }
    }
}

/// A string constant.
fn text(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Str(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}
