//! `/proc/PID/status`: who a process belongs to, what state it is in, and what it may do.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// The number of the capability to trace any process (`CAP_SYS_PTRACE`, capabilities(7)).
pub const CAP_SYS_PTRACE: u32 = 19;

/// A file of `/proc` that lacks a field or holds no number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field `{0}` is missing or malformed")]
pub struct FormatError(
    /// The field's name, as proc(5) has it.
    pub &'static str,
);

/// What a process or thread is doing: the letter in `status` and `stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// `R`: running, or waiting for a CPU.
    Running,
    /// `S`: sleeping; a signal wakes it.
    Sleeping,
    /// `D`: sleeping; no signal wakes it.
    DiskSleep,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by its tracer.
    TracingStop,
    /// `Z`: ended, but its parent has not asked for its status.
    Zombie,
    /// `X` or `x`: being removed.
    Dead,
    /// Another letter (`I`, `P`, …), which no ordinary process has.
    Other(char),
}

impl State {
    /// The state that `text` begins with, if it begins with an ASCII letter.
    pub fn parse(text: &str) -> Option<State> {
        let letter = text.chars().next()?;
        Some(match letter {
            'R' => State::Running,
            'S' => State::Sleeping,
            'D' => State::DiskSleep,
            'T' => State::Stopped,
            't' => State::TracingStop,
            'Z' => State::Zombie,
            'X' | 'x' => State::Dead,
            other if other.is_ascii_alphabetic() => State::Other(other),
            _ => return None,
        })
    }

    /// Whether it has ended.
    pub fn has_ended(self) -> bool {
        matches!(self, State::Zombie | State::Dead)
    }
}

/// The four user or group ids of a process (credentials(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Who started it.
    pub real: u32,
    /// Whose rights it has.
    pub effective: u32,
    /// Whose rights it can take again.
    pub saved: u32,
    /// Whose rights it has on files.
    pub filesystem: u32,
}

impl Ids {
    /// All four the same.
    pub fn all(id: u32) -> Ids {
        Ids {
            real: id,
            effective: id,
            saved: id,
            filesystem: id,
        }
    }

    /// Whether a caller of this id may trace as far as ids are concerned: the kernel compares it with all but the
    /// file system's id (ptrace(2), "Ptrace access mode checking").
    pub fn are_traceable_by(&self, id: u32) -> bool {
        self.real == id && self.effective == id && self.saved == id
    }
}

/// How seccomp(2) restricts a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// Not at all.
    Off,
    /// To read, write, exit and return from a signal handler.
    Strict,
    /// By a filter.
    Filter,
    /// In a way that is not known yet.
    Other(u32),
}

impl Status {
    /// Whether a filter of system calls (seccomp(2)) may be at work, which might end the thread for a call of ours.
    pub fn is_confined(&self) -> bool {
        self.seccomp.is_some_and(|mode| mode != Seccomp::Off)
    }
}

/// A set of signals: bit `n - 1` stands for signal `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(
    /// The bits as the kernel shows them.
    pub u64,
);

impl SignalSet {
    /// Whether signal `number` (from 1 to 64) is in the set.
    pub fn contains(self, number: i32) -> bool {
        number
            .checked_sub(1)
            .and_then(|bit| u32::try_from(bit).ok())
            .and_then(|bit| self.0.checked_shr(bit))
            .is_some_and(|bits| bits & 1 == 1)
    }
}

/// A set of capabilities: bit `n` stands for capability `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(
    /// The bits as the kernel shows them.
    pub u64,
);

impl Capabilities {
    /// Whether a capability (by its number in capabilities(7)) is in the set.
    pub fn contains(self, number: u32) -> bool {
        self.0.checked_shr(number).is_some_and(|bits| bits & 1 == 1)
    }

    /// Whether each of `other`'s capabilities is in this set too.
    pub fn include(self, other: Capabilities) -> bool {
        other.0 & !self.0 == 0
    }
}

/// What is used of `/proc/PID/status` (proc_pid_status(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The name of the thread (of a process: of its first thread), its escapes undone.
    pub name: OsString,
    /// What it is doing.
    pub state: State,
    /// The process that the thread belongs to.
    pub tgid: i32,
    /// The parent process; 0 when it is outside of this pid namespace, or for the first process.
    pub ppid: i32,
    /// The tracing **thread**; 0 when there is none, or when it is outside of this pid namespace.
    pub tracer: i32,
    /// The user ids.
    pub uid: Ids,
    /// The group ids.
    pub gid: Ids,
    /// The thread's ids in this pid namespace and those inside of it, the innermost last. Empty before Linux 4.1.
    pub ns_pids: Vec<i32>,
    /// How seccomp restricts it; `None` when the kernel does not say.
    pub seccomp: Option<Seccomp>,
    /// Whether exec gives it no new rights; `None` before Linux 4.10.
    pub no_new_privileges: Option<bool>,
    /// Signals that wait for this thread.
    pub pending: SignalSet,
    /// Signals that wait for the process.
    pub shared_pending: SignalSet,
    /// Signals that the thread blocks.
    pub blocked: SignalSet,
    /// Signals that the process ignores.
    pub ignored: SignalSet,
    /// Signals for which the process has a handler.
    pub caught: SignalSet,
    /// The capabilities that it could have in force.
    pub permitted: Capabilities,
    /// The capabilities that are in force.
    pub capabilities: Capabilities,
    /// Whether it has memory of its own (`VmSize`): neither a kernel thread nor a process that has ended has.
    pub has_memory: bool,
    /// Whether it is a thread of the kernel; `None` before Linux 6.8, where only `stat` tells for sure.
    pub kernel_thread: Option<bool>,
}

