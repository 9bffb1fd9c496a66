//! The machine as a consumer of events.

use std::io::{self, Write};
use std::sync::Arc;

use ptpytrace_arch::ReadMemory;

use super::aggregated::Aggregated;
use super::code::Code;
use super::compile::Compiler;
use super::firing::{Firing, of_priority_begin, of_priority_end, of_priority_error};
use super::interner::{Interner, Symbol};
use super::machine::Machine;
use super::points::Points;
use super::routes::Routes;
use super::samples::running;
use super::sweep::Words;
use super::table::{Capacity, Table};
use super::text::Str;
use super::threads::{Template, Threads};
use super::timers::{Owner, Timers};
use crate::event::{Event, EventKind, Hold, Verdict};
use crate::report::{Consumer, Flow};
use crate::script::ir::{Initial, Program, Timer, TimerName, Trigger, Variable, Voice};
use crate::tracer::monotonic;

/// A script that runs.
pub struct Engine {
    pub(super) code: Code,
    pub(super) machine: Machine,
    pub(super) routes: Routes,
    timers: Timers,
    pub(super) points: Points,
    pub(super) voice: Arc<dyn Voice>,
    /// Standard error.
    errors: Box<dyn Write + Send>,
    /// Which words of arrays are strings.
    pub(super) words: Vec<Words>,
    pub(super) firing_ints: Vec<i64>,
    pub(super) firing_strs: Vec<Str>,
    pub(super) counters: Counters,
    /// It wants no more.
    pub(super) finished: bool,
}

/// What went wrong or was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Errors in handlers.
    pub errors: u64,
    /// Handlers whose speculative output there was no room for.
    pub speculations: u64,
    /// There were more errors than [`crate::script::ir::Options::max_errors`] allows: the program has failed.
    pub failed: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

fn scalars(variables: &[Variable], interner: &mut Interner) -> (Vec<i64>, Vec<Symbol>) {
    let each = variables.iter().map(|variable| match &variable.initial {
        Initial::Int(value) => (*value, Symbol::default()),
        Initial::Str(bytes) => (0, interner.constant(bytes)),
    });
    each.unzip()
}

impl Engine {
    /// Compiles a program. `routes` says for each request of the plan which handler it is for; a number that is no
    /// handler's is for none, as that of a request which only the Python call stack needs. Errors in handlers are told
    /// on `errors`.
    pub fn new(program: Program, routes: Vec<usize>, errors: Box<dyn Write + Send>) -> Engine {
        let mut machine = Machine::default();
        let interner = &mut machine.interner;
        let code = Compiler::compile(&program, interner);
        let points = Points::of(&program, interner);
        let (ints, strs) = scalars(&program.globals, interner);
        let (thread_ints, thread_strs) = scalars(&program.thread_locals, interner);
        let (firing_ints, firing_strs) = scalars(&program.firing_locals, interner);
        (machine.global_ints, machine.global_strs) = (ints, strs);
        let widths = || program.arrays.iter().map(|array| array.keys.len());
        let per_thread = program.arrays.iter().any(|array| array.per_thread);
        machine.threads = Threads::new(Template {
            ints: thread_ints,
            strs: thread_strs,
            arrays: widths().filter(|_| per_thread).collect(),
        });
        machine.arrays = widths().map(Table::new).collect();
        machine.aggregations = aggregations(&program);
        machine.own_name = own_name();
        machine.state.max_string = program.options.max_string;
        let needs_fresh = code.handlers.iter().map(|it| it.needs_fresh).collect();
        let mut engine = Engine {
            timers: timers(&program),
            code,
            machine,
            routes: Routes::new(routes, needs_fresh),
            points,
            voice: program.voice,
            errors,
            words: program.arrays.iter().map(Words::of).collect(),
            firing_ints,
            firing_strs: firing_strs.into_iter().map(Str::Symbol).collect(),
            counters: Counters::default(),
            finished: false,
        };
        engine.machine.firing_ints.clone_from(&engine.firing_ints);
        engine.machine.firing_strs.clone_from(&engine.firing_strs);
        engine
    }

    /// What went wrong or was lost so far.
    pub fn counters(&self) -> Counters {
        Counters {
            speculations: self.machine.speculations.dropped(),
            ..self.counters
        }
    }

    /// How many strings are kept, and in how many bytes: what the program's memory depends on besides its tables.
    pub fn kept_strings(&self) -> (usize, usize) {
        (self.machine.interner.len(), self.machine.interner.size())
    }

    /// For how many threads something is kept.
    pub fn kept_threads(&self) -> usize {
        self.machine.threads.len()
    }

    /// A timer fires for one handler: in each of these threads, or in no process when there is none.
    fn run_timer(
        &mut self,
        handler: usize,
        timer: Timer,
        threads: &[Event],
        now: u64,
        out: &mut dyn Write,
    ) {
        let names = self.points.timer(timer.name);
        if threads.is_empty() {
            self.run_all(&[handler], &Firing::at(names, now), out);
        }
        for event in threads {
            let firing = Firing {
                event: Some(event),
                ..Firing::at(names, now)
            };
            self.run_all(&[handler], &firing, out);
        }
    }

