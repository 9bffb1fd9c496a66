//! Who asks to trace: the ids, capabilities and restrictions of the calling thread.

use std::io::{self, ErrorKind};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::process::proc::{Lookup, ProcFs};
use crate::process::status::{CAP_SYS_PTRACE, Capabilities, Ids, Status};

/// What the kernel knows of the thread that wants to trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its process.
    pub pid: i32,
    /// Its user ids.
    pub uid: Ids,
    /// Its group ids.
    pub gid: Ids,
    /// The capabilities that it could have in force.
    pub permitted: Capabilities,
    /// The capabilities that it has in force.
    pub capabilities: Capabilities,
    /// Whether exec (and so sudo) gives it no new rights.
    pub no_new_privileges: bool,
    /// The error with which every ptrace call fails, when a seccomp filter or a sandbox refuses them all.
    pub ptrace_refused: Option<i32>,
    /// Whether its user ids are not those of the machine, so that its capabilities hold only in its own namespace.
    pub in_user_namespace: bool,
    /// Whether it runs in a container.
    pub in_container: bool,
    /// Its label or profile of a security module (AppArmor, SELinux, Smack), unless it has none.
    pub profile: Option<String>,
}

impl Caller {
    /// Describes the calling thread, from `proc` where that has `thread-self` or `self`, else from `/proc`.
    ///
    /// # Errors
    /// Those of reading `status`; `NotFound` when no `/proc` is mounted.
    pub fn read(proc: &ProcFs) -> io::Result<Caller> {
        let real = ProcFs::default();
        for (tree, folder) in [
            (proc, "thread-self"),
            (proc, "self"),
            (&real, "thread-self"),
        ] {
            if let Lookup::Found(status) = tree.status_of(folder)? {
                return Ok(Caller {
                    ptrace_refused: ptrace_refused(),
                    in_user_namespace: in_user_namespace(tree, folder),
                    in_container: in_container(),
                    profile: profile(tree, folder),
                    ..Caller::of(&status)
                });
            }
        }
        let text = "no proc file system is mounted on /proc";
        Err(io::Error::new(ErrorKind::NotFound, text))
    }

    /// A caller of whom only `status` is known.
    pub fn of(status: &Status) -> Caller {
        Caller {
            pid: status.tgid,
            uid: status.uid,
            gid: status.gid,
            permitted: status.permitted,
            capabilities: status.capabilities,
            no_new_privileges: status.no_new_privileges == Some(true),
            ptrace_refused: None,
            in_user_namespace: false,
            in_container: false,
            profile: None,
        }
    }

    /// Whether it has the right to trace processes of others.
    pub fn may_trace_others(&self) -> bool {
        self.capabilities.contains(CAP_SYS_PTRACE)
    }
}

/// Asks for a thread that cannot exist (ids end at 2^22): the kernel answers ESRCH, a filter what it likes.
fn ptrace_refused() -> Option<i32> {
    match ptrace::cont(Pid::from_raw(i32::MAX), None) {
        Err(Errno::ESRCH) | Ok(()) => None,
        Err(other) => Some(other as i32),
    }
}

/// The first user namespace maps all ids to themselves (user_namespaces(7)).
fn in_user_namespace(proc: &ProcFs, folder: &str) -> bool {
    let Ok(map) = proc.read(format!("{folder}/uid_map")) else {
        return false;
    };
    let map = String::from_utf8_lossy(&map);
    let words: Vec<&str> = map.split_ascii_whitespace().collect();
    words != ["0", "0", "4294967295"]
}

/// The files by which Docker and Podman mark their containers, and the variables of Kubernetes and systemd-nspawn.
fn in_container() -> bool {
    let files = ["/.dockerenv", "/run/.containerenv"];
    let variables = ["KUBERNETES_SERVICE_HOST", "container"];
    files.iter().any(|file| std::path::Path::new(file).exists())
        || variables
            .iter()
            .any(|name| std::env::var_os(name).is_some())
}

/// The label in `attr/current`; `unconfined` is none.
pub(super) fn profile(proc: &ProcFs, folder: &str) -> Option<String> {
    let label = proc.read(format!("{folder}/attr/current")).ok()?;
    let label = String::from_utf8_lossy(&label);
    let label = label.trim_end_matches(['\0', '\n']);
    let none = label.is_empty() || label == "unconfined";
    (!none).then(|| label.to_string())
}
