//! The shield ([`crate::fastpath::guard::shield`]) in a traced process: a handler for SIGTRAP, for the time after the
//! tracer's death.
//!
//! It is raised where SIGTRAP has its default disposition, before anything is planted where that is possible, by system
//! calls that a stopped thread is made to make; where those may be watched (seccomp), not at all. The program is not to
//! meet it: where it asks for its disposition by the C library's functions it is told the default, and before it sets
//! one the shield is lowered, and before it gets a SIGTRAP of somebody else's; the shield is raised again at a later
//! breakpoint if SIGTRAP still has its default then. The kernel lowers it, too, where a thread that blocks SIGTRAP runs
//! into a breakpoint. Its page stays in the process for ever.

mod unseen;

use std::time::Duration;

use ptpytrace_arch::{Arch, ReadMemory, X86_64};

use super::remote::{Remote, RemoteError};
use super::sigtrap::Disposition;
use super::stopped::{Gone, StoppedThread};
use super::table::Process;
use super::wait::Stop;
use super::{Tracer, monotonic, sys};
use crate::fastpath::guard::Undo;
use crate::fastpath::guard::shield::{ACTION, DEFAULT, LENGTH, Moved, OVER, SET_SIZE, Shield};
use crate::process::maps;
use crate::process::memory::ProcessMemory;

/// A shield that was lowered is not raised again before that time (ns): a program may lower it often.
const AGAIN: u64 = 10_000_000;
/// So many pages are searched for a former tracer's shield.
const MOST_PAGES: usize = 4096;

/// How often it is looked whether another tracer's guard is done, and how long it is slept in between. A guard that was
/// killed, too, never is.
const GUARD_LOOKS: u32 = 2000;
const LOOK: Duration = Duration::from_millis(1);

/// The shield of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shielding {
    /// It is raised, as far as is known.
    pub up: bool,
    /// When (CLOCK_MONOTONIC, ns) it was raised.
    raised: u64,
    /// The set of signals that was used last.
    set: u64,
}

/// The disposition of SIGTRAP before it was replaced.
struct Before {
    handler: u64,
    /// Where the program's stack holds the whole of it.
    at: u64,
}

impl Before {
    fn put_back(&self, remote: &Remote<'_>) -> Result<(), RemoteError> {
        let arguments = [libc::SIGTRAP as u64, self.at, 0, SET_SIZE];
        remote.call(libc::SYS_rt_sigaction, &arguments).map(drop)
    }
}

/// Sets the disposition of SIGTRAP to the `struct sigaction` at `new`; `None` when that failed.
fn replace(
    remote: &Remote<'_>,
    memory: &ProcessMemory,
    new: u64,
) -> Result<Option<Before>, RemoteError> {
    // Below the red zone; what lies there is nobody's.
    let at = remote.stack_pointer().wrapping_sub(1024) & !15;
    let arguments = [libc::SIGTRAP as u64, new, at, SET_SIZE];
    let result = remote.call(libc::SYS_rt_sigaction, &arguments)?;
    let mut handler = [0; 8];
    let read = memory.read(at, &mut handler);
    let handler = u64::from_ne_bytes(handler);
    Ok((result == 0 && read == 8).then_some(Before { handler, at }))
}

