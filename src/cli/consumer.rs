//! The consumer thread: takes events from the channel and writes them.
//!
//! It sleeps between batches, because waking it for each event would cost the traced program more than the event
//! itself; what it has written is flushed before it sleeps, so a reader sees everything within milliseconds.

mod pump;

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::args::Format;
use super::job::{Manner, Report, Talk};
use crate::event::{Delivery, Notice};
use crate::fastpath::drain::Recorded;
use crate::fastpath::ring::Waker;
use crate::output::json::JsonLines;
use crate::report::{Consumer, Flow, Hierarchy, MarkerLines};
use pump::Pump;

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
/// its end of the output is no error: the channel closes, and the tracer leaves. Also gives what was recorded without
/// the tracer. `waker` is the tracer's ([`crate::tracer::Tracer::waker`]).
///
/// The errors are those of writing.
pub fn consume(
    deliveries: Receiver<Delivery>,
    waker: Arc<Waker>,
    flow: Flow,
    consumer: &mut dyn Consumer,
    out: &mut Output,
    pace: Pace,
) -> (io::Result<()>, Recorded) {
    let mut pump = Pump::new(&deliveries, waker, consumer, out, pace);
    let result = match flow {
        Flow::Continue => pump.run(),
        Flow::Finish => Ok(Flow::Finish),
    };
    let recorded = pump.recorded();
    // The tracer leaves while the end is written.
    drop(deliveries);
    let result = result
        .and_then(|_| consumer.end(out))
        .and_then(|()| out.flush());
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => (Ok(()), recorded),
        other => (other, recorded),
    }
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
