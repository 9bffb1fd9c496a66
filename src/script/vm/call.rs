//! What a builtin sees of the machine.

use ptpytrace_arch::ReadMemory;

use crate::event::Event;
use crate::script::builtins::State;

/// A call of a builtin: its arguments, and what it may look at or do.
pub struct Call<'a> {
    /// The arguments.
    pub(in crate::script) arguments: &'a [Value<'a>],
    /// Where a string result goes.
    pub(in crate::script) result: &'a mut Vec<u8>,
    /// When the handler runs: CLOCK_MONOTONIC, ns.
    pub(in crate::script) time: u64,
    /// What happened; `None` in `BEGIN`, `END` and timers.
    pub(in crate::script) event: Option<&'a Event>,
    /// The memory of the traced process, while the thread is held.
    pub(in crate::script) memory: Option<&'a dyn ReadMemory>,
    /// Where what builtins remember from call to call is kept.
    pub(in crate::script) state: &'a mut State,
    /// Where the handler's output goes.
    pub(in crate::script) out: &'a mut Vec<u8>,
    /// Where the handler's messages go (standard error).
    pub(in crate::script) err: &'a mut Vec<u8>,
    /// Signals for the process that is held.
    pub(in crate::script) signals: &'a mut Vec<i32>,
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// An integer.
    Int(i64),
    /// A string.
    Str(&'a [u8]),
}

impl<'a> Call<'a> {
    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.arguments.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.arguments.is_empty()
    }

    /// An argument that is an integer; 0 when it is none.
    pub fn int(&self, index: usize) -> i64 {
        match self.arguments.get(index) {
            Some(Value::Int(value)) => *value,
            _ => 0,
        }
    }

    /// An argument that is a string; empty when it is none.
    pub fn bytes(&self, index: usize) -> &'a [u8] {
        match self.arguments.get(index) {
            Some(Value::Str(bytes)) => bytes,
            _ => b"",
        }
    }

    /// Adds to the string that the builtin gives.
    pub fn give(&mut self, bytes: &[u8]) {
        self.result.extend_from_slice(bytes);
    }

    /// What happened; `None` in `BEGIN`, `END` and timers.
    pub fn event(&self) -> Option<&'a Event> {
        self.event
    }

    /// The memory of the traced process, where the builtin [needs](crate::script::builtin::Needs) the thread held.
    pub fn memory(&self) -> Option<&'a dyn ReadMemory> {
        self.memory
    }

    /// When the handler runs: CLOCK_MONOTONIC, ns.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// The thread that it runs for: the event's, else the tracer's own.
    pub fn tid(&self) -> i32 {
        self.event.map_or(0, |event| event.tid)
    }

    /// What builtins remember from call to call.
    pub fn state(&mut self) -> &mut State {
        self.state
    }

    /// Prints, where the handler's own output goes.
    pub fn print(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Prints on standard error.
    pub fn complain(&mut self, bytes: &[u8]) {
        self.err.extend_from_slice(bytes);
    }

    /// Sends the held process a signal when it goes on.
    pub fn signal(&mut self, signal: i32) {
        self.signals.push(signal);
    }
}
