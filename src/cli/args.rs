//! The options as typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser, ValueEnum};

use super::script::Language;
use crate::plan::MarkerSource;
use crate::tracer::Engine;

/// Trace CPython's static markers with ptrace alone: no root, no kernel tracing, no BPF.
///
/// SCRIPT is one in DTrace's D or in SystemTap's language; it is run unchanged. Without a script and a marker named, the
/// Python call hierarchy is printed, as CPython's documentation shows it.
#[derive(Debug, Parser)]
#[command(name = "ptpytrace", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    /// Run COMMAND (split into words as a shell would) and trace it; also: `ptpytrace -- PROG ARGS`
    #[arg(short = 'c', long, value_name = "COMMAND")]
    pub command: Option<String>,

    /// Attach to a running process (repeatable)
    #[arg(short = 'p', long, value_name = "PID", visible_short_alias = 'x', value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Vec<i32>,

    /// Attach to every process of this user that has the markers, and to those started later
    #[arg(long)]
    pub all: bool,

    /// Run the script in FILE (`-`: standard input); the same as naming it first
    #[arg(short = 's', long, value_name = "FILE", conflicts_with_all = ["markers", "list"])]
    pub script: Option<PathBuf>,

    /// Run a script of one line (repeatable: together they are one script)
    #[arg(short = 'e', long, value_name = "TEXT", visible_short_alias = 'n', conflicts_with_all = ["markers", "list", "script"])]
    pub eval: Vec<String>,

    /// The script's language; otherwise its name, its `#!` line or how it begins says it
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Option<Language>,

    /// Let a script stop and signal traced processes and run commands (D's destructive actions, SystemTap's guru mode)
    #[arg(short = 'w', long)]
    pub destructive: bool,

    /// Run D scripts through the C preprocessor
    #[arg(short = 'C', long)]
    pub preprocess: bool,

    /// Define a macro for -C, or a limit such as MAXMAPENTRIES for SystemTap scripts (repeatable)
    #[arg(short = 'D', long = "define", value_name = "NAME[=VALUE]")]
    pub defines: Vec<String>,

    /// Look there for tapsets, or for -C's include files (repeatable)
    #[arg(short = 'I', long = "include", value_name = "FOLDER")]
    pub includes: Vec<PathBuf>,

    /// Print a line for each firing of these markers, arguments by name (repeatable): NAME or PROVIDER:NAME, with `*`, `?` and `[a-z]`
    #[arg(short = 'm', long = "marker", value_name = "GLOB")]
    pub markers: Vec<String>,

    /// Trace only functions that match: the name of a function, or of a file with or without its folders (repeatable)
    #[arg(long, value_name = "GLOB", conflicts_with = "list")]
    pub only: Vec<String>,

    /// Do not trace functions that match (repeatable)
    #[arg(long, value_name = "GLOB", conflicts_with = "list")]
    pub skip: Vec<String>,

    /// List the markers of the files given, of -c's program or of -p's process
    #[arg(short = 'l', long)]
    pub list: bool,

    /// Where markers come from: the binary's own where it has them and injected ones for what it lacks; its own only; or
    /// injected ones only
    #[arg(long = "markers", value_name = "SOURCE", default_value = "auto")]
    pub source: MarkersFrom,

    /// How sites are armed: with breakpoints that give way to code which records without a trap where that is safe and
    /// worth it; with breakpoints only; or without a trap from the first hit on wherever that is safe
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub engine: EngineChoice,

    /// Write the trace to FILE instead of standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// How to print calls and markers
    #[arg(short = 'f', long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,

    /// Say only what went wrong; a D script prints only what it says itself
    #[arg(short = 'q', long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more
    #[arg(short = 'v', long, action = ArgAction::SetTrue)]
    pub verbose: bool,

    /// Detach after that many seconds
    #[arg(short = 'T', long, value_name = "SECONDS")]
    pub timeout: Option<f64>,

    /// Do not trace the processes that a traced process starts
    #[arg(long)]
    pub no_follow: bool,

    /// Read at most that many bytes of a string (a script says it by `strsize` or -D MAXSTRINGLEN)
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = max_string)]
    pub max_string: usize,

    /// Keep so many bytes of events that are not yet printed (K, M, G), for each thread that records its own; the program
    /// waits when it is full
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = size)]
    pub buffer: usize,

    /// Drop events instead of having the program wait; how many is said at the end
    #[arg(long)]
    pub drop: bool,

    /// Say at the end how often each marker fired, what it cost, how each site was armed, what was lost
    #[arg(long)]
    pub stats: bool,

    /// A script and its arguments ($1, $2, …); with -l: the files to list
    #[arg(value_name = "SCRIPT [ARGS]")]
    pub words: Vec<OsString>,

    /// After `--`: the program to run and its arguments
    #[arg(last = true, hide = true)]
    pub program: Vec<OsString>,
}

