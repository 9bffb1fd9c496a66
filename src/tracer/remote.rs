//! System calls made by a stopped thread on the tracer's behalf.
//!
//! The thread may have been stopped in the middle of a system call of its own, which the kernel is going to restart:
//! so afterwards it is stopped once more by PTRACE_INTERRUPT, and its registers are put back in that stop, from which
//! the kernel looks at restarting again. All signals are blocked meanwhile, so none is delivered with the wrong
//! registers.

use std::cell::Cell;

use nix::sys::ptrace::syscall_info;
use nix::unistd::Pid;
use ptpytrace_arch::{Arch, Registers};

use super::stopped::{Gone, StoppedThread};
use super::wait::Stop;
use super::way_back;
use super::{Tracer, sys};

/// PTRACE_GET_SYSCALL_INFO's answer at the end of a system call.
const AT_EXIT: u8 = libc::PTRACE_SYSCALL_INFO_EXIT;

/// A stopped thread that makes system calls.
#[derive(Debug)]
pub struct Remote<'a> {
    thread: &'a StoppedThread,
    arch: &'static dyn Arch,
    /// Where a system call instruction stands in the process.
    at: u64,
    saved: Registers,
    bytes: usize,
    mask: u64,
    /// The stack pointer meanwhile.
    stack: Option<u64>,
    /// A signal that stops, of which it was told meanwhile: no mask keeps SIGSTOP off.
    stopped_by: Cell<Option<i32>>,
}

/// Why it did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteError {
    /// The thread ended, in this way: nobody else will report it.
    Ended(Stop),
    /// It was killed; its end will be reported.
    Gone,
}

impl From<Gone> for RemoteError {
    fn from(_: Gone) -> RemoteError {
        RemoteError::Gone
    }
}

impl Tracer {
    /// Takes note of the end of a thread that was to make system calls, which nobody else reports.
    pub(super) fn survived<T>(
        &mut self,
        thread: &StoppedThread,
        result: Result<T, RemoteError>,
    ) -> Result<T, Gone> {
        result.map_err(|error| {
            if let RemoteError::Ended(stop) = error {
                self.ended(thread.tid(), stop);
            }
            Gone
        })
    }
}

impl<'a> Remote<'a> {
    /// Prepares the thread. [`Remote::finish`] must follow.
    pub fn begin(
        thread: &'a StoppedThread,
        arch: &'static dyn Arch,
        at: u64,
    ) -> Result<Remote<'a>, RemoteError> {
        let mut saved = Registers::default();
        let bytes = thread.registers(&mut saved)?;
        let mask = sys::get_signal_mask(thread.tid()).map_err(|_| RemoteError::Gone)?;
        let stack = way_back::prepare(thread, &saved, mask, at);
        if let Some(stack) = stack {
            // From here on it would find back with its own mask.
            thread.note_departure(arch, &saved);
            let registers = way_back::departure(&saved, at, stack);
            thread.set_registers(&registers, bytes)?;
        }
        sys::set_signal_mask(thread.tid(), u64::MAX).map_err(|_| RemoteError::Gone)?;
        Ok(Remote {
            thread,
            arch,
            at,
            saved,
            bytes,
            mask,
            stack,
            stopped_by: Cell::new(None),
        })
    }

    /// The stack pointer of the thread meanwhile. What lies more than 128 bytes below it is nobody's.
    pub fn stack_pointer(&self) -> u64 {
        let word = self.saved.general.get(self.arch.sp_index());
        self.stack.or(word.copied()).unwrap_or(0)
    }

    /// Makes one system call; the result is negative for an error.
    pub fn call(&self, number: i64, arguments: &[u64]) -> Result<i64, RemoteError> {
        let mut registers = self.saved.clone();
        self.arch
            .prepare_system_call(&mut registers, self.at, number as u64, arguments);
        if let (Some(stack), Some(word)) =
            (self.stack, registers.general.get_mut(self.arch.sp_index()))
        {
            *word = stack;
        }
        self.thread.set_registers(&registers, self.bytes)?;
        loop {
            sys::to_system_call(self.thread.tid(), 0).map_err(|_| RemoteError::Gone)?;
            self.wait()?;
            let info = syscall_info(Pid::from_raw(self.thread.tid()));
            if info.is_ok_and(|info| info.op == AT_EXIT) {
                break;
            }
        }
        self.thread.registers(&mut registers)?;
        let result = registers.general.get(self.arch.result_word());
        Ok(result.copied().unwrap_or(0) as i64)
    }

    /// Puts the thread back as it was.
    pub fn finish(self) -> Result<(), RemoteError> {
        let tid = self.thread.tid();
        sys::interrupt(tid).map_err(|_| RemoteError::Gone)?;
        sys::cont(tid, 0).map_err(|_| RemoteError::Gone)?;
        self.wait()?;
        sys::set_signal_mask(tid, self.mask).map_err(|_| RemoteError::Gone)?;
        self.thread.set_registers(&self.saved, self.bytes)?;
        if let Some(signal) = self.stopped_by.take() {
            // Once more, now that it can be dealt with. ESRCH: it has ended.
            let _ = sys::signal_process(tid, signal);
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), RemoteError> {
        match sys::wait_one(self.thread.tid()).map(Stop::from_status) {
            Ok(stop @ (Stop::Exited(_) | Stop::Killed(_))) => Err(RemoteError::Ended(stop)),
            Ok(stop) => {
                if let Stop::Signal(signal @ libc::SIGSTOP) | Stop::Group(signal) = stop {
                    self.stopped_by.set(Some(signal));
                }
                Ok(())
            }
            Err(_) => Err(RemoteError::Gone),
        }
    }
}
