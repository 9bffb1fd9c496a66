//! What scripts ask of the tracer, by the library's own interface: functions, system calls, processes, held threads,
//! and which processes and files are meant. The programs under test count for themselves.

mod functions;
mod happenings;
mod markers;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::unbounded;
use ptpytrace::cpython::Limits;
use ptpytrace::event::{Arg, Delivery, Event, EventKind, Hold, ProbeInfo, Verdict};
use ptpytrace::plan::{Capture, MarkerSource, Plan, Point, Request, Within};
use ptpytrace::probe::glob::Glob;
use ptpytrace::tracer::command::{self};
use ptpytrace::tracer::{Engine, Launch, Options, Summary, Tracer};

use crate::harness::tracer::Scratch;

/// What came of a run.
struct Ran {
    events: Vec<Event>,
    summary: Summary,
    notices: Vec<String>,
    target: i32,
}

/// A firing.
struct Firing<'a> {
    event: &'a Event,
    probe: &'a ProbeInfo,
    args: &'a [Arg],
}

impl Firing<'_> {
    fn number(&self, index: usize) -> i64 {
        self.args[index].raw.as_i64()
    }
}

impl Ran {
    fn firings(&self) -> Vec<Firing<'_>> {
        let firings = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Fired { probe, args } => Some(Firing { event, probe, args }),
            EventKind::ThreadEnd => None,
        });
        firings.collect()
    }

    /// Firings of a function or call at a place.
    fn of(&self, function: &str, name: &str) -> Vec<Firing<'_>> {
        let mut firings = self.firings();
        firings.retain(|it| it.probe.function == function && it.probe.name == name);
        firings
    }
}

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

fn request(point: Point, capture: Capture) -> Request {
    Request {
        within: Within::default(),
        point,
        capture,
        test: None,
    }
}

fn numbers() -> Capture {
    Capture {
        numbers: u64::MAX,
        ..Capture::default()
    }
}

/// Launches a command under the tracer and gathers its events; `answer` deals with held threads.
fn trace(
    words: &[&str],
    requests: Vec<Request>,
    answer: impl FnMut(&Event, &Hold) -> Verdict + Send + 'static,
) -> Ran {
    trace_with(words, true, requests, answer)
}

fn trace_with(
    words: &[&str],
    follow: bool,
    requests: Vec<Request>,
    mut answer: impl FnMut(&Event, &Hold) -> Verdict + Send + 'static,
) -> Ran {
    let plan = Plan {
        requests,
        objects: Limits::default(),
        markers: MarkerSource::default(),
    };
    let (_commander, orders) = command::channel().unwrap();
    let (sender, deliveries) = unbounded();
    let options = Options {
        follow,
        engine: Engine::Trap,
        ..Options::default()
    };
    let mut tracer = Tracer::new(Arc::new(plan), options, orders, sender).unwrap();
    let launch = Launch {
        program: words[0].into(),
        arguments: words.iter().map(Into::into).collect(),
    };
    let pid = tracer.launch(&launch).unwrap();
    let target = tracer.target().unwrap();
    assert_eq!(target, pid);
    let _guard = crate::harness::guard::Guard::new(pid);
    let consumer = thread::spawn(move || {
        let (mut events, mut notices) = (Vec::new(), Vec::new());
        for delivery in deliveries {
            match delivery {
                Delivery::Event(event) => events.push(event),
                Delivery::Held(event, hold) => {
                    let verdict = answer(&event, &hold);
                    hold.answer.send(verdict).unwrap();
                    events.push(event);
                }
                Delivery::Notice(notice) => notices.push(notice.text),
                Delivery::Recording(_) => {}
            }
        }
        (events, notices)
    });
    let summary = tracer.run();
    let (events, notices) = consumer.join().unwrap();
    Ran {
        events,
        summary,
        notices,
        target,
    }
}

fn nobody(_: &Event, _: &Hold) -> Verdict {
    panic!("nobody is held")
}

/// The C program, compiled.
fn counts(scratch: &Scratch, options: &[&str]) -> PathBuf {
    let program = scratch.file("counts");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/points/counts.c");
    let mut gcc = Command::new("gcc");
    let status = gcc
        .args(options)
        .args(["-fno-optimize-sibling-calls", "-pthread", "-o"])
        .args([&program, &source])
        .status();
    assert!(status.unwrap().success());
    program
}
