//! Several processes' records, written by hand.

use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::fastpath::ring::paper::{Paper, long_ago};
use crate::plan::{Compare, Operand, Subject, Test};

/// A process that records, and the tracer's line.
struct Process {
    paper: Paper,
    line: Arc<Line>,
}

/// A drain and what it has given out: process, thread, name, number.
struct Sink {
    drain: Drain,
    waker: Arc<Waker>,
    found: Vec<(i32, i32, String, i64)>,
}

impl Sink {
    fn new() -> Sink {
        let waker = Arc::new(Waker::default());
        Sink {
            drain: Drain::new(Arc::clone(&waker)),
            waker,
            found: Vec::new(),
        }
    }

    /// A process with this id, which is no process's, whose site is in the row 2.
    fn process(&mut self, pid: i32, test: Option<Test>) -> Process {
        let (paper, reader) = Paper::new();
        let line = Arc::new(Line::new(&reader));
        let site = RecordedSite { row: 2, test };
        self.drain.add(Recording {
            pid,
            target: 7,
            comm: Arc::from("nobody"),
            reader,
            sites: vec![site; 6],
            line: Arc::clone(&line),
        });
        Process { paper, line }
    }

    fn take(&mut self, how: impl FnOnce(&mut Drain, Collect<'_>) -> ControlFlow<()>) -> Vec<i64> {
        let begin = self.found.len();
        let found = &mut self.found;
        let _ = how(&mut self.drain, &mut |event| {
            let crate::event::EventKind::Fired { args, .. } = &event.kind else {
                unreachable!()
            };
            let number = args[1].raw.as_i64();
            found.push((event.pid, event.tid, event.comm.to_string(), number));
            ControlFlow::Continue(())
        });
        self.found[begin..].iter().map(|it| it.3).collect()
    }

    fn all(&mut self) -> Vec<i64> {
        self.take(|drain, mut sink| drain.take_all(&mut sink))
    }

    fn recent(&mut self, moment: Moment) -> Vec<i64> {
        self.take(|drain, mut sink| drain.take_recent(moment, &mut sink))
    }
}

type Collect<'a> = &'a mut dyn FnMut(&Event) -> ControlFlow<()>;

/// No process has such an id: the kernel's are below 2²².
const PID: i32 = i32::MAX - 10;

#[test]
fn processes_are_merged_by_time() {
    let mut sink = Sink::new();
    let processes = [1, 2, 3].map(|it| sink.process(PID + it, None));
    let begin = long_ago();
    for (process, tid) in processes.iter().zip([11, 12, 13]) {
        for ring in 0..2 {
            process
                .paper
                .claim(ring, 0x7000 + u64::from(ring), tid + u64::from(ring) * 10);
        }
    }
    // Each number goes to some ring of some process; they come back in order.
    for number in 0..180u64 {
        let process = &processes[(number * 7 % 3) as usize];
        let ring = u32::from(number % 5 < 2);
        process.paper.number(ring, begin + number, number);
    }
    assert_eq!(sink.all(), (0..180).collect::<Vec<i64>>());
    let owner = |number: i64| {
        (
            PID + 1 + (number * 7 % 3) as i32,
            11 + (number * 7 % 3) as i32,
        )
    };
    for (pid, tid, comm, number) in &sink.found {
        let second = i32::from(number % 5 < 2) * 10;
        let (process, thread) = owner(*number);
        assert_eq!(
            (*pid, *tid, comm.as_str()),
            (process, thread + second, "nobody")
        );
    }
    assert_eq!(sink.drain.recorded().fired, [0, 0, 180]);
    assert_eq!(sink.drain.recorded().lost, Lost::default());
}

#[test]
fn an_event_from_elsewhere_finds_its_place() {
    let mut sink = Sink::new();
    let process = sink.process(PID, None);
    process.paper.claim(0, 0x7000, 11);
    process.paper.number(0, sys::ticks(), 1);
    let time = crate::tracer::monotonic();
    std::thread::sleep(Duration::from_millis(1));
    process.paper.number(0, sys::ticks(), 2);
    let before = |drain: &mut Drain, sink: Collect<'_>| drain.take_before(time, &mut { sink });
    assert_eq!(sink.take(before), [1]);
    assert_eq!(sink.take(before), [0i64; 0]);
    // A moment that was before it was recorded.
    let moment = Moment::now();
    process.paper.number(0, sys::ticks(), 3);
    assert_eq!(sink.recent(moment), [2]);
    assert_eq!(sink.recent(Moment::now()), [3]);
}

#[test]
fn what_is_new_waits_where_there_are_several_threads() {
    let mut sink = Sink::new();
    let processes = [1, 2].map(|it| sink.process(PID + it, None));
    processes[0].paper.claim(0, 0x7000, 11);
    let now = sys::ticks();
    processes[0].paper.number(0, now, 2);
    assert_eq!(sink.recent(Moment(now)), [2], "there is but one thread");
    processes[1].paper.claim(0, 0x7000, 12);
    processes[0].paper.number(0, now, 4);
    assert_eq!(sink.recent(Moment(now)), [0i64; 0]);
    processes[1].paper.number(0, now - 1, 3);
    let later = now + sink.drain.clock.ticks_in(WINDOW);
    assert_eq!(sink.recent(Moment(later)), [3, 4]);
}

#[test]
fn a_recording_ends_when_all_of_it_was_read() {
    let mut sink = Sink::new();
    let processes = [1, 2].map(|it| sink.process(PID + it, None));
    for (process, tid) in processes.iter().zip([11, 12]) {
        process.paper.claim(0, 0x7000, tid);
    }
    let now = sys::ticks();
    processes[0].paper.number(0, now, 1);
    processes[0].line.end();
    assert_eq!(sink.recent(Moment(now)), [0i64; 0]);
    assert!(!sink.drain.is_empty());
    assert_eq!(sink.all(), [1]);
    assert_eq!(sink.drain.recordings.len(), 1);
    processes[1].line.end();
    assert_eq!(sink.all(), [0i64; 0]);
    assert!(sink.drain.is_empty());
    assert_eq!(sink.drain.recorded().fired(2), 1);
    assert_eq!(sink.drain.recorded().fired(3), 0);
}

#[test]
fn what_was_lost_is_counted_before_and_after_the_end() {
    let mut sink = Sink::new();
    let process = sink.process(PID, None);
    process.paper.claim(0, 0x7000, 11);
    process
        .paper
        .set(0, crate::fastpath::ring::ring_header::DROPPED, 5);
    process.paper.publish(0, &[16 | 9 << 32, long_ago()]);
    let lost = Lost {
        dropped: 5,
        missed: 0,
        damaged: 1,
    };
    sink.all();
    assert_eq!(sink.drain.recorded().lost, lost);
    process.line.end();
    sink.all();
    assert!(sink.drain.is_empty());
    assert_eq!(sink.drain.recorded().lost, lost);
}

#[test]
fn names_come_from_the_thread_or_else_from_the_tracer() {
    let mut sink = Sink::new();
    let own = sink.process(std::process::id().cast_signed(), None);
    let gone = sink.process(PID, None);
    let begin = long_ago();
    let (to_name, renamed) = mpsc::channel::<()>();
    let (to_test, tid) = mpsc::channel();
    let thread = std::thread::Builder::new().name("first".to_owned());
    let thread = thread.spawn(move || {
        to_test.send(nix::unistd::gettid().as_raw()).unwrap();
        renamed.recv().unwrap();
        nix::sys::prctl::set_name(c"second").unwrap();
        to_test.send(0).unwrap();
        renamed.recv().unwrap();
    });
    let number = tid.recv().unwrap();
    own.paper.claim(0, 0x7000, number.cast_unsigned().into());
    gone.paper.claim(0, 0x7000, 5);
    let ticks = |ns: u64| sink.drain.clock.ticks_in(ns);
    let (soon, later, last) = (ticks(1_000_000), ticks(30_000_000), ticks(90_000_000));
    let name = |sink: &mut Sink| {
        sink.all();
        sink.found.last().unwrap().2.clone()
    };
    own.paper.number(0, begin, 0);
    assert_eq!(name(&mut sink), "first");
    to_name.send(()).unwrap();
    tid.recv().unwrap();
    own.paper.number(0, begin + soon, 0);
    assert_eq!(name(&mut sink), "first", "it is believed for a while");
    own.paper.number(0, begin + later, 0);
    assert_eq!(name(&mut sink), "second");
    to_name.send(()).unwrap();
    thread.unwrap().join().unwrap();
    own.paper.number(0, begin + last, 0);
    assert_eq!(name(&mut sink), "second", "the last that is known");
    own.line.name_thread(number, Arc::from("told"));
    own.paper.number(0, begin + last, 0);
    assert_eq!(name(&mut sink), "told");

    gone.paper.number(0, begin + last, 0);
    assert_eq!(name(&mut sink), "nobody");
    gone.line.name_thread(5, Arc::from("told"));
    gone.paper.number(0, begin + last, 0);
    assert_eq!(name(&mut sink), "told");
    sink.drain.forget_thread(PID, 5);
    gone.paper.number(0, begin + last, 0);
    assert_eq!(name(&mut sink), "nobody");
}

#[test]
fn what_was_not_decided_at_the_site_is_decided_here() {
    let mut sink = Sink::new();
    let thread = Test::Numbers(Operand::Tid, Compare::Equal, Operand::Constant(11));
    let target = Test::Numbers(Operand::Target, Compare::Equal, Operand::Constant(7));
    let text = Test::Text(Subject::Argument(0), Compare::Equal, b"right!!!".to_vec());
    let process = sink.process(PID, Some(Test::All(vec![thread, target, text])));
    process.paper.claim(0, 0x7000, 11);
    process.paper.claim(1, 0x8000, 12);
    let begin = long_ago();
    process.paper.text(0, begin, 1, *b"right!!!");
    process.paper.text(0, begin + 1, 2, *b"wrong!!!");
    process.paper.text(1, begin + 2, 3, *b"right!!!");
    // Strings that cannot be read: the consumer reports that.
    process.paper.number(1, begin + 3, 4);
    assert_eq!(sink.all(), [1, 4]);
    assert_eq!(sink.drain.recorded().fired(2), 4);
}

#[test]
fn the_sink_may_have_enough() {
    let mut sink = Sink::new();
    let process = sink.process(PID, None);
    process.paper.claim(0, 0x7000, 11);
    let begin = long_ago();
    (0..5).for_each(|it| process.paper.number(0, begin + it, it));
    let mut left = 2;
    let flow = sink.drain.take_all(&mut |_| {
        left -= 1;
        match left {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!((flow, left), (ControlFlow::Break(()), 0));
    assert_eq!(sink.all(), [2, 3, 4], "nothing is lost by it");
}

mod sleeping;
