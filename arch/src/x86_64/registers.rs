//! The names of the general registers and of their parts, and where the kernel's register set keeps them.

use crate::registers::Register;

/// Word numbers are those of `struct user_regs_struct` (sys/user.h); the names are those of the 64, 32, 16 and 8 low
/// bits.
const GENERAL: [(u8, [&str; 4]); 16] = [
    (0, ["r15", "r15d", "r15w", "r15b"]),
    (1, ["r14", "r14d", "r14w", "r14b"]),
    (2, ["r13", "r13d", "r13w", "r13b"]),
    (3, ["r12", "r12d", "r12w", "r12b"]),
    (4, ["rbp", "ebp", "bp", "bpl"]),
    (5, ["rbx", "ebx", "bx", "bl"]),
    (6, ["r11", "r11d", "r11w", "r11b"]),
    (7, ["r10", "r10d", "r10w", "r10b"]),
    (8, ["r9", "r9d", "r9w", "r9b"]),
    (9, ["r8", "r8d", "r8w", "r8b"]),
    (10, ["rax", "eax", "ax", "al"]),
    (11, ["rcx", "ecx", "cx", "cl"]),
    (12, ["rdx", "edx", "dx", "dl"]),
    (13, ["rsi", "esi", "si", "sil"]),
    (14, ["rdi", "edi", "di", "dil"]),
    (19, ["rsp", "esp", "sp", "spl"]),
];

/// The widths that the columns of [`GENERAL`] name.
const WIDTHS: [u8; 4] = [64, 32, 16, 8];

/// Bits 8 to 15 of four of them.
const HIGH_BYTES: [(u8, &str); 4] = [(5, "bh"), (10, "ah"), (11, "ch"), (12, "dh")];

pub(super) const RIP: Register = Register::new(16, 0, 64);
pub(super) const RSP: Register = Register::new(19, 0, 64);
/// The base address of the segment `%fs:`, where thread-local storage lies.
pub(super) const FS_BASE: Register = Register::new(21, 0, 64);
/// The base address of the segment `%gs:`.
pub(super) const GS_BASE: Register = Register::new(22, 0, 64);

/// The register of that name, without `%`.
pub(super) fn by_name(name: &str) -> Option<Register> {
    let low = GENERAL.iter().find_map(|(word, names)| {
        let mut columns = names.iter().zip(WIDTHS);
        let (_, bits) = columns.find(|(column, _)| **column == name)?;
        Some(Register::new(*word, 0, bits))
    });
    low.or_else(|| {
        let (word, _) = HIGH_BYTES.iter().find(|(_, high)| *high == name)?;
        Some(Register::new(*word, 8, 8))
    })
    .or_else(|| (name == "rip").then_some(RIP))
}

/// The name of a register that [`by_name`] gave.
pub(super) fn name_of(register: Register) -> Option<&'static str> {
    if register == RIP {
        return Some("rip");
    }
    let same_word = |word: u8| usize::from(word) == register.word();
    if register.shift() != 0 {
        let (_, name) = HIGH_BYTES.iter().find(|(word, _)| same_word(*word))?;
        return Some(name);
    }
    let (_, names) = GENERAL.iter().find(|(word, _)| same_word(*word))?;
    let mut columns = names.iter().zip(WIDTHS);
    let (name, _) = columns.find(|(_, bits)| u32::from(*bits) == register.bits())?;
    Some(name)
}

/// The number of the vector register of that name, whose low 16 bytes `xmm`, `ymm` and `zmm` share.
pub(super) fn vector(name: &str) -> Option<u8> {
    let digits = ["xmm", "ymm", "zmm"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?;
    (0..32u8).find(|number| number.to_string() == digits)
}
