//! The instructions that functions of C libraries begin with, carried out by the tracer in the place of a breakpoint.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register as Name};

use super::registers::by_name;
use crate::HookStep;

/// `push reg`, `sub rsp, n`, `add rsp, n`, `lea reg, [reg+n]` and `mov reg, reg` with whole registers (32 or 64 bits).
pub(super) fn step(code: &[u8]) -> Option<HookStep> {
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return None;
    }
    let instruction = decoder.decode();
    let length = instruction.len();
    let first = instruction.op0_register();
    match instruction.mnemonic() {
        Mnemonic::Push if first.is_gpr64() => Some(HookStep::Push {
            from: word(first)?,
            length,
        }),
        Mnemonic::Sub if first == Name::RSP => add(
            first,
            first,
            immediate(&instruction)?.checked_neg()?,
            length,
        ),
        Mnemonic::Add if first == Name::RSP => add(first, first, immediate(&instruction)?, length),
        Mnemonic::Mov if instruction.op1_kind() == OpKind::Register => {
            let from = instruction.op1_register();
            (from.size() == first.size()).then_some(())?;
            add(first, from, 0, length)
        }
        Mnemonic::Lea
            if instruction.memory_index() == Name::None && instruction.memory_base().is_gpr64() =>
        {
            let displacement = instruction.memory_displacement64() as i64;
            add(first, instruction.memory_base(), displacement, length)
        }
        _ => None,
    }
}

fn add(to: Name, from: Name, addend: i64, length: usize) -> Option<HookStep> {
    (to.is_gpr32() || to.is_gpr64()).then_some(HookStep::Add {
        to: word(to)?,
        from: word(from)?,
        addend,
        narrow: to.is_gpr32(),
        length,
    })
}

fn immediate(instruction: &Instruction) -> Option<i64> {
    match instruction.op1_kind() {
        OpKind::Immediate8to64 | OpKind::Immediate32to64 => Some(instruction.immediate(1) as i64),
        _ => None,
    }
}

/// Where the kernel's register set keeps a register.
fn word(register: Name) -> Option<usize> {
    let name = format!("{:?}", register.full_register()).to_ascii_lowercase();
    Some(by_name(&name)?.word())
}
