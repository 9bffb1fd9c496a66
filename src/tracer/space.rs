//! One address space and what was changed in it: breakpoints and semaphores, each with what undoes it.
//!
//! Several processes may share an address space (vfork, `clone` with CLONE_VM); after a fork the child has a copy,
//! changes included, and so a copy of this record.

use std::sync::Arc;

use ptpytrace_arch::{HookStep, ReadMemory};
use rustc_hash::FxHashMap;

use super::capture::ArgCapture;
use super::semaphore::Raised;
use super::sigtrap::Watched;
use crate::address::RuntimeAddress;
use crate::event::ProbeInfo;
use crate::process::maps::MappedImage;
use crate::process::memory::ProcessMemory;

/// A marker's site in this address space.
#[derive(Debug)]
pub struct MarkerSite {
    /// Which marker.
    pub probe: Arc<ProbeInfo>,
    /// Its row in the tracer's statistics.
    pub row: usize,
    /// How its arguments are captured here.
    pub arguments: Vec<ArgCapture>,
    /// Some argument is in a vector register.
    pub needs_vector: bool,
}

/// Why a breakpoint is where it is.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// Markers whose sites share this nop (nearly always one).
    Markers(Arc<[Arc<MarkerSite>]>),
    /// The dynamic linker calls this function when it has mapped or unmapped something.
    Linker,
    /// The C library's functions for dispositions and masks.
    Signals(Watched),
}

/// A breakpoint in the program's code.
#[derive(Clone, Debug)]
pub struct Planted {
    /// The bytes that it covers.
    pub original: Vec<u8>,
    /// How to go on behind it.
    pub after: HookStep,
    /// What it is for.
    pub purpose: Purpose,
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
    /// How many processes live in it.
    pub users: usize,
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
            users: 1,
        }
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

    /// Whether a wanted marker is armed in it.
    pub fn has_markers(&self) -> bool {
        self.planted
            .values()
            .any(|planted| matches!(planted.purpose, Purpose::Markers(_)))
    }

    /// Whether another memory holds the same breakpoints: that of a forked child.
    pub fn is_planted_in(&self, memory: &ProcessMemory, breakpoint: &[u8]) -> bool {
        !self.planted.is_empty()
            && self
                .planted
                .keys()
                .all(|address| holds(memory, *address, breakpoint) == Some(true))
    }

    /// Forgets what lay in images that are no longer mapped, and says which images are new.
    pub fn keep_only(&mut self, present: &[ImageId]) {
        self.images.retain(|image| present.contains(image));
        let images = &self.images;
        self.planted
            .retain(|_, planted| images.contains(&planted.image));
        self.raised.retain(|raised| images.contains(&raised.image));
    }
}

impl Planted {
    /// Writes the original bytes back if the breakpoint is still there; true unless that failed. Somebody else's bytes
    /// are not ours to restore, and what is unmapped needs no restoring.
    fn remove(&self, address: RuntimeAddress, breakpoint: &[u8], memory: &ProcessMemory) -> bool {
        holds(memory, address, breakpoint) != Some(true)
            || memory.write(address.0, &self.original).is_ok()
    }
}

/// Whether these bytes stand at an address; `None` when it cannot be read.
fn holds(memory: &ProcessMemory, address: RuntimeAddress, bytes: &[u8]) -> Option<bool> {
    let mut now = [0; 8];
    let now = now.get_mut(..bytes.len())?;
    (memory.read(address.0, now) == bytes.len()).then(|| now == bytes)
}
