//! Finds out where objects have their fields, in the process itself: an empty code object and integers are made from
//! known values, and looked through for them. No table of offsets for each release is needed.

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
    w.asm.mov(w.word(Word::LetGo), 1)?;
    w.text(rdi, "<ptpytrace calibrates>")?;
    w.text(rsi, "ptpytrace_calibrates")?;
    w.asm.mov(edx, LINE)?;
    w.call(Function::NewCode)?;
    w.if_null(failed)?;
    w.asm.mov(r12, rax)?;
    attribute(w, r13, "co_filename", failed)?;
    attribute(w, r14, "co_name", failed)?;
    search(w)?;
    lines(w)?;
    w.asm.mov(rdi, r12)?;
    w.call(Function::Release)?;
    integers(w)?;
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

/// Where the code object in `r12` has its table of lines: an empty one from CPython 3.12 on shares it with no other field.
fn lines(w: &mut Writer) -> Written {
    let (none, done, found) = (w.label(), w.label(), w.label());
    attribute(w, r13, "co_linetable", none)?;
    w.search(r12, r13, RANGE, found)?;
    w.asm.jmp(done)?;
    w.here(found)?;
    w.asm.mov(w.word(Word::CodeLines), rcx)?;
    w.asm.jmp(done)?;
    w.here(none)?;
    w.call(Function::ClearError)?;
    w.here(done)?;
    Ok(())
}

/// An integer of one digit, and one that CPython may keep for ever.
const INTEGERS: [(i32, Word); 2] = [(0x2b5a_17c3, Word::IntTag), (77, Word::IntTagSmall)];
/// Where its digit can be.
const DIGIT: (i32, i32) = (16, 44);

/// Where an integer has its digit. Without an answer no integer is taken to be of one digit.
fn integers(w: &mut Writer) -> Written {
    w.asm.mov(w.word(Word::IntDigit), 16)?; // before it there is the type: no tag
    for (value, tag) in INTEGERS {
        let (next, found, none) = (w.label(), w.label(), w.label());
        w.asm.mov(w.word(tag), -1)?;
        w.asm.mov(edi, value)?;
        w.call(Function::NewLong)?;
        w.if_null(none)?;
        w.asm.mov(ecx, DIGIT.0)?;
        let again = w.mark()?;
        w.asm.cmp(dword_ptr(rax + rcx), value)?;
        w.asm.je(found)?;
        w.here(next)?;
        w.asm.add(ecx, 4)?;
        w.asm.cmp(ecx, DIGIT.1)?;
        w.asm.jb(again)?;
        w.release()?;
        w.asm.jmp(none)?;
        w.here(found)?;
        if tag == Word::IntTag {
            w.asm.mov(w.word(Word::IntDigit), rcx)?;
        } else {
            w.asm.cmp(rcx, w.word(Word::IntDigit))?;
            w.asm.jne(next)?;
        }
        w.asm.mov(rdx, qword_ptr(rax + rcx - 8))?;
        w.asm.mov(w.word(tag), rdx)?;
        w.release()?;
        w.here(none)?;
        w.call(Function::ClearError)?;
    }
    Ok(())
}

/// Notes the offset in `rcx`, unless there was a hit before.
fn first_hit(w: &mut Writer, word: Word, known: CodeLabel) -> Written {
    w.asm.cmp(w.word(word), 0)?;
    w.asm.jne(known)?;
    w.asm.mov(w.word(word), rcx)?;
    w.asm.dec(qword_ptr(rsp + LOCAL))
}
