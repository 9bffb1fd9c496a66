//! Markers: which are meant, what is read of them, what is decided before an event is sent, and threads that are held.

use std::io::Read;

use ptpytrace::event::{EventKind, Seen, Verdict};
use ptpytrace::plan::{
    Capture, Compare, MarkerPoint, Operand, Point, ProviderGlob, Request, Subject, Test, Texts,
    Within,
};
use ptpytrace::tracer::Stop;
use ptpytrace_arch::ReadMemory;

use super::{Ran, glob, nobody, request, trace};
use crate::harness::interpreters::interpreter;

const PROGRAM: &str = "def wanted(): pass
def other(): pass
for _ in range(5): wanted(); other()
import os
pid = os.fork()
if pid == 0:
    wanted()
    os._exit(0)
os.waitpid(pid, 0)
";

fn entry(provider: ProviderGlob, parts: [Option<&str>; 2]) -> Request {
    let [module, function] = parts.map(|part| part.map(glob));
    let point = MarkerPoint {
        provider,
        module,
        function,
        name: glob("function-entry"),
    };
    let capture = Capture {
        texts: Texts {
            arguments: 0b10,
            limit: 64,
        },
        ..Capture::default()
    };
    request(Point::Marker(point), capture)
}

fn any() -> ProviderGlob {
    ProviderGlob::Note(None)
}

fn run(requests: Vec<Request>) -> Ran {
    let python = interpreter("python3.9").wrapper;
    trace(&[python.to_str().unwrap(), "-c", PROGRAM], requests, nobody)
}

/// How often the function `wanted` was entered: in the target, in its children.
fn wanted(ran: &Ran) -> (usize, usize) {
    assert_eq!(ran.summary.command, Some(Stop::Exited(0)));
    let of = |it: &&super::Firing<'_>| matches!(&it.args[1].seen, Seen::Text(text) if text.bytes == b"wanted");
    let firings = ran.firings();
    let wanted: Vec<_> = firings.iter().filter(of).collect();
    let own = wanted
        .iter()
        .filter(|it| it.event.pid == ran.target)
        .count();
    (own, wanted.len() - own)
}

#[test]
fn providers_modules_and_functions_choose_processes_and_sites() {
    let instance = |text: &str| ProviderGlob::Instance(text.to_owned());
    let table = [
        (entry(any(), [None, None]), (5, 1)),
        (entry(instance("python*"), [None, None]), (5, 1)),
        (entry(instance("python$target"), [None, None]), (5, 0)),
        (entry(instance("python0"), [None, None]), (0, 0)),
        (entry(any(), [Some("python3.9*"), None]), (5, 1)),
        (entry(any(), [Some("libc*"), None]), (0, 0)),
        (entry(any(), [None, Some("*")]), (5, 1)),
        (entry(any(), [None, Some("nothing")]), (0, 0)),
    ];
    for (request, expected) in table {
        let about = format!("{:?}", request.point);
        let ran = run(vec![request]);
        assert_eq!(wanted(&ran), expected, "{about}");
        for firing in ran.firings() {
            assert!(firing.probe.module.starts_with("python3.9"));
            // only argument 1 was asked for
            assert_eq!((firing.number(0), &firing.args[0].seen), (0, &Seen::Number));
            assert_eq!(firing.number(2), 0);
        }
    }
}

#[test]
fn requests_are_told_apart() {
    let mut of_target = entry(any(), [None, None]);
    of_target.within = Within {
        target: true,
        ..Within::default()
    };
    let ran = run(vec![of_target, entry(any(), [None, None])]);
    assert_eq!(wanted(&ran), (5, 1));
    for firing in ran.firings() {
        let expected: &[usize] = if firing.event.pid == ran.target {
            &[0, 1]
        } else {
            &[1]
        };
        assert_eq!(firing.probe.requests, expected);
    }
}

#[test]
fn tests_are_decided_before_events_are_sent() {
    let mut named = entry(any(), [None, None]);
    let text = Test::Text(Subject::Argument(1), Compare::Equal, b"wanted".to_vec());
    named.test = Some(text);
    let ran = run(vec![named.clone()]);
    assert_eq!((wanted(&ran), ran.firings().len()), ((5, 1), 6));
    let fired: u64 = ran.summary.ledger.rows().iter().map(|row| row.fired).sum();
    assert!(fired > 100, "all were counted: {fired}");
    let other = Test::Text(Subject::Argument(1), Compare::NotEqual, b"wanted".to_vec());
    named.test = Some(other);
    assert_eq!(wanted(&run(vec![named.clone()])), (0, 0));
    named.test = Some(Test::Numbers(
        Operand::Pid,
        Compare::Equal,
        Operand::Constant(1),
    ));
    assert_eq!(run(vec![named]).firings().len(), 0);
}

#[test]
fn what_is_asked_for_is_captured() {
    let mut request = entry(any(), [None, None]);
    request.capture = Capture {
        numbers: 0b100,
        cpu_time: true,
        ids: true,
        native_frames: 8,
        ..Capture::default()
    };
    let ran = run(vec![request]);
    let firings = ran.firings();
    assert!(firings.len() > 100);
    let mut last = 0;
    for firing in firings.iter().filter(|it| it.event.pid == ran.target) {
        assert!(firing.number(2) > 0 && firing.args[1].seen == Seen::Number);
        let context = firing.event.context.as_deref().unwrap();
        assert_eq!(context.ids.ppid, std::process::id() as i32);
        // SAFETY: geteuid cannot fail.
        assert_eq!(context.ids.euid, unsafe { libc::geteuid() });
        assert!(context.cpu_time >= last && context.cpu_time > 0);
        last = context.cpu_time;
        assert!(!context.frames.is_empty() && context.frames.len() <= 8);
    }
}

/// The consumer reads memory by an address of its own, and sends a signal, while the thread waits.
#[test]
fn a_held_thread_waits_for_its_answer() {
    let code = "import signal, sys
seen = []
signal.signal(signal.SIGUSR1, lambda *a: seen.append(1))
def wanted(): pass
for n in range(20):
    wanted()
    assert len(seen) == n + 1, (n, seen)
sys.exit(len(seen))
";
    let mut request = entry(any(), [None, None]);
    request.test = Some(Test::Text(
        Subject::Argument(1),
        Compare::Equal,
        b"wanted".to_vec(),
    ));
    request.capture.hold = true;
    request.capture.numbers = 0b10;
    let python = interpreter("python3.9").wrapper;
    let words = [python.to_str().unwrap(), "-c", code];
    let ran = trace(&words, vec![request], |event, hold| {
        let EventKind::Fired { args, .. } = &event.kind else {
            panic!("{event:?}");
        };
        let mut bytes = [0; 4];
        assert_eq!(hold.memory.read(args[1].raw.as_u64() + 2, &mut bytes), 4);
        assert_eq!(&bytes, b"nted");
        let mut status = String::new();
        let path = format!("/proc/{}/task/{}/status", event.pid, event.tid);
        std::fs::File::open(path)
            .unwrap()
            .read_to_string(&mut status)
            .unwrap();
        assert!(status.contains("State:\tt"), "{status}");
        Verdict {
            signals: vec![libc::SIGUSR1],
        }
    });
    assert_eq!(ran.firings().len(), 20);
    assert_eq!(ran.summary.command, Some(Stop::Exited(20)));
}
