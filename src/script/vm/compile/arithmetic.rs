//! Operators on integers.

use super::super::code::IntCode;
use super::Compiler;
use crate::script::ir::{BinaryOp, Comparison, Fault, IntExpr, UnaryOp};
use crate::script::source::Span;

/// Combines two integers; `None`: the divisor is 0. Everything wraps.
#[inline]
pub fn apply(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Subtract => a.wrapping_sub(b),
        BinaryOp::Multiply => a.wrapping_mul(b),
        BinaryOp::Divide if b != 0 => a.wrapping_div(b),
        BinaryOp::Remainder if b != 0 => a.wrapping_rem(b),
        BinaryOp::DivideUnsigned => unsigned(a.cast_unsigned().checked_div(b.cast_unsigned())?),
        BinaryOp::RemainderUnsigned => unsigned(a.cast_unsigned().checked_rem(b.cast_unsigned())?),
        BinaryOp::Divide | BinaryOp::Remainder => return None,
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::ShiftLeft => a.wrapping_shl(low_bits(b)),
        BinaryOp::ShiftRight => a.wrapping_shr(low_bits(b)),
        BinaryOp::ShiftRightUnsigned => unsigned(a.cast_unsigned().wrapping_shr(low_bits(b))),
    })
}

fn unsigned(value: u64) -> i64 {
    value.cast_signed()
}

fn low_bits(shift: i64) -> u32 {
    u32::try_from(shift & 63).unwrap_or(0)
}

/// Code for two operands, of which the second is often a constant.
macro_rules! binary {
    ($a:expr, $b:expr, |$x:ident, $y:ident| $result:expr) => {{
        let a = $a;
        match $b {
            Operand::Constant($y) => Box::new(move |run| {
                let $x = a(run)?;
                Ok($result)
            }),
            Operand::Code(b) => Box::new(move |run| {
                let $x = a(run)?;
                let $y = b(run)?;
                Ok($result)
            }),
        }
    }};
}

enum Operand {
    Constant(i64),
    Code(IntCode),
}

