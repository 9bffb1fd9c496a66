//! Functions assembled by hand, one for every reason to refuse and every way to divert.

use ptpytrace_arch::x86_64::displace::{Immovable, RelocateError};

use super::*;
use crate::address::FileAddress;
use crate::elf::{Frame, Frames};

/// Where the functions lie.
const TEXT: u64 = 0x40_1000;
/// Where the data lies.
const DATA: u64 = 0x50_0000;

/// A file with one function, whose marker is at `site` bytes from its start, and some data.
#[derive(Clone)]
struct File {
    function: Vec<u8>,
    site: u64,
    data: Vec<u8>,
    fixed: bool,
    frame: Option<(u64, bool)>,
    further_sites: Vec<u64>,
    symbol: Option<u64>,
}

impl File {
    fn new(function: &[u8], site: u64) -> File {
        File {
            function: function.to_vec(),
            site,
            data: vec![0; 64],
            fixed: true,
            frame: Some((function.len() as u64, false)),
            further_sites: Vec::new(),
            symbol: None,
        }
    }

    fn code(&self) -> Code {
        let mut text = self.function.clone();
        text.resize(text.len().max(256), 0xcc);
        let frames = self.frame.iter().map(|(length, landing_pads)| Frame {
            start: FileAddress(TEXT),
            end: FileAddress(TEXT + length),
            landing_pads: *landing_pads,
        });
        Code {
            pieces: vec![
                Piece {
                    address: TEXT,
                    bytes: text,
                    executable: true,
                },
                Piece {
                    address: DATA,
                    bytes: self.data.clone(),
                    executable: false,
                },
            ],
            fixed: self.fixed,
            frames: Frames::new(frames.collect()),
        }
    }

    fn facts(&self) -> SiteFacts {
        let mut sites = vec![FileAddress(TEXT + self.site)];
        sites.extend(
            self.further_sites
                .iter()
                .map(|site| FileAddress(TEXT + site)),
        );
        let symbol = self.symbol.map(|symbol| FileAddress(TEXT + symbol));
        let has_symbol =
            |range: std::ops::Range<FileAddress>| symbol.is_some_and(|it| range.contains(&it));
        survey(&self.code(), &sites, &has_symbol).remove(0)
    }

    fn choose(&self, allowed: &[WayKind]) -> Choice {
        let facts = self.facts();
        let site = Site {
            address: TEXT + self.site,
            live: &facts.bytes,
            facts: &facts,
        };
        choose(&site, allowed, &mut FreeSpace::of(&[], 0))
    }

    /// Why the site is not diverted in this way, if it is not.
    fn refusal(&self, way: WayKind) -> Option<Reason> {
        let choice = self.choose(&[way]);
        assert_eq!(
            choice.way.kind() == way,
            choice.refused.is_empty(),
            "{choice:?}"
        );
        choice.refused.first().map(|refusal| refusal.reason)
    }
}

/// push rbx; nop (the marker, at 1); mov rcx, [rbx+0x20]; mov rax, rcx; pop rbx; ret.
const PLAIN: [u8; 11] = [
    0x53, 0x90, 0x48, 0x8b, 0x4b, 0x20, 0x48, 0x89, 0xc8, 0x5b, 0xc3,
];
/// nop (the marker, at 0); jmp +0x10; ret.
const LEADING: [u8; 8] = [0x90, 0xe9, 0x10, 0, 0, 0, 0xc3, 0xc3];

fn evidence(target: u64, kind: EvidenceKind, from: u64) -> Option<Reason> {
    let (target, from) = (TEXT + target, if from >= DATA { from } else { TEXT + from });
    Some(Reason::Target(Evidence { target, kind, from }))
}

#[test]
fn a_plain_function_is_jumped_out_of_and_punned() {
    let file = File::new(&PLAIN, 1);
    assert_eq!(file.refusal(WayKind::Jump), None);
    assert_eq!(file.choose(&[WayKind::Jump]).displaced, Some(5));
    assert_eq!(file.refusal(WayKind::Retarget), Some(Reason::NoJump));
    let best = file.choose(&WayKind::DIVERSIONS);
    // 0x401001 + 5 + 0x204b8b48.
    let landing = 0x208b_9b4e;
    let pages = std::iter::once(0x208b_9000..0x208b_a000).collect();
    assert_eq!(best.way, Way::Pun { landing, pages });
    let none = file.choose(&[]);
    assert_eq!((none.way, none.refused.len()), (Way::Trap, 0));
}

