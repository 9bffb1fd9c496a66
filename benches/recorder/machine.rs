//! Code that is made at run time, and called: the only `unsafe` of this benchmark.

use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

/// Executable memory, kept as long as the process lives.
#[derive(Clone, Copy)]
pub struct Machine {
    base: NonNull<libc::c_void>,
}

// SAFETY: the memory belongs to no thread and is never unmapped.
unsafe impl Send for Machine {}
// SAFETY: as above; calling does not change it.
unsafe impl Sync for Machine {}

impl Machine {
    pub fn new() -> anyhow::Result<Machine> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
        let bytes = (64 * 1024).try_into()?;
        // SAFETY: a new mapping.
        let base = unsafe { mmap_anonymous(None, bytes, access, MapFlags::MAP_PRIVATE)? };
        Ok(Machine { base })
    }

    pub fn at(&self) -> u64 {
        self.base.as_ptr().addr() as u64
    }

    pub fn load(&self, code: &[u8]) {
        assert!(code.len() <= 64 * 1024);
        // SAFETY: within the mapping.
        unsafe {
            std::ptr::copy_nonoverlapping(code.as_ptr(), self.base.as_ptr().cast(), code.len());
        }
    }

    /// Calls the code as a function of three numbers.
    pub fn call(&self, first: u64, second: u64, third: u64) {
        // SAFETY: what is loaded keeps to the calling convention.
        unsafe {
            let run: extern "C" fn(u64, u64, u64) = std::mem::transmute(self.base);
            run(first, second, third);
        }
    }
}
