//! `import__find__load__start` and `…__done`: a function in the place of `importlib._bootstrap._find_and_load`, which
//! CPython calls by that name for each module that is not in `sys.modules`, and which calls the former one.
//!
//! CPython's own markers do not tell of what importlib itself asks for (`importlib.import_module`): such calls come
//! from its function `_gcd_import`.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::collector::{METH_VARARGS, item_of_tuple};
use super::data::{self, Word};
use super::function::Function;
use super::marker::{Injected, Row};
use super::monitoring::{drop_function, new_function};
use super::site::{self, Shared, Sites};
use super::writer::{Writer, Written};

/// The attribute that is replaced.
const NAME: &str = "_find_and_load";

/// Writes the function: `PyObject *function(PyObject *self, PyObject *args)`; the first argument is the module's name.
pub(super) fn write(
    w: &mut Writer,
    shared: &Shared,
    sites: &mut Sites,
) -> Result<CodeLabel, IcedError> {
    let (entry, plain) = (w.mark()?, w.label());
    site::begin(w)?;
    w.asm.mov(r12, rsi)?;
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), Row::Importer.bit())?;
    w.asm.jz(plain)?;
    if_own(w, plain)?;
    item_of_tuple(w, 0)?;
    w.asm.mov(rdi, rax)?;
    w.if_null(plain)?;
    shared.text_of(w)?;
    w.asm.mov(qword_ptr(rsp), rax)?;
    w.asm.mov(rdi, rax)?;
    sites.site(w, Injected::ImportStart)?;
    former(w)?;
    w.asm.mov(r13, rax)?;
    w.asm.xor(esi, esi)?;
    w.asm.test(rax, rax)?;
    w.asm.setne(sil)?;
    w.asm.mov(rdi, qword_ptr(rsp))?;
    sites.site(w, Injected::ImportDone)?;
    w.asm.mov(rax, r13)?;
    site::end(w)?;
    w.here(plain)?;
    former(w)?;
    site::end(w)?;
    Ok(entry)
}

/// Calls the former function with the arguments in `r12`.
fn former(w: &mut Writer) -> Written {
    w.asm.mov(rdi, w.word(Word::FindAndLoad))?;
    w.asm.mov(rsi, r12)?;
    w.asm.xor(edx, edx)?;
    w.call(Function::Call)
}

/// Goes on at `own` where the calling Python function is importlib's `_gcd_import`.
fn if_own(w: &mut Writer, own: CodeLabel) -> Written {
    let (other, error) = (w.label(), w.label());
    w.call(Function::CurrentFrame)?;
    w.if_null(other)?;
    for name in ["f_code", "co_name"] {
        w.asm.mov(rdi, rax)?;
        w.text(rsi, name)?;
        w.call(Function::GetAttribute)?;
        w.if_null(error)?;
        // Whatever it belongs to keeps it alive.
        w.asm.mov(r13, rax)?;
        w.release()?;
        w.asm.mov(rax, r13)?;
    }
    w.asm.mov(rdi, r13)?;
    w.text(rsi, "_gcd_import")?;
    w.call(Function::CompareText)?;
    w.asm.test(eax, eax)?;
    w.asm.jz(own)?;
    w.asm.jmp(other)?;
    w.here(error)?;
    w.call(Function::ClearError)?;
    w.here(other)?;
    Ok(())
}

/// Part of a function (see [`Writer::begin`]): puts it in place. Goes on at `early` where importlib is not there yet.
pub(super) fn install(w: &mut Writer, function: CodeLabel, early: CodeLabel) -> Written {
    let (done, absent) = (w.label(), w.label());
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), Row::Importer.bit())?;
    w.asm.jz(done)?;
    w.asm.cmp(w.word(Word::FindAndLoad), 0)?;
    w.asm.jne(done)?;
    w.text(rdi, "_frozen_importlib")?;
    w.call(Function::Import)?;
    w.if_null(absent)?;
    w.asm.mov(w.word(Word::Importer), rax)?;
    w.asm.mov(rdi, rax)?;
    w.text(rsi, NAME)?;
    w.call(Function::GetAttribute)?;
    w.if_null(absent)?;
    w.asm.mov(w.word(Word::FindAndLoad), rax)?;
    new_function(w, Row::Importer, function, METH_VARARGS)?;
    w.if_null(absent)?;
    w.asm.mov(rdx, rax)?;
    put(w)?;
    w.asm.jmp(done)?;
    w.here(absent)?;
    w.call(Function::ClearError)?;
    w.asm.jmp(early)?;
    w.here(done)?;
    Ok(())
}

/// Makes `rdx` the attribute.
fn put(w: &mut Writer) -> Written {
    let done = w.label();
    w.asm.mov(rdi, w.word(Word::Importer))?;
    w.text(rsi, NAME)?;
    w.call(Function::SetAttribute)?;
    w.asm.test(eax, eax)?;
    w.asm.jz(done)?;
    w.call(Function::ClearError)?;
    w.here(done)?;
    Ok(())
}

/// Part of a function: puts the former one back, unless somebody has replaced ours. A thread may be in the middle of
/// ours: so the reference to the former is kept.
pub(super) fn remove(w: &mut Writer) -> Written {
    let (done, error) = (w.label(), w.label());
    w.asm
        .cmp(qword_ptr(rbx + data::callable(Row::Importer)), 0)?;
    w.asm.je(done)?;
    w.asm.mov(rdi, w.word(Word::Importer))?;
    w.text(rsi, NAME)?;
    w.call(Function::GetAttribute)?;
    w.if_null(error)?;
    w.asm.mov(r12, rax)?;
    w.release()?;
    w.asm
        .cmp(r12, qword_ptr(rbx + data::callable(Row::Importer)))?;
    w.asm.jne(done)?;
    w.asm.mov(rdx, w.word(Word::FindAndLoad))?;
    put(w)?;
    drop_function(w, Row::Importer)?;
    w.asm.jmp(done)?;
    w.here(error)?;
    w.call(Function::ClearError)?;
    w.here(done)?;
    Ok(())
}
