//! What the options mean: all validation is here, and nothing has been touched yet.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::args::{Args, Format};
use crate::cpython::Limits;
use crate::plan::Plan;
use crate::probe::MarkerPattern;

/// What to do.
#[derive(Debug)]
pub enum Job {
    /// List markers.
    List(ListJob),
    /// Trace.
    Trace(Box<TraceJob>),
}

/// Of what the markers are listed.
#[derive(Debug)]
pub struct ListJob {
    /// ELF files.
    pub files: Vec<PathBuf>,
    /// Processes.
    pub pids: Vec<i32>,
    /// A command that is started and stopped before it does anything.
    pub command: Option<Vec<OsString>>,
    /// Which markers; all when empty.
    pub patterns: Vec<MarkerPattern>,
    /// Say everything about each site.
    pub verbose: bool,
    /// Text or JSON.
    pub format: Format,
    /// Where to write.
    pub output: Option<PathBuf>,
}

/// What to trace, and how.
#[derive(Debug)]
pub struct TraceJob {
    /// The command to launch, in words.
    pub command: Option<Vec<OsString>>,
    /// Processes to attach to.
    pub pids: Vec<i32>,
    /// Every process of this user.
    pub all: bool,
    /// What is wanted of them.
    pub plan: Plan,
    /// Call hierarchy or marker lines.
    pub report: Report,
    /// Text or JSON.
    pub format: Format,
    /// Where to write.
    pub output: Option<PathBuf>,
    /// What is said besides the trace.
    pub talk: Talk,
    /// When to detach.
    pub timeout: Option<Duration>,
    /// Trace children.
    pub follow: bool,
    /// Events that may wait to be printed.
    pub capacity: usize,
    /// Print the books at the end.
    pub stats: bool,
}

/// Which built-in report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Calls and returns, indented.
    Hierarchy,
    /// A line for each firing.
    MarkerLines,
}

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// Errors only.
    Quiet,
    /// What matters.
    Normal,
    /// Everything.
    Verbose,
}

/// The command line makes no sense; the text says why and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

fn usage<T>(text: impl Into<String>) -> Result<T, UsageError> {
    Err(UsageError(text.into()))
}

/// An event that waits takes about so many bytes.
const EVENT_SIZE: usize = 256;

