//! Putting the callbacks into `sys.monitoring` (PEP 669), and taking them out.

use iced_x86::code_asm::*;

use super::callbacks::Callbacks;
use super::data::{self, Status, Word};
use super::function::Function;
use super::marker::Row;
use super::writer::{Writer, Written};

/// The flag of a function that takes its arguments as an array (METH_FASTCALL).
pub(super) const METH_FASTCALL: i32 = 0x80;

/// The highest id that a tool may ask for without taking one that is reserved; 5 is the optimizer's.
const HIGHEST_TOOL: i32 = 4;

/// The rows that need `sys.monitoring`.
fn monitored() -> i32 {
    Row::MONITORED.iter().fold(0, |bits, row| bits | row.bit())
}

/// Part of a function (see [`Writer::begin`]): registers what is wanted, goes on at `failed` with the status set where
/// it cannot.
pub(super) fn install(w: &mut Writer, callbacks: &Callbacks, failed: CodeLabel) -> Written {
    let (done, absent, refused) = (w.label(), w.label(), w.label());
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), monitored())?;
    w.asm.jz(done)?;
    w.asm.cmp(w.word(Word::Events), 0)?;
    w.asm.jne(done)?; // it is registered already
    module(w, absent)?;
    take_tool(w, failed)?;
    w.asm.mov(rdi, r12)?;
    w.text(rsi, "events")?;
    w.call(Function::GetAttribute)?;
    w.if_null(refused)?;
    w.asm.mov(r14, rax)?;
    w.asm.mov(w.word(Word::Events), 0)?;
    for (row, callback) in callbacks {
        register(w, *row, *callback, refused)?;
    }
    w.asm.mov(rdi, r14)?;
    w.call(Function::Release)?;
    w.asm.mov(r8, w.word(Word::Events))?;
    set_events(w)?;
    w.if_null(refused)?;
    w.release()?;
    w.asm.jmp(done)?;
    fail(w, absent, Status::NoMonitoring, failed)?;
    fail(w, refused, Status::Refused, failed)?;
    w.here(done)?;
    Ok(())
}

/// A place that notes why it failed; the status becomes that when all is taken out again.
pub(super) fn fail(w: &mut Writer, here: CodeLabel, status: Status, failed: CodeLabel) -> Written {
    w.here(here)?;
    w.asm.mov(w.word(Word::Failure), i32::from(status as u8))?;
    w.asm.jmp(failed)
}

/// `sys.monitoring` and its DISABLE; the former stays in `r12`.
fn module(w: &mut Writer, absent: CodeLabel) -> Written {
    w.text(rdi, "monitoring")?;
    w.call(Function::SysGetObject)?;
    w.if_null(absent)?;
    w.asm.mov(r12, rax)?;
    w.asm.mov(w.word(Word::Monitoring), rax)?;
    w.asm.mov(rdi, r12)?;
    w.text(rsi, "DISABLE")?;
    w.call(Function::GetAttribute)?;
    w.if_null(absent)?;
    w.asm.mov(w.word(Word::Disable), rax)
}

/// Takes the highest tool id that is free.
fn take_tool(w: &mut Writer, failed: CodeLabel) -> Written {
    let (taken, again, none) = (w.label(), w.label(), w.label());
    w.asm.mov(r13d, HIGHEST_TOOL)?;
    w.here(again)?;
    w.asm.mov(rdi, r12)?;
    w.text(rsi, "use_tool_id")?;
    w.text(rdx, "is")?;
    w.asm.mov(ecx, r13d)?;
    w.text(r8, "ptpytrace")?;
    w.call(Function::CallMethod)?;
    w.asm.test(rax, rax)?;
    w.asm.jnz(taken)?;
    w.call(Function::ClearError)?;
    w.asm.dec(r13d)?;
    w.asm.jns(again)?;
    w.asm.mov(w.word(Word::Tool), -1)?;
    fail(w, none, Status::NoTool, failed)?;
    w.here(taken)?;
    w.release()?;
    w.asm.mov(w.word(Word::Tool), r13)
}

/// Registers the callback of an event if it is wanted and this version has the event: its number is looked up by name
/// (`r14` is `sys.monitoring.events`), numbers have moved between versions.
fn register(w: &mut Writer, row: Row, callback: CodeLabel, refused: CodeLabel) -> Written {
    let (next, absent) = (w.label(), w.label());
    w.asm
        .test(dword_ptr(rbx + Word::Wanted.offset()), row.bit())?;
    w.asm.jz(next)?;
    w.asm.mov(rdi, r14)?;
    w.text(rsi, row.event())?;
    w.call(Function::GetAttribute)?;
    w.if_null(absent)?;
    w.asm.mov(r13, rax)?;
    w.asm.mov(rdi, rax)?;
    w.call(Function::AsLong)?;
    w.asm.mov(r15, rax)?;
    w.asm.mov(rdi, r13)?;
    w.call(Function::Release)?;
    new_function(w, row, callback, METH_FASTCALL)?;
    w.if_null(refused)?;
    w.asm.mov(r9, rax)?;
    w.asm.mov(r8, r15)?;
    register_callback(w)?;
    w.if_null(refused)?;
    w.release()?;
    w.asm.mov(qword_ptr(rbx + data::event(row)), r15)?;
    w.asm.or(w.word(Word::Events), r15)?;
    w.asm.jmp(next)?;
    w.here(absent)?;
    w.call(Function::ClearError)?;
    w.here(next)?;
    Ok(())
}

