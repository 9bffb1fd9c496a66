//! Clocks with names (`stopwatch.stp` of SystemTap's tapset).

use rustc_hash::FxHashMap;

use super::time::{SECOND, clocks, monotonic_time};
use crate::script::builtin::{Action, IntFunction, Needs};
use crate::script::vm::Call;

/// All of them.
#[derive(Debug, Default)]
pub struct Stopwatches {
    all: FxHashMap<Vec<u8>, Stopwatch>,
}

/// The most stopwatches that are kept; further ones stay at 0.
const MAX_STOPWATCHES: usize = 1 << 16;

#[derive(Debug, Default)]
struct Stopwatch {
    /// Since when it runs, CLOCK_MONOTONIC, ns.
    running: Option<i64>,
    /// How long it ran before, ns.
    total: i64,
}

impl Stopwatch {
    fn read(&self, now: i64) -> i64 {
        let running = self.running.map_or(0, |since| now.saturating_sub(since));
        self.total.saturating_add(running)
    }
}

/// The stopwatch of that name; `None` when there are too many.
fn stopwatch<'a>(call: &'a mut Call<'_>) -> Option<&'a mut Stopwatch> {
    let (name, all) = (call.bytes(0), &mut call.state.stopwatches.all);
    if !all.contains_key(name) {
        if all.len() >= MAX_STOPWATCHES {
            return None;
        }
        all.insert(name.to_vec(), Stopwatch::default());
    }
    all.get_mut(name)
}

/// `start_stopwatch(name)`: lets it run.
pub static START_STOPWATCH: Action = Action {
    name: "start_stopwatch",
    needs: Needs::NONE,
    run: |call| {
        let now = monotonic_time(call);
        if let Some(stopwatch) = stopwatch(call) {
            stopwatch.running.get_or_insert(now);
        }
        Ok(())
    },
};

/// `stop_stopwatch(name)`: halts it; it keeps its time.
pub static STOP_STOPWATCH: Action = Action {
    name: "stop_stopwatch",
    needs: Needs::NONE,
    run: |call| {
        let now = monotonic_time(call);
        if let Some(stopwatch) = stopwatch(call) {
            stopwatch.total = stopwatch.read(now);
            stopwatch.running = None;
        }
        Ok(())
    },
};

/// `delete_stopwatch(name)`: forgets it.
pub static DELETE_STOPWATCH: Action = Action {
    name: "delete_stopwatch",
    needs: Needs::NONE,
    run: |call| {
        let name = call.bytes(0);
        call.state.stopwatches.all.remove(name);
        Ok(())
    },
};

fn read_stopwatch(call: &mut Call<'_>) -> i64 {
    let now = monotonic_time(call);
    stopwatch(call).map_or(0, |it| it.read(now))
}

clocks! {
    /// `read_stopwatch_ns(name)`: how long it has run.
    READ_STOPWATCH_NS "read_stopwatch_ns": read_stopwatch / 1;
    /// `read_stopwatch_us(name)`
    READ_STOPWATCH_US "read_stopwatch_us": read_stopwatch / 1_000;
    /// `read_stopwatch_ms(name)`
    READ_STOPWATCH_MS "read_stopwatch_ms": read_stopwatch / 1_000_000;
    /// `read_stopwatch_s(name)`
    READ_STOPWATCH_S "read_stopwatch_s": read_stopwatch / SECOND;
}

#[cfg(test)]
mod tests {
    use super::super::trial::Trial;
    use super::super::trial::Value::Str;
    use super::*;

    #[test]
    fn stopwatches_count_while_they_run() {
        let mut trial = Trial::default();
        let name = [Str(b"w")];
        for (time, action, expected) in [
            (1_000, &START_STOPWATCH, 0),
            (3_000, &START_STOPWATCH, 2_000),
            (4_000, &STOP_STOPWATCH, 3_000),
            (9_000, &STOP_STOPWATCH, 3_000),
            (10_000, &START_STOPWATCH, 3_000),
            (11_000, &DELETE_STOPWATCH, 0),
        ] {
            trial.time = time;
            assert_eq!(trial.act(action, &name), Ok(()));
            assert_eq!(trial.int(&READ_STOPWATCH_NS, &name), Ok(expected), "{time}");
        }
        trial.time = 20_000_000;
        assert_eq!(trial.act(&START_STOPWATCH, &name), Ok(()));
        trial.time = 2_020_000_000;
        assert_eq!(trial.int(&READ_STOPWATCH_US, &name), Ok(2_000_000));
        assert_eq!(trial.int(&READ_STOPWATCH_MS, &name), Ok(2_000));
        assert_eq!(trial.int(&READ_STOPWATCH_S, &name), Ok(2));
    }
}
