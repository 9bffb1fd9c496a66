//! Why a command cannot be run, in words.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::format::Unfit;
use crate::process::obstacle::printable;

/// Why a command cannot be run. Displayed, it says what was tried, the cause, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramError {
    /// The program, as the command names it.
    pub name: OsString,
    /// The cause.
    pub fault: ProgramFault,
}

/// What is wrong with the program of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramFault {
    /// The command has no words, or its first word is empty.
    Empty,
    /// No folder of `PATH` has such a program.
    NotOnPath {
        /// Programs with similar names.
        similar: Vec<String>,
        /// Whether the current folder has such a file.
        here: bool,
    },
    /// There is no such file.
    NoSuchFile {
        /// Where the symbolic link of that name leads.
        link: Option<PathBuf>,
        /// The folder on the way to it that does not exist.
        folder: Option<PathBuf>,
    },
    /// It cannot even be looked at; the error of stat(2).
    Inaccessible(String),
    /// It is a folder.
    Directory,
    /// This user may not run it, or it is no regular file.
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// Whether it is a Python program by its name.
        python: bool,
    },
    /// The interpreter that a script's first line names cannot be run.
    Interpreter {
        /// The script.
        script: PathBuf,
        /// What its first line names.
        interpreter: PathBuf,
        /// Whether that line ends as on Windows.
        carriage_return: bool,
        /// Whether there is no such file.
        missing: bool,
    },
    /// Each interpreter is a script again, more often than the kernel follows.
    TooManyInterpreters,
    /// The dynamic loader that the program asks for does not exist.
    LoaderMissing {
        /// The program.
        path: PathBuf,
        /// Its loader.
        loader: PathBuf,
    },
    /// It is a program that cannot be traced here.
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why.
        unfit: Unfit,
    },
    /// It is neither a program nor a script with a first line.
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Whether there is nothing in it.
        empty: bool,
    },
}

impl ProgramError {
    pub(super) fn new(name: &OsStr, fault: ProgramFault) -> ProgramError {
        ProgramError {
            name: name.to_os_string(),
            fault,
        }
    }
}

impl std::error::Error for ProgramError {}

impl fmt::Display for ProgramError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fault == ProgramFault::Empty {
            return out.write_str("the command is empty: name the program to run.");
        }
        write!(
            out,
            "cannot run `{}`: {}",
            printable(&self.name),
            self.fault
        )?;
        let name = self.name.to_string_lossy();
        let looks_like_words = name.contains(char::is_whitespace) && self.is_absent();
        if looks_like_words {
            out.write_str(
                " All of it was taken for the program's name; `-c` splits a command into words.",
            )?;
        }
        Ok(())
    }
}

impl ProgramError {
    fn is_absent(&self) -> bool {
        matches!(
            self.fault,
            ProgramFault::NotOnPath { .. } | ProgramFault::NoSuchFile { .. }
        )
    }
}

impl fmt::Display for ProgramFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramFault::Empty => out.write_str("the command is empty."),
            ProgramFault::NotOnPath { similar, here } => not_on_path(out, similar, *here),
            ProgramFault::NoSuchFile { link, folder } => {
                no_such_file(out, link.as_deref(), folder.as_deref())
            }
            ProgramFault::Inaccessible(error) => write!(out, "{error}."),
            ProgramFault::Directory => out.write_str("it is a folder."),
            ProgramFault::NotExecutable { path, python } => not_executable(out, path, *python),
            ProgramFault::Interpreter {
                script,
                interpreter,
                carriage_return,
                missing,
            } => {
                let (script, interpreter) = (show(script), show(interpreter));
                let trouble = if *missing {
                    "which does not exist"
                } else {
                    "which this user may not run"
                };
                write!(
                    out,
                    "the first line of {script} names the interpreter {interpreter}, {trouble}."
                )?;
                if *carriage_return {
                    out.write_str(" That line ends as on Windows, with a carriage return: remove it (`dos2unix`).")?;
                }
                Ok(())
            }
            ProgramFault::TooManyInterpreters => out.write_str(
                "its interpreter is a script, whose interpreter is a script, and so on.",
            ),
            ProgramFault::LoaderMissing { path, loader } => {
                let (path, loader) = (show(path), show(loader));
                write!(
                    out,
                    "{path} needs the dynamic loader {loader}, which does not exist: "
                )?;
                out.write_str("the program is for another system (another C library).")
            }
            ProgramFault::Unfit { path, unfit } => write!(out, "{} {unfit}.", show(path)),
            ProgramFault::UnknownFormat { path, empty: true } => {
                write!(out, "{} is empty.", show(path))
            }
            ProgramFault::UnknownFormat { path, empty: false } => {
                let path = show(path);
                write!(
                    out,
                    "{path} is neither a program nor a script that begins with `#!`. "
                )?;
                write!(out, "Name its interpreter: `python3 {path}`, `sh {path}`.")
            }
        }
    }
}

fn not_on_path(out: &mut fmt::Formatter<'_>, similar: &[String], here: bool) -> fmt::Result {
    out.write_str("no folder of PATH has such a program.")?;
    if here {
        return out
            .write_str(" The current folder has such a file: write `./` in front of its name.");
    }
    let names: Vec<String> = similar.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => Ok(()),
        names => write!(out, " There is {}.", names.join(", ")),
    }
}

fn no_such_file(
    out: &mut fmt::Formatter<'_>,
    link: Option<&Path>,
    folder: Option<&Path>,
) -> fmt::Result {
    match (link, folder) {
        (Some(link), _) => write!(
            out,
            "it is a symbolic link to {}, which does not exist.",
            show(link)
        ),
        (None, Some(folder)) => write!(out, "there is no folder {}.", show(folder)),
        (None, None) => out.write_str("there is no such file."),
    }
}

fn not_executable(out: &mut fmt::Formatter<'_>, path: &Path, python: bool) -> fmt::Result {
    let path = show(path);
    match python {
        true => write!(
            out,
            "{path} is not executable. Name its interpreter: `python3 {path}`."
        ),
        false => write!(
            out,
            "{path} is not executable by this user. See `ls -l {path}`."
        ),
    }
}

fn show(path: &Path) -> String {
    printable(path.as_os_str())
}
