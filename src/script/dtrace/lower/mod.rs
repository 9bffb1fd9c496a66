//! The tree to the intermediate program: names become indexes, types decide operators and conversions, builtins are
//! looked up in their table.

mod action;
mod aggregation;
mod assign;
mod call;
mod clause;
mod expression;
mod memory;
mod names;
mod operator;
mod printa;
mod printf;
mod typed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ast::{self, Item, Script, TypeName};
use super::options::Options;
use super::types::{self, Type};
use super::voice::Words;
use super::{Compiled, Settings, Unit};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::ir;
use crate::script::source::{SourceId, Span};
use aggregation::Summarised;
use names::{Known, Names};

/// Rounds until the types of variables stay as they are; a variable's type may depend on another's that is assigned
/// later, but chains of such are short.
const MAX_ROUNDS: usize = 6;

/// How deep inline constants may stand for each other.
const MAX_INLINES: u16 = 16;

/// How much larger than its text a program may become by inline constants, in expressions.
const MAX_INLINED: u32 = 100_000;

/// An inline constant.
#[derive(Clone)]
struct Constant {
    ty: Type,
    value: ast::Expr,
}

/// The clause that is being lowered.
#[derive(Default)]
struct Place {
    /// All of its probes are returns of system calls.
    syscall_return: bool,
    /// What the types of `args[]` are known from.
    arguments: Vec<ir::Trigger>,
    /// The index of its handler.
    index: usize,
    /// It prints, or does nothing at all: it has a row.
    records: bool,
}

struct Lower<'a> {
    settings: &'a Settings,
    options: Options,
    diagnostics: Diagnostics,
    program: ir::Program,
    words: Words,
    names: Names,
    constants: BTreeMap<String, Constant>,
    typedefs: BTreeMap<String, Type>,
    aggregations: Vec<Summarised>,
    /// Indexes into them by their names.
    aggregation_names: BTreeMap<String, usize>,
    used_arguments: BTreeSet<usize>,
    inlining: u16,
    inlined: u32,
    /// How many names have been looked for that someone may have meant.
    guesses: usize,
    place: Place,
    python_stack: bool,
}

/// Lowers parsed texts to one program.
pub(super) fn lower(
    units: &[(Script, Unit)],
    settings: &Settings,
) -> (Option<Compiled>, Diagnostics) {
    let mut known = BTreeMap::new();
    for round in 1..=MAX_ROUNDS {
        let mut lower = Lower::new(settings, known.clone());
        lower.units(units);
        if lower.names.known == known || round == MAX_ROUNDS {
            return lower.finish();
        }
        known = lower.names.known;
    }
    (None, Diagnostics::default())
}

