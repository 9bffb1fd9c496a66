//! The same instructions at another place: what a diversion displaces must run elsewhere with the same effect.
//!
//! Operands relative to rip and branch targets are adapted; branches get the longer form where the short one no longer
//! reaches. What would leave an address of the new place behind (a call pushes its return address) is refused, and so
//! is what somebody may be waiting behind (a system call).

use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Decoder, DecoderOptions, InstructionBlock, Mnemonic,
};

use super::flow::{Flow, step};

/// `jmp rel32`.
pub const JUMP: u8 = 0xe9;
/// The length of `jmp rel32` in bytes.
pub const JUMP_LENGTH: usize = 5;
/// The longest code that [`jump`] gives, in bytes.
pub const LONGEST_JUMP: usize = 14;

/// How far a branch may still be off its target when it is not known to the byte where it will stand.
const SLACK: i64 = 64;

/// Instructions at a new place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocated {
    /// The bytes for the new place.
    pub bytes: Vec<u8>,
    /// Of each instruction in its order: the old address and the new one.
    pub places: Vec<(u64, u64)>,
    /// Whether control leaves them at their end; otherwise the last one jumps or returns.
    pub falls_through: bool,
}

/// Why instructions cannot be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the instruction at {address:#x} {reason}")]
pub struct RelocateError {
    /// The instruction's old address.
    pub address: u64,
    /// What is wrong with it.
    pub reason: Immovable,
}

/// Why one instruction cannot be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Immovable {
    /// No instruction, or one that is cut off.
    #[error("is none that is known")]
    Undecodable,
    /// It pushes its own address.
    #[error("is a call, whose return address would be that of the copy")]
    Call,
    /// It enters the kernel, begins a transaction, or is one that user code may not run.
    #[error("enters the kernel or begins a transaction")]
    System,
    /// `endbr64`: somebody jumps to it by its address.
    #[error("is a landing pad of indirect branches")]
    LandingPad,
    /// What it refers to is more than 2 GiB from the new place.
    #[error("refers to what is out of reach of the copy")]
    OutOfReach,
    /// The one before it never gets here.
    #[error("is not reached from the one before it")]
    Unreached,
}

/// Moves the instructions that `code` consists of from the address `from` to the address `to`. Branches among them go
/// to the old place.
///
/// # Errors
/// [`RelocateError`] for the first instruction that cannot be moved.
pub fn relocate(code: &[u8], from: u64, to: u64) -> Result<Relocated, RelocateError> {
    let mut decoder = Decoder::with_ip(64, code, from, DecoderOptions::NONE);
    let mut moved = Relocated {
        bytes: Vec::with_capacity(code.len()),
        places: Vec::new(),
        falls_through: true,
    };
    while decoder.can_decode() {
        let address = decoder.ip();
        let fail = |reason| Err(RelocateError { address, reason });
        let instruction = decoder.decode();
        if !moved.falls_through {
            return fail(Immovable::Unreached);
        }
        if instruction.is_invalid() {
            return fail(Immovable::Undecodable);
        }
        let at = to.wrapping_add(moved.bytes.len() as u64);
        let seen = step(&instruction);
        if let Some(reason) = refusal(seen.flow, instruction.mnemonic(), seen.landing_pad, at) {
            return fail(reason);
        }
        let block = InstructionBlock::new(std::slice::from_ref(&instruction), at);
        match BlockEncoder::encode(64, block, BlockEncoderOptions::NONE) {
            Ok(encoded) => moved.bytes.extend_from_slice(&encoded.code_buffer),
            Err(_) => return fail(Immovable::OutOfReach),
        }
        moved.places.push((address, at));
        moved.falls_through = seen.flow.falls_through();
    }
    Ok(moved)
}

fn refusal(flow: Flow, mnemonic: Mnemonic, landing_pad: bool, at: u64) -> Option<Immovable> {
    match flow {
        _ if landing_pad => Some(Immovable::LandingPad),
        _ if mnemonic == Mnemonic::Xbegin => Some(Immovable::System),
        Flow::Call(_) | Flow::IndirectCall => Some(Immovable::Call),
        Flow::System => Some(Immovable::System),
        // Beyond it the encoder would put a pointer behind the branch, in the way of what follows.
        Flow::Jump(target) | Flow::Branch(target) if !within_reach(at, target) => {
            Some(Immovable::OutOfReach)
        }
        _ => None,
    }
}

fn within_reach(at: u64, target: u64) -> bool {
    let distance = target.wrapping_sub(at) as i64;
    distance
        .checked_abs()
        .is_some_and(|distance| distance < i64::from(i32::MAX) - SLACK)
}

/// The rel32 of a branch that ends at `end` and goes to `target`; `None` when they are more than 2 GiB apart.
pub fn displacement(end: u64, target: u64) -> Option<[u8; 4]> {
    let distance = target.wrapping_sub(end) as i64;
    i32::try_from(distance).ok().map(i32::to_le_bytes)
}

/// Code for the address `at` that jumps to `target` and changes nothing else: five bytes, or fourteen where the target
/// is out of a rel32's reach (`jmp [rip+0]` and the address).
pub fn jump(at: u64, target: u64) -> Vec<u8> {
    let mut code = Vec::with_capacity(LONGEST_JUMP);
    match displacement(at.wrapping_add(JUMP_LENGTH as u64), target) {
        Some(displacement) => {
            code.push(JUMP);
            code.extend_from_slice(&displacement);
        }
        None => {
            code.extend_from_slice(&[0xff, 0x25, 0, 0, 0, 0]);
            code.extend_from_slice(&target.to_le_bytes());
        }
    }
    code
}

/// Where the `jmp rel32` at the start of `code` goes when it stands at `address`; `None` when there is none.
pub fn jump_target(code: &[u8], address: u64) -> Option<u64> {
    let (opcode, rest) = code.split_first()?;
    let displacement = i32::from_le_bytes(*rest.first_chunk()?);
    let end = address.wrapping_add(JUMP_LENGTH as u64);
    (*opcode == JUMP).then(|| end.wrapping_add(i64::from(displacement) as u64))
}
