//! The ptrace thread: launches or attaches, arms markers, turns traps into events, and leaves no trace.
//!
//! Everything happens on one thread, which waits in one place (`wait`). What to do at a stop is decided by a pure
//! function (`state::step`); the rest of this folder does it.

mod arm;
mod attach;
mod birth;
mod borrowed;
mod call;
mod capture;
pub mod command;
mod context;
mod disposition;
mod divert;
mod faults;
mod fire;
mod function;
mod happening;
pub mod hold;
mod injection;
mod learn;
mod leave;
pub mod ledger;
pub mod matching;
mod options;
pub mod outbox;
mod pause;
mod placement;
mod plant;
mod protect;
mod remote;
mod rescue;
mod semaphore;
mod shield;
mod sigtrap;
mod site;
mod slot;
mod space;
mod spawn;
mod state;
mod stopped;
mod sys;
mod table;
mod trap;
mod wait;
mod way_back;

use std::collections::{HashSet, VecDeque};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Sender;
use ptpytrace_arch::{Arch, Registers};
use rustc_hash::FxHashMap;

pub use attach::AttachError;
pub use disposition::ignore_what_was_ignored;
pub use options::{Engine, Options};
pub use spawn::Command as Launch;
pub use sys::monotonic;
pub use wait::Stop;

use crate::event::{Delivery, Event, EventKind};
use crate::fastpath::ring::Waker;
use crate::injected::{Agent, Displaced};
use crate::plan::{Plan, Point};
use crate::process::maps::ImageCache;
use crate::process::proc::ProcFs;
use command::{Command, Orders};
use ledger::Ledger;
use matching::Matcher;
use outbox::Outbox;
use placement::Placement;
use protect::Protection;
use state::{Action, step};
use stopped::StoppedThread;
use table::Table;
use wait::Waited;

/// The CPU that this program was built for, as ELF names it.
#[cfg(target_arch = "x86_64")]
pub const HOST_MACHINE: u16 = 62;
/// The CPU that this program was built for, as ELF names it.
#[cfg(target_arch = "aarch64")]
pub const HOST_MACHINE: u16 = 183;

/// After so many internal errors the tracer ends at once; the kernel detaches what is left.
const MOST_FAILURES: u32 = 8;

/// How long (ns) the child of a killed process may take to its first stop.
const LATE: u64 = 100_000_000;

/// What there is to say at the end.
#[derive(Debug)]
pub struct Summary {
    /// How the launched command ended.
    pub command: Option<Stop>,
    /// Why the launched command could not be run.
    pub exec_error: Option<std::io::Error>,
    /// The books.
    pub ledger: Ledger,
    /// Events that could not be handed over.
    pub lost: u64,
    /// An interpreter without the wanted markers was seen, and that was said.
    pub told_what_is_missing: bool,
    /// It was told to leave, or its output was closed.
    pub left: bool,
    /// It left because of an internal error.
    pub failed: bool,
}

/// The tracer. Made and run on one thread.
#[derive(Debug)]
pub struct Tracer {
    arch: &'static dyn Arch,
    plan: Arc<Plan>,
    matcher: Matcher,
    /// A copy of a process may want other probes than the process.
    process_matters: bool,
    /// System calls are asked for.
    calls_matter: bool,
    /// Something that happens to processes and threads is asked for.
    points_matter: bool,
    /// The process that was launched or attached to first.
    target: Option<i32>,
    options: Options,
    proc: ProcFs,
    table: Table,
    /// Children that stopped before their parent's event was seen.
    early: FxHashMap<i32, (StoppedThread, Stop)>,
    cache: ImageCache,
    /// Files of which it was said what they lack.
    told: HashSet<PathBuf>,
    orders: Orders,
    outbox: Outbox,
    ledger: Ledger,
    protection: Protection,
    placement: Placement,
    registers: Registers,
    launched: Option<spawn::Started>,
    command: Option<Stop>,
    exec_error: Option<std::io::Error>,
    leaving: bool,
    /// Until when (CLOCK_MONOTONIC, ns) a child may turn up whose parent was killed before its event.
    children_until: u64,
    /// Function calls under way, by the thread that makes them.
    calls: FxHashMap<i32, call::Call>,
    /// The agent that was assembled last, and for which displaced instruction.
    agent: Option<(Option<Displaced>, Arc<Agent>)>,
    /// Processes in which the agent is to be installed or removed.
    missions: Vec<i32>,
    ticker: Option<injection::Ticker>,
    /// Stops that were kept while threads were paused.
    deferred: VecDeque<Waited>,
    diverter: divert::Diverter,
    /// Fails at this trap, to see what becomes of the program.
    #[cfg(test)]
    fail_at: u64,
}

