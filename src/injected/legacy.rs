//! CPython 3.6 to 3.11: a profile function for the function markers and a trace function for `line`, of the type
//! `int function(PyObject *, PyFrameObject *, int what, PyObject *)`, set for each thread.
//!
//! A thread has room for one of each. Where the program has its own, that stays, and the thread has no markers; when it
//! sets its own later, that replaces ours, until it takes it away again (the tracer sees to that and says so). New threads are caught where they take the GIL for the first time
//! ([`adopt`]).

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::data::{Status, Word};
use super::function::Function;
use super::marker::{Injected, Row};
use super::monitoring::{drop_result, fail};
use super::places::Asked;
use super::site::{self, Shared, Sites};
use super::writer::{Writer, Written};

/// What such a function is called for (`Include/cpython/pystate.h`).
const CALL: i32 = 0;
const LINE: i32 = 2;
const RETURN: i32 = 3;

/// How far into a thread's state its functions are looked for, in bytes.
const RANGE: (i32, i32) = (16, 512);

/// The two kinds of function that a thread may have.
pub(super) struct Hook {
    row: Row,
    function: CodeLabel,
    /// Sets it for the calling thread.
    set: Function,
    /// Sets it for any thread; not there before 3.9.
    set_of: Function,
    /// Gives the program's own.
    get: &'static str,
    /// Where a thread's state has it.
    at: Word,
}

impl Hook {
    /// Where it is.
    pub fn function(&self) -> CodeLabel {
        self.function
    }
}

/// Writes the functions.
pub(super) fn write(
    w: &mut Writer,
    shared: &Shared,
    sites: &mut Sites,
) -> Result<[Hook; 2], IcedError> {
    let calls = [(CALL, Injected::Entry), (RETURN, Injected::Return)];
    let profile = Hook {
        row: Row::Profile,
        function: function(w, shared, sites, Row::Profile, &calls)?,
        set: Function::SetProfile,
        set_of: Function::SetProfileOf,
        get: "getprofile",
        at: Word::ProfileAt,
    };
    let trace = Hook {
        row: Row::Trace,
        function: function(w, shared, sites, Row::Trace, &[(LINE, Injected::Line)])?,
        set: Function::SetTrace,
        set_of: Function::SetTraceOf,
        get: "gettrace",
        at: Word::TraceAt,
    };
    Ok([profile, trace])
}

/// A function that leads to these sites.
fn function(
    w: &mut Writer,
    shared: &Shared,
    sites: &mut Sites,
    row: Row,
    markers: &[(i32, Injected)],
) -> Result<CodeLabel, IcedError> {
    let (entry, done) = (w.mark()?, w.label());
    site::begin(w)?;
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), row.bit())?;
    w.asm.jz(done)?;
    let places: Vec<CodeLabel> = markers.iter().map(|_| w.label()).collect();
    for ((what, _), place) in markers.iter().zip(&places) {
        w.asm.cmp(edx, *what)?;
        w.asm.je(*place)?;
    }
    w.here(done)?;
    w.asm.xor(eax, eax)?;
    site::end(w)?;
    for ((_, marker), place) in markers.iter().zip(places) {
        w.here(place)?;
        code_and_line(w, done)?;
        shared.places.find(w, Asked::Names)?;
        sites.site(w, *marker)?;
        w.asm.jmp(done)?;
    }
    Ok(entry)
}

/// The code object (`r12`) and the line (`r13d`) of the frame in `rsi`, which keeps the code object alive.
fn code_and_line(w: &mut Writer, failed: CodeLabel) -> Written {
    let (old, got, error, done) = (w.label(), w.label(), w.label(), w.label());
    w.asm.mov(r12, rsi)?;
    w.asm.mov(rdi, r12)?;
    w.asm
        .cmp(qword_ptr(rbx + Function::FrameCode.offset()), 0)?;
    w.asm.je(old)?;
    w.call(Function::FrameCode)?;
    w.asm.jmp(got)?;
    w.here(old)?;
    w.text(rsi, "f_code")?;
    w.call(Function::GetAttribute)?;
    w.here(got)?;
    w.if_null(error)?;
    w.asm.mov(qword_ptr(rsp), rax)?;
    w.release()?;
    w.asm.mov(rdi, r12)?;
    w.call(Function::FrameLine)?;
    w.asm.mov(r13d, eax)?;
    w.asm.mov(r12, qword_ptr(rsp))?;
    w.asm.jmp(done)?;
    w.here(error)?;
    w.call(Function::ClearError)?;
    w.asm.jmp(failed)?;
    w.here(done)?;
    Ok(())
}

