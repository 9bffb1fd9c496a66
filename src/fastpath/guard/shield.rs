//! A handler for SIGTRAP that waits until the guard has put the original instruction back, to be put into a traced
//! program: a page that is executable ([`Shield::assemble`]), and the arguments of rt_sigaction(2), which lie in it.
//!
//! While the program is traced a breakpoint's signal goes to the tracer, which keeps it. The handler is for the time
//! after the tracer's death. The kernel says in the signal's `si_code` where it is from:
//!
//! - A breakpoint (`SI_KERNEL`). The handler waits until the guard says ([`OVER`]) that it has put everything back; then
//!   it sets the program counter back, so that the original instruction is run. If the byte there still is an `int3`, that
//!   one is the program's own: it is run again at the default disposition. Where the guard does not come at all the
//!   thread goes on behind the breakpoint after [`PATIENCE`] milliseconds: that is right for a marker's nop of one byte.
//! - A breakpoint that the tracer has already carried the thread over, before it could set it running: then it has left
//!   a [`note`](Moved) in the signal, and the thread goes on where the tracer has put it.
//! - A single step by which the tracer led the thread (`TRAP_TRACE`). The thread goes on where it has come to.
//! - Anything else is somebody's signal, and ends the program as if there were no handler.
//!
//! Registers, flags and `errno` are those of before: the code is entered by the kernel, makes system calls by itself and
//! leaves by rt_sigreturn(2).
//!
//! The program can see it: sigaction(2) tells of it, and `SigCgt` in `/proc/PID/status`. So before the program's own
//! calls of sigaction for SIGTRAP the tracer has to take it away.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

/// How long the page is, in bytes.
pub const LENGTH: usize = 4096;
/// Where in the page the word lies that the guard sets to 1 when it has put everything back.
pub const OVER: u64 = 1024;
/// Where in the page the kernel's `struct sigaction` of the handler lies.
pub const ACTION: u64 = 1040;
/// Where in the page that of the default lies.
pub const DEFAULT: u64 = 1072;
/// How many bytes rt_sigaction takes for a set of signals.
pub const SET_SIZE: u64 = 8;
/// For how long the guard is waited for, in milliseconds.
pub const PATIENCE: u32 = 10_000;

/// `si_code` of a signal that the kernel raises for an `int3`.
const SI_KERNEL: i32 = 0x80;
/// The instruction.
const BREAKPOINT: i32 = 0xcc;
/// Where `siginfo_t` has its code, and the words of [`Moved`], which are 0 in the signal of a breakpoint.
const SI_CODE: i32 = 8;
const SI_PC: i32 = 16;
const SI_SP: i32 = 24;
/// Where `ucontext_t` has the interrupted stack pointer and program counter (sigaction(2), x86-64).
const UC_SP: i32 = 160;
const UC_PC: i32 = 168;
/// A wait that does not sleep (a seccomp filter that came later may refuse it) spins so often instead.
const SPINS: i32 = 20_000;

/// The page of a handler, for the address at which it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shield {
    /// Its run-time address.
    pub at: u64,
    /// Its content.
    pub page: Vec<u8>,
}

/// What the tracer writes into the signal of a breakpoint before it moves the thread: where it still was. A thread whose
/// program counter and stack pointer are different has been moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The program counter, behind the breakpoint; never 0.
    pub pc: u64,
    /// The stack pointer.
    pub sp: u64,
}

impl Shield {
    /// The page for this address.
    ///
    /// # Errors
    /// None that could occur: the instructions are always the same.
    pub fn assemble(at: u64) -> Result<Shield, IcedError> {
        Shield::with_patience(at, PATIENCE)
    }

    fn with_patience(at: u64, patience: u32) -> Result<Shield, IcedError> {
        let (mut page, restorer) = code(at, patience)?;
        page.resize(LENGTH, 0);
        let mut put = |offset: u64, words: [u64; 4]| {
            let bytes = words.iter().flat_map(|word| word.to_ne_bytes());
            let places = page.iter_mut().skip(usize::try_from(offset).unwrap_or(0));
            places.zip(bytes).for_each(|(place, byte)| *place = byte);
        };
        const SA_RESTORER: u64 = 0x0400_0000;
        // On the thread's signal stack if it has one, with nothing blocked meanwhile, and with interrupted system calls
        // begun anew.
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER | libc::SA_RESTART;
        let flags = SA_RESTORER | u64::from(flags.cast_unsigned());
        put(ACTION, [at, flags, restorer, 0]);
        put(DEFAULT, [0; 4]);
        Ok(Shield { at, page })
    }

