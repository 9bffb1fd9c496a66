//! A tracer is killed with SIGKILL while a busy program runs into its breakpoint as fast as it can.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::restore;
use super::shield::Shield;
use super::*;

const PAGE: usize = 4096;
/// The function that the program calls: the marker's nop, and `ret`.
const FUNCTION: [u8; 2] = [0x90, 0xc3];
/// How often the tracer is killed.
const ROUNDS: u64 = 30;

/// What program, tracer and test share.
#[repr(C)]
struct Shared {
    calls: AtomicU64,
    hits: AtomicU64,
    stop: AtomicU64,
}

fn map(flags: i32) -> *mut u8 {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = flags | libc::MAP_ANONYMOUS;
    // SAFETY: the kernel chooses where.
    let at = unsafe { libc::mmap(ptr::null_mut(), 2 * PAGE, protection, flags, -1, 0) };
    assert_ne!(at, libc::MAP_FAILED);
    at.cast()
}

/// One program and what it shares with its tracer.
struct Round {
    shared: *const Shared,
    code: *mut u8,
}

impl Round {
    fn new() -> Round {
        let code = map(libc::MAP_PRIVATE);
        let shield = Shield::assemble(code as u64 + PAGE as u64).expect("a shield");
        // SAFETY: the pages are this value's alone, and not yet executed.
        unsafe {
            ptr::copy_nonoverlapping(FUNCTION.as_ptr(), code, FUNCTION.len());
            ptr::copy_nonoverlapping(shield.page.as_ptr(), code.add(PAGE), PAGE);
        }
        Round {
            shared: map(libc::MAP_SHARED).cast(),
            code,
        }
    }

    fn shared(&self) -> &Shared {
        // SAFETY: zeroed memory of a size that suffices, mapped until this is dropped.
        unsafe { &*self.shared }
    }

    fn address(&self) -> u64 {
        self.code as u64
    }

    fn fork(child: impl FnOnce()) -> Pid {
        // SAFETY: the child has one thread, and glibc makes its allocator usable after a fork.
        match unsafe { libc::fork() } {
            0 => {
                child();
                // SAFETY: ends the child alone.
                unsafe { libc::_exit(0) }
            }
            pid => Pid::from_raw(pid),
        }
    }

    /// The program: calls the function until it is told to stop.
    fn program(&self, shielded: bool) {
        // SAFETY: system calls on memory of this process; the function keeps to the ABI.
        let function: extern "C" fn() = unsafe {
            libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY);
            if shielded {
                let action = self.address() + PAGE as u64 + shield::ACTION;
                let number = libc::SYS_rt_sigaction;
                libc::syscall(number, libc::SIGTRAP, action, 0, shield::SET_SIZE);
            }
            std::mem::transmute(self.code)
        };
        while self.shared().stop.load(Ordering::Relaxed) == 0 {
            function();
            self.shared().calls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The tracer: a breakpoint on the nop, each hit counted.
    fn tracer(&self, program: Pid) -> Option<()> {
        let guard = Guard::start().ok()?;
        let memory = restore::open(program.as_raw()).ok()?;
        ptrace::seize(program, ptrace::Options::empty()).ok()?;
        guard.watch(1, program.as_raw(), &memory).ok()?;
        let undo = Undo::Code {
            address: self.address(),
            new: vec![0xcc],
            old: vec![0x90],
        };
        let address = self.address() + PAGE as u64;
        guard.changing(1, &[undo, Undo::Shield { address }]).ok()?;
        memory.write_all_at(&[0xcc], self.address()).ok()?;
        while let Ok(WaitStatus::Stopped(..)) = waitpid(program, None) {
            self.shared().hits.fetch_add(1, Ordering::Relaxed);
            ptrace::cont(program, None).ok()?;
        }
        Some(())
    }

    /// Whether the program survives a tracer that is killed after so many hits.
    fn survives(&self, shielded: bool, hits: u64) -> bool {
        let program = Round::fork(|| self.program(shielded));
        let memory = restore::open(program.as_raw()).expect("its memory");
        let tracer = Round::fork(|| {
            let _ = self.tracer(program);
        });
        wait_until("hits", || {
            self.shared().hits.load(Ordering::Relaxed) >= hits
        });
        nix::sys::signal::kill(tracer, nix::sys::signal::SIGKILL).expect("a tracer");
        waitpid(tracer, None).expect("its end");
        let calls = self.shared().calls.load(Ordering::Relaxed);
        let goes_on = || self.shared().calls.load(Ordering::Relaxed) > calls + 10_000;
        let died = || matches!(waitpid(program, Some(nix::sys::wait::WaitPidFlag::WNOHANG)), Ok(it) if it != WaitStatus::StillAlive);
        let mut survived = true;
        wait_until("calls", || {
            survived = survived && !died();
            !survived || (goes_on() && first_byte(&memory, self.address()) == Some(0x90))
        });
        self.shared().stop.store(1, Ordering::Relaxed);
        if survived {
            let end = waitpid(program, None).expect("its end");
            assert_eq!(end, WaitStatus::Exited(program, 0));
        }
        survived
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        // The code stays: a guard that still looks for others must not take the next program for a copy of this one.
        // SAFETY: mapped by this value.
        unsafe { libc::munmap(self.shared.cast_mut().cast(), 2 * PAGE) };
    }
}

fn first_byte(memory: &File, address: u64) -> Option<u8> {
    let mut byte = [0];
    memory.read_exact_at(&mut byte, address).ok()?;
    byte.first().copied()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::yield_now();
    }
}

/// With the shield every program goes on and is restored, however soon it hits the breakpoint.
#[test]
fn a_shielded_program_survives_its_tracer() {
    for round in 0..ROUNDS {
        assert!(Round::new().survives(true, 1 + round * 7), "round {round}");
    }
}

/// The guard alone comes too late, now and then; but what survives is restored.
#[test]
fn an_unshielded_program_is_restored_if_it_survives() {
    let survived = (0..ROUNDS).filter(|round| Round::new().survives(false, 1 + round * 7));
    println!("{} of {ROUNDS} survived", survived.count());
}

/// A child that was forked when the tracer died may still be traced by it for a while. One that another tracer has is
/// not touched.
#[test]
fn a_child_that_the_dead_tracer_still_has_is_restored() {
    let code = Round::new().address();
    let own = nix::unistd::getpid().as_raw();
    let memory = restore::open(own).expect("its memory");
    memory.write_all_at(&[0xcc], code).expect("a breakpoint");
    let child = Round::fork(|| std::thread::sleep(Duration::from_secs(60)));
    memory.write_all_at(&[0x90], code).expect("the nop");
    let mut undos = restore::Undos::default();
    undos.add(vec![Undo::Code {
        address: code,
        new: vec![0xcc],
        old: vec![0x90],
    }]);
    let watched = [restore::Watched {
        key: 0,
        pid: own,
        memory,
        program: restore::program_of(own),
        undos,
    }];
    ptrace::seize(child, ptrace::Options::empty()).expect("seized");
    let memory = restore::open(child.as_raw()).expect("its memory");
    let tracer = nix::unistd::gettid().as_raw();
    restore::restore_others(&watched, 1);
    assert_eq!(first_byte(&memory, code), Some(0xcc));
    restore::restore_others(&watched, tracer);
    assert_eq!(first_byte(&memory, code), Some(0x90));
    nix::sys::signal::kill(child, nix::sys::signal::SIGKILL).expect("a child");
    waitpid(child, None).expect("its end");
}
