//! Looks through one file for whatever may lead into the bytes at its markers' sites.
//!
//! The result depends on the file alone: it holds for every process that has mapped it, and is made once.

use std::ops::Range;

use ptpytrace_arch::x86_64::flow::steps;

use super::evidence::{Effort, Evidence, EvidenceKind, Findings, Windows};
use super::pointers;
use crate::address::FileAddress;
use crate::elf::{Frame, Frames, Image, ImageKind};

/// How many bytes behind a site are watched: more than any diversion changes.
pub(super) const WATCHED: u64 = 16;
/// How far a short branch reaches, and the longest instruction besides.
const SHORT: u64 = 128 + 16;
/// How many sites of one file are looked at.
const MAX_SITES: usize = 1024;

/// A segment's bytes at their address in the file.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The address of the first byte.
    pub address: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they may be executed.
    pub executable: bool,
}

impl Piece {
    /// The address behind its last byte.
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.bytes.len() as u64)
    }

    /// The bytes of a range; `None` unless it has them all.
    pub fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
        let from = usize::try_from(range.start.checked_sub(self.address)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(self.address)?).ok()?;
        self.bytes.get(from..to)
    }
}

/// All of a file that can lead anywhere.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// Its segments, with the bytes that the file has for them.
    pub pieces: Vec<Piece>,
    /// Whether it is mapped at the addresses that it was linked for, below 4 GiB, so that four bytes of an instruction
    /// make a pointer.
    pub fixed: bool,
    /// Where its pieces of code begin and end.
    pub frames: Frames,
}

impl Code {
    /// Reads what a survey needs of an image; `None` when a segment cannot be read.
    pub fn of(image: &Image) -> Option<Code> {
        let pieces = image
            .segments()
            .iter()
            .filter(|segment| segment.file_size > 0);
        let pieces = pieces.map(|segment| {
            Some(Piece {
                address: segment.address.0,
                bytes: image.read_at(segment.address, usize::try_from(segment.file_size).ok()?)?,
                executable: segment.executable(),
            })
        });
        Some(Code {
            pieces: pieces.collect::<Option<_>>()?,
            fixed: image.kind() == ImageKind::Executable,
            frames: image.frames().unwrap_or_default(),
        })
    }

    /// The bytes of a range of executable addresses; `None` unless one segment has them all.
    pub fn executable(&self, range: Range<u64>) -> Option<&[u8]> {
        let pieces = self.pieces.iter().filter(|piece| piece.executable);
        pieces
            .into_iter()
            .find_map(|piece| piece.slice(range.clone()))
    }

    /// Whether an address lies in executable bytes.
    pub fn is_executable(&self, address: u64) -> bool {
        let mut pieces = self.pieces.iter().filter(|piece| piece.executable);
        pieces.any(|piece| (piece.address..piece.end()).contains(&address))
    }
}

/// What is known of one site in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteFacts {
    /// The site's address in the file.
    pub address: u64,
    /// The bytes from the site on: 16, fewer only at a segment's end.
    pub bytes: Vec<u8>,
    /// The piece of code that it lies in.
    pub frame: Option<Frame>,
    /// Whether the disassembly of that piece, from its start, is free of errors and has an instruction beginning at the
    /// site.
    pub decoded: bool,
    /// Code in that piece that makes the address of a label within the piece: from it others could be computed.
    pub label: Option<u64>,
    /// All that may lead to one of the 15 addresses behind the site.
    pub evidence: Vec<Evidence>,
}

/// Looks through a file for what may lead behind its sites. Gives the facts in the order of the sites, of the first 1024.
///
/// `has_symbol` says whether the file has a symbol within a range.
pub fn survey(
    code: &Code,
    sites: &[FileAddress],
    has_symbol: &dyn Fn(Range<FileAddress>) -> bool,
) -> Vec<SiteFacts> {
    let sites = sites.get(..MAX_SITES).unwrap_or(sites);
    let behind = |site: &FileAddress| site.0.saturating_add(1)..site.0.saturating_add(WATCHED);
    let windows = Windows::new(sites.iter().map(behind).collect());
    let mut findings = Findings::default();
    let mut effort = Effort::new();
    for window in windows.iter() {
        short_branches(code, window, &mut findings, &mut effort);
    }
    let mut facts: Vec<SiteFacts> = sites
        .iter()
        .map(|site| site_facts(code, *site, &mut effort))
        .collect();
    pointers::look_through(code, &windows, &mut findings, &mut effort);
    for site in sites {
        findings.note(site.0, EvidenceKind::Marker, site.0);
        let within =
            |range: Range<u64>| has_symbol(FileAddress(range.start)..FileAddress(range.end));
        if within(behind(site)) {
            let symbols = behind(site).filter(|at| within(*at..at.saturating_add(1)));
            symbols.for_each(|at| findings.note(at, EvidenceKind::Symbol, at));
        }
    }
    for (facts, site) in facts.iter_mut().zip(sites) {
        facts.evidence = findings.within(behind(site)).collect();
    }
    facts
}

