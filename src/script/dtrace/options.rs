//! What `-x`, `#pragma D option` and the command line's own flags set.

use super::ast::Pragma;
use super::builtins::{self, Kind, Meaning, Setting, Status};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::source::Span;

/// The largest `strsize`, bytes.
const MAX_STRSIZE: u64 = 1 << 20;

/// The options of a program, by what they mean here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Only what the program prints is printed.
    pub quiet: bool,
    /// Output is indented by entry and return.
    pub flow: bool,
    /// `system`, `raise` and `stop` are allowed.
    pub destructive: bool,
    /// The size of a string with its NUL, bytes, above 1.
    pub strsize: u64,
    /// Macro arguments that are missing are 0 or "".
    pub default_arguments: bool,
    /// How many frames `ustack()` shows.
    pub native_frames: u16,
    /// How many frames `jstack()` shows.
    pub python_frames: u16,
    /// Probes that do not exist are no error.
    pub unmatched: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            quiet: false,
            flow: false,
            destructive: false,
            strsize: 256,
            default_arguments: false,
            native_frames: 100,
            python_frames: 50,
            unmatched: false,
        }
    }
}

impl Options {
    /// Sets an option, as `-x NAME[=VALUE]` does.
    ///
    /// # Errors
    /// There is no such option, it is not supported, or the value is none that it takes; the text says which.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let Some(row) = builtins::find(&[Kind::Option], name) else {
            let hint = builtins::similar(&[Kind::Option], name, std::iter::empty());
            let hint = hint.map_or(String::new(), |it| format!(" (did you mean {it}?)"));
            return Err(format!(
                "failed to set option '{name}': invalid option name{hint}"
            ));
        };
        if let Status::Refused(reason) = row.status {
            return Err(format!("option {name} is not supported: {reason}"));
        }
        let Meaning::Option(setting) = row.meaning else {
            return Ok(());
        };
        self.apply(setting, value)
            .ok_or_else(|| invalid(name, value))
    }

    fn apply(&mut self, setting: Setting, value: Option<&str>) -> Option<()> {
        match setting {
            Setting::Quiet => self.quiet = switch(value)?,
            Setting::Flow => self.flow = switch(value)?,
            Setting::Destructive => self.destructive = switch(value)?,
            Setting::DefaultArguments => self.default_arguments = switch(value)?,
            Setting::Unmatched => self.unmatched = switch(value)?,
            Setting::StringSize => {
                let size = size(value?)?;
                self.strsize = Some(size).filter(|it| (2..=MAX_STRSIZE).contains(it))?;
            }
            Setting::NativeFrames => self.native_frames = frames(value?)?,
            Setting::PythonFrames => self.python_frames = frames(value?)?,
            Setting::Size => {
                size(value?)?;
            }
            Setting::Number => {
                let value = value?;
                value
                    .starts_with(|it: char| it.is_ascii_digit())
                    .then_some(())?;
            }
            Setting::Ignored => {}
        }
        Some(())
    }

    /// Sets what a `#pragma D` line says.
    pub(super) fn pragma(&mut self, pragma: &Pragma, diagnostics: &mut Diagnostics) {
        let mut words = pragma.words.iter().map(String::as_str);
        match words.next() {
            Some("option") => match words.next() {
                None => wrong(
                    diagnostics,
                    pragma.span,
                    "#pragma option: an option is missing",
                ),
                Some(first) => self.pragma_options(first, words, pragma.span, diagnostics),
            },
            Some("depends_on" | "attributes" | "binding") => {}
            Some("error") => {
                let text: Vec<&str> = words.collect();
                wrong(
                    diagnostics,
                    pragma.span,
                    &format!("#error: {}", text.join(" ")),
                );
            }
            Some("line" | "ident") => {}
            Some(other) => wrong(
                diagnostics,
                pragma.span,
                &format!("invalid directive: #pragma D {other}"),
            ),
            None => wrong(
                diagnostics,
                pragma.span,
                "#pragma D: a directive is missing",
            ),
        }
    }

    fn pragma_options<'a>(
        &mut self,
        first: &str,
        mut rest: impl Iterator<Item = &'a str>,
        span: Span,
        diagnostics: &mut Diagnostics,
    ) {
        let (name, value) = match first.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (first, None),
        };
        if let Some(extra) = rest.next() {
            let message = format!("superfluous arguments specified for #pragma option: {extra}");
            wrong(diagnostics, span, &message);
            return;
        }
        if let Err(message) = self.set(name, value) {
            wrong(diagnostics, span, &message);
        }
    }
}

fn wrong(diagnostics: &mut Diagnostics, span: Span, message: &str) {
    diagnostics.push(Diagnostic::error(span, message));
}

fn invalid(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => {
            format!(
                "failed to set option '{name}' to '{value}': invalid value for specified option"
            )
        }
        None => format!("failed to set option '{name}': it needs a value"),
    }
}

fn switch(value: Option<&str>) -> Option<bool> {
    match value {
        None | Some("1" | "yes" | "enable" | "enabled" | "set" | "true" | "on") => Some(true),
        Some("0" | "no" | "disable" | "disabled" | "unset" | "false" | "off") => Some(false),
        Some(_) => None,
    }
}

/// Bytes, with `k`, `m`, `g` or `t` behind for powers of 1024.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn frames(text: &str) -> Option<u16> {
    text.parse().ok().filter(|it| *it > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_take_their_values() {
        let mut options = Options::default();
        for (name, value, right) in [
            ("quiet", None, true),
            ("quiet", Some("maybe"), false),
            ("strsize", Some("1k"), true),
            ("strsize", Some("1"), false),
            ("strsize", None, false),
            ("bufsize", Some("4m"), true),
            ("bufsize", Some("4x"), false),
            ("bufsize", Some("99999999999999999t"), false),
            ("switchrate", Some("10hz"), true),
            ("switchrate", Some("fast"), false),
            ("jstackframes", Some("20"), true),
            ("jstackframes", Some("70000"), false),
            ("aggsortrev", None, false),
            ("quiett", None, false),
        ] {
            let result = options.set(name, value);
            assert_eq!(result.is_ok(), right, "{name}={value:?}: {result:?}");
        }
        assert_eq!((options.quiet, options.strsize), (true, 1024));
        assert_eq!(options.python_frames, 20);
        let error = options.set("quiett", None).expect_err("there is none");
        assert!(error.contains("did you mean quiet?"), "{error}");
    }
}
