//! Assignments whose value nobody takes. Most handlers begin with some that put what the event has into variables of
//! the firing: each of those is one piece of code, not one for the statement, the variable and the value.

use super::super::code::Step;
use super::super::machine::Run;
use super::Compiler;
use super::context::{pid, tid};
use super::integer::argument;
use super::string::argument_text;
use super::variable::write_int;
use crate::script::ir::{Expr, IntContext, IntExpr, IntVar, Scope, StrExpr, StrVar};

impl Compiler<'_> {
    /// An expression as a statement.
    pub(super) fn evaluate(&mut self, expr: &Expr) -> Step {
        match expr {
            Expr::Int(IntExpr::Assign {
                to,
                op: None,
                value,
                ..
            }) => self.set_int(*to, value),
            Expr::Str(StrExpr::Assign { to, value }) if to.scope == Scope::Firing => {
                self.set_firing_str(*to, value)
            }
            Expr::Int(expr) => {
                let code = self.int(expr);
                Box::new(move |run| code(run).map(drop))
            }
            Expr::Str(expr) => {
                let code = self.str(expr);
                Box::new(move |run| code(run).map(drop))
            }
        }
    }

    fn set_int(&mut self, to: IntVar, value: &IntExpr) -> Step {
        match value {
            IntExpr::Constant(value) => {
                let value = *value;
                set(to, move |_| value)
            }
            IntExpr::Argument(index) => {
                let index = usize::from(*index);
                set(to, move |run| argument(run, index))
            }
            IntExpr::Context(IntContext::Timestamp) => set(to, |run| run.time.cast_signed()),
            IntExpr::Context(IntContext::Pid) => set(to, pid),
            IntExpr::Context(IntContext::Tid) => set(to, tid),
            value => {
                let value = self.int(value);
                Box::new(move |run| {
                    let value = value(run)?;
                    write_int(run, to, value);
                    Ok(())
                })
            }
        }
    }

    fn set_firing_str(&mut self, to: StrVar, value: &StrExpr) -> Step {
        let StrExpr::Argument {
            index,
            limit,
            otherwise: None,
            span,
        } = *value
        else {
            let code = self.assign_str(to, value);
            return Box::new(move |run| code(run).map(drop));
        };
        // It lies with the event for as long as the firing lasts.
        let limit = limit.min(self.program.options.max_string);
        Box::new(move |run| {
            let value = argument_text(run, index, limit, span)?;
            if let Some(slot) = run.m.firing_strs.get_mut(to.index) {
                *slot = value;
            }
            Ok(())
        })
    }
}

/// Code that sets an integer variable to what cannot fail.
fn set(to: IntVar, value: impl Fn(&Run<'_>) -> i64 + Send + 'static) -> Step {
    match to.scope {
        Scope::Firing => Box::new(move |run| {
            let value = value(run);
            if let Some(slot) = run.m.firing_ints.get_mut(to.index) {
                *slot = value;
            }
            Ok(())
        }),
        _ => Box::new(move |run| {
            let value = value(run);
            write_int(run, to, value);
            Ok(())
        }),
    }
}
