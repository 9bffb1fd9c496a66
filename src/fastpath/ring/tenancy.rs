//! Who has which ring. A thread takes a ring by itself, and only the tracer, who sees threads begin and end, can take it
//! back. It does so at once, in the shared memory, while the reader may be in the middle of a drain on another thread.
//!
//! What the reader must know is left in a queue. Three things together keep a record from being attributed to a thread
//! that did not write it:
//!
//! 1. The tracer notes how far the ring was written, and whose it was, before it clears the key; all of it under the
//!    queue's lock, and before the next owner can run.
//! 2. The reader loads the heads first, and takes the queue's lock after that. So the queue holds every change of owner
//!    that happened before a record that the reader is about to see.
//! 3. The reader looks up the present owner under the same lock: it cannot change meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::words::{Words, load, low_half, store, word};
use super::{Layout, ring_header};

/// The tracer's side of the rings' ownership.
pub struct Tenancy {
    memory: Arc<Words>,
    layout: Layout,
    changes: Mutex<Vec<Change>>,
}

/// What the reader has not been told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The thread with this pointer has no ring any more.
    Left {
        /// The ring's number.
        ring: u32,
        /// The position up to which the records are that thread's.
        head: u64,
        /// The thread's pointer.
        pointer: u64,
        /// The thread's id as the thread sees it; 0 when it had written nothing.
        tid: i32,
    },
    /// The thread with this pointer has this id from now on.
    Named {
        /// The thread's pointer.
        pointer: u64,
        /// Its id for the tracer.
        tid: i32,
    },
    /// No thread has this pointer any more.
    Forgotten {
        /// The pointer.
        pointer: u64,
    },
}

impl std::fmt::Debug for Tenancy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = out.debug_struct("Tenancy");
        shown.field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl Tenancy {
    pub(super) fn new(memory: Arc<Words>, layout: Layout) -> Tenancy {
        Tenancy {
            memory,
            layout,
            changes: Mutex::default(),
        }
    }

    /// Frees the ring of the thread with this thread pointer (on x86-64 its `fs_base`), if it has one: the thread has
    /// ended, or another one with the same pointer is about to begin. Neither may run meanwhile.
    pub fn free(&self, pointer: u64) {
        if pointer == 0 {
            return;
        }
        let words = (*self.memory).as_ref();
        let mut changes = self.changes();
        for (ring, begin) in (0u32..).zip(used(words, &self.layout)) {
            if load(words, begin + ring_header::KEY) == pointer {
                prepare(words, begin, &self.layout);
                changes.push(clear(words, ring, begin, pointer));
            }
        }
        changes.push(Change::Forgotten { pointer });
    }

    /// The thread with this pointer has this id. Without it, a thread's id is what the thread itself got from
    /// gettid(2), in its own pid namespace. To be said before the thread runs.
    pub fn name(&self, pointer: u64, tid: i32) {
        self.changes().push(Change::Named { pointer, tid });
    }

    /// What the reader has not been told yet; while it is locked no owner changes by the tracer's doing.
    pub(super) fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        // A panic in between leaves nothing half done that matters.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the rings begin that a thread has had. They are taken from the first on, so all others have their zeros still,
/// and are not touched: that would take a page each.
pub(super) fn used<'w>(words: &'w [AtomicU64], layout: &Layout) -> impl Iterator<Item = u64> + 'w {
    let layout = *layout;
    let begins = (0..layout.rings()).filter_map(move |ring| layout.ring(ring));
    begins.take_while(|begin| {
        load(words, begin + ring_header::KEY) != 0 || load(words, begin + ring_header::LIMIT) != 0
    })
}

/// Prepares a ring as the thread does that takes it first, if that thread has not come to it.
pub(super) fn prepare(words: &[AtomicU64], begin: u64, layout: &Layout) {
    if load(words, begin + ring_header::LIMIT) == 0 {
        store(words, begin + ring_header::INTENT, u64::MAX);
        store(words, begin + ring_header::LIMIT, layout.size());
    }
}

/// Takes a ring away from its thread.
fn clear(words: &[AtomicU64], ring: u32, begin: u64, pointer: u64) -> Change {
    let head = load(words, begin + ring_header::HEAD);
    let tid = low_half(load(words, begin + ring_header::TID)).cast_signed();
    if let Some(word) = word(words, begin + ring_header::TID) {
        // The low half is the id.
        word.fetch_and(!u64::from(u32::MAX), Ordering::SeqCst);
    }
    // Last: from here on another thread may take it.
    store(words, begin + ring_header::KEY, 0);
    Change::Left {
        ring,
        head,
        pointer,
        tid,
    }
}
