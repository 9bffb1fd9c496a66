//! From a script to the program: all steps in their order.

use std::sync::Arc;

use super::analysis::{Declarations, Inference, Unit};
use super::ast::{Expr, File, Item, Probe, Stmt};
use super::limits;
use super::lower::Lowering;
use super::points::{Aliases, Derived, Origin, Resolver, Site};
use super::preprocess::Macros;
use super::settings::Settings;
use super::voice::StapVoice;
use super::{parse_with, tapset};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::ir::{Options, Program, Trigger};
use crate::script::source::{SourceId, Sources, Span};

/// Compiles a script. `None` comes with at least one error.
pub fn compile(
    sources: &mut Sources,
    id: SourceId,
    settings: &Settings<'_>,
) -> (Option<Program>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let start = Span::new(id, 0..0);
    let options = limits::options(&settings.defines, start, &mut diagnostics);
    let mut macros = Macros::new();
    let tapsets = tapset::load(sources, settings, &mut macros, start, &mut diagnostics);
    let (script, wrong) = parse_with(sources, id, settings, &mut macros);
    diagnostics.append(wrong);
    if diagnostics.has_errors() {
        return (None, diagnostics);
    }
    let mut declared = Declared::default();
    declared.script(&script, &mut diagnostics);
    for (file, origin) in &tapsets {
        declared.tapset(file, *origin);
    }
    let program = declared.program(settings, sources, options, &mut diagnostics);
    let program = program.filter(|_| !diagnostics.has_errors());
    (program, diagnostics)
}

/// What is declared where.
#[derive(Default)]
pub(super) struct Declared<'a> {
    pub(super) declarations: Declarations<'a>,
    pub(super) aliases: Aliases<'a>,
    pub(super) probes: Vec<&'a Probe>,
}

/// Probes at points that see the same and do the same.
struct Group<'a> {
    bodies: Vec<&'a [Stmt]>,
    conditions: Vec<&'a Expr>,
    site: Site,
    triggers: Vec<Trigger>,
    span: Span,
}

impl<'a> Declared<'a> {
    pub(super) fn script(&mut self, file: &'a File, diagnostics: &mut Diagnostics) {
        for item in &file.items {
            match item {
                Item::Probe(probe) => self.probes.push(probe),
                Item::Alias(alias) => self.aliases.add(alias, Origin::User),
                Item::Global(global) => {
                    if let Some(first) = self.declarations.add_global(global, false) {
                        let error = Diagnostic::error(
                            global.name.span,
                            "parse error: duplicate global name",
                        );
                        diagnostics.push(error.related(first.name.span, "declared here"));
                    }
                }
                Item::Function(function) => {
                    if let Some(first) = self.declarations.add_function(function, Origin::User) {
                        let message = format!(
                            "the function '{}' is declared before: that one is used",
                            function.name.text
                        );
                        let warning = Diagnostic::warning(function.name.span, message);
                        diagnostics.push(warning.related(first.name.span, "declared here"));
                    }
                }
                Item::Embedded(span) => diagnostics.push(super::parser::embedded(*span)),
            }
        }
    }

    pub(super) fn tapset(&mut self, file: &'a File, origin: Origin) {
        for item in &file.items {
            match item {
                Item::Alias(alias) => self.aliases.add(alias, origin),
                Item::Global(global) => {
                    self.declarations.add_global(global, true);
                }
                Item::Function(function) => {
                    self.declarations.add_function(function, origin);
                }
                // A tapset is there to be used: it does nothing by itself.
                Item::Probe(_) | Item::Embedded(_) => {}
            }
        }
    }

    fn program(
        &self,
        settings: &Settings<'_>,
        sources: &Sources,
        options: Options,
        diagnostics: &mut Diagnostics,
    ) -> Option<Program> {
        let mut resolver = Resolver {
            settings,
            aliases: &self.aliases,
            timers: Vec::new(),
        };
        let groups = self.groups(&mut resolver, diagnostics);
        if groups.is_empty() && !diagnostics.has_errors() {
            let message = "semantic error: no probes found";
            diagnostics.push(Diagnostic::error(Span::default(), message));
        }
        let mut inference = Inference::new(&self.declarations);
        inference.guru = settings.guru;
        let handlers: Vec<Unit> = groups
            .iter()
            .map(|group| {
                let body = group
                    .bodies
                    .iter()
                    .flat_map(|it| it.iter().cloned())
                    .collect();
                let conditions = group.conditions.iter().map(|it| (*it).clone()).collect();
                inference.handler(body, conditions, group.site)
            })
            .collect();
        let functions = inference.functions();
        inference.finish();
        diagnostics.append(std::mem::take(&mut inference.diagnostics));
        if diagnostics.has_errors() {
            return None;
        }
        for unit in handlers.iter().chain(&functions) {
            inference.warn_unassigned(unit);
        }
        diagnostics.append(std::mem::take(&mut inference.diagnostics));
        let mut lowering = Lowering::new(&mut inference, &options);
        for unit in &functions {
            lowering.function(unit);
        }
        for (group, unit) in groups.into_iter().zip(&handlers) {
            lowering.handler(unit, group.triggers, group.span);
        }
        lowering.display();
        diagnostics.append(std::mem::take(&mut lowering.diagnostics));
        let tables = std::mem::take(&mut lowering.tables);
        Some(Program {
            globals: tables.globals,
            thread_locals: Vec::new(),
            firing_locals: Vec::new(),
            arrays: tables.arrays,
            aggregations: tables.aggregations,
            functions: tables.functions,
            handlers: tables.handlers,
            options,
            voice: Arc::new(StapVoice::new(Arc::new(sources.clone()), resolver.timers)),
        })
    }

    fn groups(
        &self,
        resolver: &mut Resolver<'a, '_>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for probe in &self.probes {
            let first = groups.len();
            for derived in resolver.probe(probe, diagnostics) {
                let own = groups.get_mut(first..).unwrap_or(&mut []);
                match own.iter_mut().find(|group| same(group, &derived)) {
                    Some(group) => group.triggers.push(derived.trigger),
                    None => groups.push(Group {
                        bodies: derived.bodies,
                        conditions: derived.conditions,
                        site: derived.site,
                        triggers: vec![derived.trigger],
                        span: probe.span,
                    }),
                }
            }
        }
        groups
    }
}

fn same(group: &Group<'_>, derived: &Derived<'_>) -> bool {
    group.site == derived.site
        && group.bodies.len() == derived.bodies.len()
        && group.conditions.len() == derived.conditions.len()
        && group
            .bodies
            .iter()
            .zip(&derived.bodies)
            .all(|(a, b)| std::ptr::eq(*a, *b))
        && group
            .conditions
            .iter()
            .zip(&derived.conditions)
            .all(|(a, b)| std::ptr::eq(*a, *b))
}
