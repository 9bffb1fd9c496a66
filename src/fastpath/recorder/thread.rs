//! Finds the ring of the running thread, by its thread pointer; a thread that has none takes a free one.
//!
//! The gate has a table of rings by a hash of the thread pointer. Its entries are hints: what counts is the key in the
//! ring itself, so that the tracer can take a ring back by clearing that one word.

use iced_x86::code_asm::{dword_ptr, qword_ptr, registers::*};

use super::generator::{Generator, Step};
use super::room::NOWHERE;
use crate::fastpath::ring::{FIRST_RING, gate, header, ring_header};

/// Spreads thread pointers over the gate's table. Stacks of threads lie at regular distances.
pub(super) const THREAD_HASH: i32 = 0x61c8_8647;
/// Which bits of the product count: eight from here on.
const THREAD_HASH_SHIFT: u32 = 40;

/// System calls (syscall(2)).
const GETTID: u32 = 186;
pub(super) const FUTEX: u32 = 202;

/// In the futex of the owner (set_robust_list(2)): it has died, and who it is.
const OWNER_DIED: u32 = 0x4000_0000;
const OWNER_TID: u32 = 0x3fff_ffff;

/// A 32-bit immediate from an offset; offsets in the file's headers are small.
pub(super) fn offset(value: u64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

impl Generator<'_> {
    /// Puts the thread's ring into rdi.
    pub(super) fn find_ring(&mut self) -> Step {
        let (leave, claim) = (self.labels.leave, self.labels.claim);
        let begin = self.here()?;
        // At offset 0 a thread's own area holds its own address (x86-64 psABI, thread-local storage).
        self.code.mov(rcx, qword_ptr(0).fs())?;
        self.guard(begin, leave)?;
        self.ring_entry()?;
        let code = &mut self.code;
        code.mov(rdi, qword_ptr(gpr64::r8 + rax * 8 + offset(gate::RINGS)))?;
        code.test(rdi, rdi)?;
        code.je(claim)?;
        code.cmp(qword_ptr(rdi + offset(ring_header::KEY)), rcx)?;
        Ok(code.jne(claim)?)
    }

    /// The gate into r8, and into rax the number of the entry for the thread pointer in rcx.
    fn ring_entry(&mut self) -> Step {
        let code = &mut self.code;
        code.mov(gpr64::r8, self.gate)?;
        code.imul_3(rax, rcx, THREAD_HASH)?;
        code.shr(rax, THREAD_HASH_SHIFT)?;
        Ok(code.movzx(eax, al)?)
    }

    /// The thread pointer is in rcx and the gate in r8: finds the ring that has it as its key, else makes it the key
    /// of a free one, and enters the ring into the gate.
    pub(super) fn claim(&mut self) -> Step {
        let labels = [0; 8].map(|_| self.code.create_label());
        let [
            found,
            taken,
            owned,
            missed,
            next_own,
            none_own,
            next_free,
            free,
        ] = labels;
        let (claim, leave, retry) = (self.labels.claim, self.labels.leave, self.labels.retry);
        let stride = offset(self.layout.stride());
        self.place(claim)?;
        self.test_owner(leave)?;
        self.first_ring()?;
        self.place(next_own)?;
        self.code
            .mov(rax, qword_ptr(rdi + offset(ring_header::KEY)))?;
        self.code.cmp(rax, rcx)?;
        self.code.je(found)?;
        // Free rings are taken from the first on: behind one that nobody has had there is none that somebody has.
        self.code
            .or(rax, qword_ptr(rdi + offset(ring_header::LIMIT)))?;
        self.code.je(none_own)?;
        self.code.add(rdi, stride)?;
        self.code.dec(edx)?;
        self.code.jne(next_own)?;
        self.place(none_own)?;
        self.first_ring()?;
        self.place(next_free)?;
        self.code.xor(eax, eax)?;
        self.code
            .cmp(qword_ptr(rdi + offset(ring_header::KEY)), rax)?;
        self.code.jne(free)?;
        self.code
            .lock()
            .cmpxchg(qword_ptr(rdi + offset(ring_header::KEY)), rcx)?;
        self.code.je(taken)?;
        self.place(free)?;
        self.code.add(rdi, stride)?;
        self.code.dec(edx)?;
        self.code.jne(next_free)?;
        self.place(missed)?;
        self.code
            .lock()
            .inc(qword_ptr(r9 + offset(header::MISSED)))?;
        self.code.jmp(leave)?;
        self.place(taken)?;
        self.prepare()?; // before it may be given up
        self.prefer_entered()?;
        self.place(found)?;
        self.code
            .cmp(dword_ptr(rdi + offset(ring_header::TID)), 0)?;
        self.code.jne(owned)?;
        self.name_owner()?;
        self.place(owned)?;
        self.ring_entry()?;
        self.code
            .mov(qword_ptr(gpr64::r8 + rax * 8 + offset(gate::RINGS)), rdi)?;
        Ok(self.code.jmp(retry)?)
    }

    /// The ring in rdi has just been taken. If a signal handler of this thread has taken one meanwhile, that one is it.
    fn prefer_entered(&mut self) -> Step {
        let alone = self.code.create_label();
        self.ring_entry()?;
        let code = &mut self.code;
        code.mov(rsi, qword_ptr(gpr64::r8 + rax * 8 + offset(gate::RINGS)))?;
        code.test(rsi, rsi)?;
        code.je(alone)?;
        code.cmp(rsi, rdi)?;
        code.je(alone)?;
        code.cmp(qword_ptr(rsi + offset(ring_header::KEY)), rcx)?;
        code.jne(alone)?;
        code.mov(qword_ptr(rdi + offset(ring_header::KEY)), 0)?;
        code.mov(rdi, rsi)?;
        self.place(alone)
    }

    /// The first ring into rdi, how many there are into edx; the file's header is in r9.
    fn first_ring(&mut self) -> Step {
        self.code.lea(rdi, r9 + offset(FIRST_RING))?;
        Ok(self.code.mov(edx, self.layout.rings())?)
    }

    /// Prepares the ring in rdi if nobody has had it before. The tracer does not: most rings are never used, and whoever
    /// touches one takes a page.
    fn prepare(&mut self) -> Step {
        let size = offset(self.layout.size());
        let prepared = self.code.create_label();
        let code = &mut self.code;
        code.cmp(qword_ptr(rdi + offset(ring_header::LIMIT)), 0)?;
        code.jne(prepared)?;
        code.mov(qword_ptr(rdi + offset(ring_header::INTENT)), NOWHERE)?;
        code.mov(esi, size)?;
        // A signal handler of this thread may have done so meanwhile, and recorded.
        code.xor(eax, eax)?;
        code.lock()
            .cmpxchg(qword_ptr(rdi + offset(ring_header::LIMIT)), rsi)?;
        self.place(prepared)
    }

    /// Writes the thread's id into the ring in rdi. The thread may have left it in the middle of filling a slot, or by a
    /// jump out of a signal handler before it was prepared.
    fn name_owner(&mut self) -> Step {
        self.prepare()?;
        let code = &mut self.code;
        code.push(rcx)?;
        code.push(r11)?;
        code.mov(eax, GETTID)?;
        code.syscall()?;
        code.pop(r11)?;
        code.pop(rcx)?;
        code.mov(dword_ptr(rdi + offset(ring_header::BUSY)), 0)?;
        code.mov(dword_ptr(rdi + offset(ring_header::TID)), eax)?;
        Ok(code.lock().inc(qword_ptr(r9 + offset(header::CLAIMS)))?)
    }

    /// The gate is in r8: the file's header into r9. Goes to `leave` when the gate is closed, and closes it when the
    /// tracer is no more. Uses rax.
    pub(super) fn test_owner(&mut self, leave: iced_x86::code_asm::CodeLabel) -> Step {
        let (dead, alive) = (self.code.create_label(), self.code.create_label());
        let code = &mut self.code;
        code.mov(r9, qword_ptr(gpr64::r8 + offset(gate::HEADER)))?;
        code.test(r9, r9)?;
        code.je(leave)?;
        code.mov(eax, dword_ptr(r9 + offset(header::OWNER)))?;
        code.test(eax, OWNER_DIED)?;
        code.jne(dead)?;
        code.test(eax, OWNER_TID)?;
        code.jne(alive)?;
        self.place(dead)?;
        self.code
            .mov(qword_ptr(gpr64::r8 + offset(gate::HEADER)), 0)?;
        self.code.jmp(leave)?;
        self.place(alive)
    }
}
