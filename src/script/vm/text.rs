//! String values. A value is a small handle that is copied freely; its bytes stay where they are: with the event, among
//! the strings that are kept, or in the scratch of the firing.

use super::interner::{Interner, Symbol};
use crate::event::{Arg, Event, Seen};

/// A string value. It is good for one firing; scratch is taken back statement by statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Str {
    /// One that is kept.
    Symbol(Symbol),
    /// The first bytes of the string that an argument of the probe points to.
    Argument {
        /// Which argument.
        index: u8,
        /// How many bytes.
        len: u32,
    },
    /// The thread's name.
    ThreadName,
    /// A piece of scratch.
    Scratch {
        /// Where it begins.
        start: u32,
        /// How many bytes.
        len: u32,
    },
    /// A piece of scratch that is kept whole, however long: a call stack.
    Whole {
        /// Where it begins.
        start: u32,
        /// How many bytes.
        len: u32,
    },
}

impl Default for Str {
    fn default() -> Str {
        Str::Symbol(Symbol::default())
    }
}

/// Where handles point to.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    /// What is kept.
    pub interner: &'a Interner,
    /// The firing's scratch.
    pub scratch: &'a [u8],
    /// The arguments.
    pub args: &'a [Arg],
    /// The event, or none.
    pub event: Option<&'a Event>,
    /// The name of the tracer's own thread.
    pub own_name: &'a [u8],
}

impl<'a> Texts<'a> {
    /// The bytes of a string.
    #[inline]
    pub fn bytes(self, text: Str) -> &'a [u8] {
        match text {
            Str::Symbol(symbol) => self.interner.bytes(symbol),
            Str::Argument { index, len } => argument(self.args, index, len as usize),
            Str::ThreadName => self.event.map_or(self.own_name, |it| it.comm.as_bytes()),
            Str::Scratch { start, len } | Str::Whole { start, len } => {
                let start = start as usize;
                let end = start.saturating_add(len as usize);
                self.scratch.get(start..end).unwrap_or(b"")
            }
        }
    }
}

impl Str {
    /// The same, kept whole.
    pub fn whole(self) -> Str {
        match self {
            Str::Scratch { start, len } => Str::Whole { start, len },
            other => other,
        }
    }
}

#[inline]
fn argument(args: &[Arg], index: u8, len: usize) -> &[u8] {
    match args.get(usize::from(index)).map(|arg| &arg.seen) {
        Some(Seen::Text(text)) => text.bytes.get(..len).unwrap_or(&text.bytes),
        _ => b"",
    }
}
