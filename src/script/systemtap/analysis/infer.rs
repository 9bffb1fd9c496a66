//! Finds out of which type everything is: from how names are used, across functions.

use std::collections::HashMap;

use super::super::ast::{Declared, Expr, ExprKind, ForEach, Function, Key, Name, Stmt, StmtKind};
use super::super::parser::embedded;
use super::super::points::Site;
use super::fold::{fold, fold_expr};
use super::prune::Pruner;
use super::scope::Declarations;
use super::unify::{Mismatch, Slot, Slots, Ty};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::source::Span;

/// What is known of a global.
#[derive(Debug)]
pub struct GlobalInfo {
    /// The type of its value.
    pub value: Slot,
    /// Those of its keys, and where their number was first seen; none: a scalar. `None`: never used.
    pub keys: Option<(Vec<Slot>, Span)>,
    /// Somebody reads it.
    pub read: bool,
    /// Somebody writes it.
    pub written: bool,
    /// `@variance` is asked for.
    pub squares: bool,
    /// `@hist_log` is.
    pub log: bool,
    /// `@hist_linear` is.
    pub linear: Option<(i64, i64, i64)>,
}

/// A local variable.
#[derive(Debug)]
pub struct Local {
    /// Its type.
    pub slot: Slot,
    /// Where it is first seen.
    pub span: Span,
    /// Somebody writes it.
    pub assigned: bool,
}

/// The local variables of a handler or function; parameters come first.
#[derive(Debug, Default)]
pub struct Locals {
    /// By name.
    pub names: HashMap<String, usize>,
    /// By number.
    pub all: Vec<Local>,
}

/// The body of a handler or function.
#[derive(Debug)]
pub struct Unit {
    /// What it does, pruned.
    pub body: Vec<Stmt>,
    /// What must hold for it to run.
    pub conditions: Vec<Expr>,
    /// Its variables.
    pub locals: Locals,
    /// The point of a handler; `None`: a function.
    pub site: Option<Site>,
    /// The result of a function.
    pub result: Option<Slot>,
}

/// The types of a function.
#[derive(Clone, Debug)]
pub struct Called {
    /// Of its parameters.
    pub parameters: Vec<Slot>,
    /// Of its result.
    pub result: Slot,
}

/// All types of a script.
pub struct Inference<'p, 'a> {
    /// What names mean.
    pub declarations: &'p Declarations<'a>,
    /// The types.
    pub slots: Slots,
    /// What is known of each global.
    pub globals: Vec<GlobalInfo>,
    /// What is known of each function; `None`: it is not called.
    pub called: Vec<Option<Called>>,
    /// The functions that are called, in the order in which that is seen.
    pub order: Vec<usize>,
    /// Guru mode: no function is refused for what it does to processes.
    pub guru: bool,
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// Names and calls whose type must be known in the end.
    pub(super) uses: Vec<(Slot, Span, String)>,
    pure: Vec<Option<bool>>,
}

impl<'p, 'a> Inference<'p, 'a> {
    /// Nothing is known yet but what globals begin as.
    pub fn new(declarations: &'p Declarations<'a>) -> Inference<'p, 'a> {
        let mut slots = Slots::default();
        let globals = declarations.globals.iter().map(|(global, _)| {
            let (value, keys) = match &global.initial {
                None => (slots.fresh(), None),
                Some(initial) => {
                    let ty = if matches!(initial.kind, ExprKind::Text(_)) {
                        Ty::Str
                    } else {
                        Ty::Long
                    };
                    (slots.of(ty, initial.span), Some((Vec::new(), initial.span)))
                }
            };
            GlobalInfo {
                value,
                keys,
                read: false,
                written: false,
                squares: false,
                log: false,
                linear: None,
            }
        });
        let globals = globals.collect();
        Inference {
            declarations,
            slots,
            globals,
            called: declarations.functions.iter().map(|_| None).collect(),
            order: Vec::new(),
            guru: false,
            diagnostics: Diagnostics::default(),
            uses: Vec::new(),
            pure: declarations.functions.iter().map(|_| None).collect(),
        }
    }

