//! The sites: for each marker a piece of code that puts the arguments where [`Injected::arguments`] says and runs over
//! a nop. That nop is to the tracer what a marker's nop is in a build that has markers.

use iced_x86::code_asm::*;

use super::function::Function;
use super::marker::Injected;
use super::places::Places;
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

/// What a callback may use besides what any function may, in the order in which it is saved.
const SAVED: [AsmRegister64; 6] = [rbx, rbp, r12, r13, r14, r15];
/// The room on the stack for its own use, in bytes.
const LOCALS: i32 = 24;

/// Begins a callback: [`SAVED`] may be used, and three words at the stack pointer.
pub(super) fn begin(w: &mut Writer) -> Written {
    for register in SAVED {
        w.asm.push(register)?;
    }
    w.asm.sub(rsp, LOCALS)?;
    w.load_data()
}

/// Ends a callback; `rax` is its result.
pub(super) fn end(w: &mut Writer) -> Written {
    w.asm.add(rsp, LOCALS)?;
    for register in SAVED.into_iter().rev() {
        w.asm.pop(register)?;
    }
    w.asm.ret()
}

/// The functions that the sites share.
pub(super) struct Shared {
    text: CodeLabel,
    /// The names and lines of code objects.
    pub places: Places,
}

impl Shared {
    /// Writes them.
    pub fn write(w: &mut Writer) -> Result<Shared, iced_x86::IcedError> {
        let text = text(w)?;
        Ok(Shared {
            text,
            places: Places::write(w, text)?,
        })
    }

    /// The bytes of the string object in `rdi`: their address comes into `rax`.
    pub fn text_of(&self, w: &mut Writer) -> Written {
        w.asm.call(self.text)
    }
}

/// The UTF-8 text of the string object in `rdi`, with 1 in `edx`; `?` for one that has none (lone surrogates), with 0.
fn text(w: &mut Writer) -> Result<CodeLabel, iced_x86::IcedError> {
    let (entry, none) = (w.mark()?, w.label());
    w.asm.sub(rsp, 8)?;
    w.call(Function::AsUtf8)?;
    w.if_null(none)?;
    w.asm.mov(edx, 1)?;
    w.asm.add(rsp, 8)?;
    w.asm.ret()?;
    w.here(none)?;
    w.call(Function::ClearError)?;
    w.text(rax, "?")?;
    w.asm.xor(edx, edx)?;
    w.asm.add(rsp, 8)?;
    w.asm.ret()?;
    Ok(entry)
}
