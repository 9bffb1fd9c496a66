//! Firings: which handlers run, and what becomes of their errors.

use std::io::Write;

use ptpytrace_arch::{ArgValue, ReadMemory};

use super::code::{Code, HandlerCode};
use super::compile::print_rows;
use super::engine::Engine;
use super::machine::{Run, Stop, WORK_PER_STATEMENT};
use super::names::Names;
use super::routes::PythonCall;
use super::row;
use super::sweep::sweep;
use super::text::Str;
use crate::event::{Arg, Event, EventKind, ProbeInfo, Seen};
use crate::script::ir::{AggregationId, Fault, FaultReport, Row, Trigger};

/// What a firing is.
pub struct Firing<'a> {
    /// What the point is called.
    pub names: Names,
    /// What happened in a process; `None` in `BEGIN`, `END` and timers.
    pub event: Option<&'a Event>,
    /// The probe, likewise.
    pub info: Option<&'a ProbeInfo>,
    /// Its arguments.
    pub args: &'a [Arg],
    /// The memory of the held process.
    pub memory: Option<&'a dyn ReadMemory>,
    /// When: CLOCK_MONOTONIC, ns.
    pub time: u64,
}

impl Firing<'_> {
    /// Of a point that is not in a process.
    pub fn at(names: Names, time: u64) -> Firing<'static> {
        Firing {
            names,
            event: None,
            info: None,
            args: &[],
            memory: None,
            time,
        }
    }
}

impl Engine {
    /// A new firing: its variables begin anew, and what nobody refers to goes.
    pub(super) fn begin_firing(&mut self) {
        self.machine.indented = false;
        self.machine.freshen(&self.firing_ints, &self.firing_strs);
        self.sweep_now_and_then();
    }

    #[inline]
    fn sweep_now_and_then(&mut self) {
        let m = &mut self.machine;
        if m.interner.wants_sweep() {
            sweep(m, &self.routes, &self.words);
        }
    }

    /// Runs handlers for a firing, one behind the other, until one ends the program.
    pub(super) fn run_all(&mut self, handlers: &[usize], firing: &Firing<'_>, out: &mut dyn Write) {
        for handler in handlers {
            if self.finished {
                return;
            }
            self.run(*handler, firing, out);
        }
    }

    #[inline]
    pub(super) fn run(&mut self, handler: usize, firing: &Firing<'_>, out: &mut dyn Write) {
        let m = &mut self.machine;
        m.actions = self.code.options.max_actions;
        m.work = m.actions.saturating_mul(WORK_PER_STATEMENT);
        m.scratch.clear();
        m.keys.clear();
        m.staged.clear();
        m.handler_out = m.out.len();
        m.row_out = usize::MAX;
        let mut run = Run {
            code: &self.code,
            m,
            args: firing.args,
            event: firing.event,
            info: firing.info,
            names: &firing.names,
            memory: firing.memory,
            handler,
            time: firing.time,
            tid: firing.event.map_or(0, |event| event.tid),
            sink: out,
        };
        let result = carry_out(&mut run);
        let m = &mut self.machine;
        if m.speculations.active() {
            m.speculations.take(&mut m.out);
        }
        if result == Err(Stop::Fault) {
            self.handle_fault(handler, firing, out);
        }
        if self.machine.exit.is_some() {
            self.finished = true;
        }
    }

    #[cold]
    fn handle_fault(&mut self, handler: usize, firing: &Firing<'_>, out: &mut dyn Write) {
        let m = &mut self.machine;
        if self.code.options.discard_on_error {
            m.out.truncate(m.handler_out);
        }
        let Some((fault, span)) = m.fault.take() else {
            return;
        };
        let code = self.code.handlers.get(handler);
        let text = self.voice.fault(&FaultReport {
            fault: &fault,
            probe: firing.info,
            handler,
            span: span.or(code.map(|it| it.span)).unwrap_or_default(),
        });
        m.err.extend_from_slice(text.as_bytes());
        m.err.push(b'\n');
        m.error_message = fault.to_string().into_bytes();
        self.counters.errors = self.counters.errors.saturating_add(1);
        match self.code.options.max_errors {
            Some(max) => {
                if self.counters.errors > max {
                    self.counters.failed = true;
                    self.finished = true;
                }
            }
            None => self.tell_error_handlers(handler, &fault, firing, out),
        }
    }

    /// Runs the error handlers, but for an error in one of them. Their arguments are those of DTrace's `ERROR` probe:
    /// nothing, the handler, the action, the offset in it, the kind of fault, the address.
    fn tell_error_handlers(
        &mut self,
        handler: usize,
        fault: &Fault,
        firing: &Firing<'_>,
        out: &mut dyn Write,
    ) {
        let of_error = |it: &Trigger| matches!(it, Trigger::Error(_));
        let handlers = self.code.handlers.get(handler);
        if handlers.is_some_and(|it| it.triggers.iter().any(of_error)) {
            return;
        }
        let (kind, address) = match fault {
            Fault::Address(address) | Fault::UserString(address) => (1, *address),
            Fault::Division => (4, 0),
            _ => (0, 0),
        };
        let number = u64::try_from(handler).unwrap_or(u64::MAX);
        let args = [0, number.saturating_add(1), 1, 0, kind, address];
        let args = args.map(|value| Arg {
            raw: ArgValue::Unsigned(value),
            seen: Seen::Number,
        });
        let error = Firing {
            names: self.points.error,
            event: firing.event,
            info: None,
            args: &args,
            memory: firing.memory,
            time: firing.time,
        };
        for handler in self.ordered(of_priority_error) {
            if !self.finished {
                self.run(handler, &error, out);
            }
        }
    }

