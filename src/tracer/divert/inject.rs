//! What has to be mapped into a program before its sites can be diverted, by system calls that one of its stopped threads
//! makes: the shared file with the rings, the gate, pages for code.

use std::fs::{File, OpenOptions};
use std::ops::Range;

use crate::fastpath::diversion::PAGE;
use crate::fastpath::ring::{self, Layout, LayoutError, gate};
use crate::process::memory::ProcessMemory;
use crate::tracer::remote::{Remote, RemoteError};

/// The name of the shared file, as `/proc/PID/maps` shows it.
const NAME: &[u8] = b"ptpytrace\0";
const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const READ_EXECUTE: i32 = libc::PROT_READ | libc::PROT_EXEC;

/// Why a program's sites are not diverted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A system call in the program failed.
    #[error("{0} in the program: {1}")]
    Call(&'static str, nix::errno::Errno),
    /// The program's file could not be shared.
    #[error("the program's memory cannot be shared: {0}")]
    Share(#[from] std::io::Error),
    /// Something in the program could not be written.
    #[error("the program's memory cannot be written")]
    Write,
    /// System calls in it might kill it.
    #[error("seccomp confines it: a system call of the tracer's might kill it")]
    Confined,
    /// No instruction for a system call was found in it.
    #[error("no system call instruction was found in it")]
    NoSystemCall,
    /// The rings cannot be laid out.
    #[error(transparent)]
    Layout(LayoutError),
    /// No site's events can be written into rings of this size.
    #[error("its events do not fit into a recorder's code or ring (--max-string, --buffer)")]
    NoCode,
    /// There is no room for code in the reach of the sites.
    #[error("no page is free in the reach of its sites")]
    NoRoom,
    /// The thread has ended.
    #[error("the thread has ended")]
    Remote(RemoteError),
}

impl From<RemoteError> for Refused {
    fn from(error: RemoteError) -> Refused {
        Refused::Remote(error)
    }
}

/// A program's memory, and a stopped thread that makes system calls in it. What is mapped is noted.
pub struct Injector<'a> {
    pub remote: &'a Remote<'a>,
    pub memory: &'a ProcessMemory,
    /// What has been mapped.
    pub mapped: Vec<Range<u64>>,
}

impl Injector<'_> {
    fn call(&self, name: &'static str, number: i64, arguments: &[u64]) -> Result<u64, Refused> {
        let result = self.remote.call(number, arguments)?;
        match i32::try_from(result) {
            Ok(error @ -4095..=-1) => {
                let errno = nix::errno::Errno::from_raw(error.saturating_neg());
                Err(Refused::Call(name, errno))
            }
            _ => Ok(result.cast_unsigned()),
        }
    }

    fn mmap(
        &mut self,
        pages: (u64, u64),
        (protection, flags): (i32, i32),
        file: u64,
    ) -> Result<u64, Refused> {
        let (address, length) = pages;
        let (protection, flags) = (protection.cast_unsigned(), flags.cast_unsigned());
        let arguments = [address, length, protection.into(), flags.into(), file, 0];
        let at = self.call("mmap", libc::SYS_mmap, &arguments)?;
        self.mapped.push(at..at.saturating_add(length));
        Ok(at)
    }

    /// The file with the rings: opened here, and where it is mapped there.
    pub fn share(&mut self, layout: &Layout) -> Result<(ring::Mapping, u64), Refused> {
        // Below the red zone; what lies there is nobody's.
        let name = self.remote.stack_pointer().wrapping_sub(1024) & !15;
        self.memory.write(name, NAME).map_err(|_| Refused::Write)?;
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        let number = self.call(
            "memfd_create",
            libc::SYS_memfd_create,
            &[name, flags.into()],
        )?;
        let mapped =
            open(self.memory.pid(), number).and_then(|file| ring::Mapping::new(&file, layout));
        let at = match &mapped {
            Ok(_) => self.mmap(
                (0, layout.file_bytes()),
                (READ_WRITE, libc::MAP_SHARED | libc::MAP_NORESERVE),
                number,
            ),
            Err(_) => Ok(0),
        };
        self.call("close", libc::SYS_close, &[number])?;
        Ok((mapped?, at?))
    }

    /// The gate: closed, and closed for children.
    pub fn gate(&mut self) -> Result<u64, Refused> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let at = self.mmap((0, gate::BYTES), (READ_WRITE, flags), u64::MAX)?;
        let advice = libc::MADV_WIPEONFORK.cast_unsigned();
        let arguments = [at, gate::BYTES, advice.into()];
        self.call("madvise", libc::SYS_madvise, &arguments)?;
        Ok(at)
    }

    /// Pages for code at exactly this place.
    pub fn code(&mut self, pages: &Range<u64>) -> Result<(), Refused> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let length = pages.end.saturating_sub(pages.start).next_multiple_of(PAGE);
        let at = self.mmap((pages.start, length), (READ_EXECUTE, flags), u64::MAX)?;
        if at == pages.start {
            return Ok(());
        }
        // A kernel before 4.17 takes the address as a hint.
        self.unmap_last();
        Err(Refused::Call("mmap", nix::errno::Errno::EEXIST))
    }

    fn unmap_last(&mut self) {
        if let Some(range) = self.mapped.pop() {
            let _ = unmap(self.remote, &range); // what stays does no harm
        }
    }

    /// Unmaps all that was mapped.
    pub fn undo(&mut self) {
        while !self.mapped.is_empty() {
            self.unmap_last();
        }
    }
}

/// Unmaps a range in the program.
pub fn unmap(remote: &Remote<'_>, range: &Range<u64>) -> Result<(), RemoteError> {
    let length = range.end.saturating_sub(range.start);
    let result = remote.call(libc::SYS_munmap, &[range.start, length]);
    result.map(drop)
}

/// A file that the program has open under this number.
fn open(pid: i32, number: u64) -> std::io::Result<File> {
    let path = format!("/proc/{pid}/fd/{number}");
    OpenOptions::new().read(true).write(true).open(path)
}