    /// A handler: what it does and what must hold.
    pub fn handler(&mut self, mut body: Vec<Stmt>, mut conditions: Vec<Expr>, site: Site) -> Unit {
        fold(&mut body, Some(site));
        for condition in &mut conditions {
            fold_expr(condition, Some(site));
        }
        self.prune(&mut body);
        let mut unit = Unit {
            body: Vec::new(),
            conditions: Vec::new(),
            locals: Locals::default(),
            site: Some(site),
            result: None,
        };
        for condition in &conditions {
            self.want(&mut unit, condition, Ty::Long);
        }
        self.block(&mut unit, &body);
        unit.body = body;
        unit.conditions = conditions;
        unit
    }

    /// The functions that are called, and those that they call. Their order is that of [`Inference::order`].
    pub fn functions(&mut self) -> Vec<Unit> {
        let mut units = Vec::new();
        let mut next = 0;
        while let Some(index) = self.order.get(next).copied() {
            next += 1;
            let function = self.declarations.functions.get(index).map(|(it, _)| *it);
            let called = self.called.get(index).cloned().flatten();
            let (Some(function), Some(called)) = (function, called) else {
                continue;
            };
            units.push(self.function(function, &called));
        }
        units
    }

    fn function(&mut self, function: &Function, called: &Called) -> Unit {
        let mut unit = Unit {
            body: Vec::new(),
            conditions: Vec::new(),
            locals: Locals::default(),
            site: None,
            result: Some(called.result),
        };
        for ((name, _), slot) in function.parameters.iter().zip(&called.parameters) {
            let index = unit.locals.all.len();
            unit.locals.names.insert(name.text.clone(), index);
            unit.locals.all.push(Local {
                slot: *slot,
                span: name.span,
                assigned: true,
            });
        }
        match &function.body {
            None => self.diagnostics.push(embedded(function.name.span)),
            Some(body) => {
                let mut body = body.clone();
                fold(&mut body, None);
                self.prune(&mut body);
                self.block(&mut unit, &body);
                unit.body = body;
            }
        }
        unit
    }

    fn prune(&mut self, body: &mut Vec<Stmt>) {
        let mut pruner = Pruner {
            declarations: self.declarations,
            pure: &mut self.pure,
        };
        pruner.prune(body);
    }

    /// The types of a function that is called now.
    pub(super) fn call_function(&mut self, index: usize) -> Option<Called> {
        if let Some(known) = self.called.get(index)? {
            return Some(known.clone());
        }
        let (function, _) = self.declarations.functions.get(index)?;
        let mut declared = |ty: Option<Declared>, span| match ty {
            None => self.slots.fresh(),
            Some(Declared::Long) => self.slots.of(Ty::Long, span),
            Some(Declared::Str) => self.slots.of(Ty::Str, span),
        };
        let called = Called {
            parameters: function
                .parameters
                .iter()
                .map(|(name, ty)| declared(*ty, name.span))
                .collect(),
            result: declared(function.result, function.name.span),
        };
        self.order.push(index);
        if let Some(place) = self.called.get_mut(index) {
            *place = Some(called.clone());
        }
        Some(called)
    }

    /// What still has no type is an error.
    pub fn finish(&mut self) {
        for (slot, span, name) in std::mem::take(&mut self.uses) {
            if self.slots.ty(slot).is_none() {
                let message = format!("semantic error: unresolved type: '{name}'");
                let error = Diagnostic::error(span, message);
                self.diagnostics.push(
                    error.hint(
                        "nothing says whether it is a long or a string: it is never assigned",
                    ),
                );
            }
        }
    }

    /// Warns of variables that are read but never written.
    pub fn warn_unassigned(&mut self, unit: &Unit) {
        let mut names: Vec<(&String, &usize)> = unit.locals.names.iter().collect();
        names.sort();
        for (name, index) in names {
            let Some(local) = unit.locals.all.get(*index) else {
                continue;
            };
            if !local.assigned {
                let message = format!("never-assigned local variable '{name}'");
                self.diagnostics
                    .push(Diagnostic::warning(local.span, message));
            }
        }
    }