impl Compiler<'_> {
    fn operand(&mut self, expr: &IntExpr) -> Operand {
        match expr {
            IntExpr::Constant(value) => Operand::Constant(*value),
            other => Operand::Code(self.int(other)),
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, value: &IntExpr) -> IntCode {
        let value = self.int(value);
        match op {
            UnaryOp::Negate => Box::new(move |run| Ok(value(run)?.wrapping_neg())),
            UnaryOp::Not => Box::new(move |run| Ok(i64::from(value(run)? == 0))),
            UnaryOp::Complement => Box::new(move |run| Ok(!value(run)?)),
        }
    }

    pub(super) fn binary(&mut self, op: BinaryOp, a: &IntExpr, b: &IntExpr, span: Span) -> IntCode {
        let (a, b) = (self.int(a), self.operand(b));
        match op {
            BinaryOp::Add => binary!(a, b, |x, y| x.wrapping_add(y)),
            BinaryOp::Subtract => binary!(a, b, |x, y| x.wrapping_sub(y)),
            BinaryOp::Multiply => binary!(a, b, |x, y| x.wrapping_mul(y)),
            BinaryOp::And => binary!(a, b, |x, y| x & y),
            BinaryOp::Or => binary!(a, b, |x, y| x | y),
            BinaryOp::Divide
            | BinaryOp::DivideUnsigned
            | BinaryOp::Remainder
            | BinaryOp::RemainderUnsigned
            | BinaryOp::Xor
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRight
            | BinaryOp::ShiftRightUnsigned => match b {
                Operand::Constant(b) => Box::new(move |run| {
                    let a = a(run)?;
                    apply(op, a, b).ok_or_else(|| run.fail(Fault::Division, Some(span)))
                }),
                Operand::Code(b) => Box::new(move |run| {
                    let (a, b) = (a(run)?, b(run)?);
                    apply(op, a, b).ok_or_else(|| run.fail(Fault::Division, Some(span)))
                }),
            },
        }
    }

    pub(super) fn compare(&mut self, how: Comparison, a: &IntExpr, b: &IntExpr) -> IntCode {
        let (a, b) = (self.int(a), self.operand(b));
        match how {
            Comparison::Equal => binary!(a, b, |x, y| i64::from(x == y)),
            Comparison::NotEqual => binary!(a, b, |x, y| i64::from(x != y)),
            Comparison::Less => binary!(a, b, |x, y| i64::from(x < y)),
            Comparison::LessOrEqual => binary!(a, b, |x, y| i64::from(x <= y)),
            Comparison::Greater => binary!(a, b, |x, y| i64::from(x > y)),
            Comparison::GreaterOrEqual => binary!(a, b, |x, y| i64::from(x >= y)),
            Comparison::Below => {
                binary!(a, b, |x, y| i64::from(
                    x.cast_unsigned() < y.cast_unsigned()
                ))
            }
            Comparison::BelowOrEqual => {
                binary!(a, b, |x, y| i64::from(
                    x.cast_unsigned() <= y.cast_unsigned()
                ))
            }
            Comparison::Above => {
                binary!(a, b, |x, y| i64::from(
                    x.cast_unsigned() > y.cast_unsigned()
                ))
            }
            Comparison::AboveOrEqual => {
                binary!(a, b, |x, y| i64::from(
                    x.cast_unsigned() >= y.cast_unsigned()
                ))
            }
        }
    }

    pub(super) fn convert(&mut self, bits: u8, signed: bool, value: &IntExpr) -> IntCode {
        let value = self.int(value);
        let shift = 64_u32.saturating_sub(u32::from(bits)) & 63;
        if signed {
            Box::new(move |run| Ok(value(run)?.wrapping_shl(shift).wrapping_shr(shift)))
        } else {
            Box::new(move |run| {
                let high = value(run)?.cast_unsigned().wrapping_shl(shift);
                Ok(high.wrapping_shr(shift).cast_signed())
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C's rules for 64-bit integers; where C has none, two's complement.
    #[test]
    fn corners_of_arithmetic() {
        let (min, max) = (i64::MIN, i64::MAX);
        let table = [
            (BinaryOp::Add, max, 1, Some(min)),
            (BinaryOp::Subtract, min, 1, Some(max)),
            (BinaryOp::Multiply, max, 2, Some(-2)),
            (BinaryOp::Divide, -7, 2, Some(-3)),
            (BinaryOp::Divide, min, -1, Some(min)),
            (BinaryOp::Divide, 1, 0, None),
            (BinaryOp::DivideUnsigned, -1, 2, Some(max)),
            (BinaryOp::DivideUnsigned, 1, 0, None),
            (BinaryOp::Remainder, -7, 2, Some(-1)),
            (BinaryOp::Remainder, 7, -2, Some(1)),
            (BinaryOp::Remainder, min, -1, Some(0)),
            (BinaryOp::Remainder, 1, 0, None),
            (BinaryOp::RemainderUnsigned, -1, 10, Some(5)),
            (BinaryOp::RemainderUnsigned, 1, 0, None),
            (BinaryOp::And, 12, 10, Some(8)),
            (BinaryOp::Or, 12, 10, Some(14)),
            (BinaryOp::Xor, 12, 10, Some(6)),
            (BinaryOp::ShiftLeft, 1, 63, Some(min)),
            (BinaryOp::ShiftLeft, 1, 64, Some(1)),
            (BinaryOp::ShiftLeft, 1, -1, Some(min)),
            (BinaryOp::ShiftRight, min, 63, Some(-1)),
            (BinaryOp::ShiftRightUnsigned, min, 63, Some(1)),
        ];
        for (op, a, b, expected) in table {
            assert_eq!(apply(op, a, b), expected, "{op:?} {a} {b}");
        }
    }
}
