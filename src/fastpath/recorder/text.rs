//! Records with strings that the ring has not carried yet, or not lately: measured and copied, and entered into the
//! table for the next time.
//!
//! A slot is filled before its record is published, and valid only after it, so that what a slot says has been
//! published. A signal handler that hits a marker meanwhile sees that the table is busy and leaves it alone.

use iced_x86::code_asm::{AsmRegister64, byte_ptr, dword_ptr, qword_ptr, registers::*};

use super::generator::{Generator, Step};
use super::thread::offset;
use crate::fastpath::ring::record::{CUT, Kind, SLOT_SHIFT};
use crate::fastpath::ring::{TABLE, ring_header, slot};

/// Registers that are used besides those of the ordinary way, with their words.
const MORE: [(AsmRegister64, usize); 6] =
    [(r10, 7), (r11, 6), (rbx, 5), (r12, 3), (r13, 2), (r14, 1)];

/// Of a word: 1 and 128 in each byte, to find a NUL.
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

impl Generator<'_> {
    /// Writes and publishes a record whose strings follow it. The ring is in rdi.
    pub(super) fn general(&mut self) -> Step {
        let saved = self.frame.clone();
        let anew = self.code.create_label();
        self.place(self.labels.general)?;
        let largest = self.shape.largest();
        let full = self.code.create_label();
        // Strings that nobody has looked at yet may not be there: without a tracer a fault would be the program's end.
        self.code.mov(gpr64::r8, self.gate)?;
        self.test_owner(self.labels.leave)?;
        self.reserve_more(largest, full)?;
        for (register, word) in MORE {
            self.push(register, Some(word))?;
        }
        for _ in 0..self.shape.texts.len() {
            self.code.push(0)?;
            self.frame.push(None);
        }
        self.time_and_numbers()?;
        self.lock_table()?;
        self.texts()?;
        self.code.mov(rax, r9)?;
        self.code.sub(rax, gpr64::r8)?;
        self.code.mov(dword_ptr(gpr64::r8), eax)?;
        self.behind()?;
        self.exchange(anew)?;
        self.validate()?;
        self.unlock_table()?;
        self.code
            .cmp(rcx, qword_ptr(rdi + offset(ring_header::MARK)))?;
        self.restore_more()?;
        self.code.ja(self.labels.bell)?;
        self.code.jmp(self.labels.leave)?;

        self.place(anew)?;
        self.unlock_table()?;
        self.restore_more()?;
        self.code.jmp(self.labels.retry)?;

        self.frame = saved;
        self.place(full)?;
        let needed = offset(largest.min(self.layout.size()));
        self.code.mov(edx, needed)?;
        Ok(self.code.jmp(self.labels.full)?)
    }

    /// Removes what [`Generator::general`] pushed, leaving the flags.
    fn restore_more(&mut self) -> Step {
        let texts = u64::try_from(self.shape.texts.len()).unwrap_or(0);
        self.code.lea(rsp, rsp + offset(texts.saturating_mul(8)))?;
        for (register, _) in MORE.into_iter().rev() {
            self.code.pop(register)?;
        }
        Ok(())
    }

    /// r10d: 1 when the table is ours to change now.
    fn lock_table(&mut self) -> Step {
        let code = &mut self.code;
        code.xor(r10d, r10d)?;
        code.bts(dword_ptr(rdi + offset(ring_header::BUSY)), 0u32)?;
        Ok(code.setae(r10b)?)
    }

    /// Gives the table back; uses rax.
    fn unlock_table(&mut self) -> Step {
        let kept = self.code.create_label();
        self.code.test(r10d, r10d)?;
        self.code.je(kept)?;
        self.code
            .mov(dword_ptr(rdi + offset(ring_header::BUSY)), 0)?;
        self.place(kept)
    }

    /// Copies the strings behind the record; leaves the slots to be validated on the stack and the end in r9.
    fn texts(&mut self) -> Step {
        let fixed = offset(self.shape.fixed());
        self.code.lea(r9, gpr64::r8 + fixed)?;
        let texts = self.shape.texts.clone();
        for (index, argument) in texts.into_iter().enumerate() {
            self.load_pointer(argument)?;
            self.code.mov(r14d, Self::bank(index))?;
            self.call(self.labels.take_text)?;
            let descriptor = self.descriptor(index);
            self.code.mov(dword_ptr(gpr64::r8 + descriptor), eax)?;
            self.code.mov(qword_ptr(rsp + Self::stashed(index)), r13)?;
        }
        Ok(())
    }

    /// Where on the stack the slot of a string is remembered.
    fn stashed(index: usize) -> i32 {
        i32::try_from(index).unwrap_or(0).saturating_mul(8)
    }

    /// The record is published: the slots that were filled for it may be used. Uses rax and rdx.
    fn validate(&mut self) -> Step {
        for index in 0..self.shape.texts.len() {
            let none = self.code.create_label();
            let code = &mut self.code;
            code.mov(rax, qword_ptr(rsp + Self::stashed(index)))?;
            code.test(rax, rax)?;
            code.je(none)?;
            code.mov(rdx, qword_ptr(rax + offset(slot::PENDING)))?;
            code.mov(qword_ptr(rax + offset(slot::KEY)), rdx)?;
            self.place(none)?;
        }
        Ok(())
    }

    /// Subroutine: copies the string at rcx to r9 with its address before it, and fills its slot in the bank r14 when
    /// r10d says so. Gives the descriptor in eax, the slot (or 0) in r13, and moves r9 behind it all.
    pub(super) fn take_text(&mut self) -> Step {
        self.place(self.labels.take_text)?;
        self.code.mov(r13, r9)?;
        self.code.mov(qword_ptr(r9), rcx)?;
        self.copy()?;
        self.code.lea(r9, r9 + rdx + (8 + 7))?;
        self.code.and(r9, -8)?;
        self.remember()
    }

    /// Copies up to the limit: the descriptor into eax, the length into edx. Uses rbx, r11, r12.
    fn copy(&mut self) -> Step {
        let labels = [0; 8].map(|_| self.code.create_label());
        let [unreadable, bytes, words, found, ended, cut, fault, done] = labels;
        let limit = i32::try_from(self.shape.limit).unwrap_or(i32::MAX);
        let inline = Kind::Inline.bits();
        self.code.xor(edx, edx)?;
        self.jump_if_unreadable(unreadable)?;
        self.code.mov(r11, ONES)?;
        self.code.mov(rbx, HIGHS)?;
        // Up to a word's boundary byte by byte; a word is always in one page.
        self.place(bytes)?;
        self.code.lea(rax, rcx + rdx)?;
        self.code.test(al, 7)?;
        self.code.je(words)?;
        let begin = self.here()?;
        self.code.movzx(eax, byte_ptr(rcx + rdx))?;
        self.guard(begin, fault)?;
        self.code.test(eax, eax)?;
        self.code.je(ended)?;
        self.code.mov(byte_ptr(r9 + rdx + 8), al)?;
        self.code.inc(edx)?;
        self.code.jmp(bytes)?;

        self.place(words)?;
        self.code.cmp(edx, limit)?;
        self.code.ja(cut)?;
        let begin = self.here()?;
        self.code.mov(rax, qword_ptr(rcx + rdx))?;
        self.guard(begin, fault)?;
        self.code.mov(qword_ptr(r9 + rdx + 8), rax)?;
        self.code.mov(r12, rax)?;
        self.code.sub(r12, r11)?;
        self.code.not(rax)?;
        self.code.and(r12, rax)?;
        self.code.and(r12, rbx)?;
        self.code.jne(found)?;
        self.code.add(edx, 8)?;
        self.code.jmp(words)?;

        self.place(found)?;
        self.code.bsf(r12, r12)?;
        self.code.shr(r12d, 3u32)?;
        self.code.add(edx, r12d)?;
        self.place(ended)?;
        self.code.cmp(edx, limit)?;
        self.code.ja(cut)?;
        self.code.mov(eax, edx)?;
        self.code.or(eax, inline)?;
        self.code.jmp(done)?;

        self.place(fault)?;
        self.code.test(edx, edx)?;
        self.code.je(unreadable)?;
        self.code.cmp(edx, limit)?;
        let short = self.code.create_label();
        self.code.jbe(short)?;
        self.place(cut)?;
        self.code.mov(edx, limit)?;
        self.place(short)?;
        self.code.mov(eax, edx)?;
        self.code.or(eax, inline | CUT)?;
        self.code.jmp(done)?;

        self.place(unreadable)?;
        self.code.xor(edx, edx)?;
        self.code.xor(eax, eax)?;
        self.place(done)
    }

    /// Fills a slot with the string that was copied to r13, if it is complete and short and the table is ours.
    fn remember(&mut self) -> Step {
        let not = self.code.create_label();
        // The kind, and the bit for a string that was cut.
        let complete = Kind::Inline.bits() / CUT;
        let code = &mut self.code;
        code.test(r10d, r10d)?;
        code.je(not)?;
        code.cmp(edx, offset(slot::LONGEST))?;
        code.ja(not)?;
        code.mov(r11d, eax)?;
        code.shr(r11d, CUT.trailing_zeros())?;
        code.cmp(r11d, complete)?;
        code.jne(not)?;
        self.name_slot()?;
        self.fill_slot()?;
        self.code.mov(r13, r12)?;
        self.code.ret()?;
        self.place(not)?;
        self.code.xor(r13d, r13d)?;
        Ok(self.code.ret()?)
    }

    /// The slot into r12, its descriptor into it, and the string's own descriptor into eax. Uses rbx and r11.
    fn name_slot(&mut self) -> Step {
        let to_number = SLOT_SHIFT.saturating_sub(slot::BYTES.trailing_zeros());
        self.hash_text()?;
        let code = &mut self.code;
        code.add(rax, r14)?;
        code.lea(r12, rdi + rax + offset(TABLE))?;
        code.shl(eax, to_number)?;
        code.or(eax, edx)?;
        code.mov(ebx, eax)?;
        code.or(ebx, Kind::Known.bits())?;
        code.or(eax, Kind::Remembered.bits())?;
        code.mov(qword_ptr(r12 + offset(slot::KEY)), 0)?;
        code.mov(qword_ptr(r12 + offset(slot::PINNED)), 0)?;
        code.mov(qword_ptr(r12 + offset(slot::PENDING)), rcx)?;
        Ok(code.mov(dword_ptr(r12 + offset(slot::DESCRIPTOR)), ebx)?)
    }

    /// Copies edx bytes from r13 into the slot at r12, at the place in the first word that the address rcx has, and
    /// makes the masks. Uses rbx, rcx, r11.
    fn fill_slot(&mut self) -> Step {
        let (next, ended) = (self.code.create_label(), self.code.create_label());
        let code = &mut self.code;
        code.push(rax)?;
        code.mov(r11d, ecx)?;
        code.and(r11d, 7)?;
        code.lea(rbx, r12 + r11 + offset(slot::TEXT))?;
        code.xor(ecx, ecx)?;
        self.place(next)?;
        self.code.cmp(ecx, edx)?;
        self.code.je(ended)?;
        self.code.mov(al, byte_ptr(r13 + rcx + 8))?;
        self.code.mov(byte_ptr(rbx + rcx), al)?;
        self.code.inc(ecx)?;
        self.code.jmp(next)?;
        self.place(ended)?;
        let code = &mut self.code;
        code.mov(byte_ptr(rbx + rcx), 0)?;
        code.lea(rcx, r11 * 8)?;
        code.mov(rax, -1i64)?;
        code.shl(rax, cl)?;
        // The NUL's place in its word says how much of the last word counts.
        code.add(r11d, edx)?;
        code.mov(ecx, r11d)?;
        code.not(ecx)?;
        code.and(ecx, 7)?;
        code.shl(ecx, 3u32)?;
        code.mov(rbx, -1i64)?;
        code.shr(rbx, cl)?;
        code.mov(qword_ptr(r12 + offset(slot::LAST_MASK)), rbx)?;
        code.shr(r11d, 3u32)?;
        code.mov(dword_ptr(r12 + offset(slot::LAST)), r11d)?;
        let several = self.code.create_label();
        self.code.jne(several)?;
        self.code.and(rax, rbx)?;
        self.place(several)?;
        self.code
            .mov(qword_ptr(r12 + offset(slot::FIRST_MASK)), rax)?;
        Ok(self.code.pop(rax)?)
    }
}
