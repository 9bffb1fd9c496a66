//! What can be found out about a process that cannot be traced, gathered once so that the reasoning is pure.

use std::os::unix::fs::MetadataExt;

use nix::unistd::{Gid, Group, Uid, User};

use super::Named;
use super::caller::{Caller, profile};
use crate::process::proc::{IfFound, ProcFs};
use crate::process::status::Status;

/// How many ancestors of a process are looked at, at most.
const MAX_DEPTH: usize = 1000;

/// The facts of one failed attempt. What cannot be found out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether `/proc` shows a process of that id.
    pub visible: bool,
    /// Whether `/proc` shows not even the first process: it is mounted with `hidepid`.
    pub hides_others: bool,
    /// Its status.
    pub status: Option<Status>,
    /// Whether `stat` has the flag of a kernel thread.
    pub kernel_thread: Option<bool>,
    /// Whether it has more than one thread.
    pub several_threads: bool,
    /// The user to whom its files in `/proc` belong: its effective user, or root when it is not dumpable.
    pub files_owner: Option<u32>,
    /// The process that traces it.
    pub tracer: Option<Named>,
    /// Its parent.
    pub parent: Option<Named>,
    /// Whether it is a descendant of the caller.
    pub descendant: bool,
    /// The content of `/proc/sys/kernel/yama/ptrace_scope`: 0 to 3; `None` without Yama.
    pub ptrace_scope: Option<u32>,
    /// Whether its user namespace is the caller's.
    pub same_user_namespace: Option<bool>,
    /// Its label or profile of a security module.
    pub profile: Option<String>,
    /// The names of the process's user and group, and of the caller's user, where the machine knows them.
    pub names: Names,
}

/// Names of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The process's effective user.
    pub user: Option<String>,
    /// The process's effective group.
    pub group: Option<String>,
    /// The caller's real user.
    pub caller: Option<String>,
}

impl Facts {
    /// Gathers what `proc` says of a process. Each single fact may be missing, so nothing here fails.
    pub fn gather(pid: i32, proc: &ProcFs, caller: &Caller) -> Facts {
        let status = proc.status(pid).if_found();
        let named = |id: Option<i32>| id.filter(|id| *id > 0).map(|id| named(id, proc));
        let folder = pid.to_string();
        let owner = std::fs::metadata(proc.process_path(pid, "status"));
        let stat = proc.stat(pid, pid).if_found();
        let threads = proc.threads(pid).if_found();
        Facts {
            visible: proc.exists(pid),
            hides_others: !proc.exists(1),
            kernel_thread: stat.map(|stat| stat.is_kernel_thread()),
            several_threads: threads.is_some_and(|ids| ids.len() > 1),
            files_owner: owner.ok().map(|metadata| metadata.uid()),
            tracer: named(status.as_ref().map(|status| status.tracer)),
            parent: named(status.as_ref().map(|status| status.ppid)),
            descendant: is_descendant(pid, caller.pid, proc),
            ptrace_scope: ptrace_scope(proc),
            same_user_namespace: same_user_namespace(&folder, proc),
            profile: profile(proc, &folder),
            names: names(status.as_ref(), caller),
            status,
        }
    }
}

/// Yama's level, when the kernel has Yama.
pub(super) fn ptrace_scope(proc: &ProcFs) -> Option<u32> {
    let text = proc.read("sys/kernel/yama/ptrace_scope").ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

/// A thread's process and its name.
fn named(tid: i32, proc: &ProcFs) -> Named {
    let process = proc.status(tid).if_found();
    let pid = process.as_ref().map_or(tid, |status| status.tgid);
    // The process's name is that of its first thread.
    let first = proc.status(pid).if_found();
    Named {
        pid,
        name: first.or(process).map(|status| status.name),
    }
}

fn is_descendant(pid: i32, ancestor: i32, proc: &ProcFs) -> bool {
    let mut current = pid;
    for _ in 0..MAX_DEPTH {
        let status = proc.status(current).if_found();
        match status.map(|status| status.ppid) {
            Some(parent) if parent == ancestor => return true,
            Some(parent) if parent > 0 => current = parent,
            _ => return false,
        }
    }
    false
}

/// `None` also when the caller may not see the other's namespace, which is the rule when it may not trace it.
fn same_user_namespace(folder: &str, proc: &ProcFs) -> Option<bool> {
    let own = std::fs::read_link(proc.path("self/ns/user")).ok()?;
    let other = std::fs::read_link(proc.path(folder).join("ns/user")).ok()?;
    Some(own == other)
}

fn names(status: Option<&Status>, caller: &Caller) -> Names {
    let user = |id| User::from_uid(Uid::from_raw(id)).ok().flatten();
    let group = |id| Group::from_gid(Gid::from_raw(id)).ok().flatten();
    Names {
        user: status.and_then(|status| Some(user(status.uid.effective)?.name)),
        group: status.and_then(|status| Some(group(status.gid.effective)?.name)),
        caller: user(caller.uid.real).map(|user| user.name),
    }
}
