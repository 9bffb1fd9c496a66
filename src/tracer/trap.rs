//! A SIGTRAP: one of our breakpoints, or the program's own signal.

use std::sync::Arc;

use ptpytrace_arch::{Arch, HookStep, ReadMemory, X86_64};

use super::capture::capture;
use super::sigtrap::Watched;
use super::space::{MarkerSite, Purpose};
use super::stopped::{Gone, StoppedThread};
use super::{Tracer, monotonic, sys};
use crate::address::RuntimeAddress;
use crate::event::{Delivery, Event, EventKind};
use crate::process::memory::ProcessMemory;
use crate::process::proc::IfFound;

/// How long (ns) a thread's name is believed.
const COMM_LIFETIME: u64 = 10_000_000;

/// What a SIGTRAP turned out to be.
enum Found {
    /// Somebody's signal: deliver it.
    Signal,
    /// A breakpoint on markers.
    Markers(Arc<[Arc<MarkerSite>]>),
    /// The breakpoint in the dynamic linker.
    Linker,
    /// One on a function that changes what happens to signals.
    Signals(Watched),
}

impl Tracer {
    /// Deals with a thread that is about to get SIGTRAP; `part` when it is to be detached then.
    pub(super) fn trap(&mut self, thread: StoppedThread, part: bool) {
        let now = monotonic();
        #[cfg(test)]
        self.fail_on_request();
        let Ok(found) = self.find(&thread) else {
            return; // killed meanwhile
        };
        let signal = match found {
            Found::Signal if self.ignores(&thread) => 0,
            Found::Signal => libc::SIGTRAP,
            Found::Markers(sites) => {
                for site in sites.iter() {
                    self.fire(&thread, site, now);
                }
                0
            }
            Found::Linker => {
                if !part {
                    self.look_through(thread.tid());
                }
                0
            }
            Found::Signals(watched) => {
                self.watch(thread.tid(), watched);
                0
            }
        };
        if part {
            return self.part(thread, signal);
        }
        match self.table.threads.get_mut(&thread.tid()) {
            Some(record) if signal == 0 => {
                record.placement.trapped(now);
                let place = (record.pid, &self.proc);
                self.placement
                    .resume(thread, &mut record.placement, place, monotonic());
            }
            _ => thread.resume(signal),
        }
    }

    /// Finds the breakpoint, and moves the thread behind it.
    fn find(&mut self, thread: &StoppedThread) -> Result<Found, Gone> {
        let bytes = thread.registers(&mut self.registers)?;
        let pc_index = self.arch.pc_index();
        let Some(pc) = self.registers.general.get(pc_index).copied() else {
            return Ok(Found::Signal);
        };
        let site = RuntimeAddress(pc.wrapping_sub(self.arch.pc_after_breakpoint()));
        let Some((space, _)) = self.table.space_of(thread.tid()) else {
            return Ok(Found::Signal);
        };
        let Some(planted) = space.planted.get(&site) else {
            return Ok(Found::Signal);
        };
        let (purpose, after, memory) =
            (planted.purpose.clone(), planted.after, space.memory.clone());
        if self.may_be_a_signal(thread) && thread.signal_info()?.code <= 0 {
            return Ok(Found::Signal);
        }
        self.repair(thread)?;
        let watched = match purpose {
            Purpose::Signals(watched) => Some(self.registers.clone()).zip(Some(watched)),
            _ => None,
        };
        let target = self.step_over(site, after, memory.as_deref());
        let Some(target) = target else {
            return Ok(Found::Signal);
        };
        let untouched = target == pc && matches!(after, HookStep::Nop(_));
        if !untouched {
            if let Some(word) = self.registers.general.get_mut(pc_index) {
                *word = target;
            }
            thread.set_registers(&self.registers, bytes)?;
        }
        if let Some((before, watched)) = watched {
            self.registers = before;
            return Ok(Found::Signals(watched));
        }
        Ok(match purpose {
            Purpose::Markers(sites) => Found::Markers(sites),
            _ => Found::Linker,
        })
    }

    /// A signal that somebody sent while the thread stood behind a breakpoint comes with the registers of the stop
    /// before: only then is it worth asking the kernel where a SIGTRAP is from.
    fn may_be_a_signal(&mut self, thread: &StoppedThread) -> bool {
        match self.table.threads.get_mut(&thread.tid()) {
            Some(record) if record.last.general == self.registers.general => true,
            Some(record) => {
                let first = record.last.general.iter().all(|word| *word == 0);
                record.last.general = self.registers.general;
                first
            }
            None => true,
        }
    }

    /// Carries out the instruction that the breakpoint covers, all but the program counter; gives where to go on.
    fn step_over(
        &mut self,
        site: RuntimeAddress,
        step: HookStep,
        memory: Option<&ProcessMemory>,
    ) -> Option<u64> {
        let general = &mut self.registers.general;
        let sp_index = self.arch.sp_index();
        let behind = |length: usize| site.0.wrapping_add(length as u64);
        match step {
            HookStep::Nop(length) => Some(behind(length)),
            HookStep::Add {
                to,
                from,
                addend,
                narrow,
                length,
            } => {
                let sum = general.get(from)?.wrapping_add(addend as u64);
                let mask = if narrow {
                    u64::from(u32::MAX)
                } else {
                    u64::MAX
                };
                *general.get_mut(to)? = sum & mask;
                Some(behind(length))
            }
            HookStep::Push { from, length } => {
                let value = *general.get(from)?;
                let sp = general.get_mut(sp_index)?;
                *sp = sp.wrapping_sub(8);
                memory?.write(*sp, &value.to_ne_bytes()).ok()?;
                Some(behind(length))
            }
            HookStep::Return(_) if super::HOST_MACHINE != X86_64.elf_machine() => {
                general.get(30).copied()
            }
            HookStep::Return(more) => {
                let sp = general.get_mut(sp_index)?;
                let mut address = [0; 8];
                if memory?.read(*sp, &mut address) < address.len() {
                    return None;
                }
                *sp = sp.wrapping_add(8).wrapping_add(u64::from(more));
                Some(u64::from_le_bytes(address))
            }
        }
    }

    /// Captures and sends an event.
    fn fire(&mut self, thread: &StoppedThread, site: &MarkerSite, now: u64) {
        let Some((space, true)) = self.table.space_of(thread.tid()) else {
            return;
        };
        let Some(memory) = space.memory.clone() else {
            self.outbox.lost = self.outbox.lost.saturating_add(1); // a process that nobody may read
            return;
        };
        self.registers.vector = None;
        if site.needs_vector && thread.vector(&mut self.registers).is_err() {
            return;
        }
        let args = capture(&site.arguments, &self.registers, &memory, &self.limits);
        let Some((pid, comm)) = self.name(thread.tid(), now) else {
            return;
        };
        let kind = EventKind::Fired {
            probe: Arc::clone(&site.probe),
            args,
        };
        let event = Event {
            time: now,
            pid,
            tid: thread.tid(),
            comm,
            kind,
        };
        self.outbox.send(Delivery::Event(event));
        let cost = sys::monotonic().saturating_sub(now);
        self.ledger.fired(site.row, cost);
    }

    /// The thread's process and name. The name is read again now and then: it may change.
    fn name(&mut self, tid: i32, now: u64) -> Option<(i32, Arc<str>)> {
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
