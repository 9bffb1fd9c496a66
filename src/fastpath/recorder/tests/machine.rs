//! Runs generated code in this process: the only `unsafe` of the recorder's tests.

use std::cell::Cell;
use std::ptr::NonNull;

use iced_x86::code_asm::{AsmRegister64, CodeAssembler, qword_ptr, registers::*};
use iced_x86::{Code as Opcode, Instruction, MemoryOperand, Register};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use ptpytrace_arch::Registers;

use crate::fastpath::recorder::Code;

/// A program's registers before and after, and what the way in and out needs. The order is that of
/// [`Registers::general`] up to rdi; `rsp` beside.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct State {
    general: [u64; 15],
    rsp: u64,
    flags: u64,
    vector: [u64; 16],
    host: u64,
}

const RSP: i32 = 120;
const FLAGS: i32 = 128;
const VECTOR: i32 = 136;
const HOST: i32 = 264;
const CODE: usize = 4096;
const BYTES: usize = 128 * 1024;

/// Executable memory with a state in its first page.
pub struct Machine {
    base: NonNull<libc::c_void>,
}

// SAFETY: the memory belongs to no thread; `run` takes it exclusively.
unsafe impl Send for Machine {}
// SAFETY: as above; calls of the code do not change it.
unsafe impl Sync for Machine {}

impl Machine {
    pub fn new() -> Machine {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
        let bytes = BYTES.try_into().unwrap();
        // SAFETY: a new mapping.
        let base = unsafe { mmap_anonymous(None, bytes, access, MapFlags::MAP_PRIVATE) };
        Machine {
            base: base.unwrap(),
        }
    }

    /// Where code is put.
    pub fn at(&self) -> u64 {
        (self.base.as_ptr().addr() + CODE) as u64
    }

    /// Where the way in and out is put.
    fn way(&self) -> u64 {
        (self.base.as_ptr().addr() + BYTES - 4096) as u64
    }

