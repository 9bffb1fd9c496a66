//! Finds the program of a command before anything is started: as a shell would, and with the cause when it cannot run.
//! (The kernel says "No such file" for a script whose interpreter is missing, and a tracer's child could only report
//! that number.)

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};

mod error;
mod format;
mod suggest;

pub use error::{ProgramError, ProgramFault};
pub use format::{Unfit, unfit};

use format::{Format, MAX_SCRIPTS, format_of};

/// Where programs are looked for when there is no `PATH` (`_PATH_DEFPATH` of the C library).
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// A program that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What to give to execve(2) in the folder that [`resolve`] was given: as the command or `PATH` has it, since
    /// a script sees it. Not made absolute.
    pub path: PathBuf,
    /// For a script, the interpreter in its first line, which is what gets traced.
    pub interpreter: Option<PathBuf>,
}

/// Finds the program of `command`, whose first word is its name: with a `/` in it a path (relative to `folder`), else
/// a name to be looked for in `search` (the variable `PATH`; an empty element means `folder`).
///
/// # Errors
/// [`ProgramError`]. A program that may be run but not read is found, since nothing can be said against it.
pub fn resolve(
    command: &[OsString],
    search: Option<&OsStr>,
    folder: &Path,
) -> Result<Program, ProgramError> {
    let Some(name) = command.first().filter(|name| !name.is_empty()) else {
        return Err(ProgramError::new(OsStr::new(""), ProgramFault::Empty));
    };
    let fail = |fault| ProgramError::new(name, fault);
    let path = if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        executable(&folder.join(&path)).map_err(fail)?;
        path
    } else {
        let search = search.unwrap_or(OsStr::new(DEFAULT_PATH));
        on_path(name, search, folder).map_err(fail)?
    };
    let interpreter = interpreter(&path, folder).map_err(fail)?;
    Ok(Program { path, interpreter })
}

/// The folders of a `PATH`, in their order.
pub(crate) fn folders(search: &OsStr) -> impl Iterator<Item = &Path> {
    search.as_bytes().split(|byte| *byte == b':').map(|folder| {
        let folder = if folder.is_empty() { b"." } else { folder };
        Path::new(OsStr::from_bytes(folder))
    })
}

fn on_path(name: &OsStr, search: &OsStr, folder: &Path) -> Result<PathBuf, ProgramFault> {
    let mut denied = None;
    for place in folders(search) {
        let path = place.join(name);
        match executable(&folder.join(&path)) {
            Ok(()) => return Ok(path),
            // As shells do: remembered, but a later folder may have one that can be run.
            Err(fault @ ProgramFault::NotExecutable { .. }) => denied = denied.or(Some(fault)),
            Err(_) => {}
        }
    }
    Err(denied.unwrap_or_else(|| ProgramFault::NotOnPath {
        similar: suggest::similar(name, search, folder),
        here: folder.join(name).is_file(),
    }))
}

/// Whether there is a file that this user may run.
fn executable(path: &Path) -> Result<(), ProgramFault> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Err(missing(path, error)),
    };
    if metadata.is_dir() {
        return Err(ProgramFault::Directory);
    }
    if metadata.is_file() && eaccess(path, AccessFlags::X_OK).is_ok() {
        return Ok(());
    }
    let source = path.extension() == Some(OsStr::new("py"));
    Err(ProgramFault::NotExecutable {
        path: path.to_path_buf(),
        python: source,
    })
}

fn missing(path: &Path, error: std::io::Error) -> ProgramFault {
    let link = fs::read_link(path).ok();
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => ProgramFault::NoSuchFile {
            link,
            folder: missing_folder(path),
        },
        _ => ProgramFault::Inaccessible(error.to_string()),
    }
}

/// The first folder on the way to `path` that does not exist.
fn missing_folder(path: &Path) -> Option<PathBuf> {
    let above: Vec<&Path> = path.ancestors().skip(1).collect();
    let named = above
        .into_iter()
        .rev()
        .filter(|it| !it.as_os_str().is_empty());
    let mut missing = named.filter(|folder| !folder.is_dir());
    missing.next().map(Path::to_path_buf)
}

/// The interpreter of the script `path`, or `None` for a program; checks that all that must be loaded is there.
fn interpreter(path: &Path, folder: &Path) -> Result<Option<PathBuf>, ProgramFault> {
    let mut first = None;
    let mut current = path.to_path_buf();
    for _ in 0..=MAX_SCRIPTS {
        let Ok(format) = format_of(&folder.join(&current)) else {
            return Ok(first);
        };
        match format {
            Format::Program { loader } => {
                return match loader.filter(|loader| !loader.exists()) {
                    Some(loader) => Err(ProgramFault::LoaderMissing {
                        path: current,
                        loader,
                    }),
                    None => Ok(first),
                };
            }
            Format::Unfit(unfit) => {
                return Err(ProgramFault::Unfit {
                    path: current,
                    unfit,
                });
            }
            Format::Unknown { empty } => {
                return Err(ProgramFault::UnknownFormat {
                    path: current,
                    empty,
                });
            }
            Format::Script { interpreter } => {
                usable(&current, &interpreter, folder)?;
                first.get_or_insert_with(|| interpreter.clone());
                current = interpreter;
            }
        }
    }
    Err(ProgramFault::TooManyInterpreters)
}

/// Checks that a script's interpreter can be run.
fn usable(script: &Path, interpreter: &Path, folder: &Path) -> Result<(), ProgramFault> {
    let Err(fault) = executable(&folder.join(interpreter)) else {
        return Ok(());
    };
    let bytes = interpreter.as_os_str().as_bytes();
    Err(ProgramFault::Interpreter {
        script: script.to_path_buf(),
        interpreter: interpreter.to_path_buf(),
        carriage_return: bytes.last() == Some(&b'\r'),
        missing: matches!(fault, ProgramFault::NoSuchFile { .. }),
    })
}

#[cfg(test)]
mod tests;