/// Part of a function (see [`Writer::begin`]): sets what is wanted for all threads; goes on at `failed` with the status
/// set where the program has its own for this one.
pub(super) fn install(w: &mut Writer, hooks: &[Hook; 2], failed: CodeLabel) -> Written {
    for hook in hooks {
        let (next, taken) = (w.label(), w.label());
        w.asm
            .test(dword_ptr(rbx + Word::Wanted.offset()), hook.row.bit())?;
        w.asm.jz(next)?;
        w.asm.cmp(w.word(hook.at), 0)?;
        w.asm.jne(next)?; // it is set already
        refuse_taken(w, hook, taken)?;
        w.asm.lea(rdi, qword_ptr(hook.function))?;
        w.asm.xor(esi, esi)?;
        w.call(hook.set)?;
        find(w, hook)?;
        each_thread(w, |w, skip| {
            // What another thread has of its own stays.
            w.asm.mov(rax, w.word(hook.at))?;
            w.asm.test(rax, rax)?;
            w.asm.jz(skip)?;
            w.asm.cmp(qword_ptr(r13 + rax), 0)?;
            w.asm.jne(skip)?;
            w.asm.lea(r12, qword_ptr(hook.function))?;
            set(w, hook)
        })?;
        w.asm.jmp(next)?;
        fail(w, taken, Status::Taken, failed)?;
        w.here(next)?;
    }
    Ok(())
}

/// Goes on at `taken` where the calling thread has a function of the program's.
fn refuse_taken(w: &mut Writer, hook: &Hook, taken: CodeLabel) -> Written {
    w.text(rdi, "modules")?;
    w.call(Function::SysGetObject)?;
    w.if_null(taken)?;
    let (free, unknown) = (w.label(), w.label());
    w.asm.mov(rdi, rax)?;
    w.text(rsi, "sys")?;
    w.call(Function::GetItem)?;
    w.if_null(unknown)?;
    w.asm.mov(r12, rax)?;
    w.asm.mov(rdi, rax)?;
    w.text(rsi, hook.get)?;
    w.asm.xor(edx, edx)?;
    w.call(Function::CallMethod)?;
    w.asm.mov(r13, rax)?;
    drop_result(w)?;
    w.asm.mov(rdi, r12)?;
    w.call(Function::Release)?;
    w.object(rax, Function::None)?;
    w.asm.cmp(r13, rax)?;
    w.asm.je(free)?;
    w.asm.jmp(taken)?;
    // `sys` is not complete yet: nobody can have set anything.
    w.here(unknown)?;
    w.call(Function::ClearError)?;
    w.here(free)?;
    Ok(())
}

/// Where the calling thread's state has the function that was just set.
fn find(w: &mut Writer, hook: &Hook) -> Written {
    let (again, found) = (w.label(), w.label());
    w.call(Function::CurrentThread)?;
    w.asm.lea(rdx, qword_ptr(hook.function))?;
    w.asm.mov(ecx, RANGE.0)?;
    w.here(again)?;
    w.asm.cmp(qword_ptr(rax + rcx), rdx)?;
    w.asm.je(found)?;
    w.asm.add(ecx, 8)?;
    w.asm.cmp(ecx, RANGE.1)?;
    w.asm.jb(again)?;
    // Not found: then no other thread is touched.
    w.asm.xor(ecx, ecx)?;
    w.here(found)?;
    w.asm.mov(w.word(hook.at), rcx)
}

