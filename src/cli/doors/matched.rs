//! What dtrace(8) says before a program runs: how many probes each text matched, or which of its probe descriptions
//! matches none.

use super::survey::Survey;
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::ir::{Handler, Program, Traced, Trigger};
use crate::script::plan::Wanted;
use crate::script::source::{SourceId, Sources};
use crate::script::systemtap::similar::similar;

/// How many similar names are shown.
const MOST_SIMILAR: usize = 3;

/// How many probes a program matches.
#[derive(Debug, Default)]
pub struct Matched {
    /// The probes of each handler.
    handlers: Vec<u64>,
    /// The descriptions that match nothing though they must.
    pub unmatched: Diagnostics,
}

impl Matched {
    /// Counts. BEGIN, END, ERROR and each timer are one probe each.
    pub fn of(program: &Program, wanted: &Wanted, survey: &Survey) -> Matched {
        let mut matches = survey.matches(&wanted.plan).into_iter();
        let mut matched = Matched::default();
        // Requests come in the order of the triggers that make them.
        for handler in &program.handlers {
            let mut count = 0_u64;
            for trigger in &handler.triggers {
                let found = match trigger {
                    Trigger::Traced(traced) => {
                        let found = matches.next().map_or(0, |it| it.len());
                        if found == 0 && !traced.optional && !survey.is_unknown() {
                            matched.unmatched.push(unmatched(handler, traced, survey));
                        }
                        u64::try_from(found).unwrap_or(u64::MAX)
                    }
                    Trigger::Never => 0,
                    // The end that every program has is none of its own.
                    Trigger::End(i64::MAX) => 0,
                    _ => 1,
                };
                count = count.saturating_add(found);
            }
            matched.handlers.push(count);
        }
        matched
    }

    /// What is said of a text: `script 'x.d' matched 3 probes`.
    pub fn sentence(&self, program: &Program, sources: &Sources, id: SourceId) -> String {
        let counts = program.handlers.iter().zip(&self.handlers);
        let own = counts.filter(|(handler, _)| handler.span.source == id);
        let count: u64 = own.map(|(_, count)| *count).sum();
        let what = match sources.get(id) {
            Some(source) if source.name == COMMAND_LINE => {
                format!("description '{}'", description(&source.text))
            }
            Some(source) => format!("script '{}'", source.name),
            None => "script ''".to_owned(),
        };
        let plural = if count == 1 { "" } else { "s" };
        format!("{what} matched {count} probe{plural}")
    }
}

/// The name of what stands on the command line.
pub const COMMAND_LINE: &str = "<command line>";

/// The probes of a clause, without predicate and actions.
fn description(text: &str) -> &str {
    let end = text.find(['/', '{']).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

fn unmatched(handler: &Handler, traced: &Traced, survey: &Survey) -> Diagnostic {
    let text = match survey.target() {
        Some(target) => traced.text.replace("$target", &target.to_string()),
        None => traced.text.clone(),
    };
    let message = format!("probe description {text} does not match any probes");
    let names = survey.marker_names();
    let name = traced.text.rsplit(':').next().unwrap_or("");
    let like = similar(name, names.iter().map(String::as_str), MOST_SIMILAR);
    let diagnostic = Diagnostic::error(handler.span, message);
    if like.is_empty() {
        diagnostic.hint("nothing that is traced has markers; -Z permits that nothing matches")
    } else {
        let like = like.join(", ");
        diagnostic.hint(format!(
            "similar: {like} (all of them: -l); -Z permits that nothing matches"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_ends_where_the_clause_begins() {
        // As DTrace 2.0.7 says it.
        for (text, expected) in [
            ("BEGIN", "BEGIN"),
            ("BEGIN { exit(4); }", "BEGIN "),
            ("python*:::line /pid == 3/", "python*:::line "),
        ] {
            assert_eq!(description(text), expected);
        }
    }
}
