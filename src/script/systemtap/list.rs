//! The points that a pattern matches, for `stap -l` and `-L`.

use super::ast::{File, Item};
use super::compile::Declared;
use super::points::{Resolver, Site};
use super::preprocess::Macros;
use super::settings::Settings;
use super::{parse_with, tapset};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::ir::Trigger;
use crate::script::source::{Sources, Span};

/// A point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Matched {
    /// As it is written: `process("/usr/bin/python3.9").mark("line")`.
    pub point: String,
    /// Its variables and their types: `$arg1:long`.
    pub variables: Vec<String>,
}

impl Matched {
    /// The line of `stap -L`.
    pub fn with_variables(&self) -> String {
        let mut line = self.point.clone();
        for variable in &self.variables {
            line.push(' ');
            line.push_str(variable);
        }
        line
    }
}

/// The points that a pattern matches, ascending, each once.
pub fn match_points(
    pattern: &str,
    settings: &Settings<'_>,
) -> (Vec<Matched>, Sources, Diagnostics) {
    let mut sources = Sources::default();
    let mut diagnostics = Diagnostics::default();
    let text = format!("probe {pattern} {{}}");
    let id = match sources.add("<input>", text.as_bytes()) {
        Ok(id) => id,
        Err(error) => {
            diagnostics.push(Diagnostic::error(Span::default(), error.to_string()));
            return (Vec::new(), sources, diagnostics);
        }
    };
    let start = Span::new(id, 0..0);
    let mut macros = Macros::new();
    let tapsets = tapset::load(&mut sources, settings, &mut macros, start, &mut diagnostics);
    let (script, wrong) = parse_with(&sources, id, settings, &mut macros);
    diagnostics.append(wrong);
    let mut matched = resolve(&script, &tapsets, settings, &mut diagnostics);
    matched.sort();
    matched.dedup();
    (matched, sources, diagnostics)
}

fn resolve(
    script: &File,
    tapsets: &[(File, super::points::Origin)],
    settings: &Settings<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Matched> {
    let mut declared = Declared::default();
    for (file, origin) in tapsets {
        declared.tapset(file, *origin);
    }
    let mut all = Vec::new();
    for item in &script.items {
        let Item::Probe(probe) = item else { continue };
        let mut resolver = Resolver {
            settings,
            aliases: &declared.aliases,
            timers: Vec::new(),
        };
        for point in &probe.points {
            let names = declared.aliases.matching(&point.components, point.span);
            if !names.is_empty() {
                let points = names.into_iter().map(|point| Matched {
                    point,
                    variables: Vec::new(),
                });
                all.extend(points);
                continue;
            }
            let direct = resolver.probe(probe, diagnostics);
            for derived in direct {
                if let Trigger::Traced(traced) = derived.trigger {
                    let count = match derived.site {
                        Site::Mark(count) => count,
                        _ => 0,
                    };
                    all.push(Matched {
                        point: traced.text,
                        variables: (1..=count).map(|it| format!("$arg{it}:long")).collect(),
                    });
                }
            }
        }
    }
    all
}
