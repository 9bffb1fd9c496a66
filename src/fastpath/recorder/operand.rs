//! Loads the value of an argument as [`ptpytrace_arch::ArgSpec::fetch`] does.

use iced_x86::code_asm::{
    AsmMemoryOperand, byte_ptr, dword_ptr, qword_ptr, registers::*, word_ptr,
};
use ptpytrace_arch::{ArgSpec, Location, Memory, Register};

use super::AssembleError;
use super::frame::{Held, Parts};
use super::generator::{Generator, Step};

/// The words of the segments' base addresses in [`ptpytrace_arch::Registers::general`].
const FS_BASE: usize = 21;
const GS_BASE: usize = 22;

/// How wide a value is and how it is extended to 64 bits.
#[derive(Clone, Copy)]
struct Width {
    bytes: u8,
    signed: bool,
}

impl Generator<'_> {
    /// Loads an argument into rax, extended to 64 bits; uses rcx. When memory cannot be read rax is 0, and the bit is
    /// set in the record.
    pub(super) fn load(&mut self, argument: usize, unreadable: Option<u16>) -> Step {
        let site = self.site;
        let spec = site
            .arguments
            .get(argument)
            .and_then(|it| it.spec.as_ref())
            .ok_or(AssembleError::Argument(argument))?;
        match self.load_spec(spec, unreadable) {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(AssembleError::Argument(argument)),
            Err(error) => Err(error),
        }
    }

    /// `None` when it lies where this cannot get it from.
    fn load_spec(&mut self, spec: &ArgSpec, unreadable: Option<u16>) -> Step<Option<()>> {
        let width = Width {
            bytes: spec.size,
            signed: spec.signed && !spec.float,
        };
        match &spec.location {
            Location::Constant(value) => {
                self.code.mov(rax, extended(*value, width))?;
                Ok(Some(()))
            }
            Location::Register(register) => self.load_register(*register, width),
            Location::Vector(number) => self.load_vector(*number, width),
            Location::Memory(memory) => {
                let Some(operand) = self.address(memory)? else {
                    return Ok(None);
                };
                let begin = self.here()?;
                self.load_memory(operand, width)?;
                self.guard_number(begin, unreadable)?;
                Ok(Some(()))
            }
            Location::SymbolAddress { .. } => Ok(None),
        }
    }

    fn load_register(&mut self, register: Register, width: Width) -> Step<Option<()>> {
        let high = register.shift() != 0;
        let width = Width {
            bytes: if high { 1 } else { width.bytes },
            ..width
        };
        match self.frame.held(register.word()) {
            Some(Held::Register(parts)) => self.extend(parts, high, width)?,
            Some(Held::Stack(above)) => {
                self.load_memory(rsp + above + i32::from(high), width)?;
            }
            Some(Held::StackPointer(above)) => {
                self.code.lea(rax, rsp + above)?;
                self.extend_rax(width)?;
            }
            Some(Held::ProgramCounter) => {
                let value = extended(self.site.pc.cast_signed(), width);
                self.code.mov(rax, value)?;
            }
            None => return Ok(None),
        }
        Ok(Some(()))
    }

    /// Vector registers are untouched, so they hold what they held.
    fn load_vector(&mut self, number: u8, width: Width) -> Step<Option<()>> {
        let registers = [
            xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13,
            xmm14, xmm15,
        ];
        let Some(register) = registers.get(usize::from(number)) else {
            return Ok(None);
        };
        self.code.movq(rax, *register)?;
        self.extend_rax(width)?;
        Ok(Some(()))
    }

    fn extend(&mut self, from: Parts, high: bool, width: Width) -> Step {
        let code = &mut self.code;
        match (width.bytes, width.signed) {
            (1, signed) => match from.high.filter(|_| high) {
                // There is no way to name bits 8 to 15 and a 64-bit register in one instruction.
                Some(high) if signed => {
                    code.movsx(eax, high)?;
                    code.movsxd(rax, eax)?;
                }
                Some(high) => code.movzx(eax, high)?,
                None if signed => code.movsx(rax, from.low)?,
                None => code.movzx(eax, from.low)?,
            },
            (2, true) => code.movsx(rax, from.quarter)?,
            (2, false) => code.movzx(eax, from.quarter)?,
            (4, true) => code.movsxd(rax, from.half)?,
            (4, false) => code.mov(eax, from.half)?,
            _ => code.mov(rax, from.whole)?,
        }
        Ok(())
    }

    fn extend_rax(&mut self, width: Width) -> Step {
        let code = &mut self.code;
        match (width.bytes, width.signed) {
            (1, true) => code.movsx(rax, al)?,
            (1, false) => code.movzx(eax, al)?,
            (2, true) => code.movsx(rax, ax)?,
            (2, false) => code.movzx(eax, ax)?,
            (4, true) => code.movsxd(rax, eax)?,
            (4, false) => code.mov(eax, eax)?,
            _ => {}
        }
        Ok(())
    }

    fn load_memory(&mut self, from: AsmMemoryOperand, width: Width) -> Step {
        let code = &mut self.code;
        match (width.bytes, width.signed) {
            (1, true) => code.movsx(rax, byte_ptr(from))?,
            (1, false) => code.movzx(eax, byte_ptr(from))?,
            (2, true) => code.movsx(rax, word_ptr(from))?,
            (2, false) => code.movzx(eax, word_ptr(from))?,
            (4, true) => code.movsxd(rax, dword_ptr(from))?,
            (4, false) => code.mov(eax, dword_ptr(from))?,
            _ => code.mov(rax, qword_ptr(from))?,
        }
        Ok(())
    }

    /// An operand for the address, computed into rax with the help of rcx where need be; `None` when there is none.
    fn address(&mut self, memory: &Memory) -> Step<Option<AsmMemoryOperand>> {
        if memory.symbol.is_some() {
            return Ok(None);
        }
        let narrow = memory.address_bits != 64;
        let displacement = i32::try_from(memory.displacement).ok();
        let plain = memory.segment.is_none() && memory.index.is_none() && !narrow;
        if let (true, Some(base), Some(displacement)) = (plain, memory.base, displacement)
            && let Some(operand) = self.near(base, displacement)
        {
            return Ok(Some(operand));
        }
        match memory.base {
            Some(base) if self.load_register(base, width_of(base))?.is_none() => return Ok(None),
            Some(_) => {}
            None => self.code.xor(eax, eax)?,
        }
        if let Some(index) = memory.index {
            self.code.mov(rcx, rax)?;
            if index.sign_extend
                || self
                    .load_register(index.register, width_of(index.register))?
                    .is_none()
            {
                return Ok(None);
            }
            match index.scale {
                1 => self.code.lea(rax, rcx + rax)?,
                2 => self.code.lea(rax, rcx + rax * 2)?,
                4 => self.code.lea(rax, rcx + rax * 4)?,
                8 => self.code.lea(rax, rcx + rax * 8)?,
                _ => return Ok(None),
            }
        }
        self.code.mov(rcx, memory.displacement)?;
        self.code.add(rax, rcx)?;
        if narrow {
            self.code.mov(eax, eax)?;
        }
        let operand = AsmMemoryOperand::from(rax);
        Ok(match memory.segment.map(Register::word) {
            None => Some(operand),
            Some(FS_BASE) => Some(operand.fs()),
            Some(GS_BASE) => Some(operand.gs()),
            Some(_) => None,
        })
    }

    /// The operand for a base register that is still there, or the stack pointer, plus a number.
    fn near(&self, base: Register, displacement: i32) -> Option<AsmMemoryOperand> {
        match self.frame.held(base.word())? {
            Held::Register(parts) => Some(parts.whole + displacement),
            Held::StackPointer(above) => Some(rsp + above.checked_add(displacement)?),
            _ => None,
        }
    }
}

/// A register in an address: its own width, zero-extended.
fn width_of(register: Register) -> Width {
    Width {
        bytes: u8::try_from(register.bits() / 8).unwrap_or(8),
        signed: false,
    }
}

/// A value known beforehand, cut to its width and extended again.
fn extended(value: i64, width: Width) -> i64 {
    let unused = 64u32.saturating_sub(u32::from(width.bytes).saturating_mul(8)) & 63;
    let shifted = value.wrapping_shl(unused);
    if width.signed {
        shifted.wrapping_shr(unused)
    } else {
        shifted.cast_unsigned().wrapping_shr(unused).cast_signed()
    }
}
