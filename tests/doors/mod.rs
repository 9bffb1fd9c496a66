//! Called `dtrace` or `stap`, and called by its own name with a script: what is said, and how it ends.

mod dtrace;
mod own;
mod stap;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::interpreters::interpreter;
use crate::harness::program;
use crate::harness::tracer::{PTPYTRACE, Scratch, run};

/// A program with two calls of its own.
const PROGRAM: &str = "def f(): pass\nf()\nf()\n";

/// A folder with `t.py` and the names of the tools in it.
pub struct Door {
    scratch: Scratch,
    user: bool,
}

/// What a run gave.
#[derive(Debug)]
pub struct Ran {
    pub out: String,
    pub errors: String,
    pub status: Option<i32>,
}

impl Door {
    pub fn new(user: bool) -> Door {
        let scratch = Scratch::new();
        for name in ["dtrace", "stap", "ptpytrace"] {
            symlink(PTPYTRACE, scratch.file(name)).expect("a link");
        }
        let door = Door { scratch, user };
        door.write("t.py", PROGRAM);
        door
    }

    /// Writes a file for the scripts' use.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.scratch.file(name), text).expect("written");
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A tool, in the folder.
    pub fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = program::command(self.user, self.scratch.file(name));
        let home = interpreter("python3.9").root.join("usr");
        command.args(words).current_dir(self.scratch.path());
        command.env("PYTHONHOME", home).env("PYTHONNOUSERSITE", "1");
        command
    }

    /// Runs a tool to its end.
    pub fn run(&self, name: &str, words: &[&str]) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = run(&mut self.command(name, words));
        Ran {
            out: String::from_utf8_lossy(&stdout).into_owned(),
            errors: String::from_utf8_lossy(&stderr).into_owned(),
            status: status.code(),
        }
    }
}

/// The interpreter itself, not a script that runs it.
pub fn python() -> String {
    let file = interpreter("python3.9").notes;
    file.to_str().expect("UTF-8").to_owned()
}

/// A text with every number as `N`.
pub fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if shown.ends_with('N') => {}
            '0'..='9' => shown.push('N'),
            other => shown.push(other),
        }
    }
    shown
}
