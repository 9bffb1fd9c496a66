//! Variables: declared, or known from their first assignment.

use std::collections::{BTreeMap, BTreeSet};

use super::Lower;
use super::typed::Typed;
use crate::script::dtrace::ast::{self, Declaration};
use crate::script::dtrace::builtins::{self, Kind};
use crate::script::dtrace::types::{INT64, Type};
use crate::script::ir::{self, Array, ArrayId, Initial, IntVar, Place, StrVar, Variable};
use crate::script::source::Span;

/// For so many unknown names it is looked for what may have been meant: more are not shown.
pub(super) const MAX_GUESSES: usize = 32;

/// A variable's scope and name.
pub(super) type Name = (ScopeKey, String);

/// A scope, in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ScopeKey {
    Global,
    Thread,
    Clause,
}

impl From<ast::Scope> for ScopeKey {
    fn from(scope: ast::Scope) -> ScopeKey {
        match scope {
            ast::Scope::Global => ScopeKey::Global,
            ast::Scope::Thread => ScopeKey::Thread,
            ast::Scope::Clause => ScopeKey::Clause,
        }
    }
}

/// What is known of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) ty: Type,
    /// The types of an array's keys.
    pub(super) keys: Option<Vec<Type>>,
    /// How sure the type is.
    pub(super) sure: Sure,
}

/// How sure a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sure {
    /// It comes from a variable that had no type yet.
    Guessed,
    /// It comes from a 0, which may also mean that there is no string.
    Null,
    /// It comes from an assignment.
    Assigned,
    /// It was declared.
    Declared,
}

/// All variables.
#[derive(Default)]
pub(super) struct Names {
    pub(super) known: BTreeMap<Name, Known>,
    scalars: BTreeMap<Name, Place>,
    arrays: BTreeMap<Name, ArrayId>,
    /// Names that were declared in this round.
    declared: BTreeSet<Name>,
}

impl Names {
    pub(super) fn new(known: BTreeMap<Name, Known>) -> Names {
        Names {
            known,
            ..Names::default()
        }
    }
}

/// A variable as written: `self->name`.
pub(super) fn shown(name: &Name) -> String {
    let scope = match name.0 {
        ScopeKey::Global => "",
        ScopeKey::Thread => "self->",
        ScopeKey::Clause => "this->",
    };
    format!("{scope}{}", name.1)
}

fn kind(ty: &Type) -> ir::Type {
    if ty.is_str() {
        ir::Type::Str
    } else {
        ir::Type::Int
    }
}

