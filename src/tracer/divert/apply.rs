//! The moments in which a program's code changes: every thread of the address space stands still, and is put where it
//! has to be.

use std::ops::Range;
use std::sync::Arc;

use super::inject::{Refused, unmap};
use super::positions::{Position, stack};
use super::set_up::Ready;
use super::sites::Prepared;
use super::{Diversion, Diverted, Live};
use crate::fastpath::recording::Line;
use crate::fastpath::ring::{Owner, gate, wake_writers};
use crate::process::maps;
use crate::process::memory::ProcessMemory;
use crate::tracer::Tracer;
use crate::tracer::pause::Paused;
use crate::tracer::remote::Remote;
use crate::tracer::space::AddressSpace;
use crate::tracer::stopped::StoppedThread;
use crate::tracer::table::SpaceId;
use crate::tracer::wait::Stop;

impl Tracer {
    /// Diverts the sites for which everything is ready.
    pub(super) fn put_into_effect(
        &mut self,
        carrier: &StoppedThread,
        (pid, id): (i32, SpaceId),
        ready: Ready,
        memory: &ProcessMemory,
    ) -> Result<(), Refused> {
        let live = self.hand_over(pid, &ready);
        let paused = self.pause(id, Some(carrier.tid()));
        let Some(positions) = self.positions(pid, carrier, &paused, (&ready, &live.line), memory)
        else {
            // Other threads are in the way: another time.
            self.release(paused);
            drop(live);
            for Prepared { site, diverted, .. } in &ready.prepared {
                let (image, address) = (&diverted.image, diverted.address.0);
                let location = address.wrapping_sub(image.bias);
                let way = ("trap", vec!["other threads were in the way".to_owned()]);
                self.ledger.way(site.row, (&image.path, location), way);
            }
            return self.take_back(carrier, pid, &ready.mapped);
        };
        if let Some(owner) = self.owner() {
            owner.take(Arc::clone(&ready.file));
            self.diverter.held.push(Arc::clone(&ready.file));
        }
        // Before anything is written: a tail is right with and without the diversion.
        let everyone = paused.stops.iter().map(|(thread, _)| thread);
        for (thread, position) in everyone.chain([carrier]).zip(positions) {
            self.place(thread, position, &ready.prepared);
        }
        let header = ready.header.to_ne_bytes();
        let mut sites = Vec::new();
        let open = memory.write(ready.gate.saturating_add(gate::HEADER), &header);
        for prepared in ready.prepared {
            let change = &prepared.diverted.change.write;
            if open.is_ok() && write_site(&prepared.diverted, &change.new, memory) {
                sites.push(prepared.diverted);
            }
        }
        if let Some(space) = self.table.spaces.get_mut(&id) {
            space.diversions.push(Diversion {
                sites: sites.into(),
                mapped: ready.mapped,
                code: ready.code,
                gate: ready.gate,
                live: Some(live),
            });
        }
        self.leave_as_it_is(id);
        self.release(paused);
        Ok(())
    }

    /// The robust list of this thread, made when it is first needed.
    fn owner(&mut self) -> Option<&mut Owner> {
        if self.diverter.owner.is_none() {
            self.diverter.owner = Owner::new().ok();
        }
        self.give_up_words();
        self.diverter.owner.as_mut()
    }

    /// Gives up the words of files that nobody uses any more.
    pub(in crate::tracer) fn give_up_words(&mut self) {
        let (owner, held) = (&mut self.diverter.owner, &mut self.diverter.held);
        let used: Vec<_> = self
            .table
            .spaces
            .values()
            .flat_map(|space| &space.diversions)
            .filter_map(|diversion| Some(Arc::as_ptr(&diversion.live.as_ref()?.file)))
            .collect();
        held.retain(|file| {
            let kept = used.contains(&Arc::as_ptr(file));
            if let Some(owner) = owner.as_mut().filter(|_| !kept) {
                owner.leave(file);
            }
            kept
        });
    }

