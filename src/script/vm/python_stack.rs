//! The Python calls of a thread, as the markers `function__entry` and `function__return` tell them.

use super::interner::{Interner, Marks, Symbol};
use crate::event::{Arg, Seen};

/// The most calls that are remembered; deeper ones are only counted.
const MAX_FRAMES: usize = 65_536;

/// How far a frame is indented, as DTrace's `ustack` does it.
const INDENT: &[u8; 14] = &[b' '; 14];

/// A call that has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    function: Symbol,
    file: Symbol,
    line: i64,
}

/// The calls of a thread, the outermost first.
#[derive(Debug, Default)]
pub struct PythonStack {
    frames: Vec<Frame>,
}

/// The string that an argument points to; empty when it could not be read.
fn text(args: &[Arg], index: usize) -> &[u8] {
    match args.get(index).map(|arg| &arg.seen) {
        Some(Seen::Text(text)) => &text.bytes,
        _ => b"",
    }
}

impl PythonStack {
    /// A function is entered; the arguments are those of the marker: file, function, line.
    pub fn enter(&mut self, args: &[Arg], interner: &mut Interner) {
        if self.frames.len() >= MAX_FRAMES {
            return;
        }
        self.frames.push(Frame {
            function: interner.intern(text(args, 1)).unwrap_or_default(),
            file: interner.intern(text(args, 0)).unwrap_or_default(),
            line: args.get(2).map_or(0, |arg| arg.raw.as_i64()),
        });
    }

    /// A function is left. CPython 3.15 has entries without a return and returns without an entry, so what is left is
    /// looked for; when it was never entered everything stays.
    pub fn leave(&mut self, args: &[Arg], interner: &Interner) {
        let (file, function) = (text(args, 0), text(args, 1));
        let is = |frame: &Frame| {
            interner.bytes(frame.function) == function && interner.bytes(frame.file) == file
        };
        if let Some(index) = self.frames.iter().rposition(is) {
            self.frames.truncate(index);
        }
    }

    /// Writes the innermost `limit` calls (0: all), a line each, beginning and ending in a newline.
    pub fn write(&self, out: &mut Vec<u8>, limit: u16, interner: &Interner) {
        let limit = if limit == 0 {
            usize::MAX
        } else {
            usize::from(limit)
        };
        out.push(b'\n');
        for frame in self.frames.iter().rev().take(limit) {
            out.extend_from_slice(INDENT);
            out.extend_from_slice(interner.bytes(frame.function));
            out.extend_from_slice(b" (");
            out.extend_from_slice(interner.bytes(frame.file));
            out.push(b':');
            crate::script::format::write_decimal(out, frame.line);
            out.extend_from_slice(b")\n");
        }
    }

    /// Marks its strings.
    pub fn mark(&self, marks: &mut Marks) {
        for frame in &self.frames {
            marks.mark(frame.function);
            marks.mark(frame.file);
        }
    }
}
