//! Obstacles that this machine puts up itself: each attempt is a real one, and its error is what the kernel says.
//!
//! Ids, capabilities and filters belong to a thread in Linux, and so does the right to trace: each attempt is made in
//! a thread of its own, which may give up rights without taking them from other tests.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, fork, geteuid, getpid, pipe};
use ptpytrace::process::memory::ProcessMemory;
use ptpytrace::process::obstacle::{Attempt, Caller, Cause, Obstacle, diagnose};
use ptpytrace::process::proc::ProcFs;

/// An id of no other use here (`nobody` on most systems).
const NOBODY: u32 = 65_534;

/// Tries PTRACE_SEIZE in a new thread that has first called `prepare`; why it failed.
fn seize(pid: i32, prepare: impl FnOnce() + Send + 'static) -> Obstacle {
    let thread = std::thread::spawn(move || {
        prepare();
        let error = ptrace::seize(Pid::from_raw(pid), Options::empty()).expect_err("it is refused");
        explain(pid, Attempt::Seize, error)
    });
    thread.join().expect("the attempt fails as it should")
}

fn explain(pid: i32, attempt: Attempt, error: Errno) -> Obstacle {
    let proc = ProcFs::default();
    let caller = Caller::read(&proc).expect("/proc is mounted");
    diagnose(pid, attempt, error as i32, &proc, &caller)
}

fn open_memory(pid: i32, prepare: impl FnOnce() + Send + 'static) -> Obstacle {
    let thread = std::thread::spawn(move || {
        prepare();
        let error = ProcessMemory::open(pid).expect_err("it is refused");
        let errno = error.raw_os_error().expect("an error of the kernel");
        explain(pid, Attempt::OpenMemory, Errno::from_raw(errno))
    });
    thread.join().expect("the attempt fails as it should")
}

/// Makes this thread, and no other, one of user `nobody` without capabilities.
fn become_nobody() {
    // SAFETY: the bare system calls change the ids of this thread only (the C library's would change all threads').
    unsafe {
        assert_eq!(
            libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY),
            0
        );
        assert_eq!(
            libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY),
            0
        );
    }
}

/// Makes every ptrace call of this thread fail with EPERM (seccomp(2)).
fn forbid_ptrace() {
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let filter = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut program = [
        filter(load, 0, 0, 0),
        filter(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            0,
            1,
            libc::SYS_ptrace as u32,
        ),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, refuse),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter is complete and outlives the calls, which change this thread's rights only.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program),
            0
        );
    }
}

/// A `cat` that has answered once, so that it is known to be past its exec.
fn running_cat() -> Child {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cat runs");
    child
        .stdin
        .as_mut()
        .expect("a pipe")
        .write_all(b"x")
        .expect("written");
    child
        .stdout
        .as_mut()
        .expect("a pipe")
        .read_exact(&mut [0])
        .expect("read");
    child
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().expect("reaped");
}

/// A copy of this process that runs `work`, says so, and waits until it is dropped.
struct Fork {
    pid: Pid,
}

impl Fork {
    /// `work` must only make system calls: other threads may hold locks that are never released in the copy.
    fn new(work: impl Fn() -> bool) -> Fork {
        let (ready, say_ready) = pipe().expect("a pipe");
        // SAFETY: the copy makes system calls only, until it is killed. (It is not told by a pipe to end: copies made
        // at the same time hold each other's.)
        match unsafe { fork() }.expect("a process") {
            ForkResult::Child => {
                let done = work();
                // SAFETY: system calls that change the copy alone; should this test die, so does the copy.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
                let _ = nix::unistd::write(&say_ready, if done { b"y" } else { b"n" });
                loop {
                    nix::unistd::pause();
                }
            }
            ForkResult::Parent { child } => {
                let fork = Fork { pid: child };
                let mut answer = [0];
                assert_eq!(nix::unistd::read(&ready, &mut answer), Ok(1));
                assert_eq!(&answer, b"y", "the copy could not prepare itself");
                fork
            }
        }
    }
}

