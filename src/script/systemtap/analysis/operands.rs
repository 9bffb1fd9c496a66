//! The types of expressions.

use super::super::ast::{Assignment, Binary, Expr, ExprKind, Histogram, Key, Print, Statistic};
use super::super::builtins::{Row, Status};
use super::super::conversion::{Part, parts};
use super::super::parser::embedded;
use super::super::similar::{hint, similar};
use super::infer::{Inference, Unit};
use super::scope::{Callee, NoCallee};
use super::target::{Variable, missing, variable};
use super::unify::{Slot, Ty};
use crate::script::diagnostic::Diagnostic;
use crate::script::ir::Type;
use crate::script::source::Span;

impl Inference<'_, '_> {
    /// An expression that must be of a type.
    pub(super) fn want(&mut self, unit: &mut Unit, expr: &Expr, ty: Ty) {
        let Some(slot) = self.value(unit, expr) else {
            return;
        };
        let wanted = self.slots.of(ty, expr.span);
        self.unify(wanted, slot, expr.span);
    }

    /// An expression whose value is used.
    pub(super) fn value(&mut self, unit: &mut Unit, expr: &Expr) -> Option<Slot> {
        let before = self.diagnostics.iter().count();
        let slot = self.expr(unit, expr, true);
        if slot.is_none() && self.diagnostics.iter().count() == before {
            self.fail(
                expr.span,
                "semantic error: type mismatch: expected a value but found none",
            );
        }
        slot
    }

