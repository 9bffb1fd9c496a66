//! The command `ptpytrace`: parse, run, exit status.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use ptpytrace::cli::args::Args;
use ptpytrace::cli::job::{Job, job};
use ptpytrace::cli::{list, trace};

fn main() -> ExitCode {
    let args = Args::parse();
    let job = match job(args) {
        Ok(job) => job,
        Err(error) => return fail(&error.to_string(), 2),
    };
    let result = match job {
        Job::List(job) => list::list(job),
        Job::Trace(job) => trace::trace(*job),
    };
    match result {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => fail(&format!("{error:#}"), 1),
    }
}

fn fail(text: &str, status: u8) -> ExitCode {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "ptpytrace: {text}");
    ExitCode::from(status)
}
