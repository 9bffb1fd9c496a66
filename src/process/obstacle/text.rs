//! The words for each obstacle: what was tried, what stands in the way, and what to do, in whole sentences.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;

use super::{Attempt, Cause, Named, Obstacle};

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.attempt {
            Attempt::Seize => "attach to",
            Attempt::OpenMemory => "open the memory of",
        };
        write!(out, "cannot {what} {}: {}", self.process, self.reason())?;
        match self.remedy() {
            Some(remedy) => write!(out, " {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Obstacle {}

impl fmt::Display for Named {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(out, "process {} ({})", self.pid, printable(name)),
            None => write!(out, "process {}", self.pid),
        }
    }
}

impl Obstacle {
    /// What stands in the way: one or two sentences.
    pub fn reason(&self) -> String {
        match &self.cause {
            Cause::NoSuchProcess => "there is no such process, or it has just ended.".into(),
            Cause::Hidden => "it belongs to another user, and /proc hides it (it is mounted with `hidepid`).".into(),
            Cause::Ended { parent, threads_left } => ended(parent.as_ref(), *threads_left),
            Cause::KernelThread => "it is a thread of the kernel and runs no program.".into(),
            Cause::Itself => "it is ptpytrace itself, and no process can trace itself.".into(),
            Cause::TracedBy(tracer) => {
                format!("it is already traced, by {tracer}, and a process can have only one tracer.")
            }
            Cause::TracedByCaller => "ptpytrace traces it already.".into(),
            Cause::PtraceRefused(errno) => format!(
                "a seccomp filter or sandbox around ptpytrace refuses every ptrace call ({}).",
                error(*errno)
            ),
            Cause::Yama(level) => yama(*level).into(),
            Cause::OtherUser { uid, user, own_uid, own_user } => format!(
                "it belongs to {}, and ptpytrace runs as {}.",
                id("user", *uid, user.as_deref()),
                id("user", *own_uid, own_user.as_deref())
            ),
            Cause::SetUser { uid, user } => format!(
                "it has, or can take, the rights of {}: a setuid program.",
                id("user", *uid, user.as_deref())
            ),
            Cause::OtherGroup { gid, group } => format!(
                "it runs in {}, and ptpytrace does not: a setgid program, or one started after `newgrp`.",
                id("group", *gid, group.as_deref())
            ),
            Cause::MoreCapable => "it has capabilities that ptpytrace lacks.".into(),
            Cause::NotDumpable => "it is not dumpable: its program file has rights of its own or cannot be read, it has \
                changed its user, or it has asked for this with prctl(PR_SET_DUMPABLE)."
                .into(),
            Cause::OtherUserNamespace => "it is in a user namespace where the rights of ptpytrace do not hold.".into(),
            Cause::Program(unfit) => format!("its program {unfit}."),
            Cause::Unsupported(errno) => format!(
                "the kernel, or an emulator or sandbox in its place, does not support this ({}).",
                error(*errno)
            ),
            Cause::Unexplained { errno, profile } => self.unexplained(*errno, profile.as_deref()),
        }
    }

    /// What to do about it: whole sentences, or nothing when nothing can be done.
    pub fn remedy(&self) -> Option<String> {
        Some(match &self.cause {
            Cause::NoSuchProcess => "Look for its id with `pgrep -a python`.".into(),
            Cause::Hidden
            | Cause::SetUser { .. }
            | Cause::OtherGroup { .. }
            | Cause::MoreCapable
            | Cause::NotDumpable => self.privilege("Run ptpytrace"),
            Cause::OtherUser { uid, user, .. } => self.other_user(*uid, user.as_deref()),
            Cause::TracedBy(_) => "End that tracer first, or let it detach.".into(),
            Cause::PtraceRefused(_) => self.refused_by_filter(),
            Cause::Yama(1) => format!(
                "Start the program with ptpytrace (`ptpytrace -c COMMAND`), or allow it for all with `sudo sysctl \
                 kernel.yama.ptrace_scope=0`, or let the program call prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY). {}",
                self.privilege("Or run ptpytrace")
            ),
            Cause::Yama(2) => format!(
                "{} Or give it the right to trace: `sudo setcap cap_sys_ptrace=ep FILE`, FILE being ptpytrace's.",
                self.privilege("Run ptpytrace")
            ),
            Cause::Yama(_) => {
                "This level stays until the machine is restarted; see the settings of \
                `kernel.yama.ptrace_scope` in /etc/sysctl.conf and /etc/sysctl.d."
                    .into()
            }
            Cause::OtherUserNamespace => {
                "Run ptpytrace in that namespace (in the same container), or as root outside \
                of all containers."
                    .into()
            }
            Cause::Unsupported(_) => "Run ptpytrace on Linux itself.".into(),
            Cause::Unexplained { .. } => self.look_around(),
            Cause::Ended { .. }
            | Cause::KernelThread
            | Cause::Itself
            | Cause::TracedByCaller
            | Cause::Program(_) => return None,
        })
    }

