//! Which thread it was, what came first, and what it costs when nothing happens.

use std::fs;
use std::time::Duration;

use super::INTERPRETERS;
use crate::engine::session::Session;
use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::trace::{self, Fired};
use crate::harness::tracer::{Scratch, ptpytrace, run};

/// Runs one command of the program under a tracer that writes every marker asked for.
fn traced(name: &str, markers: &[&str], ring: &str, words: &[&str]) -> (Vec<Fired>, String) {
    let scratch = Scratch::new();
    let file = scratch.file("trace");
    let mut tracer = ptpytrace(false);
    tracer.args([
        "--engine", "jump", "--stats", "--buffer", ring, "-f", "json", "-o",
    ]);
    tracer.arg(&file);
    for marker in markers {
        tracer.args(["-m", marker]);
    }
    tracer.arg("--").arg(interpreter(name).wrapper);
    let output = run(tracer.arg(program_file("engine/hazards.py")).args(words));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {words:?}: {said}");
    assert!(said.contains("events lost: 0"), "{name} {words:?}: {said}");
    (
        trace::read(&file),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// Every thread calls a function that is named after it; many have the thread pointer of one that has ended.
#[test]
fn thread_identity() {
    for name in INTERPRETERS {
        let (fired, printed) = traced(name, &["function*"], "8K", &["named_threads", "12", "300"]);
        let mut expected = crate::engine::session::parse(&printed);
        let mut wrong = 0;
        for event in &fired {
            let Some(of) = event.args["funcname"]
                .as_str()
                .and_then(|it| it.strip_prefix("of_"))
            else {
                continue;
            };
            wrong += u32::from(of != event.tid.to_string());
            if event.probe == "function__entry" {
                *expected.get_mut(&format!("of_{of}")).expect("it is known") -= 1;
            }
        }
        assert_eq!(wrong, 0, "{name}: events under another thread's id");
        assert!(
            expected.len() >= 12 && expected.values().all(|left| *left == 0),
            "{name}: {expected:?}"
        );
    }
}

/// Threads take turns, so there is one right order; every other event comes from a breakpoint.
#[test]
fn order_across_threads() {
    const STEPS: usize = 3000;
    for name in INTERPRETERS {
        let words = ["in_turns", "5", &STEPS.to_string()];
        let (fired, _) = traced(name, &["function__entry", "audit"], "64K", &words);
        let step = |event: &Fired| match event.probe.as_str() {
            "audit" if event.args["event"] == "ptpytrace.step" => {
                Some((event.args["args"][0].as_u64()? as usize, true))
            }
            "function__entry" => {
                let number = event.args["funcname"].as_str()?.strip_prefix("step_")?;
                Some((number.parse().ok()?, false))
            }
            _ => None,
        };
        let seen: Vec<(usize, bool)> = fired.iter().filter_map(step).collect();
        let right = (0..STEPS).flat_map(|number| [(number, false), (number, true)]);
        let first = seen
            .iter()
            .copied()
            .zip(right)
            .position(|(seen, right)| seen != right);
        let around = first.map(|at| &seen[at.saturating_sub(3)..(at + 5).min(seen.len())]);
        assert_eq!((seen.len(), around), (2 * STEPS, None), "{name}");
    }
}

/// What all threads of a process have used of a CPU.
fn cpu_time(pid: i32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let used = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(used.sum())
}

/// What the calling thread has used of a CPU.
fn own_cpu_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// Uses that much of a CPU.
fn work(amount: Duration) {
    let begin = own_cpu_time();
    while own_cpu_time() - begin < amount {
        for number in 0..100_000 {
            std::hint::black_box(number);
        }
    }
}

/// While the program sleeps the tracer does: it uses next to nothing in the time in which something else uses a CPU for
/// a second.
#[test]
fn idle_tracing_costs_no_cpu() {
    const WORK: Duration = Duration::from_secs(1);
    for name in INTERPRETERS {
        let mut session = Session::start(name);
        session.attach(false, &["--engine", "jump"]);
        session.ask("threads 9");
        let mut used = Vec::new();
        // What is left to be done may be done first.
        for _ in 0..3 {
            let before = cpu_time(session.tracer_pid());
            work(WORK);
            // A thread that has ended counts no more.
            used.push(cpu_time(session.tracer_pid()).saturating_sub(before));
        }
        assert!(
            used.iter().any(|used| *used < WORK / 100),
            "{name}: {used:?}"
        );
        session.ask("single 9");
        let trace = session.leave();
        trace.assert_exact(name, &session.expected);
        assert!(trace.is_diverted(), "{name}: {}", trace.said);
        session.end();
    }
}
