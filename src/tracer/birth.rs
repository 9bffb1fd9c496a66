//! New threads and processes, and processes that start anew by exec.
//!
//! The kernel attaches a child at its birth; its first stop and its parent's event come in either order. A forked
//! child has a copy of the parent's memory, breakpoints included, so it must be followed or scrubbed before it runs.

use std::sync::Arc;
use std::time::Duration;

use ptpytrace_arch::ArgValue;

use super::sigtrap::Disposition;
use super::space::AddressSpace;
use super::state::Phase;
use super::stopped::StoppedThread;
use super::table::{SpaceId, Table};
use super::wait::{ChildKind, Waited, wait};
use super::{Tracer, monotonic, sys};
use crate::plan::ProcessPoint;
use crate::process::memory::ProcessMemory;
use crate::process::proc::IfFound;

impl Tracer {
    /// The parent's event: notes what the child is.
    pub(super) fn expect_child(&mut self, parent: &StoppedThread, kind: ChildKind) {
        if let Ok(child) = parent.event_message() {
            self.register_child(parent.tid(), child, kind);
        }
    }

    fn register_child(&mut self, parent: i32, child: i32, kind: ChildKind) {
        if self.table.threads.contains_key(&child) {
            return; // found while its process was attached
        }
        let Some(record) = self.table.threads.get(&parent) else {
            return;
        };
        let (pid, blocks_sigtrap) = (record.pid, record.blocks_sigtrap);
        let blocked_faults = record.blocked_faults;
        let returns = record.returns.clone();
        let Some(process) = self.table.processes.get(&pid) else {
            return;
        };
        let (space, followed) = (process.space, process.followed);
        let (sigtrap, shield) = (process.sigtrap, process.shield);
        let faults = process.faults;
        if kind == ChildKind::Clone && self.process_of(child) == Some(pid) {
            self.table.add_thread(child, pid, Phase::Newborn);
        } else {
            let shared = sys::same_address_space(pid, child).unwrap_or(kind == ChildKind::Vfork);
            let followed = followed && self.options.follow;
            self.add_child_process(child, space, shared, followed);
            if let Some(process) = self.table.processes.get_mut(&child) {
                process.sigtrap = sigtrap;
                process.faults = faults;
                process.shield = shield;
            }
            if let Some(thread) = self.table.threads.get_mut(&child) {
                thread.returns = returns; // it returns from where its parent was
            }
            let child = ArgValue::Signed(child.into());
            self.tell(parent, ProcessPoint::Create, &[child]);
        }
        if let Some(thread) = self.table.threads.get_mut(&child) {
            thread.blocks_sigtrap = blocks_sigtrap;
            thread.blocked_faults = blocked_faults;
        }
        if let Some((thread, stop)) = self.early.remove(&child) {
            self.stopped(thread, stop);
        }
    }

    fn add_child_process(&mut self, child: i32, space: SpaceId, shared: bool, followed: bool) {
        let from = self.table.spaces.get(&space).map(|it| it.protected);
        let space = if shared {
            space
        } else {
            let copy = self.table.spaces.get(&space).map(AddressSpace::copy);
            self.table.add_space(copy.unwrap_or_default())
        };
        self.table.add_process(child, space, followed);
        if let Some(from) = from.filter(|_| !shared && self.protection.is_on()) {
            self.open_memory(child);
            self.protect_copy(child, from);
        }
        self.table.add_thread(child, child, Phase::Newborn);
    }

    /// The thread group of a thread; `None` when it can no longer be asked.
    fn process_of(&self, tid: i32) -> Option<i32> {
        let status = self.proc.status(tid).if_found()?;
        Some(status.tgid)
    }

    /// A child's first stop: it has not run yet.
    pub(super) fn welcome(&mut self, thread: StoppedThread, group: bool) {
        let tid = thread.tid();
        self.open_memory(tid);
        self.born(&thread);
        let owner = self.table.processes.get(&tid);
        let wanted = owner.is_none_or(|process| process.followed);
        if self.leaving || !wanted {
            let alone = owner
                .and_then(|process| self.table.spaces.get(&process.space))
                .is_none_or(|space| space.users <= 1);
            // A child that shares its parent's memory can only be let go when nothing is planted there.
            if self.leaving || alone {
                if owner.is_some() {
                    self.restore_process(tid, Some(tid));
                }
                return self.part(thread, 0);
            }
        }
        if alone_in_its_space(&self.table, tid) {
            self.look_through_copy(tid);
        }
        self.unblock_newborn(&thread);
        let process = self.table.processes.get(&tid);
        if process.is_some_and(|process| !process.started) {
            self.tell_start(tid);
        } else {
            self.tell(tid, ProcessPoint::ThreadStart, &[]);
        }
        if group {
            thread.listen()
        } else {
            thread.resume(0)
        }
    }

    /// Opens the memory of a process whose space has none yet.
    pub(super) fn open_memory(&mut self, pid: i32) {
        let Some(process) = self.table.processes.get(&pid) else {
            return;
        };
        if let Some(space) = self.table.spaces.get_mut(&process.space)
            && space.memory.is_none()
        {
            space.memory = ProcessMemory::open(pid).ok().map(Arc::new);
        }
    }

