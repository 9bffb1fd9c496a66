//! Starting a command only to look at it: it is held before its own first instruction, when the dynamic linker has
//! mapped its libraries, and killed when it has been looked at.

use std::fs;
use std::io;

use ptpytrace_arch::Arch;

use super::spawn::{self, Command};
use super::stopped::StoppedThread;
use super::wait::{self, Stop, Waited};
use super::{HOST_MACHINE, sys};
use crate::process::memory::ProcessMemory;

/// The auxiliary vector's entry with the program's first instruction (getauxval(3), `AT_ENTRY`).
const AT_ENTRY: u64 = 9;

/// A command that is held.
#[derive(Debug)]
pub struct Held {
    /// Its process.
    pub pid: i32,
    /// Its thread, while it is stopped: dropped, it would run on.
    thread: Option<StoppedThread>,
}

/// Starts a command and holds it.
///
/// # Errors
/// It cannot be started or traced, or it ends before its first instruction.
pub fn hold(command: &Command) -> io::Result<Held> {
    let waiting = spawn::prepare(command)?;
    let mut held = Held {
        pid: waiting.pid,
        thread: None,
    };
    sys::seize(held.pid, libc::PTRACE_O_TRACEEXEC | libc::PTRACE_O_EXITKILL)?;
    let started = waiting.go()?;
    if !held.run_until(Stop::Exec) {
        let fallback = || io::Error::other("the command ended at once");
        return Err(started.exec_error().unwrap_or_else(fallback));
    }
    // Without an entry (another CPU's program) what exec has mapped must do.
    if let Some(arch) = ptpytrace_arch::for_machine(HOST_MACHINE)
        && held.plant_at_entry(arch).is_some()
        && !held.run_until(Stop::Signal(libc::SIGTRAP))
    {
        return Err(io::Error::other(
            "the command ended before its first instruction",
        ));
    }
    Ok(held)
}

impl Held {
    /// Lets it run until that stop; false when it has ended instead.
    fn run_until(&mut self, wanted: Stop) -> bool {
        if let Some(thread) = self.thread.take() {
            thread.resume(0);
        }
        loop {
            match wait::wait(true) {
                Waited::Stopped(thread, stop) if stop == wanted => {
                    self.thread = Some(thread);
                    return true;
                }
                Waited::Stopped(thread, Stop::Signal(signal)) => thread.resume(signal),
                Waited::Stopped(thread, _) => thread.resume(0),
                Waited::Ended(..) | Waited::NoChildren => return false,
                Waited::Interrupted => {}
            }
        }
    }

    fn plant_at_entry(&self, arch: &dyn Arch) -> Option<()> {
        let vector = fs::read(format!("/proc/{}/auxv", self.pid)).ok()?;
        let mut pairs = vector.as_chunks::<16>().0.iter().map(|pair| {
            let (kind, value) = pair.split_at(8);
            let number = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).unwrap_or(0);
            (number(kind), number(value))
        });
        let (_, entry) = pairs.find(|(kind, _)| *kind == AT_ENTRY)?;
        let memory = ProcessMemory::open(self.pid).ok()?;
        memory.write(entry, arch.breakpoint()).ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.pid);
        // It may have ended; then there is nothing to wait for either.
        if nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).is_ok() {
            while matches!(wait::wait(true), Waited::Stopped(..) | Waited::Interrupted) {}
        }
    }
}
