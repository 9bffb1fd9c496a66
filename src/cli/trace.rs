//! Tracing from beginning to end: the tracer on this thread, the consumer and the doorbells on others.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, select};

use super::consumer::Pace;
use super::doors::survey::Survey;
use super::job::{Manner, Subject, Talk, TraceJob};
use super::say::{complain, say_plainly};
use super::script::Setting;
use super::{consumer, script, stats};
use crate::fastpath::drain::Recorded;
use crate::fastpath::guard::Guard;
use crate::plan::Plan;
use crate::process::maps;
use crate::process::proc::ProcFs;
use crate::process::program;
use crate::report::Consumer;
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
    let (capacity, ring) = (job.capacity(), job.ring());
    let launch = job.command.as_deref().map(find_program).transpose()?;
    let setting = Setting {
        launch: launch.as_ref(),
        pids: &job.pids,
        manner: job.manner,
        talk: job.talk,
    };
    let Some(Subjected {
        mut plan,
        mut consumer,
        required,
        talk,
    }) = subjected(job.subject, setting)?
    else {
        return Ok(0);
    };
    // Before there is any thread.
    let guard = Guard::start();
    let mut out = consumer::open(job.output.as_deref()).with_context(|| {
        let path = job.output.clone().unwrap_or_default();
        format!("cannot write to {}", path.display())
    })?;
    let (commander, orders) = command::channel().context("cannot prepare a signal")?;
    let (sender, deliveries) = bounded(capacity);
    // A script that may run without a probe: then it lasts as long as the processes do.
    let idle = required.is_none() && launch.is_none() && has_nothing(&plan, &job.pids);
    let options = Options {
        follow: job.follow,
        stay: job.all || idle,
        engine: job.engine,
        ring,
        when_full: job.when_full,
    };
    let ways = Ways {
        manner: job.manner,
        stats: job.stats,
        required,
    };
    // As dtrace(8) does: the command was only run to be traced.
    let kill = job.manner == Manner::Dtrace && launch.is_some();
    plan.markers = job.markers;
    plan.restrict(&job.names);
    let watch = job.all && !plan.requests.is_empty();
    let mut tracer = Tracer::new(Arc::new(plan), options, orders, sender)
        .ok_or_else(|| anyhow!("this CPU is not supported"))?;
    match guard {
        Ok(guard) => tracer.set_guard(guard),
        Err(error) if talk == Talk::Verbose => complain(&format!(
            "no guard could be started ({error}): should this tracer be killed, so may be what it traces"
        )),
        Err(_) => {}
    }
    // Before anything is touched: a signal that came in between would leave breakpoints behind.
    let hurry = ring_on_signals(&commander, kill)?;
    if let Some(launch) = &launch {
        tracer.launch(launch)?;
    }
    if !idle {
        attach(&mut tracer, &job.pids, launch.is_some() || job.all)?;
    }
    if let Some(timeout) = job.timeout {
        ring_after(&commander, timeout, kill);
    }
    // Nothing that was launched runs yet.
    let begun = consumer.begin(tracer.target().or(job.pids.first().copied()), &mut out);
    if watch {
        super::all::watch(&commander);
    }
    let (target, waker) = (tracer.target(), tracer.waker());
    if idle {
        super::all::watch_end(&commander, &job.pids);
    }
    let pace = Pace::of(job.manner, talk);
    let (finished, writer) = bounded(1);
    thread::spawn(move || {
        let _last = LeaveAtLast { commander, kill };
        // When it returns early, this end of the channel closes with it: so the tracer knows.
        let (written, recorded) = match begun {
            Ok(flow) => {
                consumer::consume(deliveries, waker, flow, consumer.as_mut(), &mut out, pace)
            }
            Err(error) => (Err(error), Recorded::default()),
        };
        // nobody waits when the person was in a hurry
        let _ = finished.send(Outcome {
            written,
            status: consumer.status(),
            remark: consumer.remark(),
            recorded,
        });
    });
    let summary = tracer.run();
    let outcome = await_writer(&writer, &hurry, summary.left);
    if let Some(remark) = outcome.remark.as_ref().filter(|_| talk != Talk::Quiet) {
        say_plainly(remark);
    }
    if job.manner == Manner::Dtrace && talk != Talk::Quiet && (!summary.left || idle) {
        tell_ends(&summary, launch.and(target), &job.pids);
    }
    finish(&summary, outcome, &ways)
}