    /// Where recorded code is to go on: the way out.
    pub fn way_out(&self) -> u64 {
        self.way() + 1024
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        // SAFETY: callers write into the mapping.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len());
        }
    }

    pub fn load(&self, code: &Code) {
        assert!(code.bytes.len() < BYTES - CODE - 4096);
        self.write(self.at(), &code.bytes);
        self.write(self.way(), &self.way_in_code());
        self.write(self.way_out(), &self.way_out_code());
    }

    fn state(&self) -> u64 {
        self.base.as_ptr().addr() as u64
    }

    fn way_in_code(&self) -> Vec<u8> {
        let mut code = CodeAssembler::new(64).unwrap();
        for register in [rbx, rbp, r12, r13, r14, r15] {
            code.push(register).unwrap();
        }
        code.mov(rdi, self.state()).unwrap();
        code.mov(qword_ptr(rdi + HOST), rsp).unwrap();
        for (index, register) in VECTORS.into_iter().enumerate() {
            code.movq(register, qword_ptr(rdi + (VECTOR + 8 * index as i32)))
                .unwrap();
        }
        code.push(qword_ptr(rdi + FLAGS)).unwrap();
        code.popfq().unwrap();
        code.mov(rsp, qword_ptr(rdi + RSP)).unwrap();
        for (index, register) in GENERAL.into_iter().enumerate() {
            code.mov(register, qword_ptr(rdi + 8 * index as i32))
                .unwrap();
        }
        code.jmp(self.at()).unwrap();
        code.assemble(self.way()).unwrap()
    }

    fn way_out_code(&self) -> Vec<u8> {
        let mut code = CodeAssembler::new(64).unwrap();
        let rax_place = MemoryOperand::with_displ(self.state() + 80, 8);
        let store = Instruction::with2(Opcode::Mov_moffs64_RAX, rax_place, Register::RAX);
        code.add_instruction(store.unwrap()).unwrap();
        code.mov(rax, self.state()).unwrap();
        for (index, register) in GENERAL.into_iter().enumerate() {
            if register != rax {
                code.mov(qword_ptr(rax + 8 * index as i32), register)
                    .unwrap();
            }
        }
        code.mov(qword_ptr(rax + RSP), rsp).unwrap();
        code.mov(rsp, qword_ptr(rax + HOST)).unwrap();
        code.pushfq().unwrap();
        code.pop(qword_ptr(rax + FLAGS)).unwrap();
        for register in [r15, r14, r13, r12, rbp, rbx] {
            code.pop(register).unwrap();
        }
        code.cld().unwrap();
        code.ret().unwrap();
        code.assemble(self.way_out()).unwrap()
    }

    /// Runs the code with these registers (general, flags at 18, rsp at 19, vector); its tail must go to
    /// [`Machine::way_out`].
    pub fn run(&mut self, code: &Code, registers: &mut Registers) {
        let mut state = State {
            rsp: registers.general[19],
            flags: registers.general[18],
            ..State::default()
        };
        state.general.copy_from_slice(&registers.general[..15]);
        if let Some(vector) = &registers.vector {
            for (low, whole) in state.vector.iter_mut().zip(vector.iter()) {
                *low = u64::from_le_bytes(*whole.first_chunk().unwrap());
            }
        }
        let _rescue = rescued(code);
        // SAFETY: the state's page is ours, the way in and out keep to the calling convention, and rsp points into a
        // stack of the caller's.
        unsafe {
            let place = self.base.as_ptr().cast::<State>();
            place.write(state);
            let run: extern "C" fn() = std::mem::transmute(self.way());
            run();
            state = place.read();
        }
        registers.general[..15].copy_from_slice(&state.general);
        registers.general[19] = state.rsp;
        registers.general[18] = state.flags;
    }

    /// Calls the code as a function of three arguments; its tail must be a `ret`.
    pub fn call(&self, first: u64, second: u64, third: u64) {
        // SAFETY: the code keeps all registers.
        unsafe {
            let run: extern "C" fn(u64, u64, u64) = std::mem::transmute(self.at());
            run(first, second, third);
        }
    }

    /// As [`Machine::call`], one instruction at a time: before the one of this number something is done, as by a signal
    /// handler. False when there are not so many.
    pub fn call_interrupted(&self, number: u32, hook: fn(), arguments: [u64; 3]) -> bool {
        handle_with(libc::SIGTRAP, on_step, libc::SA_NODEFER);
        INTERRUPTION.set(Some(Interruption {
            begin: self.at(),
            end: self.way(),
            left: number,
            hook,
        }));
        let [first, second, third] = arguments;
        // SAFETY: the handler has the CPU trap after each instruction from here on, and no more when there is nothing
        // to be done any more.
        unsafe { libc::raise(libc::SIGTRAP) };
        self.call(first, second, third);
        INTERRUPTION.take().is_none()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: nobody runs the code any more.
        unsafe { munmap(self.base, BYTES).unwrap() };
    }
}

const GENERAL: [AsmRegister64; 15] = [
    r15,
    r14,
    r13,
    r12,
    rbp,
    rbx,
    r11,
    r10,
    r9,
    gpr64::r8,
    rax,
    rcx,
    rdx,
    rsi,
    rdi,
];

const VECTORS: [iced_x86::code_asm::AsmRegisterXmm; 16] = [
    xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14,
    xmm15,
];

/// Two pages of which the second cannot be read.
pub struct PageEnd {
    base: NonNull<libc::c_void>,
}

impl PageEnd {
    pub fn new() -> PageEnd {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping.
        unsafe {
            let bytes = (2 * 4096).try_into().unwrap();
            let base = mmap_anonymous(None, bytes, access, MapFlags::MAP_PRIVATE).unwrap();
            mprotect(base.byte_add(4096), 4096, ProtFlags::PROT_NONE).unwrap();
            PageEnd { base }
        }
    }

    /// Puts bytes so that they end `before` bytes before the end; gives their address.
    pub fn put(&mut self, bytes: &[u8], before: usize) -> u64 {
        let at = 4096usize.checked_sub(bytes.len() + before).unwrap();
        // SAFETY: within the first page.
        unsafe {
            let to = self.base.as_ptr().cast::<u8>().add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            to.addr() as u64
        }
    }
}

impl Drop for PageEnd {
    fn drop(&mut self) {
        // SAFETY: nobody reads it any more.
        unsafe { munmap(self.base, 2 * 4096).unwrap() };
    }
}

thread_local! {
    static CODE_OF_THREAD: Cell<*const Code> = const { Cell::new(std::ptr::null()) };
    static AT_NEXT_FAULT: Cell<Option<fn()>> = const { Cell::new(None) };
    static INTERRUPTION: Cell<Option<Interruption>> = const { Cell::new(None) };
}

