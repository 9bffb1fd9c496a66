//! One address space and what was changed in it: breakpoints and semaphores, each with what undoes it.
//!
//! Several processes may share an address space (vfork, `clone` with CLONE_VM); after a fork the child has a copy,
//! changes included, and so a copy of this record.

use std::ops::Range;
use std::sync::Arc;

use ptpytrace_arch::HookStep;
use rustc_hash::FxHashMap;

use super::divert::{Attempts, Diversion};
use super::function::{FunctionSite, Slots};
use super::injection::{AgentPoint, Injection};
use super::protect::Protected;
use super::semaphore::Raised;
use super::sigtrap::Watched;
use super::site::Site;
use crate::address::RuntimeAddress;
use crate::process::maps::MappedImage;
use crate::process::memory::ProcessMemory;

/// Why a breakpoint is where it is; several reasons may meet at one address.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// Markers whose sites share this nop (nearly always one).
    pub markers: Vec<Arc<Site>>,
    /// Functions that begin here (nearly always one).
    pub functions: Vec<Arc<FunctionSite>>,
    /// Functions return to here.
    pub returns: bool,
    /// The dynamic linker calls this function when it has mapped or unmapped something.
    pub linker: bool,
    /// One of the C library's functions for dispositions and masks.
    pub signals: Option<Watched>,
    /// A step of an injection.
    pub agent: Option<AgentPoint>,
}

impl Purpose {
    /// Adds what another purpose has.
    pub fn add(&mut self, other: Purpose) {
        self.markers.extend(other.markers);
        self.functions.extend(other.functions);
        self.returns |= other.returns;
        self.linker |= other.linker;
        self.signals = self.signals.or(other.signals);
        self.agent = self.agent.or(other.agent);
    }

    /// Whether it waits for an interpreter to come by, and for nothing else.
    pub fn is_entrance(&self) -> bool {
        let other = self.linker || self.returns || self.signals.is_some() || self.is_probe();
        self.agent == Some(AgentPoint::Entrance) && !other
    }

    /// Whether something else is to be done than to fire markers.
    pub fn is_more_than_markers(&self) -> bool {
        let other = self.linker || self.returns || !self.functions.is_empty();
        other || self.signals.is_some() || self.agent.is_some()
    }

    /// Whether it is more than the tracer's own bookkeeping.
    pub fn is_probe(&self) -> bool {
        !self.markers.is_empty() || !self.functions.is_empty()
    }
}

/// A breakpoint in the program's code.
#[derive(Clone, Debug)]
pub struct Planted {
    /// The bytes that it covers.
    pub original: Vec<u8>,
    /// How to go on behind it; `None` when its instruction has to be run in a slot.
    pub after: Option<HookStep>,
    /// What it is for.
    pub purpose: Arc<Purpose>,
    /// Which image it lies in (see [`AddressSpace::images`]).
    pub image: ImageId,
}

/// Identifies a mapped image: where it lies and which file it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageId {
    /// The load bias.
    pub bias: u64,
    /// The path as the process names it.
    pub path: std::path::PathBuf,
}

impl ImageId {
    /// The identity of a mapped image.
    pub fn of(mapped: &MappedImage) -> ImageId {
        ImageId {
            bias: mapped.bias.0,
            path: mapped.path.clone(),
        }
    }
}

/// An address space and what was changed in it.
#[derive(Debug, Default)]
pub struct AddressSpace {
    /// Its memory; `None` until a forked child's first stop, or when it could not be opened.
    pub memory: Option<Arc<ProcessMemory>>,
    /// The images that were looked through.
    pub images: Vec<ImageId>,
    /// Breakpoints by the site's address. They stay here when they have been removed, because a thread may have run
    /// into one before that.
    pub planted: FxHashMap<RuntimeAddress, Planted>,
    /// Raised semaphores.
    pub raised: Vec<Raised>,
    /// Where a system call instruction stands, once one was needed.
    pub system_call: Option<u64>,
    /// Where code of images lies.
    pub code: Vec<(Range<RuntimeAddress>, ImageId)>,
    /// Where instructions under breakpoints are carried out instead.
    pub slots: Slots,
    /// The markers that are injected.
    pub injection: Option<Box<Injection>>,
    /// Sites that record without a trap.
    pub diversions: Vec<Diversion>,
    /// What was tried to that end.
    pub attempts: Attempts,
    /// What a forked child has of its parent's diversions: pages of no use.
    pub leftovers: Vec<Range<u64>>,
    /// How many processes live in it.
    pub users: usize,
    /// For which process it was looked through.
    pub owner: i32,
    /// What the guard knows of it.
    pub protected: Protected,
}