impl Lower<'_> {
    pub(super) fn declare(&mut self, declaration: &Declaration) {
        let Some(ty) = self.resolve(&declaration.ty) else {
            return;
        };
        let span = declaration.span;
        if ty == Type::Void {
            return self.error(
                span,
                format!("{}: a variable cannot be void", declaration.name),
            );
        }
        let mut keys = None;
        if let Some(names) = &declaration.keys {
            let resolved: Option<Vec<Type>> = names.iter().map(|it| self.resolve(it)).collect();
            let Some(resolved) = resolved else { return };
            keys = Some(resolved);
        }
        let name = (declaration.scope.into(), declaration.name.clone());
        if keys.is_some() && name.0 == ScopeKey::Clause {
            return self.clause_array(&name, span);
        }
        if name.0 == ScopeKey::Global && builtins::find(&[Kind::Variable], &name.1).is_some() {
            return self.error(span, format!("{} is a variable of D itself", name.1));
        }
        let known = Known {
            ty,
            keys,
            sure: Sure::Declared,
        };
        let before = self.names.known.get(&name);
        if self.names.declared.contains(&name) && before.is_some_and(|it| *it != known) {
            return self.error(
                span,
                format!("{} is declared with another type before", shown(&name)),
            );
        }
        self.names.declared.insert(name.clone());
        self.names.known.insert(name, known);
    }

    fn clause_array(&mut self, name: &Name, span: Span) {
        let message = format!(
            "{}: this-> variables cannot be associative arrays",
            shown(name)
        );
        self.hint(span, message, format!("`self->{}[…]` can", name.1));
    }

    /// Learns from an assignment what a variable is, and gives what it is now.
    pub(super) fn learn(&mut self, name: &Name, keys: Option<&[Typed]>, value: &Typed) -> Known {
        let sure = if value.guessed {
            Sure::Guessed
        } else if value.is_null() {
            Sure::Null
        } else {
            Sure::Assigned
        };
        let types = keys.map(|keys| keys.iter().map(|it| it.ty.clone()).collect());
        let new = Known {
            ty: value.ty.clone(),
            keys: types,
            sure,
        };
        match self.names.known.get(name) {
            None => {}
            Some(old) if old.sure == Sure::Guessed && sure > Sure::Guessed => {}
            Some(old) if old.sure == Sure::Null && sure == Sure::Assigned && new.ty.is_str() => {}
            Some(old) => return old.clone(),
        }
        self.names.known.insert(name.clone(), new.clone());
        new
    }

    /// What is known of a variable that is read; nothing when it was never assigned.
    pub(super) fn known(&self, name: &Name) -> Option<Known> {
        self.names.known.get(name).cloned()
    }

    /// The error of a name that is none.
    pub(super) fn unknown_name(&mut self, name: &str, span: Span) {
        let own = self
            .names
            .known
            .keys()
            .filter(|it| it.0 == ScopeKey::Global)
            .map(|it| it.1.as_str());
        self.guesses = self.guesses.saturating_add(1);
        let similar = match self.guesses {
            ..=MAX_GUESSES => builtins::similar(&[Kind::Variable], name, own),
            _ => None,
        };
        let message = format!("failed to resolve {name}: unknown variable name");
        let scoped = [(ScopeKey::Thread, "self"), (ScopeKey::Clause, "this")]
            .into_iter()
            .find(|(scope, _)| self.names.known.contains_key(&(*scope, name.to_owned())));
        match (scoped, similar) {
            (Some((_, prefix)), _) => {
                self.hint(span, message, format!("did you mean `{prefix}->{name}`?"));
            }
            (None, Some(similar)) => self.hint(span, message, format!("did you mean `{similar}`?")),
            (None, None) => self.error(span, message),
        }
    }

    /// Where a scalar is kept.
    pub(super) fn scalar(&mut self, name: &Name, ty: &Type) -> Place {
        if let Some(place) = self.names.scalars.get(name) {
            return *place;
        }
        let (table, scope) = match name.0 {
            ScopeKey::Global => (&mut self.program.globals, ir::Scope::Global),
            ScopeKey::Thread => (&mut self.program.thread_locals, ir::Scope::Thread),
            ScopeKey::Clause => (&mut self.program.firing_locals, ir::Scope::Firing),
        };
        let index = table.len();
        let (initial, place) = match kind(ty) {
            ir::Type::Int => (Initial::Int(0), Place::Int(IntVar { scope, index })),
            ir::Type::Str => (
                Initial::Str(Vec::new()),
                Place::Str(StrVar { scope, index }),
            ),
        };
        table.push(Variable {
            name: shown(name),
            initial,
        });
        self.names.scalars.insert(name.clone(), place);
        place
    }

    /// An associative array.
    pub(super) fn array(&mut self, name: &Name, known: &Known, span: Span) -> ArrayId {
        if let Some(id) = self.names.arrays.get(name) {
            return *id;
        }
        let id = ArrayId(self.program.arrays.len());
        self.program.arrays.push(Array {
            name: shown(name),
            per_thread: name.0 == ScopeKey::Thread,
            keys: known.keys.iter().flatten().map(kind).collect(),
            value: kind(&known.ty),
            limit: None,
            wraps: false,
            zero_removes: true,
            span,
        });
        self.names.arrays.insert(name.clone(), id);
        id
    }

    /// An integer that the program itself keeps, by a name that no program can write.
    pub(super) fn hidden(&mut self, name: &str) -> IntVar {
        let name = (ScopeKey::Global, format!("<{name}>"));
        match self.scalar(&name, &Type::Int(INT64)) {
            Place::Int(var) => var,
            Place::Str(var) => IntVar {
                scope: var.scope,
                index: var.index,
            },
        }
    }
}

pub(super) fn ir_type(ty: &Type) -> ir::Type {
    kind(ty)
}
