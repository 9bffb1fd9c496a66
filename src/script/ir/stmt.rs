//! Statements.

use super::expr::{Expr, IntExpr, Statistic, StrExpr};
use super::format::{AggregationPiece, Format};
use super::variable::{AggregationId, ArrayId, Buckets, Place, StrVar};
use crate::script::builtin::Action;
use crate::script::source::Span;

/// Statements that run one behind the other.
pub type Block = Vec<Stmt>;

/// A statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// Evaluates, and forgets the value.
    Evaluate(Expr),
    /// One or the other.
    If {
        /// Not 0: `then`.
        condition: IntExpr,
        /// One.
        then: Block,
        /// The other.
        otherwise: Block,
    },
    /// Runs while the condition holds.
    Loop {
        /// Tested before each round.
        condition: IntExpr,
        /// A round.
        body: Block,
        /// Runs after each round, [`Stmt::Continue`] included.
        step: Block,
    },
    /// Runs for each entry of a table.
    ForEach(Box<ForEach>),
    /// Leaves the innermost loop.
    Break,
    /// Goes on with the next round of the innermost loop.
    Continue,
    /// Ends the handler, from within functions too.
    Next,
    /// Ends the function, with its value.
    Return(Option<Expr>),
    /// Runs `body`; a fault in it runs `handler` instead of ending everything.
    Try {
        /// What may fail.
        body: Block,
        /// The variable that gets the error's text.
        message: Option<StrVar>,
        /// What then runs.
        handler: Block,
    },
    /// Makes a scalar variable what it began as.
    Reset(Place),
    /// Removes entries.
    Delete(Region),
    /// Adds a value to an aggregation's entry.
    Record {
        /// The aggregation.
        to: AggregationId,
        /// The keys.
        keys: Vec<Expr>,
        /// The value.
        value: IntExpr,
        /// It counts so many times; `None`: once.
        weight: Option<IntExpr>,
        /// For faults.
        span: Span,
    },
    /// Prints.
    Print(Stream, Format),
    /// Prints aggregations' rows.
    PrintAggregations(Box<PrintAggregations>),
    /// Prints the histogram of one entry.
    PrintHistogram(Box<Histogram>),
    /// Keeps only some entries of an aggregation.
    Trim(Trim),
    /// Sets every value of an aggregation to that of no records; the keys stay.
    Clear(AggregationId),
    /// Values are shown divided by this; 1 undoes it. A fault when it is 0.
    Normalize(AggregationId, IntExpr, Span),
    /// Ends the program, with that exit status.
    Exit(IntExpr),
    /// A fault of that text.
    Fail(StrExpr, Span),
    /// A builtin that does something.
    Act(&'static Action, Vec<Expr>, Span),
    /// The output of the rest of this handler goes to that speculation's buffer (D's `speculate`).
    Speculate(IntExpr),
    /// Prints a speculation's buffer.
    Commit(IntExpr),
    /// Forgets it.
    Discard(IntExpr),
}

/// Where output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The trace.
    Out,
    /// Standard error.
    Err,
}

/// A table that can be gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// An array.
    Array(ArrayId),
    /// An aggregation.
    Aggregation(AggregationId),
}

/// A loop over a table. It goes through the keys that were there when it began; the order is that of insertion where
/// none is asked for.
#[derive(Clone, Debug)]
pub struct ForEach {
    /// The table.
    pub table: Table,
    /// A variable for each key; `None`: not looked at.
    pub keys: Vec<Option<Place>>,
    /// A variable for an array's value.
    pub value: Option<Place>,
    /// For each key, the value that it must have; empty or `None`: any.
    pub slice: Vec<Option<Expr>>,
    /// The order.
    pub order: Option<Order>,
    /// The most rounds.
    pub limit: Option<IntExpr>,
    /// A round.
    pub body: Block,
}

/// The order of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// The largest first.
    pub descending: bool,
}

/// What a loop is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// A key, from 0.
    Key(usize),
    /// An array's value.
    Value,
    /// A statistic of an aggregation's entry.
    Statistic(Statistic),
}

/// Entries of a table.
#[derive(Clone, Debug)]
pub enum Region {
    /// All.
    All(Table),
    /// Those whose keys have these values; `None`: any.
    Slice(Table, Vec<Option<Expr>>),
}

/// Aggregations that are printed side by side.
#[derive(Clone, Debug)]
pub struct PrintAggregations {
    /// Those; at least one, all with the same keys. Rows ascend by the value of the first, then of the second and so
    /// on, then by keys.
    pub aggregations: Vec<AggregationId>,
    /// A row's format; `None`: DTrace's own, with a newline before all.
    pub format: Option<Vec<AggregationPiece>>,
    /// Only aggregations that were not printed yet, and that have entries.
    pub unless_printed: bool,
}

/// A histogram of one entry, as SystemTap prints it.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// The aggregation.
    pub of: AggregationId,
    /// The keys of the entry.
    pub keys: Vec<Expr>,
    /// Which of its histograms.
    pub buckets: Buckets,
    /// For faults.
    pub span: Span,
}

/// Keeps only some entries of an aggregation.
#[derive(Clone, Debug)]
pub struct Trim {
    /// The aggregation.
    pub aggregation: AggregationId,
    /// How many are kept: above 0 those of the largest values, below 0 those of the smallest, 0 none.
    pub keep: IntExpr,
}