impl Status {
    /// Reads the text of a `status` file.
    ///
    /// # Errors
    /// [`FormatError`] for the first field that is malformed, or missing although every kernel since 2.6.26 has it.
    pub fn parse(text: &[u8]) -> Result<Status, FormatError> {
        let fields = Fields { text };
        let state = fields.text("State").and_then(State::parse);
        Ok(Status {
            name: unescaped(fields.raw("Name").ok_or(FormatError("Name"))?),
            state: state.ok_or(FormatError("State"))?,
            tgid: fields.number("Tgid")?,
            ppid: fields.number("PPid")?,
            tracer: fields.number("TracerPid")?,
            uid: fields.ids("Uid")?,
            gid: fields.ids("Gid")?,
            ns_pids: fields.numbers("NSpid")?,
            seccomp: fields.optional("Seccomp")?.map(seccomp),
            no_new_privileges: fields.optional("NoNewPrivs")?.map(|value: u32| value != 0),
            pending: SignalSet(fields.bits("SigPnd")?),
            shared_pending: SignalSet(fields.bits("ShdPnd")?),
            blocked: SignalSet(fields.bits("SigBlk")?),
            ignored: SignalSet(fields.bits("SigIgn")?),
            caught: SignalSet(fields.bits("SigCgt")?),
            permitted: Capabilities(fields.bits("CapPrm")?),
            capabilities: Capabilities(fields.bits("CapEff")?),
            has_memory: fields.raw("VmSize").is_some(),
            kernel_thread: fields.optional("Kthread")?.map(|value: u32| value != 0),
        })
    }

    /// Whether it is a thread of the kernel. On Linux before 6.8 this is a guess from what such a thread lacks;
    /// [`Stat::is_kernel_thread`](super::stat::Stat::is_kernel_thread) tells for sure.
    pub fn is_kernel_thread(&self) -> bool {
        let looks_so = !self.has_memory && !self.state.has_ended() && matches!(self.ppid, 0 | 2);
        self.kernel_thread.unwrap_or(looks_so)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

fn seccomp(mode: u32) -> Seccomp {
    match mode {
        0 => Seccomp::Off,
        1 => Seccomp::Strict,
        2 => Seccomp::Filter,
        other => Seccomp::Other(other),
    }
}

/// The kernel writes a line end in a name as `\n` and a backslash as `\\`.
fn unescaped(name: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    loop {
        rest = match rest {
            [b'\\', b'n', tail @ ..] => {
                bytes.push(b'\n');
                tail
            }
            [b'\\', b'\\', tail @ ..] => {
                bytes.push(b'\\');
                tail
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
            [] => break,
        };
    }
    OsStr::from_bytes(&bytes).to_os_string()
}

/// The lines `Key:\tvalue` of a status file.
struct Fields<'a> {
    text: &'a [u8],
}

impl<'a> Fields<'a> {
    /// A field's value without the tabulator in front.
    fn raw(&self, key: &str) -> Option<&'a [u8]> {
        let lines = self.text.split(|byte| *byte == b'\n');
        let mut values = lines.filter_map(|line| {
            let value = line.strip_prefix(key.as_bytes())?.strip_prefix(b":")?;
            Some(value.strip_prefix(b"\t").unwrap_or(value))
        });
        values.next()
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        std::str::from_utf8(self.raw(key)?).ok().map(str::trim)
    }

    fn optional<T: std::str::FromStr>(&self, key: &'static str) -> Result<Option<T>, FormatError> {
        match self.raw(key) {
            Some(_) => self.number(key).map(Some),
            None => Ok(None),
        }
    }

    fn number<T: std::str::FromStr>(&self, key: &'static str) -> Result<T, FormatError> {
        let value = self.text(key).and_then(|text| text.parse().ok());
        value.ok_or(FormatError(key))
    }

    /// All numbers of a field; none when there is no such field.
    fn numbers<T: std::str::FromStr>(&self, key: &'static str) -> Result<Vec<T>, FormatError> {
        if self.raw(key).is_none() {
            return Ok(Vec::new());
        }
        let text = self.text(key).ok_or(FormatError(key))?;
        let numbers: Result<Vec<T>, _> = text.split_ascii_whitespace().map(str::parse).collect();
        numbers.map_err(|_| FormatError(key))
    }

    fn bits(&self, key: &'static str) -> Result<u64, FormatError> {
        let text = self.text(key).ok_or(FormatError(key))?;
        u64::from_str_radix(text, 16).map_err(|_| FormatError(key))
    }

    fn ids(&self, key: &'static str) -> Result<Ids, FormatError> {
        match self.numbers(key)?.as_slice() {
            [real, effective, saved, filesystem] => Ok(Ids {
                real: *real,
                effective: *effective,
                saved: *saved,
                filesystem: *filesystem,
            }),
            _ => Err(FormatError(key)),
        }
    }
}

#[cfg(test)]
mod tests;
