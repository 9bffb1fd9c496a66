//! From a hit to an event: what is captured, whether it is wanted, how it is handed over.

use std::sync::Arc;

use crossbeam_channel::bounded;
use ptpytrace_arch::Registers;

use super::capture::{self, CaptureLimits, capture, plain};
use super::site::Site;
use super::stopped::StoppedThread;
use super::{Tracer, monotonic, sys};
use crate::event::{Arg, Delivery, Event, EventKind, Hold, ProbeInfo, Values, Verdict};
use crate::process::memory::ProcessMemory;
use crate::process::proc::IfFound;
use ptpytrace_arch::ArgValue;

/// How long (ns) a thread's name is believed.
const COMM_LIFETIME: u64 = 10_000_000;

/// Where something happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    /// In which thread.
    pub tid: i32,
    /// Its registers, when it is stopped and they are known.
    pub registers: Option<&'a Registers>,
    /// When (CLOCK_MONOTONIC, ns).
    pub now: u64,
    /// Whose event it is, if not that thread's: the process of this id.
    pub actor: Option<i32>,
}

/// What the requests say to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// One of them wants it.
    Wanted,
    /// None does.
    Not,
    /// None does, nor will any want one of the same function.
    Never,
}

impl Scene<'_> {
    /// In a thread of which no registers are known.
    pub fn of(tid: i32, now: u64) -> Self {
        Scene {
            tid,
            registers: None,
            now,
            actor: None,
        }
    }
}

impl Tracer {
    /// Captures and sends the event of a site whose arguments lie where their specs say, in the registers of the
    /// last stop.
    pub(super) fn fire(&mut self, thread: &StoppedThread, site: &Site, now: u64) -> Heard {
        let Some((space, true)) = self.table.space_of(thread.tid()) else {
            return Heard::Not;
        };
        let Some(memory) = space.memory.clone() else {
            self.outbox.lost = self.outbox.lost.saturating_add(1); // a process that nobody may read
            return Heard::Not;
        };
        self.registers.vector = None;
        if site.needs_vector && thread.vector(&mut self.registers).is_err() {
            return Heard::Not;
        }
        let limits = CaptureLimits {
            max_string: site.capture.texts.limit,
            objects: &self.plan.objects,
        };
        let args = capture(&site.arguments, &self.registers, &memory, limits);
        let mut scene = Scene::of(thread.tid(), now);
        let heard = if site.capture.native_frames == 0 {
            self.deliver(scene, site, args, Some(memory))
        } else {
            let registers = self.registers.clone();
            scene.registers = Some(&registers);
            self.deliver(scene, site, args, Some(memory))
        };
        match heard {
            // Only an injected callback can be told.
            Heard::Never if !self.spare(thread) => Heard::Not,
            heard => heard,
        }
    }

    /// Sends the event of a site whose arguments are these numbers.
    pub(super) fn fire_with(&mut self, scene: Scene<'_>, site: &Site, numbers: &[ArgValue]) {
        let Some((space, true)) = self.table.space_of(scene.tid) else {
            return;
        };
        let memory = space.memory.clone();
        let mut args: Vec<Arg> = numbers.iter().copied().map(plain).collect();
        if let Some(memory) = &memory {
            let limits = CaptureLimits {
                max_string: site.capture.texts.limit,
                objects: &self.plan.objects,
            };
            args = capture::complete(&site.arguments, args, memory, limits);
        }
        self.deliver(scene, site, args, memory);
    }

