//! What `sys.monitoring` calls (CPython 3.12 and later): C functions of the convention METH_FASTCALL,
//! `PyObject *callback(PyObject *self, PyObject *const *args, Py_ssize_t n)`.
//!
//! The first argument is the code object, the second the offset of the instruction, for LINE the line. Entries have
//! the first line of the function when it starts and the line at which it goes on else, as the markers of other
//! versions do.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::data::Word;
use super::function::Function;
use super::marker::{Injected, Row};
use super::places::Asked;
use super::site::{self, Shared, Sites};
use super::writer::{Writer, Written};

/// The callbacks' addresses, by row.
pub(super) type Callbacks = Vec<(Row, CodeLabel)>;

/// Writes the callbacks for all events.
pub(super) fn write(
    w: &mut Writer,
    shared: &Shared,
    sites: &mut Sites,
) -> Result<Callbacks, IcedError> {
    let mut callbacks = Callbacks::new();
    for (marker, rows) in [
        (Injected::Entry, &[Row::Start, Row::Resume, Row::Throw][..]),
        (Injected::Return, &[Row::Return, Row::Yield, Row::Unwind]),
        (Injected::Line, &[Row::Line, Row::Jump]),
    ] {
        let (fire, unwanted) = (w.label(), w.label());
        for row in rows {
            callbacks.push((*row, w.mark()?));
            callback(w, *row, shared, (fire, unwanted))?;
        }
        w.here(fire)?;
        self::fire(w, sites, marker)?;
        w.here(unwanted)?;
        w.asm.mov(w.word(Word::Disabled), 1)?;
        w.asm.mov(rax, w.word(Word::Disable))?;
        site::end(w)?;
    }
    Ok(callbacks)
}

/// The end of a callback, with the names and the line where the marker has them, and [`refusal`] in `rbp`: this is where
/// an event becomes known. The result is what stands in `rbp` then ([`super::RESULT`]): None, unless the tracer or what
/// the site is led to puts there what is in `r12` ([`super::REFUSAL`]), the answer to an event of a function that nobody
/// wants.
fn fire(w: &mut Writer, sites: &mut Sites, marker: Injected) -> Written {
    let done = w.label();
    w.asm.mov(r12, rbp)?;
    w.object(rbp, Function::None)?;
    sites.site(w, marker)?;
    w.asm.mov(rax, rbp)?;
    w.asm.cmp(rax, w.word(Word::Disable))?;
    w.asm.jne(done)?;
    w.asm.mov(w.word(Word::Disabled), 1)?;
    w.here(done)?;
    site::end(w)
}

/// What a callback returns when it is not to be called there again comes into `rbp`: `sys.monitoring` takes DISABLE only
/// of events that belong to a place in the code.
fn refusal(w: &mut Writer, row: Row) -> Written {
    if matches!(row, Row::Throw | Row::Unwind) {
        w.object(rbp, Function::None)
    } else {
        w.asm.mov(rbp, w.word(Word::Disable))
    }
}

/// One callback: leaves the names and the line where the marker has them, and goes on at `fire`. CPython calls it by
/// either convention, METH_FASTCALL or vectorcall, with at least two arguments: for anybody else it does nothing.
fn callback(
    w: &mut Writer,
    row: Row,
    shared: &Shared,
    (fire, unwanted): (CodeLabel, CodeLabel),
) -> Written {
    let called = w.label();
    site::begin(w)?;
    w.asm.cmp(edx, 2)?;
    w.asm.jae(called)?;
    w.object(rax, Function::None)?;
    site::end(w)?;
    w.here(called)?;
    still_wanted(w, row, unwanted)?;
    w.asm.mov(r12, qword_ptr(rsi))?;
    let asked = match row {
        Row::Start => {
            w.asm.mov(rax, w.word(Word::CodeFirstLine))?;
            w.asm.mov(r13d, dword_ptr(r12 + rax))?;
            Asked::Names
        }
        Row::Line => {
            argument(w, 1)?;
            Asked::Names
        }
        Row::Jump => {
            jump(w, unwanted)?;
            Asked::Names
        }
        Row::Unwind => {
            argument(w, 1)?;
            line_of_frame(w)?;
            Asked::Names
        }
        _ => {
            argument(w, 1)?;
            Asked::Place
        }
    };
    shared.places.find(w, asked)?;
    refusal(w, row)?;
    w.asm.jmp(fire)
}

