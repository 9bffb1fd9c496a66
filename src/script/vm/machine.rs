//! What a running program has: its variables, tables and buffers; and what one handler sees of them.

use std::io::Write;

use ptpytrace_arch::ReadMemory;

use super::aggregated::Aggregated;
use super::code::Code;
use super::interner::{Interner, Symbol, TooMuchText};
use super::names::Names;
use super::speculation::Speculations;
use super::table::Table;
use super::text::{Str, Texts};
use super::threads::Threads;
use crate::event::{Arg, Event, ProbeInfo};
use crate::script::builtins::State;
use crate::script::ir::Fault;
use crate::script::source::Span;

/// The most bytes of scratch that one statement may use.
const MAX_SCRATCH: usize = 64 << 20;

/// Output is handed on when so much has gathered, where nothing may have to be taken back.
const OUTPUT_PIECE: usize = 64 << 10;

/// The most output that is held back.
const MAX_OUTPUT: usize = 64 << 20;

/// How much work goes with a statement: looking at an entry is one, and so are so many bytes of text.
pub const WORK_PER_STATEMENT: u64 = 100;
const TEXT_PER_WORK: usize = 16;

/// Why code ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// [`Machine::fault`] says what is wrong.
    Fault,
    /// The handler has ended.
    Next,
    /// The function has ended; [`Machine::returned`] is its value.
    Return,
    /// The innermost loop has ended.
    Break,
    /// The innermost loop's round has ended.
    Continue,
}

/// A value of either type.
#[derive(Clone, Copy, Debug)]
pub enum Datum {
    /// An integer.
    Int(i64),
    /// A string.
    Str(Str),
}

impl Default for Datum {
    fn default() -> Datum {
        Datum::Int(0)
    }
}

/// All that a program has while it runs.
#[derive(Default)]
pub struct Machine {
    /// The strings that are kept.
    pub interner: Interner,
    /// Strings of the statement that runs.
    pub scratch: Vec<u8>,
    /// Global integers.
    pub global_ints: Vec<i64>,
    /// Global strings.
    pub global_strs: Vec<Symbol>,
    /// Integers of the firing.
    pub firing_ints: Vec<i64>,
    /// Strings of the firing.
    pub firing_strs: Vec<Str>,
    /// Integers of the calls; the innermost call's begin at `base`.
    pub local_ints: Vec<i64>,
    /// Strings of the calls, likewise.
    pub local_strs: Vec<Str>,
    /// Where the locals of the innermost call begin.
    pub base: usize,
    /// How deep functions have called each other.
    pub nesting: usize,
    /// How much of the native stack that may take, in levels of code.
    pub depth: usize,
    /// What threads have.
    pub threads: Threads,
    /// Arrays that are not per thread; the others' places are empty tables.
    pub arrays: Vec<Table<i64>>,
    /// Aggregations.
    pub aggregations: Vec<Aggregated>,
    /// Keys that are being evaluated.
    pub keys: Vec<u64>,
    /// Arguments that are being evaluated.
    pub staged: Vec<Datum>,
    /// What the function gave.
    pub returned: Datum,
    /// How many statements the handler may still run.
    pub actions: u64,
    /// How much else it may still do: entries that loops look at, text that is put together.
    pub work: u64,
    /// What is wrong, and where.
    pub fault: Option<(Fault, Option<Span>)>,
    /// The error that error handlers are told.
    pub error_message: Vec<u8>,
    /// What the last regular expression matched: the whole and its groups.
    pub matched: Vec<Vec<u8>>,
    /// What the handlers printed and nobody has yet.
    pub out: Vec<u8>,
    /// What goes to standard error.
    pub err: Vec<u8>,
    /// How many prints are being evaluated: what they print belongs in front of them.
    pub printing: usize,
    /// From here on `out` is this handler's.
    pub handler_out: usize,
    /// Behind the row's beginning.
    pub row_out: usize,
    /// Whether the header of the rows was printed.
    pub row_header: bool,
    /// Whether a row of this firing has changed how far its thread is indented: it does so once.
    pub indented: bool,
    /// Output that may be committed.
    pub speculations: Speculations,
    /// String results of builtins.
    pub result: Vec<u8>,
    /// Buffers that formats may use.
    pub spare: Vec<Vec<u8>>,
    /// What builtins remember.
    pub state: State,
    /// Signals for the process that is held.
    pub signals: Vec<i32>,
    /// The exit status, once a handler has ended the program.
    pub exit: Option<i32>,
    /// The process that was launched or attached to first.
    pub target: i32,
    /// The name of the tracer's own thread.
    pub own_name: Vec<u8>,
    /// What writing met.
    pub write_error: Option<std::io::Error>,
}