    /// An expression; `None`: it gives nothing, or is wrong.
    pub(super) fn expr(&mut self, unit: &mut Unit, expr: &Expr, used: bool) -> Option<Slot> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Number(_) => Some(self.slots.of(Ty::Long, span)),
            ExprKind::Text(_) => Some(self.slots.of(Ty::Str, span)),
            ExprKind::Name(name) => {
                let slot = self.variable(unit, name, span, false);
                self.uses.push((slot, span, name.clone()));
                Some(slot)
            }
            ExprKind::Index(name, keys) => self.element(unit, name, keys, span, false),
            ExprKind::Target(target) => match unit.site.and_then(|site| variable(target, site)) {
                Some(Variable::Argument(_)) => Some(self.slots.of(Ty::Long, span)),
                Some(Variable::Context(_)) => Some(self.slots.of(Ty::Str, span)),
                None => {
                    self.diagnostics.push(missing(target, unit.site, span));
                    None
                }
            },
            ExprKind::Call(name, arguments) => self.call(unit, name, arguments, span, used),
            ExprKind::Unary(_, of) => {
                self.want(unit, of, Ty::Long);
                Some(self.slots.of(Ty::Long, span))
            }
            ExprKind::Binary(binary, left, right) => {
                Some(self.binary(unit, *binary, left, right, span))
            }
            ExprKind::Matches(text, pattern, _) => {
                self.want(unit, text, Ty::Str);
                self.pattern(pattern);
                Some(self.slots.of(Ty::Long, span))
            }
            ExprKind::In(keys, array) => {
                let slots = self.key_slots(unit, keys);
                if let Some(index) = self.array(&array.text, keys.len(), array.span) {
                    self.keys(index, &slots, array.span);
                    self.mark(index, true, false);
                }
                Some(self.slots.of(Ty::Long, span))
            }
            ExprKind::Choose(condition, then, otherwise) => {
                self.want(unit, condition, Ty::Long);
                let (left, right) = (self.value(unit, then), self.value(unit, otherwise));
                if let (Some(left), Some(right)) = (left, right) {
                    self.unify(left, right, otherwise.span);
                }
                left.or(right)
            }
            ExprKind::Assign(assignment, to, value) => {
                self.assign(unit, *assignment, to, value, used)
            }
            ExprKind::Step { of, .. } => {
                let slot = self.assigned(unit, of, used)?;
                let long = self.slots.of(Ty::Long, span);
                self.unify(slot, long, of.span);
                Some(long)
            }
            ExprKind::Statistic(statistic, of) => {
                let index = self.statistics(unit, of)?;
                if let (Statistic::Variance(_), Some(info)) =
                    (statistic, self.globals.get_mut(index))
                {
                    info.squares = true;
                }
                self.mark(index, true, false);
                Some(self.slots.of(Ty::Long, span))
            }
            ExprKind::Histogram(..) => {
                self.fail(
                    span,
                    "semantic error: histograms can only be printed: print(@hist_log(x))",
                );
                None
            }
            ExprKind::Print(print) => self.print(unit, print, span),
            ExprKind::Defined(_) => Some(self.slots.of(Ty::Long, span)),
            ExprKind::Embedded => {
                self.diagnostics.push(embedded(span));
                None
            }
        }
    }

    fn mark(&mut self, index: usize, read: bool, written: bool) {
        if let Some(info) = self.globals.get_mut(index) {
            info.read |= read;
            info.written |= written;
        }
    }

    /// An element that is read or assigned.
    fn element(
        &mut self,
        unit: &mut Unit,
        name: &str,
        keys: &[Key],
        span: Span,
        assigned: bool,
    ) -> Option<Slot> {
        let slots = self.key_slots(unit, keys);
        if keys.contains(&Key::Any) {
            self.fail(span, "semantic error: a wildcard is no key of one element");
        }
        let index = self.array(name, keys.len(), span)?;
        self.keys(index, &slots, span);
        self.mark(index, !assigned, assigned);
        let slot = self.globals.get(index)?.value;
        if !assigned {
            self.uses.push((slot, span, name.to_owned()));
        }
        Some(slot)
    }

    /// What is on the left of an assignment. `used`: the value of the whole is used, which is reading.
    fn assigned(&mut self, unit: &mut Unit, of: &Expr, used: bool) -> Option<Slot> {
        let slot = match &of.kind {
            ExprKind::Name(name) => Some(self.variable(unit, name, of.span, true)),
            ExprKind::Index(name, keys) => self.element(unit, name, keys, of.span, true),
            _ => {
                self.fail(of.span, "semantic error: Expecting lvalue for assignment");
                None
            }
        };
        if let (true, ExprKind::Name(name) | ExprKind::Index(name, _)) = (used, &of.kind)
            && let Some(index) = self.declarations.global(name, of.span.source)
        {
            self.mark(index, true, false);
        }
        slot
    }

    fn assign(
        &mut self,
        unit: &mut Unit,
        assignment: Assignment,
        to: &Expr,
        value: &Expr,
        used: bool,
    ) -> Option<Slot> {
        match assignment {
            Assignment::Record => {
                self.want(unit, value, Ty::Long);
                let index = self.statistics(unit, to)?;
                self.mark(index, false, true);
                None
            }
            Assignment::Set => {
                let slot = self.assigned(unit, to, used)?;
                let value_slot = self.value(unit, value)?;
                if self.slots.ty(value_slot) == Some(Ty::Stats) {
                    self.fail(value.span, "semantic error: statistics cannot be assigned; use @count and its relatives");
                }
                self.unify(slot, value_slot, to.span);
                Some(slot)
            }
            Assignment::Combine(binary) => {
                let slot = self.assigned(unit, to, used)?;
                let ty = if binary == Binary::Concat {
                    Ty::Str
                } else {
                    Ty::Long
                };
                let wanted = self.slots.of(ty, to.span);
                self.unify(slot, wanted, to.span);
                self.want(unit, value, ty);
                Some(slot)
            }
        }
    }

    /// A global with statistics.
    fn statistics(&mut self, unit: &mut Unit, of: &Expr) -> Option<usize> {
        let (name, keys) = match &of.kind {
            ExprKind::Name(name) => (name, &[] as &[Key]),
            ExprKind::Index(name, keys) => (name, keys.as_slice()),
            _ => {
                self.fail(of.span, "semantic error: expected a global with statistics");
                return None;
            }
        };
        let slots = self.key_slots(unit, keys);
        let Some(index) = self.declarations.global(name, of.span.source) else {
            let message = "semantic error: stat locals not supported, missing global declaration?";
            let error = Diagnostic::error(of.span, message);
            self.diagnostics
                .push(error.hint(format!("declare it: global {name}")));
            return None;
        };
        if keys.contains(&Key::Any) {
            self.fail(
                of.span,
                "semantic error: a wildcard is no key of one element",
            );
        }
        self.keys(index, &slots, of.span);
        let value = self.globals.get(index)?.value;
        let stats = self.slots.of(Ty::Stats, of.span);
        self.unify(value, stats, of.span);
        Some(index)
    }

    fn binary(
        &mut self,
        unit: &mut Unit,
        binary: Binary,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Slot {
        use Binary::{Concat, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        match binary {
            Concat => {
                self.want(unit, left, Ty::Str);
                self.want(unit, right, Ty::Str);
                return self.slots.of(Ty::Str, span);
            }
            Less | LessOrEqual | Greater | GreaterOrEqual | Equal | NotEqual => {
                let (first, second) = (self.value(unit, left), self.value(unit, right));
                if let (Some(first), Some(second)) = (first, second) {
                    self.unify(first, second, right.span);
                    if self.slots.ty(first) == Some(Ty::Stats) {
                        self.fail(span, "semantic error: statistics cannot be compared");
                    }
                }
            }
            _ => {
                self.want(unit, left, Ty::Long);
                self.want(unit, right, Ty::Long);
            }
        }
        self.slots.of(Ty::Long, span)
    }

    fn pattern(&mut self, pattern: &Expr) {
        if let ExprKind::Text(text) = &pattern.kind
            && let Err(why) = super::super::regex::compile(text)
        {
            self.fail(
                pattern.span,
                format!("semantic error: regex compilation error: {why}"),
            );
        }
    }

    fn call(
        &mut self,
        unit: &mut Unit,
        name: &str,
        arguments: &[Expr],
        span: Span,
        used: bool,
    ) -> Option<Slot> {
        match self.declarations.callee(name, arguments.len(), span.source) {
            Ok(Callee::Builtin(row)) => self.builtin(unit, row, arguments, span),
            Ok(Callee::Script(index)) => {
                let called = self.call_function(index)?;
                for (slot, argument) in called.parameters.iter().zip(arguments) {
                    if let Some(given) = self.value(unit, argument) {
                        self.unify(*slot, given, argument.span);
                    }
                }
                if used {
                    self.uses.push((called.result, span, name.to_owned()));
                }
                Some(called.result)
            }
            Err(NoCallee::Unknown) => {
                let near = similar(name, self.declarations.function_names().into_iter(), 5);
                let message = format!(
                    "semantic error: unresolved function {name}{}",
                    hint("similar", &near)
                );
                self.fail(span, message);
                None
            }
            Err(NoCallee::Arity(counts, place)) => {
                let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
                let counts = counts.join(" or ");
                let message = format!(
                    "semantic error: arity mismatch found (function '{name}' takes {counts} args)"
                );
                let mut error = Diagnostic::error(span, message);
                if let Some(place) = place {
                    error = error.related(place, "declared here");
                }
                self.diagnostics.push(error);
                None
            }
        }
    }

    fn builtin(
        &mut self,
        unit: &mut Unit,
        row: &Row,
        arguments: &[Expr],
        span: Span,
    ) -> Option<Slot> {
        if let Status::Refused(why) = row.status {
            self.fail(
                span,
                format!(
                    "semantic error: the function {} is refused: {why}",
                    row.name
                ),
            );
            return None;
        }
        if row.needs_guru() && !self.guru {
            let name = row.name;
            self.fail(
                span,
                format!(
                    "semantic error: {name}() is there in guru mode only: -g, or -w of ptpytrace"
                ),
            );
            return None;
        }
        let types = row.types();
        for (argument, ty) in arguments.iter().zip(&types.parameters) {
            let ty = if *ty == Type::Int { Ty::Long } else { Ty::Str };
            self.want(unit, argument, ty);
        }
        let ty = if types.result? == Type::Int {
            Ty::Long
        } else {
            Ty::Str
        };
        Some(self.slots.of(ty, span))
    }

    fn print(&mut self, unit: &mut Unit, print: &Print, span: Span) -> Option<Slot> {
        if let Some((format, at)) = &print.format {
            self.formatted(unit, format, &print.arguments, span, *at);
        } else {
            for argument in &print.arguments {
                if let (ExprKind::Histogram(histogram, of), false) =
                    (&argument.kind, print.to_string)
                {
                    self.histogram(unit, *histogram, of);
                } else if let Some(slot) = self.value(unit, argument)
                    && self.slots.ty(slot) == Some(Ty::Stats)
                {
                    self.fail(argument.span, "semantic error: statistics cannot be printed; use @count and its relatives");
                }
            }
        }
        print.to_string.then(|| self.slots.of(Ty::Str, span))
    }

    fn histogram(&mut self, unit: &mut Unit, histogram: Histogram, of: &Expr) {
        let Some(index) = self.statistics(unit, of) else {
            return;
        };
        self.mark(index, true, false);
        let Some(info) = self.globals.get_mut(index) else {
            return;
        };
        match histogram {
            Histogram::Log => info.log = true,
            Histogram::Linear(low, high, step) => {
                let buckets = high.checked_sub(low).and_then(|it| it.checked_div(step));
                let fits = step > 0 && high > low && buckets.is_some_and(|it| it <= 10_000);
                let same = info.linear.is_none_or(|it| it == (low, high, step));
                info.linear = Some((low, high, step));
                if !fits {
                    self.fail(of.span, "semantic error: @hist_linear: low must be below high, the width above 0, the buckets at most 10000");
                } else if !same {
                    self.fail(
                        of.span,
                        "semantic error: conflicting parameters of @hist_linear for one variable",
                    );
                }
            }
        }
    }

    fn formatted(
        &mut self,
        unit: &mut Unit,
        format: &[u8],
        arguments: &[Expr],
        span: Span,
        at: Span,
    ) {
        let Some(parts) = parts(format) else {
            self.fail(at, "parse error: invalid or missing conversion specifier");
            return;
        };
        let conversions: Vec<_> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Conversion(conversion) => Some(conversion),
                Part::Literal(_) => None,
            })
            .collect();
        let count: usize = conversions.iter().map(|it| it.sizes() + 1).sum();
        if count != arguments.len() {
            let error = Diagnostic::error(
                span,
                "semantic error: Wrong number of args to formatted print operator",
            );
            self.diagnostics.push(error.hint(format!(
                "the format takes {count}, {} are given",
                arguments.len()
            )));
        }
        let mut rest = arguments.iter();
        for conversion in conversions {
            for _ in 0..conversion.sizes() {
                if let Some(size) = rest.next() {
                    self.want(unit, size, Ty::Long);
                }
            }
            if let b'm' | b'M' = conversion.letter {
                self.fail(
                    at,
                    "semantic error: the conversions %m and %M are refused: use user_string_n()",
                );
            }
            if let Some(argument) = rest.next() {
                let ty = if conversion.is_text() {
                    Ty::Str
                } else {
                    Ty::Long
                };
                self.want(unit, argument, ty);
            }
        }
    }
}
