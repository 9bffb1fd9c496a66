//! Which way a site is diverted, and why not by a better one.

use std::fmt;
use std::ops::Range;

use ptpytrace_arch::x86_64::displace::{
    Immovable, JUMP_LENGTH, LONGEST_JUMP, RelocateError, jump_target, relocate,
};
use ptpytrace_arch::x86_64::flow::steps;
use ptpytrace_arch::{Arch, X86_64};

use super::evidence::{Evidence, EvidenceKind};
use super::free::FreeSpace;
use super::survey::SiteFacts;
use crate::address::FileAddress;

/// The ways, without their particulars; the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WayKind {
    /// See [`Way::Retarget`].
    Retarget,
    /// See [`Way::Pun`].
    Pun,
    /// See [`Way::Jump`].
    Jump,
    /// See [`Way::Trap`].
    Trap,
}

impl WayKind {
    /// All ways but the trap, the best first.
    pub const DIVERSIONS: [WayKind; 3] = [WayKind::Retarget, WayKind::Pun, WayKind::Jump];
}

impl WayKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            WayKind::Retarget => "retarget",
            WayKind::Pun => "pun",
            WayKind::Jump => "jump",
            WayKind::Trap => "trap",
        }
    }
}

impl fmt::Display for WayKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// How a site is diverted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A `jmp rel32` follows the nop and is led to the stub. No instruction's boundary moves.
    Retarget {
        /// The address of that `jmp`.
        jump: u64,
        /// Where it went.
        goal: u64,
    },
    /// The nop's first byte becomes `E9`; what follows, unchanged, is the distance to the landing.
    Pun {
        /// Where it leads. [`Change`](super::Change) has the code for it.
        landing: u64,
        /// The pages to map there (MAP_FIXED_NOREPLACE); none when an earlier site's have room.
        pages: Vec<Range<u64>>,
    },
    /// `jmp rel32` takes the place of the nop and of what follows, which runs in the stub instead.
    Jump,
    /// A breakpoint.
    Trap,
}

impl Way {
    /// The way without its particulars.
    pub fn kind(&self) -> WayKind {
        match self {
            Way::Retarget { .. } => WayKind::Retarget,
            Way::Pun { .. } => WayKind::Pun,
            Way::Jump => WayKind::Jump,
            Way::Trap => WayKind::Trap,
        }
    }
}

/// Why a site is not diverted in one of the ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A breakpoint of somebody else, or a kernel uprobe, is on the site.
    #[error("somebody else's breakpoint is there")]
    Breakpoint,
    /// The site is no nop.
    #[error("there is no nop")]
    NotANop,
    /// The bytes in memory are not those of the file.
    #[error("the code in memory is not that of the file")]
    Changed,
    /// No `jmp rel32` follows the nop.
    #[error("no jmp rel32 follows the nop")]
    NoJump,
    /// Something may lead to one of the addresses that would no longer be what they were.
    #[error("{0}")]
    Target(Evidence),
    /// Another marker's bytes would be part of the distance, and a breakpoint may be planted there.
    #[error("another marker's site is among the bytes")]
    Neighbour,
    /// The page that the bytes lead to is not free.
    #[error("the bytes lead to {0:#x}, where no page is free")]
    Occupied(u64),
    /// The unwinder's table does not say which function the site is in.
    #[error("the file does not say where the function begins and ends")]
    NoFrame,
    /// The function cannot be disassembled, or not so that an instruction begins at the site.
    #[error("the function around it cannot be disassembled")]
    NotDecoded,
    /// Exceptions may enter the function.
    #[error("exceptions may enter the function anywhere")]
    LandingPads,
    /// The function computes addresses from a label of its own.
    #[error("the code at {0:#x} takes the address of a label in the function")]
    Label(u64),
    /// The function ends within the bytes.
    #[error("the function ends too soon behind it")]
    Short,
    /// An instruction among the bytes cannot run elsewhere.
    #[error("{0}")]
    Immovable(RelocateError),
}

/// A way that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The way.
    pub way: WayKind,
    /// Why not.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "no {}: {}", self.way, self.reason)
    }
}

/// A site in a process.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Its run-time address.
    pub address: u64,
    /// The bytes in the process's memory from there on: 16, or fewer.
    pub live: &'a [u8],
    /// What its file says.
    pub facts: &'a SiteFacts,
}

/// How one site is diverted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The way.
    pub way: Way,
    /// The nop's length in bytes.
    pub nop: usize,
    /// How many bytes from the site on are whole instructions that cover the five bytes of a jump; `None` when they
    /// cannot run elsewhere.
    pub displaced: Option<usize>,
    /// The better ways, and why they were not taken.
    pub refused: Vec<Refusal>,
}

/// Decides how a site is diverted: by the first of the `allowed` ways that is shown to be safe, else by a trap. A pun's
/// landing is claimed in `space`.
pub fn choose(site: &Site<'_>, allowed: &[WayKind], space: &mut FreeSpace) -> Choice {
    let nop = X86_64.nop_len(site.live).unwrap_or(0);
    let movable = site.movable(nop);
    let displaced = movable.ok();
    let mut refused = Vec::new();
    for way in WayKind::DIVERSIONS {
        if !allowed.contains(&way) {
            continue;
        }
        let tried = site.is_untouched(nop).and_then(|()| match way {
            WayKind::Retarget => site.retarget(nop),
            WayKind::Pun => site.pun(space),
            WayKind::Jump => movable.and_then(|_| site.jump(nop)),
            WayKind::Trap => Ok(Way::Trap),
        });
        match tried {
            Ok(way) => {
                return Choice {
                    way,
                    nop,
                    displaced,
                    refused,
                };
            }
            Err(reason) => refused.push(Refusal { way, reason }),
        }
    }
    Choice {
        way: Way::Trap,
        nop,
        displaced,
        refused,
    }
}