/// Whether these processes run and may be looked at, and have nothing of what is wanted.
fn has_nothing(plan: &Plan, pids: &[i32]) -> bool {
    let proc = ProcFs::from_environment();
    let seen = |pid: i32| super::all::runs(&proc, pid) && maps::read(pid).is_ok();
    let run = !pids.is_empty() && pids.iter().all(|pid| seen(*pid));
    let found = || Survey::of(None, pids).matches(plan);
    run && found().iter().all(BTreeSet::is_empty)
}

/// Tells how the processes ended that were waited for, as dtrace(8) does.
fn tell_ends(summary: &Summary, launched: Option<i32>, pids: &[i32]) {
    if let (Some(pid), Some(stop)) = (launched, summary.command) {
        complain(&match stop {
            Stop::Killed(signal) => format!("pid {pid} terminated by {}", signal_name(signal)),
            Stop::Exited(code) if code != 0 => format!("pid {pid} exited with status {code}"),
            _ => format!("pid {pid} has exited"),
        });
    }
    let proc = ProcFs::from_environment();
    for pid in pids.iter().filter(|pid| !super::all::runs(&proc, **pid)) {
        complain(&format!("pid {pid} has exited"));
    }
}

fn signal_name(number: i32) -> String {
    let signal = nix::sys::signal::Signal::try_from(number);
    signal.map_or_else(
        |_| format!("signal {number}"),
        |signal| signal.as_str().to_owned(),
    )
}

/// What the consumer came to.
struct Outcome {
    /// Whether all was written.
    written: io::Result<()>,
    /// The status that it asks for.
    status: Option<i32>,
    /// Its last remark.
    remark: Option<String>,
    /// What was recorded without the tracer.
    recorded: Recorded,
}

/// Waits for the rest of the trace to be written. When the tracer was told to leave, or the person is in a hurry, a
/// reader that does not read is not waited for for ever.
fn await_writer(writer: &Receiver<Outcome>, hurry: &Receiver<()>, left: bool) -> Outcome {
    let mut outcome = Err(RecvTimeoutError::Timeout);
    if !left {
        select! {
            recv(writer) -> it => outcome = it.map_err(RecvTimeoutError::from),
            recv(hurry) -> _ => {}
        }
    }
    if matches!(outcome, Err(RecvTimeoutError::Timeout)) {
        outcome = writer.recv_timeout(PATIENCE);
    }
    outcome.unwrap_or_else(|error| {
        let why = match error {
            RecvTimeoutError::Timeout => "the reader did not take the rest of it in time",
            RecvTimeoutError::Disconnected => "the consumer has failed",
        };
        Outcome {
            written: Err(io::Error::other(why)),
            status: None,
            remark: None,
            recorded: Recorded::default(),
        }
    })
}

/// What is to be traced, and what becomes of it.
struct Subjected {
    plan: Plan,
    consumer: Box<dyn Consumer>,
    /// As [`Ways::required`].
    required: Option<Vec<String>>,
    talk: Talk,
}

/// Prepares what a job is about; `None` when that was all that was asked for.
fn subjected(subject: Subject, setting: Setting<'_>) -> anyhow::Result<Option<Subjected>> {
    let script = match subject {
        Subject::Report {
            plan,
            report,
            format,
        } => {
            return Ok(Some(Subjected {
                required: plan.wants_markers().then(Vec::new),
                plan,
                consumer: consumer::choose(report, format),
                talk: setting.talk,
            }));
        }
        Subject::Script(script) => script,
    };
    let prepared = script::prepare(&script, setting)?;
    Ok(prepared.map(|prepared| Subjected {
        plan: prepared.plan,
        consumer: prepared.consumer,
        required: Some(prepared.required).filter(|it| !it.is_empty()),
        talk: match prepared.quiet && setting.manner == Manner::Dtrace {
            true => Talk::Quiet,
            false => setting.talk,
        },
    }))
}

