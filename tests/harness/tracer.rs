//! Running ptpytrace.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::guard::Guard;
use super::program;

/// The binary under test.
pub const PTPYTRACE: &str = env!("CARGO_BIN_EXE_ptpytrace");

/// A command that runs ptpytrace; with `user`, under an unprivileged user.
pub fn ptpytrace(user: bool) -> Command {
    program::command(user, PTPYTRACE)
}

/// Runs a command to its end with an empty input.
pub fn run(command: &mut Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let _guard = Guard::new(child.id() as i32);
    child.wait_with_output().unwrap()
}

/// A folder for one test's files, which everybody may use; removed when dropped.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// A new folder.
    pub fn new() -> Scratch {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        Scratch(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
