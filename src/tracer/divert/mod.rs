//! Sites that record their events without a trap ([`crate::fastpath`]): which, when, and what undoes them.
//!
//! Sites are armed with breakpoints first. While those serve the program its file is surveyed on another thread; when that
//! is done and the program has run into breakpoints a few times, the sites are diverted, all of an address space at once,
//! by the thread that has just stopped: it maps what is needed, every other thread is stopped for the moment of the
//! writes, and the consumer gets the rings. What cannot be diverted stays a breakpoint.
//!
//! A forked child has its parent's diversions in its memory, with a gate that the kernel has emptied: its sites are made
//! breakpoints again before it runs, and are diverted anew when it turns out to be worth it.

mod apply;
mod inject;
mod positions;
mod set_up;
mod sites;
mod survey;
mod threads;

use std::ops::Range;
use std::sync::Arc;

use self::inject::{Injector, Refused};
use self::sites::Candidate;
pub(super) use self::sites::OfAgent;
use self::survey::Surveys;
use super::Tracer;
use super::options::Engine;
use super::remote::Remote;
use super::space::{AddressSpace, ImageId};
use super::stopped::StoppedThread;
use super::table::SpaceId;
use crate::address::RuntimeAddress;
use crate::fastpath::diversion::{Change, Tail};
use crate::fastpath::recorder::Fixup;
use crate::fastpath::recording::Line;
use crate::fastpath::ring::{self, Layout, Owner};
use crate::process::maps;
use crate::process::memory::ProcessMemory;

/// So many hits make a program's sites worth diverting.
const WORTH: u32 = 24;
/// After an attempt that other threads came in the way of, so many hits are waited for.
const AGAIN: u32 = 64;
/// So often it is tried.
const ATTEMPTS: u32 = 64;
/// Sites so far apart, in bytes, can be served from one place.
const NEAR: u64 = 1 << 30;
/// How many threads of a process can have a ring, where rings are not large.
const RINGS: u32 = 512;
/// So many bytes of address space may all rings together have; and so many threads can have one even so.
const SPACE: u64 = 8 << 30;
const FEWEST: u32 = 8;

/// What the tracer keeps for all programs.
#[derive(Debug, Default)]
pub struct Diverter {
    surveys: Surveys,
    /// Made when it is first needed, on the tracer's thread.
    owner: Option<Owner>,
    /// The files whose words the owner holds.
    held: Vec<Arc<ring::Mapping>>,
}

/// A site that was diverted, with what undoes it.
#[derive(Clone, Debug)]
pub struct Diverted {
    /// The site.
    pub address: RuntimeAddress,
    /// The image that it lies in.
    pub image: ImageId,
    /// The first byte of the nop.
    pub nop: u8,
    /// Where the nop ends.
    pub after_nop: u64,
    /// A jump behind the nop was led elsewhere.
    pub retargets: bool,
    /// What was written.
    pub change: Change,
    /// How its code ends.
    pub tail: Tail,
    /// Where its code may fault.
    pub fixups: Vec<Fixup>,
}

/// Sites of an address space that were diverted together.
#[derive(Debug)]
pub struct Diversion {
    pub(super) sites: Arc<[Diverted]>,
    /// What was mapped into the program.
    pub(super) mapped: Vec<Range<u64>>,
    /// That of it that is code.
    pub(super) code: Vec<Range<u64>>,
    pub(super) gate: u64,
    /// It is in effect.
    pub(super) live: Option<Live>,
}

/// The tracer's ends of a diversion in effect.
#[derive(Debug)]
pub(super) struct Live {
    pub line: Arc<Line>,
    pub file: Arc<ring::Mapping>,
    pub layout: Layout,
}

/// Nothing more will be recorded: the program was left, or has gone.
impl Drop for Live {
    fn drop(&mut self) {
        self.line.end();
    }
}

/// What was tried in an address space.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    hits: u32,
    next: u32,
    made: u32,
    /// What is armed now was found unfit, or cannot be diverted.
    settled: usize,
    /// There is more than could be diverted at once.
    more: bool,
}

impl Diversion {
    /// Forgets sites in images that are no longer mapped.
    pub fn keep_only(&mut self, present: &[ImageId]) {
        if self.sites.iter().any(|site| !present.contains(&site.image)) {
            let sites = self.sites.iter().cloned();
            self.sites = sites.filter(|it| present.contains(&it.image)).collect();
        }
    }

    /// Nothing more is recorded.
    pub fn end(&mut self) {
        self.live = None;
    }

