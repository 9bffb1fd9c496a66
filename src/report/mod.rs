//! What becomes of events when no script is given: built-in consumers, a file each.

mod hierarchy;
mod marker_lines;

use std::io::{self, Write};

pub use hierarchy::Hierarchy;
pub use marker_lines::MarkerLines;

use crate::event::{Event, Seen};

/// Turns events into output, one at a time and in order.
pub trait Consumer: Send {
    /// Writes what there is to write about an event.
    ///
    /// # Errors
    /// Those of `out`.
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()>;
}

/// The bytes of the `index`th argument, when it is a string that could be read; else what is shown in its place.
fn text_of(event_args: &[crate::event::Arg], index: usize) -> &[u8] {
    match event_args.get(index).map(|arg| &arg.seen) {
        Some(Seen::Text(text)) => &text.bytes,
        Some(Seen::Unreadable) => b"<unreadable>",
        _ => b"?",
    }
}
