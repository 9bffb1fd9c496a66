//! `stap -l` and `-L`: the probe points that a pattern matches.

use std::io::{self, Write};

use anyhow::{Context, bail};

use super::consumer;
use super::installed::Installed;
use super::job::ListPointsJob;
use super::script::stap_settings;
use crate::script::systemtap::match_points;

/// Lists them; gives the exit status: 1 when nothing matches.
///
/// # Errors
/// The pattern is wrong, or the output cannot be written.
pub fn list(job: &ListPointsJob) -> anyhow::Result<i32> {
    let launch = job
        .command
        .as_deref()
        .map(super::trace::find_program)
        .transpose()?;
    let pids: Vec<i32> = job.pid.into_iter().collect();
    let installed = Installed::new(&pids);
    let settings = stap_settings(&installed, &job.stap, launch.as_ref(), &pids);
    let (points, sources, diagnostics) = match_points(&job.pattern, &settings);
    if points.is_empty() {
        // A pattern that is wrong is told; that nothing matches, only the exit status tells.
        let is_wrong = |text: &str| text.starts_with("parse error");
        if diagnostics.errors().any(|it| is_wrong(&it.message)) {
            let text = diagnostics.render(&sources, false);
            let _ = io::stderr().write_all(text.as_bytes());
            bail!("Pass 1: parse failed.  [man error::pass1]");
        }
        return Ok(1);
    }
    let mut out = consumer::open(job.output.as_deref()).context("cannot write the list")?;
    let lines = points.iter().map(|it| match job.variables {
        true => it.with_variables(),
        false => it.point.clone(),
    });
    let mut lines = lines;
    let written = lines
        .try_for_each(|line| writeln!(out, "{line}"))
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        other => other.map(|()| 0).context("cannot write the list"),
    }
}