    /// The handlers of begin, end or error, by priority, then source order.
    pub(super) fn ordered(&self, priority: fn(&Trigger) -> Option<i64>) -> Vec<usize> {
        let lowest = |handler: &HandlerCode| handler.triggers.iter().filter_map(priority).min();
        let handlers = self.code.handlers.iter().enumerate();
        let mut ordered: Vec<(i64, usize)> = handlers
            .filter_map(|(index, handler)| Some((lowest(handler)?, index)))
            .collect();
        ordered.sort_unstable();
        ordered.into_iter().map(|(_, index)| index).collect()
    }

    /// Something that has fired in a process.
    pub(super) fn fired(
        &mut self,
        event: &Event,
        memory: Option<&dyn ReadMemory>,
        out: &mut dyn Write,
    ) {
        let EventKind::Fired { probe, args } = &event.kind else {
            return;
        };
        self.machine.indented = false;
        self.sweep_now_and_then();
        let m = &mut self.machine;
        let index = self.routes.of(probe, &mut m.interner);
        let Some(route) = self.routes.get(index) else {
            return;
        };
        if route.fresh {
            m.freshen(&self.firing_ints, &self.firing_strs);
        }
        let python = match self.code.options.python_stack {
            true => route.python,
            false => PythonCall::Neither,
        };
        let firing = Firing {
            names: route.names,
            event: Some(event),
            info: Some(probe),
            args,
            memory,
            time: event.time,
        };
        if python == PythonCall::Enter {
            let stack = &mut m.threads.of(event.tid).python;
            stack.enter(args, &mut m.interner);
        }
        let mut number = 0;
        while let Some(handler) = self.routes.handler(index, number)
            && !self.finished
        {
            self.run(handler, &firing, out);
            number += 1;
        }
        if python == PythonCall::Leave {
            let m = &mut self.machine;
            let stack = &mut m.threads.of(event.tid).python;
            stack.leave(args, &m.interner);
        }
    }

    /// Prints every aggregation that has entries.
    pub(super) fn print_all(&mut self, time: u64, out: &mut dyn Write) {
        let names = Names::default();
        self.machine.work = u64::MAX;
        let mut run = Run {
            code: &self.code,
            m: &mut self.machine,
            args: &[],
            event: None,
            info: None,
            names: &names,
            memory: None,
            handler: usize::MAX,
            time,
            tid: 0,
            sink: out,
        };
        for index in 0..run.m.aggregations.len() {
            let Some(aggregation) = run.m.aggregations.get(index) else {
                continue;
            };
            let printed = aggregation.printed;
            if aggregation.table.is_empty() {
                continue;
            }
            // Rows are handed on as they come.
            let _ = print_rows(&mut run, &[AggregationId(index)], None);
            if let Some(aggregation) = run.m.aggregations.get_mut(index) {
                aggregation.printed = printed;
            }
        }
    }
}

/// Runs a handler's predicate and body, with its row around the output.
#[inline]
fn carry_out(run: &mut Run<'_>) -> Result<(), Stop> {
    let code: &Code = run.code;
    let Some(handler) = code.handlers.get(run.handler) else {
        return Ok(());
    };
    if handler.locals > 0 {
        let m = &mut *run.m;
        m.local_ints.clear();
        m.local_strs.clear();
        m.local_ints.resize(handler.locals, 0);
        m.local_strs.resize(handler.locals, Str::default());
        m.base = 0;
    }
    if let Some(predicate) = &handler.predicate
        && predicate(run)? == 0
    {
        return Ok(());
    }
    if handler.row == Row::None {
        return handler.body.run(run);
    }
    row::begin(run, handler.row);
    let result = handler.body.run(run);
    row::end(run, handler.row);
    result
}

/// The priority of such a trigger.
pub fn of_priority_begin(trigger: &Trigger) -> Option<i64> {
    match trigger {
        Trigger::Begin(priority) => Some(*priority),
        _ => None,
    }
}

/// The priority of such a trigger.
pub fn of_priority_end(trigger: &Trigger) -> Option<i64> {
    match trigger {
        Trigger::End(priority) => Some(*priority),
        _ => None,
    }
}

/// The priority of such a trigger.
pub fn of_priority_error(trigger: &Trigger) -> Option<i64> {
    match trigger {
        Trigger::Error(priority) => Some(*priority),
        _ => None,
    }
}
