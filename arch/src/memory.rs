//! How anything here sees the traced process's memory: through one trait, which in tests is an array.

/// Memory that can be read at run-time addresses.
pub trait ReadMemory {
    /// Reads up to `buf.len()` bytes at `addr` and returns how many of the first bytes could be read (0 when none).
    /// The rest of `buf` is unspecified. An address range never wraps past the top of the address space.
    fn read(&self, addr: u64, buf: &mut [u8]) -> usize;
}

/// One piece of memory: `bytes` lie at `base`, nothing lies elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    /// The address of the first byte.
    pub base: u64,
    /// What lies there.
    pub bytes: &'a [u8],
}

impl ReadMemory for Bytes<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> usize {
        let from = addr
            .checked_sub(self.base)
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| self.bytes.get(offset..))
            .unwrap_or(&[]);
        buf.iter_mut()
            .zip(from)
            .map(|(to, byte)| *to = *byte)
            .count()
    }
}
