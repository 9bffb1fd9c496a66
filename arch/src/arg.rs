//! An argument of a marker: how wide it is, where it lies, and its value at a hit.

use std::fmt;

use crate::Arch;
use crate::error::{ArgError, FetchError, Reason};
use crate::location::Location;
use crate::memory::ReadMemory;
use crate::registers::{Registers, low_bits, sign_extended};

/// One argument of a marker's site, as its SDT note describes it.
///
/// Two sites of one marker have specs of their own. Displayed, it is `SIZE@OPERAND` in the CPU's syntax, from which
/// [`Arch::parse_args`] reads the same argument again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgSpec {
    /// The value's size in bytes: 1, 2, 4 or 8.
    pub size: u8,
    /// Whether the value is signed.
    pub signed: bool,
    /// Whether the value is an IEEE 754 number (then `size` is 4 or 8 and `signed` means nothing).
    pub float: bool,
    /// Where the value lies.
    pub location: Location,
    /// The argument as it stands in the note.
    pub text: Box<str>,
    pub(crate) arch: &'static dyn Arch,
}

impl ArgSpec {
    /// The CPU whose registers [`ArgSpec::location`] names.
    pub fn arch(&self) -> &'static dyn Arch {
        self.arch
    }

    /// Whether [`ArgSpec::fetch`] reads memory.
    pub fn needs_memory(&self) -> bool {
        matches!(self.location, Location::Memory(_))
    }

    /// Whether [`ArgSpec::fetch`] needs [`Registers::vector`].
    pub fn needs_vector(&self) -> bool {
        matches!(self.location, Location::Vector(_))
    }

    /// The symbols whose run-time addresses the location needs (at most one).
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        let symbol = match &self.location {
            Location::SymbolAddress { symbol, .. } => Some(symbol),
            Location::Memory(memory) => memory.symbol.as_ref(),
            _ => None,
        };
        symbol.into_iter().map(AsRef::as_ref)
    }

    /// The same argument with its symbols replaced by the run-time addresses that `lookup` gives. A symbol's name is
    /// what stands in the note, with the relocation behind it where there is one (`errno@tpoff`).
    ///
    /// # Errors
    /// [`Reason::UnknownSymbol`] for a symbol that `lookup` does not know.
    pub fn resolve(&self, lookup: &dyn Fn(&str) -> Option<u64>) -> Result<ArgSpec, ArgError> {
        let find = |symbol: &str| lookup(symbol).ok_or_else(|| self.unknown(symbol));
        let location = match &self.location {
            Location::SymbolAddress { symbol, addend } => {
                Location::Constant(find(symbol)?.wrapping_add(*addend as u64) as i64)
            }
            Location::Memory(memory) => Location::Memory(match &memory.symbol {
                Some(symbol) => memory.resolved(find(symbol)?),
                None => memory.clone(),
            }),
            other => other.clone(),
        };
        Ok(ArgSpec {
            location,
            ..self.clone()
        })
    }

    fn unknown(&self, symbol: &str) -> ArgError {
        let start = self.text.find(symbol).unwrap_or(0);
        let span = start..start.saturating_add(symbol.len());
        ArgError::new(&self.text, span, Reason::UnknownSymbol(symbol.into()))
    }

    /// The value at a hit: the argument's `size` lowest bytes of what lies at its location, extended to 64 bits.
    ///
    /// The argument's size counts, not the width of the register's name, as in libbpf: `-4@%rax` takes the low four
    /// bytes, and `4@%si`, which no sound compiler writes, four bytes of `rsi` (GDB extends `si`). Only from
    /// `ah`, `bh`, `ch` and `dh` one byte is taken in any case.
    ///
    /// # Errors
    /// [`FetchError`] when memory cannot be read in full, vector registers are missing, or a symbol is unresolved.
    pub fn fetch(
        &self,
        registers: &Registers,
        memory: &dyn ReadMemory,
    ) -> Result<ArgValue, FetchError> {
        let mut bits = u32::from(self.size).saturating_mul(8);
        let raw = match &self.location {
            Location::Constant(value) => *value as u64,
            Location::SymbolAddress { symbol, .. } => {
                return Err(FetchError::Unresolved(symbol.clone()));
            }
            Location::Register(register) => {
                if register.shift() != 0 {
                    bits = bits.min(register.bits());
                }
                registers.word(*register) >> (register.shift() & 63)
            }
            Location::Vector(number) => registers
                .vector_low(*number)
                .ok_or(FetchError::Vector(*number))?,
            Location::Memory(place) => self.read(place.address(registers)?, memory)?,
        };
        Ok(self.value(raw, bits))
    }

    fn read(&self, address: u64, memory: &dyn ReadMemory) -> Result<u64, FetchError> {
        let mut bytes = [0; 8];
        let size = usize::from(self.size).min(bytes.len());
        let wanted = bytes.get_mut(..size).unwrap_or_default();
        let read = memory.read(address, wanted);
        if read < size {
            return Err(FetchError::Memory {
                address,
                size,
                read,
            });
        }
        Ok(u64::from_le_bytes(bytes))
    }

    fn value(&self, raw: u64, bits: u32) -> ArgValue {
        let low = low_bits(raw, bits);
        match (self.float, self.signed) {
            (true, _) if self.size == 4 => ArgValue::Float(f32::from_bits(low as u32).into()),
            (true, _) => ArgValue::Float(f64::from_bits(low)),
            (false, true) => ArgValue::Signed(sign_extended(low, bits)),
            (false, false) => ArgValue::Unsigned(low),
        }
    }
}

impl fmt::Display for ArgSpec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.signed { "-" } else { "" };
        let float = if self.float { "f" } else { "" };
        write!(out, "{sign}{}{float}@", self.size)?;
        self.arch.write_operand(out, &self.location)
    }
}

/// The value of an argument at one hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArgValue {
    /// A signed number.
    Signed(i64),
    /// An unsigned number or an address.
    Unsigned(u64),
    /// A floating-point number.
    Float(f64),
}

impl ArgValue {
    /// The value as an unsigned number: a signed one keeps its 64 bits, a floating-point one is cut towards zero and
    /// held in the range (NaN gives 0).
    pub fn as_u64(self) -> u64 {
        match self {
            ArgValue::Signed(value) => value as u64,
            ArgValue::Unsigned(value) => value,
            ArgValue::Float(value) => value as u64,
        }
    }

    /// The value as a signed number: an unsigned one keeps its 64 bits, a floating-point one is cut towards zero and
    /// held in the range (NaN gives 0).
    pub fn as_i64(self) -> i64 {
        match self {
            ArgValue::Signed(value) => value,
            ArgValue::Unsigned(value) => value as i64,
            ArgValue::Float(value) => value as i64,
        }
    }
}
