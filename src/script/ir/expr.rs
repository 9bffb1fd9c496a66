//! Expressions: integers and strings.

use std::sync::Arc;

use super::format::Format;
use super::stmt::Block;
use super::variable::{AggregationId, ArrayId, FunctionId, IntVar, StrVar};
use crate::script::builtin::{IntFunction, StrFunction};
use crate::script::source::Span;

/// An expression of either type.
#[derive(Clone, Debug)]
pub enum Expr {
    /// An integer.
    Int(IntExpr),
    /// A string.
    Str(StrExpr),
}

/// An integer expression. Arithmetic wraps; conditions are 0 or not.
#[derive(Clone, Debug)]
pub enum IntExpr {
    /// A constant.
    Constant(i64),
    /// A variable.
    Load(IntVar),
    /// An array's element; 0 when there is none.
    Element(ArrayId, Vec<Expr>),
    /// Something about the firing.
    Context(IntContext),
    /// An argument of the probe, sign-extended by its spec; 0 when there is none.
    Argument(u8),
    /// How many arguments the probe has.
    ArgumentCount,
    /// One operand.
    Unary(UnaryOp, Box<IntExpr>),
    /// Two operands. The span is for the fault of a division by 0.
    Binary(BinaryOp, Box<IntExpr>, Box<IntExpr>, Span),
    /// `&&`: 1 or 0; the second is evaluated when the first is not 0.
    And(Box<IntExpr>, Box<IntExpr>),
    /// `||`: 1 or 0; the second is evaluated when the first is 0.
    Or(Box<IntExpr>, Box<IntExpr>),
    /// Compares two integers: 1 or 0.
    Compare(Comparison, Box<IntExpr>, Box<IntExpr>),
    /// Compares two strings byte by byte: 1 or 0.
    CompareStr(Comparison, Box<StrExpr>, Box<StrExpr>),
    /// The low bits of a value, extended to 64 again.
    Convert {
        /// 8, 16 or 32.
        bits: u8,
        /// Extended by the sign.
        signed: bool,
        /// The value.
        value: Box<IntExpr>,
    },
    /// `condition ? then : otherwise`
    Choose(Box<IntExpr>, Box<IntExpr>, Box<IntExpr>),
    /// Assigns to a variable; with an operator, what it holds and the value are combined.
    Assign {
        /// Where to.
        to: IntVar,
        /// How to combine.
        op: Option<BinaryOp>,
        /// The value.
        value: Box<IntExpr>,
        /// What the whole is.
        yields: Yields,
        /// For faults.
        span: Span,
    },
    /// The same for an element.
    AssignElement {
        /// The array.
        array: ArrayId,
        /// The keys, evaluated once.
        keys: Vec<Expr>,
        /// How to combine.
        op: Option<BinaryOp>,
        /// The value.
        value: Box<IntExpr>,
        /// What the whole is.
        yields: Yields,
        /// For faults.
        span: Span,
    },
    /// 1 when the array has an element of these keys, else 0.
    Contains(ArrayId, Vec<Expr>),
    /// 1 when the aggregation has an entry of these keys, else 0.
    ContainsEntry(AggregationId, Vec<Expr>),
    /// A statistic of an aggregation's entry. A fault when it has no values and the statistic needs some.
    Statistic {
        /// The aggregation.
        of: AggregationId,
        /// The keys.
        keys: Vec<Expr>,
        /// Which.
        what: Statistic,
        /// For faults.
        span: Span,
    },
    /// 1 when a string matches a regular expression, else 0. What it matched is remembered ([`StrExpr::Matched`]).
    Matches(Box<StrExpr>, Arc<regex::bytes::Regex>),
    /// A builtin.
    Call(&'static IntFunction, Vec<Expr>, Span),
    /// A function of the script that gives an integer.
    Invoke(Box<Invocation>),
    /// Runs statements (no jumps out of them), then gives the value.
    After(Block, Box<IntExpr>),
}

/// A string expression.
#[derive(Clone, Debug)]
pub enum StrExpr {
    /// A constant.
    Constant(Vec<u8>),
    /// A variable.
    Load(StrVar),
    /// An array's element; "" when there is none.
    Element(ArrayId, Vec<Expr>),
    /// Something about the firing.
    Context(StrContext),
    /// The string that an argument of the probe points to, captured with the event.
    Argument {
        /// Which argument.
        index: u8,
        /// At most so many bytes of it.
        limit: usize,
        /// What it is when it cannot be read; `None`: then that is a fault.
        otherwise: Option<Box<StrExpr>>,
        /// For the fault.
        span: Span,
    },
    /// The Python object that an argument points to, as Python's `repr` shows it.
    Object(u8),
    /// `condition ? then : otherwise`
    Choose(Box<IntExpr>, Box<StrExpr>, Box<StrExpr>),
    /// Assigns to a variable; gives the new value.
    Assign {
        /// Where to.
        to: StrVar,
        /// The value.
        value: Box<StrExpr>,
    },
    /// Assigns to an element; gives the new value.
    AssignElement {
        /// The array.
        array: ArrayId,
        /// The keys.
        keys: Vec<Expr>,
        /// The value.
        value: Box<StrExpr>,
        /// For faults.
        span: Span,
    },
    /// One behind the other.
    Concat(Box<StrExpr>, Box<StrExpr>),
    /// `sprintf`
    Format(Box<Format>),
    /// What the last regular expression that matched in this firing matched; 0 is the whole, others its groups.
    Matched(u8),
    /// A builtin.
    Call(&'static StrFunction, Vec<Expr>, Span),
    /// A function of the script that gives a string.
    Invoke(Box<Invocation>),
    /// Runs statements (no jumps out of them), then gives the value.
    After(Block, Box<StrExpr>),
}

/// A call of a function of the script.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Which.
    pub function: FunctionId,
    /// Its arguments, by number and type those that it declares.
    pub arguments: Vec<Expr>,
    /// For faults.
    pub span: Span,
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `!`: 1 or 0.
    Not,
    /// `~`
    Complement,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`, toward 0; a fault when the second is 0.
    Divide,
    /// `/`, unsigned.
    DivideUnsigned,
    /// `%`, with the sign of the first; a fault when the second is 0.
    Remainder,
    /// `%`, unsigned.
    RemainderUnsigned,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `<<`; by the low 6 bits.
    ShiftLeft,
    /// `>>`, arithmetic.
    ShiftRight,
    /// `>>`, logical.
    ShiftRightUnsigned,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`, unsigned.
    Below,
    /// `<=`, unsigned.
    BelowOrEqual,
    /// `>`, unsigned.
    Above,
    /// `>=`, unsigned.
    AboveOrEqual,
}

/// What an assignment as an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yields {
    /// The new value.
    New,
    /// The one before (`x++`).
    Old,
}

