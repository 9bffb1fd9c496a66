//! x86-64: AT&T operands, `int3`, and the many encodings of its nop.

pub mod displace;
pub mod flow;
mod nop;
mod operand;
mod prologue;
mod registers;
mod relocate;

use std::fmt;

use crate::arg::ArgSpec;
use crate::error::ArgError;
use crate::location::Location;
use crate::registers::{Register, Registers};
use crate::{Arch, HookStep, parse};

/// `EM_X86_64` of the ELF header.
const EM_X86_64: u16 = 62;

/// The x86-64 CPU; its one value is [`crate::X86_64`].
#[derive(Debug)]
pub struct Cpu;

impl Arch for Cpu {
    fn name(&self) -> &'static str {
        "x86-64"
    }

    fn elf_machine(&self) -> u16 {
        EM_X86_64
    }

    fn parse_each(&self, specs: &str) -> Result<Vec<Result<ArgSpec, ArgError>>, ArgError> {
        parse::arguments(&crate::X86_64, operand::parse, specs)
    }

    fn register(&self, name: &str) -> Option<Register> {
        registers::by_name(name)
    }

    fn write_operand(&self, out: &mut fmt::Formatter<'_>, location: &Location) -> fmt::Result {
        operand::write(out, location)
    }

    fn breakpoint(&self) -> &'static [u8] {
        &[0xcc]
    }

    fn nop_len(&self, code: &[u8]) -> Option<usize> {
        nop::length(code)
    }

    fn pc_index(&self) -> usize {
        registers::RIP.word()
    }

    fn sp_index(&self) -> usize {
        registers::RSP.word()
    }

    /// rbp.
    fn frame_pointer_index(&self) -> usize {
        4
    }

    /// 1: `int3` is a trap, reported behind the instruction.
    fn pc_after_breakpoint(&self) -> u64 {
        1
    }

    fn hook_step(&self, code: &[u8]) -> Option<HookStep> {
        match code {
            // endbr64
            [0xf3, 0x0f, 0x1e, 0xfa, ..] => Some(HookStep::Nop(4)),
            // ret; rep ret (padding for old AMD CPUs); bnd ret (MPX, a plain ret without it)
            [0xc3, ..] | [0xf3 | 0xf2, 0xc3, ..] => Some(HookStep::Return(0)),
            // ret imm16
            [0xc2, low, high, ..] => Some(HookStep::Return(u16::from_le_bytes([*low, *high]))),
            _ => nop::length(code)
                .map(HookStep::Nop)
                .or_else(|| prologue::step(code)),
        }
    }

    fn system_call(&self) -> &'static [u8] {
        &[0x0f, 0x05]
    }

    /// rax; rdi, rsi, rdx, r10, r8, r9 (syscall(2)). orig_rax -1: in no system call.
    fn prepare_system_call(
        &self,
        registers: &mut Registers,
        at: u64,
        number: u64,
        arguments: &[u64],
    ) {
        let words = [14, 13, 12, 7, 9, 8];
        let values = words.into_iter().zip(arguments.iter().copied());
        let rest = [(10, number), (15, u64::MAX), (registers::RIP.word(), at)];
        for (word, value) in values.chain(rest) {
            if let Some(word) = registers.general.get_mut(word) {
                *word = value;
            }
        }
    }

    /// rax.
    fn result_word(&self) -> usize {
        10
    }

    /// System V ABI: six registers, then the stack behind the return address.
    fn call_arguments(&self) -> &'static str {
        "-8@%rdi -8@%rsi -8@%rdx -8@%rcx -8@%r8 -8@%r9 -8@8(%rsp) -8@16(%rsp) -8@24(%rsp) -8@32(%rsp)"
    }

    fn may_end_with_call(&self, code: &[u8]) -> bool {
        relocate::may_end_with_call(code)
    }

    fn relocate(&self, code: &[u8], from: u64, to: u64) -> Option<Vec<u8>> {
        relocate::relocate(code, from, to)
    }

    /// rdi, rsi, rdx, rcx, r8, r9 (System V ABI).
    fn argument_words(&self) -> &'static [usize] {
        &[14, 13, 12, 11, 9, 8]
    }
}
