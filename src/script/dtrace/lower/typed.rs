//! Expressions that have been lowered, with their D types.

use crate::script::dtrace::types::{IntType, Type};
use crate::script::ir::{BinaryOp, Expr, IntExpr, UnaryOp};
use crate::script::source::Span;

/// A lowered expression.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) value: Expr,
    pub(super) ty: Type,
    pub(super) span: Span,
    /// The type is a guess: the variable that it comes from has not been assigned yet.
    pub(super) guessed: bool,
}

impl Typed {
    pub(super) fn int(value: IntExpr, ty: IntType, span: Span) -> Typed {
        Typed::new(Expr::Int(value), Type::Int(ty), span)
    }

    pub(super) fn text(value: crate::script::ir::StrExpr, span: Span) -> Typed {
        Typed::new(Expr::Str(value), Type::Str, span)
    }

    pub(super) fn new(value: Expr, ty: Type, span: Span) -> Typed {
        Typed {
            value,
            ty,
            span,
            guessed: false,
        }
    }

    /// Whether it is the constant 0, which stands for no string too.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Expr::Int(IntExpr::Constant(0)))
    }

    /// The value as its type shows it: an integer narrower than 64 bits is cut to its size.
    pub(super) fn recorded(self) -> Expr {
        match self.value {
            // These are never out of their types' ranges.
            Expr::Int(value @ IntExpr::Context(_)) => Expr::Int(value),
            Expr::Int(value) => Expr::Int(converted(value, self.ty.as_int())),
            text => text,
        }
    }
}

/// A value cut to the size of a type.
pub(super) fn converted(value: IntExpr, ty: IntType) -> IntExpr {
    match value {
        IntExpr::Constant(_) | IntExpr::Compare(..) | IntExpr::CompareStr(..)
            if ty.bits >= 32 && folded(&value).is_none_or(|it| fits(it, ty)) =>
        {
            value
        }
        value if ty.bits >= 64 => value,
        // Only the low bits count.
        IntExpr::Convert { bits, value, .. } if bits >= ty.bits => converted(*value, ty),
        value => IntExpr::Convert {
            bits: ty.bits,
            signed: ty.signed,
            value: Box::new(value),
        },
    }
}

fn fits(value: i64, ty: IntType) -> bool {
    match (ty.bits, ty.signed) {
        (64.., _) => true,
        (_, true) => i32::try_from(value).is_ok(),
        (_, false) => u32::try_from(value).is_ok(),
    }
}

/// The value of a constant expression.
pub(super) fn folded(value: &IntExpr) -> Option<i64> {
    match value {
        IntExpr::Constant(value) => Some(*value),
        IntExpr::Unary(op, operand) => {
            let operand = folded(operand)?;
            Some(match op {
                UnaryOp::Negate => operand.wrapping_neg(),
                UnaryOp::Complement => !operand,
                UnaryOp::Not => i64::from(operand == 0),
            })
        }
        IntExpr::Binary(op, left, right, _) => combined(*op, folded(left)?, folded(right)?),
        _ => None,
    }
}

fn combined(op: BinaryOp, left: i64, right: i64) -> Option<i64> {
    let bits = u32::try_from(right & 63).ok()?;
    Some(match op {
        BinaryOp::Add => left.wrapping_add(right),
        BinaryOp::Subtract => left.wrapping_sub(right),
        BinaryOp::Multiply => left.wrapping_mul(right),
        BinaryOp::Divide if right != 0 => left.wrapping_div(right),
        BinaryOp::Remainder if right != 0 => left.wrapping_rem(right),
        BinaryOp::And => left & right,
        BinaryOp::Or => left | right,
        BinaryOp::Xor => left ^ right,
        BinaryOp::ShiftLeft => left.wrapping_shl(bits),
        BinaryOp::ShiftRight => left.wrapping_shr(bits),
        _ => return None,
    })
}