    /// Whether bytes read at an address are those of a shield there, be its work done or not. What lies in the second half
    /// of the page does not matter.
    pub fn is_at(at: u64, bytes: &[u8]) -> bool {
        let Ok(mut shield) = Shield::assemble(at) else {
            return false;
        };
        let over = usize::try_from(OVER).unwrap_or(0);
        let (Some(bytes), true) = (bytes.get(..LENGTH / 2), bytes.len() == LENGTH) else {
            return false;
        };
        shield.page.truncate(LENGTH / 2);
        if let (Some(own), Some(other)) = (shield.page.get_mut(over), bytes.get(over)) {
            *own = *other & 1;
        }
        shield.page == bytes
    }
}

/// The code, and the address at which it calls rt_sigreturn.
fn code(at: u64, patience: u32) -> Result<(Vec<u8>, u64), IcedError> {
    let mut a = CodeAssembler::new(64)?;
    let (mut breakpoint, mut again) = (a.create_label(), a.create_label());
    let (mut awake, mut spin) = (a.create_label(), a.create_label());
    let (mut retry, mut leave) = (a.create_label(), a.create_label());
    let (mut over, mut alone) = (a.create_label(), a.create_label());
    let (mut theirs, mut to_default) = (a.create_label(), a.create_label());
    let (mut pause, mut restorer) = (a.create_label(), a.create_label());
    // rsi: siginfo_t, rdx: ucontext_t.
    a.mov(rbx, rdx)?;
    a.cmp(dword_ptr(rsi + SI_CODE), libc::TRAP_TRACE)?;
    a.je(leave)?;
    a.cmp(dword_ptr(rsi + SI_CODE), SI_KERNEL)?;
    a.jne(theirs)?;
    a.mov(r12, qword_ptr(rbx + UC_PC))?;
    a.mov(rax, qword_ptr(rsi + SI_PC))?;
    a.test(rax, rax)?;
    a.jz(breakpoint)?;
    a.cmp(rax, r12)?;
    a.jne(leave)?;
    a.mov(rax, qword_ptr(rsi + SI_SP))?;
    a.cmp(rax, qword_ptr(rbx + UC_SP))?;
    a.jne(leave)?;
    a.set_label(&mut breakpoint)?;
    a.dec(r12)?;
    a.mov(r13d, patience)?;
    a.set_label(&mut again)?;
    a.mov(rax, at.wrapping_add(OVER))?;
    a.cmp(dword_ptr(rax), 0)?;
    a.jne(over)?;
    a.dec(r13d)?;
    a.jz(alone)?;
    a.lea(rdi, ptr(pause))?;
    a.xor(esi, esi)?;
    system_call(&mut a, libc::SYS_nanosleep)?;
    a.test(eax, eax)?;
    a.jz(awake)?;
    a.mov(ecx, SPINS)?;
    a.set_label(&mut spin)?;
    a.pause()?;
    a.dec(ecx)?;
    a.jnz(spin)?;
    a.set_label(&mut awake)?;
    a.jmp(again)?;
    a.set_label(&mut alone)?;
    a.cmp(byte_ptr(r12), BREAKPOINT)?;
    a.jne(retry)?;
    a.ret()?;
    a.set_label(&mut over)?;
    a.cmp(byte_ptr(r12), BREAKPOINT)?;
    a.jne(retry)?;
    a.call(to_default)?;
    a.set_label(&mut retry)?;
    a.mov(qword_ptr(rbx + UC_PC), r12)?;
    a.set_label(&mut leave)?;
    a.ret()?;
    a.set_label(&mut theirs)?;
    a.call(to_default)?;
    system_call(&mut a, libc::SYS_getpid)?;
    a.mov(r13d, eax)?;
    system_call(&mut a, libc::SYS_gettid)?;
    a.mov(edi, r13d)?;
    a.mov(esi, eax)?;
    a.mov(edx, libc::SIGTRAP)?;
    system_call(&mut a, libc::SYS_tgkill)?;
    a.ret()?;
    a.set_label(&mut to_default)?;
    a.mov(edi, libc::SIGTRAP)?;
    a.mov(rsi, at.wrapping_add(DEFAULT))?;
    a.xor(edx, edx)?;
    a.mov(r10d, i32::try_from(SET_SIZE).unwrap_or(0))?;
    system_call(&mut a, libc::SYS_rt_sigaction)?;
    a.ret()?;
    a.set_label(&mut restorer)?;
    system_call(&mut a, libc::SYS_rt_sigreturn)?;
    a.ud2()?;
    a.set_label(&mut pause)?;
    a.dq(&[0, 1_000_000])?; // a millisecond, as `struct timespec`
    let options = iced_x86::BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
    let result = a.assemble_options(at, options)?;
    let restorer = result.label_ip(&restorer)?;
    Ok((result.inner.code_buffer, restorer))
}

fn system_call(a: &mut CodeAssembler, number: i64) -> Result<(), IcedError> {
    a.mov(eax, i32::try_from(number).unwrap_or(-1))?;
    a.syscall()
}

#[cfg(test)]
mod tests;