impl<'a> Lower<'a> {
    fn new(settings: &'a Settings, known: BTreeMap<names::Name, Known>) -> Lower<'a> {
        Lower {
            settings,
            options: Options::default(),
            diagnostics: Diagnostics::default(),
            program: ir::Program {
                globals: Vec::new(),
                thread_locals: Vec::new(),
                firing_locals: Vec::new(),
                arrays: Vec::new(),
                aggregations: Vec::new(),
                functions: Vec::new(),
                handlers: Vec::new(),
                options: ir::Options::default(),
                voice: Arc::new(Words::default()),
            },
            words: Words::default(),
            names: Names::new(known),
            constants: BTreeMap::new(),
            typedefs: BTreeMap::new(),
            aggregations: Vec::new(),
            aggregation_names: BTreeMap::new(),
            used_arguments: BTreeSet::new(),
            inlining: 0,
            inlined: 0,
            guesses: 0,
            place: Place::default(),
            python_stack: false,
        }
    }

    fn units(&mut self, units: &[(Script, Unit)]) {
        let source = units.first().map_or(SourceId::default(), |it| it.1.source);
        self.command_line(Span::new(source, 0..0));
        for (script, _) in units {
            for pragma in &script.pragmas {
                self.options.pragma(pragma, &mut self.diagnostics);
            }
        }
        for (script, unit) in units {
            for item in &script.items {
                self.item(item, *unit);
            }
        }
        self.extraneous(Span::new(source, 0..0));
        self.ending();
    }

    /// The options of the command line.
    fn command_line(&mut self, span: Span) {
        for (name, value) in &self.settings.options {
            if let Err(message) = self.options.set(name, value.as_deref()) {
                self.diagnostics.push(Diagnostic::error(span, message));
            }
        }
        self.options.quiet |= self.settings.quiet;
        self.options.flow |= self.settings.flow;
        self.options.destructive |= self.settings.destructive;
        self.options.unmatched |= self.settings.permit_unmatched;
    }

    /// Arguments that the program does not look at are mistakes, as dtrace has it.
    fn extraneous(&mut self, span: Span) {
        for (index, text) in self.settings.arguments.iter().enumerate() {
            let number = index.saturating_add(1);
            if !self.used_arguments.contains(&number) {
                let message = format!("extraneous argument '{text}' (${number} is not referenced)");
                self.hint(span, message, "a command to trace stands behind -c");
            }
        }
    }

    fn item(&mut self, item: &Item, unit: Unit) {
        match item {
            Item::Clause(clause) => self.clause(clause, unit),
            Item::Variable(declaration) => self.declare(declaration),
            Item::Inline(inline) => {
                let Some(ty) = self.resolve(&inline.ty) else {
                    return;
                };
                let value = inline.value.clone();
                self.constants
                    .insert(inline.name.clone(), Constant { ty, value });
            }
            Item::Typedef(typedef) => {
                if let Some(ty) = self.resolve(&typedef.ty) {
                    self.typedefs.insert(typedef.name.clone(), ty);
                }
            }
            Item::Enum(all) => self.enumerators(all),
        }
    }

    fn enumerators(&mut self, all: &[ast::Enumerator]) {
        let mut next = 0_i64;
        for it in all {
            if let Some(value) = &it.value {
                let Some(value) = self.constant(value, "an enumerator") else {
                    return;
                };
                next = value;
            }
            let value = ast::Expr {
                kind: ast::ExprKind::Int(ast::Int {
                    value: next.cast_unsigned(),
                    decimal: true,
                    unsigned: false,
                    long: false,
                }),
                span: it.span,
                height: 1,
            };
            let ty = Type::Int(types::INT);
            self.constants
                .insert(it.name.clone(), Constant { ty, value });
            next = next.wrapping_add(1);
        }
    }

    /// A type by its name.
    fn resolve(&mut self, name: &TypeName) -> Option<Type> {
        let base = match self.typedefs.get(&name.name) {
            Some(ty) => Ok(ty.clone()),
            None => types::named(&name.name),
        };
        // What a pointer points to need not be known until it is looked at.
        let base = match base {
            Ok(base) => base,
            Err(_) if name.pointers > 0 => Type::Void,
            Err(message) => {
                self.error(name.span, message);
                return None;
            }
        };
        let wrap = |ty, _| Type::Pointer(Box::new(ty));
        Some((0..name.pointers).fold(base, wrap))
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(span, message));
    }

    fn hint(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.diagnostics
            .push(Diagnostic::error(span, message).hint(hint));
    }

    fn finish(mut self) -> (Option<Compiled>, Diagnostics) {
        let max_string = self.options.strsize.saturating_sub(1);
        self.program.options = ir::Options {
            max_errors: None,
            discard_on_error: true,
            max_string: usize::try_from(max_string).unwrap_or(usize::MAX),
            unsigned_keys: true,
            python_stack: self.python_stack,
            ..ir::Options::default()
        };
        self.program.voice = Arc::new(self.words);
        let compiled = Compiled {
            program: self.program,
            options: self.options,
        };
        let compiled = Some(compiled).filter(|_| !self.diagnostics.has_errors());
        (compiled, self.diagnostics)
    }
}
