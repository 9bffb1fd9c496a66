//! Stops every thread that runs in an address space, for the moment in which its code is changed.
//!
//! A thread may stop for a reason of its own before it is made to. So the stops are kept, and dealt with as ever once
//! the moment is over ([`Tracer::release`]).

use std::time::Duration;

use super::state::Phase;
use super::stopped::StoppedThread;
use super::table::SpaceId;
use super::wait::{ChildKind, Stop, Waited};
use super::{Tracer, sys};
use crate::process::proc::IfFound;
use crate::process::status::State;

/// So often it is looked for a stop before the tracer sleeps in between. What is to stop may wait for this CPU, so it is
/// let go after each look.
const LOOKS: u32 = 200;
/// How long it sleeps then.
const NAP: Duration = Duration::from_micros(50);
/// After so many naps what has not stopped yet is asked for what it does; and again after as many.
const PATIENCE: u32 = 400;
/// So often that is done.
const ROUNDS: u32 = 25;

/// Threads that were stopped.
#[derive(Debug, Default)]
pub(super) struct Paused {
    /// Those that stopped, and why.
    pub stops: Vec<(StoppedThread, Stop)>,
    /// Those that ended meanwhile, and how.
    ended: Vec<(i32, Stop)>,
    /// Threads that sleep in the kernel where no signal reaches them. They stop before they execute an instruction of
    /// the program again, but where they stand cannot be told.
    pub asleep: Vec<i32>,
    /// Threads that neither stopped nor sleep so.
    pub missing: usize,
}

impl Paused {
    /// A thread has ended while it was stopped.
    pub fn end(&mut self, tid: i32, stop: Stop) {
        self.stops.retain(|(thread, _)| thread.tid() != tid);
        self.ended.push((tid, stop));
    }

    /// What waiting gave.
    pub fn into_news(self) -> impl Iterator<Item = Waited> {
        let stops = self.stops.into_iter();
        let stops = stops.map(|(thread, stop)| Waited::Stopped(thread, stop));
        let ended = self.ended.into_iter();
        stops.chain(ended.map(|(tid, stop)| Waited::Ended(tid, stop)))
    }

    /// Whether a process has been forked of which nothing is known yet.
    pub fn has_birth(&self, is_thread: impl Fn(&StoppedThread) -> bool) -> bool {
        self.stops.iter().any(|(thread, stop)| match stop {
            Stop::Child(ChildKind::Clone) => !is_thread(thread),
            Stop::Child(_) | Stop::Exec => true,
            _ => false,
        })
    }
}

impl Tracer {
    /// Stops all threads of an address space but `but`, which is stopped already.
    pub(super) fn pause(&mut self, space: SpaceId, but: Option<i32>) -> Paused {
        self.placement.cool(); // all of them wait for this thread
        let mut paused = Paused::default();
        let inside = |tracer: &Tracer, tid: i32| {
            let process = tracer.table.threads.get(&tid).map(|thread| thread.pid);
            let process = process.and_then(|pid| tracer.table.processes.get(&pid));
            process.is_some_and(|process| process.space == space)
        };
        for waited in std::mem::take(&mut self.deferred) {
            match waited {
                Waited::Stopped(thread, stop) if inside(self, thread.tid()) => {
                    paused.stops.push((thread, stop));
                }
                other => self.deferred.push_back(other),
            }
        }
        let stopped = |tid: &i32| paused.stops.iter().any(|(it, _)| it.tid() == *tid);
        let threads = self.table.threads.iter();
        let mut awaited: Vec<i32> = threads
            .filter(|(tid, thread)| {
                inside(self, **tid) && Some(**tid) != but && thread.phase != Phase::Newborn
            })
            .map(|(tid, _)| *tid)
            .filter(|tid| !stopped(tid) && !self.early.contains_key(tid))
            .collect();
        // ESRCH: it has ended, or is a leader that waits for its other threads.
        awaited.retain(|tid| sys::interrupt(*tid).is_ok());
        self.await_stops(&mut awaited, &mut paused);
        paused
    }

    fn await_stops(&mut self, awaited: &mut Vec<i32>, paused: &mut Paused) {
        for _ in 0..ROUNDS {
            for look in 0..LOOKS + PATIENCE {
                awaited.retain(|tid| !collect(*tid, paused));
                if awaited.is_empty() {
                    return;
                }
                match look < LOOKS {
                    true => std::thread::yield_now(),
                    false => std::thread::sleep(NAP),
                }
            }
            awaited.retain(|tid| {
                let pid = self.table.threads.get(tid).map_or(*tid, |it| it.pid);
                let stat = self.proc.stat(pid, *tid).if_found();
                let asleep = stat.is_some_and(|stat| stat.state == State::DiskSleep);
                if asleep {
                    paused.asleep.push(*tid);
                }
                !asleep
            });
        }
        paused.missing = awaited.len();
    }

    /// Deals with the stops that were kept, in the loop's next turns.
    pub(super) fn release(&mut self, paused: Paused) {
        self.deferred.extend(paused.into_news());
    }
}

/// Takes a thread's stop or end if there is one; whether nothing more is to be expected of it.
fn collect(tid: i32, paused: &mut Paused) -> bool {
    match sys::poll_one(tid) {
        Ok(None) => false,
        Ok(Some(status)) => {
            match Stop::from_status(status) {
                stop @ (Stop::Exited(_) | Stop::Killed(_)) => paused.ended.push((tid, stop)),
                stop => paused.stops.push((StoppedThread::new(tid), stop)),
            }
            true
        }
        Err(_) => true, // it has ended, and was told of
    }
}
