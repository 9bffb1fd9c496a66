//! What a program asks about the firing. Where there is no thread (`BEGIN`, timers) it is the tracer's own.

use std::io::Write;

use nix::time::{ClockId, clock_gettime};
use nix::unistd;

use super::super::code::{IntCode, StrCode};
use super::super::machine::{Run, Stop};
use super::super::text::Str;
use super::Compiler;
use crate::event::{Event, Ids};
use crate::plan::Point;
use crate::script::ir::{IntContext, StrContext, Traced, Trigger};

/// What is before each address of a native call stack, as DTrace's `ustack` has it.
const INDENT: &[u8; 14] = &[b' '; 14];

impl Compiler<'_> {
    pub(super) fn int_context(&mut self, what: IntContext) -> IntCode {
        match what {
            IntContext::Timestamp => Box::new(|run| Ok(run.time.cast_signed())),
            IntContext::WallTime => Box::new(|run| Ok(run.m.state.wall_clock.at(run.time))),
            IntContext::CpuTime => Box::new(|run| {
                Ok(match context(run.event) {
                    Some(context) => context.cpu_time.cast_signed(),
                    None if run.event.is_some() => 0,
                    None => clock(ClockId::CLOCK_THREAD_CPUTIME_ID),
                })
            }),
            IntContext::Pid => Box::new(|run| Ok(pid(run))),
            IntContext::Tid => Box::new(|run| Ok(tid(run))),
            IntContext::Cpu => Box::new(|run| {
                Ok(match (run.event, context(run.event)) {
                    (_, Some(context)) => context.cpu.into(),
                    (Some(_), None) => 0,
                    (None, _) => own_cpu(),
                })
            }),
            IntContext::Target => Box::new(|run| Ok(run.m.target.into())),
            IntContext::ProbeId => Box::new(|run| Ok(run.names.id.into())),
            IntContext::Caller => Box::new(|run| {
                let frames = context(run.event).map(|it| it.frames.as_slice());
                Ok(frames
                    .and_then(|it| it.get(1))
                    .map_or(0, |it| it.cast_signed()))
            }),
            IntContext::Ppid => id(|ids| ids.ppid.into()),
            IntContext::Pgid => id(|ids| ids.pgid.into()),
            IntContext::Sid => id(|ids| ids.sid.into()),
            IntContext::Uid => id(|ids| ids.uid.into()),
            IntContext::Euid => id(|ids| ids.euid.into()),
            IntContext::Gid => id(|ids| ids.gid.into()),
            IntContext::Egid => id(|ids| ids.egid.into()),
        }
    }

    pub(super) fn str_context(&mut self, what: StrContext) -> StrCode {
        match what {
            StrContext::ThreadName => Box::new(|_| Ok(Str::ThreadName)),
            StrContext::Provider => Box::new(|run| Ok(Str::Symbol(run.names.provider))),
            StrContext::Module => Box::new(|run| Ok(Str::Symbol(run.names.module))),
            StrContext::Function => Box::new(|run| Ok(Str::Symbol(run.names.function))),
            StrContext::ProbeName => Box::new(|run| Ok(Str::Symbol(run.names.name))),
            StrContext::MarkName => Box::new(|run| Ok(Str::Symbol(run.names.mark))),
            StrContext::Instance => Box::new(instance),
            StrContext::ProbePoint => Box::new(probe_point),
            StrContext::Parameters => Box::new(parameters),
            StrContext::WorkingDirectory => Box::new(working_directory),
            StrContext::PythonStack(limit) => Box::new(move |run| {
                let m = &mut *run.m;
                let start = m.scratch.len();
                let python = &m.threads.of(run.tid).python;
                python.write(&mut m.scratch, limit, &m.interner);
                run.scratch_from(start).map(Str::whole)
            }),
            StrContext::NativeStack(limit) => Box::new(move |run| native_stack(run, limit)),
            StrContext::ErrorMessage => Box::new(|run| {
                let start = run.m.scratch.len();
                let m = &mut *run.m;
                m.scratch.extend_from_slice(&m.error_message);
                run.scratch_from(start)
            }),
        }
    }
}

/// The process id.
#[inline]
pub fn pid(run: &Run<'_>) -> i64 {
    let own = || unistd::getpid().as_raw();
    run.event.map_or_else(own, |event| event.pid).into()
}

/// The thread id.
#[inline]
pub fn tid(run: &Run<'_>) -> i64 {
    let own = || unistd::gettid().as_raw();
    run.event.map_or_else(own, |event| event.tid).into()
}

fn clock(id: ClockId) -> i64 {
    clock_gettime(id).map_or(0, |time| {
        time.tv_sec()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(time.tv_nsec())
    })
}

fn own_cpu() -> i64 {
    let cpu = nix::sched::sched_getcpu();
    cpu.ok().and_then(|it| i64::try_from(it).ok()).unwrap_or(0)
}

fn context(event: Option<&Event>) -> Option<&crate::event::Context> {
    event.and_then(|event| event.context.as_deref())
}

