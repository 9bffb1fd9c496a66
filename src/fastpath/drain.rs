//! Reads all recordings at once: merges them by time, and gives out events as others are.
//!
//! # Order
//!
//! The threads' clocks are one clock, the CPU's time stamp counter, so records of several threads and processes are
//! merged by their raw times. Events that came by a trap have gone through the channel meanwhile; they are to be put in
//! by their times, too: whoever takes one from the channel first asks for what is older ([`Drain::take_before`]), and
//! when the channel is found empty, only for what is older than the moment before that was found
//! ([`Drain::take_recent`]).

mod names;
mod rest;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::recording::{Line, RecordedSite, Recording};
use super::ring::reader::WINDOW;
use super::ring::{Clock, Lost, Reader, Record, Waker, sys};
use crate::event::{Event, EventKind, Values};
use crate::process::proc::ProcFs;
use names::Names;
use rest::{Alarm, Rest};

/// What was recorded, to be told at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How often each probe fired, by its row in the tracer's [`crate::tracer::ledger::Ledger`].
    pub fired: Vec<u64>,
    /// What did not arrive.
    pub lost: Lost,
}

impl Recorded {
    /// How often the probe of a row fired.
    pub fn fired(&self, row: usize) -> u64 {
        self.fired.get(row).copied().unwrap_or(0)
    }

    fn count(&mut self, row: usize) {
        if self.fired.len() <= row {
            self.fired.resize(row.saturating_add(1), 0);
        }
        if let Some(fired) = self.fired.get_mut(row) {
            *fired = fired.saturating_add(1);
        }
    }
}

/// A moment, for [`Drain::take_recent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        Moment(sys::ticks())
    }
}

/// The recordings that are being read.
#[derive(Debug)]
pub struct Drain {
    recordings: Vec<Source>,
    /// Their indices by the time of their next record.
    order: BinaryHeap<Reverse<(u64, usize)>>,
    clock: Clock,
    proc: ProcFs,
    recorded: Recorded,
    rest: Rest,
}

/// A recording that is being read.
#[derive(Debug)]
struct Source {
    pid: i32,
    target: i32,
    reader: Reader,
    sites: Vec<RecordedSite>,
    line: Arc<Line>,
    names: Names,
    ended: bool,
}

impl Drain {
    /// Reads nothing yet. The waker is the one with which the thread that reads is woken for other reasons.
    pub fn new(waker: Arc<Waker>) -> Drain {
        Drain {
            recordings: Vec::new(),
            order: BinaryHeap::new(),
            clock: Clock::now(),
            proc: ProcFs::from_environment(),
            recorded: Recorded::default(),
            rest: Rest::new(waker),
        }
    }

    /// Whether there is nothing to be read, and will not be.
    pub fn is_empty(&self) -> bool {
        self.recordings.is_empty()
    }

    /// Reads this one, too.
    pub fn add(&mut self, recording: Recording) {
        recording.line.attend(self.rest.waker());
        self.recordings.push(Source {
            pid: recording.pid,
            target: recording.target,
            reader: recording.reader,
            sites: recording.sites,
            names: Names::new(recording.pid, recording.comm),
            line: recording.line,
            ended: false,
        });
        self.rest.busy();
    }

    /// A thread has ended, and all of its records have been taken.
    pub fn forget_thread(&mut self, pid: i32, tid: i32) {
        for source in self.recordings.iter_mut().filter(|it| it.pid == pid) {
            source.names.forget(tid);
        }
    }

    /// What was recorded so far.
    pub fn recorded(&self) -> Recorded {
        let mut recorded = self.recorded.clone();
        for source in &self.recordings {
            recorded.lost.add(source.reader.lost());
        }
        recorded
    }

    /// Gives out all records up to a time (CLOCK_MONOTONIC, ns), until the sink breaks it off.
    pub fn take_before(
        &mut self,
        time: u64,
        sink: &mut impl FnMut(&Event) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.recordings.is_empty() {
            return ControlFlow::Continue(());
        }
        self.begin();
        let last = self.clock.ticks_at(time);
        self.take(last, sink)
    }

