//! String expressions.

use std::io::Write;

use super::super::code::StrCode;
use super::super::machine::{Run, Stop};
use super::super::text::Str;
use super::Compiler;
use super::integer::argument;
use crate::event::Seen;
use crate::script::ir::{Fault, StrExpr};
use crate::script::source::Span;

/// The string that an argument points to, as far as it was captured and the limit allows.
#[inline]
fn captured(run: &Run<'_>, index: u8, limit: usize) -> Option<Str> {
    match run.args.get(usize::from(index)).map(|arg| &arg.seen) {
        Some(Seen::Text(text)) => Some(Str::Argument {
            index,
            len: u32::try_from(text.bytes.len().min(limit)).unwrap_or(u32::MAX),
        }),
        _ => None,
    }
}

/// The same; when there is none, that is a fault.
///
/// # Errors
/// That fault.
#[inline]
pub fn argument_text(run: &mut Run<'_>, index: u8, limit: usize, span: Span) -> Result<Str, Stop> {
    match captured(run, index, limit) {
        Some(text) => Ok(text),
        None => Err(unreadable(run, index, span)),
    }
}

#[cold]
fn unreadable(run: &mut Run<'_>, index: u8, span: Span) -> Stop {
    let address = argument(run, usize::from(index)).cast_unsigned();
    run.fail(Fault::UserString(address), Some(span))
}

impl Compiler<'_> {
    pub(super) fn str(&mut self, expr: &StrExpr) -> StrCode {
        self.deeper(|it| it.str_node(expr))
    }

    fn str_node(&mut self, expr: &StrExpr) -> StrCode {
        match expr {
            StrExpr::Constant(bytes) => {
                let symbol = self.interner.constant(bytes);
                Box::new(move |_| Ok(Str::Symbol(symbol)))
            }
            StrExpr::Load(var) => self.load_str(*var),
            StrExpr::Element(array, keys) => self.element_str(*array, keys),
            StrExpr::Context(what) => self.str_context(*what),
            StrExpr::Argument {
                index,
                limit,
                otherwise,
                span,
            } => self.argument_str(*index, *limit, otherwise.as_deref(), *span),
            StrExpr::Object(index) => object(usize::from(*index)),
            StrExpr::Choose(condition, then, otherwise) => {
                let condition = self.int(condition);
                let (then, otherwise) = (self.str(then), self.str(otherwise));
                Box::new(move |run| match condition(run)? {
                    0 => otherwise(run),
                    _ => then(run),
                })
            }
            StrExpr::Assign { to, value } => self.assign_str(*to, value),
            StrExpr::AssignElement {
                array,
                keys,
                value,
                span,
            } => self.assign_element_str(*array, keys, value, *span),
            StrExpr::Concat(a, b) => self.concat(a, b),
            StrExpr::Format(format) => self.sprintf(format),
            StrExpr::Matched(group) => {
                let group = usize::from(*group);
                Box::new(move |run| {
                    let m = &mut *run.m;
                    let start = m.scratch.len();
                    let bytes = m.matched.get(group).map_or(&b""[..], Vec::as_slice);
                    m.scratch.extend_from_slice(bytes);
                    run.scratch_from(start)
                })
            }
            StrExpr::Call(function, arguments, span) => self.call_str(function, arguments, *span),
            StrExpr::Invoke(invocation) => self.invoke_str(invocation),
            StrExpr::After(block, value) => {
                let (block, value) = (self.block(block), self.str(value));
                Box::new(move |run| {
                    block.run(run)?;
                    value(run)
                })
            }
        }
    }

    fn argument_str(
        &mut self,
        index: u8,
        limit: usize,
        otherwise: Option<&StrExpr>,
        span: Span,
    ) -> StrCode {
        match self.optional_str(otherwise) {
            None => Box::new(move |run| argument_text(run, index, limit, span)),
            Some(otherwise) => Box::new(move |run| match captured(run, index, limit) {
                Some(text) => Ok(text),
                None => otherwise(run),
            }),
        }
    }

    fn concat(&mut self, a: &StrExpr, b: &StrExpr) -> StrCode {
        let (a, b) = (self.str(a), self.str(b));
        Box::new(move |run| {
            let a = a(run)?;
            let b = b(run)?;
            let start = run.m.scratch.len();
            append(run, a);
            append(run, b);
            run.scratch_from(start)
        })
    }
}

/// Adds a string to scratch.
fn append(run: &mut Run<'_>, text: Str) {
    if let Str::Scratch { start, len } | Str::Whole { start, len } = text {
        let start = start as usize;
        let end = start.saturating_add(len as usize);
        if end <= run.m.scratch.len() && start <= end {
            run.m.scratch.extend_from_within(start..end);
        }
        return;
    }
    let mut scratch = std::mem::take(&mut run.m.scratch);
    scratch.extend_from_slice(run.bytes(text));
    run.m.scratch = scratch;
}

fn object(index: usize) -> StrCode {
    Box::new(move |run| {
        let start = run.m.scratch.len();
        match run.args.get(index).map(|arg| &arg.seen) {
            // Writing to memory does not fail.
            Some(Seen::Object(value)) => drop(write!(run.m.scratch, "{value}")),
            Some(Seen::Text(text)) => run.m.scratch.extend_from_slice(&text.bytes),
            _ => run.m.scratch.extend_from_slice(b"<unreadable>"),
        }
        run.scratch_from(start)
    })
}
