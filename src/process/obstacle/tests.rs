//! Each cause from facts by hand, in the words that the user reads.

use super::*;
use crate::process::status::{CAP_SYS_PTRACE, Capabilities, Ids, Seccomp, SignalSet, State};

mod rights;

/// Process 4711 of alice (uid 1000), asleep.
fn target() -> Status {
    Status {
        name: "python3.9".into(),
        state: State::Sleeping,
        tgid: 4711,
        ppid: 4700,
        tracer: 0,
        uid: Ids::all(1000),
        gid: Ids::all(100),
        ns_pids: vec![4711],
        seccomp: Some(Seccomp::Off),
        no_new_privileges: Some(false),
        pending: SignalSet(0),
        shared_pending: SignalSet(0),
        blocked: SignalSet(0),
        ignored: SignalSet(0),
        caught: SignalSet(0),
        permitted: Capabilities(0),
        capabilities: Capabilities(0),
        has_memory: true,
        kernel_thread: Some(false),
    }
}

fn facts() -> Facts {
    Facts {
        visible: true,
        status: Some(target()),
        kernel_thread: Some(false),
        files_owner: Some(1000),
        names: Names {
            user: Some("alice".into()),
            group: Some("users".into()),
            caller: Some("bob".into()),
        },
        ..Facts::default()
    }
}

/// Process 99 of the same user, without any rights.
fn caller() -> Caller {
    Caller {
        pid: 99,
        ..Caller::of(&target())
    }
}

fn root() -> Caller {
    Caller {
        uid: Ids::all(0),
        gid: Ids::all(0),
        permitted: Capabilities(u64::MAX),
        capabilities: Capabilities(u64::MAX),
        ..caller()
    }
}

fn with_status(change: impl FnOnce(&mut Status)) -> Facts {
    let mut status = target();
    change(&mut status);
    Facts {
        status: Some(status),
        ..facts()
    }
}

fn named(pid: i32, name: &str) -> Named {
    Named {
        pid,
        name: Some(name.into()),
    }
}

/// The whole text of a refused PTRACE_SEIZE.
fn refused(facts: &Facts, caller: &Caller) -> String {
    explain(4711, Attempt::Seize, libc::EPERM, facts, caller).to_string()
}

fn cause_of(errno: i32, facts: &Facts, caller: &Caller) -> Cause {
    explain(4711, Attempt::Seize, errno, facts, caller).cause
}

#[test]
fn no_process() {
    let gone = Facts::default();
    let expected = "cannot attach to process 4711: there is no such process, or it has just ended. Look for its id \
                    with `pgrep -a python`.";
    for errno in [libc::ESRCH, libc::EPERM] {
        assert_eq!(
            explain(4711, Attempt::Seize, errno, &gone, &caller()).to_string(),
            expected
        );
    }
    assert_eq!(
        cause_of(libc::ESRCH, &facts(), &caller()),
        Cause::NoSuchProcess
    );
    let memory = explain(4711, Attempt::OpenMemory, libc::ENOENT, &gone, &caller()).to_string();
    assert!(
        memory.starts_with("cannot open the memory of process 4711: there is no"),
        "{memory}"
    );
}

#[test]
fn a_process_that_proc_hides() {
    let expected = "cannot attach to process 4711: it belongs to another user, and /proc hides it (it is mounted with \
                    `hidepid`). Run ptpytrace as root: `sudo ptpytrace …`.";
    let hidden = Facts {
        hides_others: true,
        ..Facts::default()
    };
    let listed = Facts {
        visible: true,
        ..Facts::default()
    };
    assert_eq!(refused(&hidden, &caller()), expected);
    assert_eq!(refused(&listed, &caller()), expected);
}

#[test]
fn an_ended_process_and_an_ended_main_thread() {
    let mut zombie = with_status(|status| status.state = State::Zombie);
    zombie.parent = Some(named(4700, "bash"));
    let start = "cannot attach to process 4711 (python3.9): ";
    let expected = "it has ended, and its parent, process 4700 (bash), has not asked for its status yet (a zombie).";
    assert_eq!(refused(&zombie, &root()), format!("{start}{expected}"));
    zombie.several_threads = true;
    let expected = "its main thread has ended, though other threads of it go on.";
    assert_eq!(refused(&zombie, &caller()), format!("{start}{expected}"));
}

#[test]
fn what_nobody_can_trace() {
    let kernel = Facts {
        kernel_thread: Some(true),
        ..with_status(|status| status.name = "kthreadd".into())
    };
    let expected = "cannot attach to process 4711 (kthreadd): it is a thread of the kernel and runs no program.";
    assert_eq!(refused(&kernel, &root()), expected);

    let own = with_status(|status| status.tgid = 99);
    let expected = "cannot attach to process 4711 (python3.9): it is ptpytrace itself, and no process can trace itself.";
    assert_eq!(refused(&own, &root()), expected);
}

#[test]
fn a_process_that_has_a_tracer() {
    let mut traced = facts();
    traced.tracer = Some(named(500, "gdb"));
    let expected = "cannot attach to process 4711 (python3.9): it is already traced, by process 500 (gdb), and a \
                    process can have only one tracer. End that tracer first, or let it detach.";
    assert_eq!(refused(&traced, &root()), expected);
    assert_eq!(refused(&traced, &caller()), expected);
    traced.tracer = Some(named(99, "ptpytrace"));
    assert_eq!(
        cause_of(libc::EPERM, &traced, &caller()),
        Cause::TracedByCaller
    );
    // A tracer does not keep others from its memory.
    traced.files_owner = Some(0);
    let memory = explain(4711, Attempt::OpenMemory, libc::EACCES, &traced, &caller());
    assert_eq!(memory.cause, Cause::NotDumpable);
}

