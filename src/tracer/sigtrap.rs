//! The program's own use of SIGTRAP, in spite of breakpoints.
//!
//! A breakpoint's SIGTRAP is forced: where the thread blocks that signal the kernel unblocks it, and where the process
//! ignores it (or blocks it and handles it) the kernel resets its disposition to the default (`force_sig`). So the
//! tracer remembers what the program asked for: it learns it where it takes hold of a process ([`super::learn`]), and then
//! follows the C library's `sigaction` and `pthread_sigmask` by breakpoints. After each hit it puts the mask back, and
//! where it was reset the disposition too, by a system call in the program. Where it must not make one (seccomp) it at
//! least keeps from the program a signal that it ignores.
//!
//! What is not seen: masks changed by a system call outside of the C library, and the kernel's own blocking of SIGTRAP
//! while a C handler of that very signal runs. Such a handler that calls Python functions is lost at the first call.

use std::path::Path;

use ptpytrace_arch::{ReadMemory, Registers};

use super::faults::{bit, blocked_faults_after};
use super::remote::{Remote, RemoteError};
use super::space::Purpose;
use super::stopped::{Gone, StoppedThread};
use super::{Tracer, sys, way_back};
use crate::elf::Image;
use crate::process::maps;
use crate::process::memory::ProcessMemory;
use crate::process::proc::IfFound;

/// The first of the signals that glibc and musl keep for themselves.
const LIBRARY_SIGNAL: i32 = 32;
/// SIGTRAP in a signal mask.
pub(super) const BIT: u64 = 1 << (libc::SIGTRAP - 1);

/// The functions by which programs change dispositions and masks, and where they are looked for (sonames begin so).
pub const FUNCTIONS: [(&str, Watched); 3] = [
    ("sigaction", Watched::Disposition),
    ("pthread_sigmask", Watched::Mask),
    ("sigprocmask", Watched::Mask),
];
/// The libraries that have them.
pub const LIBRARIES: [&str; 3] = ["libc.so", "libc.musl", "libpthread.so"];

/// Whether an image is one of them.
pub(super) fn is_c_library(image: &Image) -> bool {
    let soname = image.soname().unwrap_or("");
    LIBRARIES.iter().any(|name| soname.starts_with(name))
}

/// What a watched function changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// `sigaction(signal, action, old)`.
    Disposition,
    /// `pthread_sigmask(how, set, old)`.
    Mask,
}

/// What the program wants done about SIGTRAP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disposition {
    /// The default: it ends the process.
    #[default]
    Default,
    /// Nothing.
    Ignored,
    /// A handler is called, at this address if that is known.
    Handled(Option<u64>),
}

impl Disposition {
    /// From the first word of `struct sigaction`.
    pub(super) fn of_handler(handler: u64) -> Disposition {
        match handler as libc::sighandler_t {
            libc::SIG_DFL => Disposition::Default,
            libc::SIG_IGN => Disposition::Ignored,
            _ => Disposition::Handled(Some(handler)),
        }
    }

    /// The first word of `struct sigaction` that a hit has reset to SIG_DFL, for a thread that blocks the signal or
    /// not.
    pub(super) fn lost_at_a_hit(self, blocked: bool) -> Option<u64> {
        match self {
            Disposition::Ignored => Some(libc::SIG_IGN as u64),
            Disposition::Handled(handler) if blocked => handler,
            _ => None,
        }
    }
}

/// Where a stopped thread can be made to make system calls, in the page that the kernel maps into every process
/// (vdso(7)): at a [`way_back::STUB`] behind the code there, which is written if it can be, or else at any system call
/// instruction.
pub(super) fn find_system_call(pid: i32, memory: &ProcessMemory, wanted: &[u8]) -> Option<u64> {
    let mappings = maps::read(pid).ok()?;
    let vdso = mappings
        .iter()
        .find(|mapping| mapping.path.as_deref() == Some(Path::new("[vdso]")))?;
    let mut code = vec![0; usize::try_from(vdso.length()).ok()?.min(1 << 20)];
    let read = memory.read(vdso.start.0, &mut code);
    let code = code.get(..read)?;
    if let Some(offset) = way_back::room_for_stub(code, wanted) {
        let at = vdso.start.0.checked_add(offset as u64)?;
        if memory.write(at, &way_back::STUB).is_ok() {
            return Some(at);
        }
    }
    let offset = code
        .windows(wanted.len())
        .position(|window| window == wanted)?;
    vdso.start.0.checked_add(offset as u64)
}

/// Whether a thread with this mask has SIGTRAP blocked for longer than a moment. C libraries block everything when they
/// make a thread, their own signals too, which programs cannot block by pthread_sigmask.
fn blocks_sigtrap(mask: u64) -> bool {
    mask & BIT != 0 && mask & bit(LIBRARY_SIGNAL) == 0
}