fn id(which: fn(&Ids) -> i64) -> IntCode {
    Box::new(move |run| {
        Ok(match (run.event, context(run.event)) {
            (_, Some(context)) => which(&context.ids),
            (Some(_), None) => 0,
            (None, _) => which(&own_ids()),
        })
    })
}

fn own_ids() -> Ids {
    Ids {
        ppid: unistd::getppid().as_raw(),
        pgid: unistd::getpgrp().as_raw(),
        sid: unistd::getsid(None).map_or(0, unistd::Pid::as_raw),
        uid: unistd::getuid().as_raw(),
        euid: unistd::geteuid().as_raw(),
        gid: unistd::getgid().as_raw(),
        egid: unistd::getegid().as_raw(),
    }
}

/// The provider with the process id behind it.
fn instance(run: &mut Run<'_>) -> Result<Str, Stop> {
    let Some(event) = run.event else {
        return Ok(Str::Symbol(run.names.provider));
    };
    let m = &mut *run.m;
    let start = m.scratch.len();
    let provider = m.interner.bytes(run.names.provider);
    m.scratch.extend_from_slice(provider);
    // Writing to memory does not fail.
    let _ = write!(m.scratch, "{}", event.pid);
    run.scratch_from(start)
}

/// The script's text of the point that fired, its globs replaced by what they matched.
fn probe_point(run: &mut Run<'_>) -> Result<Str, Stop> {
    let Some(info) = run.info else {
        return Ok(Str::Symbol(run.names.point));
    };
    let triggers = run.code.handlers.get(run.handler).map(|it| &it.triggers);
    let traced = triggers.into_iter().flatten().filter_map(|it| match it {
        Trigger::Traced(traced) => Some(traced.as_ref()),
        _ => None,
    });
    let matches = |traced: &&Traced| match &traced.point {
        Point::Marker(marker) => marker.may_match(&info.provider, &info.name),
        _ => false,
    };
    let mut traced = traced.peekable();
    let first = traced.peek().copied();
    let text = traced.find(matches).or(first);
    let text = text.map_or("", |traced| traced.text.as_str());
    let text = filled(text, ".mark(\"", &info.name);
    let text = filled(&text, ".function(\"", &info.function);
    run.scratch(text.as_bytes())
}

/// The text, with what stands in quotes behind `before` replaced where it is a glob.
fn filled(text: &str, before: &str, name: &str) -> String {
    let replaced = || {
        let (head, tail) = text.split_once(before)?;
        let (glob, rest) = tail.split_once('"')?;
        let is_glob = glob.contains(['*', '?', '[']) && !name.is_empty();
        is_glob.then(|| format!("{head}{before}{name}\"{rest}"))
    };
    replaced().unwrap_or_else(|| text.to_owned())
}

/// All arguments, as SystemTap's `$$parms` has them.
fn parameters(run: &mut Run<'_>) -> Result<Str, Stop> {
    let start = run.m.scratch.len();
    for (arg, number) in run.args.iter().zip(1_usize..) {
        let space = if number > 1 { " " } else { "" };
        // Writing to memory does not fail.
        let _ = write!(run.m.scratch, "{space}$arg{number}={:#x}", arg.raw.as_u64());
    }
    run.scratch_from(start)
}

fn working_directory(run: &mut Run<'_>) -> Result<Str, Stop> {
    use std::os::unix::ffi::OsStrExt;
    let path = match run.event {
        Some(event) => std::fs::read_link(format!("/proc/{}/cwd", event.pid)),
        None => std::env::current_dir(),
    };
    let path = path.unwrap_or_default();
    run.scratch(path.as_os_str().as_bytes())
}

/// Return addresses, a line each, beginning and ending in a newline.
fn native_stack(run: &mut Run<'_>, limit: u16) -> Result<Str, Stop> {
    let frames = context(run.event).map_or(&[][..], |context| context.frames.as_slice());
    let limit = match limit {
        0 => usize::MAX,
        limit => usize::from(limit),
    };
    let start = run.m.scratch.len();
    run.m.scratch.push(b'\n');
    for frame in frames.iter().take(limit) {
        run.m.scratch.extend_from_slice(INDENT);
        // Writing to memory does not fail.
        let _ = writeln!(run.m.scratch, "{frame:#x}");
    }
    run.scratch_from(start).map(Str::whole)
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn only_globs_are_replaced() {
        let text = "process(\"/bin/p*\").mark(\"function__*\")";
        assert_eq!(
            filled(text, ".mark(\"", "function__entry"),
            "process(\"/bin/p*\").mark(\"function__entry\")"
        );
        let plain = "process(\"p\").mark(\"line\")";
        assert_eq!(filled(plain, ".mark(\"", "other"), plain);
        assert_eq!(filled("x.mark(\"a*", ".mark(\"", "n"), "x.mark(\"a*");
        assert_eq!(filled("", ".mark(\"", "n"), "");
    }
}