#[test]
fn each_level_of_yama() {
    let level = |level| Facts {
        ptrace_scope: Some(level),
        ..facts()
    };
    let start = "cannot attach to process 4711 (python3.9): the security module Yama lets";
    assert_eq!(
        refused(&level(1), &caller()),
        format!(
            "{start} a process trace only its own descendants (kernel.yama.ptrace_scope is 1). Start the program with \
             ptpytrace (`ptpytrace -c COMMAND`), or allow it for all with `sudo sysctl kernel.yama.ptrace_scope=0`, or \
             let the program call prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY). Or run ptpytrace as root: `sudo ptpytrace \
             …`."
        )
    );
    assert_eq!(
        refused(&level(2), &caller()),
        format!(
            "{start} only root trace, with CAP_SYS_PTRACE (kernel.yama.ptrace_scope is 2). Run ptpytrace as root: \
             `sudo ptpytrace …`. Or give it the right to trace: `sudo setcap cap_sys_ptrace=ep FILE`, FILE being \
             ptpytrace's."
        )
    );
    let nobody = format!(
        "{start} nobody trace (kernel.yama.ptrace_scope is 3). This level stays until the machine is restarted; see \
         the settings of `kernel.yama.ptrace_scope` in /etc/sysctl.conf and /etc/sysctl.d."
    );
    assert_eq!(refused(&level(3), &caller()), nobody);
    assert_eq!(refused(&level(3), &root()), nobody);
}

#[test]
fn yama_is_not_blamed_for_what_it_allows() {
    let unexplained = Cause::Unexplained {
        errno: libc::EPERM,
        profile: None,
    };
    let child = Facts {
        ptrace_scope: Some(1),
        descendant: true,
        ..facts()
    };
    assert_eq!(cause_of(libc::EPERM, &child, &caller()), unexplained);
    for level in [0, 1, 2] {
        let facts = Facts {
            ptrace_scope: Some(level),
            ..facts()
        };
        assert_eq!(
            cause_of(libc::EPERM, &facts, &root()),
            unexplained,
            "{level}"
        );
    }
}

#[test]
fn a_filter_around_the_tracer() {
    let mut filtered = Caller {
        ptrace_refused: Some(libc::EPERM),
        ..caller()
    };
    let start = "cannot attach to process 4711 (python3.9): a seccomp filter or sandbox around ptpytrace refuses every \
                 ptrace call (EPERM, Operation not permitted).";
    let expected =
        "Run ptpytrace outside of it: a service manager, a container or a sandbox has set it.";
    assert_eq!(refused(&facts(), &filtered), format!("{start} {expected}"));
    filtered.in_container = true;
    let expected = "Start the container with `docker run --cap-add=SYS_PTRACE`, or `--security-opt \
                    seccomp=unconfined`, or with a profile that allows ptrace.";
    assert_eq!(refused(&facts(), &filtered), format!("{start} {expected}"));
    filtered.ptrace_refused = Some(libc::ENOSYS);
    assert_eq!(
        cause_of(libc::ENOSYS, &facts(), &filtered),
        Cause::PtraceRefused(libc::ENOSYS)
    );
    // Opening a file is no ptrace call.
    let memory = explain(4711, Attempt::OpenMemory, libc::EACCES, &facts(), &filtered);
    assert!(matches!(memory.cause, Cause::Unexplained { .. }));
}

#[test]
fn rights_that_do_not_hold_everywhere() {
    let other = Facts {
        same_user_namespace: Some(false),
        ..facts()
    };
    assert_eq!(
        cause_of(libc::EPERM, &other, &root()),
        Cause::OtherUserNamespace
    );
    assert_eq!(
        cause_of(libc::EPERM, &other, &caller()),
        Cause::OtherUserNamespace
    );
    let inside = Caller {
        in_user_namespace: true,
        ..root()
    };
    assert_eq!(
        cause_of(libc::EPERM, &facts(), &inside),
        Cause::OtherUserNamespace
    );
    let same = Facts {
        same_user_namespace: Some(true),
        ..facts()
    };
    assert!(matches!(
        cause_of(libc::EPERM, &same, &inside),
        Cause::Unexplained { .. }
    ));
}

#[test]
fn what_remains_names_the_security_modules_label() {
    let mut confined = root();
    confined.profile = Some("docker-default (enforce)".into());
    let labelled = Facts {
        profile: Some("snap.\x1b[31m".into()),
        ..facts()
    };
    let text = explain(4711, Attempt::Seize, libc::EACCES, &labelled, &confined).to_string();
    assert_eq!(
        text,
        "cannot attach to process 4711 (python3.9): the kernel says \"EACCES, Permission denied\", and /proc does not \
         tell why. A security module may forbid it: ptpytrace runs as `docker-default (enforce)`, and the process \
         runs as `snap.\u{fffd}[31m`. Look for a security module's message (`dmesg`, \
         /var/log/audit), and for a tracer outside of this container, which would not be shown."
    );
    let Cause::Unsupported(errno) = cause_of(libc::EIO, &facts(), &root()) else {
        panic!("EIO says that the call is not known");
    };
    assert_eq!(errno, libc::EIO);
    assert!(matches!(
        cause_of(libc::EFAULT, &facts(), &root()),
        Cause::Unexplained {
            errno: libc::EFAULT,
            ..
        }
    ));
    assert!(root().may_trace_others() && root().capabilities.contains(CAP_SYS_PTRACE));
}