/// Whether a signal is blocked after a change of the mask by a set in which it is `named` or not; unknown ways change
/// nothing.
pub(super) fn blocked_after(before: bool, how: i32, named: bool) -> bool {
    match how {
        libc::SIG_BLOCK => before || named,
        libc::SIG_UNBLOCK => before && !named,
        libc::SIG_SETMASK => named,
        _ => before,
    }
}

impl Tracer {
    /// Reads from /proc what a process and a thread want, when hold is taken of them. What is known to be ignored
    /// stays so: a breakpoint may have reset it since.
    pub(super) fn learn_sigtrap(&mut self, pid: i32, tid: i32) {
        let Some(status) = self.proc.status(tid).if_found() else {
            return;
        };
        if let Some(process) = self.table.processes.get_mut(&pid)
            && process.sigtrap != Disposition::Ignored
        {
            process.sigtrap = match () {
                () if status.ignored.contains(libc::SIGTRAP) => Disposition::Ignored,
                () if status.caught.contains(libc::SIGTRAP) => Disposition::Handled(None),
                () => Disposition::Default,
            };
        }
        if let Some(thread) = self.table.threads.get_mut(&tid) {
            thread.blocks_sigtrap |= blocks_sigtrap(status.blocked.0);
        }
        self.table.learn_faults(pid, tid, &status);
    }

    /// As [`Tracer::learn_sigtrap`], from the thread itself: while it waits with another mask (sigsuspend(2), ppoll(2))
    /// /proc shows that one.
    pub(super) fn learn_mask(&mut self, thread: &StoppedThread) {
        let tid = thread.tid();
        if let (Ok(mask), Some(record)) =
            (sys::get_signal_mask(tid), self.table.threads.get_mut(&tid))
        {
            record.blocks_sigtrap = blocks_sigtrap(mask);
            record.blocked_faults = blocked_faults_after(0, libc::SIG_SETMASK, mask);
        }
    }

    /// A thread stands at the first instruction of a watched function: notes what it asks for.
    pub(super) fn watch(&mut self, thread: &StoppedThread, watched: Watched) {
        let tid = thread.tid();
        let words = self.arch.argument_words();
        let argument = |index: usize| {
            let word = words.get(index)?;
            self.registers.general.get(*word).copied()
        };
        let (Some(first), Some(pointer)) = (argument(0), argument(1)) else {
            return;
        };
        let memory = self
            .table
            .space_of(tid)
            .and_then(|(space, _)| space.memory.clone());
        let mut bytes = [0; 8];
        let read = memory.map_or(0, |memory| memory.read(pointer, &mut bytes));
        if pointer == 0 || read < bytes.len() {
            return; // it only asks, or fails
        }
        let (first, value) = (first as i32, u64::from_ne_bytes(bytes));
        let value = match watched {
            Watched::Mask => self.keep_unblocked(thread, first, (pointer, value)),
            Watched::Disposition => value,
        };
        let Some(record) = self.table.threads.get_mut(&tid) else {
            return;
        };
        match watched {
            Watched::Mask => {
                let named = value & BIT != 0;
                record.blocks_sigtrap = blocked_after(record.blocks_sigtrap, first, named);
                record.blocked_faults = blocked_faults_after(record.blocked_faults, first, value);
            }
            Watched::Disposition if first == libc::SIGTRAP => {
                if let Some(process) = self.table.processes.get_mut(&record.pid) {
                    process.sigtrap = Disposition::of_handler(value);
                }
            }
            Watched::Disposition => {
                if let Some(process) = self.table.processes.get_mut(&record.pid) {
                    process.faults.set(first, value);
                }
            }
        }
    }

    /// Whether a thread that stands at a breakpoint asks for, or sets, the disposition of SIGTRAP.
    pub(super) fn is_about_sigtrap(&self, purpose: &Purpose) -> bool {
        let word = self.arch.argument_words().first();
        let signal = word.and_then(|word| self.registers.general.get(*word));
        purpose.signals == Some(Watched::Disposition)
            && signal.is_some_and(|signal| *signal as i32 == libc::SIGTRAP)
    }

    /// After a hit: puts back what the kernel has reset. True when the thread has been made to make system calls for
    /// that: it then stands at the breakpoint, to run into it again should nobody carry it on.
    pub(super) fn repair(&mut self, thread: &StoppedThread) -> Result<bool, Gone> {
        let Some(record) = self.table.threads.get(&thread.tid()) else {
            return Ok(false);
        };
        let blocked = record.blocks_sigtrap;
        let process = self.table.processes.get_mut(&record.pid);
        if let Some(process) = process
            && blocked
        {
            process.shield.up = false;
        }
        let process = self.table.processes.get(&record.pid);
        let lost = process.and_then(|process| process.sigtrap.lost_at_a_hit(blocked));
        if let Some(handler) = lost {
            self.step_back(thread)?;
            let result = self.restore_handler(thread, libc::SIGTRAP, handler);
            self.survived(thread, result)?;
        }
        if blocked && let Ok(mask) = sys::get_signal_mask(thread.tid()) {
            // It fails only when the thread has been killed.
            let _ = sys::set_signal_mask(thread.tid(), mask | BIT);
        }
        Ok(lost.is_some())
    }

