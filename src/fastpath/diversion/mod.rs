//! Leads a marker's site into code elsewhere, without a trap and without risk for the program.
//!
//! A marker is a nop; what runs there instead is a *stub*: code that records the event and then goes on as the program
//! would have. Three ways lead there, from the least change to the greatest:
//!
//! | way | bytes changed | what must be shown |
//! | --- | --- | --- |
//! | [`Way::Retarget`] | the rel32 of a `jmp` that follows the nop | nobody branches to that `jmp` |
//! | [`Way::Pun`] | the nop becomes `E9`, the next four bytes are the rel32 as they stand | the page that it leads to is free |
//! | [`Way::Jump`] | `jmp rel32` over the nop and what follows | nobody branches into the four bytes behind the first |
//!
//! What cannot be shown is a [`Refusal`] with its [`Reason`], and the site gets a breakpoint ([`Way::Trap`]).
//!
//! # What is shown, and how
//!
//! The danger is control that arrives within the bytes that were changed. The instructions from the nop on are known
//! for certain, because the program runs through them. What may lead among them is looked for in the whole file, and
//! mostly without trusting a disassembly ([`survey`]):
//!
//! - `call`, `jmp`, `jcc` with a rel32, and `lea` of code: at every byte of the code, whether an instruction begins there
//!   or not;
//! - short branches: in the disassembly of every function within their reach, which the unwinder's table delimits, and
//!   byte by byte where that has gaps or the disassembly fails;
//! - pointers: at every byte of the file's segments, which covers tables of labels (computed goto, `switch`),
//!   relocations' addends, and dynamic symbols;
//! - tables of distances (`switch` in position-independent code): at every aligned word from which a table that the code
//!   refers to could reach the window;
//! - symbols, other markers, exceptions' landing pads, and labels of the same function whose address is made by code.
//!
//! Everything here is a function of bytes: [`survey`] looks at a file once, [`choose`] decides for a place in a process,
//! [`Change`] says which bytes to write and which threads stand in the way. Nothing here writes anywhere.

mod change;
mod choice;
mod evidence;
mod free;
mod pointers;
mod survey;

#[cfg(test)]
mod execution;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

pub use change::{Change, ChangeError, Tail, Write};
pub use choice::{Choice, Reason, Refusal, Site, Way, WayKind, choose};
pub use evidence::{Evidence, EvidenceKind};
pub use free::{FreeSpace, PAGE};
pub use survey::{Code, Piece, SiteFacts, survey};