/// When the tracer has left, a callback asks not to be called there again. `sys.monitoring` takes that only of events
/// that belong to a place in the code.
fn still_wanted(w: &mut Writer, row: Row, unwanted: CodeLabel) -> Written {
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), row.bit())?;
    if !matches!(row, Row::Throw | Row::Unwind) {
        return w.asm.jz(unwanted);
    }
    let wanted = w.label();
    w.asm.jnz(wanted)?;
    w.object(rax, Function::None)?;
    site::end(w)?;
    w.here(wanted)?;
    Ok(())
}

/// The integer argument of this index comes into `r13d`; `rsi` points to the arguments and is lost. One of a single
/// digit is read where it stands.
fn argument(w: &mut Writer, index: i32) -> Written {
    let done = w.label();
    w.asm.mov(rdi, qword_ptr(rsi + 8 * index))?;
    w.asm.mov(rcx, w.word(Word::IntDigit))?;
    w.asm.mov(rax, qword_ptr(rdi + rcx - 8))?;
    w.asm.mov(r13d, dword_ptr(rdi + rcx))?;
    for word in [Word::IntTag, Word::IntTagSmall] {
        w.asm.cmp(rax, w.word(word))?;
        w.asm.je(done)?;
    }
    w.call(Function::AsLong)?;
    w.asm.mov(r13d, eax)?;
    w.here(done)?;
    Ok(())
}

/// The line of the instruction at offset `r13d` of the code object `r12` comes into `r13d`.
fn line(w: &mut Writer) -> Written {
    w.asm.mov(rdi, r12)?;
    w.asm.mov(esi, r13d)?;
    w.call(Function::CodeLine)?;
    w.asm.mov(r13d, eax)
}

/// When an exception leaves a function, the line is the frame's: what raised it, even where a handler has raised it
/// again. Where that has none, the instruction before the offset `r13d` that has one counts. (An exception on its way
/// has a traceback, so the frame object is there already.)
fn line_of_frame(w: &mut Writer) -> Written {
    let done = w.label();
    w.call(Function::CurrentFrame)?;
    w.asm.mov(rdi, rax)?;
    w.call(Function::FrameLine)?;
    w.asm.test(eax, eax)?;
    w.asm.jns(done)?;
    let again = w.mark()?;
    w.asm.mov(rdi, r12)?;
    w.asm.mov(esi, r13d)?;
    w.call(Function::CodeLine)?;
    w.asm.test(eax, eax)?;
    w.asm.jns(done)?;
    w.asm.sub(r13d, 2)?;
    w.asm.jns(again)?;
    w.here(done)?;
    w.asm.mov(r13d, eax)
}

/// A jump backwards within a line begins that line anew: LINE does not say so. Any other jump is not wanted.
fn jump(w: &mut Writer, unwanted: CodeLabel) -> Written {
    w.asm.mov(qword_ptr(rsp), rsi)?;
    argument(w, 2)?;
    w.asm.mov(dword_ptr(rsp + 8), r13d)?;
    w.asm.mov(rsi, qword_ptr(rsp))?;
    argument(w, 1)?;
    w.asm.cmp(dword_ptr(rsp + 8), r13d)?;
    w.asm.jg(unwanted)?;
    line(w)?;
    w.asm.mov(dword_ptr(rsp), r13d)?;
    w.asm.mov(r13d, dword_ptr(rsp + 8))?;
    line(w)?;
    w.asm.cmp(dword_ptr(rsp), r13d)?;
    w.asm.jne(unwanted)
}