    /// How to get CAP_SYS_PTRACE.
    fn privilege(&self, wish: &str) -> String {
        let caller = &self.caller;
        let is_root = caller.uid.effective == 0;
        match () {
            () if is_root && caller.in_container => format!("{wish} {CONTAINER}."),
            () if is_root => {
                format!("{wish} with the capability CAP_SYS_PTRACE, which this root lacks.")
            }
            () if caller.in_container => format!("{wish} as root {CONTAINER}."),
            () if caller.no_new_privileges => {
                format!(
                    "{wish} as root from another shell: `sudo` has no effect in this one (NoNewPrivs is set)."
                )
            }
            () => format!("{wish} as root: `sudo ptpytrace …`."),
        }
    }

    fn other_user(&self, uid: u32, user: Option<&str>) -> String {
        let is_root = self.caller.uid.effective == 0;
        if uid == 0 || is_root || self.caller.no_new_privileges {
            return self.privilege("Run ptpytrace");
        }
        let user = user.map_or_else(|| format!("'#{uid}'"), |user| text(user).into_owned());
        let root = self.privilege("or run it");
        format!("Run ptpytrace as that user (`sudo -u {user} ptpytrace …`), {root}")
    }

    fn refused_by_filter(&self) -> String {
        if self.caller.in_container {
            let options =
                "`docker run --cap-add=SYS_PTRACE`, or `--security-opt seccomp=unconfined`";
            return format!(
                "Start the container with {options}, or with a profile that allows ptrace."
            );
        }
        "Run ptpytrace outside of it: a service manager, a container or a sandbox has set it."
            .into()
    }

    fn unexplained(&self, errno: i32, profile: Option<&str>) -> String {
        let reason = format!(
            "the kernel says \"{}\", and /proc does not tell why.",
            error(errno)
        );
        let labels = [
            (self.caller.profile.as_deref(), "ptpytrace runs"),
            (profile, "the process runs"),
        ];
        let labels = labels.into_iter().filter_map(|(label, whose)| {
            let label = text(label?);
            Some(format!("{whose} as `{label}`"))
        });
        match labels.collect::<Vec<_>>().join(", and ") {
            labels if labels.is_empty() => reason,
            labels => format!("{reason} A security module may forbid it: {labels}."),
        }
    }

    fn look_around(&self) -> String {
        let mut hint = String::from(
            "Look for a security module's message (`dmesg`, /var/log/audit), and for a tracer outside of this \
             container, which would not be shown.",
        );
        if !self.caller.may_trace_others() {
            hint.push(' ');
            hint.push_str(&self.privilege("Or try it"));
        }
        hint
    }
}

/// What root in a container lacks by default.
const CONTAINER: &str = "in a container that may trace: `docker run --cap-add=SYS_PTRACE`, or in Kubernetes \
    `securityContext: {capabilities: {add: [SYS_PTRACE]}}`";

fn ended(parent: Option<&Named>, threads_left: bool) -> String {
    match parent {
        _ if threads_left => "its main thread has ended, though other threads of it go on.".into(),
        Some(parent) => format!(
            "it has ended, and its parent, {parent}, has not asked for its status yet (a zombie)."
        ),
        None => "it has ended, and its parent has not asked for its status yet (a zombie).".into(),
    }
}

fn yama(level: u32) -> &'static str {
    match level {
        1 => {
            "the security module Yama lets a process trace only its own descendants (kernel.yama.ptrace_scope is 1)."
        }
        2 => {
            "the security module Yama lets only root trace, with CAP_SYS_PTRACE (kernel.yama.ptrace_scope is 2)."
        }
        _ => "the security module Yama lets nobody trace (kernel.yama.ptrace_scope is 3).",
    }
}

/// `user alice (uid 1000)`, `uid 1000`.
fn id(kind: &str, number: u32, name: Option<&str>) -> String {
    let short = kind.get(..1).unwrap_or(kind);
    match name {
        Some(name) => format!("{kind} {} ({short}id {number})", text(name)),
        None => format!("{kind} id {number}"),
    }
}

fn error(errno: i32) -> String {
    let errno = nix::errno::Errno::from_raw(errno);
    format!("{errno:?}, {}", errno.desc())
}

/// A name without what could steer a terminal.
pub(crate) fn printable(name: &OsStr) -> String {
    text(&name.to_string_lossy()).into_owned()
}

fn text(name: &str) -> Cow<'_, str> {
    if name.chars().any(char::is_control) {
        let replaced = |letter: char| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        };
        return name.chars().map(replaced).collect();
    }
    name.into()
}
