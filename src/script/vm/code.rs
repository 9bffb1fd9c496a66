//! A compiled program: closures over slots.

use super::machine::{Run, Stop};
use super::text::Str;
use crate::script::ir::{Options, Row, Trigger, Type};
use crate::script::source::Span;

/// Code that gives an integer.
pub type IntCode = Box<dyn Fn(&mut Run<'_>) -> Result<i64, Stop> + Send>;

/// Code that gives a string.
pub type StrCode = Box<dyn Fn(&mut Run<'_>) -> Result<Str, Stop> + Send>;

/// Code that does something.
pub type Step = Box<dyn Fn(&mut Run<'_>) -> Result<(), Stop> + Send>;

/// Code of either type.
pub enum ValueCode {
    /// It gives an integer.
    Int(IntCode),
    /// It gives a string.
    Str(StrCode),
}

/// Statements.
#[derive(Default)]
pub struct BlockCode {
    steps: Box<[Step]>,
}

impl BlockCode {
    /// Of these.
    pub fn new(steps: Vec<Step>) -> BlockCode {
        BlockCode {
            steps: steps.into_boxed_slice(),
        }
    }

    /// Runs them. What a statement used of scratch is free again behind it: nothing that lasts points there.
    ///
    /// # Errors
    /// Why they did not come to their end.
    #[inline]
    pub fn run(&self, run: &mut Run<'_>) -> Result<(), Stop> {
        let scratch = run.m.scratch.len();
        for step in &self.steps {
            run.count()?;
            step(run)?;
            run.m.scratch.truncate(scratch);
        }
        Ok(())
    }
}

/// A function.
pub struct FunctionCode {
    /// How many locals it has.
    pub locals: usize,
    /// What it gives.
    pub result: Option<Type>,
    /// What it does.
    pub body: BlockCode,
}

/// A handler.
pub struct HandlerCode {
    /// When it runs.
    pub triggers: Vec<Trigger>,
    /// It runs when this is not 0.
    pub predicate: Option<IntCode>,
    /// How many locals it has.
    pub locals: usize,
    /// What it does.
    pub body: BlockCode,
    /// Whether it may look at variables of the firing that it has not set itself.
    pub needs_fresh: bool,
    /// What is printed around its output.
    pub row: Row,
    /// Where it stands.
    pub span: Span,
}

/// A program.
pub struct Code {
    /// Its functions.
    pub functions: Vec<FunctionCode>,
    /// Its handlers.
    pub handlers: Vec<HandlerCode>,
    /// How it runs.
    pub options: Options,
}
