//! What a place in a program's code is called: the texts of its file's and its function's name, and the line. Finding
//! them out anew costs more than all the rest of an event, so the agent keeps a table.
//!
//! An entry is known by the objects that its answer follows from: the strings of both names, the table of lines, and two
//! numbers. The table holds a reference to each of those objects. So as long as the entry stands, no other object can
//! lie at one of their addresses, and as all of them are immutable the answer stays right whatever becomes of the code
//! object. (That one is not held: programs can see when a code object goes, by a weak reference.)
//!
//! Each time the table lets go of something it counts. While that count stays the same, the texts that it has given
//! stay where and what they are: so a recorder need not compare one that it knows from before.
//!
//! Without a GIL several threads use the table at once. Each entry has a count that is odd while somebody writes it; who
//! finds it odd or changed has found nothing.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::data::{PLACES, Word};
use super::function::Function;
use super::writer::{Writer, Written};

/// How many entries there are: a power of two.
const ENTRIES: i32 = 4096;
/// The length of one, in bytes: a cache line.
const ENTRY: i32 = 64;
const ENTRY_SHIFT: u32 = ENTRY.trailing_zeros();
/// The length of the table, in bytes.
pub(super) const BYTES: u64 = (ENTRIES * ENTRY) as u64;

/// The fields of an entry. A place is known by the offset of its instruction; where only the names are asked for, by
/// [`NAMES`].
mod field {
    pub const COUNT: i32 = 0;
    pub const KEY: i32 = 4;
    pub const FILE: i32 = 8;
    pub const NAME: i32 = 16;
    pub const LINES: i32 = 24;
    pub const FIRST_LINE: i32 = 32;
    pub const LINE: i32 = 36;
    pub const FILE_TEXT: i32 = 40;
    pub const NAME_TEXT: i32 = 48;
}

/// The objects that an entry holds, and where a code object has them.
const HELD: [(i32, Word); 3] = [
    (field::FILE, Word::CodeFile),
    (field::NAME, Word::CodeName),
    (field::LINES, Word::CodeLines),
];

/// The key of an entry without a line.
const NAMES: i32 = -1;

/// They spread code objects and offsets over the entries.
const SPREAD: [i32; 2] = [0x61c8_8647, 0x2c1b_3c6d];
/// The bits of the product that count, the highest.
const SPREAD_SHIFT: u32 = 32 - ENTRIES.trailing_zeros();

/// madvise(2) and its advice to forget the contents.
const MADVISE: i32 = 28;
const DONTNEED: i32 = 4;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The names; `r13` stays as it is.
    Names,
    /// The names, and the line of the offset in `r13d`, which takes its place.
    Place,
}

/// The functions for what is not in the table.
pub(super) struct Places {
    names: CodeLabel,
    place: CodeLabel,
}

impl Places {
    /// Writes them. `text` is a function that gives the text of the string in `rdi`, 0 in `edx` where it has none.
    pub fn write(w: &mut Writer, text: CodeLabel) -> Result<Places, IcedError> {
        Ok(Places {
            names: unknown(w, text, Asked::Names)?,
            place: unknown(w, text, Asked::Place)?,
        })
    }

