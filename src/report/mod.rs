//! What becomes of events when no script is given: built-in consumers, a file each.

pub(crate) mod digits;
mod hierarchy;
mod marker_lines;

use std::io::{self, Write};

pub use hierarchy::Hierarchy;
pub use marker_lines::MarkerLines;

use crate::event::{Event, Hold, Seen};

/// Turns events into output, one at a time and in order.
pub trait Consumer: Send {
    /// Before anything is traced. The launched process, if any, exists already and does not run yet.
    ///
    /// # Errors
    /// Those of `out`.
    fn begin(&mut self, target: Option<i32>, out: &mut dyn Write) -> io::Result<Flow> {
        let _ = (target, out);
        Ok(Flow::Continue)
    }

    /// Writes what there is to write about an event. A thread that is on `hold` goes on when this returns.
    ///
    /// # Errors
    /// Those of `out`.
    fn event(
        &mut self,
        event: &Event,
        hold: Option<&Hold>,
        out: &mut dyn Write,
    ) -> io::Result<Flow>;

    /// When [`Consumer::tick`] wants to be called next: CLOCK_MONOTONIC, ns. No event makes it earlier.
    fn due(&self) -> Option<u64> {
        None
    }

    /// It is that time, or later. Events that are older have been seen.
    ///
    /// # Errors
    /// Those of `out`.
    fn tick(&mut self, now: u64, out: &mut dyn Write) -> io::Result<Flow> {
        let _ = (now, out);
        Ok(Flow::Continue)
    }

    /// There are no more events: everything traced has ended, or the tracer was told to leave, or this consumer wanted
    /// to finish.
    ///
    /// # Errors
    /// Those of `out`.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let _ = out;
        Ok(())
    }

    /// What there is to say on standard error when all is written: what went wrong on the way.
    fn remark(&self) -> Option<String> {
        None
    }

    /// The exit status that it asks for; `None`: as for any trace.
    fn status(&self) -> Option<i32> {
        None
    }
}

/// Whether a consumer wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Continue,
    /// It does not: the tracer is to leave.
    Finish,
}

/// The bytes of the `index`th argument, when it is a string that could be read; else what is shown in its place.
fn text_of(event_args: &[crate::event::Arg], index: usize) -> &[u8] {
    match event_args.get(index).map(|arg| &arg.seen) {
        Some(Seen::Text(text)) => &text.bytes,
        Some(Seen::Unreadable) => b"<unreadable>",
        _ => b"?",
    }
}
