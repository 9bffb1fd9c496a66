//! `gc__start` and `gc__done`: a function in `gc.callbacks`, called as `function(phase, info)`.
//!
//! It is not called for the collections at the interpreter's end, of which a built-in marker would tell.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::data::{self, Word};
use super::function::Function;
use super::marker::{Injected, Row};
use super::monitoring::{drop_function, drop_result, new_function};
use super::site::{self, Sites};
use super::writer::{Writer, Written};

/// The flag of a function that takes its arguments as a tuple (METH_VARARGS).
pub(super) const METH_VARARGS: i32 = 1;

/// Writes the function: `PyObject *function(PyObject *self, PyObject *args)`.
pub(super) fn write(w: &mut Writer, sites: &mut Sites) -> Result<CodeLabel, IcedError> {
    let (entry, done, stop) = (w.mark()?, w.label(), w.label());
    site::begin(w)?;
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), Row::Collector.bit())?;
    w.asm.jz(done)?;
    w.asm.mov(r12, rsi)?;
    item_of_tuple(w, 1)?;
    w.asm.mov(r13, rax)?;
    item_of_tuple(w, 0)?;
    w.asm.mov(rdi, rax)?;
    w.text(rsi, "start")?;
    w.call(Function::CompareText)?;
    w.asm.test(eax, eax)?;
    w.asm.jnz(stop)?;
    number(w, "generation", done)?;
    w.asm.mov(rdi, rax)?;
    sites.site(w, Injected::GcStart)?;
    w.asm.jmp(done)?;
    w.here(stop)?;
    // The markers count what could not be freed, too.
    number(w, "collected", done)?;
    w.asm.mov(qword_ptr(rsp), rax)?;
    number(w, "uncollectable", done)?;
    w.asm.mov(rdi, rax)?;
    w.asm.add(rdi, qword_ptr(rsp))?;
    sites.site(w, Injected::GcDone)?;
    w.here(done)?;
    none(w)?;
    site::end(w)?;
    Ok(entry)
}

/// A new reference to None, in `rax`.
fn none(w: &mut Writer) -> Written {
    w.object(rdi, Function::None)?;
    w.call(Function::Retain)?;
    w.object(rax, Function::None)
}

/// An item of the tuple in `r12`, borrowed.
pub(super) fn item_of_tuple(w: &mut Writer, index: i32) -> Written {
    w.asm.mov(rdi, r12)?;
    w.asm.mov(esi, index)?;
    w.call(Function::TupleItem)
}

/// The number under a key of the dictionary in `r13`.
fn number(w: &mut Writer, key: &'static str, failed: CodeLabel) -> Written {
    let (error, done) = (w.label(), w.label());
    w.asm.mov(rdi, r13)?;
    w.text(rsi, key)?;
    w.call(Function::GetItem)?;
    w.if_null(error)?;
    w.asm.mov(qword_ptr(rsp + 8), rax)?;
    w.asm.mov(rdi, rax)?;
    w.call(Function::AsLong)?;
    w.asm.mov(r12, rax)?;
    w.asm.mov(rdi, qword_ptr(rsp + 8))?;
    w.call(Function::Release)?;
    w.asm.mov(rax, r12)?;
    w.asm.jmp(done)?;
    w.here(error)?;
    w.call(Function::ClearError)?;
    w.asm.jmp(failed)?;
    w.here(done)?;
    Ok(())
}

/// Part of a function (see [`Writer::begin`]): appends it to the list. Goes on at `early` where there is no such list
/// yet.
pub(super) fn install(w: &mut Writer, function: CodeLabel, early: CodeLabel) -> Written {
    let (done, absent) = (w.label(), w.label());
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), Row::Collector.bit())?;
    w.asm.jz(done)?;
    w.asm.cmp(w.word(Word::Collector), 0)?;
    w.asm.jne(done)?;
    w.text(rdi, "gc")?;
    w.call(Function::Import)?;
    w.if_null(absent)?;
    w.asm.mov(r12, rax)?;
    w.asm.mov(rdi, rax)?;
    w.text(rsi, "callbacks")?;
    w.call(Function::GetAttribute)?;
    w.asm.mov(r13, rax)?;
    w.asm.mov(rdi, r12)?;
    w.call(Function::Release)?;
    w.asm.test(r13, r13)?;
    w.asm.jz(absent)?;
    w.asm.mov(w.word(Word::Collector), r13)?;
    new_function(w, Row::Collector, function, METH_VARARGS)?;
    w.if_null(absent)?;
    change(w, "append")?;
    w.asm.jmp(done)?;
    w.here(absent)?;
    w.call(Function::ClearError)?;
    w.asm.jmp(early)?;
    w.here(done)?;
    Ok(())
}

/// Calls a method of the list with the function.
fn change(w: &mut Writer, method: &'static str) -> Written {
    w.asm.mov(rdi, w.word(Word::Collector))?;
    w.text(rsi, method)?;
    w.text(rdx, "O")?;
    w.asm
        .mov(rcx, qword_ptr(rbx + data::callable(Row::Collector)))?;
    w.call(Function::CallMethod)?;
    drop_result(w)
}

/// Part of a function: takes it out of the list.
pub(super) fn remove(w: &mut Writer) -> Written {
    let done = w.label();
    w.asm.cmp(w.word(Word::Collector), 0)?;
    w.asm.je(done)?;
    w.asm
        .cmp(qword_ptr(rbx + data::callable(Row::Collector)), 0)?;
    w.asm.je(done)?;
    change(w, "remove")?;
    drop_function(w, Row::Collector)?;
    w.asm.mov(rdi, w.word(Word::Collector))?;
    w.asm.mov(w.word(Word::Collector), 0)?;
    w.call(Function::Release)?;
    w.here(done)?;
    Ok(())
}
