//! The system calls and the one instruction that the ring needs and that have no safe wrapper. The only `unsafe` of the
//! ring: everywhere else shared memory is a slice of atomic words, which nobody can read out of bounds and which the
//! other side may change at any time.

use std::io;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::Layout;

/// The page before a mapping, for [`super::owner`].
pub(super) const BEFORE: usize = 4096;

/// The shared file, mapped into this process.
#[derive(Debug)]
pub struct Mapping {
    /// The page before the file.
    base: NonNull<libc::c_void>,
    /// The file's bytes, a multiple of the page size.
    bytes: usize,
}

// SAFETY: the mapping belongs to nobody's thread, and is only accessed through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Gives the memfd its size, seals it so that the traced program cannot shrink it (reading behind its end would be
    /// a SIGBUS for the tracer), and maps it. The memfd must have been made with MFD_ALLOW_SEALING.
    ///
    /// # Errors
    /// Those of ftruncate(2), fcntl(2) and mmap(2); EPERM when the file cannot be sealed.
    pub fn new(file: impl AsFd, layout: &Layout) -> io::Result<Mapping> {
        let length = i64::try_from(layout.file_bytes()).map_err(io::Error::other)?;
        let bytes = usize::try_from(layout.file_bytes()).map_err(io::Error::other)?;
        nix::unistd::ftruncate(&file, length)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        let whole = bytes.saturating_add(BEFORE).try_into();
        let whole = whole.map_err(|_| Errno::EINVAL)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: new mappings, the second over a part of the first, that nobody else knows of.
        unsafe {
            let base = mmap_anonymous(None, whole, access, MapFlags::MAP_PRIVATE)?;
            let mapping = Mapping { base, bytes };
            let place = (base.as_ptr().addr().saturating_add(BEFORE)).try_into();
            let length = bytes.try_into().map_err(|_| Errno::EINVAL)?;
            let flags = MapFlags::MAP_SHARED | MapFlags::MAP_FIXED;
            mmap(place.ok(), length, access, flags, file, 0)?;
            Ok(mapping)
        }
    }

    /// The page before the file, private to this process.
    pub(super) fn before(&self) -> &[AtomicU64] {
        // SAFETY: mapped readable and writable as long as self lives, page-aligned; atomics may be shared.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().cast(), BEFORE / 8) }
    }
}

impl AsRef<[AtomicU64]> for Mapping {
    fn as_ref(&self) -> &[AtomicU64] {
        // SAFETY: BEFORE + bytes are mapped readable and writable as long as self lives, page-aligned, and cannot
        // shrink; atomics may be shared, with other processes too.
        unsafe {
            let file = self.base.as_ptr().cast::<u8>().add(BEFORE);
            std::slice::from_raw_parts(file.cast(), self.bytes / 8)
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing borrowed from self is left. A failure leaves the mapping, which does no harm.
        let _ = unsafe { munmap(self.base, self.bytes.saturating_add(BEFORE)) };
    }
}

/// Wakes all who wait on the low half of a word, in any process.
pub(super) fn futex_wake(word: &AtomicU64) {
    // SAFETY: the address is valid; the kernel only uses it as a name.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            i32::MAX,
            0,
            0,
            0,
        );
    }
}

/// Waits until somebody wakes those who wait on the low half of a word, unless it is not `expected` any more; at most
/// `limit`.
pub(super) fn futex_wait(word: &AtomicU64, expected: u32, limit: Duration) {
    let limit = libc::timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    };
    // SAFETY: the address is valid as long as the call lasts, and so is the time's.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            &raw const limit,
            0,
            0,
        );
    }
}

/// The most words of [`futex_wait_any`] (futex_waitv(2), `FUTEX_WAITV_MAX`).
pub(super) const MOST_WORDS: usize = 128;

/// The kernel's `struct futex_waitv`.
#[repr(C)]
struct Waiter {
    expected: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// `FUTEX2_SIZE_U32`: 32 bits, across processes.
const WAITER_FLAGS: u32 = 2;

/// Waits until somebody wakes those who wait on the low half of one of at most [`MOST_WORDS`] words, unless one of them
/// is not as expected any more; until a time of CLOCK_MONOTONIC in ns, if one is given.
///
/// # Errors
/// ENOSYS before Linux 5.16; EINVAL for too many words. A signal, a time that is over and a word that is not as
/// expected are no errors.
pub(super) fn futex_wait_any(words: &[(&AtomicU64, u32)], until: Option<u64>) -> io::Result<()> {
    let waiter = |(word, expected): &(&AtomicU64, u32)| Waiter {
        expected: (*expected).into(),
        address: word.as_ptr().addr() as u64,
        flags: WAITER_FLAGS,
        reserved: 0,
    };
    let waiters: Vec<Waiter> = words.iter().map(waiter).collect();
    let time = until.map(|time| libc::timespec {
        tv_sec: i64::try_from(time / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(time % 1_000_000_000).unwrap_or(0),
    });
    // SAFETY: the words' addresses are valid as long as the call lasts, and so are the list's and the time's.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len(),
            0,
            time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
            libc::CLOCK_MONOTONIC,
        )
    };
    match Errno::result(result) {
        Ok(_) | Err(Errno::EAGAIN | Errno::EINTR | Errno::ETIMEDOUT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Tells the kernel where the calling thread's list of robust futexes is (set_robust_list(2)).
pub(super) fn set_robust_list(head: &'static super::owner::Head) -> io::Result<()> {
    // SAFETY: the head lives forever and has the layout of struct robust_list_head.
    let result = unsafe {
        libc::syscall(
            libc::SYS_set_robust_list,
            std::ptr::from_ref(head),
            size_of::<super::owner::Head>(),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// The CPU's time stamp counter; 0 on CPUs that have none of the kind.
pub(in crate::fastpath) fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 CPU has the instruction.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}
