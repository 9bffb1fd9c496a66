//! What the guard is told, so that it can undo everything when the tracer is killed ([`crate::fastpath::guard`]).
//!
//! Each change of a process's memory is told before it is made; that it was undone only for whole address spaces: what
//! does not stand there any more the guard leaves alone.

use super::Tracer;
use super::space::AddressSpace;
use super::table::Table;
use crate::fastpath::guard::{Guard, MAX_BYTES, Undo};

/// So many address spaces are gone before the guard is told.
const BATCH: usize = 32;

/// What the guard knows of an address space.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protected {
    /// What the guard calls it.
    pub key: u64,
    /// The guard has been told of it.
    watched: bool,
    /// Where the shield lies.
    pub shield: Option<u64>,
    /// No shield can be mapped.
    pub exposed: bool,
    /// Everything has been put back, for good.
    pub undone: bool,
}

impl Protected {
    /// That of a forked child's copy, of which the guard does not know yet.
    pub fn copy(self) -> Protected {
        Protected {
            watched: false,
            undone: false,
            ..self
        }
    }
}

/// The line to the guard, if there is one.
#[derive(Debug, Default)]
pub struct Protection {
    guard: Option<Guard>,
    /// The guard is gone.
    broken: bool,
}

impl Protection {
    /// Whether there is a guard.
    pub fn is_on(&self) -> bool {
        self.guard.is_some()
    }

    /// These changes are about to be made. To be called before each is.
    pub fn changing(&mut self, space: &mut AddressSpace, undos: &[Undo]) {
        let (Some(guard), Some(memory)) = (&self.guard, &space.memory) else {
            return;
        };
        let mut told = Ok(());
        if !space.protected.watched {
            space.protected.watched = true;
            told = guard.watch(space.protected.key, memory.pid(), memory.as_ref());
            if let (Ok(()), Some(address)) = (&told, space.protected.shield) {
                told = guard.changing(space.protected.key, &[Undo::Shield { address }]);
            }
        }
        let told = told.and_then(|()| guard.changing(space.protected.key, undos));
        self.check(told);
    }

    /// A process was forked: its memory is a copy of that of another address space.
    pub fn copied(&mut self, from: Protected, space: &mut AddressSpace) {
        let (Some(guard), Some(memory)) = (&self.guard, &space.memory) else {
            return;
        };
        if !from.watched {
            return;
        }
        space.protected.watched = true;
        let told = guard.watch_copy(from.key, space.protected.key, memory.pid(), memory.as_ref());
        self.check(told);
    }

    /// All changes of an address space have been undone, and nobody is under way on the tracer's behalf there.
    fn undone(&mut self, space: &mut AddressSpace) {
        if let Some(guard) = &self.guard
            && std::mem::take(&mut space.protected.watched)
        {
            let told = guard.forget(&[space.protected.key]);
            self.check(told);
        }
    }

    /// Address spaces that nobody lives in any more.
    fn gone(&mut self, keys: &[u64]) {
        if let Some(guard) = &self.guard {
            let told = guard.forget(keys);
            self.check(told);
        }
    }

    fn check(&mut self, told: std::io::Result<()>) {
        if told.is_err() && self.guard.take().is_some() {
            self.broken = true;
        }
    }

    /// Whether the guard has been lost since this was asked last.
    fn has_broken(&mut self) -> bool {
        std::mem::take(&mut self.broken)
    }

    /// The tracer ends: with everything undone, or not.
    pub fn end(&mut self, undone: bool) {
        match self.guard.take() {
            Some(guard) if !undone => guard.leave_it_to_the_guard(),
            // Where it takes too long nobody is to wait.
            guard => drop(guard),
        }
    }
}

impl Tracer {
    /// Has a guard, started before any thread was, undo everything should this program be killed.
    pub fn set_guard(&mut self, guard: Guard) {
        self.protection.guard = Some(guard);
    }

    /// Bytes of code are about to be written. To be called before they are: at most [`MAX_BYTES`], the new ones as many as
    /// the old ones.
    pub(super) fn protect_code(
        &mut self,
        space: &mut AddressSpace,
        address: u64,
        (new, old): (&[u8], &[u8]),
    ) {
        debug_assert!(new.len() == old.len() && new.len() <= MAX_BYTES);
        if self.protection.is_on() {
            let undo = Undo::Code {
                address,
                new: new.to_vec(),
                old: old.to_vec(),
            };
            self.protection.changing(space, &[undo]);
        }
    }

    /// A process has a copy of another's memory, `from`: so tells the guard.
    pub(super) fn protect_copy(&mut self, pid: i32, from: Protected) {
        let process = self.table.processes.get(&pid);
        if let Some(space) = process.and_then(|it| self.table.spaces.get_mut(&it.space)) {
            self.protection.copied(from, space);
        }
    }

    /// Before a process is let go with its last thread: the guard need not watch over it any longer. Until then a thread
    /// may be at a breakpoint that is gone already, or on its way back from a call.
    pub(super) fn unprotect_at_parting(&mut self, tid: i32) {
        let pid = self.table.threads.get(&tid).map_or(0, |it| it.pid);
        let process = self.table.processes.get(&pid);
        if let Some(process) = process.filter(|it| it.threads <= 1)
            && let Some(space) = self.table.spaces.get_mut(&process.space)
            && space.protected.undone
            && space.users <= 1
        {
            self.protection.undone(space);
        }
    }

    /// Tells the guard now and then which address spaces are gone, and the person when the guard is.
    pub(super) fn tell_guard(&mut self) {
        let Table { released, .. } = &mut self.table;
        if released.len() >= BATCH {
            let keys = std::mem::take(released);
            self.protection.gone(&keys);
        }
        if self.protection.has_broken() {
            let text = "the guard process has ended: should this tracer be killed, so may be what it traces";
            self.outbox.notice(false, text.to_owned());
        }
    }
}