    /// Gives out the records up to a moment, but for those that may still get company: where several threads record,
    /// those of the last [`WINDOW`].
    pub fn take_recent(
        &mut self,
        moment: Moment,
        sink: &mut impl FnMut(&Event) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.begin();
        let each = self.recordings.iter().map(|it| it.reader.active());
        let last = match each.sum::<usize>() {
            0 | 1 => moment.0,
            _ => moment.0.saturating_sub(self.clock.ticks_in(WINDOW)),
        };
        self.take(last, sink)
    }

    /// Gives out all records.
    pub fn take_all(
        &mut self,
        sink: &mut impl FnMut(&Event) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.begin();
        self.take(u64::MAX, sink)
    }

    /// Sleeps until there is something to be taken, or so much that it had better be taken; until a time
    /// (CLOCK_MONOTONIC, ns), if one is given; and until the waker is called. For that it first looks with `idle` whether
    /// there is nothing else to do. It may wake for no reason.
    pub fn sleep(&mut self, until: Option<u64>, idle: impl FnOnce() -> bool) {
        let idle = Some(idle);
        self.rest.sleep(&mut self.recordings, Alarm { until, idle });
    }

    /// Sleeps for so long, or until there is so much to be taken that it had better be taken.
    pub fn gather(&mut self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let until = crate::tracer::monotonic().saturating_add(time);
        let alarm = Alarm {
            until: Some(until),
            idle: None::<fn() -> bool>,
        };
        self.rest.busy();
        self.rest.sleep(&mut self.recordings, alarm);
    }

    fn begin(&mut self) {
        self.clock.refresh(sys::ticks());
        self.order.clear();
        for (index, source) in self.recordings.iter_mut().enumerate() {
            source.begin();
            if let Some(time) = source.reader.next() {
                self.order.push(Reverse((time, index)));
            }
        }
    }

    fn take(
        &mut self,
        last: u64,
        sink: &mut impl FnMut(&Event) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !self.order.is_empty() {
            // What is held back comes soon.
            self.rest.busy();
        }
        while let Some(Reverse((time, index))) = self.order.pop() {
            if time > last {
                break;
            }
            let other = self.order.peek().map_or(u64::MAX, |Reverse((it, _))| *it);
            let Some(source) = self.recordings.get_mut(index) else {
                continue;
            };
            let Source {
                reader,
                sites,
                names,
                ..
            } = source;
            let (pid, target) = (source.pid, source.target);
            let (proc, recorded) = (&self.proc, &mut self.recorded);
            reader.take_until(other.min(last), &mut self.clock, &mut |record| {
                let site = sites.get(usize::from(record.site));
                complete(record, pid, names, proc);
                if let Some(site) = site {
                    recorded.count(site.row);
                }
                let test = site.and_then(|it| it.test.as_ref());
                match passes(record, test, target) {
                    true => sink(&record.event),
                    false => ControlFlow::Continue(()),
                }
            })?;
            if let Some(time) = source.reader.next() {
                self.order.push(Reverse((time, index)));
            }
        }
        self.end();
        ControlFlow::Continue(())
    }

    /// Makes room; drops what has ended and been read.
    fn end(&mut self) {
        let lost = &mut self.recorded.lost;
        self.recordings.retain_mut(|source| {
            source.reader.end();
            let over = source.ended && source.reader.next().is_none();
            if over {
                lost.add(source.reader.lost());
            }
            !over
        });
    }
}

/// Fills in what the record does not hold.
fn complete(record: &mut Record, pid: i32, names: &mut Names, proc: &ProcFs) {
    let event = &mut record.event;
    event.pid = pid;
    let comm = names.of(event.tid, event.time, proc);
    if !Arc::ptr_eq(comm, &event.comm) {
        event.comm = Arc::clone(comm);
    }
}

fn passes(record: &Record, test: Option<&crate::plan::Test>, target: i32) -> bool {
    let Some(test) = test else {
        return true;
    };
    let EventKind::Fired { probe, .. } = &record.event.kind else {
        return true;
    };
    let values = Values {
        event: &record.event,
        probe,
        args: record.args(),
        target,
    };
    values.pass(Some(test))
}

impl Source {
    fn begin(&mut self) {
        // Before the heads: what was published before the end is then seen.
        if !self.ended && self.line.ended() {
            self.ended = true;
            self.names.end();
        }
        self.reader.begin();
        // After the heads: the name of a thread that records was told before.
        for (tid, comm) in self.line.take_names() {
            self.names.tell(tid, comm);
        }
    }
}

#[cfg(test)]
mod tests;