impl Machine {
    /// Sets the variables of the firing to what they begin as.
    pub fn freshen(&mut self, ints: &[i64], strs: &[Str]) {
        self.firing_ints.copy_from_slice(ints);
        self.firing_strs.copy_from_slice(strs);
    }
}

/// What code sees while a handler runs.
pub struct Run<'a> {
    /// The program.
    pub code: &'a Code,
    /// What it has.
    pub m: &'a mut Machine,
    /// The arguments of the probe.
    pub args: &'a [Arg],
    /// The event; `None` in `BEGIN`, `END` and timers.
    pub event: Option<&'a Event>,
    /// The probe; likewise.
    pub info: Option<&'a ProbeInfo>,
    /// What the probe is called.
    pub names: &'a Names,
    /// The memory of the held process.
    pub memory: Option<&'a dyn ReadMemory>,
    /// Which handler.
    pub handler: usize,
    /// When: CLOCK_MONOTONIC, ns.
    pub time: u64,
    /// For which thread; 0: the tracer's own.
    pub tid: i32,
    /// Where output goes that has gathered.
    pub sink: &'a mut dyn Write,
}

impl Run<'_> {
    /// Something is wrong.
    #[cold]
    pub fn fail(&mut self, fault: Fault, span: Option<Span>) -> Stop {
        self.m.fault = Some((fault, span));
        Stop::Fault
    }

    /// One more statement or round.
    ///
    /// # Errors
    /// It is one too many.
    #[inline]
    pub fn count(&mut self) -> Result<(), Stop> {
        match self.m.actions.checked_sub(1) {
            Some(left) => {
                self.m.actions = left;
                Ok(())
            }
            None => Err(self.fail(Fault::Actions(self.code.options.max_actions), None)),
        }
    }

    /// So much more work.
    ///
    /// # Errors
    /// It is too much.
    #[inline]
    pub fn work(&mut self, work: usize) -> Result<(), Stop> {
        match self.m.work.checked_sub(work as u64) {
            Some(left) => {
                self.m.work = left;
                Ok(())
            }
            None => Err(self.fail(Fault::Actions(self.code.options.max_actions), None)),
        }
    }

    /// The bytes of a string.
    #[inline]
    pub fn bytes(&self, text: Str) -> &[u8] {
        texts(self.m, self.args, self.event).bytes(text)
    }

    /// The string, kept; cut to the length that the program's options allow.
    ///
    /// # Errors
    /// Too much text in one firing.
    #[inline]
    pub fn intern(&mut self, text: Str) -> Result<Symbol, Stop> {
        let max = self.code.options.max_string;
        let m = &mut *self.m;
        let symbol = match text {
            Str::Symbol(symbol) => return Ok(symbol),
            Str::Argument { .. } | Str::ThreadName => {
                let name = &m.own_name;
                let bytes = match text {
                    Str::ThreadName => self.event.map_or(name.as_slice(), |it| it.comm.as_bytes()),
                    _ => outside(self.args, text),
                };
                m.interner.intern(bytes.get(..max).unwrap_or(bytes))
            }
            Str::Scratch { start, len } => {
                let start = start as usize;
                let end = start.saturating_add((len as usize).min(max));
                m.interner
                    .intern(m.scratch.get(start..end).unwrap_or_default())
            }
            Str::Whole { start, len } => {
                let start = start as usize;
                let end = start.saturating_add(len as usize);
                m.interner
                    .intern(m.scratch.get(start..end).unwrap_or_default())
            }
        };
        symbol.map_err(|TooMuchText| self.fail(too_much_text(), None))
    }

    /// The symbol of the string, if it is kept.
    pub fn find(&self, text: Str) -> Option<Symbol> {
        if let Str::Symbol(symbol) = text {
            return Some(symbol);
        }
        let bytes = self.bytes(text);
        let cut = match text {
            Str::Whole { .. } => None,
            _ => bytes.get(..self.code.options.max_string),
        };
        self.m.interner.find(cut.unwrap_or(bytes))
    }

    /// The string as one that lasts as long as the firing.
    ///
    /// # Errors
    /// Too much text in one firing.
    #[inline]
    pub fn hold(&mut self, text: Str) -> Result<Str, Stop> {
        let max = self.code.options.max_string;
        match text {
            Str::Argument { index, len } => Ok(Str::Argument {
                index,
                len: len.min(u32::try_from(max).unwrap_or(u32::MAX)),
            }),
            Str::Scratch { .. } | Str::Whole { .. } => self.intern(text).map(Str::Symbol),
            other => Ok(other),
        }
    }

    /// What was added to scratch from there on, as a string.
    ///
    /// # Errors
    /// There is too much of it.
    #[inline]
    pub fn scratch_from(&mut self, start: usize) -> Result<Str, Stop> {
        let len = self.m.scratch.len().saturating_sub(start);
        if start.saturating_add(len) > MAX_SCRATCH {
            return Err(self.fail(too_much_text(), None));
        }
        self.work(len / TEXT_PER_WORK)?;
        match (u32::try_from(start), u32::try_from(len)) {
            (Ok(start), Ok(len)) => Ok(Str::Scratch { start, len }),
            _ => Err(self.fail(too_much_text(), None)),
        }
    }

    /// These bytes as a string.
    ///
    /// # Errors
    /// Too much text in one statement.
    pub fn scratch(&mut self, bytes: &[u8]) -> Result<Str, Stop> {
        let start = self.m.scratch.len();
        self.m.scratch.extend_from_slice(bytes);
        self.scratch_from(start)
    }

    /// So many bytes were printed.
    ///
    /// # Errors
    /// It is too much.
    pub fn wrote(&mut self, bytes: usize) -> Result<(), Stop> {
        self.work(bytes / TEXT_PER_WORK)?;
        self.drain()
    }

    /// Hands on what was printed, where that is much and nothing of it may have to be taken back.
    ///
    /// # Errors
    /// It may, and it is too much to hold back.
    pub fn drain(&mut self) -> Result<(), Stop> {
        let waiting = self.m.out.len().max(self.m.err.len());
        if waiting < OUTPUT_PIECE {
            return Ok(());
        }
        if !self.code.options.discard_on_error {
            self.hand_on();
        }
        if self.m.out.len().max(self.m.err.len()) <= MAX_OUTPUT {
            return Ok(());
        }
        let text = "more than 64 MiB of output that may have to be taken back";
        Err(self.fail(Fault::Said(text.to_owned()), None))
    }

    /// Hands on what was printed, unless it may be speculative or something is being printed.
    pub fn hand_on(&mut self) {
        if self.m.speculations.active() || self.m.printing > 0 {
            return;
        }
        if let Err(error) = self.sink.write_all(&self.m.out) {
            self.m.write_error.get_or_insert(error);
        }
        self.m.out.clear();
        self.m.handler_out = 0;
        self.m.row_out = usize::MAX;
    }
}

fn too_much_text() -> Fault {
    Fault::Said("too much text in one firing".to_owned())
}

/// The bytes of a string that lies with the event.
#[inline]
fn outside(args: &[Arg], text: Str) -> &[u8] {
    let Str::Argument { index, len } = text else {
        return b"";
    };
    match args.get(usize::from(index)).map(|arg| &arg.seen) {
        Some(crate::event::Seen::Text(text)) => {
            text.bytes.get(..len as usize).unwrap_or(&text.bytes)
        }
        _ => b"",
    }
}

/// Where the strings of a run lie.
#[inline]
pub fn texts<'t>(m: &'t Machine, args: &'t [Arg], event: Option<&'t Event>) -> Texts<'t> {
    Texts {
        interner: &m.interner,
        scratch: &m.scratch,
        args,
        event,
        own_name: &m.own_name,
    }
}
