//! A SIGTRAP: one of our breakpoints, or the program's own signal.

use std::sync::Arc;

use ptpytrace_arch::{Arch, HookStep, ReadMemory, X86_64};

use super::fire::Heard;
use super::space::Purpose;
use super::stopped::{Gone, StoppedThread};
use super::{Tracer, monotonic};
use crate::address::RuntimeAddress;
use crate::process::memory::ProcessMemory;

impl Tracer {
    /// Deals with a thread that is about to get SIGTRAP; `part` when it is to be detached then.
    pub(super) fn trap(&mut self, mut thread: StoppedThread, part: bool) {
        let now = monotonic();
        #[cfg(test)]
        self.fail_on_request();
        let Ok(found) = self.find(&thread) else {
            return; // killed meanwhile
        };
        let mut marked = false;
        let signal = match found {
            None if self.ignores(&thread) => 0,
            None => match self.expose_to_signal(&thread) {
                Ok(signal) => signal,
                Err(Gone) => return,
            },
            Some(purpose) => {
                if purpose.returns {
                    let at = self.registers.general.get(self.arch.pc_index());
                    let at = RuntimeAddress(at.copied().unwrap_or(0));
                    self.function_returned(thread.tid(), at, now);
                }
                for function in &purpose.functions {
                    self.function_entered(&thread, function, now);
                }
                for site in &purpose.markers {
                    // A function that nobody wants is no reason to divert.
                    marked |= self.fire(&thread, site, now) != Heard::Never;
                }
                if purpose.linker && !part {
                    self.look_through(thread.tid());
                }
                if let Some(point) = purpose.agent {
                    let Some(back) = self.agent_point(thread, point, part) else {
                        return;
                    };
                    thread = back;
                }
                if self.mind_signals(&thread, &purpose, part).is_err() {
                    return;
                }
                0
            }
        };
        if signal == 0 && !part && marked {
            let Some(back) = self.consider_diversion(thread) else {
                return;
            };
            thread = back;
        }
        self.tell_signal(&thread, signal);
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

    /// Keeps the shield up where it may be, and the program from meeting it.
    fn mind_signals(
        &mut self,
        thread: &StoppedThread,
        purpose: &Purpose,
        part: bool,
    ) -> Result<(), Gone> {
        let hide = self.is_about_sigtrap(purpose);
        if !hide && !part {
            // First: it keeps SIGTRAP out of what is about to be blocked.
            self.shield(thread)?;
        }
        if let Some(watched) = purpose.signals {
            self.watch(thread, watched);
        }
        match hide {
            true => self.hide_shield(thread),
            false if purpose.signals.is_some() && !part => self.shield(thread),
            false => Ok(()),
        }
    }

    /// Finds the breakpoint and moves the thread behind it; `None` when the signal is somebody's, to be delivered. The
    /// registers are then those of the thread at the breakpoint.
    fn find(&mut self, thread: &StoppedThread) -> Result<Option<Arc<Purpose>>, Gone> {
        let bytes = thread.registers(&mut self.registers)?;
        let pc_index = self.arch.pc_index();
        let Some(pc) = self.registers.general.get(pc_index).copied() else {
            return Ok(None);
        };
        let site = RuntimeAddress(pc.wrapping_sub(self.arch.pc_after_breakpoint()));
        let Some((space, _)) = self.table.space_of(thread.tid()) else {
            return Ok(None);
        };
        let Some(planted) = space.planted.get(&site) else {
            return Ok(None);
        };
        let (purpose, after) = (Arc::clone(&planted.purpose), planted.after);
        let diverted = space.tail(site);
        let memory = space.memory.clone();
        if self.may_be_a_signal(thread) && thread.signal_info()?.code <= 0 {
            return Ok(None);
        }
        let repaired = self.repair(thread)?;
        let before = match after {
            Some(HookStep::Nop(_)) => None,
            _ => Some(self.registers.general),
        };
        // Diverted since it was hit, and not put back since.
        let after = after.filter(|_| diverted.is_none());
        let target = match after {
            _ if diverted.is_some() => diverted,
            Some(after) => self.step_over(site, after, memory.as_deref()),
            None => Some(self.elsewhere(thread, site)?),
        };
        let Some(target) = target else {
            return Ok(None);
        };
        if target != pc || before.is_some() || repaired {
            let words = before.as_ref().unwrap_or(&self.registers.general);
            let sp = words.get(self.arch.sp_index()).copied().unwrap_or(0);
            self.note_move(thread, pc, sp);
            if let Some(word) = self.registers.general.get_mut(pc_index) {
                *word = target;
            }
            thread.set_registers(&self.registers, bytes)?;
        }
        if let Some(before) = before {
            self.registers.general = before;
        }
        if let Some(word) = self.registers.general.get_mut(pc_index) {
            *word = site.0;
        }
        Ok(Some(purpose))
    }

    /// Where the instruction under a breakpoint is carried out: in its slot; in place where the breakpoint is gone.
    fn elsewhere(&mut self, thread: &StoppedThread, site: RuntimeAddress) -> Result<u64, Gone> {
        let tid = thread.tid();
        let restored = self.leaving || self.table.space_of(tid).is_none_or(|(_, wanted)| !wanted);
        if restored && !self.stands(tid, site) {
            return Ok(site.0);
        }
        let slot = self.slot(thread, site);
        Ok(self.survived(thread, slot)?.unwrap_or_else(|| {
            self.give_up(tid, site);
            site.0
        }))
    }

    /// Whether a breakpoint stands in memory.
    fn stands(&self, tid: i32, site: RuntimeAddress) -> bool {
        let space = self.table.space_of(tid);
        let memory = space.and_then(|(space, _)| space.memory.as_ref());
        memory.is_some_and(|memory| memory.holds(site.0, self.arch.breakpoint()) == Some(true))
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
}
