//! The functions of the agent that the tracer has a thread call.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::callbacks::Callbacks;
use super::data::{Status, Word};
use super::function::Function;
use super::writer::{Writer, Written};
use super::{audit, calibrate, collector, importer, legacy, monitoring, places};

/// What [`super::Agent::install_with_gil`] and [`super::Agent::remove_with_gil`] give where nothing was done: the thread
/// has the GIL.
pub const HOLDS_GIL: i32 = -3;
/// What [`super::Agent::queue`] gives when the interpreter is not ready.
pub const NOT_READY: i32 = -2;

/// What the agent has CPython call.
pub(super) struct Parts {
    /// The callbacks of `sys.monitoring`.
    pub callbacks: Callbacks,
    /// The profile and the trace function.
    pub hooks: [legacy::Hook; 2],
    /// The function in `gc.callbacks`.
    pub collector: CodeLabel,
    /// The one in importlib.
    pub importer: CodeLabel,
    /// The audit hook.
    pub audit: CodeLabel,
}

/// Where a thread is set to, with the function's address in `rax`: behind the call it runs into a breakpoint. Thus a
/// call and a return belong to each other, as a hardware shadow stack wants it.
pub(super) fn landing(w: &mut Writer) -> Result<(CodeLabel, CodeLabel), IcedError> {
    let springboard = w.mark()?;
    w.asm.call(rax)?;
    let landing = w.mark()?;
    w.asm.int3()?;
    // Where the tracer is gone, and that breakpoint too, the way back lies on the stack: rt_sigreturn(2).
    w.asm.mov(eax, 15)?;
    w.asm.syscall()?;
    w.asm.ud2()?;
    Ok((springboard, landing))
}

/// `int install(void *)`, of the type that Py_AddPendingCall wants: installs what is wanted, if nothing is installed
/// yet. What happened is in [`Word::Status`].
pub(super) fn install(w: &mut Writer, parts: &Parts) -> Result<CodeLabel, IcedError> {
    let (entry, done, failed, unknown) = (w.mark()?, w.label(), w.label(), w.label());
    let (early, claim) = (w.label(), w.label());
    w.begin()?;
    w.asm.cmp(w.word(Word::Wanted), 0)?;
    w.asm.je(done)?;
    w.here(claim)?;
    w.asm.mov(rax, w.word(Word::Status))?;
    for status in [Status::Installed, Status::Busy] {
        w.asm.cmp(rax, i32::from(status as u8))?;
        w.asm.je(done)?;
    }
    become_busy(w)?;
    w.asm.jne(claim)?;
    calibrate::code_object(w, unknown)?;
    monitoring::install(w, &parts.callbacks, failed)?;
    legacy::install(w, &parts.hooks, failed)?;
    audit::install(w, parts.audit)?;
    collector::install(w, parts.collector, early)?;
    importer::install(w, parts.importer, early)?;
    count_interpreters(w)?;
    set(w, Status::Installed)?;
    w.asm.jmp(done)?;
    w.here(early)?;
    set(w, Status::Early)?;
    w.asm.jmp(done)?;
    monitoring::fail(w, unknown, Status::Calibration, failed)?;
    w.here(failed)?;
    w.call(Function::ClearError)?;
    remove_all(w, &parts.hooks)?;
    w.asm.mov(rax, w.word(Word::Failure))?;
    w.asm.mov(w.word(Word::Status), rax)?;
    w.here(done)?;
    w.end()?;
    Ok(entry)
}

/// Part of a function: notes whether there are more interpreters than the one that it runs in.
fn count_interpreters(w: &mut Writer) -> Written {
    let unknown = w.label();
    for function in [Function::FirstInterpreter, Function::NextInterpreter] {
        w.asm.cmp(qword_ptr(rbx + function.offset()), 0)?;
        w.asm.je(unknown)?;
    }
    w.call(Function::FirstInterpreter)?;
    w.asm.mov(rdi, rax)?;
    w.call(Function::NextInterpreter)?;
    w.asm.mov(w.word(Word::Several), rax)?;
    w.here(unknown)?;
    Ok(())
}

/// `int remove(void *)`: takes out what is installed.
pub(super) fn remove(w: &mut Writer, hooks: &[legacy::Hook; 2]) -> Result<CodeLabel, IcedError> {
    let (entry, done, some) = (w.mark()?, w.label(), w.label());
    w.begin()?;
    for status in [Status::Installed, Status::Early] {
        w.asm.mov(eax, i32::from(status as u8))?;
        become_busy(w)?;
        w.asm.je(some)?;
    }
    w.asm.jmp(done)?;
    w.here(some)?;
    remove_all(w, hooks)?;
    set(w, Status::Removed)?;
    w.here(done)?;
    w.end()?;
    Ok(entry)
}

