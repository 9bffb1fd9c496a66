//! A child of vfork(2) or posix_spawn(3) lives in its parent's memory until it runs a program of its own, and its parent
//! waits for that. What is changed in the memory concerns both: a breakpoint that the one who is not traced runs into
//! would kill it. So the parent is attached together with such a child, and the child never without its parent.

use super::table::SpaceId;
use super::{Tracer, sys};
use crate::process::proc::IfFound;
use crate::process::status::State;

impl Tracer {
    /// The parent in whose memory a process lives.
    pub(super) fn lender_to(&self, pid: i32) -> Option<i32> {
        let parent = self.proc.status(pid).if_found()?.ppid;
        (sys::same_address_space(pid, parent) == Some(true)).then_some(parent)
    }

    /// Attaches the children that live in the memory of a process that was just attached.
    pub(super) fn hold_borrowers(&mut self, pid: i32, space: SpaceId) {
        let waits = |tid: &i32| {
            // A parent in vfork sleeps so that no signal wakes it.
            let stat = self.proc.stat(pid, *tid).if_found();
            stat.is_some_and(|stat| stat.state == State::DiskSleep)
        };
        if !self.table.threads_of(pid).iter().any(waits) {
            return;
        }
        for child in self.proc.processes().unwrap_or_default() {
            if self.table.processes.contains_key(&child) || self.lender_to(child) != Some(pid) {
                continue;
            }
            self.table.add_process(child, space, self.options.follow);
            let seized = self.seize_threads(child);
            // From here on its exec is reported; before that it was not.
            if seized.is_err() || self.lender_to(child) != Some(pid) {
                self.let_go(child); // nothing has been changed yet
            }
        }
    }
}
