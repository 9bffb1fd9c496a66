//! A script given on the command line: which language it is in, and what becomes of it.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use crate::script::dtrace::Spec;

mod compile;
mod language;

pub use compile::{Prepared, Setting, prepare, stap_settings};
pub use language::{interpreter_line, language_of};

/// The languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// DTrace's D
    #[value(alias = "d")]
    Dtrace,
    /// SystemTap's
    #[value(alias = "stap", alias = "stp")]
    Systemtap,
}

/// Where a script's text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// In a file; `-` is standard input.
    File(PathBuf),
    /// On the command line.
    Inline(String),
    /// A probe of D on the command line, with an optional predicate and clause; of its description the last field is
    /// that one.
    Probe(Spec, String),
}

/// A script, and what was said on the command line for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptJob {
    /// Its text; several are one program.
    pub texts: Vec<Text>,
    /// Its language; `None`: as its name or text says.
    pub language: Option<Language>,
    /// `$1`, `$2`, …
    pub arguments: Vec<String>,
    /// What D scripts are told.
    pub dtrace: DtraceFlags,
    /// What SystemTap scripts are told.
    pub stap: StapFlags,
    /// End when it is compiled.
    pub compile_only: bool,
    /// End when it is parsed (`stap -p1`).
    pub parse_only: bool,
}

/// Flags of dtrace(8) that concern the script itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DtraceFlags {
    /// `-q`
    pub quiet: bool,
    /// `-F`
    pub flow: bool,
    /// `-w`
    pub destructive: bool,
    /// `-Z`
    pub unmatched: bool,
    /// `-C`, and with it `-D`, `-I`, `-U`, `-H` as cpp takes them.
    pub preprocess: bool,
    /// Flags for cpp.
    pub cpp: Vec<String>,
    /// `-x NAME[=VALUE]`
    pub options: Vec<String>,
}

impl DtraceFlags {
    /// Adds those of a script's own first line.
    pub fn join(&mut self, other: DtraceFlags) {
        self.quiet |= other.quiet;
        self.flow |= other.flow;
        self.destructive |= other.destructive;
        self.unmatched |= other.unmatched;
        self.preprocess |= other.preprocess;
        self.cpp.extend(other.cpp);
        self.options.extend(other.options);
    }
}

/// Flags of stap(1) that concern the script itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StapFlags {
    /// `-D NAME=VALUE`
    pub defines: Vec<String>,
    /// `-I FOLDER`
    pub tapsets: Vec<PathBuf>,
    /// `-g`
    pub guru: bool,
}

impl ScriptJob {
    /// A script without flags.
    pub fn new(text: Text, language: Option<Language>) -> ScriptJob {
        ScriptJob {
            texts: vec![text],
            language,
            arguments: Vec::new(),
            dtrace: DtraceFlags::default(),
            stap: StapFlags::default(),
            compile_only: false,
            parse_only: false,
        }
    }
}

/// A text that was read, and its name in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The name.
    pub name: String,
    /// The text.
    pub text: Vec<u8>,
}

impl Text {
    /// Reads it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(&self) -> anyhow::Result<Loaded> {
        let (name, text) = match self {
            Text::Inline(text) | Text::Probe(_, text) => {
                ("<command line>".to_owned(), text.clone().into_bytes())
            }
            Text::File(path) if path.as_os_str() == "-" => {
                let mut text = Vec::new();
                io::stdin()
                    .read_to_end(&mut text)
                    .context("cannot read the script from standard input")?;
                ("<standard input>".to_owned(), text)
            }
            Text::File(path) => {
                let text = fs::read(path)
                    .with_context(|| format!("cannot read the script {}", path.display()))?;
                (path.display().to_string(), text)
            }
        };
        Ok(Loaded { name, text })
    }
}
