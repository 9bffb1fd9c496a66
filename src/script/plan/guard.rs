//! What of a handler's predicate can be decided where the event happens.
//!
//! Besides the predicate itself, tests at the beginning of the handler count, as SystemTap's scripts have them:
//! `if (pid() != target()) next`, or a body that is one `if`.

use crate::plan::{Compare, Operand, Subject, Test};
use crate::script::ir::visit::{self, Node};
use crate::script::ir::{
    BinaryOp, Comparison, Handler, IntContext, IntExpr, Row, Stmt, StrContext, StrExpr, UnaryOp,
};

/// What must hold for the handler to do anything, as far as it can be told from captured values.
pub fn of(handler: &Handler) -> Option<Test> {
    let mut all = Vec::new();
    if let Some(predicate) = &handler.predicate {
        if !is_pure(predicate) {
            return None;
        }
        conjuncts(predicate, true, &mut all);
    }
    // A row is printed for every firing that passes the predicate.
    if handler.row == Row::None {
        guards(&handler.body, &mut all);
    }
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(Test::All(all)),
    }
}

/// The tests that a body begins with.
fn guards(body: &[Stmt], all: &mut Vec<Test>) {
    for (index, statement) in body.iter().enumerate() {
        let Stmt::If {
            condition,
            then,
            otherwise,
        } = statement
        else {
            return;
        };
        if !is_pure(condition) || !otherwise.is_empty() {
            return;
        }
        if matches!(then.as_slice(), [Stmt::Next]) {
            conjuncts(condition, false, all);
        } else if index + 1 == body.len() {
            return conjuncts(condition, true, all);
        } else {
            return;
        }
    }
}

/// Whether evaluating it changes nothing and cannot fail in a way that the script would see.
fn is_pure(expression: &IntExpr) -> bool {
    let mut pure = true;
    visit::int(expression, &mut |node| {
        pure &= match node {
            Node::Int(it) => {
                !matches!(
                    it,
                    IntExpr::Assign { .. }
                        | IntExpr::AssignElement { .. }
                        | IntExpr::Call(..)
                        | IntExpr::Invoke(_)
                        | IntExpr::After(..)
                        | IntExpr::Matches(..)
                        | IntExpr::Statistic { .. }
                ) && !may_divide_by_zero(it)
            }
            Node::Str(it) => !matches!(
                it,
                StrExpr::Assign { .. }
                    | StrExpr::AssignElement { .. }
                    | StrExpr::Call(..)
                    | StrExpr::Invoke(_)
                    | StrExpr::After(..)
            ),
            Node::Stmt(_) => false,
            Node::Piece(_) => true,
        };
    });
    pure
}

fn may_divide_by_zero(expression: &IntExpr) -> bool {
    let IntExpr::Binary(op, _, divisor, _) = expression else {
        return false;
    };
    let divides = matches!(
        op,
        BinaryOp::Divide
            | BinaryOp::DivideUnsigned
            | BinaryOp::Remainder
            | BinaryOp::RemainderUnsigned
    );
    divides && !matches!(**divisor, IntExpr::Constant(value) if value != 0)
}

/// The parts of a condition that must all be as `wanted`, as far as they can be told.
fn conjuncts(condition: &IntExpr, wanted: bool, all: &mut Vec<Test>) {
    match (condition, wanted) {
        (IntExpr::And(one, other), true) | (IntExpr::Or(one, other), false) => {
            conjuncts(one, wanted, all);
            conjuncts(other, wanted, all);
        }
        (IntExpr::Unary(UnaryOp::Not, inner), _) => conjuncts(inner, !wanted, all),
        _ => all.extend(test(condition, wanted)),
    }
}

