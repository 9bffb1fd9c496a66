//! Which programs, libraries and marks there are, as far as a script asks.

use std::path::{Path, PathBuf};

/// A static marker of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its provider (`python`).
    pub provider: String,
    /// Its name as the note has it (`function__entry`).
    pub name: String,
    /// How many arguments it has.
    pub arguments: usize,
}

/// What a script's probe points are resolved against.
pub trait Programs {
    /// The file that `process("NAME")` or `library("NAME")` means: by `PATH` or the linker's folders when the name has no
    /// slash, with symbolic links followed; for a script that begins with `#!` its interpreter.
    fn resolve(&self, name: &str, library: bool) -> Option<PathBuf>;
    /// The programs whose paths match a glob, ascending; a glob without a slash is looked for on `PATH`.
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;
    /// The marks of a file; several sites of one mark are one.
    ///
    /// # Errors
    /// The file cannot be read or is no ELF file: why.
    fn marks(&self, path: &Path) -> Result<Vec<Mark>, String>;
    /// The libraries that a program maps, as far as that can be told: its needed ones, or those that its process has.
    fn libraries(&self, program: &Path) -> Vec<PathBuf>;
    /// The program that a process runs.
    fn process(&self, pid: i32) -> Option<PathBuf>;
}

/// Knows nothing: for what is only parsed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPrograms;

impl Programs for NoPrograms {
    fn resolve(&self, _name: &str, _library: bool) -> Option<PathBuf> {
        None
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn marks(&self, path: &Path) -> Result<Vec<Mark>, String> {
        Err(format!("{} cannot be read", path.display()))
    }

    fn libraries(&self, _program: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn process(&self, _pid: i32) -> Option<PathBuf> {
        None
    }
}
