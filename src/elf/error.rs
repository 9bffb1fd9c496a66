//! Why a file is no image, and why a note is no marker: each with its cause
//! and, where there is something to do, what to do.
//!
//! The texts are predicates that follow a path: `/bin/x: is empty, ...`.

use std::io;

/// Why a file cannot be read as an ELF image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is no file of that name.
    #[error("no such file; check the path")]
    Missing,
    /// The file may not be read by this user.
    #[error("permission denied; reading it needs read permission, or the file's owner, or root")]
    Denied,
    /// Opening or reading failed in another way.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// The path is a directory.
    #[error("is a directory; name an executable or a shared library in it")]
    Directory,
    /// The path is a device, a pipe or a socket.
    #[error("is not a regular file; name an executable or a shared library")]
    Special,
    /// The file holds nothing.
    #[error("is empty, not an ELF file")]
    Empty,
    /// The file begins with `#!`.
    #[error("is a script for {interpreter}; name the interpreter's binary")]
    Script {
        /// The interpreter as the script names it (the program that `env` is told to start).
        interpreter: String,
    },
    /// The file does not begin with the ELF magic number.
    #[error("is not an ELF file; name an executable or a shared library")]
    NotElf,
    /// The file ends before what its header promises.
    #[error(
        "is truncated: {what} would end at byte {end}, but the file has only {size}; copy or install it again"
    )]
    Truncated {
        /// Which part is cut off.
        what: &'static str,
        /// The offset at which that part would end.
        end: u64,
        /// The file's size in bytes.
        size: u64,
    },
    /// A header contradicts the ELF specification.
    #[error("is a malformed ELF file: {0}")]
    Malformed(&'static str),
}

impl From<io::Error> for ImageError {
    fn from(error: io::Error) -> ImageError {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ImageError::Missing,
            io::ErrorKind::PermissionDenied => ImageError::Denied,
            io::ErrorKind::IsADirectory => ImageError::Directory,
            _ => ImageError::Io(error),
        }
    }
}

/// A note, or a section of notes, that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the note at byte {offset:#x} of the file is left out: {problem}")]
pub struct NoteError {
    /// Where the note (or the section) begins in the file, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub problem: NoteProblem,
}

/// What is wrong with a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteProblem {
    /// The section or segment ends within a note's header, owner or descriptor.
    #[error("it ends before the sizes that it states")]
    Truncated,
    /// The descriptor has no room for the three addresses.
    #[error("its descriptor is too short for a location, a base and a semaphore")]
    NoAddresses,
    /// One of the three strings has no NUL at its end.
    #[error("its {0} has no end")]
    Unterminated(&'static str),
    /// The provider or the name is empty.
    #[error("its {0} is empty")]
    EmptyString(&'static str),
    /// A string is longer than 64 KiB.
    #[error("its {0} is longer than 64 KiB")]
    TooLong(&'static str),
    /// A string is not UTF-8.
    #[error("its {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// Notes are aligned to 4 or 8 bytes, this section says otherwise.
    #[error("its section asks for an alignment of neither 4 nor 8 bytes")]
    Alignment,
    /// The section or segment reaches beyond the end of the file.
    #[error("its section lies beyond the end of the file")]
    OutsideFile,
    /// The section covers bytes that another section of notes has covered.
    #[error("its section overlaps another one")]
    Overlap,
    /// The section is compressed, which notes of a loadable file never are.
    #[error("its section is compressed")]
    Compressed,
    /// The section takes no room in the file, as in a file of debugging information only.
    #[error("its section has no bytes in this file: the file holds debugging information only")]
    NoBits,
    /// More than 16 MiB of notes.
    #[error("the file has more than 16 MiB of notes")]
    TooMany,
    /// So many further errors are not kept.
    #[error("so have been {0} more")]
    Omitted(u64),
}