/// Makes the callable object of a row; it comes into `rax`, NULL where that failed.
pub(super) fn new_function(w: &mut Writer, row: Row, function: CodeLabel, flags: i32) -> Written {
    let place = data::definition(row);
    w.text(rax, "ptpytrace")?;
    w.asm.mov(qword_ptr(rbx + place), rax)?;
    w.asm.lea(rax, qword_ptr(function))?;
    w.asm.mov(qword_ptr(rbx + (place + 8)), rax)?;
    w.asm.mov(qword_ptr(rbx + (place + 16)), flags)?;
    w.asm.lea(rdi, qword_ptr(rbx + place))?;
    w.asm.xor(esi, esi)?;
    w.asm.xor(edx, edx)?;
    w.call(Function::NewFunction)?;
    w.asm.mov(qword_ptr(rbx + data::callable(row)), rax)?;
    match flags {
        METH_FASTCALL => call_directly(w, row, function),
        _ => Ok(()),
    }
}

/// Where a callable object of that kind may have its `vectorcall`, in bytes.
const VECTORCALL: (i32, i32) = (16, 72);

/// Has CPython call the function of the object in `rax`, which stays there, without the one between that adapts
/// conventions: for the first three arguments they are the same. That one's address is found in the object.
fn call_directly(w: &mut Writer, row: Row, function: CodeLabel) -> Written {
    let (done, found) = (w.label(), w.label());
    w.if_null(done)?;
    w.asm
        .cmp(qword_ptr(rbx + Function::VectorcallOf.offset()), 0)?;
    w.asm.je(done)?;
    w.asm.mov(rdi, rax)?;
    w.call(Function::VectorcallOf)?;
    w.asm.mov(rdx, rax)?;
    w.asm.mov(rax, qword_ptr(rbx + data::callable(row)))?;
    w.asm.test(rdx, rdx)?;
    w.asm.jz(done)?;
    w.search(rax, rdx, VECTORCALL, found)?;
    w.asm.jmp(done)?;
    w.here(found)?;
    w.asm.lea(rdx, qword_ptr(function))?;
    w.asm.mov(qword_ptr(rax + rcx), rdx)?;
    w.here(done)?;
    Ok(())
}

/// `register_callback(tool, r8, r9)`.
fn register_callback(w: &mut Writer) -> Written {
    w.asm.mov(rdi, w.word(Word::Monitoring))?;
    w.text(rsi, "register_callback")?;
    w.text(rdx, "iiO")?;
    w.asm.mov(rcx, w.word(Word::Tool))?;
    w.call(Function::CallMethod)
}

/// `set_events(tool, r8)`.
fn set_events(w: &mut Writer) -> Written {
    w.asm.mov(rdi, w.word(Word::Monitoring))?;
    w.text(rsi, "set_events")?;
    w.text(rdx, "ii")?;
    w.asm.mov(rcx, w.word(Word::Tool))?;
    w.call(Function::CallMethod)
}

/// Part of a function: takes everything out again. What fails is left.
pub(super) fn remove(w: &mut Writer) -> Written {
    let done = w.label();
    w.asm.cmp(w.word(Word::Monitoring), 0)?;
    w.asm.je(done)?;
    w.asm.cmp(w.word(Word::Tool), 0)?;
    w.asm.jl(done)?;
    w.asm.xor(r8d, r8d)?;
    set_events(w)?;
    drop_result(w)?;
    for row in Row::MONITORED {
        let next = w.label();
        w.asm.mov(r8, qword_ptr(rbx + data::event(row)))?;
        w.asm.test(r8, r8)?;
        w.asm.jz(next)?;
        w.object(r9, Function::None)?;
        register_callback(w)?;
        drop_result(w)?;
        w.asm.mov(qword_ptr(rbx + data::event(row)), 0)?;
        w.here(next)?;
        drop_function(w, row)?;
    }
    w.asm.mov(rdi, w.word(Word::Monitoring))?;
    w.text(rsi, "free_tool_id")?;
    w.text(rdx, "i")?;
    w.asm.mov(rcx, w.word(Word::Tool))?;
    w.call(Function::CallMethod)?;
    drop_result(w)?;
    w.asm.mov(w.word(Word::Tool), -1)?;
    w.asm.mov(w.word(Word::Events), 0)?;
    restart(w)?;
    w.asm.mov(rdi, w.word(Word::Disable))?;
    w.call(Function::Release)?;
    w.here(done)?;
    Ok(())
}

/// What was disabled stays so for whoever has the tool's id next: where there is such a thing, all is set anew, for other
/// tools as well.
fn restart(w: &mut Writer) -> Written {
    let none = w.label();
    w.asm.cmp(w.word(Word::Disabled), 0)?;
    w.asm.je(none)?;
    w.asm.mov(w.word(Word::Disabled), 0)?;
    w.asm.mov(rdi, w.word(Word::Monitoring))?;
    w.text(rsi, "restart_events")?;
    w.asm.xor(edx, edx)?;
    w.call(Function::CallMethod)?;
    drop_result(w)?;
    w.here(none)?;
    Ok(())
}

/// Drops the callable object of a row, if there is one.
pub(super) fn drop_function(w: &mut Writer, row: Row) -> Written {
    let none = w.label();
    w.asm.mov(rdi, qword_ptr(rbx + data::callable(row)))?;
    w.asm.test(rdi, rdi)?;
    w.asm.jz(none)?;
    w.asm.mov(qword_ptr(rbx + data::callable(row)), 0)?;
    w.call(Function::Release)?;
    w.here(none)?;
    Ok(())
}

/// Drops the result in `rax`, or the exception.
pub(super) fn drop_result(w: &mut Writer) -> Written {
    let (error, done) = (w.label(), w.label());
    w.if_null(error)?;
    w.release()?;
    w.asm.jmp(done)?;
    w.here(error)?;
    w.call(Function::ClearError)?;
    w.here(done)?;
    Ok(())
}
