//! Shared memory as a slice of atomic words: nobody can read it out of bounds, and the other side may change it at any
//! time.

use std::sync::atomic::{AtomicU64, Ordering};

/// Memory in the layout of the shared file: a [`Mapping`](super::Mapping), or for tests any words.
pub type Words = dyn AsRef<[AtomicU64]> + Send + Sync;

/// The word at an offset; `None` when there is none.
pub(super) fn word(words: &[AtomicU64], offset: u64) -> Option<&AtomicU64> {
    words.get(usize::try_from(offset / 8).ok()?)
}

/// The value at an offset; 0 when there is none.
#[inline]
pub(super) fn load(words: &[AtomicU64], offset: u64) -> u64 {
    // On x86-64 every load acquires.
    word(words, offset).map_or(0, |it| it.load(Ordering::Acquire))
}

/// Puts a value at an offset, if there is a word.
pub(super) fn store(words: &[AtomicU64], offset: u64, value: u64) {
    if let Some(word) = word(words, offset) {
        word.store(value, Ordering::SeqCst);
    }
}

/// The low 32 bits.
pub(super) fn low_half(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0)
}
