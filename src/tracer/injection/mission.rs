//! Missions: a running process is to install or to remove the agent.
//!
//! It is asked to do so itself (`Py_AddPendingCall`), which needs no more than a moment of its main thread at any place,
//! and is done when that thread runs Python code again. While the main thread sleeps in a system call that may take for
//! ever; then that very thread is made to take the GIL and to do it. That is safe only where it has released the GIL,
//! as it has when it sleeps for long: so the thread must have been in one system call without running for a while, and
//! when it is stopped it must still be there.

use super::sleep::Sleep;
use super::{Stage, Ticker};
use crate::injected::{HOLDS_GIL, NOT_READY, Status, is_in_system_call};
use crate::process::proc::IfFound;
use crate::tracer::leave::ask_to_stop;
use crate::tracer::state::Phase;
use crate::tracer::stopped::StoppedThread;
use crate::tracer::wait::Stop;
use crate::tracer::{Tracer, monotonic, sys};
use ptpytrace_arch::Registers;

/// How long (ns) a thread must have slept.
const LONG: u64 = 12_000_000;
/// After that time (ns) a process that had no room for the request is asked again.
const AGAIN: u64 = 100_000_000;
/// After that time (ns) it is said that the process lets nobody in (it is tried further).
const SLOW: u64 = 2_000_000_000;
/// After that time (ns) a process is left with an agent that does nothing; it removes it when it runs Python code.
const LAST: u64 = 500_000_000;
/// After that time (ns) a process is left even if it could not be asked to remove it.
const LATEST: u64 = 5_000_000_000;

/// What is to be done in a process, and how far that is.
#[derive(Clone, Copy, Debug)]
pub struct Mission {
    goal: Goal,
    step: Step,
    /// When it began (CLOCK_MONOTONIC, ns).
    begun: u64,
    /// When the process had no room for the request.
    refused: Option<u64>,
    /// It was said that it takes long.
    told: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Install,
    Remove,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It is looked what the main thread does.
    Begun,
    /// The main thread stops, to ask the process to do it itself.
    Summoned,
    /// That call returns.
    Asking,
    /// The process does it.
    Asked,
    /// It was made to do it at this time, perhaps by a thread of its own.
    Made(u64),
    /// The main thread has been seen to sleep at this time, and goes on to; whether the process has been asked.
    Asleep(Sleep, u64, bool),
    /// It stops; whether the process has been asked.
    Woken(Sleep, bool),
    /// It does it; whether the process has been asked.
    Doing(bool),
}

impl Mission {
    fn new(goal: Goal) -> Mission {
        Mission {
            goal,
            step: Step::Begun,
            begun: monotonic(),
            refused: None,
            told: false,
        }
    }

    /// How long (ns) the removal of the agent is waited for. Once asked, the process does it by itself, be it later.
    fn last(&self) -> u64 {
        match self.step {
            Step::Asked if self.refused.is_none() => LAST,
            Step::Made(_) | Step::Asleep(_, _, true) | Step::Woken(_, true) => LAST,
            _ => LATEST,
        }
    }

    /// Whether the main thread has been told to stop.
    fn awaits_stop(&self) -> bool {
        matches!(self.step, Step::Summoned | Step::Woken(..))
    }
}

impl Tracer {
    /// A process was attached to: its interpreter, if it waits for markers, is running already.
    pub(in crate::tracer) fn enter_running(&mut self, pid: i32) {
        if self
            .injection(pid)
            .is_some_and(|injection| matches!(injection.stage, Stage::Awaited))
        {
            self.start_mission(pid, Goal::Install);
        }
    }

    /// Has every process remove its agent; gives those in which that takes a while.
    pub(in crate::tracer) fn withdraw(&mut self) -> Vec<i32> {
        let processes: Vec<i32> = self.table.processes.keys().copied().collect();
        let mut busy = Vec::new();
        for pid in processes {
            let memory = self.memory_of(pid);
            let Some((injection, memory)) = self.injection(pid).zip(memory) else {
                continue;
            };
            injection.silence(&memory);
            let installed = match injection.stage {
                Stage::Installed => true,
                Stage::Over => false,
                _ => injection.agent.is_some(),
            };
            if installed && self.table.threads.contains_key(&pid) {
                self.start_mission(pid, Goal::Remove);
                busy.push(pid);
            }
        }
        busy
    }

