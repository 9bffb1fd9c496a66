//! The tracer's side: takes records out of the rings, in the order of time.
//!
//! The traced program can write into all of this memory at any moment, so nothing that is read from it is believed:
//! a position, a length, a site's or a slot's number out of range costs that program some of its own records, which
//! are counted, and nothing else.
//!
//! # Order
//!
//! Records of one thread come in their order. Across threads they are merged by their times. A record may be published
//! later than another one with a later time, when its thread is interrupted in between; so those of the last
//! [`WINDOW`] are left for the next time, in case there is an earlier one to come.

mod parse;
mod rings;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use crate::event::{Arg, Event, EventKind, ProbeInfo};

use super::clock::Clock;
use super::record::Shape;
use super::tenancy::{Tenancy, used};
use super::words::{Words, load, store, word};
use super::{Layout, header, ring_header, sys};
use parse::Templates;
use rings::Rings;

/// How long records are held back for the sake of order across threads, ns.
pub const WINDOW: u64 = 20_000;

/// An event as the ring has it. The reader uses one for all events of a site: what is to be kept must be copied.
#[derive(Clone, Debug)]
pub struct Record {
    /// The site's number.
    pub site: u16,
    /// The event: its time in ns of CLOCK_MONOTONIC, the thread as [`Reader::name_thread`] says, else as the program
    /// itself sees it, the site's probe and arguments; what was not wanted is 0 and [`crate::event::Seen::Number`].
    /// The process and the thread's name are for others to fill in.
    pub event: Event,
}

impl Record {
    /// The arguments, one for each of the site's.
    pub fn args(&self) -> &[Arg] {
        match &self.event.kind {
            EventKind::Fired { args, .. } => args,
            EventKind::ThreadEnd => &[],
        }
    }

    fn args_mut(&mut self) -> &mut [Arg] {
        match &mut self.event.kind {
            EventKind::Fired { args, .. } => args,
            EventKind::ThreadEnd => &mut [],
        }
    }
}

/// What did not arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events for which there was no room, with [`WhenFull::Drop`](crate::fastpath::recorder::WhenFull::Drop).
    pub dropped: u64,
    /// Events of threads for which there was no ring.
    pub missed: u64,
    /// Records that made no sense, or stretches of a ring that did not.
    pub damaged: u64,
}

impl Lost {
    /// Adds what did not arrive elsewhere.
    pub fn add(&mut self, other: Lost) {
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.missed = self.missed.saturating_add(other.missed);
        self.damaged = self.damaged.saturating_add(other.damaged);
    }
}

/// What [`Reader::prepare_sleep`] finds.
#[derive(Clone, Copy, Debug)]
pub(in crate::fastpath) struct Prepared {
    /// There is something to be taken: it had better not sleep.
    pub(in crate::fastpath) more: bool,
    /// The threads have not been asked for this before. One that is just looking may not see it.
    pub(in crate::fastpath) changed: bool,
}

/// Reads one process's rings.
pub struct Reader {
    memory: Arc<Words>,
    layout: Layout,
    templates: Templates,
    rings: Rings,
    tenancy: Arc<Tenancy>,
    /// For those who read one reader only.
    clock: Clock,
    damaged: u64,
    /// When the heads were looked at, ticks.
    now: u64,
    /// Whether the last drain found nothing.
    idle: bool,
    /// Rings by the time of their next record.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = out.debug_struct("Reader");
        shown.field("layout", &self.layout);
        shown
            .field("damaged", &self.damaged)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Reads from memory of this layout, which must be all zeros (a new file is), and prepares it for the recorders.
    pub fn new(memory: Arc<Words>, layout: Layout) -> Reader {
        let reader = Reader::over(memory, layout);
        let words = (*reader.memory).as_ref();
        store(words, header::RINGS, layout.rings().into());
        store(words, header::BELL, 1);
        reader
    }

    /// As [`Reader::new`], but takes the memory as it is.
    pub fn over(memory: Arc<Words>, layout: Layout) -> Reader {
        Reader {
            tenancy: Arc::new(Tenancy::new(Arc::clone(&memory), layout)),
            memory,
            layout,
            templates: Templates::default(),
            rings: Rings::new(layout),
            clock: Clock::now(),
            damaged: 0,
            now: 0,
            idle: false,
            next: BinaryHeap::new(),
        }
    }

    /// Makes a site known: its number, its records' shape ([`crate::fastpath::recorder::Code::shape`]), its probe.
    pub fn add_site(&mut self, number: u16, shape: Shape, probe: Arc<ProbeInfo>) {
        self.templates.add(number, shape, probe);
    }

    /// Gives all records that are older than [`WINDOW`] to `sink`, and makes room for others. How many there were.
    pub fn drain(&mut self, sink: &mut dyn FnMut(&Record)) -> u64 {
        self.take(false, sink)
    }

    /// As [`Reader::drain`], but all: when the process is stopped or has ended, and before an event of another kind of
    /// the same process.
    pub fn flush(&mut self, sink: &mut dyn FnMut(&Record)) -> u64 {
        self.take(true, sink)
    }

    /// Who has which ring: for the tracer, which goes on when the reader is another thread's.
    pub fn tenancy(&self) -> Arc<Tenancy> {
        Arc::clone(&self.tenancy)
    }

    /// The thread with this thread pointer (on x86-64 its `fs_base`) has this id ([`Tenancy::name`]).
    pub fn name_thread(&mut self, pointer: u64, tid: i32) {
        self.tenancy.name(pointer, tid);
    }

    /// No thread with this thread pointer is any more, so its ring is free; or one is about to begin, and is not the
    /// one that had the ring. Its records still come under the old id ([`Tenancy::free`]).
    pub fn forget_thread(&mut self, pointer: u64) {
        self.tenancy.free(pointer);
    }

