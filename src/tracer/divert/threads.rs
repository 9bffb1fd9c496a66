//! Threads of programs that record by themselves: their rings, their names, and the faults that their recorders take into
//! account.

use ptpytrace_arch::Registers;

use super::positions::THREAD_POINTER;
use crate::process::proc::IfFound;
use crate::tracer::Tracer;
use crate::tracer::stopped::StoppedThread;
use crate::tracer::wait::Stop;

impl Tracer {
    /// A new thread or process, before its first instruction: a thread gets a ring of its own, even if one has ended
    /// whose thread pointer it has; a process gets its parent's breakpoints back.
    pub(in crate::tracer) fn born(&mut self, thread: &StoppedThread) {
        let tid = thread.tid();
        let Some(record) = self.table.threads.get_mut(&tid) else {
            return;
        };
        let pid = record.pid;
        let process = self.table.processes.get(&pid);
        let Some(space) = process.and_then(|it| self.table.spaces.get_mut(&it.space)) else {
            return;
        };
        if space.diversions.is_empty() {
            return;
        }
        if pid == tid {
            if space.users == 1 {
                space.undivert_copy(self.arch.breakpoint());
                self.drop_what_is_in_use(thread, pid);
            }
            return;
        }
        let mut registers = Registers::default();
        if thread.registers(&mut registers).is_err() {
            return; // it has been killed
        }
        let word = registers.general.get(THREAD_POINTER);
        record.pointer = word.copied().unwrap_or(0);
        let name = self.proc.comm(pid, tid).if_found();
        for line in space.lines() {
            line.free_ring(record.pointer);
            line.identify(record.pointer, tid);
            if let Some(name) = &name {
                line.name_thread(tid, name.to_string_lossy().into());
            }
        }
    }

    /// A thread is about to end, or has ended: nothing more comes from it.
    pub(in crate::tracer) fn last_words(&mut self, tid: i32) {
        let Some(record) = self.table.threads.get_mut(&tid) else {
            return;
        };
        let (pid, pointer) = (record.pid, std::mem::take(&mut record.pointer));
        let process = self.table.processes.get(&pid);
        let Some(space) = process.and_then(|it| self.table.spaces.get(&it.space)) else {
            return;
        };
        let mut lines = space.lines().peekable();
        if lines.peek().is_none() {
            return;
        }
        // Another thread may have the same thread pointer already.
        let mut threads = self.table.threads.values();
        let taken = threads.any(|it| it.pid == pid && it.pointer == pointer);
        let name = self.proc.comm(pid, tid).if_found();
        for line in lines {
            if let Some(name) = &name {
                line.name_thread(tid, name.to_string_lossy().into());
            }
            if pointer != 0 && !taken {
                line.free_ring(pointer);
            }
        }
    }

    /// A fault that a recorder takes into account: the thread goes on where the recorder says, without the signal. Gives
    /// the stop as it is to be dealt with.
    pub(in crate::tracer) fn fix_up(&mut self, thread: &StoppedThread, stop: Stop) -> Stop {
        let Stop::Signal(signal @ (libc::SIGSEGV | libc::SIGBUS)) = stop else {
            return stop;
        };
        let Some((space, _)) = self.table.space_of(thread.tid()) else {
            return stop;
        };
        if space.diversions.is_empty() {
            return stop;
        }
        let mut registers = Registers::default();
        let Ok(bytes) = thread.registers(&mut registers) else {
            return stop;
        };
        let Some(pc) = registers.general.get_mut(self.arch.pc_index()) else {
            return stop;
        };
        let sites = space.diversions.iter().flat_map(|it| it.sites.iter());
        let mut fixups = sites.flat_map(|site| &site.fixups);
        let Some(fixup) = fixups.find(|it| (it.begin..it.end).contains(pc)) else {
            return stop;
        };
        *pc = fixup.target;
        // Either fails only when it has been killed: its end is reported.
        let _ = thread.set_registers(&registers, bytes);
        let _ = self.repair_fault(thread, signal);
        Stop::Other
    }
}
