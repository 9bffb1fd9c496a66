//! What the kernel does for a fault of a recorder does not show: where a thread blocks or ignores SIGSEGV or SIGBUS, the
//! kernel unblocks the signal and gives it its default disposition before the tracer hears of the fault (force_sig of
//! the kernel, as for a breakpoint: `sigtrap`). So it is kept in mind what threads block and processes want, and put
//! back.

use super::Tracer;
use super::sigtrap::{Disposition, blocked_after};
use super::stopped::{Gone, StoppedThread};
use super::sys;
use super::table::Table;
use crate::process::status::Status;

/// The signals of faults.
const SIGNALS: [i32; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// The bit of a signal in a mask.
pub(super) fn bit(signal: i32) -> u64 {
    1 << signal.saturating_sub(1)
}

/// What a process wants done about the signals of faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultDispositions([Disposition; SIGNALS.len()]);

impl FaultDispositions {
    fn get_mut(&mut self, signal: i32) -> Option<&mut Disposition> {
        let index = SIGNALS.iter().position(|it| *it == signal)?;
        self.0.get_mut(index)
    }

    /// What is left of them after execve(2).
    pub fn after_exec(&mut self) {
        for disposition in &mut self.0 {
            if matches!(disposition, Disposition::Handled(_)) {
                *disposition = Disposition::Default;
            }
        }
    }

    /// The program sets the disposition of a signal: that of a fault is noted.
    pub fn set(&mut self, signal: i32, handler: u64) {
        if let Some(disposition) = self.get_mut(signal) {
            *disposition = Disposition::of_handler(handler);
        }
    }
}

/// Which of these signals are blocked after a change of the mask (`how` of sigprocmask(2)).
pub fn blocked_faults_after(before: u64, how: i32, set: u64) -> u64 {
    let after = SIGNALS.into_iter().map(bit).filter(|bit| {
        let (before, named) = (before & bit != 0, set & bit != 0);
        blocked_after(before, how, named)
    });
    after.fold(0, |all, bit| all | bit)
}

impl Table {
    /// Notes what /proc says of a thread and its process.
    pub(super) fn learn_faults(&mut self, pid: i32, tid: i32, status: &Status) {
        for signal in SIGNALS {
            if let Some(thread) = self.threads.get_mut(&tid)
                && status.blocked.contains(signal)
            {
                thread.blocked_faults |= bit(signal);
            }
            let process = self.processes.get_mut(&pid);
            if let Some(disposition) = process.and_then(|it| it.faults.get_mut(signal)) {
                *disposition = match () {
                    () if status.ignored.contains(signal) => Disposition::Ignored,
                    () if status.caught.contains(signal) => Disposition::Handled(None),
                    () => Disposition::Default,
                };
            }
        }
    }
}

impl Tracer {
    /// A thread has stopped for a fault of a recorder, which it does not get: puts back what the kernel has reset.
    ///
    /// # Errors
    /// The thread has ended.
    pub(super) fn repair_fault(&mut self, thread: &StoppedThread, signal: i32) -> Result<(), Gone> {
        let Some(record) = self.table.threads.get(&thread.tid()) else {
            return Ok(());
        };
        let blocked = record.blocked_faults & bit(signal) != 0;
        let process = self.table.processes.get_mut(&record.pid);
        let wanted = process.and_then(|it| it.faults.get_mut(signal).copied());
        if let Some(handler) = wanted.and_then(|it| it.lost_at_a_hit(blocked)) {
            let result = self.restore_handler(thread, signal, handler);
            self.survived(thread, result)?;
        }
        if blocked && let Ok(mask) = sys::get_signal_mask(thread.tid()) {
            // It fails only when the thread has been killed.
            let _ = sys::set_signal_mask(thread.tid(), mask | bit(signal));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_is_blocked_for_itself() {
        let (segv, bus) = (bit(libc::SIGSEGV), bit(libc::SIGBUS));
        assert_eq!(blocked_faults_after(0, libc::SIG_BLOCK, segv | 1), segv);
        assert_eq!(blocked_faults_after(segv, libc::SIG_BLOCK, bus), segv | bus);
        assert_eq!(
            blocked_faults_after(segv | bus, libc::SIG_UNBLOCK, segv),
            bus
        );
        assert_eq!(blocked_faults_after(segv, libc::SIG_SETMASK, bus), bus);
        assert_eq!(
            blocked_faults_after(segv, libc::SIG_SETMASK, u64::MAX),
            segv | bus
        );
    }

    #[test]
    fn exec_keeps_what_is_ignored() {
        let mut dispositions = FaultDispositions::default();
        dispositions.set(libc::SIGSEGV, libc::SIG_IGN as u64);
        dispositions.set(libc::SIGBUS, 0x1234);
        dispositions.set(libc::SIGINT, 0x1234);
        dispositions.after_exec();
        assert_eq!(dispositions.0, [Disposition::Ignored, Disposition::Default]);
    }
}