/// What to do about the options.
///
/// # Errors
/// [`UsageError`].
pub fn job(args: Args) -> Result<Job, UsageError> {
    let patterns = args
        .markers
        .iter()
        .map(|text| MarkerPattern::parse(text).map_err(|error| UsageError(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let command = command(&args)?;
    if args.list {
        list(args, command, patterns)
    } else {
        trace(args, command, patterns).map(|job| Job::Trace(Box::new(job)))
    }
}

fn command(args: &Args) -> Result<Option<Vec<OsString>>, UsageError> {
    match (&args.command, args.program.is_empty()) {
        (Some(_), false) => usage("a command is given twice: with -c and after --"),
        (None, false) => Ok(Some(args.program.clone())),
        (None, true) => Ok(None),
        (Some(text), true) => match shlex::split(text) {
            None => usage(format!("the command has a quote without its end: {text}")),
            Some(words) if words.is_empty() => usage("the command is empty"),
            Some(words) => Ok(Some(words.into_iter().map(OsString::from).collect())),
        },
    }
}

fn list(
    args: Args,
    command: Option<Vec<OsString>>,
    patterns: Vec<MarkerPattern>,
) -> Result<Job, UsageError> {
    if args.words.is_empty() && args.pid.is_empty() && command.is_none() {
        return usage("nothing to list: name an ELF file, -p PID or -c COMMAND");
    }
    Ok(Job::List(ListJob {
        files: args.words.into_iter().map(PathBuf::from).collect(),
        pids: args.pid,
        command,
        patterns,
        verbose: args.verbose,
        format: args.format,
        output: args.output,
    }))
}

fn trace(
    args: Args,
    command: Option<Vec<OsString>>,
    patterns: Vec<MarkerPattern>,
) -> Result<TraceJob, UsageError> {
    if let Some(word) = args.words.first() {
        let word = word.to_string_lossy();
        return usage(format!(
            "`{word}` stands alone: to run a program write -c \"{word} …\" or -- {word} …"
        ));
    }
    if command.is_none() && args.pid.is_empty() && !args.all {
        return usage("nothing to trace: give -c COMMAND, -- PROG ARGS, -p PID or --all");
    }
    let report = if patterns.is_empty() {
        Report::Hierarchy
    } else {
        Report::MarkerLines
    };
    Ok(TraceJob {
        command,
        pids: args.pid,
        all: args.all,
        plan: Plan {
            markers: if patterns.is_empty() {
                hierarchy_markers()
            } else {
                patterns
            },
            max_string: args.max_string,
            objects: Limits::default(),
        },
        report,
        format: args.format,
        output: args.output,
        talk: match (args.quiet, args.verbose) {
            (true, _) => Talk::Quiet,
            (false, false) => Talk::Normal,
            (false, true) => Talk::Verbose,
        },
        timeout: args.timeout.map(seconds).transpose()?,
        follow: !args.no_follow,
        capacity: (args.buffer / EVENT_SIZE).max(1),
        stats: args.stats,
    })
}

fn seconds(value: f64) -> Result<Duration, UsageError> {
    match Duration::try_from_secs_f64(value) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => usage(format!("-T takes a number of seconds above 0, not {value}")),
    }
}

/// What the call hierarchy is made of.
fn hierarchy_markers() -> Vec<MarkerPattern> {
    ["python:function__entry", "python:function__return"]
        .into_iter()
        .filter_map(|text| MarkerPattern::parse(text).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn parsed(words: &[&str]) -> Result<Job, UsageError> {
        job(Args::try_parse_from(["ptpytrace"].iter().chain(words)).unwrap())
    }

    fn traced(words: &[&str]) -> TraceJob {
        match parsed(words).unwrap() {
            Job::Trace(job) => *job,
            Job::List(_) => panic!("a listing"),
        }
    }

    #[test]
    fn a_command_is_split_as_a_shell_would() {
        let job = traced(&["-c", "python3 -c 'print(1)' \"a b\" c\\ d"]);
        let words = ["python3", "-c", "print(1)", "a b", "c d"];
        assert_eq!(job.command.unwrap(), words);
        let job = traced(&["-q", "--", "prog", "-x", "--", "y"]);
        assert_eq!(job.command.unwrap(), ["prog", "-x", "--", "y"]);
        assert_eq!(job.talk, Talk::Quiet);
    }

    #[test]
    fn markers_choose_the_report() {
        let job = traced(&["-p", "7", "-p", "8"]);
        assert_eq!((job.report, job.pids), (Report::Hierarchy, vec![7, 8]));
        assert!(job.plan.wants("python", "function__entry"));
        assert!(!job.plan.wants("python", "gc__start"));
        let job = traced(&["--all", "-m", "gc-*", "-m", "audit"]);
        assert_eq!(job.report, Report::MarkerLines);
        assert!(job.plan.wants("python", "gc__start"));
        assert!(!job.plan.wants("python", "function__entry"));
    }

    #[test]
    fn nonsense_is_said_to_be_nonsense() {
        let table: [(&[&str], &str); 9] = [
            (&[], "nothing to trace"),
            (&["-l"], "nothing to list"),
            (&["-c", "a 'b"], "quote"),
            (&["-c", " "], "empty"),
            (&["-c", "a", "--", "b"], "twice"),
            (&["python3"], "stands alone"),
            (&["-p", "1", "-T", "0"], "above 0"),
            (&["-p", "1", "-T", "nan"], "above 0"),
            (&["-p", "1", "-m", "a:b:c"], "two parts"),
        ];
        for (words, expected) in table {
            let error = parsed(words).unwrap_err().to_string();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }
}
