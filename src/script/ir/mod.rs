//! The intermediate program: what every language is lowered to, and all that the [`vm`](super::vm) knows.
//!
//! It is typed: integers are 64 bits wide ([`IntExpr`]), strings are bytes ([`StrExpr`]); an ill-typed program cannot be
//! built. Narrower integers are a [`IntExpr::Convert`] where a value is stored or printed. Names are gone: variables,
//! arrays, aggregations and functions are indexes into the [`Program`]'s tables.

mod expr;
mod format;
mod stmt;
mod variable;
pub mod visit;

pub use expr::{
    BinaryOp, Comparison, Expr, IntContext, IntExpr, Invocation, Statistic, StrContext, StrExpr,
    UnaryOp, Yields,
};
pub use format::{AggregationPiece, Format, IntStyle, Number, Piece, Spec, StrStyle};
pub use stmt::{
    Block, ForEach, Histogram, Order, OrderBy, PrintAggregations, Region, Stmt, Stream, Table, Trim,
};
pub use variable::{
    Aggregation, AggregationId, Array, ArrayId, Buckets, FunctionId, Initial, IntVar, Keep, Place,
    Scope, StrVar, Type, Variable,
};

use std::sync::Arc;

use super::source::Span;
use crate::plan::{Point, Within};

/// A script, compiled.
#[derive(Clone, Debug)]
pub struct Program {
    /// One of each for the whole run ([`Scope::Global`]).
    pub globals: Vec<Variable>,
    /// One of each for every thread ([`Scope::Thread`]).
    pub thread_locals: Vec<Variable>,
    /// One of each for every firing, shared by all handlers that run for it ([`Scope::Firing`]).
    pub firing_locals: Vec<Variable>,
    /// Associative arrays.
    pub arrays: Vec<Array>,
    /// Aggregations and statistics.
    pub aggregations: Vec<Aggregation>,
    /// Functions.
    pub functions: Vec<Function>,
    /// What runs when; in source order, which is the order in which they run for one firing.
    pub handlers: Vec<Handler>,
    /// How it runs.
    pub options: Options,
    /// How it speaks.
    pub voice: Arc<dyn Voice>,
}

/// A function of the script.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name, for messages.
    pub name: String,
    /// What it gives; `None`: nothing.
    pub result: Option<Type>,
    /// The types of its locals ([`Scope::Local`]); the parameters come first. They begin as 0 and "".
    pub locals: Vec<Type>,
    /// How many of the locals are parameters.
    pub parameters: usize,
    /// What it does. When it ends without a [`Stmt::Return`] it gives 0 or "".
    pub body: Block,
}

/// What runs when something happens.
#[derive(Clone, Debug)]
pub struct Handler {
    /// On what; any of them.
    pub triggers: Vec<Trigger>,
    /// It runs when this is not 0.
    pub predicate: Option<IntExpr>,
    /// The types of its own locals ([`Scope::Local`]). They begin as 0 and "".
    pub locals: Vec<Type>,
    /// What it does.
    pub body: Block,
    /// A line that says which probe fired is printed around its output.
    pub row: Row,
    /// Where it stands.
    pub span: Span,
}

/// When a handler runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Before anything is traced. Lower priorities run first, then source order.
    Begin(i64),
    /// At the end, however it comes.
    End(i64),
    /// When a handler had an error: at once where [`Options::max_errors`] is `None` (D), for each error but those of error
    /// handlers; else (SystemTap) at the end, in place of [`Trigger::End`], when there were more errors than that.
    Error(i64),
    /// Not at all.
    Never,
    /// Now and then.
    Timer(Timer),
    /// In a traced process.
    Traced(Box<Traced>),
}

/// A point in a traced process.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// In which processes.
    pub within: Within,
    /// Where.
    pub point: Point,
    /// It is no error when nothing matches.
    pub optional: bool,
    /// The point as the script has it, for messages and for [`StrContext::ProbePoint`].
    pub text: String,
}

