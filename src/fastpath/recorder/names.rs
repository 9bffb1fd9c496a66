//! Decides at the site whether a function is wanted by its names ([`crate::plan::Names`]): globs that consist of
//! characters and `*` are compared where the texts lie. With those, comparing bytes and comparing characters is the same.

use iced_x86::code_asm::{
    AsmRegister64, CodeLabel, byte_ptr, dword_ptr, qword_ptr, registers::*, word_ptr,
};

use super::generator::{Generator, Step};
use crate::plan::Names;
use crate::probe::glob::Glob;

/// The most bytes of code that the globs of a test may take, roughly.
const MOST_CODE: usize = 8 * 1024;
/// What a part of a glob takes besides its characters, for each text that it is compared with, roughly.
const EACH_PART: usize = 48;
/// A glob is compared with so many texts.
const TEXTS: usize = 3;

/// A text: its first byte and the one behind its last.
type Text = (AsmRegister64, AsmRegister64);

/// The function's name, the file's, and that without the folders.
const FUNCTION: Text = (rsi, rdi);
const FILE: Text = (rdx, gpr64::r8);
const BASE: Text = (r9, gpr64::r8);

/// What of this can be decided here, `None` when nothing can; and whether that is all of it. What is left out is left to
/// whoever reads the records.
pub(super) fn decidable(names: &Names) -> (Option<Names>, bool) {
    let mut left = MOST_CODE;
    let mut fits = |glob: &Glob| {
        let size = |parts: Vec<Vec<u8>>| {
            let bytes = parts
                .iter()
                .map(|part| part.len().saturating_mul(2).saturating_add(EACH_PART));
            bytes.sum::<usize>().saturating_mul(TEXTS)
        };
        let rest = glob
            .literal_parts()
            .and_then(|parts| left.checked_sub(size(parts)));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    // What no glob of `only` chooses is known to be unwanted only where all of them are known.
    let only = match names.only.iter().all(&mut fits) {
        true => names.only.clone(),
        false => Vec::new(),
    };
    let skip = names
        .skip
        .iter()
        .filter(|glob| fits(glob))
        .cloned()
        .collect();
    let part = Names { only, skip };
    let whole = part == *names;
    ((!part.is_empty()).then_some(part), whole)
}

impl Generator<'_> {
    /// Goes to `to` when the names give `outcome`. Names that cannot be read pass. Uses all working registers.
    pub(super) fn names(&mut self, names: &Names, outcome: bool, to: CodeLabel) -> Step {
        let done = self.code.create_label();
        let (pass, fail) = if outcome { (to, done) } else { (done, to) };
        let begin = self.here()?;
        self.ends(0, FILE, Some(BASE.0), pass)?;
        self.ends(1, FUNCTION, None, pass)?;
        if !names.only.is_empty() {
            let chosen = self.code.create_label();
            for glob in &names.only {
                self.jump_if_matched(glob, chosen)?;
            }
            self.code.jmp(fail)?;
            self.place(chosen)?;
        }
        for glob in &names.skip {
            self.jump_if_matched(glob, fail)?;
        }
        self.code.jmp(pass)?;
        self.guard(begin, pass)?;
        self.place(done)
    }

    /// Where the text of an argument begins and ends, and where behind its last `/`, if that is asked for.
    fn ends(
        &mut self,
        argument: usize,
        text: Text,
        base: Option<AsmRegister64>,
        unreadable: CodeLabel,
    ) -> Step {
        let (next, ended, plain) = (
            self.code.create_label(),
            self.code.create_label(),
            self.code.create_label(),
        );
        self.load_pointer(argument)?;
        self.jump_if_unreadable(unreadable)?;
        self.code.mov(text.0, rcx)?;
        self.code.mov(text.1, rcx)?;
        if let Some(base) = base {
            self.code.mov(base, rcx)?;
        }
        self.place(next)?;
        self.code.movzx(eax, byte_ptr(text.1))?;
        self.code.test(eax, eax)?;
        self.code.je(ended)?;
        self.code.inc(text.1)?;
        if let Some(base) = base {
            self.code.cmp(eax, i32::from(b'/'))?;
            self.code.jne(plain)?;
            self.code.mov(base, text.1)?;
        }
        self.place(plain)?;
        self.code.jmp(next)?;
        self.place(ended)
    }

    fn jump_if_matched(&mut self, glob: &Glob, to: CodeLabel) -> Step {
        // All have them: see `decidable`.
        let parts = glob.literal_parts().unwrap_or_default();
        for text in [FUNCTION, FILE, BASE] {
            let not = self.code.create_label();
            self.jump_unless_matched(&parts, text, not)?;
            self.code.jmp(to)?;
            self.place(not)?;
        }
        Ok(())
    }

    /// Goes to `not` unless the parts follow one another in the text, the first at its beginning, the last at its end.
    /// Uses rax and rcx.
    fn jump_unless_matched(&mut self, parts: &[Vec<u8>], text: Text, not: CodeLabel) -> Step {
        let Some((first, rest)) = parts.split_first() else {
            return Ok(self.code.jmp(not)?);
        };
        self.code.lea(rax, text.0 + length(first))?;
        self.code.cmp(rax, text.1)?;
        let Some((last, middle)) = rest.split_last() else {
            self.code.jne(not)?;
            return self.compare(text.0, first, not);
        };
        self.code.ja(not)?;
        self.compare(text.0, first, not)?;
        self.code.lea(rcx, text.0 + length(first))?;
        for part in middle {
            let (again, found, differs) = (
                self.here()?,
                self.code.create_label(),
                self.code.create_label(),
            );
            self.code
                .lea(rax, rcx + length(part).saturating_add(length(last)))?;
            self.code.cmp(rax, text.1)?;
            self.code.ja(not)?;
            self.compare(rcx, part, differs)?;
            self.code.jmp(found)?;
            self.place(differs)?;
            self.code.inc(rcx)?;
            self.code.jmp(again)?;
            self.place(found)?;
            self.code.add(rcx, length(part))?;
        }
        self.code.lea(rax, rcx + length(last))?;
        self.code.cmp(rax, text.1)?;
        self.code.ja(not)?;
        self.code.lea(rcx, text.1 - length(last))?;
        self.compare(rcx, last, not)
    }

    /// Goes to `differs` unless these bytes stand at an address; as many are there. Uses rax.
    pub(super) fn compare(&mut self, at: AsmRegister64, bytes: &[u8], differs: CodeLabel) -> Step {
        let (mut rest, mut offset) = (bytes, 0i32);
        while let Some(first) = rest.first() {
            let size = if let Some((word, after)) = rest.split_first_chunk::<8>() {
                rest = after;
                self.code.mov(rax, u64::from_le_bytes(*word))?;
                self.code.cmp(qword_ptr(at + offset), rax)?;
                8
            } else if let Some((word, after)) = rest.split_first_chunk::<4>() {
                rest = after;
                self.code
                    .cmp(dword_ptr(at + offset), i32::from_le_bytes(*word))?;
                4
            } else if let Some((word, after)) = rest.split_first_chunk::<2>() {
                rest = after;
                let word = i32::from(i16::from_le_bytes(*word));
                self.code.cmp(word_ptr(at + offset), word)?;
                2
            } else {
                let byte = u32::from(*first);
                rest = &[];
                self.code.cmp(byte_ptr(at + offset), byte)?;
                1
            };
            self.code.jne(differs)?;
            offset = offset.saturating_add(size);
        }
        Ok(())
    }
}

fn length(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap_or(i32::MAX)
}