    fn start_mission(&mut self, pid: i32, goal: Goal) {
        let calling = self.calls.contains_key(&pid);
        let Some(injection) = self.injection(pid) else {
            return;
        };
        let mut mission = Mission::new(goal);
        if calling {
            mission.step = Step::Asking; // the thread comes back from another call first
        }
        injection.stage = Stage::Mission(mission);
        self.missions.push(pid);
        self.ticker.get_or_insert_with(Ticker::start).set(true);
        self.look_after(pid, monotonic());
    }

    fn summon(&mut self, pid: i32) {
        let _ = sys::interrupt(pid); // it may have ended
    }

    fn mission(&mut self, pid: i32) -> Option<&mut Mission> {
        match &mut self.injection(pid)?.stage {
            Stage::Mission(mission) => Some(mission),
            _ => None,
        }
    }

    /// A thread has stopped: if it was told to for a mission, goes on with that. `None` when the stop is dealt with.
    pub(in crate::tracer) fn summoned(
        &mut self,
        mut thread: StoppedThread,
        stop: Stop,
    ) -> Option<StoppedThread> {
        let tid = thread.tid();
        if self.missions.is_empty() || self.calls.contains_key(&tid) {
            return Some(thread);
        }
        if stop != Stop::Trap {
            let awaited = self.mission(tid).is_some_and(|it| it.awaits_stop());
            if awaited && !matches!(stop, Stop::Group(_)) {
                self.summon(tid); // the kernel has let this stop count as the one that was asked for
            }
            return Some(thread);
        }
        let running = |phase: Phase| matches!(phase, Phase::Running | Phase::Listening);
        let Some(record) = self.table.threads.get(&tid) else {
            return Some(thread); // a child whose parent has not told of it yet
        };
        if record.pid != tid || !running(record.phase) {
            return Some(thread);
        }
        if !self.mission(tid).is_some_and(|it| it.awaits_stop()) {
            return Some(thread);
        }
        if let Some(record) = self.table.threads.get_mut(&tid) {
            record.phase = Phase::Running;
        }
        match self.has_trap_to_come(tid) {
            true => self.put_off(tid),
            false => self.carry_out(&thread, tid)?,
        }
        if self.calls.contains_key(&tid) {
            // The system calls of the agent are not the program's.
            thread.stop_at_system_calls(false);
        }
        thread.resume(0);
        None
    }

    /// Whether a thread that stands has run into a breakpoint but not stopped for that yet: then it must be found where
    /// it stands.
    fn has_trap_to_come(&self, tid: i32) -> bool {
        let status = self.proc.status(tid).if_found();
        status.is_some_and(|status| status.pending.contains(libc::SIGTRAP))
    }

    /// The main thread is told to stop once more later.
    fn put_off(&mut self, pid: i32) {
        let asked = self.mission(pid).map(|it| it.step);
        let asked = matches!(asked, Some(Step::Woken(_, true)));
        self.set_step(pid, if asked { Step::Asked } else { Step::Begun });
    }

    /// The main thread stands: has it call what the mission needs. `None`: it is no more.
    fn carry_out(&mut self, thread: &StoppedThread, pid: i32) -> Option<()> {
        let Some(agent) = self.mapped_agent(thread, pid)? else {
            return Some(());
        };
        let Some(mission) = self.mission(pid).copied() else {
            return Some(());
        };
        let (own, with_gil) = match mission.goal {
            Goal::Install => (agent.install, agent.install_with_gil),
            Goal::Remove => (agent.remove, agent.remove_with_gil),
        };
        let (function, argument, next) = match mission.step {
            Step::Woken(sleep, asked) if sleeps_on(thread, &sleep) => {
                (with_gil, 0, Step::Doing(asked))
            }
            // It has woken up meanwhile, or is only about to be asked.
            _ => (agent.queue, own, Step::Asking),
        };
        if self.set_out(thread, &agent, function, [argument, 0]) {
            self.set_step(pid, next);
        }
        Some(())
    }

    fn set_step(&mut self, pid: i32, step: Step) {
        if let Some(mission) = self.mission(pid) {
            mission.step = step;
        }
    }

    /// The call of a mission has returned.
    pub(super) fn mission_returned(&mut self, pid: i32, result: i32) {
        let now = monotonic();
        let Some(mission) = self.mission(pid) else {
            return;
        };
        match mission.step {
            Step::Asking if result == NOT_READY && mission.goal == Goal::Install => {
                if let Some(injection) = self.injection(pid) {
                    injection.stage = Stage::Awaited; // it will come by
                }
            }
            Step::Asking => {
                mission.refused = (result != 0).then_some(now);
                mission.step = Step::Asked;
            }
            // It sleeps with the GIL: it can only do it itself.
            Step::Doing(false) if result == HOLDS_GIL => {
                mission.step = Step::Summoned;
                self.summon(pid);
            }
            Step::Doing(_) => mission.step = Step::Made(now),
            _ => {}
        }
        self.look_after(pid, now);
    }

