//! Writes the agent's machine code: what every function of it does in the same way.
//!
//! All of them keep the address of the data page in `rbx`, so that `qword_ptr(rbx + …)` is a word of it. None uses
//! anything but general registers, and each keeps the stack aligned to 16 bytes where it calls (System V ABI).

use iced_x86::code_asm::*;
use iced_x86::{BlockEncoderOptions, Code, IcedError, Instruction, MemoryOperand, Register};

use super::data::{DATA_LENGTH, Word};
use super::function::Function;

/// Where the data is taken to be.
const DATA: i64 = 0;

/// What writing gives: an error is a mistake in the generator, or an address out of reach.
pub(super) type Written = Result<(), IcedError>;

/// An assembler that knows the agent's data.
pub(super) struct Writer {
    /// The assembler.
    pub asm: CodeAssembler,
    texts: Vec<(CodeLabel, &'static str)>,
}

/// The words of the stack that [`Writer::begin`] makes for the function's own use, in bytes from the stack pointer.
pub(super) const ERROR: i32 = 0;
/// The one that is free.
pub(super) const LOCAL: i32 = 24;

impl Writer {
    /// Nothing is written yet.
    pub fn new() -> Result<Writer, IcedError> {
        Ok(Writer {
            asm: CodeAssembler::new(64)?,
            texts: Vec::new(),
        })
    }

    /// A label for somewhere later.
    pub fn label(&mut self) -> CodeLabel {
        self.asm.create_label()
    }

    /// Here is where a label is.
    pub fn here(&mut self, mut label: CodeLabel) -> Result<CodeLabel, IcedError> {
        // Two labels may fall together.
        self.asm.zero_bytes()?;
        self.asm.set_label(&mut label)?;
        Ok(label)
    }

    /// A new label, here.
    pub fn mark(&mut self) -> Result<CodeLabel, IcedError> {
        let label = self.label();
        self.here(label)
    }

    /// Looks for a word in an object, from one offset up to another; its offset is in `ecx` at `found`.
    pub fn search(
        &mut self,
        object: AsmRegister64,
        word: AsmRegister64,
        (from, to): (i32, i32),
        found: CodeLabel,
    ) -> Written {
        self.asm.mov(ecx, from)?;
        let again = self.mark()?;
        self.asm.cmp(qword_ptr(object + rcx), word)?;
        self.asm.je(found)?;
        self.asm.add(ecx, 8)?;
        self.asm.cmp(ecx, to)?;
        self.asm.jb(again)
    }

    /// Loads the address of the data page.
    pub fn load_data(&mut self) -> Written {
        let data = MemoryOperand::with_base_displ_size(Register::RIP, DATA, 8);
        let load = Instruction::with2(Code::Lea_r64_m, Register::RBX, data)?;
        self.asm.add_instruction(load)
    }

    /// A word of the data.
    pub fn word(&self, word: Word) -> AsmMemoryOperand {
        qword_ptr(rbx + word.offset())
    }

    /// Puts the address of a string constant into a register.
    pub fn text(&mut self, register: AsmRegister64, text: &'static str) -> Written {
        let label = match self.texts.iter().find(|(_, known)| *known == text) {
            Some((label, _)) => *label,
            None => {
                let label = self.asm.create_label();
                self.texts.push((label, text));
                label
            }
        };
        self.asm.lea(register, qword_ptr(label))
    }

    /// Calls a function of the C API. `al` is 0, as functions with variable arguments want it.
    pub fn call(&mut self, function: Function) -> Written {
        self.asm.xor(eax, eax)?;
        self.asm.call(qword_ptr(rbx + function.offset()))
    }

    /// The address of an object of the C API.
    pub fn object(&mut self, register: AsmRegister64, object: Function) -> Written {
        self.asm.mov(register, qword_ptr(rbx + object.offset()))
    }

    /// Drops the reference in `rax`.
    pub fn release(&mut self) -> Written {
        self.asm.mov(rdi, rax)?;
        self.call(Function::Release)
    }

    /// Goes on at `to` where `rax` is NULL.
    pub fn if_null(&mut self, to: CodeLabel) -> Written {
        self.asm.test(rax, rax)?;
        self.asm.jz(to)
    }

    /// Begins a function that may use `rbx` and `r12` to `r15`, and sets aside an exception that is on its way.
    pub fn begin(&mut self) -> Written {
        for register in [rbx, r12, r13, r14, r15] {
            self.asm.push(register)?;
        }
        self.asm.sub(rsp, 32)?;
        self.load_data()?;
        for (register, word) in [(rdi, 0), (rsi, 8), (rdx, 16)] {
            self.asm.lea(register, qword_ptr(rsp + (ERROR + word)))?;
        }
        self.call(Function::FetchError)
    }

    /// Ends such a function, with the result 0.
    pub fn end(&mut self) -> Written {
        for (register, word) in [(rdi, 0), (rsi, 8), (rdx, 16)] {
            self.asm.mov(register, qword_ptr(rsp + (ERROR + word)))?;
        }
        self.call(Function::RestoreError)?;
        self.asm.add(rsp, 32)?;
        for register in [r15, r14, r13, r12, rbx] {
            self.asm.pop(register)?;
        }
        self.asm.xor(eax, eax)?;
        self.asm.ret()
    }

    /// Writes the constants behind the code and gives the whole, as it is behind data at [`DATA`]; it is the same
    /// wherever both lie.
    pub fn finish(mut self) -> Result<CodeAssemblerResult, IcedError> {
        for (mut label, text) in std::mem::take(&mut self.texts) {
            self.asm.set_label(&mut label)?;
            let bytes: Vec<u8> = text.bytes().chain([0]).collect();
            self.asm.db(&bytes)?;
        }
        let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
        let at = DATA.unsigned_abs().saturating_add(DATA_LENGTH);
        self.asm.assemble_options(at, options)
    }
}