    /// What did not arrive so far.
    pub fn lost(&self) -> Lost {
        let words = (*self.memory).as_ref();
        let rings = used(words, &self.layout);
        let dropped = rings.map(|begin| load(words, begin + ring_header::DROPPED));
        Lost {
            dropped: dropped.fold(0, u64::saturating_add),
            missed: load(words, header::MISSED),
            damaged: self.damaged,
        }
    }

    /// Sleeps until there is something to take, or so much that it had better be taken, or `limit` is over. A single
    /// record may go unnoticed up to `limit`.
    pub fn wait(&mut self, limit: Duration) {
        if !self.prepare_sleep(self.idle).more
            && let Some(bell) = self.bell()
        {
            sys::futex_wait(bell, 0, limit);
        }
        self.awake();
    }

    fn take(&mut self, all: bool, sink: &mut dyn FnMut(&Record)) -> u64 {
        let now = sys::ticks();
        let mut clock = std::mem::take(&mut self.clock);
        clock.refresh(now);
        self.begin();
        let last = match all || self.active() < 2 {
            true => u64::MAX,
            false => now.saturating_sub(clock.ticks_in(WINDOW)),
        };
        let mut taken = 0u64;
        let _ = self.take_until(last, &mut clock, &mut |record| {
            taken = taken.saturating_add(1);
            sink(record);
            ControlFlow::Continue(())
        });
        self.clock = clock;
        self.end();
        self.idle = taken == 0;
        taken
    }

    /// Begins a drain: looks how far the threads have written.
    pub(in crate::fastpath) fn begin(&mut self) {
        let words = (*self.memory).as_ref();
        let damaged = self.rings.look(words, &self.tenancy);
        self.damaged = self.damaged.saturating_add(damaged);
        // After the heads: what has been published lies in the past.
        self.now = sys::ticks();
        self.next.clear();
        for (index, ring) in self.rings.with_records() {
            let time = ring.next_time(ring.rest(words, &self.layout), self.now);
            self.next.push(Reverse((time, index)));
        }
    }

    /// How many rings are in use.
    pub(in crate::fastpath) fn active(&self) -> usize {
        self.rings.count()
    }

    /// The time of the earliest record that [`Reader::begin`] has seen and that has not been taken, ticks.
    pub(in crate::fastpath) fn next(&self) -> Option<u64> {
        self.next.peek().map(|Reverse((time, _))| *time)
    }

    /// Gives out the records that are not later than `last`, in the order of their times, until the sink breaks it off.
    pub(in crate::fastpath) fn take_until(
        &mut self,
        last: u64,
        clock: &mut Clock,
        sink: &mut impl FnMut(&mut Record) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        while let Some(Reverse((time, index))) = self.next.peek().copied() {
            if time > last {
                break;
            }
            self.next.pop();
            let other = self.next().unwrap_or(u64::MAX);
            self.take_from(index, other.min(last), clock, sink)?;
        }
        ControlFlow::Continue(())
    }

    /// Takes records of one ring as long as they are not later than `last`, at least one; notes when its next is due.
    fn take_from(
        &mut self,
        index: usize,
        last: u64,
        clock: &mut Clock,
        sink: &mut impl FnMut(&mut Record) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let words = (*self.memory).as_ref();
        let Some(ring) = self.rings.get_mut(index) else {
            return ControlFlow::Continue(());
        };
        let mut first = true;
        while ring.has_records() {
            let rest = ring.rest(words, &self.layout);
            let time = ring.next_time(rest, self.now);
            if time > last && !first {
                self.next.push(Reverse((time, index)));
                break;
            }
            first = false;
            ring.latest = time;
            let tid = ring.tid(&self.layout);
            let flow = match self.templates.read(rest, &self.layout, ring) {
                Some(record) => {
                    record.event.time = clock.time(time);
                    record.event.tid = tid;
                    sink(record)
                }
                None => {
                    self.damaged = self.damaged.saturating_add(1);
                    ControlFlow::Continue(())
                }
            };
            ring.make_room_now_and_then(words, &self.layout);
            flow?;
        }
        ControlFlow::Continue(())
    }

    /// Ends a drain: makes room for others, and asks to be woken when a quarter of a ring is full again.
    pub(in crate::fastpath) fn end(&mut self) {
        let words = (*self.memory).as_ref();
        self.rings.make_room(words);
        self.rings.arm(words, self.layout.size() / 4, true);
    }

    /// The word that a thread sets to 1, and wakes the waiting, when it wants its ring to be drained.
    pub(in crate::fastpath) fn bell(&self) -> Option<&AtomicU64> {
        word((*self.memory).as_ref(), header::BELL)
    }

    /// Asks to be woken: at the first record, or only when a quarter of a ring is full.
    pub(in crate::fastpath) fn prepare_sleep(&mut self, first: bool) -> Prepared {
        let words = (*self.memory).as_ref();
        let enough = match first {
            true => 0,
            false => self.layout.size() / 4,
        };
        let silent = load(words, header::BELL) == 0;
        if !silent {
            store(words, header::BELL, 0);
        }
        let armed = self.rings.arm(words, enough, false);
        fence(Ordering::SeqCst);
        Prepared {
            more: self.rings.has_more(words, enough),
            changed: armed || !silent,
        }
    }

    /// Whether a thread has written something that has not been read.
    pub(in crate::fastpath) fn has_more(&self) -> bool {
        self.rings.has_more((*self.memory).as_ref(), 0)
    }

    /// It is awake: nobody need ring.
    pub(in crate::fastpath) fn awake(&self) {
        store((*self.memory).as_ref(), header::BELL, 1);
    }
}

#[cfg(test)]
mod tests;
