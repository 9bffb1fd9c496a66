//! Finds out where a code object has its fields, in the process itself: an empty code object is made from known
//! values, and looked through for them. No table of offsets for each release is needed.

use iced_x86::code_asm::*;

use super::data::Word;
use super::function::Function;
use super::writer::{LOCAL, Writer, Written};

/// A line number that nothing else in the object is.
const LINE: u32 = 0x5a17c3;
/// Where the fields begin at the earliest, and where the search ends, in bytes.
const RANGE: (i32, i32) = (16, 320);

/// Writes the part of a function (see [`Writer::begin`]) that calibrates; it goes on at `failed` where it cannot.
pub(super) fn code_object(w: &mut Writer, failed: CodeLabel) -> Written {
    let known = w.label();
    w.asm.cmp(w.word(Word::CodeFirstLine), 0)?;
    w.asm.jne(known)?;
    w.text(rdi, "<ptpytrace calibrates>")?;
    w.text(rsi, "ptpytrace_calibrates")?;
    w.asm.mov(edx, LINE)?;
    w.call(Function::NewCode)?;
    w.if_null(failed)?;
    w.asm.mov(r12, rax)?;
    attribute(w, r13, "co_filename", failed)?;
    attribute(w, r14, "co_name", failed)?;
    search(w)?;
    w.asm.mov(rdi, r12)?;
    w.call(Function::Release)?;
    for word in [Word::CodeFile, Word::CodeName, Word::CodeFirstLine] {
        w.asm.cmp(w.word(word), 0)?;
        w.asm.je(failed)?;
    }
    w.here(known)?;
    Ok(())
}

/// An attribute of the object in `r12`: its address only, the object keeps it alive.
fn attribute(
    w: &mut Writer,
    into: AsmRegister64,
    name: &'static str,
    failed: CodeLabel,
) -> Written {
    w.asm.mov(rdi, r12)?;
    w.text(rsi, name)?;
    w.call(Function::GetAttribute)?;
    w.if_null(failed)?;
    w.asm.mov(into, rax)?;
    w.release()
}

/// Looks through the object in `r12` for the pointers `r13` and `r14` and for the line: the first hit of each counts.
fn search(w: &mut Writer) -> Written {
    let (next, number, done) = (w.label(), w.label(), w.label());
    w.asm.mov(qword_ptr(rsp + LOCAL), 3)?; // so many are still to be found
    w.asm.mov(ecx, RANGE.0)?;
    let again = w.mark()?;
    w.asm.test(ecx, 7)?;
    w.asm.jnz(number)?;
    for (pointer, word) in [(r13, Word::CodeFile), (r14, Word::CodeName)] {
        let other = w.label();
        w.asm.cmp(qword_ptr(r12 + rcx), pointer)?;
        w.asm.jne(other)?;
        first_hit(w, word, other)?;
        w.here(other)?;
    }
    w.here(number)?;
    w.asm.cmp(dword_ptr(r12 + rcx), LINE as i32)?;
    w.asm.jne(next)?;
    first_hit(w, Word::CodeFirstLine, next)?;
    w.here(next)?;
    w.asm.cmp(qword_ptr(rsp + LOCAL), 0)?;
    w.asm.je(done)?;
    w.asm.add(ecx, 4)?;
    w.asm.cmp(ecx, RANGE.1)?;
    w.asm.jb(again)?;
    w.here(done)?;
    Ok(())
}

/// Notes the offset in `rcx`, unless there was a hit before.
fn first_hit(w: &mut Writer, word: Word, known: CodeLabel) -> Written {
    w.asm.cmp(w.word(word), 0)?;
    w.asm.jne(known)?;
    w.asm.mov(w.word(word), rcx)?;
    w.asm.dec(qword_ptr(rsp + LOCAL))
}