    /// What a forked child has of it.
    pub fn copy(&self) -> Diversion {
        Diversion {
            sites: Arc::clone(&self.sites),
            mapped: self.mapped.clone(),
            code: self.code.clone(),
            gate: self.gate,
            live: None,
        }
    }
}

impl AddressSpace {
    /// The diversion of a site.
    pub(super) fn diverted(&self, address: RuntimeAddress) -> Option<&Diverted> {
        let mut sites = self.diversions.iter().flat_map(|it| it.sites.iter());
        sites.find(|site| site.address == address)
    }

    /// Whether an address is the nop of an injected marker.
    fn is_injected(&self, address: RuntimeAddress) -> bool {
        let injection = self.injection.as_deref();
        injection.is_some_and(|it| it.site(address) != OfAgent::No)
    }

    /// Whether nothing can be diverted before the survey of some file is done: what is injected needs none.
    fn awaits_survey(&self, surveys: &mut Surveys) -> bool {
        let mut pending = false;
        for (address, planted) in self.undiverted() {
            if self.is_injected(address) {
                return false;
            }
            pending |= surveys.is_pending(&planted.image.path);
        }
        pending
    }

    /// Where a thread goes on that has run into the breakpoint of a site before that was diverted; `None` where it was
    /// not, and where the site is as it was and what it was led to has been unmapped.
    pub(super) fn tail(&self, address: RuntimeAddress) -> Option<u64> {
        let mapped = self.diversions.iter().filter(|it| !it.mapped.is_empty());
        let mut sites = mapped.flat_map(|it| it.sites.iter());
        let site = sites.find(|site| site.address == address)?;
        Some(site.tail.address)
    }

    /// The consumer's lines of the diversions in effect.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Arc<Line>> {
        let live = self.diversions.iter().filter_map(|it| it.live.as_ref());
        live.map(|live| &live.line)
    }
}

impl Tracer {
    /// An image with wanted markers has been armed: it is looked at meanwhile whether they can be diverted.
    pub(super) fn survey(&mut self, mapped: &maps::MappedImage) {
        if self.options.engine != Engine::Trap {
            self.diverter.surveys.begin(&mapped.path, &mapped.image);
        }
    }

    /// A thread has run into a marker's breakpoint and stands behind it: diverts the sites of its address space if that
    /// is worth it. `None` when the thread has ended meanwhile.
    pub(super) fn consider_diversion(&mut self, thread: StoppedThread) -> Option<StoppedThread> {
        let tid = thread.tid();
        let Some((pid, space)) = self.worth_diverting(tid) else {
            return Some(thread);
        };
        match self.divert(&thread, pid, space) {
            Ok(()) => Some(thread),
            Err(Refused::Remote(error)) => {
                self.survived(&thread, Err(error)).ok()?;
                None
            }
            Err(error) => {
                let text = format!("process {pid}: its markers stay breakpoints: {error}");
                self.outbox.notice(true, text);
                self.leave_as_it_is(space);
                Some(thread)
            }
        }
    }

    fn worth_diverting(&mut self, tid: i32) -> Option<(i32, SpaceId)> {
        let force = self.options.engine == Engine::Jump;
        if self.options.engine == Engine::Trap || self.leaving || !self.deferred.is_empty() {
            return None;
        }
        let pid = self.table.threads.get(&tid)?.pid;
        let process = self.table.processes.get(&pid)?;
        let (id, followed) = (process.space, process.followed);
        let space = self.table.spaces.get_mut(&id)?;
        let attempts = &mut space.attempts;
        attempts.hits = attempts.hits.saturating_add(1);
        let due = attempts.hits >= attempts.next.max(if force { 1 } else { WORTH });
        let open = attempts.made < ATTEMPTS && attempts.settled != space.planted.len();
        let alone = space.users == 1;
        (due && open && alone && followed).then_some((pid, id))
    }

    /// Nothing more is tried until something else is armed.
    fn leave_as_it_is(&mut self, space: SpaceId) {
        if let Some(space) = self.table.spaces.get_mut(&space) {
            let attempts = &mut space.attempts;
            match std::mem::take(&mut attempts.more) {
                true => attempts.next = attempts.hits,
                false => attempts.settled = space.planted.len(),
            }
        }
    }