impl Tracer {
    /// A tracer that traces nothing yet; `None` when this CPU is not supported.
    pub fn new(
        plan: Arc<Plan>,
        options: Options,
        orders: Orders,
        deliveries: Sender<Delivery>,
    ) -> Option<Tracer> {
        let matcher = Matcher::new(Arc::clone(&plan));
        Some(Tracer {
            arch: ptpytrace_arch::for_machine(HOST_MACHINE)?,
            plan,
            process_matters: matcher.depends_on_process(),
            calls_matter: matcher.any(|point| matches!(point, Point::Syscall { .. })),
            points_matter: matcher.any(|point| matches!(point, Point::Process(_))),
            matcher,
            target: None,
            options,
            proc: ProcFs::from_environment(),
            table: Table::default(),
            early: FxHashMap::default(),
            cache: ImageCache::default(),
            told: HashSet::new(),
            outbox: Outbox::new(deliveries, orders.commands.clone()),
            orders,
            ledger: Ledger::default(),
            protection: Protection::default(),
            placement: Placement::new(),
            registers: Registers::default(),
            launched: None,
            command: None,
            exec_error: None,
            leaving: false,
            children_until: 0,
            calls: FxHashMap::default(),
            agent: None,
            missions: Vec::new(),
            ticker: None,
            deferred: VecDeque::new(),
            diverter: divert::Diverter::default(),
            #[cfg(test)]
            fail_at: 0,
        })
    }

    /// Wakes the consumer where it waits for more than the channel: it is called after everything that is sent.
    pub fn waker(&self) -> Arc<Waker> {
        self.outbox.waker()
    }

    /// The id of the process that was launched, or else attached to first.
    pub fn target(&self) -> Option<i32> {
        self.target
    }

