//! Calls, returns and lines: as the oracle has them, as they are traced, and the rules of 3.15.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::harness::trace::Fired;

use super::compare::around;

/// A call, a return or a line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// `call`, `return` or `line`.
    pub kind: &'static str,
    /// The code's file.
    pub file: String,
    /// The code's name.
    pub func: String,
    /// The line; -1 where the code has none.
    pub line: i64,
}

impl fmt::Debug for Step {
    /// One line, long names cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = |text: &str| {
            text.chars()
                .rev()
                .take(60)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<String>()
        };
        let (func, file) = (tail(&self.func), tail(&self.file));
        write!(f, "{:6} {func:?} in {file:?}:{}", self.kind, self.line)
    }
}

fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "call" | "function__entry" => "call",
        "return" | "function__return" => "return",
        "line" => "line",
        _ => return None,
    })
}

/// As traced.
pub fn traced(fired: &[&Fired]) -> Vec<Step> {
    fired
        .iter()
        .filter_map(|event| {
            Some(Step {
                kind: kind(&event.probe)?,
                file: event.text("filename").to_owned(),
                func: event.text("funcname").to_owned(),
                line: event.number("lineno"),
            })
        })
        .collect()
}

/// As recorded.
pub fn recorded(values: &[Value]) -> Vec<Step> {
    values.iter().filter_map(recorded_one).collect()
}

fn recorded_one(value: &Value) -> Option<Step> {
    Some(Step {
        kind: kind(value["kind"].as_str()?)?,
        file: value["file"].as_str()?.to_owned(),
        func: value["func"].as_str()?.to_owned(),
        // settrace and setprofile say None where the markers say -1
        line: value["line"].as_i64().unwrap_or(-1),
    })
}

/// A generator's or coroutine's code: its file, its name, the line of its first instruction.
pub type Code = (String, String, i64);

/// What the recorded sequence must become in 3.15, and the generators that were started in it.
pub struct Expected {
    steps: Vec<(Step, bool)>,
    first_lines: BTreeMap<(String, String), Vec<i64>>,
    /// How many of each code.
    pub started: BTreeMap<Code, i64>,
}

/// The rules of 3.15:
/// 1. a call has the line of the code's first instruction, which is none (-1) where that prepares cells or free
///    variables: in closures, in class bodies, in methods that use `super()`;
/// 2. a generator or coroutine that goes on after `throw()` or `close()` has no entry;
/// 3. a generator's or coroutine's creation is an entry as well: see [`creations`].
pub fn expected_3_15(values: &[Value]) -> Expected {
    let (mut steps, mut first_lines, mut started) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for value in values {
        let Some(mut step) = recorded_one(value) else {
            continue;
        };
        let how = value["how"].as_str();
        if step.kind == "call" {
            let first = value["first"].as_i64().expect("the first line");
            if how.is_some() {
                let key = (step.file.clone(), step.func.clone());
                let lines: &mut Vec<i64> = first_lines.entry(key).or_default();
                lines.push(first);
                lines.dedup();
            } else {
                step.line = first;
            }
            if how == Some("start") {
                *started
                    .entry((step.file.clone(), step.func.clone(), first))
                    .or_insert(0) += 1;
            }
        }
        steps.push((step, how == Some("throw")));
    }
    Expected {
        steps,
        first_lines,
        started,
    }
}

/// Matches a trace of 3.15 with what is expected and gives the entries that are left over, each of which must be
/// the creation of a generator that the oracle has seen running (rule 3).
pub fn creations(title: &str, expected: &Expected, traced: &[Step]) -> BTreeMap<Code, i64> {
    let mut left: BTreeMap<Code, i64> = BTreeMap::new();
    let mut wanted = expected
        .steps
        .iter()
        .filter(|(_, thrown)| !thrown)
        .map(|(step, _)| step)
        .peekable();
    for (at, step) in traced.iter().enumerate() {
        if wanted.next_if(|want| *want == step).is_some() {
            continue;
        }
        let key = (step.file.clone(), step.func.clone());
        // An entry that looks like the creation may be the start, when the creation was taken for it: the books
        // in the end are the same.
        let code = expected
            .first_lines
            .get(&key)
            .filter(|_| step.kind == "call");
        let first = code.and_then(|lines| {
            lines
                .iter()
                .find(|line| **line == step.line)
                .or(lines.first())
        });
        let Some(first) = first else {
            let wants: Vec<&Step> = wanted.by_ref().take(6).collect();
            panic!(
                "{title}: wanted {wants:#?}, traced:\n{}",
                around(traced, at)
            );
        };
        *left.entry((key.0, key.1, *first)).or_insert(0) += 1;
    }
    let rest: Vec<&Step> = wanted.take(6).collect();
    assert!(rest.is_empty(), "{title}: not traced: {rest:#?}");
    left
}