/// A timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The time between two firings, ns; above 0.
    pub period: u64,
    /// Each interval is longer or shorter at random by up to so many ns.
    pub jitter: u64,
    /// What [`StrContext::ProbeName`] gives comes from here: `tick-1s`, `profile-97`, `timer.ms(1000)`.
    pub name: TimerName,
    /// It fires for each thread that runs (D's `profile-97`), not once: in the threads of the process that was launched
    /// or attached to first. When none runs it fires once, in no process, as it does on an idle CPU.
    pub samples: bool,
}

/// An index into a table of names that the voice keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerName(pub u32);

/// What is printed around a handler's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Row {
    /// Nothing.
    #[default]
    None,
    /// DTrace's columns: CPU, ID, FUNCTION:NAME; then a newline.
    Columns,
    /// The same with `->` and `<-`, indented by call depth (`-F`).
    Flow,
}

/// How a program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// After so many errors in handlers it ends; `None`: never.
    pub max_errors: Option<u64>,
    /// What a handler printed before it had an error is not printed.
    pub discard_on_error: bool,
    /// The most bytes of a string that is kept (in variables and keys) or captured; longer ones are cut.
    pub max_string: usize,
    /// The most entries of an array or aggregation that states no limit of its own.
    pub max_entries: usize,
    /// The most statements that one firing may run; then it has an error. Keeps endless loops from hanging.
    pub max_actions: u64,
    /// How deep functions may call each other.
    pub max_nesting: usize,
    /// A Python call stack is kept for each thread, from the markers `function__entry` and `function__return`.
    pub python_stack: bool,
    /// Keys and values of unsigned integers compare unsigned when aggregations are sorted.
    pub unsigned_keys: bool,
    /// Aggregations are printed every so many ns, as by an end of the program; 0: never.
    pub aggregation_interval: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_errors: Some(0),
            discard_on_error: false,
            max_string: 4096,
            max_entries: 1 << 24,
            max_actions: 10_000_000,
            max_nesting: 200,
            python_stack: false,
            unsigned_keys: false,
            aggregation_interval: 0,
        }
    }
}

/// What a language says in words of its own.
pub trait Voice: std::fmt::Debug + Send + Sync {
    /// The line for standard error, without its newline, when a handler had an error.
    fn fault(&self, fault: &FaultReport<'_>) -> String;
    /// What [`StrContext::ProbeName`] gives in a timer's handler.
    fn timer_name(&self, name: TimerName) -> &str;
    /// The line for standard error, without its newline, when a run has ended in which handlers had so many errors.
    fn closing(&self, errors: u64) -> Option<String> {
        let _ = errors;
        None
    }
}

/// An error in a handler.
#[derive(Clone, Debug)]
pub struct FaultReport<'a> {
    /// What happened.
    pub fault: &'a Fault,
    /// The number of the probe (0 when it is none that is traced), its provider, module, function and name.
    pub probe: Option<&'a crate::event::ProbeInfo>,
    /// The handler's index.
    pub handler: usize,
    /// Where in the script; at best the expression.
    pub span: Span,
}

/// What can go wrong while a handler runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A divisor is 0.
    #[error("division by 0")]
    Division,
    /// Memory of the traced process that cannot be read.
    #[error("invalid address 0x{0:x}")]
    Address(u64),
    /// A string argument that cannot be read.
    #[error("user string copy fault -14 at 0x{0:016x}")]
    UserString(u64),
    /// An array or aggregation has as many entries as it may.
    #[error("array overflow, check {0}")]
    Full(String),
    /// An array or aggregation element that is not there, or a statistic without values.
    #[error("{0}")]
    Empty(String),
    /// Too many statements.
    #[error("too many statements in one firing ({0})")]
    Actions(u64),
    /// Functions call each other too deep.
    #[error("functions call each other more than {0} deep")]
    Nesting(usize),
    /// The script itself says so (`error()`), or a builtin does.
    #[error("{0}")]
    Said(String),
}