    /// Hands on what was printed.
    #[inline]
    fn flush(&mut self, out: &mut dyn Write) -> io::Result<Flow> {
        let m = &self.machine;
        if m.out.is_empty() && m.err.is_empty() && m.write_error.is_none() && !self.finished {
            return Ok(Flow::Continue);
        }
        self.hand_on(out)
    }

    fn hand_on(&mut self, out: &mut dyn Write) -> io::Result<Flow> {
        let m = &mut self.machine;
        if !m.out.is_empty() {
            out.write_all(&m.out)?;
            m.out.clear();
        }
        if let Some(error) = m.write_error.take() {
            return Err(error);
        }
        if !m.err.is_empty() {
            // What was printed before is read before.
            out.flush()?;
            // Where standard error is closed there is nobody to tell.
            let _ = self.errors.write_all(&m.err);
            let _ = self.errors.flush();
            m.err.clear();
        }
        Ok(match self.finished {
            true => Flow::Finish,
            false => Flow::Continue,
        })
    }
}

fn aggregations(program: &Program) -> Vec<Aggregated> {
    let each = program.aggregations.iter().map(|it| Aggregated {
        table: Table::new(it.keys.len()),
        keep: it.keep.clone(),
        keys: it.keys.clone(),
        key_sizes: it.key_sizes.clone(),
        capacity: Capacity {
            entries: it.limit.unwrap_or(program.options.max_entries),
            wraps: it.wraps,
        },
        normal: 1,
        printed: false,
    });
    each.collect()
}

fn timers(program: &Program) -> Timers {
    let mut timers = Timers::default();
    for (index, handler) in program.handlers.iter().enumerate() {
        for trigger in &handler.triggers {
            if let Trigger::Timer(timer) = trigger {
                timers.add(*timer, Owner::Handler(index));
            }
        }
    }
    if program.options.aggregation_interval > 0 {
        let timer = Timer {
            period: program.options.aggregation_interval,
            jitter: 0,
            name: TimerName(u32::MAX),
            samples: false,
        };
        timers.add(timer, Owner::Aggregations);
    }
    timers
}

/// The name of the tracer's own thread; empty where `/proc` does not say.
fn own_name() -> Vec<u8> {
    let name = std::fs::read("/proc/self/comm").unwrap_or_default();
    name.trim_ascii_end().to_vec()
}

impl Consumer for Engine {
    fn begin(&mut self, target: Option<i32>, out: &mut dyn Write) -> io::Result<Flow> {
        self.machine.target = target.unwrap_or(0);
        let now = monotonic();
        let firing = Firing::at(self.points.begin, now);
        self.begin_firing();
        self.run_all(&self.ordered(of_priority_begin), &firing, out);
        self.timers.start(now);
        self.flush(out)
    }

    fn event(
        &mut self,
        event: &Event,
        hold: Option<&Hold>,
        out: &mut dyn Write,
    ) -> io::Result<Flow> {
        if let EventKind::ThreadEnd = event.kind {
            self.machine.threads.end(event.tid);
            self.machine.state.forget_thread(event.tid);
            return self.flush(out);
        }
        if !self.finished {
            let memory = hold.map(|hold| hold.memory.as_ref() as &dyn ReadMemory);
            self.fired(event, memory, out);
        }
        if let Some(hold) = hold {
            let signals = std::mem::take(&mut self.machine.signals);
            // When the tracer has gone meanwhile, nobody waits.
            let _ = hold.answer.send(Verdict { signals });
        } else {
            self.machine.signals.clear();
        }
        self.flush(out)
    }

    fn due(&self) -> Option<u64> {
        match self.finished {
            true => None,
            false => self.timers.due(),
        }
    }

    fn tick(&mut self, now: u64, out: &mut dyn Write) -> io::Result<Flow> {
        if self.finished {
            return self.flush(out);
        }
        let (mut last, mut threads) = (None, Vec::new());
        for (owner, timer) in self.timers.take_due(now) {
            match owner {
                Owner::Aggregations => self.print_all(now, out),
                Owner::Handler(handler) => {
                    // Handlers of one timer run for one firing, and see the same threads.
                    if last.replace(timer.name) != Some(timer.name) {
                        self.begin_firing();
                        threads = match timer.samples {
                            true => running(self.machine.target, now),
                            false => Vec::new(),
                        };
                    }
                    self.run_timer(handler, timer, &threads, now, out);
                }
            }
        }
        self.flush(out)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        // Too many errors end a program in its error handlers, everything else in its end handlers.
        let (names, handlers) = match self.counters.failed {
            true => (self.points.error, self.ordered(of_priority_error)),
            false => (self.points.end, self.ordered(of_priority_end)),
        };
        let firing = Firing::at(names, monotonic());
        self.begin_firing();
        for handler in handlers {
            // What ended the program does not keep the others from ending.
            self.run(handler, &firing, out);
        }
        self.finished = true;
        self.flush(out).map(drop)
    }

    fn remark(&self) -> Option<String> {
        self.voice.closing(self.counters.errors)
    }

    fn status(&self) -> Option<i32> {
        match self.counters.failed {
            true => Some(1),
            false => self.machine.exit,
        }
    }
}