    /// Where each thread stands, the carrier last; `None` when the sites must not be changed now.
    fn positions(
        &mut self,
        pid: i32,
        carrier: &StoppedThread,
        paused: &Paused,
        (ready, line): (&Ready, &Line),
        memory: &ProcessMemory,
    ) -> Option<Vec<Position>> {
        let is_thread = |parent: &StoppedThread| {
            let child = parent.event_message().ok();
            let status = child.and_then(|child| self.proc.status(child).ok()?.found());
            status.is_some_and(|status| status.tgid == pid)
        };
        if paused.missing > 0 || !paused.asleep.is_empty() || paused.has_birth(is_thread) {
            return None;
        }
        let moving = ready.prepared.iter().map(|it| &it.diverted.change);
        let moving: Vec<_> = moving.filter(|it| !it.window.is_empty()).collect();
        let mappings = match moving.is_empty() {
            true => Vec::new(),
            false => maps::read(pid).ok()?,
        };
        let stops = paused.stops.iter();
        let stops = stops.map(|(thread, stop)| (thread, *stop));
        let mut positions = Vec::new();
        for (thread, stop) in stops.chain([(carrier, Stop::Other)]) {
            let position = Position::of(thread, stop);
            if let Some(position) = &position {
                let pointer = position.pointer();
                if let Some(record) = self.table.threads.get_mut(&thread.tid()) {
                    record.pointer = pointer;
                }
                line.identify(pointer, thread.tid());
                let sp = position.registers.general.get(self.arch.sp_index());
                let stack = stack(&mappings, *sp?, memory);
                if moving.iter().any(|change| change.is_remembered_in(&stack)) {
                    return None;
                }
            }
            // One that has been killed stands nowhere.
            positions.push(position.unwrap_or_default());
        }
        Some(positions)
    }

    /// Puts a thread that stands among changed bytes where what it was to execute is now.
    fn place(&self, thread: &StoppedThread, mut position: Position, sites: &[Prepared]) {
        if position.bytes == 0 || position.behind_breakpoint {
            return; // what stands behind a breakpoint is seen to when the breakpoint is
        }
        let Some(pc) = position
            .registers
            .general
            .get(self.arch.pc_index())
            .copied()
        else {
            return;
        };
        let mut sites = sites.iter().map(|it| &it.diverted);
        let moved = sites.find_map(|site| match site.retargets {
            true => (site.after_nop == pc).then_some(site.tail.address),
            false => site.change.moved(pc),
        });
        if let Some(moved) = moved {
            thread.note_departure(self.arch, &position.registers);
            if let Some(word) = position.registers.general.get_mut(self.arch.pc_index()) {
                *word = moved;
            }
            // ESRCH: it has been killed.
            let _ = thread.set_registers(&position.registers, position.bytes);
        }
    }

    /// Unmaps what was mapped in vain.
    fn take_back(
        &mut self,
        thread: &StoppedThread,
        pid: i32,
        mapped: &[Range<u64>],
    ) -> Result<(), Refused> {
        if let Some(at) = self.system_call_in(pid) {
            let remote = Remote::begin(thread, self.arch, at)?;
            for range in mapped {
                unmap(&remote, range)?;
            }
            remote.finish()?;
        }
        Ok(())
    }

    /// Undoes the diversions of an address space whose threads are all stopped: closes the gates and puts back every
    /// byte. What was mapped stays. Gives the tracer's ends, to be dropped when no thread is inside any more.
    pub(in crate::tracer) fn undivert(&mut self, id: SpaceId) -> Vec<Live> {
        let Some(space) = self.table.spaces.get_mut(&id) else {
            return Vec::new();
        };
        let Some(memory) = space.memory.clone() else {
            return Vec::new();
        };
        let mut ends = Vec::new();
        for diversion in &mut space.diversions {
            diversion.close(&memory);
            ends.extend(diversion.live.take());
        }
        self.give_up_words();
        for live in &ends {
            wake_writers((*live.file).as_ref(), &live.layout);
        }
        ends
    }

