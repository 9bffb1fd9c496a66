//! Expressions: constants, variables, conditions.

use super::names::{Name, ScopeKey};
use super::typed::{Typed, folded};
use super::{Lower, MAX_INLINED, MAX_INLINES};
use crate::script::dtrace::ast::{Expr, ExprKind};
use crate::script::dtrace::builtins::{self, Kind, Meaning, Special, Status};
use crate::script::dtrace::lexer;
use crate::script::dtrace::macros::{self, Macro};
use crate::script::dtrace::types::{INT, INT64, IntType, Type, UINT64};
use crate::script::ir::{self, Comparison, IntContext, IntExpr, StrExpr};
use crate::script::source::Span;

impl Lower<'_> {
    /// An expression; nothing when an error has been told.
    pub(super) fn expr(&mut self, expr: &Expr) -> Option<Typed> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int(int) => {
                let value = IntExpr::Constant(int.value.cast_signed());
                Some(Typed::int(value, IntType::of_constant(int), span))
            }
            ExprKind::Str(text) => Some(Typed::text(StrExpr::Constant(text.clone()), span)),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Scoped(scope, name) => self.variable((*scope).into(), name, span),
            ExprKind::Symbol(name) => self.symbol(name, span),
            ExprKind::Macro(name) => self.macro_value(name, span),
            ExprKind::Aggregation(name, _) => self.aggregation_value(name, span),
            ExprKind::Index(base, keys) => self.index(base, keys, span),
            ExprKind::Member(base, name) => self.member(base, name, span),
            ExprKind::Call(name, arguments) => self.call(name, arguments, span),
            ExprKind::Unary(op, operand) => self.unary(*op, operand, span),
            ExprKind::Update {
                prefix,
                increment,
                operand,
            } => self.update(*prefix, *increment, operand, span),
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, span),
            ExprKind::Chain(op, operands) => self.chain(*op, operands, span),
            ExprKind::Assign(op, to, value) => self.assign(*op, to, value, span),
            ExprKind::Choose(condition, then, otherwise) => {
                self.choose(condition, then, otherwise, span)
            }
            ExprKind::Cast(ty, operand) => self.cast(ty, operand, span),
            ExprKind::SizeOfType(ty) => {
                let ty = self.resolve(ty)?;
                Some(self.size_of(&ty, span))
            }
            ExprKind::SizeOf(operand) => {
                let ty = self.expr(operand)?.ty;
                Some(self.size_of(&ty, span))
            }
            ExprKind::StringOf(operand) => {
                let text = self.string_of(operand)?;
                Some(Typed::text(text, span))
            }
            ExprKind::Comma(first, second) => self.comma(first, second),
        }
    }

    /// An integer or an address.
    pub(super) fn int(&mut self, expr: &Expr) -> Option<(IntExpr, Type)> {
        let typed = self.expr(expr)?;
        match typed.value {
            ir::Expr::Int(value) => Some((value, typed.ty)),
            ir::Expr::Str(_) => {
                self.hint(
                    expr.span,
                    "an integer is needed here, and this is a string",
                    "strtoll() reads the integer that a string begins with",
                );
                None
            }
        }
    }

    /// A condition: an integer, or whether a string has any bytes.
    pub(super) fn condition(&mut self, expr: &Expr) -> Option<IntExpr> {
        let typed = self.expr(expr)?;
        Some(match typed.value {
            ir::Expr::Int(value) => value,
            ir::Expr::Str(text) => IntExpr::CompareStr(
                Comparison::NotEqual,
                Box::new(text),
                Box::new(StrExpr::Constant(Vec::new())),
            ),
        })
    }

    /// The value of a constant expression.
    pub(super) fn constant(&mut self, expr: &Expr, what: &str) -> Option<i64> {
        let (value, _) = self.int(expr)?;
        let folded = folded(&value);
        if folded.is_none() {
            self.error(expr.span, format!("{what} must be an integer constant"));
        }
        folded
    }

    fn size_of(&mut self, ty: &Type, span: Span) -> Typed {
        let size = ty.size(self.options.strsize);
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        Typed::int(IntExpr::Constant(size), UINT64, span)
    }

    fn symbol(&mut self, name: &str, span: Span) -> Option<Typed> {
        let message = format!("{name} is a symbol of the kernel, which ptrace does not reach");
        self.error(span, message);
        None
    }

    fn aggregation_value(&mut self, name: &str, span: Span) -> Option<Typed> {
        self.hint(
            span,
            format!("@{name}: an aggregation cannot be read in an expression"),
            "printa() prints it",
        );
        None
    }

    /// A name: an inline constant, a builtin, a variable.
    fn name(&mut self, name: &str, span: Span) -> Option<Typed> {
        if self.constants.contains_key(name) {
            return self.inline(name, span);
        }
        let global = (ScopeKey::Global, name.to_owned());
        if self.known(&global).is_some() {
            return self.variable(ScopeKey::Global, name, span);
        }
        let row = builtins::find(&[Kind::Variable, Kind::Function], name);
        let Some(row) = row else {
            self.unknown_name(name, span);
            return Some(guess(span));
        };
        if let Status::Refused(reason) = row.status {
            self.error(span, format!("{name} is not supported: {reason}"));
            return None;
        }
        self.builtin(row, span)
    }

    fn builtin(&mut self, row: builtins::Row, span: Span) -> Option<Typed> {
        Some(match row.meaning {
            Meaning::Int(what, ty) => Typed::int(IntExpr::Context(what), ty, span),
            Meaning::Str(what) => Typed::text(StrExpr::Context(what), span),
            Meaning::Constant(_, ty) if row.name == "epid" => {
                let number = self.place.index.saturating_add(1);
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                Typed::int(IntExpr::Constant(number), ty, span)
            }
            Meaning::Constant(value, ty) => Typed::int(IntExpr::Constant(value), ty, span),
            Meaning::Argument(index) => Typed::int(self.argument(index), INT64, span),
            Meaning::Special(Special::Errno) => self.errno(span)?,
            Meaning::Special(Special::Args) => {
                self.hint(
                    span,
                    "args is an array",
                    "`args[0]` is the first argument of the probe",
                );
                return None;
            }
            _ => {
                self.hint(
                    span,
                    format!("{} is a function", row.name),
                    format!("it is called as `{}(…)`", row.name),
                );
                return None;
            }
        })
    }

    /// An argument of the probe. The return of a system call has its result in both `arg0` and `arg1`.
    pub(super) fn argument(&self, index: u8) -> IntExpr {
        match index {
            0 if self.place.syscall_return => IntExpr::Argument(1),
            index => IntExpr::Argument(index),
        }
    }

    /// The error that a system call returned: -4095 to -1 are errors (syscalls(2)).
    fn errno(&mut self, span: Span) -> Option<Typed> {
        if !self.place.syscall_return {
            self.error(span, "errno is there in syscall:::return clauses only");
            return None;
        }
        let result = || Box::new(IntExpr::Argument(1));
        let within = IntExpr::And(
            Box::new(IntExpr::Compare(
                Comparison::Less,
                result(),
                Box::new(IntExpr::Constant(0)),
            )),
            Box::new(IntExpr::Compare(
                Comparison::GreaterOrEqual,
                result(),
                Box::new(IntExpr::Constant(-4095)),
            )),
        );
        let error = IntExpr::Unary(ir::UnaryOp::Negate, result());
        let none = Box::new(IntExpr::Constant(0));
        let value = IntExpr::Choose(Box::new(within), Box::new(error), none);
        Some(Typed::int(value, INT, span))
    }

    /// What an inline constant stands for.
    fn inline(&mut self, name: &str, span: Span) -> Option<Typed> {
        let constant = self.constants.get(name)?.clone();
        let size = u32::from(constant.value.height);
        self.inlined = self.inlined.saturating_add(size);
        if self.inlining >= MAX_INLINES || self.inlined > MAX_INLINED {
            self.error(span, format!("inline {name} stands for too much"));
            return None;
        }
        self.inlining += 1;
        let typed = self.expr(&constant.value);
        self.inlining -= 1;
        let mut typed = typed?;
        if typed.ty.is_str() != constant.ty.is_str() {
            let message = format!(
                "inline {name} is declared as {}, and its value is {}",
                constant.ty.text(),
                typed.ty.text()
            );
            self.error(span, message);
            return None;
        }
        typed.ty = constant.ty;
        typed.span = span;
        Some(typed)
    }

    /// A scalar variable that is read. One of a thread or firing that was never assigned is 0.
    fn variable(&mut self, scope: ScopeKey, name: &str, span: Span) -> Option<Typed> {
        let name: Name = (scope, name.to_owned());
        let Some(known) = self.known(&name) else {
            return Some(guess(span));
        };
        if known.keys.is_some() {
            let shown = super::names::shown(&name);
            self.error(
                span,
                format!("{shown} is an associative array: a key is missing"),
            );
            return None;
        }
        let value = match self.scalar(&name, &known.ty) {
            ir::Place::Int(var) => ir::Expr::Int(IntExpr::Load(var)),
            ir::Place::Str(var) => ir::Expr::Str(StrExpr::Load(var)),
        };
        let mut typed = Typed::new(value, known.ty, span);
        typed.guessed = known.sure == super::names::Sure::Guessed;
        Some(typed)
    }

    fn macro_value(&mut self, name: &str, span: Span) -> Option<Typed> {
        let found = macros::resolve(name, self.settings, &mut self.used_arguments);
        match found {
            Macro::Int(value) => Some(Typed::int(IntExpr::Constant(value), INT, span)),
            Macro::Target => {
                let value = IntExpr::Context(IntContext::Target);
                Some(Typed::int(value, INT, span))
            }
            Macro::Quoted(text) => Some(Typed::text(StrExpr::Constant(text.into_bytes()), span)),
            Macro::Text(text) => self.macro_text(&text, span),
            Macro::Missing(_) if self.options.default_arguments => {
                if name.starts_with('$') {
                    return Some(Typed::text(StrExpr::Constant(Vec::new()), span));
                }
                Some(Typed::int(IntExpr::Constant(0), INT, span))
            }
            Macro::Missing(_) => {
                self.hint(
                    span,
                    format!("macro argument ${name} is not defined"),
                    "`#pragma D option defaultargs` makes missing arguments 0 or \"\"",
                );
                None
            }
            Macro::Unknown => {
                self.hint(
                    span,
                    format!("macro ${name} is not defined"),
                    "there are $0, $1 and so on, $target, $pid, $ppid, $pgid, $sid, $uid, $euid, $gid, $egid",
                );
                None
            }
        }
    }

    /// The text of an argument, read as an integer, a string in quotes, or a name.
    fn macro_text(&mut self, text: &str, span: Span) -> Option<Typed> {
        let (digits, negative) = match text.strip_prefix('-') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        if let Ok(int) = lexer::integer(digits) {
            let value = int.value.cast_signed();
            let value = if negative {
                value.wrapping_neg()
            } else {
                value
            };
            return Some(Typed::int(
                IntExpr::Constant(value),
                IntType::of_constant(&int),
                span,
            ));
        }
        let quoted = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        if let Some(quoted) = quoted {
            let text = StrExpr::Constant(quoted.as_bytes().to_vec());
            return Some(Typed::text(text, span));
        }
        if builtins::find(&[Kind::Variable], text).is_some() {
            return self.name(text, span);
        }
        self.hint(
            span,
            format!("the macro argument '{text}' is not an integer"),
            "two dollars, as in `$$1`, make a string of it",
        );
        None
    }

    /// `condition ? then : otherwise`; of a string and 0, the 0 is no string.
    fn choose(
        &mut self,
        condition: &Expr,
        then: &Expr,
        otherwise: &Expr,
        span: Span,
    ) -> Option<Typed> {
        let condition = Box::new(self.condition(condition)?);
        let then = self.expr(then)?;
        let otherwise = self.expr(otherwise)?;
        let guessed = then.guessed || otherwise.guessed;
        let mut typed = if then.ty.is_str() || otherwise.ty.is_str() {
            let then = Box::new(self.as_text(then)?);
            let otherwise = Box::new(self.as_text(otherwise)?);
            Typed::text(StrExpr::Choose(condition, then, otherwise), span)
        } else {
            let ty = match (&then.ty, &otherwise.ty) {
                (Type::Int(left), Type::Int(right)) => Type::Int(left.promote(*right)),
                (Type::Int(_), pointer) => pointer.clone(),
                (pointer, _) => pointer.clone(),
            };
            let then = Box::new(self.as_int(then)?);
            let otherwise = Box::new(self.as_int(otherwise)?);
            let value = IntExpr::Choose(condition, then, otherwise);
            Typed::new(ir::Expr::Int(value), ty, span)
        };
        typed.guessed = guessed;
        Some(typed)
    }

    fn comma(&mut self, first: &Expr, second: &Expr) -> Option<Typed> {
        let first = self.expr(first)?;
        let mut typed = self.expr(second)?;
        let before = vec![ir::Stmt::Evaluate(first.value)];
        typed.value = match typed.value {
            ir::Expr::Int(value) => ir::Expr::Int(IntExpr::After(before, Box::new(value))),
            ir::Expr::Str(value) => ir::Expr::Str(StrExpr::After(before, Box::new(value))),
        };
        Some(typed)
    }

    /// The integer that something lowered is.
    pub(super) fn as_int(&mut self, typed: Typed) -> Option<IntExpr> {
        match typed.value {
            ir::Expr::Int(value) => Some(value),
            ir::Expr::Str(_) => {
                self.error(
                    typed.span,
                    "an integer is needed here, and this is a string",
                );
                None
            }
        }
    }

    /// `base[keys]`
    fn index(&mut self, base: &Expr, keys: &[Expr], span: Span) -> Option<Typed> {
        if matches!(&base.kind, ExprKind::Name(name) if name == "args") {
            return self.typed_argument(keys, span);
        }
        let Some(name) = array_name(base) else {
            return self.indexed_pointer(base, keys, span);
        };
        let keys: Option<Vec<Typed>> = keys.iter().map(|it| self.expr(it)).collect();
        let keys = keys?;
        let Some(known) = self.known(&name) else {
            if name.0 == ScopeKey::Global {
                self.unknown_name(&name.1, base.span);
            }
            return Some(guess(span));
        };
        if known.keys.is_none() && known.ty.target().is_some() {
            let base = self.expr(base)?;
            return self.element_of_pointer(base, keys, span);
        }
        let keys = self.keys(&name, &known, keys, span)?;
        let id = self.array(&name, &known, span);
        let value = if known.ty.is_str() {
            ir::Expr::Str(StrExpr::Element(id, keys))
        } else {
            ir::Expr::Int(IntExpr::Element(id, keys))
        };
        let mut typed = Typed::new(value, known.ty, span);
        typed.guessed = known.sure == super::names::Sure::Guessed;
        Some(typed)
    }

    /// The keys of an associative array, by number and type those that it has.
    pub(super) fn keys(
        &mut self,
        name: &Name,
        known: &super::names::Known,
        keys: Vec<Typed>,
        span: Span,
    ) -> Option<Vec<ir::Expr>> {
        let shown = super::names::shown(name);
        let Some(types) = &known.keys else {
            self.error(span, format!("{shown} is not an associative array"));
            return None;
        };
        if types.len() != keys.len() {
            let message = format!(
                "{shown}[ ] prototype mismatch: {} keys passed, {} expected",
                keys.len(),
                types.len()
            );
            self.error(span, message);
            return None;
        }
        let mut all = Vec::new();
        for (ty, key) in types.iter().zip(keys) {
            if ty.is_str() {
                all.push(ir::Expr::Str(self.as_text(key)?));
            } else if key.ty.is_str() && !key.guessed {
                let message = format!(
                    "{shown}[ ] key is incompatible: it is {}, this is a string",
                    ty.text()
                );
                self.error(key.span, message);
                return None;
            } else {
                all.push(ir::Expr::Int(self.as_int(key)?));
            }
        }
        Some(all)
    }

    fn member(&mut self, base: &Expr, name: &str, span: Span) -> Option<Typed> {
        // proc:::create has the child as a structure in DTrace; its id is all that is known.
        if name == "pr_pid" && self.is_create() {
            return Some(Typed::int(IntExpr::Argument(0), INT, span));
        }
        if let ExprKind::Name(own) = &base.kind {
            // What is wrong with the base says more.
            if builtins::find(&[Kind::Variable], own).is_some() {
                self.expr(base)?;
            }
        }
        self.error(
            span,
            format!("member {name}: structures are not supported, their layout would need debug information"),
        );
        None
    }
}

/// The name of an array: `name` or `self->name`.
pub(super) fn array_name(base: &Expr) -> Option<Name> {
    match &base.kind {
        ExprKind::Name(name) => Some((ScopeKey::Global, name.clone())),
        ExprKind::Scoped(scope, name) => Some(((*scope).into(), name.clone())),
        _ => None,
    }
}

/// What is read before anything is known of it.
pub(super) fn guess(span: Span) -> Typed {
    Typed {
        guessed: true,
        ..Typed::int(IntExpr::Constant(0), INT64, span)
    }
}
