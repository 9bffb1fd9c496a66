//! The table of all that D has by name: variables, functions, actions, aggregating functions, options, providers. It
//! says what of it there is here, how, and why not; names are looked up in it, and so it cannot say anything else than
//! what happens. The names are those of the "Dynamic Tracing Guide" and of dtrace(1) on Linux.

mod functions;
mod options;
mod providers;
mod variables;

pub use crate::script::builtin::Status;
use crate::script::builtin::{Action, IntFunction, StrFunction};
use crate::script::ir::{IntContext, StrContext};

use super::types::IntType;

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A variable.
    Variable,
    /// A function, which has a value.
    Function,
    /// An action, which stands as a statement.
    Action,
    /// A function that can be assigned to an aggregation.
    Aggregating,
    /// An option of `#pragma D option` and `-x`.
    Option,
    /// A provider of probes.
    Provider,
}

/// A name.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name.
    pub name: &'static str,
    /// What it names.
    pub kind: Kind,
    /// Whether it is there.
    pub status: Status,
    /// What it is, in one line.
    pub doc: &'static str,
    /// What it is lowered to.
    pub(super) meaning: Meaning,
}

/// What a name is lowered to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// Nothing: it is refused.
    None,
    /// An integer about the firing.
    Int(IntContext, IntType),
    /// A string about the firing.
    Str(StrContext),
    /// A constant.
    Constant(i64, IntType),
    /// An argument of the probe.
    Argument(u8),
    /// A function or variable that is lowered by a function of its own.
    Special(Special),
    /// A builtin that gives an integer; how many of the parameters must be there.
    IntCall(&'static IntFunction, &'static [Parameter], usize, IntType),
    /// A builtin that gives a string.
    StrCall(&'static StrFunction, &'static [Parameter], usize),
    /// A builtin that does something.
    Act(&'static Action, &'static [Parameter]),
    /// What an aggregation keeps.
    Summary(Summary),
    /// What an option sets.
    Option(Setting),
    /// Whose probes they are.
    Provider(Provider),
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Int,
    Str,
}

/// What is lowered by a function of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    Args,
    Errno,
    Copyin,
    Copyinstr,
    Strjoin,
    Lltostr,
    Speculation,
    Symbol,
    JStack,
    UStack,
    Trace,
    Printf,
    Printa,
    Exit,
    System,
    Clear,
    Trunc,
    Normalize,
    Denormalize,
    Speculate,
    Commit,
    Discard,
    Setopt,
}

/// What an aggregating function keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Summary {
    Count,
    Sum,
    Min,
    Max,
    Average,
    Deviation,
    Log,
    Linear,
    LogLinear,
}

/// What an option sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Quiet,
    Flow,
    Destructive,
    StringSize,
    DefaultArguments,
    NativeFrames,
    PythonFrames,
    Unmatched,
    /// A size in bytes, which means nothing here.
    Size,
    /// A number or time, which means nothing here.
    Number,
    /// Anything, which means nothing here.
    Ignored,
}

/// Whose probes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Dtrace,
    Profile,
    Process,
    Pid,
    Syscall,
    Kernel,
}

/// All rows, by kind.
pub fn rows() -> impl Iterator<Item = Row> {
    let tables = [
        variables::ROWS,
        functions::ROWS,
        functions::AGGREGATING,
        options::ROWS,
        providers::ROWS,
    ];
    tables.into_iter().flatten().copied()
}

/// The row of a name that one of these kinds has.
pub(super) fn find(kinds: &[Kind], name: &str) -> Option<Row> {
    rows().find(|row| row.name == name && kinds.contains(&row.kind))
}

/// The name that someone may have meant: a builtin's of these kinds, or one of `others`, that is a slip or two away or
/// differs in case only.
pub(super) fn similar<'a>(
    kinds: &[Kind],
    name: &str,
    others: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let slips = (name.len().saturating_add(1) / 3).min(2);
    if name.len() < 3 {
        return None;
    }
    let known = rows()
        .filter(|row| kinds.contains(&row.kind))
        .map(|row| row.name.to_owned());
    known
        .chain(others.map(str::to_owned))
        .filter(|candidate| candidate != name)
        .map(|candidate| (distance(&candidate, name), candidate))
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be changed, added or removed to make the one of the other (Levenshtein); a change of case
/// counts as none. Long names are not alike.
fn distance(one: &str, other: &str) -> usize {
    if one.len().max(other.len()) > 64 {
        return usize::MAX;
    }
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut diagonal = at;
        let mut left = at.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (own, cell) in other.bytes().zip(row.iter_mut().skip(1)) {
            let change = diagonal.saturating_add(usize::from(own != letter));
            diagonal = *cell;
            left = change
                .min(left.saturating_add(1))
                .min(diagonal.saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
