//! Who is traced: threads, the processes that they make up, the address spaces that those live in.

use std::collections::VecDeque;
use std::sync::Arc;

use ptpytrace_arch::Registers;
use rustc_hash::FxHashMap;

use super::divert::Diversion;
use super::faults::FaultDispositions;
use super::function::Pending;
use super::happening::Happening;
use super::placement::ThreadPlacement;
use super::shield::Shielding;
use super::sigtrap::Disposition;
use super::site::Site;
use super::space::AddressSpace;
use super::state::Phase;
use crate::event::Ids;

/// So many address spaces that nobody lives in any more are remembered.
const MOST_LEFT_BEHIND: usize = 16;

/// A traced thread.
#[derive(Debug)]
pub struct Thread {
    /// Its process.
    pub pid: i32,
    /// Where it is in its life.
    pub phase: Phase,
    /// The registers at its last breakpoint: a SIGTRAP with the very same ones may be somebody's signal.
    pub last: Registers,
    /// Its name, and until when that is believed (CLOCK_MONOTONIC, ns).
    pub comm: (Arc<str>, u64),
    /// Its process's ids, and until when they are believed (CLOCK_MONOTONIC, ns).
    pub ids: (Ids, u64),
    /// It was told that it ends.
    pub ending: bool,
    /// The returns of functions that it will make.
    pub returns: Vec<Pending>,
    /// The system call that it is in, where such are followed.
    pub in_call: Option<u64>,
    /// It has SIGTRAP blocked, as far as it knows.
    pub blocks_sigtrap: bool,
    /// Which signals of faults it has blocked, as far as it knows, as bits of a mask.
    pub blocked_faults: u64,
    /// Its thread pointer, once it has a ring; 0 before.
    pub pointer: u64,
    /// How hot it runs, and where.
    pub placement: ThreadPlacement,
}

impl Thread {
    /// A thread that has not been heard of yet.
    pub fn new(pid: i32, phase: Phase) -> Thread {
        Thread {
            pid,
            phase,
            last: Registers::default(),
            comm: (Arc::from(""), 0),
            ids: (Ids::default(), 0),
            ending: false,
            returns: Vec::new(),
            in_call: None,
            blocks_sigtrap: false,
            blocked_faults: 0,
            pointer: 0,
            placement: ThreadPlacement::default(),
        }
    }
}

/// A traced process.
#[derive(Debug)]
pub struct Process {
    /// Its address space.
    pub space: SpaceId,
    /// Whether its events are wanted; otherwise it is only kept from harm until it can be let go.
    pub followed: bool,
    /// What it wants done about SIGTRAP.
    pub sigtrap: Disposition,
    /// What it wants done about faults.
    pub faults: FaultDispositions,
    /// The handler of SIGTRAP that stands in for it.
    pub shield: Shielding,
    /// How many of its threads are traced.
    pub threads: usize,
    /// What may happen to it, with its site where it is asked for.
    pub happenings: FxHashMap<Happening, Option<Arc<Site>>>,
    /// Whether its system calls are wanted, once that was asked.
    pub wants_calls: Option<bool>,
    /// It counts as one in which something is armed.
    pub counted: bool,
    /// It was told that it has started.
    pub started: bool,
}

/// Names an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpaceId(u64);

/// All that is traced.
#[derive(Debug, Default)]
pub struct Table {
    /// By thread id.
    pub threads: FxHashMap<i32, Thread>,
    /// By process id.
    pub processes: FxHashMap<i32, Process>,
    /// By number.
    pub spaces: FxHashMap<SpaceId, AddressSpace>,
    /// Those that nobody lives in any more, the last few: a child of a killed process may turn up with a copy.
    pub left_behind: VecDeque<AddressSpace>,
    /// What the guard calls the address spaces that are gone.
    pub released: Vec<u64>,
    next_space: u64,
}

