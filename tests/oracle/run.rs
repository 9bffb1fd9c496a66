//! Runs a program with the oracle under the tracer, and untraced; both must print and end alike.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::harness::interpreters::{Interpreter, interpreter, program_file};
use crate::harness::program;
use crate::harness::trace::{self, Fired};
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::record::{self, Records};

/// Which program, by which interpreter, as whom.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// `python3.9` and so on.
    pub interpreter: &'static str,
    /// As an unprivileged user.
    pub user: bool,
    /// The program's name without `.py`.
    pub program: &'static str,
    /// What the oracle records.
    pub kinds: &'static str,
    /// `-m` for each.
    pub markers: &'static [&'static str],
}

/// What a run left.
pub struct Both {
    /// The trace.
    pub fired: Vec<Fired>,
    /// The oracle's files.
    pub records: Records,
}

impl Case {
    /// For failures.
    pub fn title(&self) -> String {
        let user = if self.user { " as a user" } else { "" };
        format!(
            "{} {}.py{user}, {}",
            self.interpreter, self.program, self.kinds
        )
    }

    /// Whether the interpreter is of this release.
    pub fn is(&self, release: &str) -> bool {
        self.interpreter
            .trim_start_matches(|c: char| c.is_ascii_lowercase())
            == release
    }

    /// Traces the program while the oracle records it.
    pub fn trace(&self) -> Both {
        let scratch = Scratch::new();
        let (file, records) = (scratch.file("trace"), scratch.file("oracle"));
        let mut command = ptpytrace(self.user);
        command
            .args(["--max-string", "100000", "-f", "json", "-o"])
            .arg(&file);
        for marker in self.markers.iter().chain(&["audit"]) {
            command.args(["-m", marker]);
        }
        command.arg("--").args(self.words());
        let traced = self.finish(&mut command, &scratch, Some(records));
        let untraced = self.finish(&mut self.untraced(), &scratch, None);
        assert_eq!(
            (
                traced.status.code(),
                text(&traced.stdout),
                text(&traced.stderr)
            ),
            (
                untraced.status.code(),
                text(&untraced.stdout),
                text(&untraced.stderr)
            ),
            "{}: traced (left) and untraced (right) differ",
            self.title()
        );
        Both {
            fired: trace::read(&file),
            records: record::read(scratch.path()),
        }
    }

    /// What the oracle says without a tracer.
    pub fn untraced_records(&self) -> Records {
        let scratch = Scratch::new();
        let records = scratch.file("oracle");
        let output = self.finish(&mut self.untraced(), &scratch, Some(records));
        assert!(output.status.success(), "{}: {output:?}", self.title());
        record::read(scratch.path())
    }

    fn words(&self) -> [PathBuf; 2] {
        let Interpreter { name, wrapper, .. } = interpreter(self.interpreter);
        assert_eq!(name, self.interpreter);
        [wrapper, program_file(&format!("{}.py", self.program))]
    }

    fn untraced(&self) -> Command {
        let [wrapper, file] = self.words();
        let mut command = program::command(self.user, wrapper);
        command.arg(file);
        command
    }

    fn finish(&self, command: &mut Command, scratch: &Scratch, records: Option<PathBuf>) -> Output {
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", scratch.path());
        if let Some(records) = records {
            command.env("PTPYTRACE_ORACLE", records);
            command.env("PTPYTRACE_ORACLE_KINDS", self.kinds);
        }
        run(command)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