    /// Says that two types should be one.
    pub(super) fn mismatch(&mut self, mismatch: Mismatch, span: Span) {
        let message = format!(
            "semantic error: type mismatch: expected {} but found {}",
            mismatch.was.name(),
            mismatch.is.name()
        );
        let mut error = Diagnostic::error(span, message);
        let places = [
            (mismatch.first, mismatch.was),
            (mismatch.second, mismatch.is),
        ];
        for (place, ty) in places {
            if place != span && place != Span::default() {
                let text = format!("type was first inferred here ({})", ty.name());
                error = error.related(place, text);
            }
        }
        self.diagnostics.push(error);
    }

    pub(super) fn unify(&mut self, first: Slot, second: Slot, span: Span) {
        if let Err(mismatch) = self.slots.unify(first, second) {
            self.mismatch(mismatch, span);
        }
    }

    pub(super) fn fail(&mut self, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(span, message));
    }

    fn block(&mut self, unit: &mut Unit, body: &[Stmt]) {
        for stmt in body {
            self.stmt(unit, stmt);
        }
    }

    fn stmt(&mut self, unit: &mut Unit, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(expr) => {
                self.expr(unit, expr, false);
            }
            StmtKind::Block(body) => self.block(unit, body),
            StmtKind::If(condition, then, otherwise) => {
                self.want(unit, condition, Ty::Long);
                self.block(unit, then);
                self.block(unit, otherwise);
            }
            StmtKind::While(condition, body) => {
                self.want(unit, condition, Ty::Long);
                self.block(unit, body);
            }
            StmtKind::For {
                first,
                condition,
                step,
                body,
            } => {
                for expr in [first, step].into_iter().flatten() {
                    self.expr(unit, expr, false);
                }
                if let Some(condition) = condition {
                    self.want(unit, condition, Ty::Long);
                }
                self.block(unit, body);
            }
            StmtKind::ForEach(each) => self.each(unit, each),
            StmtKind::Return(value) => {
                if let (Some(value), Some(result)) = (value, unit.result)
                    && let Some(slot) = self.value(unit, value)
                {
                    self.unify(result, slot, value.span);
                }
            }
            StmtKind::Delete(expr) => self.delete(unit, expr),
            StmtKind::Try {
                body,
                message,
                handler,
            } => {
                self.block(unit, body);
                if let Some(name) = message {
                    let slot = self.variable(unit, &name.text, name.span, true);
                    let text = self.slots.of(Ty::Str, name.span);
                    self.unify(slot, text, name.span);
                }
                self.block(unit, handler);
            }
            StmtKind::Embedded => self.diagnostics.push(embedded(stmt.span)),
            StmtKind::Break | StmtKind::Continue | StmtKind::Next => {}
        }
    }

    /// A variable that is assigned or read.
    pub(super) fn variable(
        &mut self,
        unit: &mut Unit,
        name: &str,
        span: Span,
        assigned: bool,
    ) -> Slot {
        let global = if unit.site.is_none() && unit.locals.names.contains_key(name) {
            None // a parameter hides a global
        } else {
            self.declarations.global(name, span.source)
        };
        if let Some(index) = global {
            self.keys(index, &[], span);
            if let Some(info) = self.globals.get_mut(index) {
                info.read |= !assigned;
                info.written |= assigned;
                return info.value;
            }
        }
        if let Some(local) = unit
            .locals
            .names
            .get(name)
            .and_then(|it| unit.locals.all.get_mut(*it))
        {
            local.assigned |= assigned;
            return local.slot;
        }
        let slot = self.slots.fresh();
        unit.locals
            .names
            .insert(name.to_owned(), unit.locals.all.len());
        unit.locals.all.push(Local {
            slot,
            span,
            assigned,
        });
        slot
    }

    /// Says how many keys a global has, and that they are of these types; `None`: any.
    pub(super) fn keys(&mut self, index: usize, keys: &[Option<Slot>], span: Span) {
        let name = self
            .declarations
            .globals
            .get(index)
            .map_or("", |(it, _)| it.name.text.as_str());
        let Some(info) = self.globals.get_mut(index) else {
            return;
        };
        let slots = &mut self.slots;
        let (known, first) = info
            .keys
            .get_or_insert_with(|| (keys.iter().map(|_| slots.fresh()).collect(), span));
        let (known, first) = (known.clone(), *first);
        if known.len() != keys.len() {
            let message = format!(
                "semantic error: inconsistent arity ({} vs {}): '{name}'",
                known.len(),
                keys.len()
            );
            let text = format!("arity {} first inferred here", known.len());
            self.diagnostics
                .push(Diagnostic::error(span, message).related(first, text));
            return;
        }
        for (known, key) in known.into_iter().zip(keys) {
            if let Some(key) = key {
                self.unify(known, *key, span);
            }
        }
    }

    /// The array of that name.
    pub(super) fn array(&mut self, name: &str, arity: usize, span: Span) -> Option<usize> {
        let found = self.declarations.global(name, span.source);
        if found.is_none() {
            let message = format!(
                "semantic error: unresolved arity-{arity} global array {name}, missing global declaration?"
            );
            let error = Diagnostic::error(span, message);
            self.diagnostics
                .push(error.hint(format!("declare it: global {name}")));
        }
        found
    }

    /// The types of keys as they are written.
    pub(super) fn key_slots(&mut self, unit: &mut Unit, keys: &[Key]) -> Vec<Option<Slot>> {
        keys.iter()
            .map(|key| match key {
                Key::Any => None,
                Key::Is(expr) => self.value(unit, expr),
            })
            .collect()
    }

    fn each(&mut self, unit: &mut Unit, each: &ForEach) {
        let Name { text, span } = &each.array;
        let index = self.array(text, each.keys.len(), *span);
        let slice = self.key_slots(unit, &each.slice);
        let keys: Vec<Option<Slot>> = each
            .keys
            .iter()
            .map(|key| Some(self.variable(unit, &key.text, key.span, true)))
            .collect();
        if index.is_none() {
            // What is said of the array is enough.
            for slot in keys.iter().flatten() {
                let _ = self.slots.set(*slot, Ty::Long, *span);
            }
        }
        if let Some(index) = index {
            self.keys(index, &keys, *span);
            if !slice.is_empty() {
                self.keys(index, &slice, *span);
            }
            let info = self.globals.get_mut(index).map(|info| {
                info.read = true;
                info.value
            });
            if let (Some(value), Some(name)) = (info, &each.value) {
                let slot = self.variable(unit, &name.text, name.span, true);
                self.unify(slot, value, name.span);
            }
            if let (Some(value), Some(_)) = (info, each.order.and_then(|it| it.statistic)) {
                let stats = self.slots.of(Ty::Stats, *span);
                self.unify(stats, value, *span);
            }
            if each.order.is_some_and(|it| it.column > each.keys.len()) {
                self.fail(*span, "semantic error: invalid sort column");
            }
        }
        if let Some(limit) = &each.limit {
            self.want(unit, limit, Ty::Long);
        }
        self.block(unit, &each.body);
    }

    fn delete(&mut self, unit: &mut Unit, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) => match self.declarations.global(name, expr.span.source) {
                Some(index) => {
                    if let Some(info) = self.globals.get_mut(index) {
                        info.written = true;
                    }
                }
                None => {
                    self.variable(unit, name, expr.span, true);
                }
            },
            ExprKind::Index(name, keys) => {
                let slots = self.key_slots(unit, keys);
                if let Some(index) = self.array(name, keys.len(), expr.span) {
                    self.keys(index, &slots, expr.span);
                    if let Some(info) = self.globals.get_mut(index) {
                        info.written = true;
                    }
                }
            }
            _ => self.fail(
                expr.span,
                "semantic error: invalid operand of delete expression",
            ),
        }
    }
}