impl Table {
    /// Adds an address space in which no process lives yet.
    pub fn add_space(&mut self, mut space: AddressSpace) -> SpaceId {
        self.next_space = self.next_space.wrapping_add(1);
        let id = SpaceId(self.next_space);
        space.users = 0;
        space.protected.key = self.next_space;
        self.spaces.insert(id, space);
        id
    }

    /// Adds a process without threads.
    pub fn add_process(&mut self, pid: i32, space: SpaceId, followed: bool) {
        if let Some(space) = self.spaces.get_mut(&space) {
            space.users += 1;
        }
        let process = Process {
            space,
            followed,
            sigtrap: Disposition::default(),
            faults: FaultDispositions::default(),
            shield: Shielding::default(),
            threads: 0,
            happenings: FxHashMap::default(),
            wants_calls: None,
            counted: false,
            started: false,
        };
        if let Some(old) = self.processes.insert(pid, process) {
            self.release_space(old.space);
        }
    }

    /// Adds a thread to a process that is there.
    pub fn add_thread(&mut self, tid: i32, pid: i32, phase: Phase) {
        let old = self.threads.insert(tid, Thread::new(pid, phase));
        if old.is_none_or(|old| old.pid != pid)
            && let Some(process) = self.processes.get_mut(&pid)
        {
            process.threads += 1;
        }
    }

    /// Removes a thread, with its process when it was the last, and gives the process id.
    pub fn remove_thread(&mut self, tid: i32) -> Option<i32> {
        let thread = self.threads.remove(&tid)?;
        if let Some(process) = self.processes.get_mut(&thread.pid) {
            process.threads = process.threads.saturating_sub(1);
            if process.threads == 0 {
                self.remove_process(thread.pid);
            }
        }
        Some(thread.pid)
    }

    /// Removes a process that has no threads, with its address space when nobody else lives there.
    pub fn remove_process(&mut self, pid: i32) {
        if let Some(process) = self.processes.remove(&pid) {
            self.release_space(process.space);
        }
    }

    /// Gives a process a new, empty address space: it has called exec.
    pub fn renew_space(&mut self, pid: i32) -> Option<SpaceId> {
        let old = self.processes.get(&pid)?.space;
        let new = self.add_space(AddressSpace::default());
        if let Some(space) = self.spaces.get_mut(&new) {
            space.users = 1;
        }
        self.processes.get_mut(&pid)?.space = new;
        self.release_space(old);
        Some(new)
    }

    /// The address space of a thread, and whether its events are wanted.
    pub fn space_of(&self, tid: i32) -> Option<(&AddressSpace, bool)> {
        let process = self.processes.get(&self.threads.get(&tid)?.pid)?;
        Some((self.spaces.get(&process.space)?, process.followed))
    }

    /// The thread ids of a process.
    pub fn threads_of(&self, pid: i32) -> Vec<i32> {
        self.threads
            .iter()
            .filter(|(_, thread)| thread.pid == pid)
            .map(|(tid, _)| *tid)
            .collect()
    }

    /// The threads that run in an address space, each with its process's id.
    pub fn threads_in(&self, space: SpaceId) -> Vec<(i32, i32)> {
        let inside = |pid: &i32| self.processes.get(pid).is_some_and(|it| it.space == space);
        let threads = self.threads.iter().map(|(tid, thread)| (*tid, thread.pid));
        threads.filter(|(_, pid)| inside(pid)).collect()
    }

    fn release_space(&mut self, id: SpaceId) {
        if let Some(space) = self.spaces.get_mut(&id) {
            space.users = space.users.saturating_sub(1);
            if space.users == 0
                && let Some(space) = self.spaces.remove(&id)
            {
                self.released.push(id.0);
                self.leave_behind(space);
            }
        }
    }

    fn leave_behind(&mut self, mut space: AddressSpace) {
        if !space.planted.is_empty() {
            space.memory = None; // it is gone
            space.diversions.iter_mut().for_each(Diversion::end);
            self.left_behind.truncate(MOST_LEFT_BEHIND - 1);
            self.left_behind.push_front(space);
        }
    }
}
