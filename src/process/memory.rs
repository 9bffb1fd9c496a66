//! The memory of another process: `/proc/PID/mem`, and `process_vm_readv` where one system call can read several
//! places.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use ptpytrace_arch::ReadMemory;

pub mod c_string;

/// The least page size of the CPUs known here, in bytes. Where pages are larger, a multiple of it still never lies in
/// two of them.
pub const PAGE: u64 = 4096;

/// How many places one system call reads.
const BATCH: usize = 8;

/// One place to be read by [`ProcessMemory::read_vectored`].
#[derive(Debug)]
pub struct Place<'a> {
    /// The run-time address of the first byte.
    pub address: u64,
    /// What to fill.
    pub buffer: &'a mut [u8],
    /// How many of the first bytes of `buffer` have been filled.
    pub read: usize,
}

impl<'a> Place<'a> {
    /// A place of which nothing has been read.
    pub fn new(address: u64, buffer: &'a mut [u8]) -> Place<'a> {
        Place {
            address,
            buffer,
            read: 0,
        }
    }
}

/// Why [`ProcessMemory::write`] failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to memory at {address:#x} (after {written} bytes): {cause}")]
pub struct WriteError {
    /// The run-time address of the first byte that was not written.
    pub address: u64,
    /// How many bytes before it had been written.
    pub written: usize,
    /// What stands in the way.
    pub cause: WriteObstacle,
}

/// What stands in the way of a write.
#[derive(Debug, thiserror::Error)]
pub enum WriteObstacle {
    /// The page can be read but `/proc/PID/mem` does not write to it: a kernel with `proc_mem.force_override=never` (or
    /// `ptrace`, for a process that is not traced) keeps read-only pages so. `PTRACE_POKEDATA` may still write to it.
    #[error("the page is read-only and the kernel does not let /proc/PID/mem override that")]
    ReadOnly,
    /// Nothing is mapped there.
    #[error("nothing is mapped there")]
    Unmapped,
    /// The memory is gone: the process has ended or has run another program.
    #[error("the process has ended or has run another program")]
    Gone,
    /// Another error of pwrite(2).
    #[error("{0}")]
    Other(io::Error),
}

/// The memory of a running process.
///
/// It is bound to the program that the process ran when it was opened: after an exec, and after the process's end,
/// nothing can be read or written, so open it anew at each exec. Reads and writes pass over page protections, as
/// a debugger's do.
#[derive(Debug)]
pub struct ProcessMemory {
    pid: Pid,
    file: File,
    /// Whether process_vm_readv has turned out not to be allowed or not to exist.
    vectored_refused: AtomicBool,
}

impl AsFd for ProcessMemory {
    /// Its `/proc/PID/mem`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl ProcessMemory {
    /// Opens the memory of a process for reading and writing.
    ///
    /// # Errors
    /// Those of open(2): `ENOENT` when there is no such process, `EACCES` when the caller may not trace it;
    /// [`diagnose`](super::obstacle::diagnose) says why.
    pub fn open(pid: i32) -> io::Result<ProcessMemory> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(Path::new("/proc").join(pid.to_string()).join("mem"))?;
        Ok(ProcessMemory {
            pid: Pid::from_raw(pid),
            file,
            vectored_refused: AtomicBool::new(false),
        })
    }

    /// The process whose memory it is.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Whether these bytes stand at the run-time address `address`; `None` when not all of them can be read.
    pub fn holds(&self, address: u64, bytes: &[u8]) -> Option<bool> {
        let mut now = vec![0; bytes.len()];
        (self.read(address, &mut now) == now.len()).then(|| now == bytes)
    }

