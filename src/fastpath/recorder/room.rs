//! Whether there is room, publishing, and what is to be done when there is none or the tracer wants to be woken.

use iced_x86::code_asm::{CodeLabel, dword_ptr, qword_ptr, registers::*};

use super::WhenFull;
use super::generator::{Generator, Step};
use super::thread::{FUTEX, offset};
use crate::fastpath::ring::{DATA, SKIP_HERE, gate, header, ring_header};

/// How often a thread looks for room before it asks the kernel to be woken.
const SPINS: u32 = 100;
/// How long it then sleeps at most before it looks whether the tracer is still there, ns.
const NAP: u32 = 50_000_000;
/// No position: there is no record there.
pub(super) const NOWHERE: i32 = -1;
/// Operations of futex(2), both across processes.
const FUTEX_WAIT: u32 = 0;
const FUTEX_WAKE: u32 = 1;

impl Generator<'_> {
    /// What of the ring must be free before a record of at most `bytes` is written. One that is larger than the whole
    /// ring needs it empty.
    fn needed(&self, bytes: u64) -> i32 {
        offset(bytes.min(self.layout.size()))
    }

    /// The head into rsi and the address of the record into r8, which from then on is written to; goes to `full` when
    /// there is no room for `bytes`.
    pub(super) fn reserve(&mut self, bytes: u64, full: CodeLabel) -> Step {
        let needed = self.needed(bytes);
        let (retry, nested) = (self.labels.retry, self.labels.nested);
        let code = &mut self.code;
        code.mov(rsi, qword_ptr(rdi + offset(ring_header::HEAD)))?;
        code.cmp(rsi, qword_ptr(rdi + offset(ring_header::INTENT)))?;
        code.je(nested)?;
        code.lea(rax, rsi + needed)?;
        code.cmp(rax, qword_ptr(rdi + offset(ring_header::LIMIT)))?;
        code.ja(full)?;
        code.mov(qword_ptr(rdi + offset(ring_header::INTENT)), rsi)?;
        // A signal handler that came before the intent was known may have written there.
        code.cmp(rsi, qword_ptr(rdi + offset(ring_header::HEAD)))?;
        code.jne(retry)?;
        self.record_address()
    }

    /// As [`Generator::reserve`] for a record that has been begun at rsi and needs more. Uses rax.
    pub(super) fn reserve_more(&mut self, bytes: u64, full: CodeLabel) -> Step {
        let needed = self.needed(bytes);
        let enough = self.code.create_label();
        let code = &mut self.code;
        code.lea(rax, rsi + needed)?;
        code.cmp(rax, qword_ptr(rdi + offset(ring_header::LIMIT)))?;
        code.jbe(enough)?;
        code.mov(qword_ptr(rdi + offset(ring_header::INTENT)), NOWHERE)?;
        code.jmp(full)?;
        self.place(enough)?;
        self.record_address()
    }

    /// The address of the record at the position rsi into r8.
    fn record_address(&mut self) -> Step {
        let mask = offset(self.layout.mask());
        let code = &mut self.code;
        code.mov(r8d, esi)?;
        code.and(r8d, mask)?;
        Ok(code.lea(gpr64::r8, rdi + gpr64::r8 + offset(DATA))?)
    }

    /// A record has been begun at the head, which is in rsi, and not been published: this is a signal handler, or came
    /// by a jump out of one. The interrupted record may still be written to, so the tracer is told to skip the memory
    /// that it may take.
    pub(super) fn nested(&mut self) -> Step {
        let (known, full, retry) = (
            self.code.create_label(),
            self.labels.full,
            self.labels.retry,
        );
        let size = offset(self.layout.size());
        self.place(self.labels.nested)?;
        let code = &mut self.code;
        // The intent may be that of a handler which came after the head was read, and has published its record.
        code.cmp(rsi, qword_ptr(rdi + offset(ring_header::HEAD)))?;
        code.jne(retry)?;
        code.mov(edx, size.min(offset(self.layout.overhang())))?;
        code.lea(rax, rsi + rdx)?;
        code.cmp(rax, qword_ptr(rdi + offset(ring_header::LIMIT)))?;
        code.ja(full)?;
        code.lea(r9, rsi + offset(SKIP_HERE))?;
        code.mov(rax, qword_ptr(rdi + offset(ring_header::SKIP)))?;
        code.cmp(rax, r9)?;
        code.je(known)?;
        // What is to be skipped must have been, before something else is. Then there is room from there on for a ring.
        code.lea(rcx, rax + size)?;
        code.cmp(rcx, qword_ptr(rdi + offset(ring_header::LIMIT)))?;
        code.mov(edx, size)?;
        code.ja(full)?;
        code.cmpxchg(qword_ptr(rdi + offset(ring_header::SKIP)), r9)?;
        code.jne(retry)?;
        self.place(known)?;
        self.code.mov(eax, offset(self.layout.overhang()))?;
        self.behind()?;
        self.exchange(retry)?;
        Ok(self.code.jmp(retry)?)
    }

    /// Publishes the record of the fixed length, unless another one has been published meanwhile.
    pub(super) fn publish_fixed(&mut self) -> Step {
        let fixed = offset(self.shape.fixed());
        let mask = offset(self.layout.mask());
        let (lap, publish) = (self.labels.lap, self.labels.publish);
        self.code.lea(rcx, rsi + fixed)?;
        self.code.mov(edx, ecx)?;
        self.code.and(edx, mask)?;
        self.code.cmp(edx, fixed)?;
        self.code.jb(lap)?;
        self.place(publish)?;
        self.exchange(self.labels.retry)?;
        self.code
            .cmp(rcx, qword_ptr(rdi + offset(ring_header::MARK)))?;
        Ok(self.code.ja(self.labels.bell)?)
    }

    /// The head from rsi to rcx; goes to `anew` when it has moved. A signal handler is all that can move it, so the
    /// instruction need not lock the bus.
    pub(super) fn exchange(&mut self, anew: CodeLabel) -> Step {
        let code = &mut self.code;
        code.mov(rax, rsi)?;
        code.cmpxchg(qword_ptr(rdi + offset(ring_header::HEAD)), rcx)?;
        Ok(code.jne(anew)?)
    }

    /// The next record begins the next lap.
    pub(super) fn end_of_lap(&mut self) -> Step {
        let mask = offset(self.layout.mask());
        self.place(self.labels.lap)?;
        self.code.and(rcx, !mask)?;
        Ok(self.code.jmp(self.labels.publish)?)
    }

    /// The position behind a record of eax bytes at rsi into rcx, as [`crate::fastpath::ring::Layout::behind`]; uses
    /// rdx.
    pub(super) fn behind(&mut self) -> Step {
        let mask = offset(self.layout.mask());
        let size = offset(self.layout.size());
        let within = self.code.create_label();
        let code = &mut self.code;
        code.lea(rcx, rsi + rax)?;
        code.mov(edx, esi)?;
        code.and(edx, mask)?;
        code.add(rax, rdx)?;
        code.cmp(rax, size)?;
        code.jb(within)?;
        code.mov(rcx, rsi)?;
        code.sub(rcx, rdx)?;
        code.add(rcx, size)?;
        self.place(within)
    }

    /// There is no room.
    pub(super) fn full(&mut self) -> Step {
        let fixed = self.needed(self.shape.fixed());
        self.place(self.labels.full_fixed)?;
        self.code.mov(edx, fixed)?;
        self.place(self.labels.full)?;
        if self.site.when_full == WhenFull::Drop {
            self.code
                .inc(qword_ptr(rdi + offset(ring_header::DROPPED)))?;
            // A ring may be too full for a record long before the tracer wants to be woken.
            return Ok(self.code.jmp(self.labels.bell)?);
        }
        self.code.mov(ecx, SPINS)?;
        let spin = self.here()?;
        self.code.pause()?;
        self.retry_if_room()?;
        self.code.dec(ecx)?;
        self.code.jne(spin)?;
        self.code.mov(gpr64::r8, self.gate)?;
        let closed = self.code.create_label();
        self.test_owner(closed)?;
        self.call(self.labels.ring_bell)?;
        self.code
            .mov(r8d, dword_ptr(rdi + offset(ring_header::TURN)))?;
        self.code.mov(eax, 1u32)?;
        // An exchange is a barrier: the tracer looks at this word after it has made room.
        self.code
            .xchg(dword_ptr(rdi + offset(ring_header::WAITING)), eax)?;
        self.retry_if_room()?;
        self.nap()?;
        self.code.jmp(self.labels.full)?;
        self.place(closed)?;
        // Without its ring the thread looks at the gate first the next time.
        self.code
            .mov(qword_ptr(rdi + offset(ring_header::KEY)), 0)?;
        Ok(self.code.jmp(self.labels.leave)?)
    }

    /// Goes back to the beginning when there is room for edx bytes; uses rax.
    fn retry_if_room(&mut self) -> Step {
        let code = &mut self.code;
        code.mov(rax, qword_ptr(rdi + offset(ring_header::HEAD)))?;
        code.add(rax, rdx)?;
        code.cmp(rax, qword_ptr(rdi + offset(ring_header::LIMIT)))?;
        Ok(code.jbe(self.labels.retry)?)
    }

    /// Sleeps until the tracer counts up from r8d.
    fn nap(&mut self) -> Step {
        let saved = [rdx, rsi, rdi, r10, r11];
        let code = &mut self.code;
        for register in saved {
            code.push(register)?;
        }
        code.mov(eax, NAP)?;
        code.push(rax)?; // struct timespec: nanoseconds, and below them seconds
        code.push(0)?;
        code.mov(r10, rsp)?;
        code.lea(rdi, rdi + offset(ring_header::TURN))?;
        code.mov(esi, FUTEX_WAIT)?;
        code.mov(edx, r8d)?;
        code.mov(eax, FUTEX)?;
        code.syscall()?;
        code.lea(rsp, rsp + 16)?;
        for register in saved.into_iter().rev() {
            code.pop(register)?;
        }
        Ok(())
    }

    /// The record is published, and the tracer wants to know.
    pub(super) fn bell(&mut self) -> Step {
        let (leave, ring_bell) = (self.labels.leave, self.labels.ring_bell);
        self.place(self.labels.bell)?;
        self.code.mov(gpr64::r8, self.gate)?;
        self.code
            .mov(r9, qword_ptr(gpr64::r8 + offset(gate::HEADER)))?;
        self.code.test(r9, r9)?;
        self.code.je(leave)?;
        self.call(ring_bell)?;
        self.code.jmp(leave)?;
        self.ring_bell()
    }

    /// Subroutine: wakes the tracer, whose header is in r9, unless it is awake. Uses rax.
    fn ring_bell(&mut self) -> Step {
        let silent = self.code.create_label();
        let saved = [rcx, rdx, rsi, rdi, r11];
        self.place(self.labels.ring_bell)?;
        let code = &mut self.code;
        let bell = offset(header::BELL);
        code.cmp(dword_ptr(r9 + bell), 0)?;
        code.jne(silent)?;
        code.mov(eax, 1u32)?;
        code.xchg(dword_ptr(r9 + bell), eax)?;
        code.test(eax, eax)?;
        code.jne(silent)?;
        for register in saved {
            code.push(register)?;
        }
        code.lea(rdi, r9 + bell)?;
        code.mov(esi, FUTEX_WAKE)?;
        code.mov(edx, 1u32)?;
        code.mov(eax, FUTEX)?;
        code.syscall()?;
        for register in saved.into_iter().rev() {
            code.pop(register)?;
        }
        self.place(silent)?;
        Ok(self.code.ret()?)
    }
}
