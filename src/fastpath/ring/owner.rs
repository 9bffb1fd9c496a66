//! A word in the shared file that tells the traced program whether there is still a tracer.
//!
//! It is a robust futex: when the thread that holds it ends, however it ends, the kernel sets FUTEX_OWNER_DIED in it
//! (set_robust_list(2)). pthread_mutexattr_setrobust(3) would do, but keeps the links of its list in the mutex, where
//! the traced program could change them under the tracer's feet; so the list is our own, and lies in the page before
//! the shared file, at the same distance from the word in every mapping.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::header;
use super::sys::{self, BEFORE, Mapping};

/// The kernel's `struct robust_list_head`.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Head {
    /// The address of the first entry; of the head itself at the end.
    first: AtomicU64,
    /// From an entry to its futex.
    distance: AtomicI64,
    /// Not used: entries are added when nobody else knows of their futexes.
    pending: AtomicU64,
}

/// Takes the word of every file, as long as the thread lives that made this.
///
/// The C library's list for that thread is replaced, so robust mutexes of its own must not be used on it.
#[derive(Debug)]
pub struct Owner {
    head: &'static Head,
    tid: u32,
    /// In the reverse order of the list, so that an entry's predecessor is found without following links.
    held: Vec<Arc<Mapping>>,
    /// Bound to the thread.
    _thread: std::marker::PhantomData<*const ()>,
}

impl Owner {
    /// Registers the calling thread, which must live as long as anything is traced.
    ///
    /// # Errors
    /// Those of set_robust_list(2).
    pub fn new() -> io::Result<Owner> {
        // The kernel walks it when the thread ends: it must never go.
        let head: &'static Head = Box::leak(Box::new(Head {
            first: AtomicU64::new(0),
            distance: AtomicI64::new(i64::try_from(BEFORE).unwrap_or(0)),
            pending: AtomicU64::new(0),
        }));
        head.first.store(address(head), Ordering::Relaxed);
        sys::set_robust_list(head)?;
        let tid = nix::unistd::gettid().as_raw().unsigned_abs();
        Ok(Owner {
            head,
            tid,
            held: Vec::new(),
            _thread: std::marker::PhantomData,
        })
    }

    /// Takes the file's word, and keeps the mapping until [`Owner::leave`].
    pub fn take(&mut self, mapping: Arc<Mapping>) {
        let (Some(entry), Some(word)) = (mapping.before().first(), word(&mapping)) else {
            return;
        };
        let next = self.head.first.load(Ordering::Relaxed);
        entry.store(next, Ordering::Relaxed);
        word.store(self.tid.into(), Ordering::SeqCst);
        self.head.first.store(address(entry), Ordering::SeqCst);
        self.held.push(mapping);
    }

    /// Gives the file's word up: the traced program records nothing any more.
    pub fn leave(&mut self, mapping: &Arc<Mapping>) {
        let Some(index) = self.held.iter().position(|it| Arc::ptr_eq(it, mapping)) else {
            return;
        };
        let after = mapping
            .before()
            .first()
            .map(|it| it.load(Ordering::Relaxed));
        let later = self.held.get(index.saturating_add(1));
        let link = match later {
            Some(later) => later.before().first(),
            None => Some(&self.head.first),
        };
        if let (Some(link), Some(after)) = (link, after) {
            link.store(after, Ordering::SeqCst);
        }
        if let Some(word) = word(mapping) {
            word.store(0, Ordering::SeqCst);
        }
        self.held.remove(index);
    }
}

/// The word of the owner.
fn word(mapping: &Mapping) -> Option<&AtomicU64> {
    let words: &[AtomicU64] = mapping.as_ref();
    words.get(usize::try_from(header::OWNER / 8).ok()?)
}

fn address<T>(of: &T) -> u64 {
    std::ptr::from_ref(of).addr() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fastpath::ring::Layout;
    use nix::sys::memfd::{MFdFlags, memfd_create};

    fn mapping() -> Arc<Mapping> {
        let file = memfd_create("ring", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        let layout = Layout::new(1, 4096, 100).unwrap();
        Arc::new(Mapping::new(file, &layout).unwrap())
    }

    fn state(mapping: &Arc<Mapping>) -> u32 {
        word(mapping).unwrap().load(Ordering::SeqCst) as u32
    }

    #[test]
    fn the_kernel_marks_what_a_thread_held_when_it_ended() {
        let mappings: Vec<Arc<Mapping>> = (0..4).map(|_| mapping()).collect();
        let held = mappings.clone();
        let tid = std::thread::spawn(move || {
            let mut owner = Owner::new().unwrap();
            for mapping in &held {
                owner.take(Arc::clone(mapping));
            }
            for mapping in &held {
                assert_eq!(state(mapping), owner.tid);
            }
            owner.leave(&held[1]);
            owner.leave(&held[3]);
            owner.tid
        })
        .join()
        .unwrap();
        assert_ne!(tid, 0);
        let states = mappings.iter().map(state).collect::<Vec<u32>>();
        assert_eq!(
            states,
            [libc::FUTEX_OWNER_DIED, 0, libc::FUTEX_OWNER_DIED, 0]
        );
    }

    #[test]
    fn a_sealed_file_cannot_be_shrunk() {
        let file = memfd_create("ring", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        let layout = Layout::new(1, 4096, 100).unwrap();
        let _mapping = Mapping::new(&file, &layout).unwrap();
        let shrunk = nix::unistd::ftruncate(&file, 0);
        assert_eq!(shrunk, Err(nix::errno::Errno::EPERM));
    }
}
