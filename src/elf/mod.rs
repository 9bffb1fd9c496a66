//! ELF files: what a tracer must know of a binary before it touches a process
//! that runs it, and nothing more.
//!
//! An [`Image`] is an owned summary of one file, of either class and byte
//! order. Markers come from its SDT notes ([`Note`]); symbols and bytes are
//! read from the file when first asked for, so that looking at a library with
//! no markers costs a few small reads. Every field of a file is taken as
//! hostile: sizes are bounded, sums are checked, and a note that makes no
//! sense becomes a [`NoteError`] beside those that do.

mod error;
mod frames;
mod headers;
mod image;
mod notes;
mod source;
mod symbols;

pub use error::{ImageError, NoteError, NoteProblem};
pub use frames::{Frame, Frames};
pub use image::{Image, ImageKind, Segment};
pub use notes::{Note, RawNote};
pub use source::FileIdentity;
pub(crate) use source::open_regular;
pub use symbols::Symbol;