    /// Goes on with the missions. To be called now and then.
    pub(in crate::tracer) fn tend_missions(&mut self) {
        if self.missions.is_empty() {
            return;
        }
        let now = monotonic();
        for pid in self.missions.clone() {
            self.look_after(pid, now);
        }
        let (going, gone): (Vec<i32>, Vec<i32>) = std::mem::take(&mut self.missions)
            .into_iter()
            .partition(|pid| self.mission(*pid).is_some());
        self.missions = going;
        if self.leaving {
            // Also those that have run another program meanwhile.
            gone.into_iter().for_each(|pid| self.withdrawn(pid));
        }
        if self.missions.is_empty()
            && let Some(ticker) = &self.ticker
        {
            ticker.set(false);
        }
    }

    /// Looks what has become of a mission, and takes its next step.
    fn look_after(&mut self, pid: i32, now: u64) {
        let memory = self.memory_of(pid);
        let Some(mission) = self.mission(pid).copied() else {
            return;
        };
        let status = memory.and_then(|memory| self.injection(pid)?.status(&memory));
        let waited = now.saturating_sub(mission.begun);
        match (mission.goal, status) {
            // The thread that does it comes back first.
            _ if self.calls.contains_key(&pid) => return,
            (Goal::Install, Some(Status::Installed | Status::Early)) => {
                self.settle(pid, Stage::Installed);
                let text = format!("process {pid}: the markers have been injected");
                return self.outbox.notice(true, text);
            }
            (Goal::Install, Some(status)) if status.failure().is_some() => {
                self.settle(pid, Stage::Over);
                return self.tell_failure(pid, status.failure().unwrap_or_default());
            }
            (Goal::Remove, status)
                if !matches!(
                    status,
                    Some(Status::Installed | Status::Busy | Status::Early)
                ) =>
            {
                return self.withdrawn(pid);
            }
            (Goal::Remove, _) if waited > mission.last() => return self.withdrawn(pid),
            (Goal::Install, _) if waited > SLOW && !mission.told => self.tell_patience(pid),
            _ => {}
        }
        self.take_step(pid, &mission, now);
    }

    fn take_step(&mut self, pid: i32, mission: &Mission, now: u64) {
        let awake = |asked: bool| if asked { Step::Asked } else { Step::Summoned };
        let again = |since: u64| now.saturating_sub(since) >= AGAIN;
        let next = match mission.step {
            Step::Asked if mission.refused.is_some_and(again) => Step::Summoned,
            Step::Made(since) if again(since) => Step::Asked,
            Step::Begun | Step::Asked => {
                let asked = matches!(mission.step, Step::Asked);
                match Sleep::of(pid, pid) {
                    Some(sleep) => Step::Asleep(sleep, now, asked),
                    None => awake(asked),
                }
            }
            Step::Asleep(sleep, _, asked) if Sleep::of(pid, pid) != Some(sleep) => awake(asked),
            Step::Asleep(sleep, seen, asked) if now.saturating_sub(seen) >= LONG => {
                Step::Woken(sleep, asked)
            }
            _ => return,
        };
        self.set_step(pid, next);
        if matches!(next, Step::Summoned | Step::Woken(..)) {
            self.summon(pid);
        }
    }

    fn tell_patience(&mut self, pid: i32) {
        if let Some(mission) = self.mission(pid) {
            mission.told = true;
        }
        let text = format!(
            "process {pid} has not run Python code on its main thread yet: its markers are injected as soon as it does"
        );
        self.outbox.notice(false, text);
    }

    /// The agent is out, or as good as that: the process can be let go.
    fn withdrawn(&mut self, pid: i32) {
        self.settle(pid, Stage::Over);
        for (tid, thread) in &mut self.table.threads {
            if thread.pid == pid {
                ask_to_stop((tid, thread));
            }
        }
    }
}

/// Whether a thread that was stopped is still where it slept.
fn sleeps_on(thread: &StoppedThread, sleep: &Sleep) -> bool {
    let mut registers = Registers::default();
    thread.registers(&mut registers).is_ok()
        && is_in_system_call(&registers, sleep.number, sleep.stack, sleep.code)
}
