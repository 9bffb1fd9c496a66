//! Integer expressions.

use std::sync::Arc;

use regex::bytes::Regex;

use super::super::code::IntCode;
use super::super::machine::{Run, texts};
use super::super::text::Str;
use super::Compiler;
use crate::script::ir::{Comparison, IntExpr, StrExpr};

impl Compiler<'_> {
    pub(super) fn int(&mut self, expr: &IntExpr) -> IntCode {
        self.deeper(|it| it.int_node(expr))
    }

    fn int_node(&mut self, expr: &IntExpr) -> IntCode {
        match expr {
            IntExpr::Constant(value) => {
                let value = *value;
                Box::new(move |_| Ok(value))
            }
            IntExpr::Load(var) => self.load_int(*var),
            IntExpr::Element(array, keys) => self.element_int(*array, keys),
            IntExpr::Context(what) => self.int_context(*what),
            IntExpr::Argument(index) => {
                let index = usize::from(*index);
                Box::new(move |run| Ok(argument(run, index)))
            }
            IntExpr::ArgumentCount => {
                Box::new(|run| Ok(i64::try_from(run.args.len()).unwrap_or(i64::MAX)))
            }
            IntExpr::Unary(op, value) => self.unary(*op, value),
            IntExpr::Binary(op, a, b, span) => self.binary(*op, a, b, *span),
            IntExpr::And(a, b) => {
                let (a, b) = (self.int(a), self.int(b));
                Box::new(move |run| Ok(i64::from(a(run)? != 0 && b(run)? != 0)))
            }
            IntExpr::Or(a, b) => {
                let (a, b) = (self.int(a), self.int(b));
                Box::new(move |run| Ok(i64::from(a(run)? != 0 || b(run)? != 0)))
            }
            IntExpr::Compare(how, a, b) => self.compare(*how, a, b),
            IntExpr::CompareStr(how, a, b) => self.compare_str(*how, a, b),
            IntExpr::Convert {
                bits,
                signed,
                value,
            } => self.convert(*bits, *signed, value),
            IntExpr::Choose(condition, then, otherwise) => {
                let condition = self.int(condition);
                let (then, otherwise) = (self.int(then), self.int(otherwise));
                Box::new(move |run| match condition(run)? {
                    0 => otherwise(run),
                    _ => then(run),
                })
            }
            IntExpr::Assign {
                to,
                op,
                value,
                yields,
                span,
            } => self.assign_int(*to, *op, value, *yields, *span),
            IntExpr::AssignElement {
                array,
                keys,
                op,
                value,
                yields,
                span,
            } => self.assign_element(*array, keys, *op, value, *yields, *span),
            IntExpr::Contains(array, keys) => self.contains(*array, keys),
            IntExpr::ContainsEntry(of, keys) => self.contains_entry(*of, keys),
            IntExpr::Statistic {
                of,
                keys,
                what,
                span,
            } => self.statistic(*of, keys, *what, *span),
            IntExpr::Matches(text, regex) => self.matches(text, regex),
            IntExpr::Call(function, arguments, span) => self.call_int(function, arguments, *span),
            IntExpr::Invoke(invocation) => self.invoke_int(invocation),
            IntExpr::After(block, value) => {
                let (block, value) = (self.block(block), self.int(value));
                Box::new(move |run| {
                    block.run(run)?;
                    value(run)
                })
            }
        }
    }

    fn compare_str(&mut self, how: Comparison, a: &StrExpr, b: &StrExpr) -> IntCode {
        if let StrExpr::Constant(constant) = b {
            let (a, constant) = (self.str(a), constant.clone());
            return Box::new(move |run| {
                let a = a(run)?;
                let order = run.bytes(a).cmp(constant.as_slice());
                Ok(i64::from(holds(how, order)))
            });
        }
        let (a, b) = (self.str(a), self.str(b));
        Box::new(move |run| {
            let (a, b) = (a(run)?, b(run)?);
            let order = run.bytes(a).cmp(run.bytes(b));
            Ok(i64::from(holds(how, order)))
        })
    }

    fn matches(&mut self, text: &StrExpr, regex: &Arc<Regex>) -> IntCode {
        let (text, regex) = (self.str(text), Arc::clone(regex));
        Box::new(move |run| {
            let text: Str = text(run)?;
            let groups = {
                let bytes = texts(run.m, run.args, run.event).bytes(text);
                regex.captures(bytes).map(|captures| matched(&captures))
            };
            let found = groups.is_some();
            if let Some(groups) = groups {
                run.m.matched = groups;
            }
            Ok(i64::from(found))
        })
    }
}

/// What a regular expression matched: the whole and its groups.
fn matched(captures: &regex::bytes::Captures<'_>) -> Vec<Vec<u8>> {
    let group = |group: Option<regex::bytes::Match<'_>>| {
        group.map_or_else(Vec::new, |group| group.as_bytes().to_vec())
    };
    captures.iter().map(group).collect()
}

/// The value of an argument; 0 when there is none.
#[inline]
pub fn argument(run: &Run<'_>, index: usize) -> i64 {
    run.args.get(index).map_or(0, |arg| arg.raw.as_i64())
}

/// Whether two strings that are ordered so compare so. Strings have no sign.
fn holds(how: Comparison, order: std::cmp::Ordering) -> bool {
    match how {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less | Comparison::Below => order.is_lt(),
        Comparison::LessOrEqual | Comparison::BelowOrEqual => order.is_le(),
        Comparison::Greater | Comparison::Above => order.is_gt(),
        Comparison::GreaterOrEqual | Comparison::AboveOrEqual => order.is_ge(),
    }
}