#[test]
fn a_jump_behind_the_nop_is_retargeted() {
    let file = File::new(&LEADING, 0);
    let best = file.choose(&WayKind::DIVERSIONS);
    let way = Way::Retarget {
        jump: TEXT + 1,
        goal: TEXT + 0x16,
    };
    assert_eq!((best.way, best.displaced), (way, Some(6)));
}

#[test]
fn branches_into_the_bytes() {
    // jmp rel8, at the function's end, to the instruction behind the nop.
    let mut short = File::new(&PLAIN, 1);
    short.function.extend([0xeb, 0xf5]);
    short.frame = Some((13, false));
    let expected = evidence(2, EvidenceKind::Branch, 11);
    assert_eq!(short.refusal(WayKind::Jump), expected);
    // The same bytes behind the function's end, where nothing is known.
    short.frame = Some((11, false));
    assert_eq!(
        short.refusal(WayKind::Jump),
        evidence(2, EvidenceKind::PossibleBranch, 11)
    );
    // They are an operand: mov eax, 0xf5eb0000.
    let mut operand = File::new(&PLAIN, 1);
    operand.function.extend([0xb8, 0x00, 0xf4, 0xeb, 0xf2]);
    operand.frame = Some((16, false));
    assert_eq!(operand.refusal(WayKind::Jump), None);
    // call rel32, jne rel32, xbegin rel32 and lea anywhere in the file, found at any byte.
    for (opcode, kind) in [
        (&[0xe8][..], EvidenceKind::Branch),
        (&[0xe9], EvidenceKind::Branch),
        (&[0x0f, 0x85], EvidenceKind::Branch),
        (&[0xc7, 0xf8], EvidenceKind::Branch),
        (&[0x48, 0x8d, 0x0d], EvidenceKind::Taken),
    ] {
        for target in 2..=5 {
            let mut long = File::new(&PLAIN, 1);
            long.function.resize(201, 0xcc);
            long.function.extend(opcode);
            let end = long.function.len() as i32 + 4;
            long.function.extend((target - end).to_le_bytes());
            let from = if opcode.len() == 3 { 202 } else { 201 };
            let expected = evidence(target as u64, kind, from);
            assert_eq!(
                long.refusal(WayKind::Jump),
                expected,
                "{opcode:x?} {target}"
            );
        }
    }
    // To the site itself, and behind the five bytes: harmless.
    for target in [1, 6] {
        let mut long = File::new(&PLAIN, 1);
        long.function.resize(200, 0xcc);
        long.function.push(0xe9);
        long.function.extend((target - 205_i32).to_le_bytes());
        assert_eq!(long.refusal(WayKind::Jump), None);
    }
}

#[test]
fn branches_to_the_jump_that_would_be_retargeted() {
    let mut file = File::new(&LEADING, 0);
    file.function.extend([0xeb, 0xf7]);
    file.frame = Some((10, false));
    let expected = evidence(1, EvidenceKind::Branch, 8);
    assert_eq!(file.refusal(WayKind::Retarget), expected);
    assert_eq!(file.refusal(WayKind::Jump), expected);
    assert_eq!(file.choose(&WayKind::DIVERSIONS).way.kind(), WayKind::Pun);
}

#[test]
fn pointers_into_the_bytes() {
    // A pointer in data, aligned or not, in a fixed program and in a library.
    for offset in [0, 3, 56] {
        for fixed in [true, false] {
            let mut file = File::new(&PLAIN, 1);
            file.fixed = fixed;
            let put = |file: &mut File, target: u64| {
                file.data[offset..offset + 8].copy_from_slice(&(TEXT + target).to_le_bytes());
            };
            put(&mut file, 2);
            let expected = evidence(2, EvidenceKind::Pointer, DATA + offset as u64);
            assert_eq!(file.refusal(WayKind::Jump), expected, "{offset} {fixed}");
            // In the midst of an instruction, at the site, and behind the bytes: it only looks so.
            for target in [1, 3, 4, 5, 6] {
                put(&mut file, target);
                assert_eq!(file.refusal(WayKind::Jump), None, "{target}");
            }
        }
    }
    // mov esi, 0x401002 behind it, where four bytes make an address, and the same bytes as part of a distance.
    for (opcode, expected) in [(0xbe, evidence(2, EvidenceKind::Pointer, 12)), (0xe8, None)] {
        let mut file = File::new(&PLAIN, 1);
        file.function.push(opcode);
        file.function.extend((TEXT as u32 + 2).to_le_bytes());
        file.frame = Some((16, false));
        let found = file.refusal(WayKind::Jump);
        match opcode {
            // It is the address of a label of the function, too.
            0xbe => assert!(matches!(found, Some(Reason::Label(_)))),
            _ => assert_eq!(found, expected),
        }
        assert_eq!(
            file.facts().evidence.first().map(|it| Reason::Target(*it)),
            expected
        );
    }
}

