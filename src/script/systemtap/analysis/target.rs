//! Variables of the traced program: which there are at a point.

use super::super::ast::Target;
use super::super::builtins::{self, Kind, Status};
use super::super::points::Site;
use crate::script::diagnostic::Diagnostic;
use crate::script::ir::StrContext;
use crate::script::source::Span;

/// A variable of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// An argument, from 0.
    Argument(u8),
    /// Something that is a string.
    Context(StrContext),
}

/// The variable that a name means at a point; `None` when there is none.
pub fn variable(target: &Target, site: Site) -> Option<Variable> {
    if target.path || target.address {
        return None;
    }
    let argument = || {
        let number: usize = target.name.strip_prefix("$arg")?.parse().ok()?;
        number.checked_sub(1)
    };
    let context = |it| Some(Variable::Context(it));
    match (target.name.as_str(), site) {
        ("$$parms" | "$$vars", Site::Mark(_) | Site::Syscall { returns: false }) => {
            context(StrContext::Parameters)
        }
        ("$$name", Site::Mark(_)) => context(StrContext::MarkName),
        ("$$provider", Site::Mark(_)) => context(StrContext::Provider),
        ("$return", Site::Function { returns: true } | Site::Syscall { returns: true }) => {
            Some(Variable::Argument(1))
        }
        (_, Site::Mark(count)) => {
            let index = argument().filter(|it| *it < count)?;
            u8::try_from(index).ok().map(Variable::Argument)
        }
        (_, Site::Syscall { returns: false }) => {
            let index = argument().filter(|it| *it < 6)?;
            u8::try_from(index).ok().map(Variable::Argument)
        }
        _ => None,
    }
}

/// Why there is no such variable.
pub fn missing(target: &Target, site: Option<Site>, span: Span) -> Diagnostic {
    if target.name.starts_with('@') {
        let why = match builtins::named(Kind::Operator, &target.name).map(|row| row.status) {
            Some(Status::Refused(why)) => why,
            _ => "it is not known",
        };
        return Diagnostic::error(
            span,
            format!("semantic error: {} is refused: {why}", target.name),
        );
    }
    let message = format!(
        "semantic error: unresolved target-symbol expression '{}'",
        target.text
    );
    let error = Diagnostic::error(span, message);
    let is_argument = target
        .name
        .strip_prefix("$arg")
        .is_some_and(|it| it.parse::<u32>().is_ok());
    match site {
        Some(Site::Mark(count)) if is_argument && !target.path => {
            error.hint(format!("the mark has {count} arguments: invalid argument number"))
        }
        Some(Site::Mark(_)) => error.hint("a mark has $arg1, $arg2 … $$parms $$name; other variables need debug information, which is not read"),
        Some(Site::Syscall { .. }) if target.name == "$syscall" => error.hint("the name of the system call is probefunc()"),
        Some(Site::Syscall { .. }) => error.hint("a system call has $arg1 to $arg6, at its return $return"),
        Some(Site::Function { returns: true }) => error.hint("at its return a function has $return; other variables need debug information, which is not read"),
        Some(Site::Function { .. }) => error.hint("arguments of functions are long_arg(1), pointer_arg(2) …; variables need debug information, which is not read"),
        Some(Site::Plain | Site::Process) => error.hint("there are variables of the program at its marks only"),
        None => error.hint("functions see no variables of the probe: pass them as arguments"),
    }
}
