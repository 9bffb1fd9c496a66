//! SystemTap's language (stap(1)).
//!
//! ```text
//! text ─ lexer ─ preprocess ─ parser ─► ast ─ points, analysis ─ lower ─► ir::Program
//! ```
//!
//! The language is found in the manual page stap(1), probe points in stapprobes(3stap), functions in stapfuncs(3stap).
//! What is supported, emulated or refused is in one table: [`builtins`].

pub mod analysis;
pub mod ast;
pub mod builtins;
mod compile;
mod conversion;
mod dump;
mod lexer;
mod limits;
mod list;
pub mod lower;
mod parser;
pub mod points;
mod preprocess;
pub mod programs;
mod regex;
mod settings;
pub mod similar;
mod tapset;
mod token;
mod voice;

pub use compile::compile;
pub use dump::dump;
pub use list::{Matched, match_points};
pub use programs::{Mark, NoPrograms, Programs};
pub use settings::Settings;
pub use voice::StapVoice;

use super::diagnostic::Diagnostics;
use super::source::{SourceId, Sources, Span};

/// Parses a script alone: without tapsets, without looking at what names mean.
pub fn parse(sources: &Sources, id: SourceId, settings: &Settings<'_>) -> (ast::File, Diagnostics) {
    let mut macros = preprocess::Macros::new();
    parse_with(sources, id, settings, &mut macros)
}

/// Parses a script or tapset file with the macros that are there.
fn parse_with(
    sources: &Sources,
    id: SourceId,
    settings: &Settings<'_>,
    macros: &mut preprocess::Macros,
) -> (ast::File, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let length = sources.text(id).len();
    let whole = Span::new(id, 0..length);
    let tokens = lexer::lex(sources, whole, &settings.arguments);
    let tokens = preprocess::preprocess(&tokens, settings, macros, &mut diagnostics);
    let end = Span::new(id, length..length);
    let file = parser::parse(tokens, end, settings.guru, &mut diagnostics);
    (file, diagnostics)
}

#[cfg(test)]
mod tests;
