//! Expressions.

use super::super::analysis::{Callee, Variable, variable};
use super::super::ast::{self, Assignment, Binary, ExprKind, Key, Name, Statistic, Unary};
use super::super::regex;
use super::{Home, Lowering};
use crate::script::ir::{
    self, BinaryOp, Comparison, Expr, ForEach, IntExpr, IntVar, Invocation, Place, Stmt, StrExpr,
    Table, Type, UnaryOp, Yields,
};
use crate::script::source::Span;

impl Lowering<'_, '_, '_> {
    /// An expression that is a number.
    pub(super) fn int(&mut self, expr: &ast::Expr) -> IntExpr {
        match self.expr(expr) {
            Expr::Int(value) => value,
            Expr::Str(_) => IntExpr::Constant(0),
        }
    }

    /// An expression that is a string.
    pub(super) fn text(&mut self, expr: &ast::Expr) -> StrExpr {
        match self.expr(expr) {
            Expr::Str(value) => value,
            Expr::Int(_) => StrExpr::Constant(Vec::new()),
        }
    }

    /// An expression of either type.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Expr {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Number(number) => Expr::Int(IntExpr::Constant(*number)),
            ExprKind::Text(text) => Expr::Str(StrExpr::Constant(text.clone())),
            ExprKind::Name(name) => load(self.scalar(name, span)),
            ExprKind::Index(name, keys) => self.element(name, keys, span),
            ExprKind::Target(target) => match self.site.and_then(|site| variable(target, site)) {
                Some(Variable::Argument(index)) => Expr::Int(IntExpr::Argument(index)),
                Some(Variable::Context(context)) => Expr::Str(StrExpr::Context(context)),
                None => Expr::Int(IntExpr::Constant(0)),
            },
            ExprKind::Call(name, arguments) => self.call(name, arguments, span),
            ExprKind::Unary(unary, of) => {
                let of = self.int(of);
                Expr::Int(match unary {
                    Unary::Plus => of,
                    Unary::Minus => IntExpr::Unary(UnaryOp::Negate, Box::new(of)),
                    Unary::Not => IntExpr::Unary(UnaryOp::Not, Box::new(of)),
                    Unary::Complement => IntExpr::Unary(UnaryOp::Complement, Box::new(of)),
                })
            }
            ExprKind::Binary(binary, left, right) => self.binary(*binary, left, right, span),
            ExprKind::Matches(text, pattern, negated) => self.matches(text, pattern, *negated),
            ExprKind::In(keys, array) => Expr::Int(self.contains(keys, array)),
            ExprKind::Choose(condition, then, otherwise) => {
                let condition = Box::new(self.int(condition));
                match (self.expr(then), self.expr(otherwise)) {
                    (Expr::Int(then), Expr::Int(otherwise)) => Expr::Int(IntExpr::Choose(
                        condition,
                        Box::new(then),
                        Box::new(otherwise),
                    )),
                    (Expr::Str(then), Expr::Str(otherwise)) => Expr::Str(StrExpr::Choose(
                        condition,
                        Box::new(then),
                        Box::new(otherwise),
                    )),
                    (then, _) => then,
                }
            }
            ExprKind::Assign(assignment, to, value) => self.assign(*assignment, to, value, span),
            ExprKind::Step { of, down, postfix } => self.step(of, *down, *postfix, span),
            ExprKind::Statistic(statistic, of) => Expr::Int(self.statistic(*statistic, of)),
            ExprKind::Print(print) if print.to_string => {
                let format = self.format(print, span);
                Expr::Str(StrExpr::Format(Box::new(format)))
            }
            ExprKind::Histogram(..)
            | ExprKind::Print(_)
            | ExprKind::Defined(_)
            | ExprKind::Embedded => Expr::Int(IntExpr::Constant(0)),
        }
    }

    /// Keys of one element.
    pub(super) fn keys(&mut self, keys: &[Key]) -> Vec<Expr> {
        ast::exprs(keys).map(|it| self.expr(it)).collect()
    }

    fn element(&mut self, name: &str, keys: &[Key], span: Span) -> Expr {
        let keys = self.keys(keys);
        match self.global(name, span) {
            Home::Array(id) => match self.tables.arrays.get(id.0).map(|it| it.value) {
                Some(Type::Str) => Expr::Str(StrExpr::Element(id, keys)),
                _ => Expr::Int(IntExpr::Element(id, keys)),
            },
            _ => Expr::Int(IntExpr::Constant(0)),
        }
    }

    fn binary(&mut self, binary: Binary, left: &ast::Expr, right: &ast::Expr, span: Span) -> Expr {
        if let Some(comparison) = comparison(binary) {
            return Expr::Int(match (self.expr(left), self.expr(right)) {
                (Expr::Str(left), Expr::Str(right)) => {
                    IntExpr::CompareStr(comparison, Box::new(left), Box::new(right))
                }
                (Expr::Int(left), Expr::Int(right)) => {
                    IntExpr::Compare(comparison, Box::new(left), Box::new(right))
                }
                _ => IntExpr::Constant(0),
            });
        }
        if binary == Binary::Concat {
            let (left, right) = (self.text(left), self.text(right));
            return Expr::Str(StrExpr::Concat(Box::new(left), Box::new(right)));
        }
        let (left, right) = (Box::new(self.int(left)), Box::new(self.int(right)));
        Expr::Int(match (binary, arithmetic(binary)) {
            (Binary::And, _) => IntExpr::And(left, right),
            (Binary::Or, _) => IntExpr::Or(left, right),
            (_, Some(op)) => IntExpr::Binary(op, left, right, span),
            (_, None) => IntExpr::Constant(0),
        })
    }

    fn matches(&mut self, text: &ast::Expr, pattern: &ast::Expr, negated: bool) -> Expr {
        let text = Box::new(self.text(text));
        let ExprKind::Text(pattern) = &pattern.kind else {
            return Expr::Int(IntExpr::Constant(0));
        };
        let Ok(regex) = regex::compile(pattern) else {
            return Expr::Int(IntExpr::Constant(0));
        };
        let found = IntExpr::Matches(text, std::sync::Arc::new(regex));
        Expr::Int(if negated {
            IntExpr::Unary(UnaryOp::Not, Box::new(found))
        } else {
            found
        })
    }

    fn contains(&mut self, keys: &[Key], array: &Name) -> IntExpr {
        let home = self.global(&array.text, array.span);
        let any = keys.contains(&Key::Any);
        match (home, table(home)) {
            (_, Some(table)) if any => self.contains_any(keys, table),
            (Home::Array(id), _) => IntExpr::Contains(id, self.keys(keys)),
            (Home::Statistics(id), _) => IntExpr::ContainsEntry(id, self.keys(keys)),
            _ => IntExpr::Constant(0),
        }
    }

    /// Whether there is an entry some of whose keys are these: a loop of at most one round finds out.
    fn contains_any(&mut self, keys: &[Key], table: Table) -> IntExpr {
        let slice = self.slice(keys);
        let Place::Int(found) = self.hidden(Type::Int) else {
            return IntExpr::Constant(0);
        };
        let set = |value| {
            Stmt::Evaluate(Expr::Int(IntExpr::Assign {
                to: found,
                op: None,
                value: Box::new(IntExpr::Constant(value)),
                yields: Yields::New,
                span: Span::default(),
            }))
        };
        let search = Stmt::ForEach(Box::new(ForEach {
            table,
            keys: slice.iter().map(|_| None).collect(),
            value: None,
            slice,
            order: None,
            limit: Some(IntExpr::Constant(1)),
            body: vec![set(1)],
        }));
        IntExpr::After(vec![set(0), search], Box::new(IntExpr::Load(found)))
    }

    /// Keys of some elements; `None`: any.
    pub(super) fn slice(&mut self, keys: &[Key]) -> Vec<Option<Expr>> {
        keys.iter()
            .map(|key| match key {
                Key::Any => None,
                Key::Is(expr) => Some(self.expr(expr)),
            })
            .collect()
    }

    fn statistic(&mut self, statistic: Statistic, of: &ast::Expr) -> IntExpr {
        let (id, keys) = match self.entry(of) {
            Some(found) => found,
            None => return IntExpr::Constant(0),
        };
        IntExpr::Statistic {
            of: id,
            keys,
            what: lower_statistic(statistic),
            span: of.span,
        }
    }

    /// Statistics and the keys of the entry that is meant.
    pub(super) fn entry(&mut self, of: &ast::Expr) -> Option<(ir::AggregationId, Vec<Expr>)> {
        let (name, keys) = match &of.kind {
            ExprKind::Name(name) => (name, &[] as &[Key]),
            ExprKind::Index(name, keys) => (name, keys.as_slice()),
            _ => return None,
        };
        let keys = self.keys(keys);
        match self.global(name, of.span) {
            Home::Statistics(id) => Some((id, keys)),
            _ => None,
        }
    }

    fn assign(
        &mut self,
        assignment: Assignment,
        to: &ast::Expr,
        value: &ast::Expr,
        span: Span,
    ) -> Expr {
        let op = match assignment {
            Assignment::Set => None,
            Assignment::Combine(Binary::Concat) => {
                let before = self.expr(to);
                let value = self.expr(value);
                let (Expr::Str(before), Expr::Str(value)) = (before, value) else {
                    return Expr::Int(IntExpr::Constant(0));
                };
                let whole = StrExpr::Concat(Box::new(before), Box::new(value));
                return self.store(to, None, Expr::Str(whole), Yields::New, span);
            }
            Assignment::Combine(binary) => arithmetic(binary),
            Assignment::Record => return Expr::Int(IntExpr::Constant(0)),
        };
        let value = self.expr(value);
        self.store(to, op, value, Yields::New, span)
    }

    fn step(&mut self, of: &ast::Expr, down: bool, postfix: bool, span: Span) -> Expr {
        let op = if down {
            BinaryOp::Subtract
        } else {
            BinaryOp::Add
        };
        let yields = if postfix { Yields::Old } else { Yields::New };
        self.store(of, Some(op), Expr::Int(IntExpr::Constant(1)), yields, span)
    }

    fn store(
        &mut self,
        to: &ast::Expr,
        op: Option<BinaryOp>,
        value: Expr,
        yields: Yields,
        span: Span,
    ) -> Expr {
        match &to.kind {
            ExprKind::Name(name) => match (self.scalar(name, to.span), value) {
                (Some(Place::Int(to)), Expr::Int(value)) => {
                    Expr::Int(assign(to, op, value, yields, span))
                }
                (Some(Place::Str(to)), Expr::Str(value)) => Expr::Str(StrExpr::Assign {
                    to,
                    value: Box::new(value),
                }),
                (_, value) => value,
            },
            ExprKind::Index(name, keys) => {
                let keys = self.keys(keys);
                let Home::Array(array) = self.global(name, to.span) else {
                    return value;
                };
                match value {
                    Expr::Int(value) => Expr::Int(IntExpr::AssignElement {
                        array,
                        keys,
                        op,
                        value: Box::new(value),
                        yields,
                        span,
                    }),
                    Expr::Str(value) => Expr::Str(StrExpr::AssignElement {
                        array,
                        keys,
                        value: Box::new(value),
                        span,
                    }),
                }
            }
            _ => value,
        }
    }

    fn call(&mut self, name: &str, arguments: &[ast::Expr], span: Span) -> Expr {
        match self
            .inference
            .declarations
            .callee(name, arguments.len(), span.source)
        {
            Ok(Callee::Builtin(row)) => {
                let arguments = arguments.iter().map(|it| self.expr(it)).collect();
                self.builtin(row, arguments, span)
            }
            Ok(Callee::Script(index)) => self.invoke(index, arguments, span),
            Err(_) => Expr::Int(IntExpr::Constant(0)),
        }
    }

    fn invoke(&mut self, index: usize, arguments: &[ast::Expr], span: Span) -> Expr {
        let arguments = arguments.iter().map(|it| self.expr(it)).collect();
        let Some(function) = self.functions.get(&index).copied() else {
            return Expr::Int(IntExpr::Constant(0));
        };
        let invocation = Box::new(Invocation {
            function,
            arguments,
            span,
        });
        let called = self
            .inference
            .called
            .get(index)
            .and_then(Option::as_ref)
            .map(|it| it.result);
        let ty = called.and_then(|it| self.inference.slots.ty(it));
        match super::type_of(ty) {
            Type::Int => Expr::Int(IntExpr::Invoke(invocation)),
            Type::Str => Expr::Str(StrExpr::Invoke(invocation)),
        }
    }
}

