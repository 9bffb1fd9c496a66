//! Scalar variables.

use super::super::code::{IntCode, StrCode};
use super::super::machine::{Run, Stop};
use super::super::text::Str;
use super::Compiler;
use super::arithmetic::apply;
use crate::script::ir::{
    BinaryOp, Fault, Initial, IntExpr, IntVar, Place, Scope, StrExpr, StrVar, Variable, Yields,
};
use crate::script::source::Span;

/// The value of an integer variable.
#[inline]
pub fn read_int(run: &mut Run<'_>, var: IntVar) -> i64 {
    let m = &mut *run.m;
    let slot = match var.scope {
        Scope::Global => m.global_ints.get(var.index),
        Scope::Thread => m.threads.of(run.tid).ints.get(var.index),
        Scope::Firing => m.firing_ints.get(var.index),
        Scope::Local => m.local_ints.get(m.base.wrapping_add(var.index)),
    };
    slot.copied().unwrap_or(0)
}

/// Changes an integer variable.
#[inline]
pub fn write_int(run: &mut Run<'_>, var: IntVar, value: i64) {
    let m = &mut *run.m;
    let slot = match var.scope {
        Scope::Global => m.global_ints.get_mut(var.index),
        Scope::Thread => m.threads.of(run.tid).ints.get_mut(var.index),
        Scope::Firing => m.firing_ints.get_mut(var.index),
        Scope::Local => m.local_ints.get_mut(m.base.wrapping_add(var.index)),
    };
    if let Some(slot) = slot {
        *slot = value;
    }
}

/// The value of a string variable.
#[inline]
pub fn read_str(run: &mut Run<'_>, var: StrVar) -> Str {
    let m = &mut *run.m;
    match var.scope {
        Scope::Global => m.global_strs.get(var.index).copied().map(Str::Symbol),
        Scope::Thread => {
            let strs = &m.threads.of(run.tid).strs;
            strs.get(var.index).copied().map(Str::Symbol)
        }
        Scope::Firing => m.firing_strs.get(var.index).copied(),
        Scope::Local => m.local_strs.get(m.base.wrapping_add(var.index)).copied(),
    }
    .unwrap_or_default()
}

/// Changes a string variable. What outlives the firing is kept, the rest stays where it is.
///
/// # Errors
/// Too much text in one firing.
#[inline]
pub fn write_str(run: &mut Run<'_>, var: StrVar, value: Str) -> Result<Str, Stop> {
    let value = match var.scope {
        Scope::Global | Scope::Thread => Str::Symbol(run.intern(value)?),
        Scope::Firing | Scope::Local => run.hold(value)?,
    };
    let m = &mut *run.m;
    match (var.scope, value) {
        (Scope::Global, Str::Symbol(symbol)) => {
            if let Some(slot) = m.global_strs.get_mut(var.index) {
                *slot = symbol;
            }
        }
        (Scope::Thread, Str::Symbol(symbol)) => {
            if let Some(slot) = m.threads.of(run.tid).strs.get_mut(var.index) {
                *slot = symbol;
            }
        }
        (Scope::Firing, value) => {
            if let Some(slot) = m.firing_strs.get_mut(var.index) {
                *slot = value;
            }
        }
        (_, value) => {
            let slot = m.local_strs.get_mut(m.base.wrapping_add(var.index));
            if let Some(slot) = slot {
                *slot = value;
            }
        }
    }
    Ok(value)
}

impl Compiler<'_> {
    pub(super) fn load_int(&mut self, var: IntVar) -> IntCode {
        match var.scope {
            Scope::Global => Box::new(move |run| Ok(read_int(run, var))),
            _ => Box::new(move |run| Ok(read_int(run, var))),
        }
    }

    pub(super) fn load_str(&mut self, var: StrVar) -> StrCode {
        Box::new(move |run| Ok(read_str(run, var)))
    }

    pub(super) fn assign_int(
        &mut self,
        to: IntVar,
        op: Option<BinaryOp>,
        value: &IntExpr,
        yields: Yields,
        span: Span,
    ) -> IntCode {
        let value = self.int(value);
        match (op, yields) {
            (None, Yields::New) => Box::new(move |run| {
                let value = value(run)?;
                write_int(run, to, value);
                Ok(value)
            }),
            _ => Box::new(move |run| {
                let value = value(run)?;
                let old = read_int(run, to);
                let new = match op {
                    None => value,
                    Some(op) => apply(op, old, value)
                        .ok_or_else(|| run.fail(Fault::Division, Some(span)))?,
                };
                write_int(run, to, new);
                Ok(match yields {
                    Yields::New => new,
                    Yields::Old => old,
                })
            }),
        }
    }

    pub(super) fn assign_str(&mut self, to: StrVar, value: &StrExpr) -> StrCode {
        let value = self.str(value);
        Box::new(move |run| {
            let value = value(run)?;
            write_str(run, to, value)
        })
    }

    fn variable(&self, scope: Scope, index: usize) -> Option<&Variable> {
        match scope {
            Scope::Global => self.program.globals.get(index),
            Scope::Thread => self.program.thread_locals.get(index),
            Scope::Firing => self.program.firing_locals.get(index),
            Scope::Local => None,
        }
    }

    /// What a variable began as, as code that makes it so again.
    pub(super) fn reset(&mut self, place: Place) -> super::super::code::Step {
        match place {
            Place::Int(var) => {
                let value = match self.variable(var.scope, var.index).map(|it| &it.initial) {
                    Some(Initial::Int(value)) => *value,
                    _ => 0,
                };
                Box::new(move |run| {
                    write_int(run, var, value);
                    Ok(())
                })
            }
            Place::Str(var) => {
                let bytes = match self.variable(var.scope, var.index).map(|it| &it.initial) {
                    Some(Initial::Str(value)) => value.clone(),
                    _ => Vec::new(),
                };
                let symbol = self.interner.constant(&bytes);
                Box::new(move |run| write_str(run, var, Str::Symbol(symbol)).map(drop))
            }
        }
    }
}
