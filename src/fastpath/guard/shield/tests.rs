//! The handler on real breakpoints: each program is a fork of the test, whose code the test changes through a shared
//! mapping.

use std::arch::asm;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::*;

/// `push rbp`, `pop rbp`, `mov eax, 42`, `ret`.
const FUNCTION: [u8; 8] = [0x55, 0x5d, 0xb8, 42, 0, 0, 0, 0xc3];
const INT3: u8 = 0xcc;

/// Two pages that the test and its program share: a shield, and a function.
struct Pages {
    shield: *mut u8,
}

impl Pages {
    fn new(patience: u32) -> Pages {
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: the kernel chooses where.
        let at = unsafe { libc::mmap(ptr::null_mut(), 2 * LENGTH, protection, flags, -1, 0) };
        assert_ne!(at, libc::MAP_FAILED);
        let pages = Pages { shield: at.cast() };
        let shield = Shield::with_patience(at as u64, patience).expect("a shield");
        assert_eq!(shield.page.len(), LENGTH);
        let bytes = shield.page.iter().enumerate();
        bytes.for_each(|(offset, byte)| pages.set(offset, *byte));
        let bytes = FUNCTION.iter().enumerate();
        bytes.for_each(|(offset, byte)| pages.set(LENGTH + offset, *byte));
        pages
    }

    fn set(&self, offset: usize, byte: u8) {
        assert!(offset < 2 * LENGTH);
        // SAFETY: within the pages, which are mapped until this is dropped; bytes can be accessed atomically.
        unsafe { AtomicU8::from_ptr(self.shield.add(offset)) }.store(byte, Ordering::SeqCst);
    }

    /// Puts this byte where the function begins.
    fn begin_with(&self, byte: u8) {
        self.set(LENGTH, byte);
    }

    fn function(&self) -> extern "C" fn() -> i32 {
        // SAFETY: the page holds a function that keeps to the ABI.
        unsafe { std::mem::transmute(self.shield.add(LENGTH)) }
    }

    /// Sets the handler up, as the tracer would have the program do.
    fn raise(&self) {
        let action = self.shield as usize + ACTION as usize;
        // SAFETY: the page holds the kernel's struct.
        let result = unsafe {
            libc::prctl(libc::PR_SET_DUMPABLE, 0); // no cores of programs that are to die
            libc::syscall(libc::SYS_rt_sigaction, libc::SIGTRAP, action, 0, SET_SIZE)
        };
        assert_eq!(result, 0);
    }

