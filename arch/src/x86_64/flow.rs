//! Where instructions begin and where control goes from each: what must be known of code before a part of it is
//! overwritten.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// To the next instruction.
    Next,
    /// To this address, always.
    Jump(u64),
    /// To this address or to the next instruction (`jcc`, `loop`, `jrcxz`, the abort path of `xbegin`).
    Branch(u64),
    /// To the function at this address, and then to the next instruction.
    Call(u64),
    /// To an address from a register or from memory.
    IndirectJump,
    /// To a function whose address is in a register or in memory, and then to the next instruction.
    IndirectCall,
    /// To the caller.
    Return,
    /// Into the kernel or to an exception's handler: `syscall`, `int3`, `ud2`, privileged instructions.
    System,
}

impl Flow {
    /// The address that the instruction itself names, if any.
    pub fn target(self) -> Option<u64> {
        match self {
            Flow::Jump(target) | Flow::Branch(target) | Flow::Call(target) => Some(target),
            _ => None,
        }
    }

    /// Whether the next instruction may be reached from this one.
    pub fn falls_through(self) -> bool {
        !matches!(self, Flow::Jump(_) | Flow::IndirectJump | Flow::Return)
    }
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The address of its first byte.
    pub address: u64,
    /// Its length: 1 to 15 bytes.
    pub length: usize,
    /// Where control goes from it.
    pub flow: Flow,
    /// The address that it makes without reading memory, if it makes one: `lea reg, [rip+n]`, or an immediate operand of
    /// 32 or 64 bits (which may be a mere number).
    pub made: Option<u64>,
    /// Whether it is a place where indirect branches may land (`endbr64`).
    pub landing_pad: bool,
}

impl Step {
    /// The address behind its last byte.
    pub fn end(&self) -> u64 {
        self.address.wrapping_add(self.length as u64)
    }
}

/// Bytes that are no instruction of this CPU, or are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what stands at {address:#x} is no whole instruction")]
pub struct Undecodable {
    /// Where the bytes begin.
    pub address: u64,
}

/// The instructions in `code`, which lies at `address`, one behind the other. Ends at the code's end or behind the first
/// error.
pub fn steps(code: &[u8], address: u64) -> impl Iterator<Item = Result<Step, Undecodable>> + '_ {
    let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed || !decoder.can_decode() {
            return None;
        }
        let address = decoder.ip();
        let instruction = decoder.decode();
        failed = instruction.is_invalid();
        Some(match failed {
            true => Err(Undecodable { address }),
            false => Ok(step(&instruction)),
        })
    })
}

/// Whether the bytes at the address `at` are an operand of an instruction in `code`, which lies at `address`: an
/// immediate, or the displacement of an operand in memory that does not count from rip. Then a number there may be an
/// address.
///
/// # Errors
/// When an instruction before that address cannot be decoded.
pub fn is_literal(code: &[u8], address: u64, at: u64) -> Result<bool, Undecodable> {
    let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    while decoder.can_decode() {
        let start = decoder.ip();
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return Err(Undecodable { address: start });
        }
        let Some(offset) = at
            .checked_sub(start)
            .filter(|offset| *offset < instruction.len() as u64)
        else {
            continue;
        };
        let offsets = decoder.get_constant_offsets(&instruction);
        let immediate = step(&instruction).flow.target().is_none()
            && offsets.has_immediate()
            && offsets.immediate_offset() as u64 == offset;
        let displacement = !instruction.is_ip_rel_memory_operand()
            && offsets.has_displacement()
            && offsets.displacement_offset() as u64 == offset;
        return Ok(immediate || displacement);
    }
    Err(Undecodable { address: at })
}

/// What is to be known of a decoded instruction.
pub(super) fn step(instruction: &Instruction) -> Step {
    let target = instruction.near_branch_target();
    let flow = match instruction.flow_control() {
        _ if instruction.is_privileged() => Flow::System,
        FlowControl::Next => Flow::Next,
        FlowControl::UnconditionalBranch => near(instruction, Flow::Jump(target)),
        FlowControl::ConditionalBranch => near(instruction, Flow::Branch(target)),
        FlowControl::XbeginXabortXend if instruction.mnemonic() == Mnemonic::Xbegin => {
            near(instruction, Flow::Branch(target))
        }
        FlowControl::Call if instruction.is_call_near() => Flow::Call(target),
        FlowControl::IndirectCall => Flow::IndirectCall,
        FlowControl::IndirectBranch => Flow::IndirectJump,
        FlowControl::Return if instruction.mnemonic() == Mnemonic::Ret => Flow::Return,
        _ => Flow::System,
    };
    Step {
        address: instruction.ip(),
        length: instruction.len(),
        flow,
        made: made(instruction),
        landing_pad: matches!(
            instruction.mnemonic(),
            Mnemonic::Endbr64 | Mnemonic::Endbr32
        ),
    }
}

/// Branches to another segment name no address of this one.
fn near(instruction: &Instruction, flow: Flow) -> Flow {
    match instruction.op0_kind() {
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => flow,
        _ => Flow::System,
    }
}

fn made(instruction: &Instruction) -> Option<u64> {
    if instruction.mnemonic() == Mnemonic::Lea
        && matches!(instruction.memory_base(), Register::RIP | Register::EIP)
    {
        return Some(instruction.memory_displacement64());
    }
    (0..instruction.op_count())
        .find(|operand| {
            matches!(
                instruction.op_kind(*operand),
                OpKind::Immediate32 | OpKind::Immediate64 | OpKind::Immediate32to64
            )
        })
        .map(|operand| instruction.immediate(operand))
}
