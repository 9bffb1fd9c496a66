//! The D language of DTrace ("Dynamic Tracing Guide"; dtrace(1)): text to tree to [`Program`].
//!
//! ```text
//! text ─ lexer ─ parser ─► ast::Script ─ lower (types, names, builtins) ─► ir::Program
//! ```
//!
//! Types cannot be known in one go: `self->ts` may be tested before the clause that first assigns it. So lowering runs
//! until the types of all variables stay as they are, which is after two or three rounds; the messages are those of the
//! last.

pub mod ast;
pub mod builtins;
mod conversion;
mod dump;
mod lexer;
mod lower;
mod macros;
mod options;
mod parser;
mod probes;
mod token;
pub mod types;
mod voice;

pub use dump::dump;
pub use options::Options;
pub use parser::{MAX_HEIGHT, MAX_NESTING};
pub use probes::Spec;

use super::diagnostic::Diagnostics;
use super::ir::Program;
use super::source::{SourceId, Sources};
use crate::event::Ids;

/// What the command line says of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The arguments `$1`, `$2`, …
    pub arguments: Vec<String>,
    /// What `$0` is: the script's path.
    pub script_name: String,
    /// `-q`
    pub quiet: bool,
    /// `-F`
    pub flow: bool,
    /// `-w`
    pub destructive: bool,
    /// `-x NAME[=VALUE]`, in order.
    pub options: Vec<(String, Option<String>)>,
    /// `-Z`: probes that match nothing are no error.
    pub permit_unmatched: bool,
    /// What `$pid` is: the tracer's own process id.
    pub pid: i32,
    /// What `$ppid`, `$uid` and so on are: the tracer's own.
    pub ids: Ids,
}

/// A text to be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The text.
    pub source: SourceId,
    /// What the last field of a probe description is.
    pub spec: Spec,
    /// A clause may have no braces: all but scripts.
    pub bare: bool,
}

impl Unit {
    /// A script (`-s`).
    pub fn script(source: SourceId) -> Unit {
        Unit {
            source,
            spec: Spec::Name,
            bare: false,
        }
    }

    /// What the command line has for `-P`, `-m`, `-f` or `-n`: `probe /predicate/ { actions }`, of which only the probe
    /// must be there.
    pub fn clause(source: SourceId, spec: Spec) -> Unit {
        Unit {
            source,
            spec,
            bare: true,
        }
    }
}

/// A program that can be run.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// It.
    pub program: Program,
    /// Its options, by what they mean here.
    pub options: Options,
}

/// Parses a text.
pub fn parse(sources: &Sources, id: SourceId, bare: bool) -> (ast::Script, Diagnostics) {
    parser::parse(sources, id, bare)
}

/// Compiles a script.
pub fn compile(
    sources: &Sources,
    id: SourceId,
    settings: &Settings,
) -> (Option<Compiled>, Diagnostics) {
    compile_all(sources, &[Unit::script(id)], settings)
}

/// Compiles several texts to one program, as `dtrace -n … -s …` does: they share their variables.
pub fn compile_all(
    sources: &Sources,
    units: &[Unit],
    settings: &Settings,
) -> (Option<Compiled>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut parsed = Vec::new();
    for unit in units {
        let (script, found) = parser::parse(sources, unit.source, unit.bare);
        diagnostics.append(found);
        parsed.push((script, *unit));
    }
    let (compiled, found) = lower::lower(&parsed, settings);
    diagnostics.append(found);
    let compiled = compiled.filter(|_| !diagnostics.has_errors());
    (compiled, diagnostics)
}

#[cfg(test)]
mod tests;
