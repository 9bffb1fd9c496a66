//! The consumer thread: takes events from the channel and writes them.
//!
//! It sleeps between batches, because waking it for each event would cost the traced program more than the event
//! itself; what it has written is flushed before it sleeps, so a reader sees everything within milliseconds.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::args::Format;
use super::job::{Manner, Report, Talk};
use crate::event::{Delivery, Notice};
use crate::output::json::JsonLines;
use crate::report::{Consumer, Flow, Hierarchy, MarkerLines};
use crate::tracer::monotonic;

/// How long events may gather before they are taken.
const GATHER: Duration = Duration::from_millis(4);

/// How much is said, and how long what was printed may be kept before it is written.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How much is said.
    pub talk: Talk,
    /// How long, ns. The tools keep it for a while; a program that writes to the same place then disturbs it less.
    pub keep: u64,
}

impl Pace {
    /// That of a tool: dtrace(8) looks once a second (`switchrate`), stap(1) five times.
    pub fn of(manner: Manner, talk: Talk) -> Pace {
        let keep = match manner {
            Manner::Own => 0,
            Manner::Dtrace => 1_000_000_000,
            Manner::Stap => 200_000_000,
        };
        Pace { talk, keep }
    }
}

/// Where the trace goes.
pub type Output = BufWriter<Box<dyn Write + Send>>;

/// Opens the output: a file, or standard output.
///
/// # Errors
/// The file cannot be created.
pub fn open(path: Option<&Path>) -> io::Result<Output> {
    let inner: Box<dyn Write + Send> = match path {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout()),
    };
    Ok(BufWriter::with_capacity(1 << 16, inner))
}

/// The consumer for a report and a format.
pub fn choose(report: Report, format: Format) -> Box<dyn Consumer> {
    match (format, report) {
        (Format::Json, _) => Box::new(JsonLines::default()),
        (Format::Text, Report::Hierarchy) => Box::new(Hierarchy::default()),
        (Format::Text, Report::MarkerLines) => Box::new(MarkerLines::default()),
    }
}

/// Consumes until the tracer has gone or the consumer wants no more, then lets the consumer end. A reader that closes
/// its end of the output is no error: the channel closes, and the tracer leaves.
///
/// # Errors
/// Those of writing.
pub fn consume(
    deliveries: Receiver<Delivery>,
    flow: Flow,
    consumer: &mut dyn Consumer,
    out: &mut Output,
    pace: Pace,
) -> io::Result<()> {
    let result = match flow {
        Flow::Continue => pump(&deliveries, consumer, out, pace),
        Flow::Finish => Ok(()),
    };
    // The tracer leaves while the end is written.
    drop(deliveries);
    match result
        .and_then(|()| consumer.end(out))
        .and_then(|()| out.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn pump(
    deliveries: &Receiver<Delivery>,
    consumer: &mut dyn Consumer,
    out: &mut Output,
    pace: Pace,
) -> io::Result<()> {
    let mut kept_since = None;
    loop {
        let delivery = match deliveries.try_recv() {
            Ok(delivery) => delivery,
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => {
                let flush = flush_or_keep(out, pace, &mut kept_since)?;
                let due = [consumer.due(), flush].into_iter().flatten().min();
                match await_delivery(deliveries, due) {
                    Awaited::Delivery(delivery) => {
                        // One wake-up for what comes in the next moments. A full channel ends it early, and who is
                        // held does not wait for it.
                        let held = matches!(*delivery, Delivery::Held(..));
                        if take(*delivery, consumer, out, pace.talk)? == Flow::Finish {
                            return Ok(());
                        }
                        if !held && !deliveries.is_full() {
                            std::thread::sleep(GATHER);
                        }
                    }
                    Awaited::Due => {
                        let now = monotonic();
                        if consumer.due().is_some_and(|due| due <= now)
                            && consumer.tick(now, out)? == Flow::Finish
                        {
                            return Ok(());
                        }
                    }
                    Awaited::Gone => return Ok(()),
                }
                continue;
            }
        };
        if take(delivery, consumer, out, pace.talk)? == Flow::Finish {
            return Ok(());
        }
    }
}

/// Writes out what was printed, unless it may be kept; then it says until when.
fn flush_or_keep(
    out: &mut Output,
    pace: Pace,
    kept_since: &mut Option<u64>,
) -> io::Result<Option<u64>> {
    if out.buffer().is_empty() {
        *kept_since = None;
        return Ok(None);
    }
    let now = monotonic();
    let until = kept_since.get_or_insert(now).saturating_add(pace.keep);
    if until > now {
        return Ok(Some(until));
    }
    *kept_since = None;
    out.flush()?;
    Ok(None)
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

fn take(
    delivery: Delivery,
    consumer: &mut dyn Consumer,
    out: &mut Output,
    talk: Talk,
) -> io::Result<Flow> {
    let (event, hold) = match delivery {
        Delivery::Event(event) => (event, None),
        Delivery::Held(event, hold) => (event, Some(hold)),
        Delivery::Notice(notice) => {
            out.flush()?;
            say(&notice, talk);
            return Ok(Flow::Continue);
        }
    };
    // What was due before it comes before it.
    if consumer.due().is_some_and(|due| due <= event.time)
        && consumer.tick(event.time, out)? == Flow::Finish
    {
        return Ok(Flow::Finish);
    }
    consumer.event(&event, hold.as_ref(), out)
}

/// Prints a remark on standard error.
pub fn say(notice: &Notice, talk: Talk) {
    let wanted = match talk {
        Talk::Quiet => false,
        Talk::Normal => !notice.verbose,
        Talk::Verbose => true,
    };
    if wanted {
        super::say::complain(&notice.text);
    }
}
