//! What to write to divert a site, and in what order of precautions; and the code that a stub ends with.
//!
//! The order is: map the pages, write stub and landing, stop every thread of the address space, move those that stand in
//! the way ([`Change::moved`]), write, let them run. To undo: stop every thread again, write the old bytes. A stub stays
//! mapped for ever, because a thread may still be in it, or return to it from a signal handler.
//!
//! The threads are stopped for one byte, too: what a CPU does that fetches an instruction whose length changes meanwhile
//! is not defined (Intel SDM volume 3, "Handling Self- and Cross-Modifying Code"); only `int3` may be written at any
//! time. A thread that was stopped and goes on has executed a serializing instruction, as that manual demands.

use std::ops::Range;

use ptpytrace_arch::x86_64::displace::{
    JUMP, JUMP_LENGTH, RelocateError, displacement, jump, relocate,
};

use super::choice::{Choice, Site, Way};

/// Bytes to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The run-time address of the first.
    pub address: u64,
    /// What stands there before.
    pub old: Vec<u8>,
    /// What stands there afterwards; as long as `old`.
    pub new: Vec<u8>,
}

/// What diverts a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Code for pages of its own, to be written before: the landing of a pun.
    pub landing: Option<(u64, Vec<u8>)>,
    /// The one write in the program's code.
    pub write: Write,
    /// Addresses that are no instructions any more: no thread may stand there or return there. Empty where no boundary
    /// moves.
    pub window: Range<u64>,
    moves: Vec<(u64, u64)>,
}

/// Why a change cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A trap changes the site in another way.
    #[error("a trap leads to no stub")]
    Trap,
    /// The stub lies more than 2 GiB from the site.
    #[error("the stub at {0:#x} is out of the site's reach")]
    OutOfReach(u64),
    /// The bytes at the site are fewer than are to be changed.
    #[error("the bytes at the site are not known")]
    Unknown,
    /// An instruction cannot run in the stub.
    #[error("{0}")]
    Relocate(#[from] RelocateError),
}

/// The end of a stub: what the program would have done behind the nop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Where it lies.
    pub address: u64,
    /// The code.
    pub bytes: Vec<u8>,
    /// Of each instruction in it: the program's address and that in the stub. A thread may be moved from one to the
    /// other, since nothing of the stub is left to do.
    pub places: Vec<(u64, u64)>,
}

impl Tail {
    /// The tail for a stub of this site, at the run-time address `at`.
    ///
    /// # Errors
    /// [`ChangeError::Trap`], and [`ChangeError::Relocate`] when what is displaced cannot run there.
    pub fn assemble(site: &Site<'_>, choice: &Choice, at: u64) -> Result<Tail, ChangeError> {
        let after_nop = site.address.saturating_add(choice.nop as u64);
        match &choice.way {
            Way::Trap => Err(ChangeError::Trap),
            Way::Retarget { jump, goal } => Ok(Tail::leading(at, *jump, *goal)),
            Way::Jump => Tail::displacing(site, choice, at),
            // Returning to the bytes as they stand is slower, but always right.
            Way::Pun { .. } => Ok(Tail::displacing(site, choice, at)
                .unwrap_or_else(|_| Tail::leading(at, after_nop, after_nop))),
        }
    }

    /// A mere jump to `goal`, in the place of what stands at `instead`.
    fn leading(at: u64, instead: u64, goal: u64) -> Tail {
        Tail {
            address: at,
            bytes: jump(at, goal),
            places: vec![(instead, at)],
        }
    }

    fn displacing(site: &Site<'_>, choice: &Choice, at: u64) -> Result<Tail, ChangeError> {
        let displaced = choice.displaced.ok_or(ChangeError::Unknown)?;
        let code = site
            .live
            .get(choice.nop..displaced)
            .ok_or(ChangeError::Unknown)?;
        let from = site.address.saturating_add(choice.nop as u64);
        let moved = relocate(code, from, at)?;
        let mut tail = Tail {
            address: at,
            bytes: moved.bytes,
            places: moved.places,
        };
        if moved.falls_through {
            let back = at.saturating_add(tail.bytes.len() as u64);
            let on = site.address.saturating_add(displaced as u64);
            tail.bytes.extend_from_slice(&jump(back, on));
            tail.places.push((on, back));
        }
        Ok(tail)
    }

    /// Where a thread in the tail stands in the program; `None` when it is not at one of the tail's instructions. Once
    /// the site is as it was the thread may be put there.
    pub fn original(&self, pc: u64) -> Option<u64> {
        let mut places = self.places.iter();
        places
            .find(|(_, stub)| *stub == pc)
            .map(|(program, _)| *program)
    }
}

impl Change {
    /// What leads the site to the stub whose first instruction is at `stub` and which ends with `tail`.
    ///
    /// # Errors
    /// All of [`ChangeError`] but the last.
    pub fn prepare(
        site: &Site<'_>,
        choice: &Choice,
        stub: u64,
        tail: &Tail,
    ) -> Result<Change, ChangeError> {
        let out_of_reach = ChangeError::OutOfReach(stub);
        let (address, new, landing) = match &choice.way {
            Way::Trap => return Err(ChangeError::Trap),
            Way::Retarget { jump, .. } => {
                let end = jump.saturating_add(JUMP_LENGTH as u64);
                let rel = displacement(end, stub).ok_or(out_of_reach)?;
                (jump.saturating_add(1), rel.to_vec(), None)
            }
            Way::Pun { landing, .. } => {
                let code = (*landing, jump(*landing, stub));
                (site.address, vec![JUMP], Some(code))
            }
            Way::Jump => {
                let code = jump(site.address, stub);
                if code.len() != JUMP_LENGTH {
                    return Err(out_of_reach);
                }
                (site.address, code, None)
            }
        };
        let offset = usize::try_from(address.saturating_sub(site.address));
        let old = offset
            .ok()
            .and_then(|offset| site.live.get(offset..)?.get(..new.len()))
            .ok_or(ChangeError::Unknown)?
            .to_vec();
        let window = match choice.way {
            Way::Jump => {
                site.address.saturating_add(1)..site.address.saturating_add(JUMP_LENGTH as u64)
            }
            _ => site.address..site.address,
        };
        let moves = tail.places.iter().copied();
        let moves = moves
            .filter(|(program, _)| window.contains(program))
            .collect();
        Ok(Change {
            landing,
            write: Write { address, old, new },
            window,
            moves,
        })
    }

    /// Where a thread that stands at `pc` is to be put before the write; `None` when it may stay.
    pub fn moved(&self, pc: u64) -> Option<u64> {
        let mut moves = self.moves.iter();
        moves
            .find(|(program, _)| *program == pc)
            .map(|(_, stub)| *stub)
    }

    /// Whether a word of this memory leads into the window: a thread that was interrupted there by a signal has its pc
    /// on its stack until the handler returns, and then the site must not be changed so.
    ///
    /// To be asked for the stack (from its pointer on) and the alternate signal stack of every thread that has run the
    /// program's code: not for a program that has just been mapped.
    pub fn is_remembered_in(&self, stack: &[u8]) -> bool {
        let words = stack
            .chunks_exact(8)
            .filter_map(|word| word.first_chunk().copied());
        let mut words = words.map(u64::from_le_bytes);
        words.any(|word| self.window.contains(&word))
    }
}
