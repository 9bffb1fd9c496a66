//! Called `stap`: the flags of stap(1).

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};

use super::words;
use crate::cli::job::{Job, ListPointsJob, Manner, Subject, Talk, TraceJob, UsageError};
use crate::cli::script::{DtraceFlags, Language, ScriptJob, StapFlags, Text};
use crate::fastpath::recorder::WhenFull;
use crate::plan::{MarkerSource, Names};
use crate::tracer::Engine;

/// The flags.
#[derive(Clone, Debug, Default, Parser)]
#[command(
    name = "stap",
    about = "Trace Python, and other programs that have markers, with SystemTap's scripts: the flags of stap(1)",
    override_usage = "stap [FLAGS] [-c COMMAND | -x PID] SCRIPT [ARGS]...\n       \
                      stap [FLAGS] [-c COMMAND | -x PID] -e TEXT [ARGS]...\n       \
                      stap [FLAGS] -l PROBE | -L PROBE",
    disable_version_flag = true,
    max_term_width = 100
)]
pub struct StapArgs {
    /// Run COMMAND and trace it; target() is its process
    #[arg(short = 'c', value_name = "COMMAND")]
    command: Option<String>,

    /// Attach to that process; target() is its number
    #[arg(short = 'x', value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,

    /// Run the script TEXT
    #[arg(short = 'e', value_name = "TEXT")]
    eval: Option<String>,

    /// Run the script TEXT besides the other (repeatable)
    #[arg(short = 'E', value_name = "TEXT")]
    more: Vec<String>,

    /// Write to FILE
    #[arg(short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,

    /// Look there for tapsets (repeatable)
    #[arg(short = 'I', value_name = "FOLDER")]
    tapset: Vec<PathBuf>,

    /// Set a limit such as MAXMAPENTRIES, or a macro (repeatable)
    #[arg(short = 'D', value_name = "NAME[=VALUE]")]
    define: Vec<String>,

    /// Guru mode: a script may signal processes and run commands
    #[arg(short = 'g')]
    guru: bool,

    /// List the probe points that match; -L: with their variables
    #[arg(short = 'l', value_name = "PROBE")]
    list: Option<String>,

    /// List the probe points that match, with their variables
    #[arg(short = 'L', value_name = "PROBE")]
    list_variables: Option<String>,

    /// Stop after pass 1 (parse), 2 (check), 3, 4 or 5 (run)
    #[arg(short = 'p', value_name = "PASS", value_parser = clap::value_parser!(u8).range(1..=5))]
    pass: Option<u8>,

    /// Say more (repeatable)
    #[arg(short = 'v', action = ArgAction::Count)]
    verbose: u8,

    /// End after so many seconds
    #[arg(short = 'T', value_name = "SECONDS")]
    timeout: Option<u64>,

    /// Suppress warnings
    #[arg(short = 'w')]
    no_warnings: bool,

    /// Print the version
    #[arg(short = 'V', long = "version")]
    version: bool,

    /// Accepted without effect
    #[arg(short = 'k')]
    keep: bool,
    /// Accepted without effect: no optimisation
    #[arg(short = 'u')]
    unoptimized: bool,
    /// Accepted without effect: warnings as errors
    #[arg(short = 'W')]
    warnings_as_errors: bool,
    /// Accepted without effect: bulk mode
    #[arg(short = 'b')]
    bulk: bool,
    /// Accepted without effect: timing of probes
    #[arg(short = 't')]
    timing: bool,
    /// Accepted without effect: the size of the buffer, MiB
    #[arg(short = 's', value_name = "SIZE")]
    buffer: Option<String>,
    /// Accepted without effect: where the kernel was built
    #[arg(short = 'r', value_name = "DIR")]
    release: Option<String>,
    /// Accepted without effect: the module's name
    #[arg(short = 'm', value_name = "NAME")]
    module: Option<String>,
    /// Accepted without effect: modules whose symbols are wanted (repeatable)
    #[arg(short = 'd', value_name = "MODULE")]
    debug_module: Vec<String>,
    /// Accepted without effect: a make option (repeatable)
    #[arg(short = 'B', value_name = "NAME=VALUE")]
    make: Vec<String>,
    /// Accepted without effect: symbols of libraries
    #[arg(long)]
    ldd: bool,
    /// Accepted without effect: symbols of kernel modules
    #[arg(long)]
    all_modules: bool,
    /// Accepted without effect
    #[arg(long)]
    disable_cache: bool,
    /// Accepted without effect
    #[arg(long)]
    suppress_handler_errors: bool,
    /// Accepted without effect: there is one runtime, this one
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,

