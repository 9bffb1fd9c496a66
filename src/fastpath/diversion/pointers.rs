//! Looks at every byte of a file for what leads into the windows, without asking where instructions begin: branches and
//! `lea` with four bytes of distance, pointers, and tables of distances.

use std::collections::{BTreeMap, BTreeSet};

use ptpytrace_arch::x86_64::flow::is_literal;

use super::evidence::{Effort, EvidenceKind, Findings, Sieve, Windows};
use super::survey::{Code, Piece};
use crate::address::FileAddress;

/// The longest table of distances that is considered, in bytes.
const LONGEST_TABLE: u64 = 1 << 18;
/// How many bytes are looked at together.
const LOOKAHEAD: usize = 8;

/// The most tables of distances that are remembered until it is known whether anybody refers to them.
const MAX_TABLES: usize = 1 << 16;

/// Adds what is found to `findings`.
pub(super) fn look_through(
    code: &Code,
    windows: &Windows,
    findings: &mut Findings,
    effort: &mut Effort,
) {
    let tables = distances(code, windows, findings, effort);
    let base = |base: &u64| *base..base.saturating_add(1);
    let bases = Windows::new(tables.keys().map(base).collect());
    let mut referred = BTreeSet::new();
    for piece in &code.pieces {
        if piece.executable {
            code_piece(
                code,
                piece,
                (windows, &bases),
                findings,
                &mut referred,
                effort,
            );
        } else {
            each_offset(piece, |from, value| {
                if windows.contains(value) {
                    findings.note(value, EvidenceKind::Pointer, from);
                }
            });
        }
    }
    for (base, entries) in tables {
        if referred.contains(&base) {
            entries.iter().for_each(|(target, from)| {
                findings.note(*target, EvidenceKind::Distance, *from);
            });
        }
    }
}

/// Looks at every byte of executable memory for what leads into the windows, or makes a table's address.
fn code_piece(
    code: &Code,
    piece: &Piece,
    (windows, bases): (&Windows, &Windows),
    findings: &mut Findings,
    referred: &mut BTreeSet<u64>,
    effort: &mut Effort,
) {
    // Four bytes of an instruction make a pointer where four suffice.
    let mask = match code.fixed {
        true => u64::from(u32::MAX),
        false => u64::MAX,
    };
    let sieve = Sieve::of(&[windows, bases]);
    let mut look = Look {
        code,
        piece,
        windows,
        bases,
        mask,
        findings,
        referred,
        effort,
    };
    // Every byte is asked about, so what is rare is found out first, by tests that predict well. Where four bytes are a
    // distance, their target does not depend on how long the opcode before them is.
    each_offset(piece, |from, value| {
        if sieve.passes(branched(from, value, 0)) | sieve.passes(value & mask) {
            look.closer(from, value);
        }
    });
    // Opcodes whose distance lies behind the end.
    for at in piece.end().saturating_sub(2).max(piece.address)..piece.end() {
        look.branch(at);
    }
}

/// What is looked at in a piece of code, and where it is noted.
struct Look<'a> {
    code: &'a Code,
    piece: &'a Piece,
    windows: &'a Windows,
    bases: &'a Windows,
    /// The bits of eight bytes that make a pointer.
    mask: u64,
    findings: &'a mut Findings,
    referred: &'a mut BTreeSet<u64>,
    effort: &'a mut Effort,
}

impl Look<'_> {
    /// Bytes that may be a distance or a pointer that leads to where it matters. Out of line: the loop that asks is short.
    #[cold]
    #[inline(never)]
    fn closer(&mut self, from: u64, value: u64) {
        self.branch(from.wrapping_sub(2));
        self.branch(from.wrapping_sub(1));
        let target = value & self.mask;
        if self.windows.contains(target)
            && !(self.code.fixed && is_no_literal(self.code, from, self.effort))
        {
            self.findings.note(target, EvidenceKind::Pointer, from);
        }
        if self.bases.contains(target) {
            self.referred.insert(target);
        }
    }

    /// What would be a branch, or `lea`, if an instruction began here.
    fn branch(&mut self, at: u64) {
        let value = value_at(self.piece, at);
        let Some((target, kind)) = value.and_then(|value| relative(at, value)) else {
            return;
        };
        if self.windows.contains(target) {
            self.findings.note(target, kind, at);
        }
        if kind == EvidenceKind::Taken && self.bases.contains(target) {
            self.referred.insert(target);
        }
    }
}

