//! What the tracer hands over when an address space records its own events, and the line that it keeps to whoever reads
//! them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::ring::{Reader, Tenancy, Waker};
use crate::plan::Test;

/// The rings of one address space, ready to be read.
#[derive(Debug)]
pub struct Recording {
    /// The process.
    pub pid: i32,
    /// The id of the target, for tests; 0 when there is none.
    pub target: i32,
    /// The name to use where a thread's own can no longer be read.
    pub comm: Arc<str>,
    /// Reads the rings; all sites have been added to it.
    pub reader: Reader,
    /// What is known of the sites, by number.
    pub sites: Vec<RecordedSite>,
    /// Shared with the tracer.
    pub line: Arc<Line>,
}

/// What the reader of a recording must know of a site.
#[derive(Clone, Debug, Default)]
pub struct RecordedSite {
    /// Its probe's row of the tracer's [`crate::tracer::ledger::Ledger`].
    pub row: usize,
    /// What was not decided at the site: records for which it does not hold are dropped. What could not be read passes.
    pub test: Option<Test>,
}

/// What the tracer has to tell the reader while a recording lasts. Everything here is cheap and never waits for long.
#[derive(Debug)]
pub struct Line {
    tenancy: Arc<Tenancy>,
    ended: AtomicBool,
    names: Mutex<Vec<(i32, Arc<str>)>>,
    /// Of the thread that reads, as soon as it has the recording.
    waker: OnceLock<Arc<Waker>>,
}

impl Line {
    /// The line to those who read with this reader.
    pub fn new(reader: &Reader) -> Line {
        Line {
            tenancy: reader.tenancy(),
            ended: AtomicBool::new(false),
            names: Mutex::default(),
            waker: OnceLock::new(),
        }
    }

    /// Nothing more will be recorded: the process has gone, runs another program, or was left. All that was published
    /// before is still read.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// A thread has this name: it is about to end, to run another program, or was just born.
    pub fn name_thread(&self, tid: i32, comm: Arc<str>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.push((tid, comm));
    }

    /// A new thread is about to run whose thread pointer (on x86-64 its `fs_base`) is this one, or the thread with it
    /// has ended ([`Tenancy::free`]).
    pub fn free_ring(&self, pointer: u64) {
        self.tenancy.free(pointer);
    }

    /// The thread with this thread pointer has this id, which it does not know itself when it lives in a pid namespace
    /// of its own ([`Tenancy::name`]). To be said after [`Line::free_ring`] and before the thread runs.
    pub fn identify(&self, pointer: u64, tid: i32) {
        self.tenancy.name(pointer, tid);
    }

    /// Whether [`Line::end`] was called. What was recorded before is visible.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// The names that were told since the last time.
    pub(super) fn take_names(&self) -> Vec<(i32, Arc<str>)> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut names)
    }

    /// Who is to be woken.
    pub(super) fn attend(&self, waker: &Arc<Waker>) {
        // There is one who reads.
        let _ = self.waker.set(Arc::clone(waker));
    }
}
