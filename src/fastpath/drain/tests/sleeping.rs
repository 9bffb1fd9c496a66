//! When the drain sleeps, and what wakes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;
use crate::fastpath::drain::rest::SETTLE;

/// Longer than any sleep that ends by itself.
const LONG: Duration = Duration::from_secs(3600);

fn in_an_hour() -> Option<u64> {
    let hour = u64::try_from(LONG.as_nanos()).unwrap();
    Some(crate::tracer::monotonic() + hour)
}

/// Whether nothing but what is to be tested would wake it now.
fn sleeps_for_good(drain: &Drain) -> bool {
    let asked = drain.rest.asked.filter(|_| !drain.rest.busy);
    asked.is_some_and(|it| it + SETTLE <= crate::tracer::monotonic())
}

/// Drains and sleeps until it sleeps for good, then calls `wake`; returns when something has woken it.
fn wake_from_sleep(sink: &mut Sink, wake: impl FnOnce() + Send) {
    wake_when_idle(sink, &AtomicBool::new(true), wake);
}

/// The same, with a word that says that there is nothing else to do.
fn wake_when_idle(sink: &mut Sink, idle: &AtomicBool, wake: impl FnOnce() + Send) {
    let (to_waker, asleep) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            asleep.recv().unwrap();
            wake();
        });
        // Each of these ends by itself: one after something was found, one until the threads have seen the request.
        let mut sleeps = 0;
        while !sleeps_for_good(&sink.drain) {
            sink.drain.sleep(in_an_hour(), || true);
            assert_eq!(sink.recent(Moment::now()), [0i64; 0]);
            sleeps += 1;
            assert!(sleeps < 10, "it comes to rest");
        }
        to_waker.send(()).unwrap();
        sink.drain
            .sleep(in_an_hour(), || idle.load(Ordering::SeqCst));
    });
}

#[test]
fn the_first_record_wakes_it() {
    let mut sink = Sink::new();
    let processes = [1, 2].map(|it| sink.process(PID + it, None));
    for process in &processes {
        process.paper.claim(1, 0x7000, 11);
    }
    for round in 0..3u64 {
        let Process { paper, .. } = &processes[(round % 2) as usize];
        wake_from_sleep(&mut sink, || {
            paper.number(1, long_ago(), round);
            assert!(paper.is_beyond_mark(1));
            assert!(paper.ring_bell(), "it slept");
            assert!(!paper.ring_bell(), "it is told once");
        });
        assert_eq!(sink.all(), [round as i64]);
    }
}

#[test]
fn a_thread_that_has_just_taken_a_ring_wakes_it() {
    let mut sink = Sink::new();
    let Process { paper, .. } = sink.process(PID, None);
    wake_from_sleep(&mut sink, || {
        paper.claim(2, 0x7000, 11);
        paper.number(2, long_ago(), 1);
        assert!(paper.is_beyond_mark(2));
        assert!(paper.ring_bell());
    });
    assert_eq!(sink.all(), [1]);
    // The ring's next owner begins where this one left off.
    sink.drain.recordings[0].line.free_ring(0x7000);
    wake_from_sleep(&mut sink, || {
        paper.claim(2, 0x8000, 12);
        paper.number(2, long_ago(), 2);
        assert!(paper.is_beyond_mark(2));
        assert!(paper.ring_bell());
    });
    assert_eq!(sink.all(), [2]);
}

#[test]
fn the_tracer_wakes_it() {
    let mut sink = Sink::new();
    let process = sink.process(PID, None);
    let waker = Arc::clone(&sink.waker);
    let idle = AtomicBool::new(true);
    wake_when_idle(&mut sink, &idle, || {
        idle.store(false, Ordering::SeqCst);
        waker.wake();
    });
    let line = Arc::clone(&process.line);
    wake_from_sleep(&mut sink, || line.end());
    sink.all();
    assert!(sink.drain.is_empty());
}

#[test]
fn it_does_not_sleep_when_there_is_something_to_do() {
    let mut sink = Sink::new();
    let process = sink.process(PID, None);
    process.paper.claim(0, 0x7000, 11);
    sink.all();
    let begin = Instant::now();
    sink.drain.sleep(in_an_hour(), || false);
    sink.drain.sleep(in_an_hour(), || false);
    // More than a quarter of a ring, and it has not been asked to be told.
    (0..30).for_each(|it| process.paper.number(0, long_ago(), it));
    sink.drain.sleep(in_an_hour(), || true);
    sink.drain.sleep(in_an_hour(), || true);
    assert!(begin.elapsed() < LONG);
}

#[test]
fn what_gathers_does_not_wake_it_until_there_is_much() {
    let mut sink = Sink::new();
    let process = sink.process(PID, None);
    process.paper.claim(0, 0x7000, 11);
    process.paper.number(0, long_ago(), 1);
    sink.all();
    process.paper.number(0, long_ago(), 1);
    assert!(!process.paper.is_beyond_mark(0));
    // 1024 bytes are a quarter; a record has 48.
    (0..21).for_each(|it| process.paper.number(0, long_ago(), it));
    assert!(process.paper.is_beyond_mark(0));
    let begin = Instant::now();
    sink.drain.gather(LONG);
    assert!(begin.elapsed() < LONG);
}

#[test]
fn a_program_that_does_nothing_does_not_wake_it() {
    let mut sink = Sink::new();
    let processes = [1, 2].map(|it| sink.process(PID + it, None));
    for process in &processes {
        process.paper.claim(0, 0x7000, 11);
        process.paper.number(0, long_ago(), 1);
    }
    sink.all();
    let waker = Arc::clone(&sink.waker);
    let over = AtomicBool::new(false);
    let mut woken = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(1));
            over.store(true, Ordering::SeqCst);
            waker.wake();
        });
        while !over.load(Ordering::SeqCst) {
            sink.drain.sleep(None, || !over.load(Ordering::SeqCst));
            sink.recent(Moment::now());
            woken += 1;
        }
    });
    assert!(woken <= 5, "{woken}");
}

#[test]
fn where_threads_cannot_wake_it_it_looks_now_and_then() {
    let mut sink = Sink::new();
    // More than the kernel waits for at once.
    let processes: Vec<Process> = (0..130).map(|it| sink.process(PID - it, None)).collect();
    let Process { paper, .. } = &processes[129];
    paper.claim(0, 0x7000, 11);
    sink.all();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| paper.number(0, long_ago(), 1));
        while sink.all().is_empty() {
            sink.drain.sleep(in_an_hour(), || true);
        }
    });
    for _ in 0..4 {
        sink.drain.sleep(in_an_hour(), || true);
        sink.all();
    }
    assert!(begin.elapsed() < LONG);
}
