//! A way back for a thread that does something on the tracer's behalf, should the tracer be killed before it has put
//! the thread where it was.
//!
//! It is that of a signal handler: on the thread's stack lies what rt_sigreturn(2) wants, all registers and the signal
//! mask, and what the thread runs into next calls that ([`STUB`]). While the tracer lives it never comes to that.
//!
//! A system call of the thread's own that was interrupted is begun anew then: the kernel's own way is barred.

use std::io::IoSlice;

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use ptpytrace_arch::{Arch, Registers, X86_64};

use super::stopped::StoppedThread;
use super::sys;

/// `syscall`; `mov eax, 15` (rt_sigreturn); `syscall`; `int3`.
pub const STUB: [u8; 10] = [0x0f, 0x05, 0xb8, 15, 0, 0, 0, 0x0f, 0x05, 0xcc];
/// So many bytes that are 0 at the end of a mapping are taken for unused.
const UNUSED: usize = 64;
/// Below the stack pointer so many bytes are the program's (System V ABI).
const RED_ZONE: u64 = 128;

/// Words of [`Registers::general`] in the order of `struct sigcontext` (asm/sigcontext.h).
const CONTEXT: [usize; 18] = [9, 8, 7, 6, 3, 2, 1, 0, 14, 13, 4, 5, 12, 10, 11, 19, 16, 18];
const RAX: usize = 10;
const ORIG_RAX: usize = 15;
const RIP: usize = 16;
const CS: usize = 17;
const RSP: usize = 19;
const SS: usize = 20;
/// The length of `struct ucontext` without what the kernel does not read: flags, link, stack, registers, mask.
const CONTEXT_LENGTH: u64 = 304;
/// `uc_flags`: there is extended state, and `ss` is right.
const FLAGS: u64 = 1 | 2 | 4;
/// `ss_flags` that sigaltstack(2) refuses: the signal stack stays what it is.
const KEEP_STACK: u64 = 0xff;

/// The result of a system call that is to be begun anew (linux/errno.h): ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND,
/// ERESTART_RESTARTBLOCK.
const RESTART: [u64; 4] = [512, 513, 514, 516];

/// Where in some code that ends in unused bytes there is room for [`STUB`], or where it is already; `None` on a CPU that
/// makes system calls by another instruction.
pub fn room_for_stub(code: &[u8], system_call: &[u8]) -> Option<usize> {
    if !STUB.starts_with(system_call) {
        return None;
    }
    let end = code.last_chunk::<UNUSED>()?;
    let (unused, last) = end.split_last_chunk::<16>()?;
    let is_stub = last.starts_with(&STUB) && last.iter().skip(STUB.len()).all(|byte| *byte == 0);
    let free = last.iter().all(|byte| *byte == 0);
    let room = (free || is_stub) && unused.iter().all(|byte| *byte == 0);
    room.then(|| code.len().saturating_sub(last.len()))
}

/// Prepares the way back for a thread with these registers and this mask that is going to run a [`STUB`] at `at`. Gives
/// the stack pointer that it must have there; `None` when there is no stub, or no room on the stack.
pub fn prepare(thread: &StoppedThread, registers: &Registers, mask: u64, at: u64) -> Option<u64> {
    let mut code = [0; STUB.len()];
    let from = RemoteIoVec {
        base: usize::try_from(at).ok()?,
        len: code.len(),
    };
    let pid = Pid::from_raw(thread.tid());
    let mut into = [std::io::IoSliceMut::new(&mut code)];
    let read = process_vm_readv(pid, &mut into, &[from]).ok()?;
    if read < STUB.len() || code != STUB {
        return None;
    }
    lay(thread, registers, mask)
}

/// The registers with which a thread goes back from a [`STUB`] at `at`, with this stack pointer.
pub fn departure(registers: &Registers, at: u64, stack: u64) -> Registers {
    const BEHIND_SYSCALL: u64 = 2;
    let mut leaving = registers.clone();
    let words = [
        (RIP, at.wrapping_add(BEHIND_SYSCALL)),
        (RSP, stack),
        (ORIG_RAX, u64::MAX),
    ];
    for (at, word) in words {
        if let Some(place) = leaving.general.get_mut(at) {
            *place = word;
        }
    }
    leaving
}