/// Has the tracer leave; with `kill` the command is ended, too.
fn leave(commander: &Commander, kill: bool) {
    if commander.send(Command::Leave) && kill {
        // SIGTERM, then SIGKILL: it is not to do anything more.
        commander.send(Command::EndCommand);
        commander.send(Command::EndCommand);
    }
}

/// Has the tracer leave when the consumer ends, however it ends: the tracer may be asleep, and programs that record by
/// themselves may have nothing to tell it, but wait for somebody who reads.
struct LeaveAtLast {
    commander: Commander,
    kill: bool,
}

impl Drop for LeaveAtLast {
    fn drop(&mut self) {
        leave(&self.commander, self.kill);
    }
}

/// What the end of a run depends on.
struct Ways {
    manner: Manner,
    stats: bool,
    /// It is an error when nothing of what is wanted was there; with a script, these are its probe points.
    required: Option<Vec<String>>,
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
        complain(&failure.to_string());
    }
    match last {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// SIGINT, SIGTERM, SIGHUP (unless under nohup): leave; again: end the command. Gives what hears of one that comes when
/// the tracer has gone already.
fn ring_on_signals(commander: &Commander, kill: bool) -> anyhow::Result<Receiver<()>> {
    let commander = commander.clone();
    let mut before = false;
    let (late, hurry) = bounded(1);
    ctrlc::set_handler(move || {
        let again = std::mem::replace(&mut before, true);
        let command = if again {
            Command::EndCommand
        } else {
            Command::Leave
        };
        if !commander.send(command) {
            // All is detached. Ctrl-C goes to the command too, which may have ended by it before this is known here:
            // what is left of the trace is being written. Only a reader that does not read keeps us here for long.
            if again {
                std::process::exit(128 + libc::SIGINT);
            }
            let _ = late.try_send(()); // nobody waits any more
            return;
        }
        if !again {
            if kill {
                leave(&commander, kill);
            }
            keep_nudging(commander.clone());
        }
    })
    .context("cannot handle signals")?;
    tracer::ignore_what_was_ignored();
    Ok(hurry)
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

fn ring_after(commander: &Commander, timeout: Duration, kill: bool) {
    let commander = commander.clone();
    thread::spawn(move || {
        thread::sleep(timeout);
        leave(&commander, kill);
        keep_nudging(commander);
    });
}

/// What is said at the end, and the exit status.
fn finish(summary: &Summary, outcome: Outcome, ways: &Ways) -> anyhow::Result<i32> {
    let recorded = &outcome.recorded;
    if ways.stats {
        let _ = stats::print(summary, recorded, &mut io::stderr());
    }
    stats::tell_losses(summary, recorded);
    let asked = outcome.status;
    outcome.written.context("cannot write the trace")?;
    if summary.failed {
        return Err(anyhow!(
            "an internal error: please report it; the program was left as it was"
        ));
    }
    if let Some(error) = &summary.exec_error {
        return Err(anyhow!("cannot run the command: {error}"));
    }
    let command = match summary.command {
        Some(Stop::Exited(code)) => code,
        Some(Stop::Killed(signal)) => 128 + signal,
        _ => 0,
    };
    let status = match (ways.manner, asked) {
        // What the script asks for; the command's own is not passed on.
        (Manner::Dtrace, asked) => asked.unwrap_or(0),
        (Manner::Stap, asked) => i32::from(asked.unwrap_or(0) != 0 || command != 0),
        (Manner::Own, Some(asked)) if asked != 0 => asked,
        (Manner::Own, _) => command,
    };
    if ways.manner == Manner::Stap && status != 0 {
        complain("Pass 5: run failed.  [man error::pass5]");
    }
    let Some(required) = &ways.required else {
        return Ok(status);
    };
    let tool = ways.manner != Manner::Own;
    if summary.ledger.processes > 0 || summary.left || asked.is_some() || tool {
        return Ok(status);
    }
    if !required.is_empty() {
        let points = required.join(", ");
        complain(&format!(
            "nothing that ran has a probe point of the script: {points} (ptpytrace -l FILE lists the markers of a \
             binary)"
        ));
    } else if !summary.told_what_is_missing {
        let text =
            "nothing that ran has the wanted markers (ptpytrace -l FILE lists those of a binary)";
        complain(text);
    }
    // Nothing was traced: that is a failure, unless the command has a worse one to tell.
    Ok(status.max(1))
}
