//! A program writes over what it shares with the tracer: that costs it some of its own events, which are counted, and
//! nobody else anything.

use crate::engine::session::Session;

/// Seeds of what is written.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// How often something is.
const ROUNDS: u64 = 300;

fn scribbled(name: &'static str, command: &str, seed: u64) {
    let mut session = Session::launch(name, &["--engine", "jump", "--buffer", "64K"], &[]);
    session.ask("single 12");
    let exact = command == "scribbling_child";
    let said = session.ask(&format!("{command} {seed} {ROUNDS}"));
    let title = format!("{name} {command}, seed {seed}");
    if !exact {
        assert!(said.contains("Shared 1\n"), "{title}: {said}");
    }
    session.ask("single 10");
    let (trace, expected) = session.end();
    let trace = trace.expect("a trace");
    assert!(trace.is_diverted(), "{title}: {}", trace.said);
    let seen = trace.calls.get("fib").copied().unwrap_or(0);
    if exact {
        // The child's own calls come on top.
        assert!(
            seen >= expected["fib"],
            "{title}: {seen} of {}: {}",
            expected["fib"],
            trace.said
        );
    } else {
        assert!(seen > 0, "{title}: {}", trace.said);
    }
}

#[test]
fn a_hostile_ring() {
    for name in ["python3.9", "python3.15"] {
        for seed in SEEDS {
            scribbled(name, "scribble", seed);
        }
    }
}

#[test]
fn a_hostile_ring_of_a_child() {
    for name in ["python3.9", "python3.15"] {
        for seed in SEEDS {
            scribbled(name, "scribbling_child", seed);
        }
    }
}