/// A shield that is up is that of a tracer which was killed just now: waits until its guard has undone everything. When
/// this tracer lowers the shield, no breakpoint of the other may be left.
fn await_guard(place: u64, memory: &ProcessMemory) {
    for _ in 0..GUARD_LOOKS {
        // It cannot be read when the process is gone.
        if memory.holds(place.wrapping_add(OVER), &[0]) != Some(true) {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

impl Tracer {
    /// Raises the shield of a stopped thread's process if it is wanted and not up. The thread must not be stopped for a
    /// signal that it is to get.
    ///
    /// # Errors
    /// The thread has ended.
    pub(super) fn shield(&mut self, thread: &StoppedThread) -> Result<(), Gone> {
        match self.shield_is_due(thread.tid()) {
            Some(pid) => {
                let result = self.raise_shield(thread, pid);
                self.survived(thread, result)
            }
            None => Ok(()),
        }
    }

    /// As [`Tracer::shield`], for a process that has just called exec: before that call has returned the thread can make
    /// no other.
    ///
    /// # Errors
    /// The thread has ended.
    pub(super) fn shield_after_exec(&mut self, thread: &StoppedThread) -> Result<(), Gone> {
        if self.shield_is_due(thread.tid()).is_none() {
            return Ok(());
        }
        match thread.finish_exec()? {
            stop @ (Stop::Exited(_) | Stop::Killed(_)) => {
                self.survived(thread, Err(RemoteError::Ended(stop)))
            }
            _ => self.shield(thread),
        }
    }

    /// Whether a thread's process has no shield and can have one; gives the process.
    fn shield_is_due(&self, tid: i32) -> Option<i32> {
        let thread = self.table.threads.get(&tid)?;
        let process = self.lacks_shield(thread.pid)?;
        let shield = process.shield;
        let early = shield.raised != 0 && monotonic() < shield.raised.saturating_add(AGAIN);
        (!early && !thread.blocks_sigtrap).then_some(thread.pid)
    }

    /// A process that has no shield and is to have one.
    pub(super) fn lacks_shield(&self, pid: i32) -> Option<&Process> {
        if !self.protection.is_on() || super::HOST_MACHINE != X86_64.elf_machine() {
            return None;
        }
        let process = self.table.processes.get(&pid)?;
        let space = self.table.spaces.get(&process.space)?;
        let possible = !space.protected.exposed && space.memory.is_some() && process.followed;
        let wanted = !process.shield.up && process.sigtrap == Disposition::Default;
        (possible && wanted && !self.leaving).then_some(process)
    }

    fn raise_shield(&mut self, thread: &StoppedThread, pid: i32) -> Result<(), RemoteError> {
        let Some((at, memory)) = self.way_in(thread, pid) else {
            self.expose(pid);
            return Ok(());
        };
        let remote = Remote::begin(thread, self.arch, at)?;
        let place = match self.shield_of(pid) {
            Some(place) => Some(place),
            None => {
                let protection = (libc::PROT_READ | libc::PROT_EXEC) as u64;
                let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
                let arguments = [0, LENGTH as u64, protection, flags, u64::MAX, 0];
                let mapped = remote.call(libc::SYS_mmap, &arguments)?;
                u64::try_from(mapped).ok()
            }
        };
        let written = place.filter(|place| self.write_shield(pid, *place, &memory));
        let before = match written {
            Some(place) => replace(&remote, &memory, place.wrapping_add(ACTION))?,
            None => None,
        };
        let mut up = before.is_some();
        if let (Some(own), Some(place)) = (before.as_ref(), written)
            && own.handler != place
            && own.handler != libc::SIG_DFL as u64
        {
            own.put_back(&remote)?; // it has set its own by a way that is not watched
            if let Some(process) = self.table.processes.get_mut(&pid) {
                process.sigtrap = Disposition::of_handler(own.handler);
            }
            up = false;
        }
        remote.finish()?;
        if !up {
            self.expose(pid);
        }
        if let Some(process) = self.table.processes.get_mut(&pid) {
            let raised = monotonic();
            process.shield = Shielding {
                up,
                raised,
                ..process.shield
            };
        }
        Ok(())
    }

    /// Where a thread may make system calls for us; `None` where a filter might kill the program for it.
    fn way_in(
        &mut self,
        thread: &StoppedThread,
        pid: i32,
    ) -> Option<(u64, std::sync::Arc<ProcessMemory>)> {
        if self.is_confined(thread.tid()) || thread.is_within_system_call() {
            return None;
        }
        let at = self.system_call_in(pid)?;
        let space = self.table.processes.get(&pid)?.space;
        let memory = self.table.spaces.get(&space)?.memory.clone()?;
        Some((at, memory))
    }

    fn shield_of(&self, pid: i32) -> Option<u64> {
        let space = self.table.processes.get(&pid)?.space;
        self.table.spaces.get(&space)?.protected.shield
    }

    /// No shield is tried there any more.
    fn expose(&mut self, pid: i32) {
        let process = self.table.processes.get(&pid);
        if let Some(space) = process.and_then(|it| self.table.spaces.get_mut(&it.space)) {
            space.protected.exposed = true;
        }
    }

    /// Writes the page, and tells the guard of it.
    fn write_shield(&mut self, pid: i32, place: u64, memory: &ProcessMemory) -> bool {
        let Ok(shield) = Shield::assemble(place) else {
            return false;
        };
        let process = self.table.processes.get(&pid);
        let Some(space) = process.and_then(|it| self.table.spaces.get_mut(&it.space)) else {
            return false;
        };
        space.protected.shield = Some(place);
        let undo = Undo::Shield { address: place };
        self.protection.changing(space, &[undo]);
        // One that was found may have been told that all is over.
        memory.write(place, &shield.page).is_ok()
    }

    /// Lowers the shield of a stopped thread's process, if it is up: SIGTRAP has its default disposition again. As for
    /// [`Tracer::shield`], the thread must not be stopped for a signal that it is to get.
    ///
    /// # Errors
    /// The thread has ended.
    pub(super) fn unshield(&mut self, thread: &StoppedThread) -> Result<(), Gone> {
        let Some(pid) = self.table.threads.get(&thread.tid()).map(|it| it.pid) else {
            return Ok(());
        };
        if !self.is_shielded(pid) {
            return Ok(());
        }
        let result = self.lower_shield(thread, pid);
        self.survived(thread, result)
    }

    fn lower_shield(&mut self, thread: &StoppedThread, pid: i32) -> Result<(), RemoteError> {
        let (Some(place), Some((at, memory))) = (self.shield_of(pid), self.way_in(thread, pid))
        else {
            return Ok(()); // its handler is as good as the default
        };
        let remote = Remote::begin(thread, self.arch, at)?;
        let before = replace(&remote, &memory, place.wrapping_add(DEFAULT))?;
        if let Some(own) = before.filter(|before| before.handler != place) {
            own.put_back(&remote)?;
        }
        remote.finish()?;
        if let Some(process) = self.table.processes.get_mut(&pid) {
            process.shield.up = false;
        }
        Ok(())
    }

    /// Whether a process's shield is up.
    pub(super) fn is_shielded(&self, pid: i32) -> bool {
        let process = self.table.processes.get(&pid);
        process.is_some_and(|process| process.shield.up)
    }

    /// The thread, stopped at a breakpoint, is about to be moved: so says a note for the shield. `pc` and `sp` are those of
    /// the stop.
    pub(super) fn note_move(&self, thread: &StoppedThread, pc: u64, sp: u64) {
        let record = self.table.threads.get(&thread.tid());
        if record.is_some_and(|record| self.is_shielded(record.pid)) {
            let Moved { pc, sp } = Moved { pc, sp };
            let _ = sys::note_in_breakpoint_signal(thread.tid(), [pc, sp]); // it may have been killed
        }
    }

    /// Looks for a shield that a former tracer has left. Where SIGTRAP has a handler that may be the shield's: so it
    /// looks when it is raised.
    pub(super) fn find_shield(&mut self, pid: i32) {
        let process = self.table.processes.get(&pid);
        let Some(space) = process.and_then(|it| self.table.spaces.get_mut(&it.space)) else {
            return;
        };
        let Some(memory) = space.memory.clone() else {
            return;
        };
        let mappings = maps::read(pid).unwrap_or_default();
        let ours = mappings
            .iter()
            .filter(|it| it.executable && !it.writable && it.path.is_none());
        // The kernel makes one mapping of several that adjoin.
        let pages = ours.flat_map(|it| (it.start.0..it.end.0).step_by(LENGTH));
        let is_shield = |at: &u64| {
            let mut page = vec![0; LENGTH];
            memory.read(*at, &mut page) == LENGTH && Shield::is_at(*at, &page)
        };
        space.protected.shield = pages.take(MOST_PAGES).find(is_shield);
        if let Some(place) = space.protected.shield
            && self.is_handled(pid)
        {
            await_guard(place, &memory);
        }
    }

    /// A handler of SIGTRAP in a process that has such a shield is taken to be that.
    pub(super) fn know_shield(&mut self, pid: i32) {
        if self.shield_of(pid).is_some()
            && self.is_handled(pid)
            && let Some(process) = self.table.processes.get_mut(&pid)
        {
            process.sigtrap = Disposition::Default;
        }
    }

    fn is_handled(&self, pid: i32) -> bool {
        let process = self.table.processes.get(&pid);
        process.is_some_and(|it| it.sigtrap == Disposition::Handled(None))
    }

    /// Before a process is let go with its last thread: lowers its shield. `None` when the thread has been set running,
    /// to be let go at its next stop, or has ended.
    pub(super) fn unshield_at_parting(
        &mut self,
        mut thread: StoppedThread,
        signal: i32,
    ) -> Option<StoppedThread> {
        let tid = thread.tid();
        let pid = self.table.threads.get(&tid).map_or(0, |it| it.pid);
        let process = self.table.processes.get(&pid);
        if !process.is_some_and(|it| it.shield.up && it.threads <= 1) {
            return Some(thread);
        }
        if signal != 0 || thread.is_within_system_call() {
            if let Some(record) = self.table.threads.get_mut(&tid) {
                record.phase = super::state::Phase::Leaving;
            }
            let _ = sys::interrupt(tid); // it may have been killed
            thread.stop_at_system_calls(false);
            thread.resume(signal);
            return None;
        }
        self.unshield(&thread).is_ok().then_some(thread)
    }
}