/// Lays what rt_sigreturn wants on a thread's stack; gives the stack pointer with which it is to be called, which is
/// a multiple of 16.
pub fn lay(thread: &StoppedThread, registers: &Registers, mask: u64) -> Option<u64> {
    if super::HOST_MACHINE != X86_64.elf_machine() {
        return None;
    }
    let extended = sys::get_extended(thread.tid()).ok()?;
    let (at, frame) = frame(registers, mask, extended)?;
    let to = RemoteIoVec {
        base: usize::try_from(at).ok()?,
        len: frame.len(),
    };
    let pid = Pid::from_raw(thread.tid());
    let written = process_vm_writev(pid, &[IoSlice::new(&frame)], &[to]).ok()?;
    (written == frame.len()).then_some(at)
}

/// The frame and its address.
fn frame(registers: &Registers, mask: u64, extended: Vec<u8>) -> Option<(u64, Vec<u8>)> {
    let general = &registers.general;
    let state = extended_state(extended)?;
    let length = u64::try_from(state.len()).ok()?;
    let top = general.get(RSP)?.checked_sub(RED_ZONE)?;
    let state_at = top.checked_sub(length)? & !63;
    let at = state_at.checked_sub(CONTEXT_LENGTH)? & !15;
    let mut words = vec![FLAGS, 0, 0, KEEP_STACK, 0];
    let resumed = resumed(registers);
    for word in CONTEXT {
        words.push(*resumed.general.get(word)?);
    }
    let segments = (general.get(CS)? & 0xffff) | (general.get(SS)? << 48);
    words.extend([segments, 0, 0, 0, 0, state_at]);
    words.extend([0; 8]);
    words.push(mask);
    let mut frame: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    frame.resize(usize::try_from(state_at.checked_sub(at)?).ok()?, 0);
    frame.extend(state);
    Some((at, frame))
}

/// The registers with which a thread goes on that was interrupted in a system call: before it.
fn resumed(registers: &Registers) -> Registers {
    let mut resumed = registers.clone();
    let general = &mut resumed.general;
    let word = |at: usize| registers.general.get(at).copied().unwrap_or(0);
    let number = word(ORIG_RAX);
    let restarts = RESTART.contains(&word(RAX).wrapping_neg());
    if number.cast_signed() >= 0 && restarts {
        general[RAX] = number;
        general[RIP] = word(RIP).wrapping_sub(2);
    }
    resumed
}

/// The extended state as rt_sigreturn wants it, made from the register set: with what the kernel recognises it by
/// (`struct _fpx_sw_bytes`, asm/sigcontext.h).
fn extended_state(mut image: Vec<u8>) -> Option<Vec<u8>> {
    const MAGIC: (u32, u32) = (0x4650_5853, 0x4650_5845);
    const SOFTWARE: usize = 464;
    const LEGACY: usize = 512;
    /// The components with the tiles, and where the first lies.
    const AMX: (u64, usize) = (3 << 17, 2752);
    if image.len() <= LEGACY {
        return Some(image); // without XSAVE there is nothing to recognise
    }
    let word = |image: &[u8], at: usize| Some(u64::from_ne_bytes(*image.get(at..)?.first_chunk()?));
    let mut features = word(&image, SOFTWARE)?;
    let used = word(&image, LEGACY)?;
    if features & AMX.0 != 0 && used & AMX.0 == 0 {
        // The register set has room for tiles, the frame of a program that does not use them has not.
        features &= !AMX.0;
        image.truncate(AMX.1);
    }
    let length = u32::try_from(image.len()).ok()?;
    let mut software = Vec::new();
    software.extend(MAGIC.0.to_ne_bytes());
    software.extend(length.checked_add(4)?.to_ne_bytes());
    software.extend(features.to_ne_bytes());
    software.extend(length.to_ne_bytes());
    software.resize(LEGACY - SOFTWARE, 0);
    image.get_mut(SOFTWARE..LEGACY)?.copy_from_slice(&software);
    image.extend(MAGIC.1.to_ne_bytes());
    Some(image)
}

#[cfg(test)]
mod tests;