    /// In a callback with the code object in `r12`: the text of its file's name comes into `r14`, that of its own into
    /// `r15`, and the count into `r10`; -1 where the table does not hold the names.
    pub fn find(&self, w: &mut Writer, asked: Asked) -> Written {
        let (miss, found) = (w.label(), w.label());
        // Before anything is looked for: what is let go of later than this changes the count.
        w.asm.mov(r10, w.word(Word::LetGo))?;
        entry(w, asked)?;
        w.asm.mov(edx, dword_ptr(rdi + field::COUNT))?;
        for (field, word) in held(asked) {
            w.asm.mov(rax, w.word(word))?;
            w.asm.mov(rax, qword_ptr(r12 + rax))?;
            w.asm.cmp(rax, qword_ptr(rdi + field))?;
            w.asm.jne(miss)?;
        }
        if asked == Asked::Place {
            w.asm.mov(rax, w.word(Word::CodeFirstLine))?;
            w.asm.mov(eax, dword_ptr(r12 + rax))?;
            w.asm.cmp(eax, dword_ptr(rdi + field::FIRST_LINE))?;
            w.asm.jne(miss)?;
        }
        w.asm.cmp(dword_ptr(rdi + field::KEY), ecx)?;
        w.asm.jne(miss)?;
        w.asm.mov(r14, qword_ptr(rdi + field::FILE_TEXT))?;
        w.asm.mov(r15, qword_ptr(rdi + field::NAME_TEXT))?;
        w.asm.mov(eax, dword_ptr(rdi + field::LINE))?;
        w.asm.test(edx, 1)?;
        w.asm.jnz(miss)?;
        w.asm.cmp(edx, dword_ptr(rdi + field::COUNT))?;
        w.asm.jne(miss)?;
        if asked == Asked::Place {
            w.asm.mov(r13d, eax)?;
        }
        w.asm.jmp(found)?;
        w.here(miss)?;
        w.asm.call(match asked {
            Asked::Names => self.names,
            Asked::Place => self.place,
        })?;
        w.asm.mov(r10, -1i64)?;
        w.here(found)?;
        Ok(())
    }
}

/// The objects that an answer follows from.
fn held(asked: Asked) -> impl Iterator<Item = (i32, Word)> {
    let needed = move |(field, _): &(i32, Word)| asked == Asked::Place || *field != field::LINES;
    HELD.into_iter().filter(needed)
}

/// The key comes into `ecx`, the entry's address into `rdi`.
fn entry(w: &mut Writer, asked: Asked) -> Written {
    match asked {
        Asked::Names => w.asm.mov(ecx, NAMES)?,
        Asked::Place => w.asm.mov(ecx, r13d)?,
    }
    w.asm.imul_3(eax, ecx, SPREAD[0])?;
    w.asm.add(eax, r12d)?;
    w.asm.imul_3(eax, eax, SPREAD[1])?;
    w.asm.shr(eax, SPREAD_SHIFT)?;
    w.asm.shl(eax, ENTRY_SHIFT)?;
    w.asm.lea(rdi, qword_ptr(rbx + rax + PLACES))
}

/// A function that finds out what is asked for, and enters it into the table.
fn unknown(w: &mut Writer, text: CodeLabel, asked: Asked) -> Result<CodeLabel, IcedError> {
    let (start, done) = (w.mark()?, w.label());
    w.asm.push(rbp)?;
    w.asm.sub(rsp, LOCALS)?;
    w.asm.mov(qword_ptr(rsp + KNOWN), 1)?;
    w.asm.mov(qword_ptr(rsp + OFFSET), r13)?;
    for (word, register) in [(Word::CodeFile, r14), (Word::CodeName, r15)] {
        w.asm.mov(rax, w.word(word))?;
        w.asm.mov(rdi, qword_ptr(r12 + rax))?;
        w.asm.call(text)?;
        w.asm.mov(register, rax)?;
        w.asm.and(qword_ptr(rsp + KNOWN), rdx)?;
    }
    if asked == Asked::Place {
        w.asm.mov(rdi, r12)?;
        w.asm.mov(esi, r13d)?;
        w.call(Function::CodeLine)?;
        w.asm.mov(r13d, eax)?;
        w.asm.cmp(w.word(Word::CodeLines), 0)?;
        w.asm.je(done)?;
    }
    w.asm.cmp(qword_ptr(rsp + KNOWN), 0)?;
    w.asm.je(done)?;
    enter(w, asked, done)?;
    w.here(done)?;
    w.asm.add(rsp, LOCALS)?;
    w.asm.pop(rbp)?;
    w.asm.ret()?;
    Ok(start)
}

/// The words of the stack of such a function, in bytes from the stack pointer: whether both names have a text, the
/// offset, and the objects that the entry held before.
const KNOWN: i32 = 0;
const OFFSET: i32 = 8;
const BEFORE: i32 = 16;
const LOCALS: i32 = 48;