impl Drop for Fork {
    fn drop(&mut self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

#[test]
fn no_such_process() {
    let child = running_cat();
    let pid = child.id() as i32;
    end(child);
    assert_eq!(seize(pid, || ()).cause, Cause::NoSuchProcess);
    assert_eq!(open_memory(pid, || ()).cause, Cause::NoSuchProcess);
}

#[test]
fn a_zombie_names_its_parent() {
    let mut child = running_cat();
    let pid = child.id() as i32;
    drop(child.stdin.take());
    // It has ended when this returns, but is left to be waited for.
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(Pid::from_raw(pid)), flags).expect("it ends");
    let obstacle = seize(pid, || ());
    child.wait().expect("reaped");
    let Cause::Ended {
        parent: Some(parent),
        threads_left: false,
    } = obstacle.cause
    else {
        panic!("{obstacle}");
    };
    assert_eq!(parent.pid, getpid().as_raw());
    assert_eq!(obstacle.process.name.as_deref(), Some("cat".as_ref()));
}

#[test]
fn the_tracer_itself() {
    assert_eq!(seize(getpid().as_raw(), || ()).cause, Cause::Itself);
}

#[test]
fn a_thread_of_the_kernel() {
    let proc = ProcFs::default();
    let kernel = proc
        .stat(2, 2)
        .ok()
        .and_then(|it| it.found())
        .is_some_and(|it| it.is_kernel_thread());
    // In a pid namespace there are no such threads, and process 2 is another one or none.
    if kernel {
        assert_eq!(seize(2, || ()).cause, Cause::KernelThread);
    }
}

#[test]
fn a_process_that_another_one_traces() {
    let child = running_cat();
    let pid = child.id() as i32;
    let target = Pid::from_raw(pid);
    // Where only ancestors may trace, the copy needs the child's leave; the child's parent has it.
    let tracer = Fork::new(|| ptrace::seize(target, Options::empty()).is_ok());
    let obstacle = seize(pid, || ());
    let expected = tracer.pid.as_raw();
    drop(tracer);
    end(child);
    let Cause::TracedBy(found) = &obstacle.cause else {
        panic!("{obstacle}");
    };
    assert_eq!(found.pid, expected);
    assert!(
        obstacle
            .to_string()
            .contains(&format!("already traced, by process {expected} (")),
        "{obstacle}"
    );
}

#[test]
fn a_process_that_another_thread_of_this_one_traces() {
    let child = running_cat();
    let pid = child.id() as i32;
    let (seized, ready) = std::sync::mpsc::channel();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let tracer = std::thread::spawn(move || {
        seized
            .send(ptrace::seize(Pid::from_raw(pid), Options::empty()))
            .expect("sent");
        let _ = wait.recv();
    });
    assert_eq!(ready.recv(), Ok(Ok(())));
    let obstacle = seize(pid, || ());
    drop(release);
    tracer.join().expect("no panic");
    end(child);
    assert_eq!(obstacle.cause, Cause::TracedByCaller);
}

#[test]
fn another_users_process() {
    // As root this test's own child, seen by nobody; else the first process, which is root's.
    let child = running_cat();
    let is_root = geteuid().is_root();
    let pid = if is_root { child.id() as i32 } else { 1 };
    let prepare = move || {
        if is_root {
            become_nobody()
        }
    };
    for obstacle in [seize(pid, prepare), open_memory(pid, prepare)] {
        let Cause::OtherUser {
            uid: 0,
            user: Some(user),
            own_uid,
            ..
        } = &obstacle.cause
        else {
            panic!("{obstacle}");
        };
        assert_eq!(user, "root");
        assert_eq!(*own_uid, if is_root { NOBODY } else { geteuid().as_raw() });
    }
    end(child);
}

#[test]
fn a_process_that_is_not_dumpable() {
    let is_root = geteuid().is_root();
    let target = Fork::new(|| {
        // SAFETY: system calls only, which change the copy alone.
        unsafe {
            let same_user = !is_root
                || libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0
                    && libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0;
            same_user && libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
        }
    });
    let prepare = move || {
        if is_root {
            become_nobody()
        }
    };
    let pid = target.pid.as_raw();
    assert_eq!(seize(pid, prepare).cause, Cause::NotDumpable);
    assert_eq!(open_memory(pid, prepare).cause, Cause::NotDumpable);
}

#[test]
fn a_filter_that_refuses_ptrace() {
    let child = running_cat();
    let obstacle = seize(child.id() as i32, forbid_ptrace);
    end(child);
    assert_eq!(obstacle.cause, Cause::PtraceRefused(libc::EPERM));
    assert!(obstacle.caller.no_new_privileges);
}

#[test]
fn a_process_with_more_capabilities() {
    // Only root has any to drop; for others the same is shown over a tree.
    let child = running_cat();
    if geteuid().is_root() {
        let drop_all = || {
            // Version 3 of the structures of capset(2): two words of each set, all of them empty.
            let header: [u32; 2] = [0x2008_0522, 0];
            let data = [0u32; 6];
            // SAFETY: both structures outlive the call, which changes this thread only.
            let done = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
            assert_eq!(done, 0);
        };
        assert_eq!(seize(child.id() as i32, drop_all).cause, Cause::MoreCapable);
        assert_eq!(
            open_memory(child.id() as i32, drop_all).cause,
            Cause::MoreCapable
        );
    }
    end(child);
}
