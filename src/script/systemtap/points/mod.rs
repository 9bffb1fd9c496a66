//! From probe points as they are written to what the tracer is asked for: aliases are followed, globs expanded.

mod alias;
mod basic;
mod process;

pub use alias::{Aliases, Origin};

use super::ast::{Argument, Component, Expr, Point, Probe, Stmt};
use super::builtins::{self, Kind, Status};
use super::settings::Settings;
use super::similar::{hint, similar};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::ir::Trigger;
use crate::script::source::Span;

/// How far aliases may lead to aliases.
const MAX_ALIASES: usize = 50;

/// The most points that one probe may come to.
const MAX_DERIVED: usize = 10_000;

/// What there is at a point: which variables of the traced program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Nothing: `begin`, `end`, timers.
    Plain,
    /// A marker with so many arguments.
    Mark(usize),
    /// A function.
    Function {
        /// At its return.
        returns: bool,
    },
    /// A system call.
    Syscall {
        /// At its return.
        returns: bool,
    },
    /// A process or thread.
    Process,
}

/// A probe at one point.
#[derive(Clone, Debug)]
pub struct Derived<'a> {
    /// What it runs on.
    pub trigger: Trigger,
    /// What there is.
    pub site: Site,
    /// What runs, one behind the other: those of aliases, and its own.
    pub bodies: Vec<&'a [Stmt]>,
    /// What must hold.
    pub conditions: Vec<&'a Expr>,
}

/// What a point leads to.
type Found<'a> = Result<Vec<Derived<'a>>, Diagnostic>;

/// Resolves points.
pub struct Resolver<'a, 's> {
    /// The command line.
    pub settings: &'s Settings<'s>,
    /// The aliases.
    pub aliases: &'s Aliases<'a>,
    /// The names of timers ([`crate::script::ir::TimerName`]).
    pub timers: Vec<String>,
}

/// What is on the way to a point.
#[derive(Clone)]
struct Way<'a> {
    bodies: Vec<&'a [Stmt]>,
    conditions: Vec<&'a Expr>,
    optional: bool,
    depth: usize,
    /// Where the probe stands that is resolved.
    span: Span,
}

impl<'a> Resolver<'a, '_> {
    /// All that a probe runs on.
    pub fn probe(&mut self, probe: &'a Probe, diagnostics: &mut Diagnostics) -> Vec<Derived<'a>> {
        let way = Way {
            bodies: vec![&probe.body],
            conditions: Vec::new(),
            optional: false,
            depth: 0,
            span: probe.span,
        };
        let mut errors = Vec::new();
        let derived = self.list(&probe.points, &[], &way, &mut errors);
        for error in errors {
            diagnostics.push(error);
        }
        derived
    }

    /// All that a list of points leads to. `suffix` stands behind each.
    fn list(
        &mut self,
        points: &'a [Point],
        suffix: &[Component],
        way: &Way<'a>,
        errors: &mut Vec<Diagnostic>,
    ) -> Vec<Derived<'a>> {
        let mut all = Vec::new();
        for point in points {
            let mut inner = way.clone();
            inner.optional |= point.optional;
            if way.depth == 0 {
                inner.span = point.span;
            }
            inner.conditions.extend(&point.condition);
            let components = [point.components.as_slice(), suffix].concat();
            let mut own = Vec::new();
            let found = self.point(&components, point, &inner, &mut own);
            let matched = !found.is_empty();
            all.extend(found);
            if !inner.optional {
                errors.append(&mut own);
            }
            if all.len() > MAX_DERIVED {
                errors.push(Diagnostic::error(
                    point.span,
                    "semantic error: too many probe points",
                ));
                break;
            }
            if point.sufficient && matched {
                break;
            }
        }
        all
    }

    fn point(
        &mut self,
        components: &[Component],
        point: &'a Point,
        way: &Way<'a>,
        errors: &mut Vec<Diagnostic>,
    ) -> Vec<Derived<'a>> {
        if way.depth > MAX_ALIASES {
            errors.push(Diagnostic::error(
                way.span,
                format!("semantic error: aliases lead to each other more than {MAX_ALIASES} times"),
            ));
            return Vec::new();
        }
        let matches = self.aliases.find(components, point.span);
        if matches.is_empty() {
            return match self.direct(components, way) {
                Ok(found) => found,
                Err(error) => {
                    errors.push(error);
                    Vec::new()
                }
            };
        }
        let mut all = Vec::new();
        for (alias, suffix) in matches {
            let mut inner = way.clone();
            inner.depth += 1;
            if alias.epilogue {
                inner.bodies.push(&alias.body);
            } else {
                inner.bodies.insert(0, &alias.body);
            }
            all.extend(self.list(&alias.points, &suffix, &inner, errors));
            if all.len() > MAX_DERIVED {
                break;
            }
        }
        if all.is_empty() && errors.is_empty() && !way.optional {
            let message = "semantic error: no match";
            errors.push(
                Diagnostic::error(way.span, message)
                    .hint("what the alias stands for matches nothing"),
            );
        }
        all
    }

    /// A point that is no alias.
    fn direct(&mut self, components: &[Component], way: &Way<'a>) -> Found<'a> {
        let Some(first) = components.first() else {
            return Ok(Vec::new());
        };
        let found = match first.name.as_str() {
            "begin" | "end" | "error" | "never" | "timer" => self.basic(components, way)?,
            "process" => process::resolve(self.settings, components, way.span)?,
            other => return Err(unknown(other, first, way.span, self.aliases)),
        };
        let derived = found.into_iter().map(|(trigger, site)| Derived {
            trigger: with_optional(trigger, way.optional),
            site,
            bodies: way.bodies.clone(),
            conditions: way.conditions.clone(),
        });
        Ok(derived.collect())
    }
}

fn with_optional(mut trigger: Trigger, optional: bool) -> Trigger {
    if let Trigger::Traced(traced) = &mut trigger {
        traced.optional |= optional;
    }
    trigger
}

/// The error for a point that is not known.
fn unknown(name: &str, first: &Component, at: Span, aliases: &Aliases<'_>) -> Diagnostic {
    let row = builtins::named(Kind::Point, name);
    if let Some(Status::Refused(why)) = row.map(|row| row.status) {
        return Diagnostic::error(
            at,
            format!("semantic error: the probe point {name} is refused: {why}"),
        );
    }
    let own = aliases.names();
    let mut names: Vec<&str> = own.iter().map(String::as_str).collect();
    for known in builtins::names(Kind::Point).filter(|it| !it.contains('.')) {
        names.push(known);
    }
    let near = similar(name, names.into_iter(), 5);
    let span = if first.span.source == at.source {
        first.span
    } else {
        at
    };
    let message = format!(
        "semantic error: probe point mismatch{}",
        hint("similar", &near)
    );
    Diagnostic::error(span, message)
}

/// A point as it is written.
pub fn text(components: &[Component]) -> String {
    let parts = components.iter().map(|it| match &it.argument {
        None => it.name.clone(),
        Some(Argument::Number(number)) => format!("{}({number})", it.name),
        Some(Argument::Text(text)) => format!("{}({})", it.name, quoted(text)),
    });
    parts.collect::<Vec<String>>().join(".")
}

/// A string as it is written.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The error that a part means nothing there.
fn mismatch(component: &Component, at: Span, known: &[&str]) -> Diagnostic {
    let near = similar(&component.name, known.iter().copied(), 5);
    let message = format!(
        "semantic error: probe point mismatch at '{}'{}",
        component.name,
        hint("similar", &near)
    );
    let span = if component.span.source == at.source {
        component.span
    } else {
        at
    };
    Diagnostic::error(span, message)
}
