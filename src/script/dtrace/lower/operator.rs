//! Operators. Values are 64 bits wide; the operands' types decide whether division, comparison and shifts are signed
//! (C's usual arithmetic conversions).

use super::Lower;
use super::typed::{Typed, converted, folded};
use crate::script::dtrace::ast::{self, ChainOp, Expr, ExprKind, UnaryOp};
use crate::script::dtrace::types::{INT, INT64, IntType, Type};
use crate::script::ir::{self, BinaryOp, Comparison, IntExpr, StrExpr};
use crate::script::source::Span;

/// The intermediate operator of an arithmetic one.
pub(super) fn arithmetic(op: ast::BinaryOp, signed: bool) -> Option<BinaryOp> {
    Some(match (op, signed) {
        (ast::BinaryOp::Add, _) => BinaryOp::Add,
        (ast::BinaryOp::Subtract, _) => BinaryOp::Subtract,
        (ast::BinaryOp::Multiply, _) => BinaryOp::Multiply,
        (ast::BinaryOp::Divide, true) => BinaryOp::Divide,
        (ast::BinaryOp::Divide, false) => BinaryOp::DivideUnsigned,
        (ast::BinaryOp::Remainder, true) => BinaryOp::Remainder,
        (ast::BinaryOp::Remainder, false) => BinaryOp::RemainderUnsigned,
        (ast::BinaryOp::And, _) => BinaryOp::And,
        (ast::BinaryOp::Or, _) => BinaryOp::Or,
        (ast::BinaryOp::Xor, _) => BinaryOp::Xor,
        (ast::BinaryOp::ShiftLeft, _) => BinaryOp::ShiftLeft,
        (ast::BinaryOp::ShiftRight, true) => BinaryOp::ShiftRight,
        (ast::BinaryOp::ShiftRight, false) => BinaryOp::ShiftRightUnsigned,
        _ => return None,
    })
}

fn comparison(op: ast::BinaryOp, signed: bool) -> Option<Comparison> {
    Some(match (op, signed) {
        (ast::BinaryOp::Equal, _) => Comparison::Equal,
        (ast::BinaryOp::NotEqual, _) => Comparison::NotEqual,
        (ast::BinaryOp::Less, true) => Comparison::Less,
        (ast::BinaryOp::Less, false) => Comparison::Below,
        (ast::BinaryOp::LessOrEqual, true) => Comparison::LessOrEqual,
        (ast::BinaryOp::LessOrEqual, false) => Comparison::BelowOrEqual,
        (ast::BinaryOp::Greater, true) => Comparison::Greater,
        (ast::BinaryOp::Greater, false) => Comparison::Above,
        (ast::BinaryOp::GreaterOrEqual, true) => Comparison::GreaterOrEqual,
        (ast::BinaryOp::GreaterOrEqual, false) => Comparison::AboveOrEqual,
        _ => return None,
    })
}

/// The type of an operator's result: shifts have the left operand's.
pub(super) fn result_type(op: ast::BinaryOp, left: &Type, right: &Type) -> IntType {
    match op {
        ast::BinaryOp::ShiftLeft | ast::BinaryOp::ShiftRight => left.as_int().widened(),
        _ => left.as_int().promote(right.as_int()),
    }
}

