//! A stopped thread's registers as the kernel hands them out, and the names of parts of them.

/// How many words [`Registers::general`] has: aarch64's `struct user_pt_regs` is the longest.
pub const GENERAL_WORDS: usize = 34;

/// How many vector registers [`Registers::vector`] has.
pub const VECTOR_REGISTERS: usize = 32;

/// A snapshot of one stopped thread's registers.
///
/// Word *i* of `general` is word *i* of the kernel's `NT_PRSTATUS` register set (ptrace(2), `PTRACE_GETREGSET`):
/// on x86-64 `struct user_regs_struct` (27 words, `r15` first, `rip` 16th, `rsp` 19th counted from 0), on aarch64
/// `struct user_pt_regs` (`x0` to `x30`, `sp`, `pc`, `pstate`). Words past the CPU's own are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The general registers.
    pub general: [u64; GENERAL_WORDS],
    /// The low 16 bytes of each vector register (`xmm0` to `xmm31`, `v0` to `v31`), in memory order. Only needed for
    /// arguments for which [`ArgSpec::needs_vector`](crate::ArgSpec::needs_vector) is true.
    pub vector: Option<Box<[[u8; 16]; VECTOR_REGISTERS]>>,
}

impl Default for Registers {
    /// All general registers 0, vector registers not fetched.
    fn default() -> Registers {
        Registers {
            general: [0; GENERAL_WORDS],
            vector: None,
        }
    }
}

impl Registers {
    /// The whole word that holds `register`.
    pub(crate) fn word(&self, register: Register) -> u64 {
        self.general
            .get(usize::from(register.word))
            .copied()
            .unwrap_or(0)
    }

    /// The low eight bytes of a vector register, when vector registers were fetched and it is one of them.
    pub(crate) fn vector_low(&self, number: u8) -> Option<u64> {
        let bytes = self.vector.as_ref()?.get(usize::from(number))?;
        bytes.first_chunk::<8>().map(|low| u64::from_le_bytes(*low))
    }
}

/// A general register or a part of one. Got by name from [`Arch::register`](crate::Arch::register) once, so that a
/// hit never looks up a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Register {
    word: u8,
    shift: u8,
    bits: u8,
}

impl Register {
    /// `word` is below [`GENERAL_WORDS`], `shift` 0 or 8, `bits` 8, 16, 32 or 64.
    pub(crate) const fn new(word: u8, shift: u8, bits: u8) -> Register {
        Register { word, shift, bits }
    }

    /// The word of [`Registers::general`] it lies in.
    pub fn word(self) -> usize {
        usize::from(self.word)
    }

    /// Its lowest bit in that word: 8 for x86's `ah`, `bh`, `ch` and `dh`, else 0.
    pub fn shift(self) -> u32 {
        u32::from(self.shift)
    }

    /// Its width in bits: 8, 16, 32 or 64.
    pub fn bits(self) -> u32 {
        u32::from(self.bits)
    }

    /// Its value, zero-extended.
    pub fn value(self, registers: &Registers) -> u64 {
        low_bits(registers.word(self) >> (self.shift() & 63), self.bits())
    }
}

/// The low `bits` bits of `value`; all of it from 64 on.
pub(crate) fn low_bits(value: u64, bits: u32) -> u64 {
    match 1u64.checked_shl(bits) {
        Some(bound) => value & bound.wrapping_sub(1),
        None => value,
    }
}

/// The low `bits` bits of `value` as a signed number.
pub(crate) fn sign_extended(value: u64, bits: u32) -> i64 {
    let unused = 64u32.saturating_sub(bits) & 63;
    (value.wrapping_shl(unused) as i64).wrapping_shr(unused)
}
