//! Limits that `-D` sets.

use super::builtins::{self, Kind};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::ir::Options;
use crate::script::source::Span;

/// The options that limits come to. What is no limit is an error, what has no effect is not told.
pub fn options(defines: &[(String, String)], at: Span, diagnostics: &mut Diagnostics) -> Options {
    let mut options = Options {
        max_errors: Some(0),
        ..Options::default()
    };
    for (name, value) in defines {
        if builtins::named(Kind::Limit, name).is_none() {
            let message = format!("-D {name}: there is no such limit; it has no effect");
            diagnostics.push(Diagnostic::warning(at, message));
            continue;
        }
        if let Err(wrong) = set(&mut options, name, value) {
            diagnostics.push(Diagnostic::error(at, wrong));
        }
    }
    options
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    let number = || {
        let number = super::lexer::parse_number(value).filter(|it| *it >= 0);
        number
            .map(i64::unsigned_abs)
            .ok_or_else(|| format!("-D {name}={value}: a number is needed"))
    };
    let size = || number().map(|it| usize::try_from(it).unwrap_or(usize::MAX));
    match name {
        // One byte of a string is its end.
        "MAXSTRINGLEN" => options.max_string = size()?.clamp(2, 1 << 24) - 1,
        "MAXMAPENTRIES" => options.max_entries = size()?.max(1),
        "MAXACTION" | "MAXACTION_INTERRUPTIBLE" => options.max_actions = number()?.max(1),
        "MAXNESTING" => options.max_nesting = size()?.clamp(1, 200),
        "MAXERRORS" => options.max_errors = Some(number()?),
        _ => {}
    }
    Ok(())
}
