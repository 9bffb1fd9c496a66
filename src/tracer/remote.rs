//! System calls made by a stopped thread on the tracer's behalf.
//!
//! The thread may have been stopped in the middle of a system call of its own, which the kernel is going to restart:
//! so afterwards it is stopped once more by PTRACE_INTERRUPT, and its registers are put back in that stop, from which
//! the kernel looks at restarting again. All signals are blocked meanwhile, so none is delivered with the wrong
//! registers.

use nix::sys::ptrace::syscall_info;
use nix::unistd::Pid;
use ptpytrace_arch::{Arch, Registers};

use super::stopped::{Gone, StoppedThread};
use super::sys;
use super::wait::Stop;

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
        sys::set_signal_mask(thread.tid(), u64::MAX).map_err(|_| RemoteError::Gone)?;
        Ok(Remote {
            thread,
            arch,
            at,
            saved,
            bytes,
            mask,
        })
    }

    /// The stack pointer of the thread.
    pub fn stack_pointer(&self) -> u64 {
        let word = self.saved.general.get(self.arch.sp_index());
        word.copied().unwrap_or(0)
    }

    /// Makes one system call; the result is negative for an error.
    pub fn call(&self, number: i64, arguments: &[u64]) -> Result<i64, RemoteError> {
        let mut registers = self.saved.clone();
        self.arch
            .prepare_system_call(&mut registers, self.at, number as u64, arguments);
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
        self.thread.set_registers(&self.saved, self.bytes)?;
        sys::set_signal_mask(tid, self.mask).map_err(|_| RemoteError::Gone)
    }

    fn wait(&self) -> Result<(), RemoteError> {
        match sys::wait_one(self.thread.tid()).map(Stop::from_status) {
            Ok(stop @ (Stop::Exited(_) | Stop::Killed(_))) => Err(RemoteError::Ended(stop)),
            Ok(_) => Ok(()),
            Err(_) => Err(RemoteError::Gone),
        }
    }
}