/// Does something for each thread of each interpreter: its state is in `r13`. What is done may use `r12` and `r15`.
fn each_thread(w: &mut Writer, body: impl FnOnce(&mut Writer, CodeLabel) -> Written) -> Written {
    let (interpreters, threads, skip) = (w.label(), w.label(), w.label());
    let (next, done) = (w.label(), w.label());
    w.call(Function::FirstInterpreter)?;
    w.asm.mov(r14, rax)?;
    w.here(interpreters)?;
    w.asm.test(r14, r14)?;
    w.asm.jz(done)?;
    w.asm.mov(rdi, r14)?;
    w.call(Function::FirstThread)?;
    w.asm.mov(r13, rax)?;
    w.here(threads)?;
    w.asm.test(r13, r13)?;
    w.asm.jz(next)?;
    body(w, skip)?;
    w.here(skip)?;
    w.asm.mov(rdi, r13)?;
    w.call(Function::NextThread)?;
    w.asm.mov(r13, rax)?;
    w.asm.jmp(threads)?;
    w.here(next)?;
    w.asm.mov(rdi, r14)?;
    w.call(Function::NextInterpreter)?;
    w.asm.mov(r14, rax)?;
    w.asm.jmp(interpreters)?;
    w.here(done)?;
    Ok(())
}

/// Sets the function in `r12` (NULL: none) for the thread whose state is in `r13`. Before 3.9 that is possible only for
/// the current thread: so the other one is made the current one for a moment.
fn set(w: &mut Writer, hook: &Hook) -> Written {
    let (old, done) = (w.label(), w.label());
    w.asm.cmp(qword_ptr(rbx + hook.set_of.offset()), 0)?;
    w.asm.je(old)?;
    w.asm.mov(rdi, r13)?;
    w.asm.mov(rsi, r12)?;
    w.asm.xor(edx, edx)?;
    w.call(hook.set_of)?;
    w.asm.test(eax, eax)?;
    w.asm.jz(done)?;
    w.call(Function::ClearError)?;
    w.asm.jmp(done)?;
    w.here(old)?;
    w.asm.mov(rdi, r13)?;
    w.call(Function::SwapThread)?;
    w.asm.mov(r15, rax)?;
    w.asm.mov(rdi, r12)?;
    w.asm.xor(esi, esi)?;
    w.call(hook.set)?;
    w.asm.mov(rdi, r15)?;
    w.call(Function::SwapThread)?;
    w.here(done)?;
    Ok(())
}

/// Part of a function: takes ours away from each thread that has it.
pub(super) fn remove(w: &mut Writer, hooks: &[Hook; 2]) -> Written {
    for hook in hooks {
        let next = w.label();
        w.asm.cmp(w.word(hook.at), 0)?;
        w.asm.je(next)?;
        each_thread(w, |w, skip| {
            w.asm.mov(rax, w.word(hook.at))?;
            w.asm.lea(rdx, qword_ptr(hook.function))?;
            w.asm.cmp(qword_ptr(r13 + rax), rdx)?;
            w.asm.jne(skip)?;
            w.asm.xor(r12d, r12d)?;
            set(w, hook)
        })?;
        w.asm.mov(w.word(hook.at), 0)?;
        w.here(next)?;
    }
    Ok(())
}

/// The first instruction of PyEval_AcquireThread, which the tracer's breakpoint covers, and where that goes on. It is
/// one that does the same anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displaced {
    /// The instruction; empty for one that does nothing.
    pub instruction: Vec<u8>,
    /// The address behind it.
    pub behind: u64,
}

/// Where a new thread is sent when it calls `PyEval_AcquireThread`: it does so, and then, with the GIL, sets what is
/// wanted for itself.
pub(super) fn adopt(
    w: &mut Writer,
    hooks: &[Hook; 2],
    displaced: &Displaced,
) -> Result<CodeLabel, IcedError> {
    let acquire = w.mark()?;
    if !displaced.instruction.is_empty() {
        w.asm.db(&displaced.instruction)?;
    }
    w.asm.mov(r11, displaced.behind)?;
    w.asm.jmp(r11)?;
    let entry = w.mark()?;
    w.asm.push(rbx)?;
    w.load_data()?;
    w.asm.call(acquire)?;
    for hook in hooks {
        let next = w.label();
        w.asm.cmp(w.word(hook.at), 0)?;
        w.asm.je(next)?; // nobody has it
        w.asm
            .test(dword_ptr(rbx + Word::Wanted.offset()), hook.row.bit())?;
        w.asm.jz(next)?;
        w.asm.lea(rdi, qword_ptr(hook.function))?;
        w.asm.xor(esi, esi)?;
        w.call(hook.set)?;
        w.here(next)?;
    }
    w.asm.pop(rbx)?;
    w.asm.ret()?;
    Ok(entry)
}