/// Enters `r14`, `r15` and `r13d`, unless somebody else writes the entry.
fn enter(w: &mut Writer, asked: Asked, done: CodeLabel) -> Written {
    w.asm.xchg(qword_ptr(rsp + OFFSET), r13)?;
    entry(w, asked)?;
    w.asm.xchg(qword_ptr(rsp + OFFSET), r13)?;
    w.asm.mov(rbp, rdi)?;
    w.asm.mov(eax, dword_ptr(rbp + field::COUNT))?;
    w.asm.test(eax, 1)?;
    w.asm.jnz(done)?;
    w.asm.lea(edx, qword_ptr(rax + 1))?;
    w.asm.lock().cmpxchg(dword_ptr(rbp + field::COUNT), edx)?;
    w.asm.jne(done)?;
    let fresh = w.label();
    w.asm.cmp(qword_ptr(rbp + field::FILE), 0)?;
    w.asm.je(fresh)?;
    let_go(w)?;
    w.here(fresh)?;
    w.asm.mov(dword_ptr(rbp + field::KEY), ecx)?;
    for (index, (field, _)) in (0..).zip(HELD) {
        w.asm.mov(rax, qword_ptr(rbp + field))?;
        w.asm.mov(qword_ptr(rsp + (BEFORE + 8 * index)), rax)?;
        w.asm.mov(qword_ptr(rbp + field), 0)?;
    }
    for (field, word) in held(asked) {
        w.asm.mov(rax, w.word(word))?;
        w.asm.mov(rdi, qword_ptr(r12 + rax))?;
        w.asm.mov(qword_ptr(rbp + field), rdi)?;
        w.call(Function::Retain)?;
    }
    w.asm.mov(rax, w.word(Word::CodeFirstLine))?;
    w.asm.mov(eax, dword_ptr(r12 + rax))?;
    w.asm.mov(dword_ptr(rbp + field::FIRST_LINE), eax)?;
    w.asm.mov(dword_ptr(rbp + field::LINE), r13d)?;
    w.asm.mov(qword_ptr(rbp + field::FILE_TEXT), r14)?;
    w.asm.mov(qword_ptr(rbp + field::NAME_TEXT), r15)?;
    w.asm.inc(dword_ptr(rbp + field::COUNT))?;
    for index in 0..HELD.len() as i32 {
        let none = w.label();
        w.asm.mov(rdi, qword_ptr(rsp + (BEFORE + 8 * index)))?;
        w.asm.test(rdi, rdi)?;
        w.asm.jz(none)?;
        w.call(Function::Release)?;
        w.here(none)?;
    }
    Ok(())
}

/// Counts, before anything is let go of.
fn let_go(w: &mut Writer) -> Written {
    let count = w.word(Word::LetGo);
    w.asm.lock().inc(count)
}

/// Part of a function (see [`Writer::begin`]): empties the table, and gives its memory back. A thread that reads it
/// meanwhile finds nothing.
pub(super) fn forget(w: &mut Writer) -> Written {
    let (entries, unused) = (w.label(), w.label());
    let_go(w)?;
    w.asm.lea(r12, qword_ptr(rbx + PLACES))?;
    w.asm.mov(r13d, ENTRIES)?;
    w.here(entries)?;
    w.asm.mov(eax, dword_ptr(r12 + field::COUNT))?;
    w.asm.test(eax, eax)?;
    w.asm.jz(unused)?; // nor is its page touched
    w.asm.test(eax, 1)?;
    w.asm.jnz(unused)?;
    w.asm.lea(edx, qword_ptr(rax + 1))?;
    w.asm.lock().cmpxchg(dword_ptr(r12 + field::COUNT), edx)?;
    w.asm.jne(unused)?;
    for (field, _) in HELD {
        let none = w.label();
        w.asm.xor(edi, edi)?;
        w.asm.xchg(qword_ptr(r12 + field), rdi)?;
        w.asm.test(rdi, rdi)?;
        w.asm.jz(none)?;
        w.call(Function::Release)?;
        w.here(none)?;
    }
    w.asm.inc(dword_ptr(r12 + field::COUNT))?;
    w.here(unused)?;
    w.asm.add(r12, ENTRY)?;
    w.asm.dec(r13d)?;
    w.asm.jnz(entries)?;
    w.asm.lea(rdi, qword_ptr(rbx + PLACES))?;
    w.asm.mov(esi, BYTES as i32)?;
    w.asm.mov(edx, DONTNEED)?;
    w.asm.mov(eax, MADVISE)?;
    w.asm.syscall()
}