/// The eight bytes at an address of a piece, zeros beyond its end.
fn value_at(piece: &Piece, at: u64) -> Option<u64> {
    let from = usize::try_from(at.checked_sub(piece.address)?).ok()?;
    let bytes = piece.bytes.get(from..).filter(|bytes| !bytes.is_empty())?;
    let mut value = [0; LOOKAHEAD];
    let filled = value.iter_mut().zip(bytes);
    filled.for_each(|(to, byte)| *to = *byte);
    Some(u64::from_le_bytes(value))
}

/// Calls `visit` with every address of a piece and the eight bytes there, zeros beyond its end.
#[inline]
fn each_offset(piece: &Piece, mut visit: impl FnMut(u64, u64)) {
    let mut at = piece.address;
    for bytes in piece.bytes.windows(LOOKAHEAD) {
        if let Some(bytes) = bytes.first_chunk() {
            visit(at, u64::from_le_bytes(*bytes));
        }
        at = at.wrapping_add(1);
    }
    while let Some(value) = value_at(piece, at) {
        visit(at, value);
        at = at.wrapping_add(1);
    }
}

/// Whether these bytes of a function are part of other things than a number or an address, so that they are neither.
fn is_no_literal(code: &Code, at: u64, effort: &mut Effort) -> bool {
    let body = code.frames.at(FileAddress(at)).and_then(|frame| {
        let body = code.executable(frame.start.0..frame.end.0)?;
        Some((body, frame.start.0))
    });
    body.is_some_and(|(body, start)| {
        effort.spend(body.len() as u64) && is_literal(body, start, at) == Ok(false)
    })
}

/// Where the bytes of `value`, the lowest first, would lead if they were a branch with a rel32, or `lea` of a place in
/// the code.
fn relative(at: u64, value: u64) -> Option<(u64, EvidenceKind)> {
    let (opcode, kind) = match (value & 0xff, value >> 8 & 0xff) {
        (0xe8 | 0xe9, _) => (1, EvidenceKind::Branch),
        (0x0f, 0x80..=0x8f) | (0xc7, 0xf8) => (2, EvidenceKind::Branch),
        (0x8d, second) if second & 0xc7 == 0x05 => (2, EvidenceKind::Taken),
        _ => return None,
    };
    Some((branched(at, value, opcode), kind))
}

/// Where a branch at `at` goes whose rel32 is behind `opcode` bytes.
fn branched(at: u64, value: u64, opcode: u32) -> u64 {
    let end = at.wrapping_add(u64::from(opcode)).wrapping_add(4);
    end.wrapping_add(extended(value >> (8 * opcode)))
}

/// The low four bytes as a number with a sign.
fn extended(value: u64) -> u64 {
    ((value << 32).cast_signed() >> 32).cast_unsigned()
}

/// Targets in windows, each with the entry that leads there, by the address of the table that has the entry.
type Tables = BTreeMap<u64, Vec<(u64, u64)>>;

/// Aligned words that would lead into a window if they were entries of a table of distances. Every entry between the
/// table's start and such a word must lead to code.
fn distances(
    code: &Code,
    windows: &Windows,
    findings: &mut Findings,
    effort: &mut Effort,
) -> Tables {
    let mut tables = Tables::new();
    let span = windows.span();
    let reach = span.start..span.end.saturating_add(LONGEST_TABLE);
    for piece in &code.pieces {
        let skipped = piece.address.wrapping_neg() % 4;
        let aligned = piece.slice(piece.address.saturating_add(skipped)..piece.end());
        let words = aligned.unwrap_or(&[]).chunks_exact(4);
        let words = words.filter_map(|word| word.first_chunk().copied());
        for (index, word) in words.enumerate() {
            let offset = (index as u64).saturating_mul(4).saturating_add(skipped);
            let at = piece.address.saturating_add(offset);
            let distance = extended(u32::from_le_bytes(word).into());
            if !reach.contains(&at.wrapping_add(distance)) {
                continue;
            }
            for target in targets(at, distance, windows) {
                let base = target.wrapping_sub(distance);
                match leads_to_code(code, piece, base, at, effort) {
                    Some(true) if tables.len() < MAX_TABLES => {
                        tables.entry(base).or_default().push((target, at));
                    }
                    Some(false) => {}
                    Some(true) | None => findings.note(target, EvidenceKind::Distance, at),
                }
            }
        }
    }
    tables
}