    /// Takes what was mapped out of a program again, once its diversions are undone: threads that are inside of it are
    /// led out first, by single steps. Where that does not succeed it stays: it does no harm.
    pub(in crate::tracer) fn clear_out(&mut self, pid: i32, id: SpaceId, paused: &mut Paused) {
        let Some(space) = self.table.spaces.get(&id) else {
            return;
        };
        let code: Vec<Range<u64>> = space
            .diversions
            .iter()
            .flat_map(|it| it.code.clone())
            .collect();
        let mapped = space.diversions.iter().flat_map(|it| it.mapped.clone());
        let mapped: Vec<Range<u64>> = mapped.collect();
        if mapped.is_empty() || !paused.asleep.is_empty() || paused.missing > 0 {
            return;
        }
        let Some(memory) = space.memory.clone() else {
            return;
        };
        let Ok(mappings) = maps::read(pid) else {
            return;
        };
        for (thread, stop) in &mut paused.stops {
            if !self.lead_out(thread, stop, &code, (&mappings, &memory)) {
                return;
            }
        }
        let Some(at) = self.system_call_in(pid) else {
            return;
        };
        // Not one that is about to get a signal: it would be lost.
        let carrier = paused.stops.iter().find(|(_, stop)| *stop == Stop::Trap);
        let Some((carrier, _)) = carrier else {
            return;
        };
        let tid = carrier.tid();
        let unmapped = Remote::begin(carrier, self.arch, at).and_then(|remote| {
            mapped.iter().try_for_each(|range| unmap(&remote, range))?;
            remote.finish()
        });
        match unmapped {
            Ok(()) => {
                if let Some(space) = self.table.spaces.get_mut(&id) {
                    let cleared = space.diversions.iter_mut();
                    cleared.for_each(|diversion| diversion.mapped.clear());
                }
            }
            Err(crate::tracer::remote::RemoteError::Ended(stop)) => paused.end(tid, stop),
            Err(crate::tracer::remote::RemoteError::Gone) => {}
        }
    }
}

/// Writes a site, whose breakpoint goes; whether it was as it had to be.
fn write_site(site: &Diverted, new: &[u8], memory: &ProcessMemory) -> bool {
    let write = &site.change.write;
    // A site whose bytes change behind the nop has its nop back.
    let nop_back = write.address != site.address.0;
    memory.write(write.address, new).is_ok()
        && (!nop_back || memory.write(site.address.0, &[site.nop]).is_ok())
}

impl Diversion {
    /// Closes the gate and puts back every site that is as it was made.
    pub(in crate::tracer) fn close(&self, memory: &ProcessMemory) {
        // What cannot be written is gone.
        let _ = memory.write(
            self.gate,
            &vec![0; usize::try_from(gate::BYTES).unwrap_or(0)],
        );
        for site in self.sites.iter() {
            site.put_back(memory);
        }
    }
}

impl Diverted {
    /// Whether it is diverted in a memory.
    pub(in crate::tracer) fn stands_in(&self, memory: &ProcessMemory) -> bool {
        let write = &self.change.write;
        memory.holds(write.address, &write.new) == Some(true)
    }

    /// Puts the site back, unless somebody else has changed it.
    pub(in crate::tracer) fn put_back(&self, memory: &ProcessMemory) -> bool {
        let write = &self.change.write;
        self.stands_in(memory) && memory.write(write.address, &write.old).is_ok()
    }
}

impl AddressSpace {
    /// In a forked child: makes its parent's diversions breakpoints again, where there were breakpoints before.
    pub(in crate::tracer) fn undivert_copy(&mut self, breakpoint: &[u8]) {
        let Some(memory) = self.memory.clone() else {
            return;
        };
        for diversion in std::mem::take(&mut self.diversions) {
            for site in diversion.sites.iter() {
                if site.put_back(&memory) && self.planted.contains_key(&site.address) {
                    let _ = memory.write(site.address.0, breakpoint); // its marker stays silent
                }
            }
            self.leftovers.extend(diversion.mapped);
        }
        self.attempts = Default::default();
    }
}
