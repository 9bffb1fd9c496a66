//! A tracer that ends in the midst of a system call that it has a thread make: the thread goes on as if nothing had
//! been. Program and tracer are forks of the test.

use std::arch::asm;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::fastpath::guard::shield::{ACTION, LENGTH, OVER, SET_SIZE, Shield};
use crate::process::memory::ProcessMemory;
use crate::tracer::remote::Remote;
use crate::tracer::sigtrap::find_system_call;
use crate::tracer::stopped::StoppedThread;
use crate::tracer::wait::Stop;

/// Where the tracer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Begun,
    Entered,
    Called,
    Finished,
}

const ENDS: [End; 4] = [End::Begun, End::Entered, End::Called, End::Finished];

/// What program, tracer and test share.
struct Shared(&'static [AtomicU64; 8]);

impl Shared {
    fn new() -> Shared {
        let (protection, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        // SAFETY: the kernel chooses where; the memory is zeroed, and never unmapped.
        Shared(unsafe {
            let at = libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0);
            assert_ne!(at, libc::MAP_FAILED);
            &*at.cast()
        })
    }

    /// What the program counts.
    fn count(&self) -> u64 {
        self.0[0].load(Ordering::SeqCst)
    }
}

fn fork(child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child has one thread, and glibc makes its allocator usable after a fork.
    match unsafe { libc::fork() } {
        0 => {
            let status = child();
            // SAFETY: ends the child alone.
            unsafe { libc::_exit(status) }
        }
        pid => pid,
    }
}

fn end(pid: i32) -> i32 {
    let mut status = -1;
    // SAFETY: status outlives the call.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

/// Counts until it is told to stop (the second word), and looks at its registers all the time; 0 when they were right.
fn counting(shared: &Shared) -> i32 {
    let result: u64;
    // SAFETY: the words are mapped; the registers are all named.
    unsafe {
        asm!(
            "mov rax, 0x123456789", "movq xmm7, rax", "pinsrq xmm7, rax, 1",
            "2:", "inc qword ptr [rdi]",
            "cmp r8, 18", "jne 3f", "cmp r9, 19", "jne 3f", "cmp r10, 20", "jne 3f", "cmp r11, 21", "jne 3f",
            "cmp r12, 22", "jne 3f", "cmp r13, 23", "jne 3f", "cmp r14, 24", "jne 3f", "cmp r15, 25", "jne 3f",
            "cmp rcx, 26", "jne 3f", "cmp rdx, 27", "jne 3f", "cmp rsi, 28", "jne 3f",
            "mov rax, 0x123456789", "movq [rsp - 8], xmm7", "cmp rax, [rsp - 8]", "jne 3f",
            "pextrq [rsp - 8], xmm7, 1", "cmp rax, [rsp - 8]", "jne 3f",
            "mov [rsp - 128], rax", "cmp rax, [rsp - 128]", "jne 3f",
            "cmp qword ptr [rdi + 8], 0", "je 2b",
            "xor eax, eax", "jmp 4f", "3:", "mov eax, 1", "4:",
            in("rdi") shared.0.as_ptr(), in("r8") 18, in("r9") 19, in("r10") 20, in("r11") 21, in("r12") 22,
            in("r13") 23, in("r14") 24, in("r15") 25, in("rcx") 26, in("rdx") 27, in("rsi") 28,
            out("rax") result, out("xmm7") _,
        );
    }
    i32::from(result != 0)
}

/// Counts system calls that are not interrupted: some that the kernel begins anew, some that it goes on with.
fn calling(shared: &Shared) -> i32 {
    let mut reader = [0; 2];
    while shared.0[1].load(Ordering::SeqCst) == 0 {
        // SAFETY: plain system calls.
        let right = unsafe {
            libc::poll(std::ptr::null_mut(), 0, 3) == 0
                && libc::pipe(reader.as_mut_ptr()) == 0
                && libc::close(reader[0]) == 0
                && libc::close(reader[1]) == 0
        };
        if !right {
            return 1;
        }
        shared.0[0].fetch_add(1, Ordering::SeqCst);
    }
    0
}

/// Stops the program, and ends somewhere on the way through a system call.
fn trace(program: i32, at_end: End) -> Option<()> {
    let arch = ptpytrace_arch::for_machine(crate::tracer::HOST_MACHINE)?;
    let memory = ProcessMemory::open(program).ok()?;
    sys::seize(program, libc::PTRACE_O_TRACESYSGOOD).ok()?;
    sys::interrupt(program).ok()?;
    sys::wait_one(program).ok()?;
    let thread = std::mem::ManuallyDrop::new(StoppedThread::new(program));
    let at = find_system_call(program, &memory, arch.system_call())?;
    let remote = Remote::begin(&thread, arch, at).ok()?;
    if at_end == End::Entered {
        let mut registers = Registers::default();
        let length = thread.registers(&mut registers).ok()?;
        let number = libc::SYS_getppid as u64;
        arch.prepare_system_call(&mut registers, at, number, &[]);
        thread.set_registers(&registers, length).ok()?;
        sys::to_system_call(program, 0).ok()?;
        sys::wait_one(program).ok()?;
    }
    if matches!(at_end, End::Called | End::Finished) {
        let parent = remote.call(libc::SYS_getppid, &[]).ok()?;
        // SAFETY: plain system call.
        (parent == i64::from(unsafe { libc::getppid() })).then_some(())?;
    }
    if at_end == End::Finished {
        remote.finish().ok()?;
    }
    Some(())
}

fn blocked(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = text.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    u64::from_str_radix(line.expect("a mask").trim(), 16).expect("a mask")
}

fn goes_on(program: fn(&Shared) -> i32) {
    for round in 0..20 {
        for at_end in ENDS {
            let shared = Shared::new();
            let pid = fork(|| {
                // SAFETY: plain system call.
                unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };
                program(&shared)
            });
            until("it counts", || shared.count() > 0);
            let mask = blocked(pid);
            let tracer = fork(|| i32::from(trace(pid, at_end).is_none()));
            assert_eq!(end(tracer), 0, "{at_end:?}, round {round}");
            let count = shared.count();
            until("it goes on", || shared.count() > count + 2);
            assert_eq!(blocked(pid), mask, "{at_end:?}, round {round}");
            shared.0[1].store(1, Ordering::SeqCst);
            assert_eq!(end(pid), 0, "{at_end:?}, round {round}");
        }
    }
}

#[test]
fn registers_and_mask_are_those_of_before() {
    goes_on(counting);
}

#[test]
fn interrupted_system_calls_are_begun_anew() {
    goes_on(calling);
}

#[test]
fn the_stub_has_its_room() {
    const CALL: [u8; 2] = [0x0f, 0x05];
    let mut code = vec![0xc3; 100];
    assert_eq!(room_for_stub(&code, &CALL), None);
    code.resize(200, 0);
    assert_eq!(room_for_stub(&code, &CALL), Some(184));
    code[184..184 + STUB.len()].copy_from_slice(&STUB);
    assert_eq!(room_for_stub(&code, &CALL), Some(184));
    assert_eq!(room_for_stub(&code, &[1, 0, 0, 0xd4]), None);
    code[199] = 1;
    assert_eq!(room_for_stub(&code, &CALL), None);
    assert_eq!(room_for_stub(&[], &CALL), None);
}

/// asm/sigcontext.h, asm/ucontext.h.
#[test]
fn tiles_that_are_not_used_are_left_out() {
    let mut image = vec![0; 11008];
    image[464..472].copy_from_slice(&0x6_02e7u64.to_ne_bytes());
    let state = extended_state(image.clone()).expect("a state");
    assert_eq!(state.len(), 2752 + 4);
    assert_eq!(state[472..480], 0x2e7u64.to_ne_bytes());
    assert_eq!(state[480..484], 2752u32.to_ne_bytes());
    image[512..520].copy_from_slice(&0x4_0003u64.to_ne_bytes());
    let state = extended_state(image).expect("a state");
    assert_eq!(state.len(), 11008 + 4);
}

/// A page of code that program, tracer and test share, with a breakpoint and `ret`.
fn breakpoint() -> *mut u8 {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: the kernel chooses where; nothing else knows of the page.
    unsafe {
        let at = libc::mmap(std::ptr::null_mut(), LENGTH, protection, flags, -1, 0);
        assert_ne!(at, libc::MAP_FAILED);
        std::ptr::copy_nonoverlapping([0xcc_u8, 0xc3].as_ptr(), at.cast(), 2);
        at.cast()
    }
}

/// Runs into the breakpoint whenever it is told to (the third word), under a shield whose guard has done its work.
fn breaking(shared: &Shared, code: *mut u8) -> i32 {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the kernel chooses where; the page is as long as the shield's, which is not executed yet.
    unsafe {
        let at = libc::mmap(std::ptr::null_mut(), LENGTH, protection, flags, -1, 0);
        let Ok(mut shield) = Shield::assemble(at as u64) else {
            return 1;
        };
        shield.page[OVER as usize] = 1;
        std::ptr::copy_nonoverlapping(shield.page.as_ptr(), at.cast(), LENGTH);
        let action = at as u64 + ACTION;
        libc::syscall(libc::SYS_rt_sigaction, libc::SIGTRAP, action, 0, SET_SIZE);
    }
    // SAFETY: the function keeps to the ABI.
    let function: extern "C" fn() = unsafe { std::mem::transmute(code) };
    while shared.0[1].load(Ordering::SeqCst) == 0 {
        if shared.0[2].swap(0, Ordering::SeqCst) == 1 {
            function();
        }
        shared.0[0].fetch_add(1, Ordering::SeqCst);
    }
    0
}

/// Ends when the program stands behind the breakpoint and has been sent elsewhere, but has not run yet; the original
/// instruction is back.
fn send_from_breakpoint(program: i32, shared: &Shared, code: *mut u8) -> Option<()> {
    let arch = ptpytrace_arch::for_machine(crate::tracer::HOST_MACHINE)?;
    let memory = ProcessMemory::open(program).ok()?;
    let at = find_system_call(program, &memory, arch.system_call())?;
    sys::seize(program, libc::PTRACE_O_TRACESYSGOOD).ok()?;
    shared.0[2].store(1, Ordering::SeqCst);
    // Only looked at: the signal still waits for the thread.
    let (_, status) = sys::wait_any(true).ok()??;
    (Stop::from_status(status) == Stop::Signal(libc::SIGTRAP)).then_some(())?;
    let thread = std::mem::ManuallyDrop::new(StoppedThread::new(program));
    Remote::begin(&thread, arch, at).ok()?;
    // SAFETY: the page is mapped, and the program stands elsewhere.
    unsafe { code.write_volatile(0x90) };
    Some(())
}

#[test]
fn from_behind_a_breakpoint() {
    for round in 0..20 {
        let (shared, code) = (Shared::new(), breakpoint());
        let pid = fork(|| {
            // SAFETY: plain system call.
            unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };
            breaking(&shared, code)
        });
        until("it counts", || shared.count() > 0);
        let tracer = fork(|| i32::from(send_from_breakpoint(pid, &shared, code).is_none()));
        assert_eq!(end(tracer), 0, "round {round}");
        let count = shared.count();
        until("it goes on", || shared.count() > count + 2);
        shared.0[1].store(1, Ordering::SeqCst);
        assert_eq!(end(pid), 0, "round {round}");
    }
}
