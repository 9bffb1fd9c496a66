//! The names of threads that record: they do not write them themselves, and may be no more when their records are read.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::process::proc::{IfFound, ProcFs};

/// How long (ns, of the records' time) a thread's name is believed.
const LIFETIME: u64 = 10_000_000;

/// The names of one process's threads.
#[derive(Debug)]
pub(super) struct Names {
    pid: i32,
    /// For a thread of which nothing is known.
    fallback: Arc<str>,
    known: FxHashMap<i32, Name>,
    /// The last that was asked for.
    tid: i32,
    last: Name,
    /// The process runs something else, or nothing any more.
    ended: bool,
}

/// A thread's name.
#[derive(Clone, Debug)]
struct Name {
    comm: Arc<str>,
    /// Until then it is believed, ns.
    until: u64,
}

impl Names {
    pub(super) fn new(pid: i32, fallback: Arc<str>) -> Names {
        let last = Name {
            comm: Arc::clone(&fallback),
            until: 0,
        };
        Names {
            pid,
            fallback,
            known: FxHashMap::default(),
            tid: 0,
            last,
            ended: false,
        }
    }

    /// This is what a thread is, or was, called.
    pub(super) fn tell(&mut self, tid: i32, comm: Arc<str>) {
        self.last.until = 0;
        self.known.insert(tid, Name { comm, until: 0 });
    }

    /// From now on `/proc` says nothing about these threads.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Nothing more will come of this thread.
    pub(super) fn forget(&mut self, tid: i32) {
        self.known.remove(&tid);
        self.last.until = 0;
    }

    /// The name of a thread at a time (ns).
    pub(super) fn of(&mut self, tid: i32, now: u64, proc: &ProcFs) -> &Arc<str> {
        if tid != self.tid || now >= self.last.until {
            self.last = self.look_up(tid, now, proc);
            self.tid = tid;
        }
        &self.last.comm
    }

    fn look_up(&mut self, tid: i32, now: u64, proc: &ProcFs) -> Name {
        let name = self.known.entry(tid).or_insert_with(|| Name {
            comm: Arc::clone(&self.fallback),
            until: 0,
        });
        if now >= name.until {
            let comm = match self.ended {
                true => None,
                false => proc.comm(self.pid, tid).if_found(),
            };
            if let Some(comm) = comm
                && *comm != *name.comm
            {
                name.comm = comm.to_string_lossy().into();
            }
            name.until = now.saturating_add(LIFETIME);
        }
        name.clone()
    }
}