#[test]
fn tables_of_distances() {
    // lea rdx, [rip+table], of which the second entry leads to `target`.
    let table = |target: u64, referred: u64| {
        let mut file = File::new(&PLAIN, 1);
        file.fixed = false;
        file.function.extend([0x48, 0x8d, 0x15]);
        let end = TEXT + file.function.len() as u64 + 4;
        file.function
            .extend(((referred - end) as u32).to_le_bytes());
        file.frame = Some((18, false));
        let base = DATA + 16;
        for (index, target) in [TEXT + 9, TEXT + target].into_iter().enumerate() {
            let distance = target.wrapping_sub(base) as u32;
            let at = 16 + 4 * index;
            file.data[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        file.refusal(WayKind::Jump)
    };
    let expected = evidence(2, EvidenceKind::Distance, DATA + 20);
    assert_eq!(table(2, DATA + 16), expected);
    assert_eq!(table(2, DATA + 8), None, "nobody refers to the table");
    assert_eq!(
        table(4, DATA + 16),
        None,
        "it leads into the midst of an instruction"
    );
    assert_eq!(table(6, DATA + 16), None, "it leads behind the bytes");
    assert_eq!(table(1, DATA + 16), None, "it leads to the site");
}

/// Words of which each may be the last entry of ever so many tables that begin before it.
#[test]
fn a_file_made_to_cost_much() {
    let mut file = File::new(&PLAIN, 1);
    file.fixed = false;
    file.data.clear();
    for index in 0..0x4_0000_u64 {
        // From any of the last tables before it, it leads into the code.
        let distance = (TEXT + 64).wrapping_sub(DATA + index * 4 - (index % 16) * 4) as u32;
        file.data.extend(distance.to_le_bytes());
    }
    let reason = file.refusal(WayKind::Jump);
    let distance =
        |reason: &Reason| matches!(reason, Reason::Target(it) if it.kind == EvidenceKind::Distance);
    assert!(reason.as_ref().is_none_or(distance), "{reason:?}");
}

#[test]
fn symbols_and_other_markers() {
    let mut file = File::new(&PLAIN, 1);
    file.symbol = Some(4);
    assert_eq!(
        file.refusal(WayKind::Jump),
        evidence(4, EvidenceKind::Symbol, 4)
    );
    assert_eq!(file.refusal(WayKind::Pun), None);
    let mut file = File::new(&[0x90, 0x90, 0x48, 0x89, 0xc8, 0x48, 0x89, 0xc8, 0xc3], 0);
    file.further_sites.push(1);
    assert_eq!(
        file.refusal(WayKind::Jump),
        evidence(1, EvidenceKind::Marker, 1)
    );
    assert_eq!(file.refusal(WayKind::Pun), Some(Reason::Neighbour));
}

#[test]
fn what_is_not_known_of_the_function() {
    let mut file = File::new(&PLAIN, 1);
    file.frame = None;
    assert_eq!(file.refusal(WayKind::Jump), Some(Reason::NoFrame));
    file.frame = Some((11, true));
    assert_eq!(file.refusal(WayKind::Jump), Some(Reason::LandingPads));
    let mut file = File::new(&[0x90, 0x89, 0xc8, 0x89, 0xc8, 0xc3], 0);
    file.frame = Some((3, false));
    assert_eq!(file.refusal(WayKind::Jump), Some(Reason::Short));
    // 06 is no instruction in 64-bit mode.
    let mut file = File::new(&PLAIN, 1);
    file.function.extend([0x06, 0x90]);
    file.frame = Some((13, false));
    assert_eq!(file.refusal(WayKind::Jump), Some(Reason::NotDecoded));
    // The disassembly from the start runs over the site: 68 takes four bytes.
    let mut file = File::new(
        &[0x68, 0, 0x90, 0x48, 0x89, 0xc8, 0x48, 0x89, 0xc8, 0xc3],
        2,
    );
    file.frame = Some((10, false));
    assert_eq!(file.refusal(WayKind::Jump), Some(Reason::NotDecoded));
    // lea rax, [rip-0x12], the function's second byte.
    let mut file = File::new(&PLAIN, 1);
    file.function
        .extend([0x48, 0x8d, 0x05, 0xf9, 0xff, 0xff, 0xff]);
    file.frame = Some((18, false));
    assert_eq!(file.refusal(WayKind::Jump), Some(Reason::Label(TEXT + 11)));
}

#[test]
fn what_cannot_run_elsewhere() {
    let table: [(&[u8], u64, Immovable); 7] = [
        (&[0x90, 0xff, 0xd0, 0x89, 0xc8, 0xc3], 1, Immovable::Call),
        (&[0x90, 0x89, 0xc8, 0xe8, 0, 0, 0, 0], 3, Immovable::Call),
        (&[0x90, 0x0f, 0x05, 0x89, 0xc8, 0xc3], 1, Immovable::System),
        (&[0x90, 0x0f, 0x0b, 0x89, 0xc8, 0xc3], 1, Immovable::System),
        (
            &[0x90, 0xc3, 0x90, 0x90, 0x90, 0x90],
            2,
            Immovable::Unreached,
        ),
        (
            &[0x90, 0xf3, 0x0f, 0x1e, 0xfa, 0xc3],
            1,
            Immovable::LandingPad,
        ),
        (
            &[0x90, 0x06, 0x90, 0x90, 0x90, 0xc3],
            1,
            Immovable::Undecodable,
        ),
    ];
    for (function, at, reason) in table {
        let address = TEXT + at;
        let expected = Some(Reason::Immovable(RelocateError { address, reason }));
        let file = File::new(function, 0);
        assert_eq!(file.refusal(WayKind::Jump), expected, "{function:x?}");
        assert_eq!(file.choose(&[WayKind::Pun]).displaced, None);
    }
}

#[test]
fn what_stands_at_the_site_now() {
    let file = File::new(&PLAIN, 1);
    let facts = file.facts();
    let reason = |at: usize, byte: u8| {
        let mut live = facts.bytes.clone();
        live[at] = byte;
        let site = Site {
            address: TEXT + 1,
            live: &live,
            facts: &facts,
        };
        let choice = choose(&site, &WayKind::DIVERSIONS, &mut FreeSpace::of(&[], 0));
        assert_eq!((choice.way, choice.refused.len()), (Way::Trap, 3));
        choice.refused[0].reason
    };
    assert_eq!(reason(0, 0xcc), Reason::Breakpoint);
    assert_eq!(reason(0, 0xe9), Reason::Changed);
    assert_eq!(reason(3, 0xcc), Reason::Changed);
    let site = Site {
        address: TEXT + 1,
        live: &facts.bytes[..5],
        facts: &facts,
    };
    let choice = choose(&site, &WayKind::DIVERSIONS, &mut FreeSpace::of(&[], 0));
    assert_eq!(choice.refused[0].reason, Reason::Changed);
    let other = File::new(&PLAIN, 2);
    assert_eq!(other.refusal(WayKind::Jump), Some(Reason::NotANop));
}

#[test]
fn a_pun_needs_its_page() {
    let file = File::new(&PLAIN, 1);
    let facts = file.facts();
    let site = Site {
        address: TEXT + 1,
        live: &facts.bytes,
        facts: &facts,
    };
    let mut space = FreeSpace::of(&[], 0);
    space.take(&(0x208b_9000..0x208b_a000));
    let choice = choose(&site, &[WayKind::Pun], &mut space);
    assert_eq!(choice.refused[0].reason, Reason::Occupied(0x208b_9b4e));
    // Below the program's half of the address space.
    let mut low = File::new(&[0x90, 0, 0, 0, 0x80, 0xc3], 0);
    low.frame = None;
    let landing = (TEXT + 5).wrapping_sub(0x8000_0000);
    assert_eq!(low.refusal(WayKind::Pun), Some(Reason::Occupied(landing)));
}
