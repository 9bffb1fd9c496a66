//! Machine code that records the events of one site.
//!
//! A site's nop is diverted to it; it saves what it uses, decides whether the event is wanted, writes a record into the
//! thread's [`ring`](super::ring), puts everything back, and goes on with the instructions that the diversion displaced.
//! It makes no assumption about the stack but that it grows down and that 128 bytes below the stack pointer are in use
//! (System V ABI, "red zone"), touches no vector register, and calls nothing of the program's. It makes system calls
//! only when a thread comes by for the first time (gettid(2)), has to wait for room, or wakes the tracer (futex(2)).
//!
//! | step | where |
//! | --- | --- |
//! | save registers and flags, as far as they matter | `frame` |
//! | decide the test | `condition`, `names` |
//! | find the thread's ring, or take one | `thread` |
//! | is there room; publish, wait, wake | `room` |
//! | time, numbers, strings that are known | `fields` |
//! | strings that are not | `text` |
//!
//! The way of an ordinary event is straight; all else is behind it, out of the way of the instruction cache.
//!
//! # Faults
//!
//! Where memory is read that may not be there, the code has [`Fixup`]s: a thread that gets SIGSEGV or SIGBUS with its
//! program counter in such a range is to go on at the fix-up's target, without the signal. Addresses below 4096 and
//! those that are not canonical are never read.

mod condition;
mod fields;
mod frame;
mod generator;
mod names;
mod operand;
mod room;
mod text;
mod thread;

#[cfg(all(test, target_arch = "x86_64"))]
mod tests;

use iced_x86::IcedError;

use super::ring::Layout;
use super::ring::record::{Argument, Shape, ShapeError};
use crate::plan::Test;
use generator::Generator;

/// The most bytes of code for one site.
const MOST_CODE: usize = 64 * 1024;

/// One site of a marker, and what is to be recorded there.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The number by which its records are known.
    pub number: u16,
    /// Its arguments, in order, with their symbols resolved.
    pub arguments: &'a [Argument],
    /// The most bytes of a string that are recorded.
    pub limit: usize,
    /// What must hold for the event to be recorded. What cannot be decided there counts as holding
    /// ([`Code::decided`]).
    pub test: Option<&'a Test>,
    /// The process's id, for the test.
    pub pid: i32,
    /// The id of the target, 0 when there is none, for the test.
    pub target: i32,
    /// The address behind the site's nop: what an argument relative to `rip` means by it.
    pub pc: u64,
    /// What to do when the ring is full.
    pub when_full: WhenFull,
    /// It is a function's marker: the first two arguments are the names of its file and its own
    /// ([`crate::plan::Captured::is_of_function`]).
    pub of_function: bool,
    /// The site is one of a callback that was written for this.
    pub callback: Option<Callback>,
}

/// A site whose surroundings were written to be recorded: what follows it expects nothing in the flags, in the registers
/// that a called function may change (System V ABI), and below the stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The word ([`ptpytrace_arch::Registers::general`]) of a register that a called function keeps. Where the test says
    /// that nobody can want any event of the function there, it gets what is in the next one.
    pub result: usize,
    /// That register's word, likewise.
    pub refusal: usize,
    /// The word of a register with a number: while it stays the same, so does the text at any address that the site
    /// gives. Where it is negative nothing is known of the texts. No ordinary way changes that register.
    pub pinned: usize,
}

/// What a thread does when its ring is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits, as long as there is a tracer.
    #[default]
    Wait,
    /// It counts the event and goes on.
    Drop,
}

/// The code for a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// What is to be written at the address that it was assembled for; execution begins at its first byte.
    pub bytes: Vec<u8>,
    /// What to do about faults in it.
    pub fixups: Vec<Fixup>,
    /// Whether the test was decided in full: what is recorded need not be tested again.
    pub decided: bool,
    /// What its records look like: the reader must know.
    pub shape: Shape,
}

impl Code {
    /// Where a thread goes on that got SIGSEGV or SIGBUS at `pc`; `None` when the fault is not the recorder's.
    pub fn fixup(&self, pc: u64) -> Option<u64> {
        let range = self
            .fixups
            .iter()
            .find(|it| (it.begin..it.end).contains(&pc))?;
        Some(range.target)
    }
}

/// A range of code in which a fault is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixup {
    /// The address of its first instruction.
    pub begin: u64,
    /// The address behind its last instruction.
    pub end: u64,
    /// Where to go on.
    pub target: u64,
}

/// Why there is no code for a site: it must be a trap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// More than a record holds.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A record would not fit into the ring's layout.
    #[error("records of {0} bytes do not fit into the ring")]
    Record(u64),
    /// An argument lies where it cannot be got from.
    #[error("argument {0} cannot be read without a trap")]
    Argument(usize),
    /// The code is too long.
    #[error("the code for the site is too long")]
    TooLong,
    /// The displaced instructions cannot be placed behind the code.
    #[error("the displaced instructions cannot be placed at {0:#x}")]
    Tail(u64),
    /// An instruction cannot be encoded: a mistake in the generator.
    #[error("cannot encode an instruction: {0}")]
    Encoding(String),
}

impl From<IcedError> for AssembleError {
    fn from(error: IcedError) -> AssembleError {
        AssembleError::Encoding(error.to_string())
    }
}

impl Site<'_> {
    /// The code for this site, to be written at the address `at` of a process whose gate ([`super::ring::gate`]) is at
    /// the address `gate` and leads to a file of this layout.
    ///
    /// `tail` gives the instructions with which the program goes on, the way back included, encoded for the address
    /// that it is told. It is called more than once.
    ///
    /// # Errors
    /// [`AssembleError`]; the site is then better left to a trap.
    pub fn assemble(
        &self,
        at: u64,
        gate: u64,
        layout: &Layout,
        tail: &mut dyn FnMut(u64) -> Option<Vec<u8>>,
    ) -> Result<Code, AssembleError> {
        let shape = Shape::of(self.arguments, self.limit)?;
        if shape.largest() > layout.overhang() || shape.fixed() > layout.size() {
            return Err(AssembleError::Record(shape.largest()));
        }
        let mut room = tail(at).ok_or(AssembleError::Tail(at))?.len();
        // The tail's length may depend on where it is, and where it is on its length.
        for _ in 0..4 {
            let generator = Generator::new(self, gate, layout, shape.clone())?;
            let (mut code, place) = generator.finish(at, room)?;
            if code.bytes.len() > MOST_CODE {
                return Err(AssembleError::TooLong);
            }
            let address = at.wrapping_add(place as u64);
            let tail = tail(address).ok_or(AssembleError::Tail(address))?;
            let reserved = code.bytes.get_mut(place..place.saturating_add(room));
            match reserved.and_then(|it| it.get_mut(..tail.len())) {
                Some(reserved) => {
                    reserved.copy_from_slice(&tail);
                    return Ok(code);
                }
                None => room = tail.len(),
            }
        }
        Err(AssembleError::Tail(at))
    }
}
