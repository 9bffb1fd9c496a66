//! The Python call hierarchy, as CPython's documentation shows it ("Instrumenting CPython with DTrace and
//! SystemTap"): each line begins as SystemTap's `thread_indent` does.

use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHasher};

use super::{Consumer, Flow, digits, text_of};
use crate::event::{Arg, Event, EventKind, Hold};

/// Prints `=>` at each function's entry and `<=` at its return.
#[derive(Debug, Default)]
pub struct Hierarchy {
    threads: FxHashMap<i32, Thread>,
    line: Vec<u8>,
}

/// A thread that has called functions.
#[derive(Debug, Default)]
struct Thread {
    indent: Indent,
    comm: Option<Arc<str>>,
    /// What stands before the indentation: ` COMM(TID):`.
    name: Vec<u8>,
}

impl Thread {
    /// What stands before the indentation, made anew when the thread has another name.
    fn name(&mut self, event: &Event) -> &[u8] {
        let comm = self.comm.as_ref();
        if !comm.is_some_and(|it| Arc::ptr_eq(it, &event.comm)) {
            self.comm = Some(Arc::clone(&event.comm));
            let name = &mut self.name;
            name.clear();
            name.push(b' ');
            name.extend_from_slice(event.comm.as_bytes());
            name.push(b'(');
            digits::signed(name, event.tid.into());
            name.extend_from_slice(b"):");
        }
        &self.name
    }
}

/// SystemTap's `thread_indent` for one thread, but that it knows which functions it is in. CPython 3.15 has entries
/// without a return (a generator's creation) and returns without an entry (a helper frame of class calls); counting
/// alone would drift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Indent {
    /// The functions entered and not yet left, by hash.
    inside: Vec<u64>,
    /// When the outermost was entered, ns.
    start: u64,
}

impl Indent {
    /// Microseconds since the outermost call, and how far to indent. A return that was never entered, as after
    /// attaching, leaves everything as it is.
    fn step(&mut self, entry: bool, function: u64, now: u64) -> (u64, usize) {
        if self.inside.is_empty() {
            self.start = now;
        }
        let depth = if entry {
            self.inside.push(function);
            self.inside.len() - 1
        } else {
            if let Some(index) = self.inside.iter().rposition(|it| *it == function) {
                self.inside.truncate(index);
            }
            self.inside.len()
        };
        (now.saturating_sub(self.start) / 1000, depth)
    }
}

/// Identifies a function by its name and file.
fn function(args: &[Arg]) -> u64 {
    let mut hasher = FxHasher::default();
    (text_of(args, 0), text_of(args, 1)).hash(&mut hasher);
    hasher.finish()
}

impl Consumer for Hierarchy {
    fn event(&mut self, event: &Event, _: Option<&Hold>, out: &mut dyn Write) -> io::Result<Flow> {
        let EventKind::Fired { probe, args } = &event.kind else {
            self.threads.remove(&event.tid);
            return Ok(Flow::Continue);
        };
        let entry = match probe.name.as_str() {
            "function__entry" => true,
            "function__return" => false,
            _ => return Ok(Flow::Continue),
        };
        let thread = self.threads.entry(event.tid).or_default();
        let (micros, depth) = thread.indent.step(entry, function(args), event.time);
        let line_number = args.get(2).map_or(0, |arg| arg.raw.as_i64());
        let line = &mut self.line;
        line.clear();
        digits::aligned(line, micros, 6);
        line.extend_from_slice(thread.name(event));
        digits::spaces(line, depth);
        line.extend_from_slice(if entry { b" => " } else { b" <= " });
        line.extend_from_slice(text_of(args, 1));
        line.extend_from_slice(b" in ");
        line.extend_from_slice(text_of(args, 0));
        line.push(b':');
        digits::signed(line, line_number);
        line.push(b'\n');
        out.write_all(line)?;
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use ptpytrace_arch::ArgValue;

    use super::*;
    use crate::event::{ProbeInfo, Seen, Text};

    /// The excerpt in CPython's documentation: times in microseconds, indentation, direction.
    #[test]
    fn thread_indent_is_systemtaps() {
        let mut indent = Indent::default();
        let (outer, inner) = (1, 2);
        let steps = [
            (true, outer, 1_000_000, (0, 0)),
            (true, inner, 1_006_000, (6, 1)),
            (true, inner, 1_010_900, (10, 2)),
            (false, inner, 1_016_000, (16, 2)),
            (false, inner, 1_020_000, (20, 1)),
            (false, outer, 1_025_000, (25, 0)),
            // returns without an entry: attached in the middle
            (false, inner, 2_000_000, (0, 0)),
            (false, outer, 2_001_000, (0, 0)),
            (true, outer, 3_000_000, (0, 0)),
        ];
        for (entry, function, now, expected) in steps {
            assert_eq!(indent.step(entry, function, now), expected);
        }
    }

    /// What a line was made with before it was made by hand.
    fn expected(event: &Event, micros: u64, depth: usize, entry: bool, line: i64) -> String {
        let arrow = if entry { "=>" } else { "<=" };
        let (comm, tid) = (&event.comm, event.tid);
        format!(
            "{micros:6} {comm}({tid}):{:depth$} {arrow} fib in a b/c.py:{line}\n",
            ""
        )
    }

    #[test]
    fn lines_are_as_std_would_format_them() {
        let text = |text: &str| Arg {
            raw: ArgValue::Unsigned(1),
            seen: Seen::Text(Text {
                bytes: text.into(),
                truncated: false,
            }),
        };
        let probe = |name: &str| {
            Arc::new(ProbeInfo {
                provider: "python".to_owned(),
                name: name.to_owned(),
                ..ProbeInfo::default()
            })
        };
        let probes = [probe("function__return"), probe("function__entry")];
        let mut hierarchy = Hierarchy::default();
        let mut depth = 0usize;
        // Deeper than std can indent.
        for number in 0..70_000u64 {
            let entry = !(10..=15).contains(&number);
            let line = number.cast_signed().wrapping_mul(7919) % 5_000 - 100;
            let time = number * number * 1000;
            let raw = ArgValue::Signed(line);
            let seen = Seen::Number;
            let event = Event {
                time,
                pid: 1,
                tid: 8274,
                comm: Arc::from("python (x)"),
                kind: EventKind::Fired {
                    probe: Arc::clone(&probes[usize::from(entry)]),
                    args: vec![text("a b/c.py"), text("fib"), Arg { raw, seen }],
                },
                context: None,
            };
            let mut out = Vec::new();
            hierarchy.event(&event, None, &mut out).unwrap();
            depth -= usize::from(!entry);
            if number % 100 < 20 && depth <= usize::from(u16::MAX) {
                let expected = expected(&event, time / 1000, depth, entry, line);
                assert_eq!(String::from_utf8(out).unwrap(), expected);
            }
            depth += usize::from(entry);
        }
    }

    #[test]
    fn entries_and_returns_without_their_like_do_not_shift_the_rest() {
        let mut indent = Indent::default();
        let (outer, generator, helper) = (1, 2, 3);
        let steps = [
            (true, outer, 0),
            (true, generator, 1), // created, never left
            (false, helper, 2),   // never entered
            (false, outer, 0),
            (true, outer, 0),
        ];
        for (entry, function, depth) in steps {
            assert_eq!(indent.step(entry, function, 0).1, depth);
        }
    }
}
