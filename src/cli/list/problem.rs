//! What keeps markers from being listed: each with its cause and what to do.

use std::io;

use crate::elf::{Image, ImageError, NoteError};
use crate::process::maps::MapWarning;

/// Something that could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("{subject}: {problem}")]
pub struct ListError {
    /// The file's path, `process PID`, or the patterns.
    pub subject: String,
    /// Why, and what to do.
    pub problem: ListProblem,
}

/// Why something could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListProblem {
    /// The file cannot be read as an ELF image.
    #[error("{0}")]
    Image(ImageError),
    /// A note makes no sense; the others of the file are listed.
    #[error("{0}")]
    Note(NoteError),
    /// One of the files that the process executes cannot be read.
    #[error("{0}")]
    Mapped(MapWarning),
    /// The file, or everything that the process executes, has no SDT notes.
    #[error("has no markers: no SDT notes (readelf -n) in what it executes")]
    NoMarkers,
    /// The file is CPython, without notes.
    #[error(
        "has no markers: this CPython was built without --with-dtrace; take an interpreter that was built with it, such as Debian's or Fedora's"
    )]
    CpythonWithoutMarkers,
    /// The file has no notes, but a library that it links may have.
    #[error(
        "has no markers of its own; it links {0}: list that library, or a running process with -p"
    )]
    InLibrary(String),
    /// No marker matches the patterns.
    #[error("no marker matches; list without a pattern to see them all")]
    NoMatch,
    /// The process does not exist.
    #[error("no such process; check the number")]
    NoProcess,
    /// The process may not be looked at.
    #[error(
        "permission denied; looking at a process needs to be its user, in the same container, or root (CAP_SYS_PTRACE)"
    )]
    Denied,
    /// The process has no memory any more.
    #[error(
        "maps nothing: it has ended and its parent has not waited for it, or it is a kernel thread"
    )]
    Ended,
    /// The process executes nothing but code that was made at run time.
    #[error("executes no ELF file")]
    NoImages,
    /// Reading about the process failed in another way.
    #[error("cannot be looked at: {0}")]
    Io(io::Error),
}

impl ListProblem {
    /// What it means that a process's mappings cannot be read.
    pub(super) fn of_process(error: io::Error) -> ListProblem {
        match error.kind() {
            io::ErrorKind::NotFound => ListProblem::NoProcess,
            io::ErrorKind::PermissionDenied => ListProblem::Denied,
            _ if error.raw_os_error() == Some(libc::ESRCH) => ListProblem::NoProcess,
            _ => ListProblem::Io(error),
        }
    }

    /// Why an image has no markers.
    pub(super) fn without_markers(image: &Image) -> ListProblem {
        if image.is_cpython() {
            return ListProblem::CpythonWithoutMarkers;
        }
        let library = image
            .needed()
            .iter()
            .find(|library| library.starts_with("libpython"));
        match library {
            Some(library) => ListProblem::InLibrary(printable(library)),
            None => ListProblem::NoMarkers,
        }
    }
}

/// A text of a file without the characters that would command a terminal.
pub(in crate::cli) fn printable(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = (!character.is_control()).then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
