//! Events from the channel and from rings that are written by hand.

use std::io::{BufRead, BufReader};
use std::sync::mpsc;

use super::super::super::job::Talk;
use super::super::consume;
use super::*;
use crate::fastpath::recording::{Line, RecordedSite, Recording};
use crate::fastpath::ring::paper::{Paper, long_ago};

/// Writes a line for everything that it gets.
#[derive(Default)]
struct Lines {
    due: Option<u64>,
    /// It has enough after so many events.
    most: Option<usize>,
    events: usize,
}

impl Consumer for Lines {
    fn event(
        &mut self,
        event: &Event,
        hold: Option<&Hold>,
        out: &mut dyn Write,
    ) -> io::Result<Flow> {
        assert!(hold.is_none());
        match &event.kind {
            EventKind::Fired { args, .. } => writeln!(out, "{}", args[1].raw.as_i64())?,
            EventKind::ThreadEnd => writeln!(out, "end of {}", event.tid)?,
        }
        self.events += 1;
        Ok(match self.most == Some(self.events) {
            true => Flow::Finish,
            false => Flow::Continue,
        })
    }

    fn due(&self) -> Option<u64> {
        self.due
    }

    fn tick(&mut self, _: u64, out: &mut dyn Write) -> io::Result<Flow> {
        self.due = None;
        writeln!(out, "tick")?;
        Ok(Flow::Continue)
    }
}

/// A process that records, whose id no process has.
fn process() -> (Paper, Arc<Line>, Delivery) {
    let (paper, reader) = Paper::new();
    let line = Arc::new(Line::new(&reader));
    paper.claim(0, 0x7000, 11);
    let recording = Recording {
        pid: i32::MAX,
        target: 0,
        comm: Arc::from("it"),
        reader,
        sites: vec![RecordedSite::default(); 6],
        line: Arc::clone(&line),
    };
    (paper, line, Delivery::Recording(Box::new(recording)))
}

fn end_of(tid: i32, time: u64) -> Delivery {
    Delivery::Event(Event {
        time,
        pid: i32::MAX,
        tid,
        comm: Arc::from("it"),
        kind: EventKind::ThreadEnd,
        context: None,
    })
}

fn pace() -> Pace {
    Pace {
        talk: Talk::Quiet,
        keep: 0,
    }
}

/// All that is written when nothing more comes than these.
fn written(deliveries: Vec<Delivery>, mut consumer: Lines) -> (String, Recorded) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    for delivery in deliveries {
        sender.send(delivery).unwrap();
    }
    drop(sender);
    let (read, write) = io::pipe().unwrap();
    let boxed: Box<dyn Write + Send> = Box::new(write);
    let mut out = Output::with_capacity(1 << 16, boxed);
    let waker = Arc::new(Waker::default());
    let (result, recorded) = consume(
        receiver,
        waker,
        Flow::Continue,
        &mut consumer,
        &mut out,
        pace(),
    );
    result.unwrap();
    drop(out);
    let text = io::read_to_string(read).unwrap();
    (text.lines().collect::<Vec<&str>>().join(" "), recorded)
}

#[test]
fn all_is_put_in_by_its_time() {
    let (paper, _, recording) = process();
    // The records are older than the clock that converts their times: it is a little off.
    let apart = || {
        std::thread::sleep(Duration::from_millis(2));
        monotonic()
    };
    paper.number(0, crate::fastpath::ring::paper::now(), 1);
    let [first, due, _] = [apart(), apart(), apart()];
    paper.number(0, crate::fastpath::ring::paper::now(), 2);
    let [second, _] = [apart(), apart()];
    paper.number(0, crate::fastpath::ring::paper::now(), 3);
    let consumer = Lines {
        due: Some(due),
        ..Lines::default()
    };
    let deliveries = vec![recording, end_of(7, first), end_of(8, second)];
    let (text, recorded) = written(deliveries, consumer);
    assert_eq!(text, "1 end of 7 tick 2 end of 8 3");
    assert_eq!(recorded.fired, [3]);
}

#[test]
fn nothing_comes_after_the_consumer_has_enough() {
    let (paper, _, recording) = process();
    (0..5).for_each(|it| paper.number(0, long_ago(), it));
    let consumer = Lines {
        most: Some(2),
        ..Lines::default()
    };
    let (text, recorded) = written(vec![recording, end_of(7, monotonic())], consumer);
    assert_eq!(text, "0 1");
    assert_eq!(recorded.fired, [2]);
}

/// A consumer that runs, and what it writes.
struct Running {
    sender: crossbeam_channel::Sender<Delivery>,
    waker: Arc<Waker>,
    lines: io::Lines<BufReader<io::PipeReader>>,
    result: mpsc::Receiver<Recorded>,
}

fn running() -> Running {
    let (sender, receiver) = crossbeam_channel::bounded(10);
    let (read, write) = io::pipe().unwrap();
    let waker = Arc::new(Waker::default());
    let (to_test, result) = mpsc::channel();
    let its = Arc::clone(&waker);
    std::thread::spawn(move || {
        let boxed: Box<dyn Write + Send> = Box::new(write);
        let mut out = Output::with_capacity(1 << 16, boxed);
        let consumer = &mut Lines::default();
        let (result, recorded) = consume(receiver, its, Flow::Continue, consumer, &mut out, pace());
        result.unwrap();
        to_test.send(recorded).unwrap();
    });
    Running {
        sender,
        waker,
        lines: BufReader::new(read).lines(),
        result,
    }
}

impl Running {
    fn send(&self, delivery: Delivery) {
        self.sender.send(delivery).unwrap();
        self.waker.wake();
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }
}

#[test]
fn each_event_is_shown_when_it_happens() {
    let mut running = running();
    let (paper, line, recording) = process();
    running.send(recording);
    for number in 0..50 {
        // Nothing else happens until its line has been read.
        match number % 3 {
            0 => {
                running.send(end_of(number, monotonic()));
                assert_eq!(running.line(), format!("end of {number}"));
            }
            _ => {
                let now = crate::fastpath::ring::paper::now();
                paper.number(0, now, u64::try_from(number).unwrap());
                if paper.is_beyond_mark(0) {
                    paper.ring_bell();
                }
                assert_eq!(running.line(), number.to_string());
            }
        }
    }
    // Without a recording it goes on with the channel.
    line.end();
    running.send(end_of(77, monotonic()));
    assert_eq!(running.line(), "end of 77");
    let (second, _, recording) = process();
    running.send(recording);
    second.number(0, long_ago(), 99);
    second.ring_bell();
    assert_eq!(running.line(), "99");
    // The tracer goes, and wakes it for the last time.
    drop(running.sender);
    running.waker.wake();
    assert!(running.lines.next().is_none());
    assert_eq!(running.result.recv().unwrap().fired, [34]);
}
