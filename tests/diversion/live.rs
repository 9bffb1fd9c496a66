//! Real interpreters whose function markers are diverted while they run, in every way that is possible, into stubs that
//! count: how often each is run through is known from the program.

use ptpytrace::fastpath::diversion::WayKind;
use ptpytrace::process::memory::ProcessMemory;
use ptpytrace_arch::ReadMemory;

use super::target::{Stopped, Target, facts, marked, semaphores, word};
use crate::harness::interpreters::interpreter;
use crate::harness::program::Program;

const PROGRAM: &str = "
import sys
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print('ready', flush=True)
while True:
    n = int(sys.stdin.readline())
    print(fib(n) if n else 'end', flush=True)
";
/// fib(20) and fib(10), and by how many calls they differ: 2 * fib(n + 1) - 1 of each.
const RESULTS: [&str; 2] = ["6765", "55"];
const CALLS: u64 = (2 * 10_946 - 1) - (2 * 89 - 1);
/// Diverts the function markers of a running interpreter in one way; the names of those that could be.
fn run(name: &str, way: WayKind) -> Vec<String> {
    // Where the heap lies decides whether a pun has its page: always at the same place.
    let mut command = std::process::Command::new("setarch");
    command
        .arg("--addr-no-randomize")
        .arg(interpreter(name).wrapper);
    let mut program = Program::start(command.args(["-S", "-c", PROGRAM]));
    program.expect("ready");
    let pid = program.pid();
    let mapped = marked(pid);
    let memory = ProcessMemory::open(pid).expect("its memory");
    let sites = facts(&mapped);

    let mut stopped = Stopped::attach(pid);
    let diverted = Target::new(&stopped, &memory, &mapped).prepare_functions(&sites, way);
    for site in &diverted {
        assert!(site.apply(&mut stopped, &memory));
    }
    semaphores(&mapped, &memory, true);
    stopped.detach();

    let counts = |program: &mut Program, n: &str, result: &str| -> Vec<u64> {
        let before: Vec<u64> = diverted
            .iter()
            .map(|it| word(&memory, it.counter))
            .collect();
        program.say(n);
        program.expect(result);
        let after = diverted.iter().map(|it| word(&memory, it.counter));
        after
            .zip(before)
            .map(|(after, before)| after - before)
            .collect()
    };
    let many = counts(&mut program, "20", RESULTS[0]);
    let few = counts(&mut program, "10", RESULTS[1]);
    for ((many, few), site) in many.iter().zip(&few).zip(&diverted) {
        assert_eq!(many - few, CALLS, "{name} {way} {}", site.name);
    }

    let stopped = Stopped::attach(pid);
    semaphores(&mapped, &memory, false);
    diverted.iter().for_each(|site| site.undo(&memory));
    stopped.detach();
    let none = counts(&mut program, "20", RESULTS[0]);
    assert!(
        none.iter().all(|count| *count == 0),
        "{name} {way}: {none:?}"
    );
    for (note, facts) in &sites {
        let mut now = [0; 16];
        memory.read(mapped.bias.apply(note.location).0, &mut now);
        assert_eq!(now.as_slice(), facts.bytes);
    }
    program.say("0");
    program.expect("end");
    diverted.into_iter().map(|it| it.name).collect()
}

const BOTH: [&str; 2] = ["function__entry", "function__return"];

#[test]
fn static_3_9() {
    assert_eq!(run("python3.9", WayKind::Pun), BOTH);
    assert_eq!(run("python3.9", WayKind::Retarget), BOTH[1..]);
    assert_eq!(run("python3.9", WayKind::Jump), BOTH);
}

#[test]
fn static_3_11() {
    assert_eq!(run("python3.11", WayKind::Pun), BOTH);
    assert_eq!(run("python3.11", WayKind::Jump), BOTH);
}

#[test]
fn static_3_15() {
    assert_eq!(run("python3.15", WayKind::Pun), BOTH);
    assert_eq!(run("python3.15", WayKind::Jump), BOTH);
}

/// In a library it depends on where it lies whether a pun has its page.
#[test]
fn shared() {
    for name in ["shared3.9", "shared3.11", "shared3.15"] {
        assert_eq!(run(name, WayKind::Jump), BOTH);
        run(name, WayKind::Pun);
    }
    assert_eq!(run("shared3.9", WayKind::Retarget), BOTH[1..]);
}
