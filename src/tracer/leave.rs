//! Leaving: every byte and semaphore is put back, then every thread is stopped once and detached as it was.
//!
//! A thread may have executed a breakpoint that is already gone from memory: its SIGTRAP still waits for it and would
//! kill it. So no thread is let go while such a signal is pending for it.

use super::space::ImageId;
use super::state::Phase;
use super::stopped::StoppedThread;
use super::table::{SpaceId, Thread};
use super::{Tracer, sys};
use crate::process::maps;
use crate::process::status::State;

impl Tracer {
    /// Begins to leave everything that is traced. What has to be waited for is done by the loop.
    pub(super) fn leave(&mut self) {
        if std::mem::replace(&mut self.leaving, true) {
            return;
        }
        let processes: Vec<i32> = self.table.processes.keys().copied().collect();
        for pid in processes {
            self.tell_changed(pid);
            self.restore_process(pid, None);
        }
        // Where the agent is to be removed first, the threads are let go after that.
        let busy = self.withdraw();
        let threads = self.table.threads.iter_mut();
        threads
            .filter(|(_, thread)| !busy.contains(&thread.pid))
            .for_each(ask_to_stop);
    }

    /// Restores and detaches one process; its threads' stops are waited for by the loop.
    pub(super) fn let_go(&mut self, pid: i32) {
        self.tell_changed(pid);
        self.restore_process(pid, None);
        if self.table.threads_of(pid).is_empty() {
            return self.table.remove_process(pid);
        }
        let threads = self.table.threads.iter_mut();
        threads
            .filter(|(_, thread)| thread.pid == pid)
            .for_each(ask_to_stop);
        if let Some(process) = self.table.processes.get_mut(&pid) {
            process.followed = false;
        }
    }

    /// Puts back what was changed in a process's memory. Where that takes all of its threads to stand still they are
    /// stopped, but for `stopped`.
    pub(super) fn restore_process(&mut self, pid: i32, stopped: Option<i32>) {
        let space = self.table.processes.get(&pid).map(|process| process.space);
        let diverted = |id: &SpaceId| {
            let space = self.table.spaces.get(id);
            space.is_some_and(|space| space.diversions.iter().any(|it| !it.mapped.is_empty()))
        };
        match space.filter(diverted) {
            Some(id) => {
                let mut paused = self.pause(id, stopped);
                let ends = self.undivert(id);
                self.restore_bytes(pid);
                self.clear_out(pid, id, &mut paused);
                drop(ends); // what threads recorded on their way out still counts
                self.release(paused);
            }
            None => self.restore_bytes(pid),
        }
    }

    fn restore_bytes(&mut self, pid: i32) {
        let present = self.present(pid);
        let breakpoint = self.arch.breakpoint();
        let Some(process) = self.table.processes.get(&pid) else {
            return;
        };
        let Some(space) = self.table.spaces.get_mut(&process.space) else {
            return;
        };
        if let Some((injection, memory)) = space.injection.as_ref().zip(space.memory.as_ref()) {
            injection.silence(memory);
        }
        let residue = space.restore(breakpoint, present.as_deref());
        space.protected.undone = residue.failed.is_empty();
        if !residue.failed.is_empty() {
            let count = residue.failed.len();
            self.outbox.notice(
                false,
                format!(
                    "process {pid}: {count} changed places in its memory could not be restored"
                ),
            );
        }
    }

    /// Says which sites somebody else has changed while they were armed: what happened there was not seen.
    pub(super) fn tell_changed(&mut self, pid: i32) {
        let process = self.table.processes.get(&pid);
        let Some(space) = process.and_then(|process| self.table.spaces.get(&process.space)) else {
            return;
        };
        let mut changed = space.changed_by_others(self.arch.breakpoint());
        if changed.is_empty() {
            return;
        }
        // The program may have unmapped them meanwhile.
        let present = self.present(pid);
        changed.retain(|(_, image)| present.as_ref().is_some_and(|it| it.contains(image)));
        for (address, image) in changed {
            let path = image.path.display();
            let text = format!(
                "process {pid}: {path}: somebody else has changed the site at {address} while it was traced: its events \
                 may be missing"
            );
            self.outbox.notice(false, text);
        }
    }

    /// The images that are mapped now, if /proc says so.
    fn present(&mut self, pid: i32) -> Option<Vec<ImageId>> {
        let scan = maps::mapped_images(pid, &mut self.cache).ok()?;
        Some(scan.images.iter().map(ImageId::of).collect())
    }

    /// Detaches a stopped thread, unless a breakpoint's signal waits for it: then it is let run into that first.
    pub(super) fn part(&mut self, thread: StoppedThread, signal: i32) {
        let tid = thread.tid();
        if self.calls.contains_key(&tid) || thread.breakpoint_pending() {
            if let Some(record) = self.table.threads.get_mut(&tid) {
                record.phase = Phase::Leaving;
            }
            return thread.resume(signal);
        }
        if let Some(thread) = self.unshield_at_parting(thread, signal) {
            self.remove_stub(tid);
            self.unprotect_at_parting(tid);
            thread.detach(signal);
            self.forget(tid);
        }
    }

    /// When only threads are left that no signal can stop (vfork's parent, a dead file server), they are let go by
    /// the kernel when the tracer ends.
    pub(super) fn give_up_stuck(&mut self) {
        if !self.leaving || self.launched.is_some() || !self.early.is_empty() {
            return;
        }
        let stuck = self.table.threads.iter().all(|(tid, thread)| {
            let stat = self.proc.stat(thread.pid, *tid).ok();
            stat.and_then(|it| it.found())
                .is_none_or(|stat| stat.state == State::DiskSleep)
        });
        if stuck {
            self.table = Default::default();
        }
    }
}

/// Makes a thread stop so that it can be detached. A newborn stops by itself.
pub(super) fn ask_to_stop((tid, thread): (&i32, &mut Thread)) {
    if thread.phase != Phase::Newborn {
        thread.phase = Phase::Leaving;
        let _ = sys::interrupt(*tid); // it may have ended
    }
}
