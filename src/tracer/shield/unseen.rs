//! The program is not to meet the shield: what is done when it asks for its disposition, gets a SIGTRAP of somebody
//! else's, or blocks signals.

use ptpytrace_arch::{ReadMemory, Registers};

use crate::tracer::sigtrap::BIT;
use crate::tracer::stopped::{Gone, StoppedThread};
use crate::tracer::{Tracer, sys};

/// The signals of a set that means all of them: those that can be blocked and are not for real time.
const EVERYTHING: u64 = 0x7fff_ffff & !(1 << (libc::SIGKILL - 1)) & !(1 << (libc::SIGSTOP - 1));
/// Where in the shield's page sets of signals can be put, how many, and how long one is (glibc's `sigset_t`).
const SETS_AT: u64 = 2048;
const SETS: u64 = 16;
const SET_LENGTH: usize = 128;

impl Tracer {
    /// A thread stands at the first instruction of `sigaction` for SIGTRAP. Where it only asks it is told of a signal
    /// that has its default for ever; otherwise the shield is lowered.
    ///
    /// # Errors
    /// The thread has ended.
    pub(in crate::tracer) fn hide_shield(&mut self, thread: &StoppedThread) -> Result<(), Gone> {
        let words = self.arch.argument_words();
        let (Some(signal), Some(action)) = (words.first(), words.get(1)) else {
            return Ok(());
        };
        let pid = self.table.threads.get(&thread.tid()).map(|it| it.pid);
        if !pid.is_some_and(|pid| self.is_shielded(pid)) {
            return Ok(());
        }
        let mut registers = Registers::default();
        let length = thread.registers(&mut registers)?;
        if registers.general.get(*action).copied() != Some(0) {
            return self.unshield(thread);
        }
        if let Some(word) = registers.general.get_mut(*signal) {
            *word = libc::SIGKILL as u64;
        }
        thread.set_registers(&registers, length)
    }

    /// A thread of a process with a shield stopped for a SIGTRAP that is not ours: lowers the shield, and has the thread
    /// get the signal once more. Gives the signal that it is to be resumed with.
    pub(in crate::tracer) fn expose_to_signal(
        &mut self,
        thread: &StoppedThread,
    ) -> Result<i32, Gone> {
        /// `si_code` of a breakpoint's signal.
        const SI_KERNEL: i32 = 0x80;
        let tid = thread.tid();
        let Some(pid) = self.table.threads.get(&tid).map(|it| it.pid) else {
            return Ok(libc::SIGTRAP);
        };
        if !self.is_shielded(pid) {
            return Ok(libc::SIGTRAP);
        }
        let code = thread.signal_info()?.code;
        let bytes = thread.registers(&mut self.registers)?;
        self.unshield(thread)?;
        let breakpoint = self.arch.breakpoint();
        let pc = self.registers.general.get_mut(self.arch.pc_index());
        if let Some(pc) = pc
            && code == SI_KERNEL
            && let Some((space, _)) = self.table.space_of(tid)
            && let Some(memory) = &space.memory
        {
            let site = pc.wrapping_sub(self.arch.pc_after_breakpoint());
            let mut there = [0; 8];
            let there = there.get_mut(..breakpoint.len()).unwrap_or_default();
            if memory.read(site, there) == breakpoint.len() && there == breakpoint {
                *pc = site; // it runs into its own breakpoint again
                thread.set_registers(&self.registers, bytes)?;
                return Ok(0);
            }
        }
        let _ = sys::signal_task(pid, tid, libc::SIGTRAP); // it may have been killed
        Ok(0)
    }

    /// A thread of a process with a shield is about to block signals, by the set at an address. Where those are all
    /// signals, as around vfork, it is not for SIGTRAP: the set is replaced by one without it, so that the thread is
    /// shielded meanwhile. Gives the set's first word.
    pub(in crate::tracer) fn keep_unblocked(
        &mut self,
        thread: &StoppedThread,
        how: i32,
        (address, set): (u64, u64),
    ) -> u64 {
        let pid = self.table.threads.get(&thread.tid()).map(|it| it.pid);
        let Some(pid) = pid.filter(|pid| self.is_shielded(*pid)) else {
            return set;
        };
        if how == libc::SIG_UNBLOCK || set & EVERYTHING != EVERYTHING {
            return set;
        }
        let replaced = set & !BIT;
        match self.replace_set(thread, pid, address, replaced) {
            Some(()) => replaced,
            None => set,
        }
    }

    fn replace_set(
        &mut self,
        thread: &StoppedThread,
        pid: i32,
        address: u64,
        set: u64,
    ) -> Option<()> {
        let process = self.table.processes.get_mut(&pid)?;
        // Other threads may not have read theirs yet.
        process.shield.set = process.shield.set.wrapping_add(1) % SETS;
        let offset = SETS_AT.wrapping_add(process.shield.set.wrapping_mul(SET_LENGTH as u64));
        let space = self.table.spaces.get(&process.space)?;
        let place = space.protected.shield?.wrapping_add(offset);
        let memory = space.memory.clone()?;
        let mut bytes = [0; SET_LENGTH];
        memory.read(address, &mut bytes);
        *bytes.first_chunk_mut()? = set.to_ne_bytes();
        memory.write(place, &bytes).ok()?;
        let mut registers = Registers::default();
        let length = thread.registers(&mut registers).ok()?;
        let word = self.arch.argument_words().get(1)?;
        *registers.general.get_mut(*word)? = place;
        thread.set_registers(&registers, length).ok()
    }

    /// C libraries start threads, and children that share the memory, with everything blocked for a moment: SIGTRAP is
    /// taken out of that.
    pub(in crate::tracer) fn unblock_newborn(&mut self, thread: &StoppedThread) {
        let record = self.table.threads.get(&thread.tid());
        if !record.is_some_and(|record| self.is_shielded(record.pid)) {
            return;
        }
        let Ok(mask) = sys::get_signal_mask(thread.tid()) else {
            return; // killed
        };
        if mask & EVERYTHING == EVERYTHING {
            let _ = sys::set_signal_mask(thread.tid(), mask & !BIT); // it may have been killed
        }
    }
}
