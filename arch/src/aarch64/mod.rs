//! aarch64: operands as GCC and LLVM print them, `brk`, and its one nop.

mod operand;
mod registers;

use std::fmt;

use crate::arg::ArgSpec;
use crate::error::ArgError;
use crate::location::Location;
use crate::registers::{Register, Registers};
use crate::{Arch, HookStep, parse};

/// `EM_AARCH64` of the ELF header.
const EM_AARCH64: u16 = 183;

/// Instructions (Arm Architecture Reference Manual, C6): `nop`, `ret` through x30, and `bti`, whose two bits say
/// from where the landing pad may be reached.
const NOP: u32 = 0xd503_201f;
const RET: u32 = 0xd65f_03c0;
const BTI: u32 = 0xd503_241f;
const BTI_TARGETS: u32 = 0x0000_00c0;

/// The 64-bit Arm CPU, little endian; its one value is [`crate::AARCH64`].
#[derive(Debug)]
pub struct Cpu;

impl Arch for Cpu {
    fn name(&self) -> &'static str {
        "aarch64"
    }

    fn elf_machine(&self) -> u16 {
        EM_AARCH64
    }

    fn parse_each(&self, specs: &str) -> Result<Vec<Result<ArgSpec, ArgError>>, ArgError> {
        parse::arguments(&crate::AARCH64, operand::parse, specs)
    }

    fn register(&self, name: &str) -> Option<Register> {
        registers::by_name(name)
    }

    fn write_operand(&self, out: &mut fmt::Formatter<'_>, location: &Location) -> fmt::Result {
        operand::write(out, location)
    }

    /// `brk #0`.
    fn breakpoint(&self) -> &'static [u8] {
        &[0x00, 0x00, 0x20, 0xd4]
    }

    fn nop_len(&self, code: &[u8]) -> Option<usize> {
        (instruction(code)? == NOP).then_some(4)
    }

    fn pc_index(&self) -> usize {
        registers::PC.word()
    }

    fn sp_index(&self) -> usize {
        registers::SP.word()
    }

    /// AAPCS64: eight registers, then the stack.
    fn call_arguments(&self) -> &'static str {
        "-8@x0 -8@x1 -8@x2 -8@x3 -8@x4 -8@x5 -8@x6 -8@x7 -8@[sp] -8@[sp, 8]"
    }

    /// `bl` or `blr`.
    fn may_end_with_call(&self, code: &[u8]) -> bool {
        code.last_chunk().is_some_and(|last| {
            let word = u32::from_le_bytes(*last);
            word & 0xfc00_0000 == 0x9400_0000 || word & 0xffff_fc1f == 0xd63f_0000
        })
    }

    /// Not done for this CPU.
    fn relocate(&self, _: &[u8], _: u64, _: u64) -> Option<Vec<u8>> {
        None
    }

    /// x29.
    fn frame_pointer_index(&self) -> usize {
        29
    }

    /// 0: `brk` is reported at its own address.
    fn pc_after_breakpoint(&self) -> u64 {
        0
    }

    /// `svc #0`.
    fn system_call(&self) -> &'static [u8] {
        &[0x01, 0x00, 0x00, 0xd4]
    }

    /// x8; x0 to x5 (syscall(2)).
    fn prepare_system_call(
        &self,
        registers: &mut Registers,
        at: u64,
        number: u64,
        arguments: &[u64],
    ) {
        let values = (0..6).zip(arguments.iter().copied());
        let rest = [(8, number), (registers::PC.word(), at)];
        for (word, value) in values.chain(rest) {
            if let Some(word) = registers.general.get_mut(word) {
                *word = value;
            }
        }
    }

    /// x0.
    fn result_word(&self) -> usize {
        0
    }

    /// x0 to x7 (AAPCS64).
    fn argument_words(&self) -> &'static [usize] {
        &[0, 1, 2, 3, 4, 5, 6, 7]
    }

    fn hook_step(&self, code: &[u8]) -> Option<HookStep> {
        match instruction(code)? {
            NOP => Some(HookStep::Nop(4)),
            RET => Some(HookStep::Return(0)),
            word if word & !BTI_TARGETS == BTI => Some(HookStep::Nop(4)),
            _ => None,
        }
    }
}

/// The instruction at `code[0]`: instructions are little endian whatever the data are.
fn instruction(code: &[u8]) -> Option<u32> {
    code.first_chunk::<4>()
        .map(|bytes| u32::from_le_bytes(*bytes))
}
