//! Threads that wait for room, when nobody makes room any more.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Layout, ring_header, sys};

/// Has every thread that waits for room look again: it finds that there is no tracer ([`super::header::OWNER`]), and goes
/// on.
pub fn wake_writers(words: &[AtomicU64], layout: &Layout) {
    for begin in (0..layout.rings()).filter_map(|it| layout.ring(it)) {
        let turn = begin.saturating_add(ring_header::TURN) / 8;
        let turn = usize::try_from(turn).ok().and_then(|it| words.get(it));
        let Some(turn) = turn else {
            continue;
        };
        // The high half says whether the thread waits.
        if turn.load(Ordering::SeqCst) >> 32 != 0 {
            let next = |word: u64| {
                let low = word.wrapping_add(1) & u64::from(u32::MAX);
                Some(word & !u64::from(u32::MAX) | low)
            };
            let _ = turn.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
            sys::futex_wake(turn);
        }
    }
}