fn assign(to: IntVar, op: Option<BinaryOp>, value: IntExpr, yields: Yields, span: Span) -> IntExpr {
    IntExpr::Assign {
        to,
        op,
        value: Box::new(value),
        yields,
        span,
    }
}

/// Reads a variable.
pub(super) fn load(place: Option<Place>) -> Expr {
    match place {
        Some(Place::Int(variable)) => Expr::Int(IntExpr::Load(variable)),
        Some(Place::Str(variable)) => Expr::Str(StrExpr::Load(variable)),
        None => Expr::Int(IntExpr::Constant(0)),
    }
}

/// What can be gone through.
pub(super) fn table(home: Home) -> Option<Table> {
    match home {
        Home::Array(id) => Some(Table::Array(id)),
        Home::Statistics(id) => Some(Table::Aggregation(id)),
        Home::None | Home::Scalar(_) => None,
    }
}

pub(super) fn lower_statistic(statistic: Statistic) -> ir::Statistic {
    match statistic {
        Statistic::Count => ir::Statistic::Count,
        Statistic::Sum => ir::Statistic::Sum,
        Statistic::Min => ir::Statistic::Min,
        Statistic::Max => ir::Statistic::Max,
        Statistic::Avg => ir::Statistic::Average,
        Statistic::Variance(bits) => ir::Statistic::Variance(bits),
    }
}

fn comparison(binary: Binary) -> Option<Comparison> {
    Some(match binary {
        Binary::Less => Comparison::Less,
        Binary::LessOrEqual => Comparison::LessOrEqual,
        Binary::Greater => Comparison::Greater,
        Binary::GreaterOrEqual => Comparison::GreaterOrEqual,
        Binary::Equal => Comparison::Equal,
        Binary::NotEqual => Comparison::NotEqual,
        _ => return None,
    })
}

fn arithmetic(binary: Binary) -> Option<BinaryOp> {
    Some(match binary {
        Binary::Multiply => BinaryOp::Multiply,
        Binary::Divide => BinaryOp::Divide,
        Binary::Remainder => BinaryOp::Remainder,
        Binary::Add => BinaryOp::Add,
        Binary::Subtract => BinaryOp::Subtract,
        Binary::ShiftLeft => BinaryOp::ShiftLeft,
        Binary::ShiftRight => BinaryOp::ShiftRight,
        Binary::ShiftRightLogical => BinaryOp::ShiftRightUnsigned,
        Binary::BitAnd => BinaryOp::And,
        Binary::BitXor => BinaryOp::Xor,
        Binary::BitOr => BinaryOp::Or,
        _ => return None,
    })
}