    /// Sets a thread that is stopped behind a breakpoint on it.
    pub(super) fn step_back(&mut self, thread: &StoppedThread) -> Result<(), Gone> {
        let mut registers = Registers::default();
        let bytes = thread.registers(&mut registers)?;
        thread.note_departure(self.arch, &registers);
        if let Some(pc) = registers.general.get_mut(self.arch.pc_index()) {
            *pc = pc.wrapping_sub(self.arch.pc_after_breakpoint());
        }
        thread.set_registers(&registers, bytes)
    }

    /// Sets the handler of a signal by two system calls in the program; the rest of the disposition is still there.
    pub(super) fn restore_handler(
        &mut self,
        thread: &StoppedThread,
        signal: i32,
        handler: u64,
    ) -> Result<(), RemoteError> {
        let Some(record) = self.table.threads.get(&thread.tid()) else {
            return Ok(());
        };
        let pid = record.pid;
        let process = self.table.processes.get(&pid);
        let space = process.and_then(|it| self.table.spaces.get(&it.space));
        let Some(memory) = space.and_then(|space| space.memory.clone()) else {
            return Ok(());
        };
        let Some(at) = self.system_call_in(pid) else {
            return Ok(());
        };
        if self.is_confined(thread.tid()) {
            return Ok(()); // a filter might kill the program for it
        }
        let remote = Remote::begin(thread, self.arch, at)?;
        // Below the red zone; what lies there is nobody's.
        let action = remote.stack_pointer().wrapping_sub(1024) & !15;
        let call = |new: u64, old: u64| {
            let arguments = [u64::from(signal.unsigned_abs()), new, old, 8];
            remote.call(libc::SYS_rt_sigaction, &arguments)
        };
        if call(0, action)? == 0 && memory.write(action, &handler.to_ne_bytes()).is_ok() {
            call(action, 0)?;
        }
        remote.finish()
    }

    /// Whether a filter might kill the program for a system call that the tracer has this thread make. So it is taken to
    /// be where that cannot be told.
    pub(super) fn is_confined(&self, tid: i32) -> bool {
        let status = self.proc.status(tid).if_found();
        status.is_none_or(|status| status.is_confined())
    }

    /// Where a system call instruction stands in a process.
    pub(super) fn system_call_in(&mut self, pid: i32) -> Option<u64> {
        let process = self.table.processes.get(&pid)?;
        let space = self.table.spaces.get_mut(&process.space)?;
        let memory = space.memory.clone()?;
        if space.system_call.is_none() {
            space.system_call = find_system_call(pid, &memory, self.arch.system_call());
        }
        space.system_call
    }

    /// Before the last thread of a process is let go: removes what was written for its system calls.
    pub(super) fn remove_stub(&mut self, tid: i32) {
        let Some(pid) = self.table.threads.get(&tid).map(|it| it.pid) else {
            return;
        };
        let Some(process) = self.table.processes.get(&pid) else {
            return;
        };
        let Some(space) = self.table.spaces.get_mut(&process.space) else {
            return;
        };
        if process.threads > 1 || space.users > 1 {
            return;
        }
        let mut bytes = way_back::STUB;
        if let Some((at, memory)) = space.system_call.zip(space.memory.as_ref())
            && memory.read(at, &mut bytes) == bytes.len()
            && bytes == way_back::STUB
            && memory.write(at, &[0; way_back::STUB.len()]).is_ok()
        {
            space.system_call = None;
        }
    }

    /// Whether a SIGTRAP that is about to be delivered is one that the program ignores: one that somebody sent, not
    /// one that the program has caused (that ends it, ignored or not).
    pub(super) fn ignores(&self, thread: &StoppedThread) -> bool {
        let record = self.table.threads.get(&thread.tid());
        let process = record.and_then(|record| self.table.processes.get(&record.pid));
        process.is_some_and(|process| process.sigtrap == Disposition::Ignored)
            && thread.signal_info().is_ok_and(|info| info.code <= 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sigprocmask(2).
    #[test]
    fn masks_change_as_the_manual_says() {
        let other = 1 << (libc::SIGINT - 1);
        let table = [
            (false, libc::SIG_BLOCK, BIT, true),
            (false, libc::SIG_BLOCK, other, false),
            (true, libc::SIG_BLOCK, other, true),
            (true, libc::SIG_UNBLOCK, BIT | other, false),
            (true, libc::SIG_UNBLOCK, other, true),
            (true, libc::SIG_SETMASK, other, false),
            (false, libc::SIG_SETMASK, BIT | other, true),
            (true, 77, 0, true),
        ];
        for (before, how, set, after) in table {
            assert_eq!(
                blocked_after(before, how, set & BIT != 0),
                after,
                "{before} {how} {set:#x}"
            );
        }
        assert_eq!(BIT, 0x10);
    }
}
