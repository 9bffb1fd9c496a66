//! A stopped thread is a type: what ptrace(2) allows only while a thread is stopped is a method here, and whatever
//! sets it running takes the value away.

use nix::errno::Errno;
use ptpytrace_arch::{Arch, Registers};

use super::sys::{self, SignalInfo, SystemCall};
use super::wait::Stop;

/// The thread is no longer there: it was killed while it was stopped. Its end will be reported by waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A tracee in a ptrace-stop. Only [`super::wait`] makes one.
#[derive(Debug)]
pub struct StoppedThread {
    tid: i32,
    /// It is to stop at its next system call.
    to_system_call: bool,
}

impl StoppedThread {
    pub(super) fn new(tid: i32) -> StoppedThread {
        StoppedThread {
            tid,
            to_system_call: false,
        }
    }

    /// Which thread.
    pub fn tid(&self) -> i32 {
        self.tid
    }

    /// Whether resuming lets it run only to its next system call.
    pub fn stop_at_system_calls(&mut self, stop: bool) {
        self.to_system_call = stop;
    }

    /// Sets it running; `signal` (0 for none) is delivered to it. That it is gone is no error.
    pub fn resume(self, signal: i32) {
        // ESRCH: killed meanwhile; its end is reported.
        let _ = match self.to_system_call {
            true => sys::to_system_call(self.taken(), signal),
            false => sys::cont(self.taken(), signal),
        };
    }

    /// Leaves it in its group-stop; news of it will come.
    pub fn listen(self) {
        let _ = sys::listen(self.taken());
    }

    /// Ends the tracing of it; `signal` (0 for none) is delivered. A thread in a group-stop stays in it.
    pub fn detach(self, signal: i32) {
        let _ = sys::detach(self.taken(), signal);
    }

    /// The thread id; dropping does nothing any more.
    fn taken(self) -> i32 {
        let tid = self.tid;
        std::mem::forget(self);
        tid
    }

    /// Reads the general registers; gives the register set's size in bytes.
    pub fn registers(&self, into: &mut Registers) -> Result<usize, Gone> {
        sys::get_registers(self.tid, into).map_err(gone)
    }

    /// Writes them back, as many bytes as reading gave.
    pub fn set_registers(&self, registers: &Registers, bytes: usize) -> Result<(), Gone> {
        sys::set_registers(self.tid, registers, bytes).map_err(gone)
    }

    /// Adds the vector registers to what was read.
    pub fn vector(&self, into: &mut Registers) -> Result<(), Gone> {
        into.vector = Some(sys::get_vector(self.tid).map_err(gone)?);
        Ok(())
    }

    /// The new thread's or process's id after a child event, the former thread id after an exec.
    pub fn event_message(&self) -> Result<i32, Gone> {
        let message = sys::event_message(self.tid).map_err(gone)?;
        i32::try_from(message).map_err(|_| Gone)
    }

    /// What an exit event says: the status as wait(2) gives it.
    pub fn exit_status(&self) -> Result<i32, Gone> {
        let message = sys::event_message(self.tid).map_err(gone)?;
        i32::try_from(message).map_err(|_| Gone)
    }

    /// The system call that it begins or ends.
    pub fn system_call(&self) -> Result<SystemCall, Gone> {
        sys::system_call(self.tid).map_err(gone)
    }

    /// Before a thread with these registers is sent elsewhere: where it stands behind a breakpoint, and has not been moved before, a note in its
    /// signal says so for the shield ([`crate::fastpath::guard::shield::Moved`]). Should the tracer be killed before the
    /// thread runs, it would be taken for one that stands behind a breakpoint there.
    pub fn note_departure(&self, arch: &dyn Arch, registers: &Registers) {
        let word = |index: usize| registers.general.get(index).copied().unwrap_or(0);
        let (pc, sp) = (word(arch.pc_index()), word(arch.sp_index()));
        if sys::note_of_breakpoint_signal(self.tid) == Some([0, 0]) {
            let _ = sys::note_in_breakpoint_signal(self.tid, [pc, sp]); // it may have been killed
        }
    }

    /// The signal about to be delivered.
    pub fn signal_info(&self) -> Result<SignalInfo, Gone> {
        sys::signal_info(self.tid).map_err(gone)
    }

    /// Whether it is about to make a system call, or is gone.
    pub fn begins_system_call(&self) -> bool {
        !matches!(
            self.system_call(),
            Ok(SystemCall::Other | SystemCall::Return(_))
        )
    }

    /// Whether it is in the midst of a system call, so that its registers cannot be exchanged for a while: the kernel is
    /// still to put the result there. So it is before the call, and when it has just made a child or calls exec.
    pub fn is_within_system_call(&self) -> bool {
        const EVENTS: [i32; 5] = [
            libc::PTRACE_EVENT_FORK,
            libc::PTRACE_EVENT_VFORK,
            libc::PTRACE_EVENT_CLONE,
            libc::PTRACE_EVENT_EXEC,
            libc::PTRACE_EVENT_EXIT,
        ];
        // ptrace(2): the signal's code holds the event.
        let event = self.signal_info().map_or(0, |info| info.code >> 8);
        EVENTS.contains(&event) || self.begins_system_call()
    }

    /// Lets a thread that has called exec come back from that call. [`Stop::SystemCall`] then, or its end.
    pub fn finish_exec(&self) -> Result<Stop, Gone> {
        sys::to_system_call(self.tid, 0).map_err(gone)?;
        sys::wait_one(self.tid).map(Stop::from_status).map_err(gone)
    }

    /// Whether a breakpoint's SIGTRAP waits for this thread: it has executed the breakpoint, but stopped for another
    /// reason first.
    pub fn breakpoint_pending(&self) -> bool {
        sys::pending_signals(self.tid).is_ok_and(|pending| {
            pending
                .iter()
                .any(|info| info.signal == libc::SIGTRAP && info.code > 0)
        })
    }
}

/// A backstop for internal errors: nobody else would ever set it running again.
impl Drop for StoppedThread {
    fn drop(&mut self) {
        let _ = sys::cont(self.tid, 0);
    }
}

fn gone(_: Errno) -> Gone {
    Gone
}
