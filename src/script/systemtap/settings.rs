//! What the command line says about a SystemTap script.

use std::path::PathBuf;

use super::programs::Programs;

/// What a script is compiled with.
#[derive(Clone)]
pub struct Settings<'a> {
    /// Its arguments: `$1`, `@1`, …
    pub arguments: Vec<String>,
    /// Limits: `-D NAME=VALUE`; the value is empty when there is none.
    pub defines: Vec<(String, String)>,
    /// Folders of tapsets (`-I`): their `*.stp` and `*.stpm` files.
    pub tapsets: Vec<PathBuf>,
    /// `-g`.
    pub guru: bool,
    /// The program that `-c` runs or that the process of `-x` runs: its file.
    pub program: Option<PathBuf>,
    /// What `-c` names as its program, as it was typed: `process("python")` is it when its last part is `python`.
    /// `None`: the name of [`Settings::program`].
    pub command: Option<String>,
    /// What the release of the kernel is (`kernel_v`, `kernel_vr`).
    pub kernel: String,
    /// Which programs there are, and which marks they have.
    pub programs: &'a dyn Programs,
}

impl<'a> Settings<'a> {
    /// Settings without anything.
    pub fn new(programs: &'a dyn Programs) -> Settings<'a> {
        Settings {
            arguments: Vec::new(),
            defines: Vec::new(),
            tapsets: Vec::new(),
            guru: false,
            program: None,
            command: None,
            kernel: String::new(),
            programs,
        }
    }
}