/// The test that the whole of a condition is as `wanted`; `None` when some of it cannot be told. There is no negated
/// test: a string that cannot be read must pass either way.
fn test(condition: &IntExpr, wanted: bool) -> Option<Test> {
    let both = |one, other| Some([test(one, wanted)?, test(other, wanted)?].into());
    let polar = |comparison| {
        if wanted {
            comparison
        } else {
            opposite(comparison)
        }
    };
    match (condition, wanted) {
        (IntExpr::And(one, other), true) | (IntExpr::Or(one, other), false) => {
            both(one, other).map(Test::All)
        }
        (IntExpr::Or(one, other), true) | (IntExpr::And(one, other), false) => {
            both(one, other).map(Test::Any)
        }
        (IntExpr::Unary(UnaryOp::Not, inner), _) => test(inner, !wanted),
        (IntExpr::Compare(comparison, one, other), _) => Some(Test::Numbers(
            operand(one)?,
            polar(compare(*comparison)?),
            operand(other)?,
        )),
        (IntExpr::CompareStr(comparison, one, other), _) => {
            let comparison = polar(compare(*comparison)?);
            text(one, comparison, other).or_else(|| text(other, mirrored(comparison), one))
        }
        (value, _) => Some(Test::Numbers(
            operand(value)?,
            polar(Compare::NotEqual),
            Operand::Constant(0),
        )),
    }
}

fn operand(value: &IntExpr) -> Option<Operand> {
    match value {
        IntExpr::Constant(value) => Some(Operand::Constant(*value)),
        IntExpr::Argument(index) => Some(Operand::Argument(*index)),
        IntExpr::Context(IntContext::Pid) => Some(Operand::Pid),
        IntExpr::Context(IntContext::Tid) => Some(Operand::Tid),
        IntExpr::Context(IntContext::Target) => Some(Operand::Target),
        IntExpr::Binary(BinaryOp::And, one, other, _) => match (&**one, &**other) {
            (value, IntExpr::Constant(mask)) | (IntExpr::Constant(mask), value) => {
                Some(Operand::And(Box::new(operand(value)?), *mask))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A string against a constant. The constant must be shorter than what the script sees of the string: then it makes no
/// difference when more of it was captured.
fn text(subject: &StrExpr, comparison: Compare, constant: &StrExpr) -> Option<Test> {
    let StrExpr::Constant(constant) = constant else {
        return None;
    };
    let subject = match subject {
        StrExpr::Argument { index, limit, .. } if constant.len() < *limit => {
            Subject::Argument(*index)
        }
        StrExpr::Context(StrContext::ThreadName) => Subject::ThreadName,
        _ => return None,
    };
    Some(Test::Text(subject, comparison, constant.clone()))
}

fn compare(comparison: Comparison) -> Option<Compare> {
    Some(match comparison {
        Comparison::Equal => Compare::Equal,
        Comparison::NotEqual => Compare::NotEqual,
        Comparison::Less => Compare::Less,
        Comparison::LessOrEqual => Compare::LessOrEqual,
        Comparison::Greater => Compare::Greater,
        Comparison::GreaterOrEqual => Compare::GreaterOrEqual,
        Comparison::Below
        | Comparison::BelowOrEqual
        | Comparison::Above
        | Comparison::AboveOrEqual => return None,
    })
}

/// The same with its sides exchanged.
fn mirrored(comparison: Compare) -> Compare {
    match comparison {
        Compare::Less => Compare::Greater,
        Compare::LessOrEqual => Compare::GreaterOrEqual,
        Compare::Greater => Compare::Less,
        Compare::GreaterOrEqual => Compare::LessOrEqual,
        same => same,
    }
}

/// What holds when that does not.
fn opposite(comparison: Compare) -> Compare {
    match comparison {
        Compare::Equal => Compare::NotEqual,
        Compare::NotEqual => Compare::Equal,
        Compare::Less => Compare::GreaterOrEqual,
        Compare::LessOrEqual => Compare::Greater,
        Compare::Greater => Compare::LessOrEqual,
        Compare::GreaterOrEqual => Compare::Less,
    }
}