/// What is to be done in the middle of some code.
#[derive(Clone, Copy)]
struct Interruption {
    begin: u64,
    end: u64,
    /// How many of its instructions are still to be executed before that.
    left: u32,
    hook: fn(),
}

/// Has something done at the next fault of this thread, before the fault is dealt with.
pub fn at_next_fault(hook: fn()) {
    AT_NEXT_FAULT.set(Some(hook));
}

/// As long as it lives, faults of this thread in the code are dealt with as a tracer does.
pub struct Rescue;

pub fn rescued(code: &Code) -> Rescue {
    CODE_OF_THREAD.set(code);
    handle_with(libc::SIGSEGV, on_fault, libc::SA_ONSTACK);
    Rescue
}

type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

fn handle_with(signal: i32, handler: Handler, flags: i32) {
    // SAFETY: the handlers only change their arguments and thread-local cells without a destructor.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | flags;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

extern "C" fn on_step(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    const TRAP_FLAG: i64 = 1 << 8;
    // SAFETY: the kernel gives a valid context.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let pc = context.uc_mcontext.gregs[libc::REG_RIP as usize] as u64;
    let flags = &mut context.uc_mcontext.gregs[libc::REG_EFL as usize];
    *flags &= !TRAP_FLAG;
    let Some(mut wanted) = INTERRUPTION.get() else {
        return;
    };
    let inside = (wanted.begin..wanted.end).contains(&pc);
    if inside && wanted.left == 0 {
        INTERRUPTION.set(None);
        return (wanted.hook)();
    }
    wanted.left = wanted.left.saturating_sub(inside.into());
    INTERRUPTION.set(Some(wanted));
    *flags |= TRAP_FLAG;
}

impl Drop for Rescue {
    fn drop(&mut self) {
        CODE_OF_THREAD.set(std::ptr::null());
    }
}

extern "C" fn on_fault(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    if let Some(hook) = AT_NEXT_FAULT.take() {
        hook();
    }
    // SAFETY: the kernel gives a valid context; the code outlives its Rescue.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        let pc = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
        let code = CODE_OF_THREAD.get().as_ref();
        match code.and_then(|it| it.fixup(*pc as u64)) {
            Some(target) => *pc = target as i64,
            None => {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

/// Makes `handler` the handler of a signal.
pub fn handle(signal: i32, handler: extern "C" fn(i32)) {
    // SAFETY: the tests' handlers do nothing that a handler must not.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_NODEFER;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

/// Sends a signal to a thread of this process.
pub fn send(tid: i32, signal: i32) {
    // SAFETY: tgkill(2) does no harm to memory.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, signal) };
}

/// What a pointer points to that is either null or valid.
pub fn borrowed<'a>(machine: *const Machine) -> Option<&'a Machine> {
    // SAFETY: the one test that makes such pointers keeps the machine as long as they are in use.
    unsafe { machine.as_ref() }
}

/// The calling thread's thread pointer.
pub fn thread_pointer() -> u64 {
    // SAFETY: pthread_self(3) is the thread pointer with the C libraries for x86-64.
    unsafe { libc::pthread_self() }
}

/// Words that are zeros in a forked child. They must not be dropped.
pub fn wiped_on_fork(bytes: usize) -> Box<[std::sync::atomic::AtomicU64]> {
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping of just these words.
    unsafe {
        let base = mmap_anonymous(
            None,
            bytes.try_into().unwrap(),
            access,
            MapFlags::MAP_PRIVATE,
        );
        let base = base.unwrap();
        assert_eq!(
            libc::madvise(base.as_ptr(), bytes, libc::MADV_WIPEONFORK),
            0
        );
        let words = std::ptr::slice_from_raw_parts_mut(base.as_ptr().cast(), bytes / 8);
        Box::from_raw(words)
    }
}

/// Runs something that allocates nothing and takes no locks in a forked child; gives its wait status.
pub fn in_child(run: impl Fn()) -> i32 {
    // SAFETY: the child only runs what a forked child may.
    unsafe {
        match libc::fork() {
            0 => {
                run();
                libc::_exit(0)
            }
            child => {
                let mut status = -1;
                assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
                status
            }
        }
    }
}
