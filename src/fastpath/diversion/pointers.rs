//! Looks at every byte of a file for what leads into the windows, without asking where instructions begin: branches and
//! `lea` with four bytes of distance, pointers, and tables of distances.

use std::collections::{BTreeMap, BTreeSet};

use ptpytrace_arch::x86_64::flow::is_literal;

use super::evidence::{Effort, EvidenceKind, Findings, Windows};
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
    each_offset(piece, |from, value| {
        // Every byte is asked about, so what is rare is found out first, by comparisons that predict well.
        let (short, long) = (branched(from, value, 1), branched(from, value, 2));
        let near = windows.spans(short) | windows.spans(long) | bases.spans(long);
        if near && let Some((target, kind)) = relative(from, value) {
            if windows.contains(target) {
                findings.note(target, kind, from);
            }
            if kind == EvidenceKind::Taken && bases.contains(target) {
                referred.insert(target);
            }
        }
        let target = value & mask;
        if windows.contains(target) && !(code.fixed && is_no_literal(code, from, effort)) {
            findings.note(target, EvidenceKind::Pointer, from);
        }
        if bases.contains(target) {
            referred.insert(target);
        }
    });
}

/// Calls `visit` with every address of a piece and the eight bytes there, zeros beyond its end.
fn each_offset(piece: &Piece, mut visit: impl FnMut(u64, u64)) {
    let mut at = piece.address;
    for bytes in piece.bytes.windows(LOOKAHEAD) {
        if let Some(bytes) = bytes.first_chunk() {
            visit(at, u64::from_le_bytes(*bytes));
        }
        at = at.wrapping_add(1);
    }
    let tail = piece.bytes.len().saturating_sub(LOOKAHEAD - 1);
    let mut last = piece.bytes.get(tail..).unwrap_or(&[]);
    while !last.is_empty() {
        let mut bytes = [0; LOOKAHEAD];
        let filled = bytes.iter_mut().zip(last);
        filled.for_each(|(to, byte)| *to = *byte);
        visit(at, u64::from_le_bytes(bytes));
        at = at.wrapping_add(1);
        last = last.get(1..).unwrap_or(&[]);
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
