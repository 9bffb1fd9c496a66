//! What is said on standard error: lines that begin with the name of the tool that was called.

use std::io::{self, Write};
use std::sync::OnceLock;

use super::job::{Job, Manner};

/// How the lines begin that stap(1) prints without its name.
const BARE: &str = "Pass ";

static MANNER: OnceLock<Manner> = OnceLock::new();

/// Whose ways this run has; the first call counts.
pub fn set_manner(manner: Manner) {
    let _ = MANNER.set(manner);
}

/// Prints a line on standard error.
pub fn complain(text: &str) {
    let name = MANNER.get().copied().unwrap_or(Manner::Own).name();
    // Where standard error is closed there is nobody to tell.
    let _ = match text.starts_with(BARE) {
        true if name == Manner::Stap.name() => writeln!(io::stderr(), "{text}"),
        _ => writeln!(io::stderr(), "{name}: {text}"),
    };
}

/// Prints a line on standard error that begins as it is.
pub fn say_plainly(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints the version as a tool prints it; there is no job then.
pub fn version(manner: Manner) -> Option<Job> {
    let version = env!("CARGO_PKG_VERSION");
    let name = manner.name();
    // A reader that has gone does not want to know.
    let _ = writeln!(io::stdout(), "{name}: ptpytrace {version}");
    None
}