/// Where the status is the one in `rax`, it becomes [`Status::Busy`] and "equal" is true: without a GIL, two threads may
/// come here at a time.
fn become_busy(w: &mut Writer) -> Written {
    w.asm.mov(ecx, i32::from(Status::Busy as u8))?;
    let status = w.word(Word::Status);
    w.asm.lock().cmpxchg(status, rcx)
}

fn remove_all(w: &mut Writer, hooks: &[legacy::Hook; 2]) -> Written {
    importer::remove(w)?;
    collector::remove(w)?;
    legacy::remove(w, hooks)?;
    monitoring::remove(w)?;
    places::forget(w)
}

fn set(w: &mut Writer, status: Status) -> Written {
    w.asm.mov(w.word(Word::Status), i32::from(status as u8))
}

/// Calls one of those two with the GIL, from a thread that does not have it. [`HOLDS_GIL`]: it has.
///
/// A free-threaded build starts a thread for it: one that has let go of the interpreter may wait for a lock of the
/// interpreter's own, such as that of a pause of all threads, and would wait for itself.
pub(super) fn with_gil(w: &mut Writer, function: CodeLabel) -> Result<CodeLabel, IcedError> {
    let body = attached(w, function)?;
    let (entry, done, own) = (w.mark()?, w.label(), w.label());
    w.asm.push(rbx)?;
    w.load_data()?;
    w.asm
        .cmp(qword_ptr(rbx + Function::StartThread.offset()), 0)?;
    w.asm.je(own)?;
    w.asm.lea(rdi, qword_ptr(body))?;
    w.asm.xor(esi, esi)?;
    w.call(Function::StartThread)?;
    w.asm.xor(eax, eax)?;
    w.asm.jmp(done)?;
    w.here(own)?;
    unless_held(w, done)?;
    w.asm.call(body)?;
    w.here(done)?;
    w.asm.pop(rbx)?;
    w.asm.ret()?;
    Ok(entry)
}

/// Calls a function between PyGILState_Ensure and PyGILState_Release; gives 0.
fn attached(w: &mut Writer, function: CodeLabel) -> Result<CodeLabel, IcedError> {
    let entry = w.mark()?;
    w.asm.push(rbx)?;
    w.asm.push(r12)?;
    w.asm.sub(rsp, 8)?;
    w.load_data()?;
    w.call(Function::EnsureGil)?;
    w.asm.mov(r12d, eax)?;
    w.asm.xor(edi, edi)?;
    w.asm.call(function)?;
    w.asm.mov(edi, r12d)?;
    w.call(Function::ReleaseGil)?;
    w.asm.add(rsp, 8)?;
    w.asm.pop(r12)?;
    w.asm.pop(rbx)?;
    w.asm.xor(eax, eax)?;
    w.asm.ret()?;
    Ok(entry)
}

/// Goes on at `held`, with [`HOLDS_GIL`] in `eax`, where this thread sleeps without having let go of the interpreter:
/// within C code that keeps the GIL.
fn unless_held(w: &mut Writer, held: CodeLabel) -> Written {
    let (older, known) = (w.label(), w.label());
    w.asm
        .cmp(qword_ptr(rbx + Function::HeldThread.offset()), 0)?;
    w.asm.je(older)?;
    w.call(Function::HeldThread)?;
    w.asm.jmp(known)?;
    w.here(older)?;
    w.call(Function::CheckGil)?;
    w.asm.mov(eax, eax)?;
    w.here(known)?;
    w.asm.test(rax, rax)?;
    w.asm.mov(eax, HOLDS_GIL)?;
    w.asm.jnz(held)
}

/// `int queue(int (*function)(void *))`: has the main thread call one of those two as soon as it runs Python code.
/// -1: there is no room at the moment; or [`NOT_READY`].
pub(super) fn queue(w: &mut Writer) -> Result<CodeLabel, IcedError> {
    let (entry, ready) = (w.mark()?, w.label());
    w.asm.push(rbx)?;
    w.asm.push(r12)?;
    w.asm.sub(rsp, 8)?;
    w.load_data()?;
    w.asm.mov(r12, rdi)?;
    w.call(Function::IsInitialized)?;
    w.asm.mov(ecx, eax)?;
    w.asm.mov(eax, NOT_READY)?;
    let done = w.label();
    w.asm.test(ecx, ecx)?;
    w.asm.jnz(ready)?;
    w.asm.jmp(done)?;
    w.here(ready)?;
    w.asm.mov(rdi, r12)?;
    w.asm.xor(esi, esi)?;
    w.call(Function::AddPendingCall)?;
    w.here(done)?;
    w.asm.add(rsp, 8)?;
    w.asm.pop(r12)?;
    w.asm.pop(rbx)?;
    w.asm.ret()?;
    Ok(entry)
}
