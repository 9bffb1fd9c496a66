//! Tracing from beginning to end: the tracer on this thread, the consumer and the doorbells on others.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use crossbeam_channel::bounded;

use super::job::TraceJob;
use super::{consumer, stats};
use crate::process::program;
use crate::tracer::command::{self, Command, Commander};
use crate::tracer::{self, Launch, Options, Stop, Summary, Tracer};

/// How long the rest of the trace may take to be written when the tracer was told to leave.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is checked whether a detach hangs.
const NUDGE: Duration = Duration::from_millis(100);

/// Traces; gives the exit status.
///
/// # Errors
/// Tracing could not begin, or its output could not be written.
pub fn trace(job: TraceJob) -> anyhow::Result<i32> {
    let launch = job.command.as_deref().map(find_program).transpose()?;
    let mut out = consumer::open(job.output.as_deref()).with_context(|| {
        let path = job.output.clone().unwrap_or_default();
        format!("cannot write to {}", path.display())
    })?;
    let (commander, orders) = command::channel().context("cannot prepare a signal")?;
    let (sender, deliveries) = bounded(job.capacity);
    let options = Options {
        follow: job.follow,
        stay: job.all,
    };
    let mut tracer = Tracer::new(Arc::new(job.plan), options, orders, sender)
        .ok_or_else(|| anyhow!("this CPU is not supported"))?;
    // Before anything is touched: a signal that came in between would leave breakpoints behind.
    ring_on_signals(&commander)?;
    if let Some(launch) = &launch {
        tracer.launch(launch)?;
    }
    let attached = attach(&mut tracer, &job.pids, launch.is_some() || job.all);
    if let Some(timeout) = job.timeout {
        ring_after(&commander, timeout);
    }
    if job.all {
        super::all::watch(&commander);
    }
    let talk = job.talk;
    let mut report = consumer::choose(job.report, job.format);
    let (finished, writer) = bounded(1);
    thread::spawn(move || {
        // When it returns early, this end of the channel closes with it: so the tracer knows.
        let result = consumer::consume(deliveries, report.as_mut(), &mut out, talk);
        let _ = finished.send(result); // nobody waits when the person was in a hurry
    });
    let summary = tracer.run();
    let written = if summary.left {
        // Told to leave: a reader that does not read is not waited for for ever.
        writer.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            Err(io::Error::other(
                "the reader did not take the rest of it in time",
            ))
        })
    } else {
        writer
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the consumer has failed")))
    };
    attached?;
    finish(&summary, written, job.stats)
}

/// The program of a command, looked up as a shell would.
///
/// # Errors
/// There is none, or it cannot be run: with the cause.
pub fn find_program(words: &[OsString]) -> anyhow::Result<Launch> {
    let search = std::env::var_os("PATH");
    let program = program::resolve(words, search.as_deref(), Path::new("."))?;
    Ok(Launch {
        program: program.path,
        arguments: words.to_vec(),
    })
}

/// Attaches to each process. One that fails is an error only when nothing else is traced.
fn attach(tracer: &mut Tracer, pids: &[i32], traced: bool) -> anyhow::Result<()> {
    let mut traced = traced;
    let mut failures = Vec::new();
    for pid in pids {
        match tracer.attach(*pid) {
            Ok(()) => traced = true,
            Err(error) => failures.push(error),
        }
    }
    let last = if traced { None } else { failures.pop() };
    for failure in failures {
        let _ = writeln!(io::stderr(), "ptpytrace: {failure}");
    }
    match last {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// SIGINT, SIGTERM, SIGHUP (unless under nohup): leave; again: end the command.
fn ring_on_signals(commander: &Commander) -> anyhow::Result<()> {
    let commander = commander.clone();
    let mut before = false;
    ctrlc::set_handler(move || {
        let again = std::mem::replace(&mut before, true);
        let command = if again {
            Command::EndCommand
        } else {
            Command::Leave
        };
        if !commander.send(command) {
            // All is detached; only a reader that does not read keeps us here.
            std::process::exit(128 + libc::SIGINT);
        }
        if !again {
            keep_nudging(commander.clone());
        }
    })
    .context("cannot handle signals")?;
    tracer::ignore_what_was_ignored();
    Ok(())
}

fn keep_nudging(commander: Commander) {
    thread::spawn(move || {
        loop {
            thread::sleep(NUDGE);
            if !commander.send(Command::Nudge) {
                return;
            }
        }
    });
}

fn ring_after(commander: &Commander, timeout: Duration) {
    let commander = commander.clone();
    thread::spawn(move || {
        thread::sleep(timeout);
        commander.send(Command::Leave);
        keep_nudging(commander);
    });
}

/// What is said at the end, and the exit status.
fn finish(summary: &Summary, written: io::Result<()>, stats: bool) -> anyhow::Result<i32> {
    if stats {
        let _ = stats::print(summary, &mut io::stderr());
    }
    if summary.lost > 0 {
        let lost = summary.lost;
        let _ = writeln!(
            io::stderr(),
            "ptpytrace: {lost} events were lost: they could not be written in time"
        );
    }
    written.context("cannot write the trace")?;
    if summary.failed {
        return Err(anyhow!(
            "an internal error: please report it; the program was left as it was"
        ));
    }
    if let Some(error) = &summary.exec_error {
        return Err(anyhow!("cannot run the command: {error}"));
    }
    let status = match summary.command {
        Some(Stop::Exited(code)) => code,
        Some(Stop::Killed(signal)) => 128 + signal,
        _ => 0,
    };
    if summary.ledger.processes > 0 || summary.left {
        return Ok(status);
    }
    if !summary.told_what_is_missing {
        let text =
            "nothing that ran has the wanted markers (ptpytrace -l FILE lists those of a binary)";
        let _ = writeln!(io::stderr(), "ptpytrace: {text}");
    }
    // Nothing was traced: that is a failure, unless the command has a worse one to tell.
    Ok(status.max(1))
}
