//! The names of the registers and where the kernel's register set keeps them.

use crate::registers::Register;

/// Word numbers are those of `struct user_pt_regs` (asm/ptrace.h).
const LINK: u8 = 30;

pub(super) const SP: Register = Register::new(31, 0, 64);
const WSP: Register = Register::new(31, 0, 32);
pub(super) const PC: Register = Register::new(32, 0, 64);

/// The register of that name. Those that always read as zero are not in the register set: see [`is_zero`].
pub(super) fn by_name(name: &str) -> Option<Register> {
    let whole = |word| Some(Register::new(word, 0, 64));
    match name {
        "sp" => return Some(SP),
        "wsp" => return Some(WSP),
        "pc" => return Some(PC),
        "lr" => return whole(LINK),
        "fp" => return whole(29),
        "ip0" => return whole(16),
        "ip1" => return whole(17),
        _ => {}
    }
    if let Some(digits) = name.strip_prefix('x') {
        return number(digits, LINK).and_then(whole);
    }
    let word = number(name.strip_prefix('w')?, LINK)?;
    Some(Register::new(word, 0, 32))
}

/// Whether this is a name of the register that reads as zero.
pub(super) fn is_zero(name: &str) -> bool {
    matches!(name, "xzr" | "wzr")
}

/// The number of the vector register of that name: the letter says how much of it is meant, and so does the
/// argument's size.
pub(super) fn vector(name: &str) -> Option<u8> {
    let digits = name.strip_prefix(['v', 'q', 'd', 's', 'h', 'b'])?;
    number(digits, 31)
}

/// Whether a name is a register's or looks so (`x31`, `v0.d`), and is therefore no symbol.
pub(super) fn is_reserved(name: &str) -> bool {
    let letters = ['x', 'w', 'v', 'q', 'd', 's', 'h', 'b'];
    let first = name.split('.').next().unwrap_or(name);
    let numbered = first
        .strip_prefix(letters)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_digit()));
    numbered || is_zero(name) || by_name(name).is_some()
}

fn number(digits: &str, last: u8) -> Option<u8> {
    (0..=last).find(|number| number.to_string() == digits)
}