/// The addresses in windows that the entry at `at` leads to, for a table that begins, aligned, at or before it.
fn targets(at: u64, distance: u64, windows: &Windows) -> impl Iterator<Item = u64> + '_ {
    let latest = at.wrapping_add(distance);
    let earliest = latest.saturating_sub(LONGEST_TABLE);
    let near = windows
        .iter()
        .filter(move |window| window.start <= latest && earliest < window.end);
    near.flat_map(move |window| {
        let first = window.start.max(earliest.saturating_add(1));
        (first..window.end.min(latest.saturating_add(1)))
            .filter(move |target| latest.wrapping_sub(*target) % 4 == 0)
    })
}

/// Whether every word from `base` to `at` leads to code when it is a distance from `base`; `None` when finding that out
/// takes too long.
fn leads_to_code(
    code: &Code,
    piece: &Piece,
    base: u64,
    at: u64,
    effort: &mut Effort,
) -> Option<bool> {
    let Some(entries) = piece.slice(base..at.saturating_add(4)) else {
        return Some(false);
    };
    for word in entries.chunks_exact(4).filter_map(<[u8]>::first_chunk) {
        effort.spend(4).then_some(())?;
        let distance = extended(u32::from_le_bytes(*word).into());
        if !code.is_executable(base.wrapping_add(distance)) {
            return Some(false);
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Frames;

    const START: u64 = 0x40_1000;
    const LENGTH: usize = 64;

    /// What is found of an instruction that begins at `at` in a piece of code, and leads to `target`.
    fn found(opcode: &[u8], at: usize, target: u64) -> Vec<(u64, EvidenceKind, u64)> {
        let mut bytes = vec![0xcc; LENGTH];
        let end = at + opcode.len() + 4;
        let distance = target.wrapping_sub(START + end as u64) as i32;
        let all = opcode.iter().copied().chain(distance.to_le_bytes());
        bytes.splice(at..end, all);
        let code = Code {
            pieces: vec![Piece {
                address: START,
                bytes,
                executable: true,
            }],
            fixed: true,
            frames: Frames::default(),
        };
        let window = target - 3..target + 4;
        let mut findings = Findings::default();
        let windows = Windows::new(vec![window.clone()]);
        look_through(&code, &windows, &mut findings, &mut Effort::new());
        let found = findings.within(window);
        found.map(|it| (it.target, it.kind, it.from)).collect()
    }

    #[test]
    fn branches_are_found_wherever_they_begin() {
        let opcodes: [(&[u8], EvidenceKind); 6] = [
            (&[0xe8], EvidenceKind::Branch),
            (&[0xe9], EvidenceKind::Branch),
            (&[0x0f, 0x80], EvidenceKind::Branch),
            (&[0x0f, 0x8f], EvidenceKind::Branch),
            (&[0xc7, 0xf8], EvidenceKind::Branch),
            (&[0x8d, 0x3d], EvidenceKind::Taken),
        ];
        for (opcode, kind) in opcodes {
            for at in 0..=LENGTH - opcode.len() - 4 {
                for target in [START + 0x2000, START - 0x800, 0x7_1234_5678 >> 8] {
                    let from = START + at as u64;
                    assert_eq!(found(opcode, at, target), [(target, kind, from)]);
                }
            }
        }
        assert_eq!(found(&[0x90], 5, START + 0x2000), [], "no branch");
    }
}