impl Lower<'_> {
    pub(super) fn binary(
        &mut self,
        op: ast::BinaryOp,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Option<Typed> {
        let left = self.expr(left);
        let right = self.expr(right);
        let (left, right) = (left?, right?);
        let guessed = left.guessed || right.guessed;
        let mut typed = if comparison(op, true).is_some() {
            self.compare(op, left, right, span)?
        } else {
            self.compute(op, left, right, span)?
        };
        typed.guessed = guessed && comparison(op, true).is_none();
        Some(typed)
    }

    fn compare(
        &mut self,
        op: ast::BinaryOp,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Option<Typed> {
        if left.ty.is_str() || right.ty.is_str() {
            // What is not known yet may become a string.
            if left.guessed || right.guessed {
                return Some(Typed::int(IntExpr::Constant(0), INT, span));
            }
            if !self.comparable(&left, &right, span) {
                return None;
            }
            let (left, right) = (self.as_text(left)?, self.as_text(right)?);
            let op = comparison(op, true)?;
            let value = IntExpr::CompareStr(op, Box::new(left), Box::new(right));
            return Some(Typed::int(value, INT, span));
        }
        let signed = match (&left.ty, &right.ty) {
            (Type::Int(left), Type::Int(right)) => left.promote(*right).signed,
            _ => false,
        };
        let op = comparison(op, signed)?;
        let (left, right) = (self.as_int(left)?, self.as_int(right)?);
        let value = IntExpr::Compare(op, Box::new(left), Box::new(right));
        Some(Typed::int(value, INT, span))
    }

    /// Whether a string can be compared with that; says so when not.
    fn comparable(&mut self, left: &Typed, right: &Typed, span: Span) -> bool {
        let fits = |it: &Typed| it.ty.is_str() || it.is_null() || it.ty.target().is_some();
        if fits(left) && fits(right) {
            return true;
        }
        let message = format!(
            "operands have incompatible types: {} and {}",
            left.ty.text(),
            right.ty.text()
        );
        self.hint(span, message, "copyinstr() reads a string of the process");
        false
    }

    fn compute(
        &mut self,
        op: ast::BinaryOp,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Option<Typed> {
        if left.ty.is_str() || right.ty.is_str() {
            let message = format!("operator {} requires integers, not strings", op.text());
            self.hint(span, message, "strjoin() joins strings");
            return None;
        }
        let additive = matches!(op, ast::BinaryOp::Add | ast::BinaryOp::Subtract);
        if additive && (left.ty.target().is_some() || right.ty.target().is_some()) {
            return self.offset(op, left, right, span);
        }
        let ty = result_type(op, &left.ty, &right.ty);
        let op = arithmetic(op, ty.signed)?;
        let (left, right) = (self.as_int(left)?, self.as_int(right)?);
        let value = IntExpr::Binary(op, Box::new(left), Box::new(right), span);
        let value = match folded(&value) {
            Some(constant) => IntExpr::Constant(constant),
            None => value,
        };
        Some(Typed::int(value, ty, span))
    }

    /// An address and a number of elements, or two addresses.
    fn offset(
        &mut self,
        op: ast::BinaryOp,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Option<Typed> {
        let (pointer, other, swapped) = if left.ty.target().is_some() {
            (left, right, false)
        } else {
            (right, left, true)
        };
        let size = pointer.ty.target().map_or(1, |it| it.size(1)).max(1);
        let size = i64::try_from(size).unwrap_or(1);
        let ty = pointer.ty.clone();
        let times = |value: IntExpr, op| match size {
            1 => value,
            size => IntExpr::Binary(op, Box::new(value), Box::new(IntExpr::Constant(size)), span),
        };
        let both = other.ty.target().is_some();
        if (both || swapped) && op == ast::BinaryOp::Subtract {
            let (left, right) = (self.as_int(pointer)?, self.as_int(other)?);
            let difference =
                IntExpr::Binary(BinaryOp::Subtract, Box::new(left), Box::new(right), span);
            return Some(Typed::int(times(difference, BinaryOp::Divide), INT64, span));
        }
        let (left, right) = (self.as_int(pointer)?, self.as_int(other)?);
        let right = times(right, BinaryOp::Multiply);
        let op = arithmetic(op, true)?;
        let value = IntExpr::Binary(op, Box::new(left), Box::new(right), span);
        Some(Typed::new(ir::Expr::Int(value), ty, span))
    }

    /// `&&`, `||`, `^^` of any number of conditions, as a balanced tree: they are evaluated from left to right all the
    /// same.
    pub(super) fn chain(&mut self, op: ChainOp, operands: &[Expr], span: Span) -> Option<Typed> {
        let conditions: Vec<Option<IntExpr>> =
            operands.iter().map(|it| self.condition(it)).collect();
        let conditions: Option<Vec<IntExpr>> = conditions.into_iter().collect();
        let value = balanced(op, conditions?, span)?;
        Some(Typed::int(value, INT, span))
    }

    pub(super) fn unary(&mut self, op: UnaryOp, operand: &Expr, span: Span) -> Option<Typed> {
        let op = match op {
            UnaryOp::Dereference => return self.dereference(operand, span),
            UnaryOp::Address => {
                // `&*p` and `&p[i]` would be addresses; scripts have no other use for it.
                self.error(
                    span,
                    "operator & is not supported: variables have no addresses",
                );
                return None;
            }
            UnaryOp::Not => {
                let condition = self.condition(operand)?;
                let value = IntExpr::Unary(ir::UnaryOp::Not, Box::new(condition));
                return Some(Typed::int(value, INT, span));
            }
            UnaryOp::Plus => None,
            UnaryOp::Negate => Some(ir::UnaryOp::Negate),
            UnaryOp::Complement => Some(ir::UnaryOp::Complement),
        };
        let (value, ty) = self.int(operand)?;
        let ty = ty.as_int().widened();
        let value = match op {
            Some(op) => IntExpr::Unary(op, Box::new(value)),
            None => value,
        };
        let value = match folded(&value) {
            Some(constant) => IntExpr::Constant(constant),
            None => value,
        };
        Some(Typed::int(value, ty, span))
    }

    pub(super) fn cast(&mut self, ty: &ast::TypeName, operand: &Expr, span: Span) -> Option<Typed> {
        let ty = self.resolve(ty)?;
        if ty.is_str() {
            return Some(Typed::text(self.string_of(operand)?, span));
        }
        let typed = self.expr(operand)?;
        if typed.ty.is_str() && !typed.guessed {
            let message = format!("invalid cast expression: string to {}", ty.text());
            self.hint(
                span,
                message,
                "strtoll() reads the integer that a string begins with",
            );
            return None;
        }
        let copied = matches!(typed.ty, Type::Copied(_));
        let ty = match ty {
            Type::Pointer(target) if copied => Type::Copied(target),
            ty => ty,
        };
        let guessed = typed.guessed;
        let mut typed = match (self.as_int(typed)?, ty) {
            (value, Type::Int(ty)) => Typed::int(converted(value, ty), ty, span),
            (value, ty) => Typed::new(ir::Expr::Int(value), ty, span),
        };
        typed.guessed = guessed;
        Some(typed)
    }

    /// `stringof value`: what `copyin` has read, up to its size or a NUL.
    pub(super) fn string_of(&mut self, operand: &Expr) -> Option<StrExpr> {
        if let ExprKind::Call(name, arguments) = &operand.kind
            && let ("copyin", [address, size]) = (name.as_str(), arguments.as_slice())
        {
            return self.copied_string(address, Some(size), operand.span);
        }
        let typed = self.expr(operand)?;
        self.as_text(typed)
    }

    /// The string that something lowered is: itself, none for a 0, or what it points to when `copyin` has read it.
    pub(super) fn as_text(&mut self, typed: Typed) -> Option<StrExpr> {
        let (span, null) = (typed.span, typed.is_null());
        match (typed.value, typed.ty) {
            (ir::Expr::Str(text), _) => Some(text),
            _ if null || typed.guessed => Some(StrExpr::Constant(Vec::new())),
            (ir::Expr::Int(address), Type::Copied(_)) => {
                Some(self.string_at(address, IntExpr::Constant(self.max_string()), span))
            }
            (_, ty) => {
                let message = format!("a string is needed here, and this is {}", ty.text());
                self.hint(span, message, "copyinstr() reads a string of the process");
                None
            }
        }
    }
}

fn balanced(op: ChainOp, mut conditions: Vec<IntExpr>, span: Span) -> Option<IntExpr> {
    while conditions.len() > 1 {
        let mut halves = Vec::new();
        let mut all = conditions.into_iter();
        while let Some(left) = all.next() {
            halves.push(match all.next() {
                Some(right) => joined(op, left, right, span),
                None => left,
            });
        }
        conditions = halves;
    }
    conditions.pop()
}

fn joined(op: ChainOp, left: IntExpr, right: IntExpr, span: Span) -> IntExpr {
    let truth = |it| {
        let zero = Box::new(IntExpr::Constant(0));
        Box::new(IntExpr::Compare(Comparison::NotEqual, Box::new(it), zero))
    };
    match op {
        ChainOp::All => IntExpr::And(Box::new(left), Box::new(right)),
        ChainOp::Any => IntExpr::Or(Box::new(left), Box::new(right)),
        ChainOp::Odd => IntExpr::Binary(BinaryOp::Xor, truth(left), truth(right), span),
    }
}
