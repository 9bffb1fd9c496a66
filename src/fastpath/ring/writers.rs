//! Threads that wait for room, when nobody makes room any more.

use std::sync::atomic::{AtomicU64, Ordering};

use super::tenancy::used;
use super::{Layout, ring_header, sys};

/// Has every thread that waits for room look again: it finds that there is no tracer ([`super::header::OWNER`]), and goes
/// on.
pub fn wake_writers(words: &[AtomicU64], layout: &Layout) {
    for begin in used(words, layout) {
        let turn = begin.saturating_add(ring_header::TURN) / 8;
        let turn = usize::try_from(turn).ok().and_then(|it| words.get(it));
        let Some(turn) = turn else {
            continue;
        };
        wake_writer(turn);
    }
}

/// Has a thread look again if it waits, and notes that it does not any more; `turn` is the word at
/// [`ring_header::TURN`], whose high half says whether it waits.
pub(super) fn wake_writer(turn: &AtomicU64) {
    if turn.load(Ordering::SeqCst) >> 32 != 0 {
        let next = |word: u64| Some(word.wrapping_add(1) & u64::from(u32::MAX));
        let _ = turn.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        sys::futex_wake(turn);
    }
}
