//! Called `dtrace`: the flags of dtrace(8).

use std::path::{Path, PathBuf};

use clap::{ArgAction, Parser};

use super::words;
use crate::cli::job::{Job, ListProbesJob, Manner, Subject, Talk, TraceJob, UsageError};
use crate::cli::script::{DtraceFlags, Language, ScriptJob, StapFlags, Text};
use crate::fastpath::recorder::WhenFull;
use crate::plan::{MarkerSource, Names};
use crate::script::dtrace::Spec;
use crate::tracer::Engine;

/// The flags.
#[derive(Clone, Debug, Default, Parser)]
#[command(
    name = "dtrace",
    about = "Trace Python, and other programs that have markers, with scripts in D: the flags of dtrace(1)",
    override_usage = "dtrace [FLAGS] [-c COMMAND | -p PID] -s FILE [ARGS]...\n       \
                      dtrace [FLAGS] [-c COMMAND | -p PID] -n 'PROBE /PREDICATE/ { ACTIONS }' [ARGS]...\n       \
                      dtrace -l [-c COMMAND | -p PID] [-n PROBE]",
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 100
)]
pub struct DtraceArgs {
    /// Run COMMAND and trace it; $target is its process
    #[arg(short = 'c', value_name = "COMMAND")]
    command: Option<String>,

    /// Attach to that process; the first is $target (repeatable)
    #[arg(short = 'p', value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Vec<i32>,

    /// Run the D script in FILE
    #[arg(short = 's', value_name = "FILE")]
    script: Vec<PathBuf>,

    /// Enable probes by name: PROVIDER:MODULE:FUNCTION:NAME, with an optional clause (repeatable)
    #[arg(short = 'n', value_name = "PROBE")]
    name: Vec<String>,

    /// Enable the probes of a provider (repeatable)
    #[arg(short = 'P', value_name = "PROVIDER")]
    provider: Vec<String>,

    /// Enable the probes of a module: [PROVIDER:]MODULE (repeatable)
    #[arg(short = 'm', value_name = "MODULE")]
    module: Vec<String>,

    /// Enable the probes of a function: [[PROVIDER:]MODULE:]FUNCTION (repeatable)
    #[arg(short = 'f', value_name = "FUNCTION")]
    function: Vec<String>,

    /// Enable a probe by its number; numbers are given anew in every run, so this is refused
    #[arg(short = 'i', value_name = "ID")]
    id: Vec<String>,

    /// List probes instead of enabling them
    #[arg(short = 'l')]
    list: bool,

    /// Print only what the script prints
    #[arg(short = 'q')]
    quiet: bool,

    /// Write to FILE
    #[arg(short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,

    /// Set an option (repeatable)
    #[arg(short = 'x', value_name = "NAME[=VALUE]")]
    option: Vec<String>,

    /// Permit probe descriptions that match nothing
    #[arg(short = 'Z')]
    unmatched: bool,

    /// Run the C preprocessor over scripts
    #[arg(short = 'C')]
    preprocess: bool,

    /// Define a macro for the preprocessor (repeatable)
    #[arg(short = 'D', value_name = "NAME[=VALUE]")]
    define: Vec<String>,

    /// Look there for include files (repeatable)
    #[arg(short = 'I', value_name = "FOLDER")]
    include: Vec<String>,

    /// Undefine a macro for the preprocessor (repeatable)
    #[arg(short = 'U', value_name = "NAME")]
    undefine: Vec<String>,

    /// Print the paths of included files
    #[arg(short = 'H')]
    headers: bool,

    /// Indent by calls and returns
    #[arg(short = 'F')]
    flow: bool,

    /// Permit destructive actions
    #[arg(short = 'w')]
    destructive: bool,

    /// Exit after compiling
    #[arg(short = 'e')]
    compile_only: bool,

    /// Say more
    #[arg(short = 'v')]
    verbose: bool,

    /// Print the version
    #[arg(short = 'V')]
    version: bool,

    /// Accepted without effect: the size of a buffer
    #[arg(short = 'b', value_name = "SIZE")]
    buffer: Option<String>,

    /// Accepted without effect: where D libraries are
    #[arg(short = 'L', value_name = "FOLDER")]
    library: Vec<PathBuf>,

    /// Accepted without effect: how strictly C is followed
    #[arg(short = 'X', value_name = "a|c|s|t")]
    strictness: Option<String>,

    /// Accepted without effect: print the compiled program
    #[arg(short = 'S')]
    disassemble: bool,

    /// Refused: it generates code for a build
    #[arg(short = 'h', action = ArgAction::SetTrue)]
    header: bool,

    /// Refused: it generates code for a build
    #[arg(short = 'G')]
    generate: bool,

    /// Refused: tracing from the boot on
    #[arg(short = 'A')]
    anonymous: bool,

    /// Refused: tracing from the boot on
    #[arg(short = 'a')]
    claim: bool,

    /// Print this help
    #[arg(long = "help", action = ArgAction::Help)]
    help: Option<bool>,

    /// The script's arguments: $1, $2, …
    #[arg(value_name = "ARGS")]
    arguments: Vec<String>,
}

impl DtraceArgs {
    /// Flags of a script's `#!` line, such as `-Zs`.
    pub fn of_interpreter_line(line: &str) -> Option<DtraceArgs> {
        let (_, flags) = line.split_once("dtrace")?;
        let words = flags.split_whitespace();
        let cluster: Vec<String> = words.map(str::to_owned).collect();
        // The script's name follows a cluster that ends in `s`.
        let mut all = vec!["dtrace".to_owned()];
        all.extend(cluster);
        all.push("script".to_owned());
        DtraceArgs::try_parse_from(all).ok()
    }

