//! What the options mean: all validation is here, and nothing has been touched yet.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use super::args::{Args, Format};
use super::script::{DtraceFlags, ScriptJob, StapFlags, Text, interpreter_line};
use crate::cpython::Limits;
use crate::fastpath::recorder::WhenFull;
use crate::plan::{MarkerSource, Names, Plan};
use crate::probe::MarkerPattern;
use crate::probe::glob::Glob;
use crate::tracer::Engine;

/// What to do.
#[derive(Debug)]
pub enum Job {
    /// List markers.
    List(ListJob),
    /// List probes as dtrace(8) does.
    ListProbes(Box<ListProbesJob>),
    /// List the probe points of a script's pattern.
    ListPoints(Box<ListPointsJob>),
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
    /// The binary's own, injected ones, or both.
    pub source: MarkerSource,
    /// Say everything about each site.
    pub verbose: bool,
    /// Text or JSON.
    pub format: Format,
    /// Where to write.
    pub output: Option<PathBuf>,
}

/// Which probes are listed, as dtrace(8) lists them.
#[derive(Debug)]
pub struct ListProbesJob {
    /// Descriptions and scripts; none: all probes.
    pub texts: Vec<Text>,
    /// `$1`, `$2`, … of the scripts.
    pub arguments: Vec<String>,
    /// Of these processes; when there is no command either, of all of this user.
    pub pids: Vec<i32>,
    /// Of a command that is started and stopped before it does anything.
    pub command: Option<Vec<OsString>>,
    /// Where to write.
    pub output: Option<PathBuf>,
}

/// Of what pattern the probe points are listed, as stap(1) lists them.
#[derive(Debug)]
pub struct ListPointsJob {
    /// The pattern: a SystemTap probe point.
    pub pattern: String,
    /// With their variables.
    pub variables: bool,
    /// The command whose program scripts without a path mean.
    pub command: Option<Vec<OsString>>,
    /// The process whose program that is.
    pub pid: Option<i32>,
    /// Flags that concern scripts.
    pub stap: StapFlags,
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
    /// What becomes of their events.
    pub subject: Subject,
    /// Which tool's ways it has.
    pub manner: Manner,
    /// Where CPython's markers come from.
    pub markers: MarkerSource,
    /// Which functions are wanted.
    pub names: Names,
    /// Where to write.
    pub output: Option<PathBuf>,
    /// What is said besides the trace.
    pub talk: Talk,
    /// When to detach.
    pub timeout: Option<Duration>,
    /// Trace children.
    pub follow: bool,
    /// How sites are armed.
    pub engine: Engine,
    /// How many bytes of events may wait to be printed.
    pub buffer: usize,
    /// What a program does that has recorded so many.
    pub when_full: WhenFull,
    /// Print the books at the end.
    pub stats: bool,
}

impl TraceJob {
    /// How many bytes of events may wait unless something else is said.
    pub const BUFFER: usize = 4 << 20;

    /// How many events may wait in the channel.
    pub fn capacity(&self) -> usize {
        (self.buffer / EVENT_SIZE).max(1)
    }

    /// The size of a ring.
    pub fn ring(&self) -> u64 {
        (self.buffer as u64).clamp(4096, 1 << 30)
    }
}

/// What becomes of the events.
#[derive(Debug)]
pub enum Subject {
    /// A built-in report.
    Report {
        /// Which markers.
        plan: Plan,
        /// Call hierarchy or marker lines.
        report: Report,
        /// Text or JSON.
        format: Format,
    },
    /// A script.
    Script(Box<ScriptJob>),
}

/// Whose flags were given, and so whose messages and exit status are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// This program's own.
    Own,
    /// Those of dtrace(8).
    Dtrace,
    /// Those of stap(1).
    Stap,
}

impl Manner {
    /// What messages begin with.
    pub fn name(self) -> &'static str {
        match self {
            Manner::Own => "ptpytrace",
            Manner::Dtrace => "dtrace",
            Manner::Stap => "stap",
        }
    }
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
        source: args.source.into(),
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
    let untargeted = command.is_none() && args.pid.is_empty();
    let subject = match script(&args)? {
        Some(script) => Subject::Script(Box::new(script)),
        None if untargeted && !args.all => {
            return usage("nothing to trace: give -c COMMAND, -- PROG ARGS, -p PID or --all");
        }
        None => report(&args, patterns),
    };
    Ok(TraceJob {
        command,
        pids: args.pid,
        // A script without a target is for every process that its probe points match.
        all: args.all || untargeted,
        subject,
        manner: Manner::Own,
        markers: args.source.into(),
        names: Names {
            only: globs(&args.only)?,
            skip: globs(&args.skip)?,
        },
        output: args.output,
        talk: match (args.quiet, args.verbose) {
            (true, _) => Talk::Quiet,
            (false, false) => Talk::Normal,
            (false, true) => Talk::Verbose,
        },
        timeout: args.timeout.map(seconds).transpose()?,
        follow: !args.no_follow,
        engine: args.engine.into(),
        buffer: args.buffer,
        when_full: match args.drop {
            true => WhenFull::Drop,
            false => WhenFull::Wait,
        },
        stats: args.stats,
    })
}

fn globs(texts: &[String]) -> Result<Vec<Glob>, UsageError> {
    let parsed = texts.iter().map(|text| {
        Glob::parse(text).ok_or_else(|| UsageError(format!("{text}: the `[` has no `]`")))
    });
    parsed.collect()
}

