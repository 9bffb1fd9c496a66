//! The consumer's loop: what the tracer sends and what the traced programs record, in one order of time.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::{Output, Pace, say};
use crate::event::{Delivery, Event, EventKind, Hold};
use crate::fastpath::drain::{Drain, Moment, Recorded};
use crate::fastpath::ring::Waker;
use crate::report::{Consumer, Flow};
use crate::tracer::monotonic;

/// How long events may gather before they are taken.
const GATHER: Duration = Duration::from_millis(4);

/// Brings events to a consumer.
pub(super) struct Pump<'a> {
    deliveries: &'a Receiver<Delivery>,
    hand: Hand<'a>,
    pace: Pace,
    drain: Drain,
    /// It has just slept: what comes now may gather.
    slept: bool,
    /// Since when something printed has been kept.
    kept_since: Option<u64>,
}

/// Gives the consumer events, and what is due before them.
struct Hand<'a> {
    consumer: &'a mut dyn Consumer,
    out: &'a mut Output,
}

impl Hand<'_> {
    /// What was due before it comes before it.
    #[inline]
    fn event(
        &mut self,
        event: &Event,
        hold: Option<&Hold>,
        due: &mut Option<u64>,
    ) -> io::Result<Flow> {
        if due.is_some_and(|due| due <= event.time) {
            if self.consumer.tick(event.time, self.out)? == Flow::Finish {
                return Ok(Flow::Finish);
            }
            *due = self.consumer.due();
        }
        self.consumer.event(event, hold, self.out)
    }

    /// Gives all that `take` takes, until the consumer wants no more.
    fn all(
        &mut self,
        take: impl FnOnce(&mut dyn FnMut(&Event) -> ControlFlow<()>) -> ControlFlow<()>,
    ) -> io::Result<Flow> {
        let mut result = Ok(Flow::Continue);
        let mut due = self.consumer.due();
        let _ = take(&mut |event| match self.event(event, None, &mut due) {
            Ok(Flow::Continue) => ControlFlow::Continue(()),
            other => {
                result = other;
                ControlFlow::Break(())
            }
        });
        result
    }
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        deliveries: &'a Receiver<Delivery>,
        waker: Arc<Waker>,
        consumer: &'a mut dyn Consumer,
        out: &'a mut Output,
        pace: Pace,
    ) -> Pump<'a> {
        Pump {
            deliveries,
            hand: Hand { consumer, out },
            pace,
            drain: Drain::new(waker),
            slept: false,
            kept_since: None,
        }
    }

    /// What was recorded without the tracer.
    pub(super) fn recorded(&self) -> Recorded {
        self.drain.recorded()
    }

    /// Until the tracer has gone or the consumer wants no more.
    pub(super) fn run(&mut self) -> io::Result<Flow> {
        loop {
            let moment = Moment::now();
            let flow = match self.deliveries.try_recv() {
                Ok(delivery) => self.take_and_gather(delivery)?,
                Err(TryRecvError::Disconnected) => {
                    return self.hand.all(|mut sink| self.drain.take_all(&mut sink));
                }
                Err(TryRecvError::Empty) if self.drain.is_empty() => match self.rest()? {
                    Some(flow) => flow,
                    None => return Ok(Flow::Continue),
                },
                Err(TryRecvError::Empty) => self.look(moment)?,
            };
            if flow == Flow::Finish {
                return Ok(flow);
            }
        }
    }

    /// The channel was empty after this moment.
    fn look(&mut self, moment: Moment) -> io::Result<Flow> {
        let flow = self
            .hand
            .all(|mut sink| self.drain.take_recent(moment, &mut sink))?;
        if flow == Flow::Finish || self.drain.is_empty() {
            return Ok(flow);
        }
        let flush = self.flush_or_keep()?;
        let due = self.hand.consumer.due();
        if due.is_some_and(|due| due <= monotonic()) {
            return self.tick();
        }
        let until = [due, flush].into_iter().flatten().min();
        self.drain.sleep(until, || self.deliveries.is_empty());
        self.slept = true;
        Ok(Flow::Continue)
    }

    /// Something is due.
    fn tick(&mut self) -> io::Result<Flow> {
        let now = monotonic();
        if self.before(now)? == Flow::Finish {
            return Ok(Flow::Finish);
        }
        match self.hand.consumer.due().is_some_and(|due| due <= now) {
            true => self.hand.consumer.tick(now, self.hand.out),
            false => Ok(Flow::Continue),
        }
    }

    /// Nothing but the channel is there to wait for. `None`: the tracer has gone.
    fn rest(&mut self) -> io::Result<Option<Flow>> {
        let flush = self.flush_or_keep()?;
        let due = [self.hand.consumer.due(), flush]
            .into_iter()
            .flatten()
            .min();
        match await_delivery(self.deliveries, due) {
            Awaited::Delivery(delivery) => {
                self.slept = true;
                self.take_and_gather(*delivery).map(Some)
            }
            Awaited::Due => self.tick().map(Some),
            Awaited::Gone => Ok(None),
        }
    }

    /// One wake-up for what comes in the next moments. A full channel ends it early, and who is held does not wait for
    /// it.
    fn take_and_gather(&mut self, delivery: Delivery) -> io::Result<Flow> {
        let held = matches!(delivery, Delivery::Held(..));
        let slept = std::mem::take(&mut self.slept);
        let flow = self.take(delivery)?;
        if flow == Flow::Continue && slept && !held && !self.deliveries.is_full() {
            if self.drain.is_empty() {
                std::thread::sleep(GATHER);
            } else {
                self.drain.gather(GATHER);
            }
        }
        Ok(flow)
    }

    fn take(&mut self, delivery: Delivery) -> io::Result<Flow> {
        let (event, hold) = match delivery {
            Delivery::Event(event) => (event, None),
            Delivery::Held(event, hold) => (event, Some(hold)),
            Delivery::Notice(notice) => {
                self.hand.out.flush()?;
                say(&notice, self.pace.talk);
                return Ok(Flow::Continue);
            }
            Delivery::Recording(recording) => {
                self.drain.add(*recording);
                return Ok(Flow::Continue);
            }
        };
        if self.before(event.time)? == Flow::Finish {
            return Ok(Flow::Finish);
        }
        if let EventKind::ThreadEnd = event.kind {
            self.drain.forget_thread(event.pid, event.tid);
        }
        let mut due = self.hand.consumer.due();
        self.hand.event(&event, hold.as_ref(), &mut due)
    }

    /// What was recorded before a time comes before it.
    fn before(&mut self, time: u64) -> io::Result<Flow> {
        self.hand
            .all(|mut sink| self.drain.take_before(time, &mut sink))
    }

    /// Writes out what was printed, unless it may be kept; then it says until when.
    fn flush_or_keep(&mut self) -> io::Result<Option<u64>> {
        if self.hand.out.buffer().is_empty() {
            self.kept_since = None;
            return Ok(None);
        }
        let now = monotonic();
        let since = self.kept_since.get_or_insert(now);
        let until = since.saturating_add(self.pace.keep);
        if until > now {
            return Ok(Some(until));
        }
        self.kept_since = None;
        self.hand.out.flush()?;
        Ok(None)
    }
}

/// What came when there was nothing to do.
enum Awaited {
    Delivery(Box<Delivery>),
    Due,
    Gone,
}

fn await_delivery(deliveries: &Receiver<Delivery>, due: Option<u64>) -> Awaited {
    let Some(due) = due else {
        let delivery = deliveries.recv();
        return delivery.map_or(Awaited::Gone, |it| Awaited::Delivery(Box::new(it)));
    };
    let wait = Duration::from_nanos(due.saturating_sub(monotonic()));
    match deliveries.recv_timeout(wait) {
        Ok(delivery) => Awaited::Delivery(Box::new(delivery)),
        Err(RecvTimeoutError::Timeout) => Awaited::Due,
        Err(RecvTimeoutError::Disconnected) => Awaited::Gone,
    }
}

#[cfg(test)]
mod tests;
