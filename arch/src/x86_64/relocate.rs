//! Instructions carried out at another place than their own.

use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Code, Decoder, DecoderOptions, FlowControl, Instruction,
    InstructionBlock, MemoryOperand, Register,
};

use crate::RELOCATED;

/// See [`Arch::may_end_with_call`](crate::Arch::may_end_with_call): `e8` with a 32-bit displacement, or `ff /2` with
/// whatever operand.
pub(super) fn may_end_with_call(code: &[u8]) -> bool {
    let from_end = |distance: usize| code.get(code.len().checked_sub(distance)?).copied();
    let indirect = |length: usize| {
        from_end(length) == Some(0xff)
            && length
                .checked_sub(1)
                .and_then(from_end)
                .is_some_and(|operand| operand & 0x38 == 0x10)
    };
    from_end(5) == Some(0xe8) || [2, 3, 4, 6, 7].into_iter().any(indirect)
}

/// See [`Arch::relocate`](crate::Arch::relocate).
pub(super) fn relocate(code: &[u8], from: u64, to: u64) -> Option<Vec<u8>> {
    let mut decoder = Decoder::with_ip(64, code, from, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return None;
    }
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        return None;
    }
    let next = instruction.next_ip();
    let block = match instruction.flow_control() {
        FlowControl::Call | FlowControl::IndirectCall if instruction.code() != Code::Syscall => {
            call(instruction, next)?
        }
        FlowControl::Interrupt => return None,
        _ => vec![
            instruction,
            Instruction::with_branch(Code::Jmp_rel32_64, next).ok()?,
        ],
    };
    let block = InstructionBlock::new(&block, to);
    let encoded = BlockEncoder::encode(64, block, BlockEncoderOptions::NONE).ok()?;
    (encoded.code_buffer.len() <= RELOCATED).then_some(encoded.code_buffer)
}

/// A call as a push of its return address and a jump.
fn call(mut instruction: Instruction, next: u64) -> Option<Vec<Instruction>> {
    let jump = match instruction.code() {
        Code::Call_rel32_64 => Code::Jmp_rel32_64,
        Code::Call_rm64 => Code::Jmp_rm64,
        _ => return None,
    };
    instruction.set_code(jump);
    if jump == Code::Jmp_rm64 && instruction.memory_base() == Register::RSP {
        // The push has moved it.
        let displacement = instruction.memory_displacement64().wrapping_add(8);
        let bytes = displacement.to_le_bytes();
        let low = u32::from_le_bytes(*bytes.first_chunk()?);
        if i64::from(low.cast_signed()) != displacement.cast_signed() {
            return None;
        }
        instruction.set_memory_displacement64(displacement);
        instruction.set_memory_displ_size(8);
    }
    if instruction.op0_register() == Register::RSP {
        return None;
    }
    let bytes = next.to_le_bytes();
    let low = u32::from_le_bytes(*bytes.first_chunk()?).cast_signed();
    let high = u32::from_le_bytes(*bytes.last_chunk()?).cast_signed();
    let above = MemoryOperand::with_base_displ(Register::RSP, 4);
    Some(vec![
        Instruction::with1(Code::Pushq_imm32, low).ok()?,
        Instruction::with2(Code::Mov_rm32_imm32, above, high).ok()?,
        instruction,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::Mnemonic;

    fn decoded(code: &[u8], at: u64) -> Vec<Instruction> {
        let decoder = Decoder::with_ip(64, code, at, DecoderOptions::NONE);
        decoder.into_iter().take(3).collect()
    }

    #[test]
    fn what_is_relocated_means_the_same() {
        // test edi, edi
        let code = relocate(&[0x85, 0xff, 0x90], 0x1000, 0x9000).expect("relocated");
        assert_eq!(
            code,
            [0x85, 0xff, 0xe9, 0xfb, 0x7f, 0xff, 0xff][..].to_vec()
        );
        // mov eax, [rip+0x10]: reads 0x1016
        let code = relocate(&[0x8b, 0x05, 0x10, 0, 0, 0], 0x1000, 0x9000).expect("relocated");
        let first = decoded(&code, 0x9000)[0];
        assert_eq!(first.ip_rel_memory_address(), 0x1016);
        // je +0x20: to 0x1022
        let code = relocate(&[0x74, 0x20], 0x1000, 0x9000).expect("relocated");
        let first = decoded(&code, 0x9000)[0];
        assert_eq!(
            (first.mnemonic(), first.near_branch_target()),
            (Mnemonic::Je, 0x1022)
        );
        // Too far for a displacement.
        assert_eq!(
            relocate(&[0x8b, 0x05, 0x10, 0, 0, 0], 1 << 46, 1 << 40),
            None
        );
        // int3, nothing, half an instruction
        for code in [&[0xcc][..], &[], &[0x8b, 0x05]] {
            assert_eq!(relocate(code, 0x1000, 0x9000), None);
        }
    }

    #[test]
    fn a_call_leaves_its_own_return_address() {
        let from = 0x7fff_9000_1000;
        // call +0x20; call rax; call [rsp+8]
        let calls: [&[u8]; 3] = [
            &[0xe8, 0x20, 0, 0, 0],
            &[0xff, 0xd0],
            &[0xff, 0x54, 0x24, 8],
        ];
        for call in calls {
            let to = from + 0x10_0000;
            let code = relocate(call, from, to).expect("relocated");
            let parts = decoded(&code, to);
            let next = from + call.len() as u64;
            assert_eq!(parts[0].mnemonic(), Mnemonic::Push);
            assert_eq!(parts[0].immediate32(), next as u32);
            assert_eq!(parts[1].memory_base(), Register::RSP);
            assert_eq!(parts[1].memory_displacement64(), 4);
            assert_eq!(parts[1].immediate32(), (next >> 32) as u32);
            assert_eq!(parts[2].mnemonic(), Mnemonic::Jmp);
            match call[0] {
                0xe8 => assert_eq!(parts[2].near_branch_target(), next + 0x20),
                _ if call[1] == 0xd0 => assert_eq!(parts[2].op0_register(), Register::RAX),
                _ => assert_eq!(parts[2].memory_displacement64(), 16),
            }
        }
    }

    #[test]
    fn calls_are_known_by_their_last_bytes() {
        let table: [(&[u8], bool); 6] = [
            (&[0x90, 0xe8, 1, 2, 3, 4], true),
            (&[0xff, 0xd0], true),
            (&[0xff, 0x15, 1, 2, 3, 4], true),
            (&[0x41, 0xff, 0x54, 0x24, 8], true),
            (&[0x90, 0x90, 0x90, 0x90, 0x90, 0x90], false),
            (&[], false),
        ];
        for (code, expected) in table {
            assert_eq!(may_end_with_call(code), expected, "{code:x?}");
        }
    }
}
