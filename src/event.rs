//! All that crosses the channel from the tracer to the consumer: owned data, no language, no ptrace.

use std::sync::Arc;

use ptpytrace_arch::ArgValue;

use crate::cpython::PyValue;
use crate::probe::known::ArgType;

/// One thing that happened in a traced process.
#[derive(Clone, Debug)]
pub struct Event {
    /// When the tracer saw it: CLOCK_MONOTONIC in nanoseconds.
    pub time: u64,
    /// The process (thread group id, in the tracer's pid namespace).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// The thread's name as the kernel has it, at most 15 bytes (proc(5), `comm`).
    pub comm: Arc<str>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// A marker fired.
    Fired {
        /// Which one.
        probe: Arc<ProbeInfo>,
        /// Its arguments in order; fewer than the note has only when a spec could not be read.
        args: Vec<Arg>,
    },
    /// The thread has ended: what a consumer keeps for it can go.
    ThreadEnd,
}

/// A marker as consumers see it: the same for all of its sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeInfo {
    /// The provider as the note has it (`python`).
    pub provider: String,
    /// The marker's name as the note has it (`function__entry`).
    pub name: String,
    /// Names and types of its arguments.
    pub args: Vec<ArgInfo>,
}

/// What is known of an argument beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgInfo {
    /// The documented name, or `arg0`, `arg1`, … when there is none.
    pub name: String,
    /// Its type in C.
    pub ty: ArgType,
}

/// An argument as it was captured at the site.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// What the operand held: a number, or an address.
    pub raw: ArgValue,
    /// What was read at that address.
    pub seen: Seen,
}

/// What was captured besides the raw value.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Nothing: the argument is a number.
    Number,
    /// The NUL-terminated string at the address.
    Text(Text),
    /// The Python object at the address.
    Object(PyValue),
    /// The address, or the operand itself, could not be read.
    Unreadable,
}

/// Bytes of a C string.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Text {
    /// Without the NUL; in any encoding.
    pub bytes: Vec<u8>,
    /// The string was longer than the limit.
    pub truncated: bool,
}

impl Text {
    /// As Unicode: bytes that are not UTF-8 become U+FFFD.
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// Something to tell the person at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Said only with `-v`.
    pub verbose: bool,
    /// A sentence, without the program's name.
    pub text: String,
}

/// What goes through the channel.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// An event of a traced process.
    Event(Event),
    /// A remark of the tracer.
    Notice(Notice),
}
