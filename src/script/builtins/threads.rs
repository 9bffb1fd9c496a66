//! SystemTap's indentation by call depth (`indent.stp` of its tapset). Most scripts call it at every event, so it
//! allocates nothing.

use rustc_hash::FxHashMap;

use crate::script::builtin::{IntFunction, Needs, StrFunction};
use crate::script::format::{Layout, MAX_WIDTH, write_decimal, write_int};
use crate::script::ir::IntStyle;
use crate::script::vm::Call;

/// The name where no thread fired: in `begin`, `end` and timers.
const NO_THREAD: &str = "ptpytrace";

/// A counter of call depth, and since when it is above 0.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    depth: i64,
    /// CLOCK_MONOTONIC, us.
    since: u64,
}

impl Counter {
    /// Counts; the depth to show.
    fn step(&mut self, delta: i64) -> i64 {
        let shown = self.depth.wrapping_add(delta.max(0));
        self.depth = self.depth.wrapping_add(delta);
        shown.saturating_sub(1).max(0)
    }

    /// Counts; the time since it was 0, us, and the depth to show.
    fn step_at(&mut self, delta: i64, nanoseconds: u64) -> (u64, i64) {
        let now = nanoseconds / 1_000;
        if self.depth == 0 {
            self.since = now;
        }
        (now.saturating_sub(self.since), self.step(delta))
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct Indents {
    threads: FxHashMap<i32, Counter>,
    all: Counter,
}

impl Indents {
    pub(super) fn forget(&mut self, tid: i32) {
        self.threads.remove(&tid);
    }
}

/// `thread_indent(delta)`: microseconds since the thread was outermost, `name(tid)`, and an indentation.
pub static THREAD_INDENT: StrFunction = StrFunction {
    name: "thread_indent",
    needs: Needs::NONE,
    run: |call| {
        let (tid, delta, time) = (call.tid(), call.int(0), call.time());
        let counter = call.state.indents.threads.entry(tid).or_default();
        let (elapsed, depth) = counter.step_at(delta, time);
        let name = call.event.map_or(NO_THREAD, |event| &*event.comm);
        write_elapsed(call, elapsed);
        call.give(name.as_bytes());
        call.give(b"(");
        write_decimal(call.result, i64::from(tid));
        call.give(b"):");
        write_depth(call, depth);
        Ok(())
    },
};

/// `thread_indent_depth(delta)`: the depth alone.
pub static THREAD_INDENT_DEPTH: IntFunction = IntFunction {
    name: "thread_indent_depth",
    needs: Needs::NONE,
    run: |call| {
        let (tid, delta) = (call.tid(), call.int(0));
        let counter = call.state.indents.threads.entry(tid).or_default();
        Ok(counter.step(delta))
    },
};

/// `indent(delta)`: the same for all threads together, without a name.
pub static INDENT: StrFunction = StrFunction {
    name: "indent",
    needs: Needs::NONE,
    run: |call| {
        let (delta, time) = (call.int(0), call.time());
        let (elapsed, depth) = call.state.indents.all.step_at(delta, time);
        write_elapsed(call, elapsed);
        call.give(b":");
        write_depth(call, depth);
        Ok(())
    },
};

/// `indent_depth(delta)`: the depth alone.
pub static INDENT_DEPTH: IntFunction = IntFunction {
    name: "indent_depth",
    needs: Needs::NONE,
    run: |call| {
        let delta = call.int(0);
        Ok(call.state.indents.all.step(delta))
    },
};

fn write_elapsed(call: &mut Call<'_>, microseconds: u64) {
    let elapsed = i64::try_from(microseconds).unwrap_or(i64::MAX);
    write_int(call.result, elapsed, IntStyle::Signed, &Layout::width(6));
    call.give(b" ");
}

fn write_depth(call: &mut Call<'_>, depth: i64) {
    let depth = usize::try_from(depth).unwrap_or(0).min(MAX_WIDTH);
    let length = call.result.len().saturating_add(depth);
    call.result.resize(length, b' ');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::trial::Trial;
    use super::super::trial::Value::Int;
    use super::*;
    use crate::event::{Event, EventKind};

    fn event(tid: i32) -> Event {
        Event {
            time: 0,
            pid: 1,
            tid,
            comm: Arc::from("python3.9"),
            kind: EventKind::ThreadEnd,
            context: None,
        }
    }

    fn text(trial: &mut Trial<'_>, delta: i64) -> String {
        let given = trial.str(&THREAD_INDENT, &[Int(delta)]);
        String::from_utf8(given.expect("no fault")).expect("ASCII")
    }

    /// The example at the end of `indent.stp`, continued by its rules.
    #[test]
    fn calls_are_indented() {
        let event = event(8274);
        let mut trial = Trial {
            event: Some(&event),
            ..Trial::default()
        };
        let steps = [
            (5_000_999, 1, "     0 python3.9(8274):"),
            (5_010_000, 1, "    10 python3.9(8274): "),
            (5_016_500, 1, "    16 python3.9(8274):  "),
            (5_022_000, -1, "    22 python3.9(8274):  "),
            (5_035_000, -1, "    35 python3.9(8274): "),
            (5_039_000, -1, "    39 python3.9(8274):"),
            (6_000_000_000, -1, "     0 python3.9(8274):"),
            // The counter is -1 now: it is not 0, so the time goes on.
            (6_000_007_000, 0, "     7 python3.9(8274):"),
            (6_000_008_000, 3, "     8 python3.9(8274): "),
            (1_006_000_000_000, 0, "1000000000 python3.9(8274): "),
        ];
        for (time, delta, expected) in steps {
            trial.time = time;
            assert_eq!(text(&mut trial, delta), expected, "{time}");
        }
    }

    #[test]
    fn threads_have_counters_of_their_own() {
        let (first, second) = (event(1), event(2));
        let mut trial = Trial::default();
        let depths = |trial: &mut Trial<'_>, deltas: &[i64]| -> Vec<i64> {
            let depth = |delta: &i64| trial.int(&THREAD_INDENT_DEPTH, &[Int(*delta)]);
            deltas
                .iter()
                .map(depth)
                .map(|it| it.expect("no fault"))
                .collect()
        };
        trial.event = Some(&first);
        assert_eq!(depths(&mut trial, &[1, 1, 2, -2]), [0, 1, 3, 3]);
        trial.event = Some(&second);
        assert_eq!(depths(&mut trial, &[1, 0]), [0, 0]);
        trial.event = Some(&first);
        assert_eq!(depths(&mut trial, &[1]), [2]);
        trial.state.forget_thread(1);
        assert_eq!(depths(&mut trial, &[1]), [0]);
    }

    #[test]
    fn all_threads_together_have_one() {
        let mut trial = Trial {
            time: 1_000,
            ..Trial::default()
        };
        for expected in [&b"     0 :"[..], b"     0 : ", b"     0 :  "] {
            let given = trial.str(&INDENT, &[Int(1)]);
            assert_eq!(given.as_deref(), Ok(expected));
        }
        assert_eq!(trial.int(&INDENT_DEPTH, &[Int(-1)]), Ok(2));
        assert_eq!(text(&mut trial, 1), "     0 ptpytrace(0):");
    }

    #[test]
    fn hostile_steps_do_no_harm() {
        let mut trial = Trial::default();
        for delta in [i64::MAX, i64::MAX, i64::MIN, i64::MIN, 1, -1] {
            assert!(text(&mut trial, delta).len() < MAX_WIDTH + 100);
            assert!(trial.int(&INDENT_DEPTH, &[Int(delta)]).is_ok());
        }
    }
}
