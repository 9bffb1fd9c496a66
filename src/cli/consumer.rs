//! The consumer thread: takes events from the channel and writes them.
//!
//! It sleeps between batches, because waking it for each event would cost the traced program more than the event
//! itself; what it has written is flushed before it sleeps, so a reader sees everything within milliseconds.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError};

use super::args::Format;
use super::job::{Report, Talk};
use crate::event::{Delivery, Notice};
use crate::output::json::JsonLines;
use crate::report::{Consumer, Hierarchy, MarkerLines};

/// How long events may gather before they are taken.
const GATHER: Duration = Duration::from_millis(4);

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

/// Consumes until the tracer has gone. A reader that closes its end of the output is no error: the channel closes,
/// and the tracer leaves.
///
/// # Errors
/// Those of writing.
pub fn consume(
    deliveries: Receiver<Delivery>,
    consumer: &mut dyn Consumer,
    out: &mut Output,
    talk: Talk,
) -> io::Result<()> {
    let result = pump(&deliveries, consumer, out, talk);
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn pump(
    deliveries: &Receiver<Delivery>,
    consumer: &mut dyn Consumer,
    out: &mut Output,
    talk: Talk,
) -> io::Result<()> {
    loop {
        match deliveries.try_recv() {
            Ok(delivery) => take(delivery, consumer, out, talk)?,
            Err(TryRecvError::Disconnected) => return out.flush(),
            Err(TryRecvError::Empty) => {
                out.flush()?;
                let Ok(delivery) = deliveries.recv() else {
                    return Ok(());
                };
                take(delivery, consumer, out, talk)?;
                out.flush()?;
                // One wake-up for what comes in the next moments. A full channel ends it early.
                if !deliveries.is_full() {
                    std::thread::sleep(GATHER);
                }
            }
        }
    }
}

fn take(
    delivery: Delivery,
    consumer: &mut dyn Consumer,
    out: &mut Output,
    talk: Talk,
) -> io::Result<()> {
    match delivery {
        Delivery::Event(event) => consumer.event(&event, out),
        Delivery::Notice(notice) => {
            out.flush()?;
            say(&notice, talk);
            Ok(())
        }
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
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(io::stderr(), "ptpytrace: {}", notice.text);
    }
}
