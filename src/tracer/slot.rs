//! Instructions under breakpoints, carried out elsewhere: each gets a slot in memory that is mapped into the process
//! for that, with the instruction, relocated, and a jump behind where it came from. A thread that runs in a slot needs
//! no further attention, and other threads may pass the breakpoint meanwhile.
//!
//! The memory stays mapped when the tracer leaves: a thread, or the frame of a signal handler, may still be in it.

use ptpytrace_arch::{RELOCATED, ReadMemory};

use super::Tracer;
use super::remote::{Remote, RemoteError};
use super::stopped::StoppedThread;
use crate::address::RuntimeAddress;
use crate::process::maps::{self, Mapping};

/// How much is mapped at a time, in bytes: 4096 slots.
const AREA: u64 = 4096 * RELOCATED as u64;
/// A slot lies at most so far from its instruction: displacements have 32 bits.
const REACH: u64 = 0x7000_0000;
/// Nothing is mapped below this address (`vm.mmap_min_addr`).
const LOWEST: u64 = 1 << 16;

/// Where an area may be mapped, near an address: below something that is mapped, but not below a stack, which grows.
fn place_near(mappings: &[Mapping], near: u64) -> Option<u64> {
    let mut end = LOWEST;
    let mut best: Option<u64> = None;
    for mapping in mappings {
        let special = mapping
            .path
            .as_deref()
            .is_some_and(|path| path.as_os_str().as_encoded_bytes().starts_with(b"["));
        let candidate = mapping.start.0.checked_sub(AREA).filter(|at| *at >= end);
        if let Some(at) = candidate
            && !special
            && at.abs_diff(near) < REACH
            && best.is_none_or(|best| at.abs_diff(near) < best.abs_diff(near))
        {
            best = Some(at);
        }
        end = mapping.end.0;
    }
    best
}

impl Tracer {
    /// The slot of the instruction at a breakpoint, made if need be; `None` when there can be none.
    ///
    /// # Errors
    /// The thread has ended.
    pub(super) fn slot(
        &mut self,
        thread: &StoppedThread,
        site: RuntimeAddress,
    ) -> Result<Option<u64>, RemoteError> {
        let Some((space, _)) = self.table.space_of(thread.tid()) else {
            return Ok(None);
        };
        if let Some(known) = space.slots.of.get(&site) {
            return Ok(Some(*known));
        }
        let near = |(from, to): &(u64, u64)| {
            from.abs_diff(site.0) < REACH && to.saturating_sub(*from) >= RELOCATED as u64
        };
        if !space.slots.free.iter().any(near) && !self.map_area(thread, site.0)? {
            return Ok(None);
        }
        Ok(self.fill_slot(thread.tid(), site))
    }

    fn fill_slot(&mut self, tid: i32, site: RuntimeAddress) -> Option<u64> {
        let arch = self.arch;
        let pid = self.table.threads.get(&tid)?.pid;
        let id = self.table.processes.get(&pid)?.space;
        let space = self.table.spaces.get_mut(&id)?;
        let memory = space.memory.clone()?;
        let mut code = [0; 16];
        let read = memory.read(site.0, &mut code);
        let code = code.get_mut(..read)?;
        let original = &space.planted.get(&site)?.original;
        code.get_mut(..original.len())?.copy_from_slice(original);
        let near = |area: &&mut (u64, u64)| {
            area.0.abs_diff(site.0) < REACH && area.1.saturating_sub(area.0) >= RELOCATED as u64
        };
        let area = space.slots.free.iter_mut().find(near)?;
        let slot = area.0;
        let relocated = arch.relocate(code, site.0, slot)?;
        memory.write(slot, &relocated).ok()?;
        area.0 = slot.saturating_add(RELOCATED as u64);
        space.slots.of.insert(site, slot);
        Some(slot)
    }

    /// Maps memory for slots by a system call in the program; false when that is not possible.
    fn map_area(&mut self, thread: &StoppedThread, near: u64) -> Result<bool, RemoteError> {
        let Some(pid) = self.table.threads.get(&thread.tid()).map(|it| it.pid) else {
            return Ok(false);
        };
        if self.is_confined(thread.tid()) {
            return Ok(false); // a filter might kill the program for it
        }
        let place = maps::read(pid).ok();
        let place = place.and_then(|mappings| place_near(&mappings, near));
        let (Some(place), Some(at)) = (place, self.system_call_in(pid)) else {
            return Ok(false);
        };
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let arguments = [
            place,
            AREA,
            u64::from(protection.cast_unsigned()),
            u64::from(flags.cast_unsigned()),
            u64::MAX,
            0,
        ];
        // Should the tracer be killed now, the thread runs into the breakpoint again.
        self.step_back(thread)?;
        let remote = Remote::begin(thread, self.arch, at)?;
        let mapped = remote.call(libc::SYS_mmap, &arguments)?;
        remote.finish()?;
        let mapped = mapped.cast_unsigned() == place;
        let process = self.table.processes.get(&pid);
        if let Some(space) = process.and_then(|it| self.table.spaces.get_mut(&it.space))
            && mapped
        {
            space.slots.free.push((place, place.saturating_add(AREA)));
        }
        Ok(mapped)
    }

    /// Takes away a breakpoint that cannot be stepped over, and says so. The thread then runs the instruction in place.
    pub(super) fn give_up(&mut self, tid: i32, site: RuntimeAddress) {
        let Some(pid) = self.table.threads.get(&tid).map(|thread| thread.pid) else {
            return;
        };
        let Some(id) = self.table.processes.get(&pid).map(|process| process.space) else {
            return;
        };
        let breakpoint = self.arch.breakpoint();
        if let Some(space) = self.table.spaces.get_mut(&id)
            && let Some(memory) = space.memory.clone()
            && let Some(planted) = space.planted.get(&site)
        {
            planted.remove(site, breakpoint, &memory);
            let text = format!(
                "process {pid}: the function at {site} cannot be traced: its code cannot be run elsewhere"
            );
            self.outbox.notice(false, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(start: u64, end: u64, path: &str) -> Mapping {
        Mapping {
            start: RuntimeAddress(start),
            end: RuntimeAddress(end),
            readable: true,
            writable: false,
            executable: true,
            shared: false,
            offset: 0,
            device: (0, 0),
            inode: 0,
            path: Some(path.into()),
            deleted: false,
        }
    }

    #[test]
    fn areas_lie_near_and_not_below_stacks() {
        let mappings = [
            mapping(0x5555_5555_4000, 0x5555_5556_0000, "/x/program"),
            mapping(0x5555_5560_0000, 0x5555_5570_0000, "[heap]"),
            mapping(0x7fff_f000_0000, 0x7fff_f010_0000, "/x/library"),
            mapping(0x7fff_f020_0000, 0x7fff_f030_0000, "[stack]"),
        ];
        let near = |address| place_near(&mappings, address);
        assert_eq!(near(0x5555_5555_8000), Some(0x5555_5555_4000 - AREA));
        assert_eq!(near(0x7fff_f000_8000), Some(0x7fff_f000_0000 - AREA));
        assert_eq!(near(0x1000_0000_0000), None);
        assert_eq!(place_near(&[], 0x1000), None);
    }
}