    /// Traces until all traced processes have ended, or until told to leave. A launched command is waited for in any
    /// case. After an internal error it leaves, as it does when told to.
    pub fn run(mut self) -> Summary {
        let mut failures = 0;
        loop {
            match panic::catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) if failures >= MOST_FAILURES => {
                    self.protection.end(false);
                    break;
                }
                Err(_) => {
                    failures += 1;
                    self.outbox.pending.push(Command::Leave);
                }
            }
        }
        self.placement.cool();
        self.protection.end(true);
        Summary {
            command: self.command,
            exec_error: self.exec_error,
            lost: self.outbox.lost,
            told_what_is_missing: !self.told.is_empty(),
            left: self.leaving,
            failed: failures > 0,
            ledger: self.ledger,
        }
    }

    /// One turn of the loop: commands, then a stop. False when there is nothing left to do.
    fn turn(&mut self) -> bool {
        if self.orders.raised() || !self.outbox.pending.is_empty() {
            self.obey();
        }
        self.tend_missions();
        self.tell_guard();
        if self.outbox.closed() && !self.leaving {
            self.leave();
        }
        let kept = self.deferred.pop_front();
        let waited = match kept {
            Some(kept) => kept,
            None if self.finished() => match self.late_child() {
                Some(waited) => waited,
                None => return false,
            },
            None => self.placement.wait(),
        };
        self.take_news(waited);
        true
    }

    fn take_news(&mut self, waited: Waited) {
        match waited {
            Waited::Stopped(thread, stop) => self.stopped(thread, stop),
            Waited::Ended(tid, stop) => self.ended(tid, stop),
            Waited::Interrupted => {}
            Waited::NoChildren => self.await_command(),
        }
    }

    fn finished(&self) -> bool {
        let idle = self.table.threads.is_empty() && self.early.is_empty();
        let stay = self.options.stay && !self.leaving;
        idle && self.launched.is_none() && !stay
    }

    /// Nothing is traced: only a command can change that.
    fn await_command(&mut self) {
        self.table = Table::default();
        self.launched = None;
        if self.finished() {
            return;
        }
        match self.orders.commands.recv() {
            Ok(command) => self.outbox.pending.push(command),
            Err(_) => self.leaving = true,
        }
    }

    fn obey(&mut self) {
        let mut commands = std::mem::take(&mut self.outbox.pending);
        commands.extend(self.orders.commands.try_iter());
        for command in commands {
            match command {
                Command::Attach(pid) if !self.leaving => self.attach_quietly(pid),
                Command::Attach(_) => {}
                Command::Leave => self.leave(),
                Command::EndCommand => self.end_command(),
                Command::Nudge => self.give_up_stuck(),
            }
        }
    }

    fn stopped(&mut self, mut thread: StoppedThread, stop: Stop) {
        let tid = thread.tid();
        let calls = self.wants_calls(tid) && !self.calls.contains_key(&tid);
        thread.stop_at_system_calls(calls);
        if stop == Stop::Trap && self.shield(&thread).is_err() {
            return;
        }
        let Some(thread) = self.summoned(thread, stop) else {
            return;
        };
        let stop = self.fix_up(&thread, stop);
        let Some(record) = self.table.threads.get_mut(&tid) else {
            let _ = sys::take_one(tid); // these news are not to come again
            self.early.insert(tid, (thread, stop));
            self.adopt_if_orphan(tid);
            return;
        };
        let (phase, action) = step(record.phase, stop);
        record.phase = phase;
        let pid = record.pid;
        match action {
            Action::Trap => self.trap(thread, false),
            Action::TrapThenPart => self.trap(thread, true),
            Action::Resume(signal) => {
                self.tell_signal(&thread, signal);
                thread.resume(signal);
            }
            Action::Listen => thread.listen(),
            Action::Welcome { group } => self.welcome(thread, group),
            Action::Child(kind) => {
                self.expect_child(&thread, kind);
                thread.resume(0);
            }
            Action::Exec => self.exec(thread),
            Action::Exiting => {
                let process = self.table.processes.get(&pid);
                if process.is_some_and(|it| it.threads <= 1 && it.followed) {
                    self.tell_changed(pid);
                }
                self.last_words(tid);
                self.tell_end(tid, thread.exit_status().unwrap_or(0));
                thread.resume(0);
            }
            Action::SystemCall => {
                self.system_call(&thread);
                thread.resume(0);
            }
            Action::Part(signal) => self.part(thread, signal),
            Action::ChildThenPart(kind) => {
                self.expect_child(&thread, kind);
                self.part(thread, 0);
            }
            Action::ExecThenPart => {
                self.exec_took_over(&thread);
                self.part(thread, 0);
            }
            Action::Forget => {}
        }
    }

    /// A tracee or the launched command has ended.
    fn ended(&mut self, tid: i32, stop: Stop) {
        self.early.remove(&tid);
        if stop == Stop::Killed(libc::SIGKILL) {
            self.children_until = monotonic().saturating_add(LATE);
        }
        self.tell_end(tid, stop.status());
        self.forget(tid);
        if self.launched.as_ref().is_some_and(|it| it.pid == tid)
            && let Some(started) = self.launched.take()
        {
            self.command = Some(stop);
            self.exec_error = started.exec_error();
        }
        self.adopt_orphans(tid);
    }

    /// Removes a thread from the books and tells the consumer.
    fn forget(&mut self, tid: i32) {
        self.calls.remove(&tid);
        self.last_words(tid);
        let Some(thread) = self.table.threads.get(&tid) else {
            return;
        };
        let event = Event {
            time: monotonic(),
            pid: thread.pid,
            tid,
            comm: Arc::clone(&thread.comm.0),
            kind: EventKind::ThreadEnd,
            context: None,
        };
        self.table.remove_thread(tid);
        self.outbox.send(Delivery::Event(event));
    }

    /// Ends the launched command because the person insists: SIGTERM first, SIGKILL the next time.
    fn end_command(&mut self) {
        self.leave();
        if let Some(started) = &mut self.launched {
            let signal = started.next_killer();
            // That it has just ended is no error.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(started.pid), signal);
        }
    }
}

#[cfg(test)]
mod tests;