/// What the piece of code around a site shows.
fn site_facts(code: &Code, site: FileAddress, effort: &mut Effort) -> SiteFacts {
    let frame = code.frames.at(site);
    let bytes = (1..=WATCHED)
        .rev()
        .find_map(|length| code.executable(site.0..site.0.checked_add(length)?))
        .unwrap_or(&[])
        .to_vec();
    let mut facts = SiteFacts {
        address: site.0,
        bytes,
        frame,
        decoded: false,
        label: None,
        evidence: Vec::new(),
    };
    let Some(frame) = frame else {
        return facts;
    };
    let body = code.executable(frame.start.0..frame.end.0);
    let Some(body) = body.filter(|body| effort.spend(body.len() as u64)) else {
        return facts;
    };
    let inside = frame.start.0.saturating_add(1)..frame.end.0;
    for step in steps(body, frame.start.0) {
        let Ok(step) = step else {
            facts.decoded = false;
            return facts;
        };
        facts.decoded |= step.address == site.0;
        if step.made.is_some_and(|made| inside.contains(&made)) {
            facts.label.get_or_insert(step.address);
        }
    }
    facts
}

/// Branches into a window from the functions within a short branch's reach of it.
fn short_branches(code: &Code, window: &Range<u64>, findings: &mut Findings, effort: &mut Effort) {
    let reach = window.start.saturating_sub(SHORT)..window.end.saturating_add(SHORT);
    let mut uncertain = vec![reach.clone()];
    for frame in code
        .frames
        .within(FileAddress(reach.start)..FileAddress(reach.end))
    {
        if branches_of(code, &frame, window, findings, effort) {
            uncertain = without(uncertain, &(frame.start.0..frame.end.0));
        }
    }
    for piece in code.pieces.iter().filter(|piece| piece.executable) {
        for range in &uncertain {
            possible_branches(piece, range, window, findings);
        }
    }
}

/// Notes the branches of one function that lead into the window; whether all of it was understood.
fn branches_of(
    code: &Code,
    frame: &Frame,
    window: &Range<u64>,
    findings: &mut Findings,
    effort: &mut Effort,
) -> bool {
    let body = code.executable(frame.start.0..frame.end.0);
    let Some(body) = body.filter(|body| effort.spend(body.len() as u64)) else {
        return false;
    };
    let mut end = frame.start.0;
    for step in steps(body, frame.start.0) {
        let Ok(step) = step else {
            return false;
        };
        end = step.end();
        if let Some(target) = step.flow.target().filter(|target| window.contains(target)) {
            findings.note(target, EvidenceKind::Branch, step.address);
        }
    }
    end == frame.end.0
}

/// What is left of the ranges when one is cut out.
fn without(ranges: Vec<Range<u64>>, cut: &Range<u64>) -> Vec<Range<u64>> {
    let pieces = ranges.into_iter().flat_map(|range| {
        let before = range.start..range.end.min(cut.start);
        let after = range.start.max(cut.end)..range.end;
        [before, after]
    });
    pieces.filter(|range| range.start < range.end).collect()
}

/// Bytes that would be a short branch into the window, wherever an instruction may begin.
fn possible_branches(
    piece: &Piece,
    range: &Range<u64>,
    window: &Range<u64>,
    findings: &mut Findings,
) {
    let from = range.start.max(piece.address);
    for at in from..range.end.min(piece.end()) {
        let Some([opcode, distance]) = piece.slice(at..at.saturating_add(2)) else {
            continue;
        };
        let short = matches!(opcode, 0x70..=0x7f | 0xe0..=0xe3 | 0xeb);
        let end = at.saturating_add(2);
        let target = end.wrapping_add(i64::from(distance.cast_signed()) as u64);
        if short && window.contains(&target) {
            findings.note(target, EvidenceKind::PossibleBranch, at);
        }
    }
}