    /// Writes all of `bytes` at the run-time address `address`, also to read-only pages where the kernel allows that
    /// (a private mapping gets its own copy of the page).
    ///
    /// # Errors
    /// [`WriteError`]; the bytes before [`WriteError::address`] have been written. A write within one page is done as
    /// a whole or not at all.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), WriteError> {
        let mut written = 0usize;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let at = address.checked_add(written as u64);
            let result = match at {
                Some(at) => self.file.write_at(rest, at),
                None => Err(Errno::EIO.into()),
            };
            let address = at.unwrap_or(u64::MAX);
            match result {
                Ok(0) => return Err(self.refused(address, written, None)),
                Ok(count) => written = written.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.refused(address, written, Some(error))),
            }
        }
        Ok(())
    }

    /// pwrite gives EIO both for a page that is not there and for one that it may not write to.
    fn refused(&self, address: u64, written: usize, error: Option<io::Error>) -> WriteError {
        let faulted = |error: &io::Error| {
            matches!(
                error.raw_os_error(),
                Some(libc::EIO | libc::EFAULT | libc::EINVAL)
            )
        };
        let cause = match error {
            None => WriteObstacle::Gone,
            Some(error) if !faulted(&error) => WriteObstacle::Other(error),
            Some(_) if self.read(address, &mut [0]) == 1 => WriteObstacle::ReadOnly,
            Some(_) => WriteObstacle::Unmapped,
        };
        WriteError {
            address,
            written,
            cause,
        }
    }

    /// Reads several places, if possible with one system call, and sets [`Place::read`] of each: as
    /// [`ReadMemory::read`] would for each of them.
    ///
    /// The tracer's user id must not have changed since [`ProcessMemory::open`], and the process must not have run
    /// another program (the system call would read the new program's memory).
    pub fn read_vectored(&self, places: &mut [Place<'_>]) {
        for place in places.iter_mut() {
            place.read = 0;
        }
        let mut rest = places;
        while !rest.is_empty() {
            let (batch, _) = rest.split_at_mut(rest.len().min(BATCH));
            let wanted = batch.len();
            let bytes = self.read_batch(batch).unwrap_or(0);
            let mut done = share_out(batch, bytes);
            if let Some(place) = batch.get_mut(done).filter(|_| done < wanted) {
                // The system call stopped in this place. The file gives the readable part of it, also of pages that
                // the process itself may not read.
                place.read = self.read(place.address, place.buffer);
                done = done.saturating_add(1);
            }
            rest = rest.get_mut(done..).unwrap_or_default();
        }
    }

    /// One system call for up to [`BATCH`] places: how many bytes it read, in the order of the places.
    fn read_batch(&self, batch: &mut [Place<'_>]) -> Option<usize> {
        if batch.len() < 2 || self.vectored_refused.load(Ordering::Relaxed) {
            return None;
        }
        let mut remote = [RemoteIoVec { base: 0, len: 0 }; BATCH];
        let mut local: [IoSliceMut<'_>; BATCH] = std::array::from_fn(|_| IoSliceMut::new(&mut []));
        let slots = remote.iter_mut().zip(local.iter_mut());
        for ((remote, local), place) in slots.zip(batch.iter_mut()) {
            remote.base = usize::try_from(place.address).ok()?;
            remote.len = place.buffer.len();
            *local = IoSliceMut::new(place.buffer);
        }
        match process_vm_readv(self.pid, &mut local, &remote) {
            Ok(bytes) => Some(bytes),
            Err(Errno::EPERM | Errno::ENOSYS) => {
                self.vectored_refused.store(true, Ordering::Relaxed);
                None
            }
            Err(_) => None,
        }
    }
}

/// Gives the bytes that one system call read to the places in their order; how many places are complete.
fn share_out(batch: &mut [Place<'_>], bytes: usize) -> usize {
    let mut left = bytes;
    let mut complete = 0usize;
    for place in batch {
        let wanted = place.buffer.len();
        match left.checked_sub(wanted) {
            Some(rest) => left = rest,
            None => break,
        }
        place.read = wanted;
        complete = complete.saturating_add(1);
    }
    complete
}

impl ReadMemory for ProcessMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0usize;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Some(at) = address.checked_add(done as u64) else {
                break;
            };
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(count) => done = done.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        done
    }
}

#[cfg(test)]
mod tests;