    /// A program that is shielded and gives its exit status.
    fn program(&self, run: impl FnOnce(&Pages) -> i32) -> Pid {
        // SAFETY: the child has one thread and ends by itself.
        match unsafe { libc::fork() } {
            0 => {
                self.raise();
                let status = run(self);
                // SAFETY: ends the child alone.
                unsafe { libc::_exit(status) }
            }
            pid => Pid::from_raw(pid),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by this value.
        unsafe { libc::munmap(self.shield.cast(), 2 * LENGTH) };
    }
}

fn end(program: Pid) -> WaitStatus {
    waitpid(program, None).expect("its end")
}

/// Waits until the handler sleeps.
fn until_it_waits(program: Pid) {
    let start = Instant::now();
    // Only root may see which system call one makes that is not dumpable, but it makes no other that waits.
    while !std::fs::read_to_string(format!("/proc/{program}/stat"))
        .is_ok_and(|text| text.contains(") S "))
    {
        assert!(start.elapsed() < Duration::from_secs(20), "it never waits");
        std::thread::yield_now();
    }
    let now = waitpid(program, Some(WaitPidFlag::WNOHANG));
    assert_eq!(now, Ok(WaitStatus::StillAlive));
}

#[test]
fn it_waits_until_the_instruction_is_back() {
    for _ in 0..20 {
        let pages = Pages::new(PATIENCE);
        pages.begin_with(INT3);
        let program = pages.program(|pages| (pages.function())());
        until_it_waits(program);
        pages.begin_with(FUNCTION[0]);
        until_it_waits(program);
        pages.set(OVER as usize, 1);
        assert_eq!(end(program), WaitStatus::Exited(program, 42));
    }
}

/// Every register that a function may use, flags and `errno`: they are those of before.
#[test]
fn nothing_else_is_changed() {
    let pages = Pages::new(PATIENCE);
    pages.begin_with(INT3);
    let program = pages.program(|pages| {
        let function = pages.function() as usize;
        let (mut words, mut flags, mut vector) = ([0u64; 8], 0u64, 0u64);
        // SAFETY: errno is this thread's own; the function uses the stack as the ABI says and changes rax alone.
        unsafe {
            *libc::__errno_location() = 77;
            asm!(
                "sub rsp, 256", "mov r13, 0x1234567", "movq xmm15, r13", "stc",
                "call rax",
                "pushfq", "pop r13", "movq r12, xmm15", "add rsp, 256",
                inlateout("rax") function => _,
                inlateout("rcx") 11u64 => words[0], inlateout("rdx") 12u64 => words[1],
                inlateout("rsi") 13u64 => words[2], inlateout("rdi") 14u64 => words[3],
                inlateout("r8") 15u64 => words[4], inlateout("r9") 16u64 => words[5],
                inlateout("r10") 17u64 => words[6], inlateout("r11") 18u64 => words[7],
                out("r13") flags, out("r12") vector, out("xmm15") _,
            );
            let right = words == [11, 12, 13, 14, 15, 16, 17, 18]
                && flags & 1 == 1
                && vector == 0x123_4567
                && *libc::__errno_location() == 77;
            i32::from(right)
        }
    });
    until_it_waits(program);
    pages.begin_with(FUNCTION[0]);
    pages.set(OVER as usize, 1);
    assert_eq!(end(program), WaitStatus::Exited(program, 1));
}

/// A marker's nop: where nobody comes, the thread goes on behind it. Here that is one `push` too few.
#[test]
fn it_does_not_wait_for_ever() {
    let pages = Pages::new(50);
    pages.begin_with(INT3);
    pages.set(LENGTH + 1, 0x90);
    let program = pages.program(|pages| (pages.function())());
    assert_eq!(end(program), WaitStatus::Exited(program, 42));
}

#[test]
fn a_breakpoint_of_the_programs_own_ends_it_when_all_is_over() {
    let pages = Pages::new(PATIENCE);
    pages.begin_with(INT3);
    pages.set(OVER as usize, 1);
    let program = pages.program(|pages| (pages.function())());
    let ended = WaitStatus::Signaled(program, Signal::SIGTRAP, false);
    assert_eq!(end(program), ended);
}

#[test]
fn somebodys_signal_ends_the_program() {
    let ended = |program| WaitStatus::Signaled(program, Signal::SIGTRAP, false);
    let pages = Pages::new(PATIENCE);
    // SAFETY: plain system calls.
    let own = pages.program(|_| unsafe { libc::raise(libc::SIGTRAP) });
    assert_eq!(end(own), ended(own));
    pages.begin_with(INT3);
    let waiting = pages.program(|pages| (pages.function())());
    until_it_waits(waiting);
    kill(waiting, Signal::SIGTRAP).expect("it lives");
    assert_eq!(end(waiting), ended(waiting));
}

/// The kernel lets a process send itself what looks like the kernel's own signals.
fn queue(words: Option<Moved>) {
    let mut info = [0u64; 16];
    info[0] = libc::SIGTRAP as u64;
    info[1] = SI_KERNEL as u64;
    let moved = words.map_or([0, 0], |moved| [moved.pc, moved.sp]);
    info[SI_PC as usize / 8] = moved[0];
    info[SI_SP as usize / 8] = moved[1];
    // SAFETY: the words are as long as a siginfo_t.
    let result = unsafe {
        let (pid, tid) = (libc::getpid(), libc::gettid());
        let number = libc::SYS_rt_tgsigqueueinfo;
        libc::syscall(number, pid, tid, libc::SIGTRAP, info.as_ptr())
    };
    assert_eq!(result, 0);
}

#[test]
fn a_thread_that_was_moved_goes_on_where_it_is() {
    let pages = Pages::new(PATIENCE);
    let program = pages.program(|pages| {
        // It is neither behind this breakpoint nor has it this stack pointer.
        for _ in 0..10 {
            queue(Some(Moved { pc: 1, sp: 1 }));
        }
        (pages.function())()
    });
    assert_eq!(end(program), WaitStatus::Exited(program, 42));
}

/// What is left of a tracer that led the thread by single steps: their signals.
#[test]
fn a_step_is_no_reason_to_end() {
    let pages = Pages::new(PATIENCE);
    let program = pages.program(|pages| {
        // SAFETY: sets the flag for single steps for a moment, each of which enters the handler and comes back.
        unsafe {
            asm!(
                "pushfq",
                "or qword ptr [rsp], 0x100",
                "popfq",
                "nop",
                "nop",
                "pushfq",
                "and qword ptr [rsp], -257",
                "popfq"
            );
        }
        (pages.function())()
    });
    assert_eq!(end(program), WaitStatus::Exited(program, 42));
}

#[test]
fn a_shield_is_recognised() {
    let shield = Shield::assemble(0x7000_0000).expect("a shield");
    assert!(Shield::is_at(0x7000_0000, &shield.page));
    assert!(!Shield::is_at(0x7000_1000, &shield.page));
    assert!(!Shield::is_at(0x7000_0000, &[]));
    let mut over = shield.page.clone();
    over[OVER as usize] = 1;
    assert!(Shield::is_at(0x7000_0000, &over));
    over[0] ^= 1;
    assert!(!Shield::is_at(0x7000_0000, &over));
    assert!(!Shield::is_at(0x7000_0000, &shield.page[..LENGTH / 2]));
    let whole = i32::try_from(LENGTH).expect("small");
    assert!(
        whole > DEFAULT as i32 + 32 && shield.page[DEFAULT as usize + 32..] == [0; 4096 - 1104]
    );
}