    /// The script (`-`: standard input) and its arguments: $1, @1, …
    #[arg(value_name = "SCRIPT [ARGS]")]
    words: Vec<String>,
}

impl StapArgs {
    /// The version was asked for.
    pub fn wants_version(&self) -> bool {
        self.version
    }

    /// What concerns scripts.
    fn flags(&self) -> StapFlags {
        StapFlags {
            defines: self.define.clone(),
            tapsets: self.tapset.clone(),
            guru: self.guru,
        }
    }

    /// The listing that is asked for: the pattern, and whether with variables.
    pub fn listing(&self) -> Option<(&str, bool)> {
        let plain = self.list.as_deref().map(|it| (it, false));
        plain.or_else(|| self.list_variables.as_deref().map(|it| (it, true)))
    }

    /// What to do.
    ///
    /// # Errors
    /// Flags that make no sense.
    pub fn job(self) -> Result<Job, UsageError> {
        let command = self.command.as_deref().map(words).transpose();
        let command = command.map_err(UsageError)?;
        if let Some((pattern, variables)) = self.listing() {
            return Ok(Job::ListPoints(Box::new(ListPointsJob {
                pattern: pattern.to_owned(),
                variables,
                command,
                pid: self.pid,
                stap: self.flags(),
                output: self.output,
            })));
        }
        let stap = self.flags();
        let mut arguments = self.words.into_iter();
        let mut texts: Vec<Text> = match self.eval {
            Some(text) => vec![Text::Inline(text)],
            None => arguments
                .next()
                .map(|it| Text::File(it.into()))
                .into_iter()
                .collect(),
        };
        texts.extend(self.more.into_iter().map(Text::Inline));
        if texts.is_empty() {
            return Err(UsageError("a script must be specified".to_owned()));
        }
        let script = ScriptJob {
            texts,
            language: Some(Language::Systemtap),
            arguments: arguments.collect(),
            dtrace: DtraceFlags::default(),
            stap,
            compile_only: self.pass.is_some_and(|pass| pass < 5),
            parse_only: self.pass == Some(1),
        };
        let timeout = self.timeout.map(Duration::from_secs);
        Ok(Job::Trace(Box::new(TraceJob {
            all: command.is_none() && self.pid.is_none(),
            command,
            pids: self.pid.into_iter().collect(),
            subject: Subject::Script(Box::new(script)),
            manner: Manner::Stap,
            markers: MarkerSource::default(),
            names: Names::default(),
            output: self.output,
            talk: match (self.no_warnings, self.verbose) {
                (true, _) => Talk::Quiet,
                (false, 0) => Talk::Normal,
                (false, _) => Talk::Verbose,
            },
            timeout: timeout.filter(|it| !it.is_zero()),
            follow: true,
            engine: Engine::default(),
            buffer: TraceJob::BUFFER,
            when_full: WhenFull::default(),
            stats: false,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(words: &[&str]) -> ScriptJob {
        let args = StapArgs::try_parse_from(["stap"].iter().chain(words)).expect("flags");
        match args.job().expect("a job") {
            Job::Trace(job) => match job.subject {
                Subject::Script(script) => *script,
                Subject::Report { .. } => panic!("a report"),
            },
            _ => panic!("a list"),
        }
    }

    #[test]
    fn the_first_word_is_the_script_unless_it_is_on_the_command_line() {
        let job = script(&["-g", "x.stp", "-c", "true", "one", "2"]);
        assert_eq!(job.texts, [Text::File("x.stp".into())]);
        assert_eq!(job.arguments, ["one", "2"]);
        assert!(job.stap.guru);
        let job = script(&["-e", "probe begin {}", "one", "-DMAXACTION=5"]);
        assert_eq!(job.texts, [Text::Inline("probe begin {}".into())]);
        assert_eq!(job.arguments, ["one"]);
        assert_eq!(job.stap.defines, ["MAXACTION=5"]);
        assert!(script(&["-p2", "x.stp"]).compile_only);
    }

    #[test]
    fn a_script_there_must_be() {
        let args = StapArgs::try_parse_from(["stap", "-v"]).expect("flags");
        assert!(args.job().is_err());
    }
}