    /// Sends an event of a thread unless its site's requests do not want it, and waits for the answer if one of them
    /// holds the thread.
    pub(super) fn deliver(
        &mut self,
        scene: Scene<'_>,
        site: &Site,
        args: Vec<Arg>,
        memory: Option<Arc<ProcessMemory>>,
    ) -> Heard {
        let Scene { tid, now, .. } = scene;
        let Some((mut pid, mut comm)) = self.name(tid, now) else {
            return Heard::Not;
        };
        let Some(probe) = self.probe_in(pid, site) else {
            return Heard::Not;
        };
        if let Some(actor) = scene.actor {
            let name = self.proc.comm(actor, actor).if_found().unwrap_or_default();
            (pid, comm) = (actor, name.to_string_lossy().into());
        }
        let mut event = Event {
            time: now,
            pid,
            tid: scene.actor.unwrap_or(tid),
            comm,
            kind: EventKind::ThreadEnd,
            context: None,
        };
        let heard = match site.always {
            true => Heard::Wanted,
            false => self.passes(&event, &args, &probe),
        };
        if heard == Heard::Wanted {
            let stack = scene.registers.zip(memory.as_deref());
            event.context = self.context(tid, &site.capture, stack, now);
            event.kind = EventKind::Fired { probe, args };
            match memory.filter(|_| site.capture.hold) {
                Some(memory) => self.hold(event, memory),
                None => self.outbox.send(Delivery::Event(event)),
            }
        }
        let cost = monotonic().saturating_sub(now);
        self.ledger.fired(site.row, cost);
        heard
    }

    /// Whether one of the requests wants it. What could not be read is left to the consumer, who reports it.
    fn passes(&self, event: &Event, args: &[Arg], probe: &ProbeInfo) -> Heard {
        let values = Values {
            event,
            args,
            probe,
            target: self.target.unwrap_or(0),
        };
        if values.unreadable() {
            return Heard::Wanted;
        }
        let tests = || {
            let requests = probe.requests.iter();
            requests.map(|index| self.plan.requests.get(*index)?.test.as_ref())
        };
        if tests().any(|test| test.is_none_or(|test| test.holds(&values))) {
            Heard::Wanted
        } else if tests().all(|test| test.is_some_and(|test| test.rules_function_out(&values))) {
            Heard::Never
        } else {
            Heard::Not
        }
    }

    /// The probe as it is in this process: one that shares its parent's memory (vfork) runs into breakpoints that were
    /// planted for the parent. `None` when nobody wants it here.
    fn probe_in(&mut self, pid: i32, site: &Site) -> Option<Arc<ProbeInfo>> {
        let probe = Arc::clone(&site.probe);
        if !self.process_matters {
            return Some(probe);
        }
        let process = self.table.processes.get(&pid)?;
        let owner = self.table.spaces.get(&process.space)?.owner;
        if owner == pid || owner == 0 || !site.in_file {
            return Some(probe);
        }
        let identity = self.identity(pid);
        let still = |index: &usize| self.matcher.still(*index, &identity, &probe.provider);
        let requests: Vec<usize> = probe.requests.iter().copied().filter(still).collect();
        if requests == probe.requests || requests.is_empty() {
            return (!requests.is_empty()).then_some(probe);
        }
        let changed = ProbeInfo {
            requests,
            ..(*probe).clone()
        };
        Some(self.ledger.enter(changed).1)
    }

    /// Sends an event and keeps the thread as it is until the consumer has answered.
    fn hold(&mut self, event: Event, memory: Arc<ProcessMemory>) {
        let (pid, tid) = (event.pid, event.tid);
        let (answer, verdict) = bounded(1);
        self.outbox
            .send(Delivery::Held(event, Hold { memory, answer }));
        let Verdict { signals } = self.outbox.verdict(&verdict);
        for signal in signals {
            // To the thread itself if it takes it, so that it takes it before it does anything else.
            let mask = sys::get_signal_mask(tid).unwrap_or(0);
            let blocked = u32::try_from(signal.saturating_sub(1))
                .is_ok_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1);
            let sent = if blocked {
                sys::signal_process(pid, signal)
            } else {
                sys::signal_task(pid, tid, signal)
            };
            if let Err(errno) = sent {
                let text = format!("process {pid}: signal {signal} cannot be sent: {errno}");
                self.outbox.notice(false, text);
            }
        }
    }

    /// The thread's process and name. The name is read again now and then: it may change.
    pub(super) fn name(&mut self, tid: i32, now: u64) -> Option<(i32, Arc<str>)> {
        let record = self.table.threads.get_mut(&tid)?;
        if now >= record.comm.1 {
            let comm = self.proc.comm(record.pid, tid).if_found();
            if let Some(comm) = comm
                && *comm != *record.comm.0
            {
                record.comm.0 = comm.to_string_lossy().into();
            }
            record.comm.1 = now.saturating_add(COMM_LIFETIME);
        }
        Some((record.pid, Arc::clone(&record.comm.0)))
    }
}
