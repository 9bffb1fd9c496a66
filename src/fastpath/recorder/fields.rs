//! The record of an ordinary event: header, time, numbers, and strings that the ring has carried before.

use iced_x86::code_asm::{AsmRegister64, CodeLabel, dword_ptr, qword_ptr, registers::*, word_ptr};

use super::frame;
use super::generator::{Generator, Step};
use super::thread::offset;
use crate::fastpath::ring::record::{NUMBERS, TIME, UNREADABLE};
use crate::fastpath::ring::{BANK_BYTES, BANK_SLOTS, TABLE, slot};

/// Spreads the addresses of strings over the slots.
const TEXT_HASH: i32 = 0x61c8_8647;
/// Shifts the product so that the slot's number stands where the slot's offset has it.
const TEXT_HASH_SHIFT: u32 = 24;
/// The offsets of slots in a bank.
const SLOT_OFFSETS: u64 = (BANK_SLOTS - 1) * slot::BYTES;

impl Generator<'_> {
    /// Writes and publishes a record of the fixed length. The ring is in rdi.
    pub(super) fn record(&mut self) -> Step {
        self.place(self.labels.retry)?;
        self.reserve(self.shape.fixed(), self.labels.full_fixed)?;
        self.time_and_numbers()?;
        let texts = self.shape.texts.clone();
        for (index, argument) in texts.into_iter().enumerate() {
            self.known_text(index, argument)?;
        }
        self.publish_fixed()
    }

    /// All of the record at r8 but its strings. Uses rax, rcx, rdx.
    pub(super) fn time_and_numbers(&mut self) -> Step {
        let header = self.shape.fixed() | u64::from(self.site.number) << 32;
        let code = &mut self.code;
        code.rdtsc()?;
        code.shl(rdx, 32u32)?;
        code.or(rax, rdx)?;
        code.mov(qword_ptr(gpr64::r8 + offset(TIME)), rax)?;
        code.mov(rax, header)?;
        code.mov(qword_ptr(gpr64::r8), rax)?;
        let numbers = self.shape.numbers.clone();
        for (number, at) in numbers.iter().zip((0u16..).zip((NUMBERS..).step_by(8))) {
            let (bit, at) = at;
            self.load(number.argument, Some(bit))?;
            self.code.mov(qword_ptr(gpr64::r8 + offset(at)), rax)?;
        }
        Ok(())
    }

    /// Sets a number's bit in the record at r8.
    pub(super) fn mark_unreadable(&mut self, bit: u16) -> Step {
        let place = gpr64::r8 + offset(UNREADABLE);
        Ok(self.code.bts(word_ptr(place), u32::from(bit))?)
    }

    /// Where a string's descriptor is in the record.
    pub(super) fn descriptor(&self, index: usize) -> i32 {
        let index = u64::try_from(index).unwrap_or(0);
        offset(
            self.shape
                .descriptors()
                .saturating_add(index.saturating_mul(4)),
        )
    }

    /// The offset of the bank that the strings of this index are kept in.
    pub(super) fn bank(index: usize) -> i32 {
        if index.is_multiple_of(2) {
            0
        } else {
            offset(BANK_BYTES)
        }
    }

    /// The offset, in its bank, of the slot for the address in rcx, into rax.
    pub(super) fn hash_text(&mut self) -> Step {
        let code = &mut self.code;
        code.imul_3(rax, rcx, TEXT_HASH)?;
        code.shr(rax, TEXT_HASH_SHIFT)?;
        Ok(code.and(eax, offset(SLOT_OFFSETS))?)
    }

    /// Writes the descriptor of a string that is in its slot; else goes the general way. Uses rax, rcx, rdx, r9.
    fn known_text(&mut self, index: usize, argument: usize) -> Step {
        let general = self.labels.general;
        let known = self.code.create_label();
        self.load_pointer(argument)?;
        self.hash_text()?;
        let code = &mut self.code;
        code.test(rcx, rcx)?;
        code.je(general)?;
        code.lea(rdx, rdi + rax + (offset(TABLE) + Self::bank(index)))?;
        code.cmp(qword_ptr(rdx + offset(slot::KEY)), rcx)?;
        code.jne(general)?;
        self.jump_if_pinned(known)?;
        let code = &mut self.code;
        code.and(rcx, -8)?;
        code.mov(r9d, dword_ptr(rdx + offset(slot::LAST)))?;
        let begin = self.here()?;
        self.compare_masked(slot::FIRST_MASK, false)?;
        let same = self.code.create_label();
        self.code.test(r9d, r9d)?;
        self.code.je(same)?;
        self.compare_masked(slot::LAST_MASK, true)?;
        let next = self.here()?;
        self.code.dec(r9d)?;
        self.code.je(same)?;
        self.code.mov(rax, qword_ptr(rcx + r9 * 8))?;
        self.code
            .cmp(rax, qword_ptr(rdx + r9 * 8 + offset(slot::TEXT)))?;
        self.code.je(next)?;
        self.code.jmp(general)?;
        self.guard(begin, general)?;
        self.place(same)?;
        self.pin(known)?;
        self.place(known)?;
        let descriptor = self.descriptor(index);
        self.code
            .mov(eax, dword_ptr(rdx + offset(slot::DESCRIPTOR)))?;
        Ok(self.code.mov(dword_ptr(gpr64::r8 + descriptor), eax)?)
    }

    /// The register that says whether texts are the same as before.
    fn pinned(&self) -> Option<AsmRegister64> {
        let parts = frame::parts(self.site.callback?.pinned)?;
        Some(parts.whole)
    }

    /// Goes to `known` where the slot at rdx, which has the string's address, has its content for sure.
    fn jump_if_pinned(&mut self, known: CodeLabel) -> Step {
        if let Some(pinned) = self.pinned() {
            let place = qword_ptr(rdx + offset(slot::PINNED));
            self.code.cmp(place, pinned)?;
            self.code.je(known)?;
        }
        Ok(())
    }

    /// The slot at rdx has the string's content: notes as long as what that is so, then goes to `known`.
    fn pin(&mut self, known: CodeLabel) -> Step {
        if let Some(pinned) = self.pinned() {
            let place = qword_ptr(rdx + offset(slot::PINNED));
            self.code.test(pinned, pinned)?;
            self.code.js(known)?;
            self.code.mov(place, pinned)?;
        }
        Ok(())
    }

    /// Compares the first word of the string, or the one of index r9, with that in the slot at rdx, as far as the mask
    /// says; goes the general way when they differ.
    fn compare_masked(&mut self, mask: u64, last: bool) -> Step {
        let text = offset(slot::TEXT);
        let code = &mut self.code;
        if last {
            code.mov(rax, qword_ptr(rcx + r9 * 8))?;
            code.xor(rax, qword_ptr(rdx + r9 * 8 + text))?;
        } else {
            code.mov(rax, qword_ptr(rcx))?;
            code.xor(rax, qword_ptr(rdx + text))?;
        }
        code.test(qword_ptr(rdx + offset(mask)), rax)?;
        Ok(code.jne(self.labels.general)?)
    }

    /// Goes to `to` when rcx is an address at which a program never has anything: in the page of NULL, or not in the
    /// lower half of what the CPU can address. Uses rax.
    pub(super) fn jump_if_unreadable(&mut self, to: CodeLabel) -> Step {
        self.code.cmp(rcx, 4096)?;
        self.code.jb(to)?;
        self.code.mov(rax, rcx)?;
        self.code.shr(rax, 47u32)?;
        Ok(self.code.jne(to)?)
    }

    /// The address of a string into rcx; uses rax.
    pub(super) fn load_pointer(&mut self, argument: usize) -> Step {
        self.load(argument, None)?;
        Ok(self.code.mov(rcx, rax)?)
    }
}
