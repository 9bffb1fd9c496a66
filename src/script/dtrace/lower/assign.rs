//! Assignments. A variable keeps all 64 bits of what it is assigned, whatever its type.

use super::Lower;
use super::expression::array_name;
use super::names::{Known, Name, ScopeKey, shown};
use super::operator::{arithmetic, result_type};
use super::typed::Typed;
use crate::script::dtrace::ast::{self, Expr, ExprKind};
use crate::script::dtrace::builtins::{self, Kind};
use crate::script::dtrace::types::{INT64, Type};
use crate::script::ir::{self, BinaryOp, IntExpr, Place, StrExpr, Yields};
use crate::script::source::Span;

/// What is assigned to.
struct Target {
    name: Name,
    keys: Option<Vec<Typed>>,
    span: Span,
}

/// How an integer is assigned.
#[derive(Clone, Copy)]
struct Manner {
    op: Option<BinaryOp>,
    yields: Yields,
}

impl Lower<'_> {
    pub(super) fn assign(
        &mut self,
        op: Option<ast::BinaryOp>,
        to: &Expr,
        value: &Expr,
        span: Span,
    ) -> Option<Typed> {
        if let ExprKind::Aggregation(name, _) = &to.kind {
            let message = format!("@{name}: an aggregation is assigned in a statement of its own");
            self.error(span, message);
            return None;
        }
        let value = self.expr(value)?;
        let target = self.target(to)?;
        let guessed = value.guessed;
        let known = match op {
            None => self.learn(&target.name, target.keys.as_deref(), &value),
            // `x += 1` makes an integer of what has no type yet.
            Some(_) => {
                let own = Typed::int(IntExpr::Constant(1), INT64, span);
                self.learn(&target.name, target.keys.as_deref(), &own)
            }
        };
        let op = match op {
            None => None,
            Some(op) if known.ty.is_str() => {
                let message = format!("operator {}= requires integers, not strings", op.text());
                self.hint(span, message, "strjoin() joins strings");
                return None;
            }
            Some(op) => arithmetic(op, result_type(op, &known.ty, &value.ty).signed),
        };
        let manner = Manner {
            op,
            yields: Yields::New,
        };
        let mut typed = self.store(target, &known, value, manner, span)?;
        typed.guessed = guessed;
        Some(typed)
    }

    /// `++` and `--`
    pub(super) fn update(
        &mut self,
        prefix: bool,
        increment: bool,
        operand: &Expr,
        span: Span,
    ) -> Option<Typed> {
        if matches!(operand.kind, ExprKind::Aggregation(..)) {
            self.expr(operand)?;
        }
        let target = self.target(operand)?;
        let one = Typed::int(IntExpr::Constant(1), INT64, span);
        let known = self.learn(&target.name, target.keys.as_deref(), &one);
        if known.ty.is_str() {
            self.error(span, "++ and -- require integers, not strings");
            return None;
        }
        let step = known.ty.target().map_or(1, |it| it.size(1));
        let step = IntExpr::Constant(i64::try_from(step).unwrap_or(1));
        let manner = Manner {
            op: Some(if increment {
                BinaryOp::Add
            } else {
                BinaryOp::Subtract
            }),
            yields: if prefix { Yields::New } else { Yields::Old },
        };
        let step = Typed::int(step, INT64, span);
        self.store(target, &known, step, manner, span)
    }

    /// What can be assigned to: a variable or an element of an array.
    fn target(&mut self, to: &Expr) -> Option<Target> {
        let (base, keys) = match &to.kind {
            ExprKind::Index(base, keys) => (&**base, Some(keys)),
            _ => (to, None),
        };
        let Some(name) = array_name(base) else {
            self.error(to.span, "this cannot be assigned to: it is no variable");
            return None;
        };
        if name.0 == ScopeKey::Global {
            let row = builtins::find(&[Kind::Variable, Kind::Function], &name.1);
            if row.is_some() && self.known(&name).is_none() {
                let message = format!("{} is a name of D itself and cannot be assigned to", name.1);
                self.hint(to.span, message, format!("`this->{}` is yours", name.1));
                return None;
            }
        }
        let keys = match keys {
            None => None,
            Some(_) if name.0 == ScopeKey::Clause => {
                let message = format!(
                    "{}: this-> variables cannot be associative arrays",
                    shown(&name)
                );
                self.hint(to.span, message, format!("`self->{}[…]` can", name.1));
                return None;
            }
            Some(keys) => {
                let keys: Option<Vec<Typed>> = keys.iter().map(|it| self.expr(it)).collect();
                Some(keys?)
            }
        };
        Some(Target {
            name,
            keys,
            span: to.span,
        })
    }

    fn store(
        &mut self,
        target: Target,
        known: &Known,
        value: Typed,
        manner: Manner,
        span: Span,
    ) -> Option<Typed> {
        let ty = known.ty.clone();
        if !ty.is_str() && value.ty.is_str() {
            let message = format!(
                "operands have incompatible types: {} {} = string",
                ty.text(),
                shown(&target.name)
            );
            self.error(span, message);
            return None;
        }
        let value = match ty.is_str() {
            true => ir::Expr::Str(self.string_value(value, &target.name)?),
            false => ir::Expr::Int(self.as_int(value)?),
        };
        let Some(keys) = target.keys else {
            return self.store_scalar(&target.name, known, value, manner, span);
        };
        let keys = self.keys(&target.name, known, keys, target.span)?;
        let array = self.array(&target.name, known, target.span);
        let value = match value {
            ir::Expr::Str(value) => ir::Expr::Str(StrExpr::AssignElement {
                array,
                keys,
                value: Box::new(value),
                span,
            }),
            ir::Expr::Int(value) => ir::Expr::Int(IntExpr::AssignElement {
                array,
                keys,
                op: manner.op,
                value: Box::new(value),
                yields: manner.yields,
                span,
            }),
        };
        Some(Typed::new(value, ty, span))
    }

    fn store_scalar(
        &mut self,
        name: &Name,
        known: &Known,
        value: ir::Expr,
        manner: Manner,
        span: Span,
    ) -> Option<Typed> {
        if known.keys.is_some() {
            let message = format!("{} is an associative array: a key is missing", shown(name));
            self.error(span, message);
            return None;
        }
        let value = match (self.scalar(name, &known.ty), value) {
            (Place::Int(to), ir::Expr::Int(value)) => ir::Expr::Int(IntExpr::Assign {
                to,
                op: manner.op,
                value: Box::new(value),
                yields: manner.yields,
                span,
            }),
            (Place::Str(to), ir::Expr::Str(value)) => ir::Expr::Str(StrExpr::Assign {
                to,
                value: Box::new(value),
            }),
            _ => {
                self.error(span, format!("the type of {} is not clear", shown(name)));
                return None;
            }
        };
        Some(Typed::new(value, known.ty.clone(), span))
    }

    /// A string that is assigned; 0 is none.
    fn string_value(&mut self, value: Typed, name: &Name) -> Option<StrExpr> {
        let plain = matches!(value.ty, Type::Int(_)) && !value.is_null() && !value.guessed;
        if plain {
            let message = format!(
                "operands have incompatible types: string {} = {}",
                shown(name),
                value.ty.text()
            );
            self.hint(
                value.span,
                message,
                "copyinstr() reads a string of the process",
            );
            return None;
        }
        self.as_text(value)
    }
}