    /// The process runs a new program: its other threads are gone, its memory is new.
    pub(super) fn exec(&mut self, mut thread: StoppedThread) {
        let pid = thread.tid();
        self.exec_took_over(&thread);
        let followed = self
            .table
            .processes
            .get(&pid)
            .is_some_and(|process| process.followed);
        if !followed || self.leaving {
            return self.part(thread, 0);
        }
        self.open_memory(pid);
        self.learn_sigtrap(pid, pid);
        let identity = self.identity(pid);
        if self.matcher.wants_files(&identity) && self.shield_after_exec(&thread).is_err() {
            return;
        }
        self.look_through(pid);
        // The launched program starts here: what went before is the tracer's.
        let process = self.table.processes.get(&pid);
        if process.is_some_and(|process| !process.started) {
            self.tell_start(pid);
        } else {
            self.tell_exec(pid);
        }
        thread.stop_at_system_calls(self.wants_calls(pid));
        thread.resume(0);
    }

    /// The books after an exec: one thread, which has the process's id, and an empty address space.
    pub(super) fn exec_took_over(&mut self, thread: &StoppedThread) {
        let pid = thread.tid();
        self.calls.remove(&pid); // what it was made to call is gone
        for other in self.table.threads_of(pid) {
            if other != pid {
                self.forget(other);
            }
        }
        self.table.renew_space(pid);
        if let Some(record) = self.table.threads.get_mut(&pid) {
            record.comm.1 = 0;
            record.ending = false;
            record.in_call = None;
            record.returns.clear();
            record.last = Default::default();
        }
        if let Some(process) = self.table.processes.get_mut(&pid) {
            process.happenings.clear();
            process.wants_calls = None;
            process.shield = Default::default(); // execve(2)
            process.faults.after_exec();
            if matches!(process.sigtrap, Disposition::Handled(_)) {
                process.sigtrap = Disposition::Default; // execve(2)
            }
        }
    }

    /// A parent was killed between its child's birth and its own event: the child waits for nobody. It is taken in
    /// as what /proc says it is.
    pub(super) fn adopt_orphans(&mut self, dead: i32) {
        let orphans: Vec<i32> = self.early.keys().copied().collect();
        for orphan in orphans {
            let Some(status) = self.proc.status(orphan).if_found() else {
                continue;
            };
            let known = |pid: i32| self.table.processes.get(&pid);
            if status.tgid != orphan && known(status.tgid).is_some() {
                self.table.add_thread(orphan, status.tgid, Phase::Newborn);
            } else if status.ppid != dead && known(status.ppid).is_some() {
                continue; // the parent lives: its event is still to come
            } else {
                self.adopt(orphan);
            }
            if let Some((thread, stop)) = self.early.remove(&orphan) {
                self.stopped(thread, stop);
            }
        }
    }

    /// What is seen of a child of which nothing is known, as its parent was killed: it may still come when nothing is
    /// traced any more.
    pub(super) fn late_child(&self) -> Option<Waited> {
        loop {
            match wait(false) {
                Waited::Interrupted if monotonic() < self.children_until => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                Waited::Interrupted | Waited::NoChildren => return None,
                news => return Some(news),
            }
        }
    }

    /// A new process that stops only when its parent has been killed already, before its event: it waits for nobody.
    pub(super) fn adopt_if_orphan(&mut self, child: i32) {
        let Some(status) = self.proc.status(child).if_found() else {
            return;
        };
        if status.tgid == child && !self.table.processes.contains_key(&status.ppid) {
            self.adopt(child);
            if let Some((thread, stop)) = self.early.remove(&child) {
                self.stopped(thread, stop);
            }
        }
    }

    /// Takes in a process whose parent is not known any more: by what is planted in its memory.
    fn adopt(&mut self, orphan: i32) {
        let memory = ProcessMemory::open(orphan).ok().map(Arc::new);
        let breakpoint = self.arch.breakpoint();
        let twin = memory.as_ref().and_then(|memory| {
            let mut spaces = self.table.spaces.values().chain(&self.table.left_behind);
            spaces.find(|space| space.is_planted_in(memory, breakpoint))
        });
        let from = twin.map(|twin| twin.protected);
        let mut space = twin.map(AddressSpace::copy).unwrap_or_default();
        space.memory = memory;
        let space = self.table.add_space(space);
        self.table.add_process(orphan, space, self.options.follow);
        if let Some(from) = from {
            self.protect_copy(orphan, from);
        }
        self.table.add_thread(orphan, orphan, Phase::Newborn);
    }
}

/// Whether this is a process that shares its memory with no other.
fn alone_in_its_space(table: &Table, pid: i32) -> bool {
    let process = table.processes.get(&pid);
    let space = process.and_then(|process| table.spaces.get(&process.space));
    space.is_some_and(|space| space.users <= 1)
}
