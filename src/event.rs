//! All that crosses the channel from the tracer to the consumer: owned data, no language, no ptrace.

use std::sync::Arc;

use ptpytrace_arch::ArgValue;

use crossbeam_channel::Sender;

use crate::cpython::PyValue;
use crate::fastpath::recording::Recording;
use crate::plan::{Captured, OF_FUNCTIONS, Test};
use crate::probe::known::ArgType;
use crate::process::memory::ProcessMemory;

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
    /// What was captured besides, where the plan asks for it.
    pub context: Option<Box<Context>>,
}

/// What the plan may ask for besides the arguments ([`crate::plan::Capture`]); what it does not ask for is 0 or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The CPU that the thread ran on.
    pub cpu: u32,
    /// The CPU time that the thread has used, ns.
    pub cpu_time: u64,
    /// Process and user ids.
    pub ids: Ids,
    /// Return addresses, the innermost first.
    pub frames: Vec<u64>,
}

/// Process and user ids (credentials(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// The parent's process id.
    pub ppid: i32,
    /// The process group.
    pub pgid: i32,
    /// The session.
    pub sid: i32,
    /// The real user id.
    pub uid: u32,
    /// The effective user id.
    pub euid: u32,
    /// The real group id.
    pub gid: u32,
    /// The effective group id.
    pub egid: u32,
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

/// A probe as consumers see it: the same for all of its sites in one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeInfo {
    /// The provider as the note has it (`python`).
    pub provider: String,
    /// The marker's name as the note has it (`function__entry`).
    pub name: String,
    /// Names and types of its arguments.
    pub args: Vec<ArgInfo>,
    /// The file name of what holds the probe; empty for what no file holds.
    pub module: String,
    /// The function that holds the probe, by the symbol that covers its address; empty when none does.
    pub function: String,
    /// Which requests of the plan it answers, ascending.
    pub requests: Vec<usize>,
    /// A number of its own, from 1.
    pub id: u32,
}

impl ProbeInfo {
    /// Whether it is a function's marker ([`OF_FUNCTIONS`]).
    pub fn is_of_function(&self) -> bool {
        self.provider == "python" && OF_FUNCTIONS.contains(&&*self.name)
    }
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

/// A thread that stays stopped until the consumer has dealt with its event.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The memory of its process.
    pub memory: Arc<ProcessMemory>,
    /// Where the answer goes. When it is dropped without one, the thread just goes on.
    pub answer: Sender<Verdict>,
}

/// What is to become of a held thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Signals that its process is sent before it goes on.
    pub signals: Vec<i32>,
}

/// The captured values of an event, for tests.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The event; its kind is not looked at.
    pub event: &'a Event,
    /// Its probe.
    pub probe: &'a ProbeInfo,
    /// Its arguments.
    pub args: &'a [Arg],
    /// The id of the target; 0 when there is none.
    pub target: i32,
}

impl Values<'_> {
    /// Whether some argument could not be read. Tests then decide nothing: the event passes, and the consumer reports
    /// the error.
    pub fn unreadable(&self) -> bool {
        self.args.iter().any(|arg| arg.seen == Seen::Unreadable)
    }

    /// Whether the event is wanted by one who wants those for which the test holds.
    pub fn pass(&self, test: Option<&Test>) -> bool {
        test.is_none_or(|test| test.holds(self) || self.unreadable())
    }
}

impl Captured for Values<'_> {
    fn argument(&self, index: u8) -> i64 {
        let arg = self.args.get(usize::from(index));
        arg.map_or(0, |arg| arg.raw.as_i64())
    }

    fn text(&self, index: u8) -> Option<&[u8]> {
        match &self.args.get(usize::from(index))?.seen {
            Seen::Text(text) => Some(&text.bytes),
            _ => None,
        }
    }

    fn is_of_function(&self) -> bool {
        self.probe.is_of_function()
    }

    fn pid(&self) -> i32 {
        self.event.pid
    }

    fn tid(&self) -> i32 {
        self.event.tid
    }

    fn target(&self) -> i32 {
        self.target
    }

    fn thread_name(&self) -> &[u8] {
        self.event.comm.as_bytes()
    }
}

/// What goes through the channel.
#[derive(Debug)]
pub enum Delivery {
    /// An event of a traced process.
    Event(Event),
    /// An event of a thread that waits for an answer.
    Held(Event, Hold),
    /// A remark of the tracer.
    Notice(Notice),
    /// An address space records its events itself from now on: they are to be read from its rings.
    Recording(Box<Recording>),
}
