//! Goes through every node of a program's code.

use super::expr::{Expr, IntExpr, StrExpr};
use super::format::{Format, Number, Piece, Spec};
use super::stmt::{Block, ForEach, Region, Stmt};

/// A node.
#[derive(Clone, Copy, Debug)]
pub enum Node<'a> {
    /// An integer expression.
    Int(&'a IntExpr),
    /// A string expression.
    Str(&'a StrExpr),
    /// A statement.
    Stmt(&'a Stmt),
    /// A piece of a format.
    Piece(&'a Piece),
}

/// Shows every node of a block to `see`, each before what is in it.
pub fn block<'a>(statements: &'a Block, see: &mut dyn FnMut(Node<'a>)) {
    for statement in statements {
        stmt(statement, see);
    }
}

/// Shows an expression and all that is in it.
pub fn expr<'a>(expression: &'a Expr, see: &mut dyn FnMut(Node<'a>)) {
    match expression {
        Expr::Int(expression) => int(expression, see),
        Expr::Str(expression) => str(expression, see),
    }
}

fn exprs<'a>(all: &'a [Expr], see: &mut dyn FnMut(Node<'a>)) {
    for expression in all {
        expr(expression, see);
    }
}

/// Shows an integer expression and all that is in it.
pub fn int<'a>(expression: &'a IntExpr, see: &mut dyn FnMut(Node<'a>)) {
    see(Node::Int(expression));
    match expression {
        IntExpr::Constant(_)
        | IntExpr::Load(_)
        | IntExpr::Context(_)
        | IntExpr::Argument(_)
        | IntExpr::ArgumentCount => {}
        IntExpr::Element(_, keys)
        | IntExpr::Contains(_, keys)
        | IntExpr::ContainsEntry(_, keys)
        | IntExpr::Statistic { keys, .. } => exprs(keys, see),
        IntExpr::Unary(_, one) => int(one, see),
        IntExpr::Binary(_, one, other, _)
        | IntExpr::And(one, other)
        | IntExpr::Or(one, other)
        | IntExpr::Compare(_, one, other) => {
            int(one, see);
            int(other, see);
        }
        IntExpr::CompareStr(_, one, other) => {
            str(one, see);
            str(other, see);
        }
        IntExpr::Convert { value, .. } | IntExpr::Assign { value, .. } => int(value, see),
        IntExpr::Choose(condition, one, other) => {
            int(condition, see);
            int(one, see);
            int(other, see);
        }
        IntExpr::AssignElement { keys, value, .. } => {
            exprs(keys, see);
            int(value, see);
        }
        IntExpr::Matches(subject, _) => str(subject, see),
        IntExpr::Call(_, arguments, _) => exprs(arguments, see),
        IntExpr::Invoke(invocation) => exprs(&invocation.arguments, see),
        IntExpr::After(first, value) => {
            block(first, see);
            int(value, see);
        }
    }
}

/// Shows a string expression and all that is in it.
pub fn str<'a>(expression: &'a StrExpr, see: &mut dyn FnMut(Node<'a>)) {
    see(Node::Str(expression));
    match expression {
        StrExpr::Constant(_)
        | StrExpr::Load(_)
        | StrExpr::Context(_)
        | StrExpr::Object(_)
        | StrExpr::Matched(_) => {}
        StrExpr::Element(_, keys) => exprs(keys, see),
        StrExpr::Argument { otherwise, .. } => {
            if let Some(otherwise) = otherwise {
                str(otherwise, see);
            }
        }
        StrExpr::Choose(condition, one, other) => {
            int(condition, see);
            str(one, see);
            str(other, see);
        }
        StrExpr::Assign { value, .. } => str(value, see),
        StrExpr::AssignElement { keys, value, .. } => {
            exprs(keys, see);
            str(value, see);
        }
        StrExpr::Concat(one, other) => {
            str(one, see);
            str(other, see);
        }
        StrExpr::Format(format) => pieces(format, see),
        StrExpr::Call(_, arguments, _) => exprs(arguments, see),
        StrExpr::Invoke(invocation) => exprs(&invocation.arguments, see),
        StrExpr::After(first, value) => {
            block(first, see);
            str(value, see);
        }
    }
}

/// Shows a statement and all that is in it.
pub fn stmt<'a>(statement: &'a Stmt, see: &mut dyn FnMut(Node<'a>)) {
    see(Node::Stmt(statement));
    match statement {
        Stmt::Evaluate(expression) | Stmt::Return(Some(expression)) => expr(expression, see),
        Stmt::If {
            condition,
            then,
            otherwise,
        } => {
            int(condition, see);
            block(then, see);
            block(otherwise, see);
        }
        Stmt::Loop {
            condition,
            body,
            step,
        } => {
            int(condition, see);
            block(body, see);
            block(step, see);
        }
        Stmt::ForEach(each) => for_each(each, see),
        Stmt::Try { body, handler, .. } => {
            block(body, see);
            block(handler, see);
        }
        Stmt::Delete(Region::Slice(_, keys)) => keys.iter().flatten().for_each(|it| expr(it, see)),
        Stmt::Record {
            keys,
            value,
            weight,
            ..
        } => {
            exprs(keys, see);
            int(value, see);
            weight.iter().for_each(|it| int(it, see));
        }
        Stmt::Print(_, format) => pieces(format, see),
        Stmt::PrintHistogram(histogram) => exprs(&histogram.keys, see),
        Stmt::Trim(trim) => int(&trim.keep, see),
        Stmt::Normalize(_, value, _)
        | Stmt::Exit(value)
        | Stmt::Speculate(value)
        | Stmt::Commit(value)
        | Stmt::Discard(value) => int(value, see),
        Stmt::Fail(text, _) => str(text, see),
        Stmt::Act(_, arguments, _) => exprs(arguments, see),
        Stmt::Break
        | Stmt::Continue
        | Stmt::Next
        | Stmt::Return(None)
        | Stmt::Reset(_)
        | Stmt::Delete(Region::All(_))
        | Stmt::PrintAggregations(_)
        | Stmt::Clear(_) => {}
    }
}

fn for_each<'a>(each: &'a ForEach, see: &mut dyn FnMut(Node<'a>)) {
    each.slice.iter().flatten().for_each(|it| expr(it, see));
    each.limit.iter().for_each(|it| int(it, see));
    block(&each.body, see);
}

fn pieces<'a>(format: &'a Format, see: &mut dyn FnMut(Node<'a>)) {
    for piece in &format.pieces {
        see(Node::Piece(piece));
        match piece {
            Piece::Literal(_) => {}
            Piece::Int { spec, value, .. } => {
                numbers(spec, see);
                int(value, see);
            }
            Piece::Str { spec, value, .. } => {
                numbers(spec, see);
                str(value, see);
            }
        }
    }
}

fn numbers<'a>(spec: &'a Spec, see: &mut dyn FnMut(Node<'a>)) {
    for number in [&spec.width, &spec.precision].into_iter().flatten() {
        if let Number::Argument(value) = number {
            int(value, see);
        }
    }
}
