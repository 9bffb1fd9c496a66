//! What the threads of a running process want of their signals, learned when hold is taken of it.
//!
//! A thread may change its mask at any moment. So all of them stand still from when it is read until changes of it are
//! seen ([`Tracer::watch_signals`]): otherwise the tracer would put back, behind a breakpoint, a mask that the program
//! no longer has.

use std::ops::Range;
use std::time::Duration;

use ptpytrace_arch::Registers;

use super::pause::Paused;
use super::sigtrap::{self, Watched};
use super::state::Phase;
use super::stopped::StoppedThread;
use super::table::SpaceId;
use super::wait::{self, ChildKind, Stop, Waited};
use super::{Tracer, monotonic, sys};
use crate::address::RuntimeAddress;
use crate::fastpath::guard::shield::Shield;
use crate::process::maps::{self, MappedImage};

/// So often a thread that is just changing its mask is let run on.
const ROUNDS: u32 = 4;
/// How long it is waited for then: it has a few instructions to go.
const PATIENCE: Duration = Duration::from_millis(10);
/// So often a process whose threads stopped for reasons of their own is stopped again for its shield.
const TRIES: u32 = 8;
/// For how long (ns) the shield is waited for at most: a busy machine may not let a thread run sooner. And how long it
/// is slept in between.
const LONGEST: u64 = 1_000_000_000;
const LOOK: Duration = Duration::from_micros(50);

impl Tracer {
    /// Learns it, and raises the shield where that is wanted. When breakpoints are to come (`armed`), changes are
    /// watched from here on.
    pub(super) fn learn_signals(&mut self, pid: i32, space: SpaceId, armed: bool) {
        let scan = maps::mapped_images(pid, &mut self.cache);
        let images = scan.map(|scan| scan.images).unwrap_or_default();
        self.learn_sigtrap(pid, pid);
        self.find_shield(pid);
        let places = mask_changes(&images);
        self.warm_up();
        let mut paused = self.pause_and_shield(pid, space, &places);
        for _ in 0..TRIES {
            if !self.may_be_shielded_later(pid, &paused) {
                break;
            }
            self.stop_again(&paused);
            self.go_on(paused);
            paused = self.pause_and_shield(pid, space, &places);
        }
        let new_program = paused.stops.iter().any(|(thread, stop)| {
            let record = self.table.threads.get(&thread.tid());
            *stop == Stop::Exec && record.is_none_or(|record| record.pid == pid)
        });
        if armed
            && !new_program
            && let Some(mut record) = self.table.spaces.remove(&space)
        {
            self.watch_signals(&mut record, &images);
            self.table.spaces.insert(space, record);
        }
        self.stop_again(&paused);
        self.go_on(paused);
        if armed {
            self.await_shield(pid);
        }
    }

    /// Stops all threads, learns their masks, and raises the shield by the first that can.
    fn pause_and_shield(&mut self, pid: i32, space: SpaceId, places: &[Range<u64>]) -> Paused {
        let mut paused = self.pause(space, None);
        for _ in 0..ROUNDS {
            if !self.let_them_finish(&mut paused, places) {
                break;
            }
        }
        for (tid, pid) in self.table.threads_in(space) {
            self.learn_sigtrap(pid, tid);
        }
        self.know_shield(pid);
        for (thread, _) in &paused.stops {
            self.learn_mask(thread);
        }
        // A thread that has ended was told of.
        paused
            .stops
            .retain(|(thread, stop)| *stop != Stop::Trap || self.shield(thread).is_ok());
        paused
    }

    /// Whether a process has no shield because its threads stopped for reasons of their own, as one that has just forked:
    /// such a thread can raise it at its next stop.
    fn may_be_shielded_later(&self, pid: i32, paused: &Paused) -> bool {
        let own = |stop: &Stop| {
            use ChildKind::{Clone, Fork};
            matches!(stop, Stop::Child(Fork | Clone) | Stop::Signal(_))
        };
        self.lacks_shield(pid).is_some() && paused.stops.iter().any(|(_, stop)| own(stop))
    }

