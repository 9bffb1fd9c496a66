//! What is wrong with a script: one type for all languages.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::source::{Sources, Span};

/// After so many errors the rest is not reported: they are mostly echoes of the first.
const MAX_ERRORS: usize = 20;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The script cannot be run.
    Error,
    /// It can, but may not do what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to write instead, or why; each a line of its own.
    pub hints: Vec<String>,
    /// Other places that belong to it, and what they have to do with it.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// An error.
    pub fn error(span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            span,
            hints: Vec::new(),
            related: Vec::new(),
        }
    }

    /// A warning.
    pub fn warning(span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error(span, message)
        }
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hints.push(hint.into());
        self
    }

    /// With another place.
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.related.push((span, text.into()));
        self
    }
}

/// All that is wrong with a script, in the order in which it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one. The same error at the same place is told once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let told = |it: &Diagnostic| it.span == diagnostic.span && it.message == diagnostic.message;
        if !self.all.iter().rev().take(MAX_ERRORS).any(told) {
            self.all.push(diagnostic);
        }
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: Diagnostics) {
        for diagnostic in other.all {
            self.push(diagnostic);
        }
    }

    /// Whether the script cannot be run.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter().filter(|it| it.severity == Severity::Error)
    }

    /// Errors and warnings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }

    /// As text for a terminal, with the lines of the script that are meant.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        let mut errors = 0_usize;
        for diagnostic in &self.all {
            if diagnostic.severity == Severity::Error {
                errors = errors.saturating_add(1);
                if errors > MAX_ERRORS {
                    continue;
                }
            }
            text.push_str(&renderer.render(&[group(diagnostic, sources)]));
            text.push('\n');
        }
        if errors > MAX_ERRORS {
            let more = errors - MAX_ERRORS;
            text.push_str(&format!("error: {more} more errors are not shown\n"));
        }
        text
    }
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
    let primary = AnnotationKind::Primary.span(range(diagnostic.span, sources));
    if let Some(source) = sources.get(diagnostic.span.source) {
        let mut snippet = Snippet::source(source.text.as_str())
            .path(source.name.as_str())
            .annotation(primary);
        for (span, text) in &diagnostic.related {
            if span.source == diagnostic.span.source {
                let place = AnnotationKind::Context.span(range(*span, sources));
                snippet = snippet.annotation(place.label(text.as_str()));
            }
        }
        group = group.element(snippet);
    }
    for hint in &diagnostic.hints {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}

/// The range of a span, made to fit the text.
fn range(span: Span, sources: &Sources) -> std::ops::Range<usize> {
    let text = sources.text(span.source);
    let fit = |offset: u32| {
        let mut offset = (offset as usize).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    fit(span.start)..fit(span.end.max(span.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_the_line_and_the_hint() {
        let mut sources = Sources::default();
        let id = sources
            .add("x.d", b"BEGIN\n{ trace(nosuch); }\n")
            .expect("short");
        let mut all = Diagnostics::default();
        let span = Span::new(id, 14..20);
        all.push(Diagnostic::error(span, "nosuch is not defined").hint("did you mean `arg0`?"));
        all.push(Diagnostic::error(span, "nosuch is not defined"));
        let text = all.render(&sources, false);
        assert_eq!(text.matches("nosuch is not defined").count(), 1, "{text}");
        assert!(text.contains("x.d:2:9"), "{text}");
        assert!(text.contains("^^^^^^"), "{text}");
        assert!(text.contains("did you mean `arg0`?"), "{text}");
    }

    #[test]
    fn spans_that_do_not_fit_and_floods_do_no_harm() {
        let mut sources = Sources::default();
        let id = sources.add("x.d", "\u{e9}".as_bytes()).expect("short");
        let mut all = Diagnostics::default();
        for at in 0..100 {
            all.push(Diagnostic::error(
                Span::new(id, at..at + 5),
                format!("wrong {at}"),
            ));
        }
        let text = all.render(&sources, false);
        assert!(text.contains("80 more errors"), "{text}");
        assert!(all.has_errors());
    }
}
