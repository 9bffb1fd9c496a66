//! Where an argument's value lies, in a form all CPUs have in common, and how its address is computed.

use crate::error::FetchError;
use crate::registers::{Register, Registers, low_bits, sign_extended};

/// Where the value of an argument lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// The value itself, known when the program was built. Unsigned values above [`i64::MAX`] are kept with the same
    /// 64 bits.
    Constant(i64),
    /// The value is the run-time address of a symbol plus a number (x86-64 `$sym+8`, aarch64 `sym+8`).
    SymbolAddress {
        /// The symbol's name.
        symbol: Box<str>,
        /// What is added, in bytes.
        addend: i64,
    },
    /// In a general register.
    Register(Register),
    /// In the low bytes of this vector register (0 to 31).
    Vector(u8),
    /// In memory.
    Memory(Memory),
}

/// The address of a value in memory: the sum of its parts, modulo 2⁶⁴.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// A register that holds a segment's base address (x86-64 `%fs:`, `%gs:`).
    pub segment: Option<Register>,
    /// The base register. `16(%rip)` has `rip` here: its value in the snapshot counts, which after a breakpoint on a
    /// one-byte nop is the address of the next instruction, as the assembler means it.
    pub base: Option<Register>,
    /// The index register.
    pub index: Option<Index>,
    /// A number of bytes.
    pub displacement: i64,
    /// A symbol whose run-time address is added.
    pub symbol: Option<Box<str>>,
    /// The symbol was written relative to the program counter (`sym(%rip)`): a matter of notation, the address is
    /// that of the symbol.
    pub pc_relative: bool,
    /// Only the low 12 bits of symbol plus displacement are added (aarch64 `:lo12:sym`; `adrp` put the rest into the
    /// base register).
    pub low12: bool,
    /// The width of the sum in bits before the segment is added: 64, or 32 where x86-64 computes an address from
    /// 32-bit registers.
    pub address_bits: u8,
}

impl Default for Memory {
    /// The absolute address 0, to be built upon.
    fn default() -> Memory {
        Memory {
            segment: None,
            base: None,
            index: None,
            displacement: 0,
            symbol: None,
            pc_relative: false,
            low12: false,
            address_bits: 64,
        }
    }
}

/// A scaled index register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// The register, zero-extended unless `sign_extend`.
    pub register: Register,
    /// The factor: 1, 2, 4, 8 (aarch64 also 16).
    pub scale: u8,
    /// Extend the register's value with its sign (aarch64 `sxtw`, `sxtx`).
    pub sign_extend: bool,
}

impl Index {
    fn offset(&self, registers: &Registers) -> u64 {
        let value = self.register.value(registers);
        let value = if self.sign_extend {
            sign_extended(value, self.register.bits()) as u64
        } else {
            value
        };
        value.wrapping_mul(u64::from(self.scale))
    }
}

impl Memory {
    /// The run-time address.
    ///
    /// # Errors
    /// [`FetchError::Unresolved`] when a symbol is left.
    pub fn address(&self, registers: &Registers) -> Result<u64, FetchError> {
        if let Some(symbol) = &self.symbol {
            return Err(FetchError::Unresolved(symbol.clone()));
        }
        let part = |register: Option<Register>| register.map_or(0, |it| it.value(registers));
        let index = self.index.map_or(0, |index| index.offset(registers));
        let sum = part(self.base)
            .wrapping_add(index)
            .wrapping_add(self.displacement as u64);
        let sum = low_bits(sum, u32::from(self.address_bits));
        Ok(part(self.segment).wrapping_add(sum))
    }

    /// The same with the symbol replaced by its address.
    pub(crate) fn resolved(&self, address: u64) -> Memory {
        let sum = address.wrapping_add(self.displacement as u64);
        let sum = if self.low12 { sum & 0xfff } else { sum };
        Memory {
            displacement: sum as i64,
            symbol: None,
            pc_relative: false,
            low12: false,
            ..self.clone()
        }
    }
}
