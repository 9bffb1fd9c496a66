//! Calls: of the script's functions, and of builtins.

use super::super::call::{Call, Value};
use super::super::code::{FunctionCode, IntCode, Step, StrCode, ValueCode};
use super::super::machine::{Datum, Run, Stop};
use super::super::text::{Str, Texts};
use super::Compiler;
use crate::script::builtin::{Action, IntFunction, StrFunction};
use crate::script::ir::{Expr, Fault, Invocation, Type};
use crate::script::source::Span;

/// How many levels of code may lie in each other where a function is called: what a main thread's usual stack has room
/// for several times over (a level takes some hundred bytes, without optimisation up to 2 KiB).
const MAX_DEPTH: usize = 3_000;

/// The most arguments that a builtin is given; none takes more.
const MAX_ARGUMENTS: usize = 12;

/// Evaluates arguments; they lie behind [`super::super::machine::Machine::staged`] then. Gives where they begin.
#[inline]
fn stage(run: &mut Run<'_>, arguments: &[ValueCode]) -> Result<usize, Stop> {
    let start = run.m.staged.len();
    for argument in arguments {
        let value = match argument {
            ValueCode::Int(code) => Datum::Int(code(run)?),
            ValueCode::Str(code) => Datum::Str(code(run)?),
        };
        run.m.staged.push(value);
    }
    Ok(start)
}

impl Compiler<'_> {
    /// Code that calls a function; what it gives is in [`super::super::machine::Machine::returned`] then.
    fn invoke(&mut self, invocation: &Invocation) -> Step {
        let arguments = self.values(&invocation.arguments);
        let (function, span) = (invocation.function.0, invocation.span);
        let depth = self.depth;
        Box::new(move |run| {
            let start = stage(run, &arguments)?;
            let Some(code) = run.code.functions.get(function) else {
                return Ok(());
            };
            let result = call(run, code, start, depth, span);
            run.m.staged.truncate(start);
            result
        })
    }

    pub(super) fn invoke_int(&mut self, invocation: &Invocation) -> IntCode {
        let invoke = self.invoke(invocation);
        Box::new(move |run| {
            invoke(run)?;
            Ok(match run.m.returned {
                Datum::Int(value) => value,
                Datum::Str(_) => 0,
            })
        })
    }

    pub(super) fn invoke_str(&mut self, invocation: &Invocation) -> StrCode {
        let invoke = self.invoke(invocation);
        Box::new(move |run| {
            invoke(run)?;
            Ok(match run.m.returned {
                Datum::Int(_) => Str::default(),
                Datum::Str(value) => value,
            })
        })
    }

    pub(super) fn call_int(
        &mut self,
        function: &'static IntFunction,
        arguments: &[Expr],
        span: Span,
    ) -> IntCode {
        let arguments = self.values(arguments);
        Box::new(move |run| builtin(run, &arguments, function.run, span).map(|(value, _)| value))
    }

    pub(super) fn call_str(
        &mut self,
        function: &'static StrFunction,
        arguments: &[Expr],
        span: Span,
    ) -> StrCode {
        let arguments = self.values(arguments);
        Box::new(move |run| {
            let ((), start) = builtin(run, &arguments, function.run, span)?;
            run.scratch_from(start)
        })
    }

    pub(super) fn act(&mut self, action: &'static Action, arguments: &[Expr], span: Span) -> Step {
        let arguments = self.values(arguments);
        Box::new(move |run| {
            builtin(run, &arguments, action.run, span)?;
            run.drain()
        })
    }
}

/// Calls a function with the staged arguments from `start` on, from so many levels within the caller's code.
fn call(
    run: &mut Run<'_>,
    function: &FunctionCode,
    start: usize,
    depth: usize,
    span: Span,
) -> Result<(), Stop> {
    run.count()?;
    let max = run.code.options.max_nesting;
    let m = &mut *run.m;
    let depth = m.depth.saturating_add(depth);
    if m.nesting >= max || depth > MAX_DEPTH {
        return Err(run.fail(Fault::Nesting(max), Some(span)));
    }
    let outer = (m.base, m.depth);
    let base = m.local_ints.len();
    let end = base.saturating_add(function.locals);
    m.local_ints.resize(end, 0);
    m.local_strs.resize(end, Str::default());
    for (index, argument) in m.staged.get(start..).unwrap_or_default().iter().enumerate() {
        let index = base.saturating_add(index);
        match argument {
            Datum::Int(value) => {
                if let Some(slot) = m.local_ints.get_mut(index) {
                    *slot = *value;
                }
            }
            Datum::Str(value) => {
                if let Some(slot) = m.local_strs.get_mut(index) {
                    *slot = *value;
                }
            }
        }
    }
    (m.base, m.depth) = (base, depth);
    m.nesting = m.nesting.saturating_add(1);
    m.returned = nothing(function.result);
    let result = function.body.run(run);
    let m = &mut *run.m;
    m.nesting = m.nesting.saturating_sub(1);
    (m.base, m.depth) = outer;
    m.local_ints.truncate(base);
    m.local_strs.truncate(base);
    match result {
        Ok(()) => {
            // It came to its end without a value of its own; what functions that it called gave is not its.
            run.m.returned = nothing(function.result);
            Ok(())
        }
        // A jump that has no loop ends here.
        Err(Stop::Return | Stop::Break | Stop::Continue) => Ok(()),
        Err(other) => Err(other),
    }
}

fn nothing(result: Option<Type>) -> Datum {
    match result {
        Some(Type::Str) => Datum::Str(Str::default()),
        _ => Datum::Int(0),
    }
}

/// Calls a builtin. What it gives as a string lies in scratch from the second result on.
#[inline]
fn builtin<T>(
    run: &mut Run<'_>,
    arguments: &[ValueCode],
    function: fn(&mut Call<'_>) -> Result<T, Fault>,
    span: Span,
) -> Result<(T, usize), Stop> {
    let start = stage(run, arguments)?;
    let m = &mut *run.m;
    let texts = Texts {
        interner: &m.interner,
        scratch: &m.scratch,
        args: run.args,
        event: run.event,
        own_name: &m.own_name,
    };
    let mut values = [Value::Int(0); MAX_ARGUMENTS];
    let staged = m.staged.get(start..).unwrap_or_default();
    for (value, datum) in values.iter_mut().zip(staged) {
        *value = match datum {
            Datum::Int(value) => Value::Int(*value),
            Datum::Str(text) => Value::Str(texts.bytes(*text)),
        };
    }
    m.result.clear();
    let given = function(&mut Call {
        arguments: values.get(..staged.len()).unwrap_or(&values),
        result: &mut m.result,
        time: run.time,
        event: run.event,
        memory: run.memory,
        state: &mut m.state,
        out: &mut m.out,
        err: &mut m.err,
        signals: &mut m.signals,
    });
    m.staged.truncate(start);
    let text = m.scratch.len();
    m.scratch.extend_from_slice(&m.result);
    match given {
        Ok(given) => Ok((given, text)),
        Err(fault) => Err(run.fail(fault, Some(span))),
    }
}