    /// Diverts what can be diverted.
    fn divert(&mut self, thread: &StoppedThread, pid: i32, id: SpaceId) -> Result<(), Refused> {
        let Some(memory) = self.table.spaces.get(&id).and_then(|it| it.memory.clone()) else {
            return Ok(());
        };
        let Some(candidates) = self.candidates(pid, id, &memory) else {
            return Ok(()); // the survey is not done yet
        };
        if let Some(space) = self.table.spaces.get_mut(&id) {
            space.attempts.made = space.attempts.made.saturating_add(1);
            space.attempts.next = space.attempts.hits.saturating_add(AGAIN);
        }
        if candidates.is_empty() {
            self.leave_as_it_is(id);
            return Ok(());
        }
        let at = self.way_for_calls(pid);
        let wanted: Vec<_> = candidates.iter().map(Candidate::place).collect();
        let result = at.and_then(|at| self.divert_now(thread, (pid, id, at), candidates, &memory));
        if let Err(error) = &result {
            for (row, image, location) in &wanted {
                let way = ("trap", vec![error.to_string()]);
                self.ledger.way(*row, (&image.path, *location), way);
            }
        }
        result
    }

    /// Where the threads of a process may make system calls.
    fn way_for_calls(&mut self, pid: i32) -> Result<u64, Refused> {
        let mut threads = self.table.threads_of(pid).into_iter();
        if threads.any(|tid| self.is_confined(tid)) {
            return Err(Refused::Confined);
        }
        self.system_call_in(pid).ok_or(Refused::NoSystemCall)
    }

    fn divert_now(
        &mut self,
        thread: &StoppedThread,
        (pid, id, at): (i32, SpaceId, u64),
        candidates: Vec<Candidate>,
        memory: &ProcessMemory,
    ) -> Result<(), Refused> {
        self.placement.cool(); // the program waits for this thread
        let remote = Remote::begin(thread, self.arch, at)?;
        let mut injector = Injector {
            remote: &remote,
            memory,
            mapped: Vec::new(),
        };
        let result = self.set_up(&mut injector, pid, id, candidates);
        let result = match result {
            Ok(Some(ready)) => {
                remote.finish()?;
                return self.put_into_effect(thread, (pid, id), ready, memory);
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if !matches!(result, Err(Refused::Remote(_))) {
            injector.undo();
            remote.finish()?;
        }
        result
    }

    /// The breakpoints that may be diverted now, those in files that are not known yet another time; `None` when that is all
    /// of them. What stays a breakpoint is told with its reason.
    fn candidates(
        &mut self,
        pid: i32,
        id: SpaceId,
        memory: &ProcessMemory,
    ) -> Option<Vec<Candidate>> {
        let wait = self.options.engine == Engine::Jump;
        let surveys = &mut self.diverter.surveys;
        let space = self.table.spaces.get(&id)?;
        // Found out before the process is looked at: until then every hit comes here.
        if !wait && space.awaits_survey(surveys) {
            return None;
        }
        let scan = maps::mapped_images(pid, &mut self.cache).ok()?;
        let mut found = Vec::new();
        let mut refused = Vec::new();
        let mut later = false;
        for mapped in &scan.images {
            let image = ImageId::of(mapped);
            let here = space.undiverted().filter(|(_, it)| it.image == image);
            let (injected, native): (Vec<_>, Vec<_>) =
                here.partition(|(address, _)| space.is_injected(*address));
            let facts = match native.is_empty() {
                true => None,
                false => surveys.facts(&mapped.path, &mapped.image, wait),
            };
            later |= facts.is_none() && !native.is_empty();
            let native = native.into_iter().filter(|_| facts.is_some());
            let unknown = Arc::default();
            let facts = facts.as_ref().unwrap_or(&unknown);
            let injection = space.injection.as_deref();
            for site in native.chain(injected) {
                let of_agent = injection.map_or(OfAgent::No, |it| it.site(site.0));
                match sites::candidate(site, (facts, of_agent), memory) {
                    Ok(candidate) => found.push(candidate),
                    Err(reason) => refused.push((site.0, site.1, reason)),
                }
            }
        }
        if later && found.is_empty() {
            return None;
        }
        for (address, planted, reason) in refused {
            for site in &planted.purpose.markers {
                let location = address.0.wrapping_sub(planted.image.bias);
                let why = vec![reason.to_string()];
                self.ledger
                    .way(site.row, (&planted.image.path, location), ("trap", why));
            }
        }
        found.sort_unstable_by_key(|candidate| candidate.address);
        // Those that are far away have code of their own: the next time.
        let near = found
            .first()
            .map(|first| first.address.0.saturating_add(NEAR));
        let all = found.len();
        found.retain(|candidate| Some(candidate.address.0) <= near);
        if (found.len() < all || later)
            && let Some(space) = self.table.spaces.get_mut(&id)
        {
            space.attempts.more = true;
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests;
