//! The command `ptpytrace`: parse, run, exit status. Called `dtrace` or `stap` it takes those tools' flags.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use ptpytrace::cli::args::Args;
use ptpytrace::cli::doors::dtrace::DtraceArgs;
use ptpytrace::cli::doors::{self, stap::StapArgs};
use ptpytrace::cli::job::{Job, Manner, UsageError, job};
use ptpytrace::cli::{list, say, stap_list, trace};

fn main() -> ExitCode {
    let name: Option<OsString> = std::env::args_os().next();
    let manner = doors::manner(name.as_deref());
    say::set_manner(manner);
    let job = match parse(manner) {
        Err(Wrong::Flags(status)) => return ExitCode::from(status),
        Ok(Some(job)) => job,
        Ok(None) => return ExitCode::SUCCESS,
        Err(Wrong::Usage(error)) => return fail(&error.to_string(), usage_status(manner)),
    };
    let result = match job {
        Job::List(job) => list::list(job),
        Job::ListProbes(job) => doors::probe_list::list(&job),
        Job::ListPoints(job) => stap_list::list(&job),
        Job::Trace(job) => trace::trace(*job),
    };
    match result {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => fail(&format!("{error:#}"), 1),
    }
}

/// Why there is nothing to do.
enum Wrong {
    /// Flags that there are not, or help that was asked for: it has been said; the exit status.
    Flags(u8),
    /// Flags that make no sense together.
    Usage(UsageError),
}

impl From<UsageError> for Wrong {
    fn from(error: UsageError) -> Wrong {
        Wrong::Usage(error)
    }
}

/// What is asked for; `None` when that was the version.
fn parse(manner: Manner) -> Result<Option<Job>, Wrong> {
    let job = match manner {
        Manner::Own => job(flags::<Args>(manner)?)?,
        Manner::Dtrace => match flags::<DtraceArgs>(manner)? {
            args if args.wants_version() => return Ok(say::version(manner)),
            args => args.job()?,
        },
        Manner::Stap => match flags::<StapArgs>(manner)? {
            args if args.wants_version() => return Ok(say::version(manner)),
            args => args.job()?,
        },
    };
    Ok(Some(job))
}

/// The flags as typed. What is wrong with them is said as the tool says it, and so is help.
fn flags<A: Parser>(manner: Manner) -> Result<A, Wrong> {
    A::try_parse().map_err(|error| {
        if manner == Manner::Own || !error.use_stderr() {
            // Where there is nobody to read it nobody wants to know.
            let _ = error.print();
            let status = u8::from(error.use_stderr());
            return Wrong::Flags(status.saturating_mul(usage_status(manner)));
        }
        let text = error.to_string();
        say::complain(text.trim_start_matches("error: ").trim_end());
        Wrong::Flags(usage_status(manner))
    })
}

/// stap(1) exits with 1 for wrong flags, dtrace(8) with 2.
fn usage_status(manner: Manner) -> u8 {
    match manner {
        Manner::Own | Manner::Dtrace => 2,
        Manner::Stap => 1,
    }
}

fn fail(text: &str, status: u8) -> ExitCode {
    say::complain(text);
    ExitCode::from(status)
}