fn report(args: &Args, patterns: Vec<MarkerPattern>) -> Subject {
    let (report, patterns) = if patterns.is_empty() {
        (Report::Hierarchy, hierarchy_markers())
    } else {
        (Report::MarkerLines, patterns)
    };
    Subject::Report {
        plan: Plan::of_markers(&patterns, args.max_string, Limits::default()),
        report,
        format: args.format,
    }
}

/// The script that is asked for, if one is.
fn script(args: &Args) -> Result<Option<ScriptJob>, UsageError> {
    let mut words = args.words.iter();
    let texts = if !args.eval.is_empty() {
        args.eval.iter().cloned().map(Text::Inline).collect()
    } else if let Some(path) = &args.script {
        vec![Text::File(path.clone())]
    } else if let Some(word) = words.next() {
        vec![Text::File(named_script(word, args)?)]
    } else {
        return Ok(None);
    };
    if !args.markers.is_empty() {
        return usage("-m and a script exclude each other: the script names its probes itself");
    }
    if args.format == Format::Json {
        return usage("-f json is for the calls and for -m: a script says itself how it prints");
    }
    let mut cpp: Vec<String> = args.defines.iter().map(|it| format!("-D{it}")).collect();
    cpp.extend(args.includes.iter().map(|it| format!("-I{}", it.display())));
    Ok(Some(ScriptJob {
        texts,
        language: args.lang,
        arguments: words.map(|it| it.to_string_lossy().into_owned()).collect(),
        dtrace: DtraceFlags {
            quiet: args.quiet,
            destructive: args.destructive,
            preprocess: args.preprocess,
            cpp,
            ..DtraceFlags::default()
        },
        stap: StapFlags {
            defines: args.defines.clone(),
            tapsets: args.includes.clone(),
            guru: args.destructive,
        },
        compile_only: false,
        parse_only: false,
    }))
}

/// The file of a script that is named without a flag. Somebody may mean a program that is to be run.
fn named_script(word: &OsStr, args: &Args) -> Result<PathBuf, UsageError> {
    let path = PathBuf::from(word);
    let ending = path.extension().and_then(OsStr::to_str);
    let is_script =
        args.lang.is_some() || word == "-" || matches!(ending, Some("d" | "stp" | "bt"));
    let begins_as_script = || {
        let mut head = Vec::new();
        let file = std::fs::File::open(&path);
        let read = file.and_then(|file| file.take(256).read_to_end(&mut head));
        let head = String::from_utf8_lossy(&head);
        let tools = ["dtrace", "stap", "ptpytrace"];
        read.is_ok()
            && interpreter_line(&head).is_some_and(|line| tools.iter().any(|it| line.contains(it)))
    };
    if is_script || begins_as_script() {
        return Ok(path);
    }
    let word = word.to_string_lossy();
    usage(format!(
        "`{word}` stands alone: to run a program write -c \"{word} …\" or -- {word} …; a script that is not \
         named .d or .stp needs -s"
    ))
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
            _ => panic!("a listing"),
        }
    }

    fn reported(job: TraceJob) -> (Report, Plan) {
        match job.subject {
            Subject::Report { plan, report, .. } => (report, plan),
            Subject::Script(script) => panic!("a script: {script:?}"),
        }
    }

    #[test]
    fn a_script_is_named_first_or_by_a_flag() {
        let file = |path: &str| vec![Text::File(path.into())];
        let table: [(&[&str], Vec<Text>, &[&str]); 6] = [
            (&["x.d", "-p", "1"], file("x.d"), &[]),
            (&["x.stp", "a", "2", "-p", "1"], file("x.stp"), &["a", "2"]),
            (&["-s", "x", "a", "-p", "1"], file("x"), &["a"]),
            (&["-", "a", "-p", "1"], file("-"), &["a"]),
            (&["x", "--lang", "d"], file("x"), &[]),
            (
                &["-e", "BEGIN {", "-e", "}", "a"],
                vec![Text::Inline("BEGIN {".into()), Text::Inline("}".into())],
                &["a"],
            ),
        ];
        for (words, texts, arguments) in table {
            let job = traced(words);
            assert_eq!(job.all, job.pids.is_empty(), "{words:?}");
            let Subject::Script(script) = job.subject else {
                panic!("no script: {words:?}");
            };
            assert_eq!(script.texts, texts);
            assert_eq!(script.arguments, arguments);
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
        assert_eq!(job.pids, [7, 8]);
        let (report, plan) = reported(job);
        assert_eq!(report, Report::Hierarchy);
        assert!(plan.wants("python", "function__entry"));
        assert!(!plan.wants("python", "gc__start"));
        let job = traced(&["--all", "-m", "gc-*", "-m", "audit"]);
        let (report, plan) = reported(job);
        assert_eq!(report, Report::MarkerLines);
        assert!(plan.wants("python", "gc__start"));
        assert!(!plan.wants("python", "function__entry"));
    }

    #[test]
    fn nonsense_is_said_to_be_nonsense() {
        let table: [(&[&str], &str); 10] = [
            (&[], "nothing to trace"),
            (&["-l"], "nothing to list"),
            (&["-c", "a 'b"], "quote"),
            (&["-c", " "], "empty"),
            (&["-c", "a", "--", "b"], "twice"),
            (&["python3"], "stands alone"),
            (&["-p", "1", "-T", "0"], "above 0"),
            (&["-p", "1", "-T", "nan"], "above 0"),
            (&["-p", "1", "-m", "a:b:c"], "two parts"),
            (&["x.d", "-p", "1", "-f", "json"], "a script says itself"),
        ];
        for (words, expected) in table {
            let error = parsed(words).unwrap_err().to_string();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }
}