/// What could not be put back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Residue {
    /// Addresses whose bytes or counters could not be written.
    pub failed: Vec<RuntimeAddress>,
}

impl AddressSpace {
    /// The record of a child's copy of this space. Its memory is opened at the child's first stop.
    pub fn copy(&self) -> AddressSpace {
        AddressSpace {
            memory: None,
            images: self.images.clone(),
            planted: self.planted.clone(),
            raised: self.raised.clone(),
            system_call: self.system_call,
            code: self.code.clone(),
            slots: self.slots.clone(),
            injection: self.injection.as_ref().map(|it| Box::new(it.copy())),
            diversions: self.diversions.iter().map(Diversion::copy).collect(),
            attempts: Attempts::default(),
            leftovers: self.leftovers.clone(),
            users: 1,
            owner: self.owner,
            protected: self.protected.copy(),
        }
    }

    /// Whether it is seen how threads there change what they want of their signals.
    pub fn watches_signals(&self) -> bool {
        let mut planted = self.planted.values();
        planted.any(|it| it.purpose.signals.is_some())
    }

    /// Puts back every byte and counter of the images that are still mapped. `present` is what is mapped now, if
    /// that is known; the rest has gone with its image.
    pub fn restore(&mut self, breakpoint: &[u8], present: Option<&[ImageId]>) -> Residue {
        let mut residue = Residue::default();
        let Some(memory) = self.memory.clone() else {
            return residue;
        };
        let mapped = |image: &ImageId| present.is_none_or(|present| present.contains(image));
        for (address, planted) in &self.planted {
            if mapped(&planted.image) && !planted.remove(*address, breakpoint, &memory) {
                residue.failed.push(*address);
            }
        }
        for raised in self.raised.drain(..) {
            if mapped(&raised.image) && !raised.lower(&memory) {
                residue.failed.push(raised.address);
            }
        }
        self.images.clear();
        residue
    }

    /// The sites of markers that are armed, but not as they were armed, and the images that they lie in.
    pub fn changed_by_others(&self, breakpoint: &[u8]) -> Vec<(RuntimeAddress, ImageId)> {
        let Some(memory) = &self.memory else {
            return Vec::new();
        };
        let stands = |address: RuntimeAddress| match self.diverted(address) {
            // Somebody's breakpoint on the nop keeps the way behind it, and hides this one's events all the same.
            Some(site) => site.stands_in(memory),
            None => memory.holds(address.0, breakpoint) != Some(false),
        };
        let armed = self.planted.iter().filter(|(_, planted)| {
            !planted.purpose.markers.is_empty() && self.images.contains(&planted.image)
        });
        let changed = armed.filter(|(address, _)| !stands(**address));
        changed
            .map(|(address, planted)| (*address, planted.image.clone()))
            .collect()
    }

    /// Whether a wanted probe is armed in it.
    pub fn has_probes(&self) -> bool {
        self.planted
            .values()
            .any(|planted| planted.purpose.is_probe())
    }

    /// Whether another memory holds the same breakpoints: that of a forked child.
    pub fn is_planted_in(&self, memory: &ProcessMemory, breakpoint: &[u8]) -> bool {
        !self.planted.is_empty()
            && self
                .planted
                .keys()
                .all(|address| match self.diverted(*address) {
                    Some(site) => site.stands_in(memory),
                    None => memory.holds(address.0, breakpoint) == Some(true),
                })
    }

    /// Forgets what lay in images that are no longer mapped, and says which images are new.
    pub fn keep_only(&mut self, present: &[ImageId]) {
        self.images.retain(|image| present.contains(image));
        self.planted
            .retain(|_, planted| present.contains(&planted.image));
        self.raised.retain(|raised| present.contains(&raised.image));
        for diversion in &mut self.diversions {
            diversion.keep_only(present);
        }
    }
}

impl Planted {
    /// Writes the original bytes back if the breakpoint is still there; true unless that failed. Somebody else's bytes
    /// are not ours to restore, and what is unmapped needs no restoring.
    pub fn remove(
        &self,
        address: RuntimeAddress,
        breakpoint: &[u8],
        memory: &ProcessMemory,
    ) -> bool {
        memory.holds(address.0, breakpoint) != Some(true)
            || memory.write(address.0, &self.original).is_ok()
    }
}