/// What an aggregation tells of its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statistic {
    /// How many.
    #[default]
    Count,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The average, toward 0.
    Average,
    /// The variance, shifted left by so many bits before the division (SystemTap's `@variance(v, bits)`).
    Variance(u8),
    /// The standard deviation (D's `stddev`), toward 0.
    Deviation,
}

/// Integers about a firing. Where there is no thread (`BEGIN`, timers) they are those of the tracer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntContext {
    /// CLOCK_MONOTONIC, ns, at the firing.
    Timestamp,
    /// CLOCK_REALTIME, ns since 1970, at the firing.
    WallTime,
    /// The CPU time of the thread, ns.
    CpuTime,
    /// Its process id.
    Pid,
    /// Its id.
    Tid,
    /// Its parent's process id.
    Ppid,
    /// Its process group.
    Pgid,
    /// Its session.
    Sid,
    /// Its real user id.
    Uid,
    /// Its effective user id.
    Euid,
    /// Its real group id.
    Gid,
    /// Its effective group id.
    Egid,
    /// The CPU that it runs on.
    Cpu,
    /// The process that was launched or attached to first; 0 when there is none.
    Target,
    /// The probe's number.
    ProbeId,
    /// The address that the function which holds the probe returns to (D's `ucaller`), by the captured
    /// native stack; 0 when it is not known.
    Caller,
}

/// Strings about a firing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrContext {
    /// The thread's name.
    ThreadName,
    /// The probe's provider with the process id behind it, as DTrace has it (`python1234`).
    Instance,
    /// The probe's provider as in the note.
    Provider,
    /// The file that holds the probe.
    Module,
    /// The function that holds the probe.
    Function,
    /// The probe's name as DTrace spells it, with `-` for `__`.
    ProbeName,
    /// The probe's name as in the note.
    MarkName,
    /// The point that fired, as SystemTap's `pp()` has it: the script's text of it with globs replaced.
    ProbePoint,
    /// All arguments as SystemTap's `$$parms` has them: `$arg1=0x1 $arg2=0x2`, in hexadecimal.
    Parameters,
    /// The working directory of the process.
    WorkingDirectory,
    /// The Python call stack, the innermost function first: at most so many frames (0: all), a line each, beginning
    /// and ending in a newline. Needs [`super::Options::python_stack`].
    PythonStack(u16),
    /// The native call stack, likewise.
    NativeStack(u16),
    /// The error that an error handler runs for.
    ErrorMessage,
}
