//! `audit`: an audit hook, `int hook(const char *event, PyObject *args, void *)`. Hooks of this kind cannot be removed:
//! when the tracer has left, it does nothing but look whether it is wanted.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::data::Word;
use super::function::Function;
use super::marker::{Injected, Row};
use super::site::Sites;
use super::writer::{Writer, Written};

/// Writes the hook.
pub(super) fn write(w: &mut Writer, sites: &mut Sites) -> Result<CodeLabel, IcedError> {
    let (entry, done) = (w.mark()?, w.label());
    w.asm.push(rbx)?;
    w.load_data()?;
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), Row::Audit.bit())?;
    w.asm.jz(done)?;
    sites.site(w, Injected::Audit)?;
    w.here(done)?;
    w.asm.xor(eax, eax)?;
    w.asm.pop(rbx)?;
    w.asm.ret()?;
    Ok(entry)
}

/// Part of a function (see [`Writer::begin`]): adds the hook.
pub(super) fn install(w: &mut Writer, hook: CodeLabel) -> Written {
    let done = w.label();
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), Row::Audit.bit())?;
    w.asm.jz(done)?;
    w.asm.cmp(w.word(Word::Audited), 0)?;
    w.asm.jne(done)?;
    w.asm.mov(w.word(Word::Audited), 1)?;
    w.asm.lea(rdi, qword_ptr(hook))?;
    w.asm.xor(esi, esi)?;
    w.call(Function::AddAuditHook)?;
    w.asm.test(eax, eax)?;
    w.asm.jz(done)?;
    w.call(Function::ClearError)?;
    w.here(done)?;
    Ok(())
}
