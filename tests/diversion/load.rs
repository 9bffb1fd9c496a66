//! Sites are diverted by jumps and put back again and again while the interpreter runs through them as fast as it can.

use std::time::{Duration, Instant};

use ptpytrace::fastpath::diversion::WayKind;
use ptpytrace::process::memory::ProcessMemory;

use super::target::{Diverted, Stopped, Target, facts, marked, semaphores, word};
use crate::harness::interpreters::interpreter;
use crate::harness::program::Program;

/// Computes until it is told to end.
const PROGRAM: &str = "
import select, sys
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print('ready', flush=True)
sys.stdin.readline()
while not select.select([sys.stdin], [], [], 0)[0]:
    assert fib(12) == 144
print('right', flush=True)
";
/// How often the sites are diverted, and put back.
const CYCLES: usize = 100;

/// The calls counted, and how often the thread stood in the way.
fn cycle(name: &str) -> (u64, usize) {
    let mut command = std::process::Command::new(interpreter(name).wrapper);
    let mut program = Program::start(command.args(["-S", "-c", PROGRAM]));
    program.expect("ready");
    let pid = program.pid();
    let mapped = marked(pid);
    let memory = ProcessMemory::open(pid).expect("its memory");
    let sites = facts(&mapped);
    let stopped = Stopped::attach(pid);
    let diverted = Target::new(&stopped, &memory, &mapped).prepare_functions(&sites, WayKind::Jump);
    assert_eq!(diverted.len(), 2);
    semaphores(&mapped, &memory, true);
    stopped.detach();
    program.say("go");
    let counts = || {
        diverted
            .iter()
            .map(|site| word(&memory, site.counter))
            .sum::<u64>()
    };
    let (mut moved, mut counted) = (0, 0);
    for cycle in 0..CYCLES {
        let mut stopped = Stopped::attach(pid);
        let applied: Vec<&Diverted> = diverted
            .iter()
            .filter(|site| site.apply(&mut stopped, &memory))
            .collect();
        moved += usize::from(stopped.moved);
        stopped.detach();
        run_until("a count", || applied.is_empty() || counts() > counted);
        counted = counts();
        let stopped = Stopped::attach(pid);
        applied.iter().for_each(|site| site.undo(&memory));
        stopped.detach();
        // Where the thread is stopped next must not depend on where it was let go.
        let mut turns = 0;
        run_until("turns", || {
            turns += 1;
            turns > cycle % 50
        });
    }
    let stopped = Stopped::attach(pid);
    semaphores(&mapped, &memory, false);
    stopped.detach();
    program.say("end");
    program.expect("right");
    (counted, moved)
}

/// Lets the program run until something is so.
fn run_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn jumps_come_and_go_under_load() {
    for name in ["python3.9", "python3.11", "python3.15"] {
        let (counted, moved) = cycle(name);
        println!("{name}: {counted} counted, the thread stood in the way {moved} times");
        assert!(counted > 0);
    }
}
