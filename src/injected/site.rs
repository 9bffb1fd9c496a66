//! The sites: for each marker a piece of code that puts the arguments where [`Injected::arguments`] says and runs over
//! a nop. That nop is to the tracer what a marker's nop is in a build that has markers.

use iced_x86::code_asm::*;

use super::data::Word;
use super::function::Function;
use super::marker::Injected;
use super::writer::{Writer, Written};

/// The sites that were written.
#[derive(Default)]
pub(super) struct Sites(Vec<(Injected, CodeLabel)>);

impl Sites {
    /// A site, here.
    pub fn site(&mut self, w: &mut Writer, marker: Injected) -> Written {
        let label = w.mark()?;
        self.0.push((marker, label));
        w.asm.nop()?;
        // With the nop, the room of a jump.
        w.asm.db(&[0x0f, 0x1f, 0x40, 0x00])
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Injected, CodeLabel)> {
        self.0.iter().copied()
    }
}

/// Begins a callback: `rbx`, `r12` and `r13` may be used, and two words at the stack pointer.
pub(super) fn begin(w: &mut Writer) -> Written {
    w.asm.push(rbx)?;
    w.asm.push(r12)?;
    w.asm.push(r13)?;
    w.asm.sub(rsp, 16)?;
    w.load_data()
}

/// Ends a callback; `rax` is its result.
pub(super) fn end(w: &mut Writer) -> Written {
    w.asm.add(rsp, 16)?;
    w.asm.pop(r13)?;
    w.asm.pop(r12)?;
    w.asm.pop(rbx)?;
    w.asm.ret()
}

/// The functions that the sites share.
pub(super) struct Shared {
    text: CodeLabel,
}

impl Shared {
    /// Writes them.
    pub fn write(w: &mut Writer) -> Result<Shared, iced_x86::IcedError> {
        Ok(Shared { text: text(w)? })
    }

    /// The bytes of the string object in `rdi`: their address comes into `rax`.
    pub fn text_of(&self, w: &mut Writer) -> Written {
        w.asm.call(self.text)
    }

    /// In a callback: a code object's file and name (`r12`) and a line (`r13d`) come to where the sites of function
    /// markers have them.
    pub fn code_place(&self, w: &mut Writer) -> Written {
        self.field(w, Word::CodeFile)?;
        w.asm.mov(qword_ptr(rsp), rax)?;
        self.field(w, Word::CodeName)?;
        w.asm.mov(rdi, qword_ptr(rsp))?;
        w.asm.mov(rsi, rax)?;
        w.asm.mov(edx, r13d)
    }

    /// The text of a field of the code object in `r12`.
    fn field(&self, w: &mut Writer, offset: Word) -> Written {
        w.asm.mov(rax, w.word(offset))?;
        w.asm.mov(rdi, qword_ptr(r12 + rax))?;
        self.text_of(w)
    }
}

/// The UTF-8 text of the string object in `rdi`; `?` for one that has none (lone surrogates).
fn text(w: &mut Writer) -> Result<CodeLabel, iced_x86::IcedError> {
    let (entry, none) = (w.mark()?, w.label());
    w.asm.sub(rsp, 8)?;
    w.call(Function::AsUtf8)?;
    w.if_null(none)?;
    w.asm.add(rsp, 8)?;
    w.asm.ret()?;
    w.here(none)?;
    w.call(Function::ClearError)?;
    w.text(rax, "?")?;
    w.asm.add(rsp, 8)?;
    w.asm.ret()?;
    Ok(entry)
}