    /// Uses what makes tables for itself when it is first used: no thread is to wait for that.
    fn warm_up(&self) {
        const PUSH: u8 = 0x55;
        let _ = self.arch.relocate(&[PUSH], 0, 0);
        let _ = Shield::assemble(0);
    }

    /// Threads within a function that changes masks may have done so or not. They are let run on, and stopped again;
    /// whether there were any.
    fn let_them_finish(&self, paused: &mut Paused, places: &[Range<u64>]) -> bool {
        let within = |thread: &StoppedThread| {
            let mut registers = Registers::default();
            let pc = self.arch.pc_index();
            thread.registers(&mut registers).is_ok()
                && registers
                    .general
                    .get(pc)
                    .is_some_and(|pc| places.iter().any(|it| it.contains(pc)))
        };
        let stops = std::mem::take(&mut paused.stops);
        let (busy, idle): (Vec<_>, Vec<_>) = stops
            .into_iter()
            .partition(|(thread, stop)| *stop == Stop::Trap && within(thread));
        paused.stops = idle;
        let any = !busy.is_empty();
        for (thread, _) in busy {
            let tid = thread.tid();
            thread.resume(0);
            let _ = sys::interrupt(tid); // it may have ended
            match wait::wait_for(tid, PATIENCE) {
                Waited::Stopped(thread, stop) => paused.stops.push((thread, stop)),
                Waited::Ended(tid, stop) => paused.end(tid, stop),
                Waited::Interrupted | Waited::NoChildren => {} // it will stop
            }
        }
        any
    }

    /// A thread that stopped for a reason of its own, as one that has just forked, has used up what it was told: it is to
    /// stop once more before it executes anything, and to raise the shield then.
    fn stop_again(&self, paused: &Paused) {
        let stops = paused.stops.iter();
        for (thread, _) in stops.filter(|(_, stop)| !matches!(stop, Stop::Trap | Stop::Group(_))) {
            let _ = sys::interrupt(thread.tid()); // it may have been killed
        }
    }

    /// Before breakpoints come the shield is waited for while a thread may still raise it. One that waits for its vfork
    /// child does not stop.
    fn await_shield(&mut self, pid: i32) {
        let begun = monotonic();
        let waited = || monotonic().saturating_sub(begun);
        while self.may_be_shielded(pid) && waited() < LONGEST {
            match wait::wait(false) {
                Waited::NoChildren => return,
                Waited::Interrupted => std::thread::sleep(LOOK),
                news => self.take_news(news),
            }
        }
    }

    /// Whether a process lacks a shield and has a thread that runs with SIGTRAP unblocked.
    fn may_be_shielded(&self, pid: i32) -> bool {
        let mut threads = self.table.threads.values();
        self.lacks_shield(pid).is_some()
            && threads.any(|it| it.pid == pid && it.phase == Phase::Running && !it.blocks_sigtrap)
    }

    /// Deals with the stops at once: what comes next takes longer than the program should have to wait.
    fn go_on(&mut self, paused: Paused) {
        for waited in paused.into_news() {
            self.take_news(waited);
        }
    }
}

/// Where the functions lie that change masks.
fn mask_changes(images: &[MappedImage]) -> Vec<Range<u64>> {
    let names = sigtrap::FUNCTIONS.into_iter();
    let names = names.filter(|(_, watched)| *watched == Watched::Mask);
    let places = names.flat_map(|(name, _)| {
        let libraries = images.iter().filter(|it| sigtrap::is_c_library(&it.image));
        libraries.filter_map(move |mapped| {
            let symbol = mapped.image.symbol(name)?;
            let RuntimeAddress(start) = mapped.bias.apply(symbol.address);
            Some(start..start.saturating_add(symbol.size))
        })
    });
    places.collect()
}