    /// What concerns the script itself.
    pub fn flags(&self) -> DtraceFlags {
        let mut cpp: Vec<String> = Vec::new();
        cpp.extend(self.define.iter().map(|it| format!("-D{it}")));
        cpp.extend(self.include.iter().map(|it| format!("-I{it}")));
        cpp.extend(self.undefine.iter().map(|it| format!("-U{it}")));
        cpp.extend(self.headers.then(|| "-H".to_owned()));
        DtraceFlags {
            quiet: self.quiet,
            flow: self.flow,
            destructive: self.destructive,
            unmatched: self.unmatched,
            preprocess: self.preprocess,
            cpp,
            options: self.option.clone(),
        }
    }

    /// The version was asked for.
    pub fn wants_version(&self) -> bool {
        self.version
    }

    /// What to do.
    ///
    /// # Errors
    /// Flags that make no sense, or that are refused.
    pub fn job(self) -> Result<Job, UsageError> {
        self.refuse()?;
        let command = self.command.as_deref().map(words).transpose();
        let command = command.map_err(UsageError)?;
        let texts = self.texts();
        if self.list {
            return Ok(Job::ListProbes(Box::new(ListProbesJob {
                texts,
                arguments: self.arguments,
                pids: self.pid,
                command,
                output: self.output,
            })));
        }
        if texts.is_empty() {
            return Err(nothing_to_enable(self.arguments.first()));
        }
        let script = ScriptJob {
            texts,
            language: Some(Language::Dtrace),
            arguments: self.arguments.clone(),
            dtrace: self.flags(),
            stap: StapFlags::default(),
            compile_only: self.compile_only,
            parse_only: false,
        };
        Ok(Job::Trace(Box::new(TraceJob {
            all: command.is_none() && self.pid.is_empty(),
            command,
            pids: self.pid,
            subject: Subject::Script(Box::new(script)),
            manner: Manner::Dtrace,
            markers: MarkerSource::default(),
            names: Names::default(),
            output: self.output,
            talk: match (self.quiet, self.verbose) {
                (true, _) => Talk::Quiet,
                (false, false) => Talk::Normal,
                (false, true) => Talk::Verbose,
            },
            timeout: None,
            follow: true,
            engine: Engine::default(),
            buffer: TraceJob::BUFFER,
            when_full: WhenFull::default(),
            stats: false,
        })))
    }

    fn refuse(&self) -> Result<(), UsageError> {
        let refused = [
            (
                self.header || self.generate,
                "-h and -G generate code for a build; SystemTap's `dtrace` does that (package systemtap-sdt-dev)",
            ),
            (
                self.anonymous || self.claim,
                "-A and -a trace the kernel from the boot on, which only a kernel can do",
            ),
            (
                !self.id.is_empty(),
                "-i: the numbers of probes are given anew in every run; name the probe with -n",
            ),
        ];
        match refused.into_iter().find(|(wanted, _)| *wanted) {
            Some((_, text)) => Err(UsageError(text.to_owned())),
            None => Ok(()),
        }
    }

    /// All that is one program: scripts, then probes from the least exact to the most.
    fn texts(&self) -> Vec<Text> {
        let mut texts: Vec<Text> = self.script.iter().cloned().map(Text::File).collect();
        for (all, spec) in [
            (&self.provider, Spec::Provider),
            (&self.module, Spec::Module),
            (&self.function, Spec::Function),
            (&self.name, Spec::Name),
        ] {
            texts.extend(all.iter().map(|it| Text::Probe(spec, it.clone())));
        }
        texts
    }
}

/// No probe is named; a script's name may have been given without its flag.
fn nothing_to_enable(argument: Option<&String>) -> UsageError {
    let script = argument.filter(|it| Path::new(it).extension().is_some_and(|it| it == "d"));
    UsageError(match script {
        Some(script) => {
            format!("no probes specified: to run the script {script} write -s {script}")
        }
        None => "no probes specified: give -n PROBE, -P PROVIDER or -s SCRIPT".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> DtraceArgs {
        DtraceArgs::try_parse_from(["dtrace"].iter().chain(words)).expect("flags")
    }

    fn script(words: &[&str]) -> ScriptJob {
        match parsed(words).job().expect("a job") {
            Job::Trace(job) => match job.subject {
                Subject::Script(script) => *script,
                Subject::Report { .. } => panic!("a report"),
            },
            _ => panic!("a list"),
        }
    }

    #[test]
    fn clusters_and_arguments_are_dtraces() {
        let script = script(&["-qZs", "x.d", "one", "2"]);
        assert!(script.dtrace.quiet && script.dtrace.unmatched);
        assert_eq!(script.texts, [Text::File("x.d".into())]);
        assert_eq!(script.arguments, ["one", "2"]);
    }

    #[test]
    fn a_scripts_first_line_has_flags_too() {
        let flags = |line| DtraceArgs::of_interpreter_line(line).expect(line).flags();
        assert!(flags("/usr/sbin/dtrace -Zs").unmatched);
        assert!(flags("/usr/sbin/dtrace -qs").quiet);
        assert!(flags("/usr/sbin/dtrace -Cs").preprocess);
        assert!(flags("/usr/sbin/dtrace -q -s").quiet);
        assert!(flags("/usr/bin/env -S dtrace -w -qs").destructive);
        assert!(DtraceArgs::of_interpreter_line("/usr/bin/stap").is_none());
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (words, expected) in [
            (&["-h", "-s", "x.d"][..], "generate code"),
            (&["-A"][..], "boot"),
            (&["-i", "3"][..], "name the probe"),
            (&[][..], "no probes specified"),
            (&["-n", "BEGIN", "-c", "a 'b"][..], "quote"),
        ] {
            let error = parsed(words).job().expect_err("refused").to_string();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }
}