/// Where CPython's markers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MarkersFrom {
    /// The binary's, and injected ones for what it lacks
    Auto,
    /// The binary's
    Native,
    /// Injected ones
    Injected,
}

/// How sites are armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// Whatever is best for each
    Auto,
    /// Breakpoints
    Trap,
    /// Without a trap where possible
    Jump,
}

impl From<EngineChoice> for Engine {
    fn from(choice: EngineChoice) -> Engine {
        match choice {
            EngineChoice::Auto => Engine::Auto,
            EngineChoice::Trap => Engine::Trap,
            EngineChoice::Jump => Engine::Jump,
        }
    }
}

impl From<MarkersFrom> for MarkerSource {
    fn from(from: MarkersFrom) -> MarkerSource {
        match from {
            MarkersFrom::Auto => MarkerSource::Auto,
            MarkersFrom::Native => MarkerSource::Native,
            MarkersFrom::Injected => MarkerSource::Injected,
        }
    }
}

/// How events or listings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As the documentation shows it
    Text,
    /// One JSON object a line
    Json,
}

const EXAMPLES: &str = "\
Examples:
  ptpytrace -c \"python3 test.py\"                  the calls and returns of a program
  ptpytrace call_stack.d -c \"python3 test.py\"      what a D or SystemTap script prints about it
  ptpytrace -m 'gc__*' -p 1234                     each garbage collection of a running one
  ptpytrace -m audit -f json -o log -- ./app -x    audit events as JSON lines
  ptpytrace -l /usr/bin/python3.11                 which markers a binary has

The exit status is the command's (128 + N when signal N ended it), 1 when tracing failed, 2 for a wrong option.";

/// From 1 byte to 1 GiB.
fn max_string(text: &str) -> Result<usize, String> {
    match size(text)? {
        value @ 1..=0x4000_0000 => Ok(value),
        _ => Err("it must be from 1 to 1G".to_owned()),
    }
}

/// A number of bytes with an optional K, M or G.
fn size(text: &str) -> Result<usize, String> {
    let (digits, shift) = match text.char_indices().next_back() {
        Some((last, 'k' | 'K')) => (text.get(..last), 10),
        Some((last, 'm' | 'M')) => (text.get(..last), 20),
        Some((last, 'g' | 'G')) => (text.get(..last), 30),
        _ => (Some(text), 0),
    };
    let number: usize = digits
        .unwrap_or(text)
        .parse()
        .map_err(|_| "it must be a number of bytes such as 65536, 64K or 16M".to_owned())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "it must be above 0 and fit into memory".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes_have_suffixes_and_bounds() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64K"), Ok(65536));
        assert_eq!(size("2m"), Ok(2 << 20));
        assert_eq!(size("1G"), Ok(1 << 30));
        for bad in [
            "",
            "K",
            "0",
            "-1",
            "1T",
            "99999999999999999999",
            "18446744073709551615G",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert!(max_string("2G").is_err());
    }
}