impl Site<'_> {
    fn is_untouched(&self, nop: usize) -> Result<(), Reason> {
        if self.live.first() == X86_64.breakpoint().first() {
            return Err(Reason::Breakpoint);
        }
        let same = self.live.len() > JUMP_LENGTH && self.facts.bytes.starts_with(self.live);
        match nop {
            _ if !same => Err(Reason::Changed),
            0 => Err(Reason::NotANop),
            _ => Ok(()),
        }
    }

    /// The first thing that may lead to one of the `count` addresses behind the site.
    ///
    /// Bytes that merely look like a pointer, a distance or a branch count only where an instruction begins: in the
    /// midst of one they would lead nowhere, and are something else.
    fn led_to(&self, nop: usize, count: usize) -> Result<(), Reason> {
        let first = self.facts.address.saturating_add(1);
        let window = first..first.saturating_add(count as u64);
        let after = self.facts.address.saturating_add(nop as u64);
        let code = self.facts.bytes.get(nop..).unwrap_or(&[]);
        let boundaries = || steps(code, after).take_while(Result::is_ok).flatten();
        let leads = |evidence: &&Evidence| {
            let sure = matches!(
                evidence.kind,
                EvidenceKind::Branch
                    | EvidenceKind::Taken
                    | EvidenceKind::Symbol
                    | EvidenceKind::Marker
            );
            let target = evidence.target;
            window.contains(&target) && (sure || boundaries().any(|step| step.address == target))
        };
        match self.facts.evidence.iter().find(leads) {
            Some(evidence) => Err(Reason::Target(*evidence)),
            None => Ok(()),
        }
    }

    fn retarget(&self, nop: usize) -> Result<Way, Reason> {
        let jump = self.address.saturating_add(nop as u64);
        let code = self.live.get(nop..).unwrap_or(&[]);
        let goal = jump_target(code, jump).ok_or(Reason::NoJump)?;
        self.led_to(nop, nop.saturating_add(JUMP_LENGTH - 1))?;
        match self.facts.label {
            Some(label) => Err(Reason::Label(label)),
            None => Ok(Way::Retarget { jump, goal }),
        }
    }

    fn pun(&self, space: &mut FreeSpace) -> Result<Way, Reason> {
        let last = self.facts.address.saturating_add(JUMP_LENGTH as u64);
        let neighbour =
            |evidence: &Evidence| evidence.kind == EvidenceKind::Marker && evidence.target < last;
        if self.facts.evidence.iter().any(neighbour) {
            return Err(Reason::Neighbour);
        }
        let distance = self.live.get(1..).and_then(<[u8]>::first_chunk).copied();
        let distance = i64::from(i32::from_le_bytes(distance.ok_or(Reason::Changed)?));
        let end = self.address.saturating_add(JUMP_LENGTH as u64);
        let landing = end.wrapping_add(distance as u64);
        let pages = landing
            .checked_add(LONGEST_JUMP as u64)
            .and_then(|end| space.claim(landing..end))
            .ok_or(Reason::Occupied(landing))?
            .pages;
        Ok(Way::Pun { landing, pages })
    }

    fn jump(&self, nop: usize) -> Result<Way, Reason> {
        let frame = self.facts.frame.ok_or(Reason::NoFrame)?;
        if !self.facts.decoded {
            return Err(Reason::NotDecoded);
        }
        let end = self.facts.address.saturating_add(JUMP_LENGTH as u64);
        if frame.end < FileAddress(end) {
            return Err(Reason::Short);
        }
        if frame.landing_pads {
            return Err(Reason::LandingPads);
        }
        if let Some(label) = self.facts.label {
            return Err(Reason::Label(label));
        }
        self.led_to(nop, JUMP_LENGTH - 1)?;
        Ok(Way::Jump)
    }

    /// How many bytes from the site on are whole instructions that cover a jump and can run elsewhere.
    fn movable(&self, nop: usize) -> Result<usize, Reason> {
        let mut length = nop;
        let after = self.address.saturating_add(nop as u64);
        let code = self.live.get(nop..).unwrap_or(&[]);
        for step in steps(code, after).take_while(Result::is_ok).flatten() {
            if length >= JUMP_LENGTH {
                break;
            }
            length = length.saturating_add(step.length);
        }
        let immovable = |address, reason| Reason::Immovable(RelocateError { address, reason });
        if length < JUMP_LENGTH {
            let at = self.address.saturating_add(length as u64);
            return Err(immovable(at, Immovable::Undecodable));
        }
        let code = self.live.get(nop..length).unwrap_or(&[]);
        match relocate(code, after, after) {
            Ok(_) => Ok(length),
            Err(error) => Err(Reason::Immovable(error)),
        }
    }
}
