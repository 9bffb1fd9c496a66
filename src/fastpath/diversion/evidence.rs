//! What leads, or may lead, to an address.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Something in a file that may lead to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// The address that it leads to, as the file has it.
    pub target: u64,
    /// What it is.
    pub kind: EvidenceKind,
    /// Where it is, as the file has it.
    pub from: u64,
}

/// The ways in which something may lead to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceKind {
    /// A call or a jump, conditional or not.
    Branch,
    /// Bytes that would be a short branch if an instruction began there; whether one does is not known.
    PossibleBranch,
    /// An instruction that computes the address from its own (`lea`).
    Taken,
    /// Bytes that are the address.
    Pointer,
    /// An entry of a table of distances; `from` is the entry.
    Distance,
    /// A symbol of the file.
    Symbol,
    /// Another marker's site.
    Marker,
}

impl fmt::Display for Evidence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Evidence { target, kind, from } = self;
        match kind {
            EvidenceKind::Branch => {
                write!(out, "the instruction at {from:#x} branches to {target:#x}")
            }
            EvidenceKind::PossibleBranch => {
                write!(
                    out,
                    "what stands at {from:#x} may be a branch to {target:#x}"
                )
            }
            EvidenceKind::Taken => {
                write!(
                    out,
                    "the instruction at {from:#x} takes the address {target:#x}"
                )
            }
            EvidenceKind::Pointer => write!(out, "a pointer at {from:#x} leads to {target:#x}"),
            EvidenceKind::Distance => {
                write!(out, "a table's entry at {from:#x} leads to {target:#x}")
            }
            EvidenceKind::Symbol => write!(out, "a symbol stands at {target:#x}"),
            EvidenceKind::Marker => write!(out, "another marker is at {target:#x}"),
        }
    }
}

/// What has been found: of each kind the first that leads to an address, however many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings(BTreeMap<(u64, EvidenceKind), u64>);

impl Findings {
    pub fn note(&mut self, target: u64, kind: EvidenceKind, from: u64) {
        self.0.entry((target, kind)).or_insert(from);
    }

    /// What leads into a range, by ascending target.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = Evidence> + '_ {
        // Branch is the least of the kinds.
        let keys = (range.start, EvidenceKind::Branch)..(range.end, EvidenceKind::Branch);
        let evidence = |(&(target, kind), &from): (&(u64, EvidenceKind), &u64)| Evidence {
            target,
            kind,
            from,
        };
        self.0.range(keys).map(evidence)
    }
}

/// How much work a survey may still do beyond reading the file once. A file that was made to cost more than that gets
/// answers that are on the safe side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort(u64);

impl Effort {
    /// For one file, in bytes looked at again.
    pub fn new() -> Effort {
        Effort(64 << 20)
    }

    /// Whether there is enough left for so many bytes, which are then taken off.
    pub fn spend(&mut self, bytes: u64) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Ranges of addresses of which no target may be missed, sorted and merged.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    ranges: Vec<Range<u64>>,
    start: u64,
    length: u64,
}

impl Windows {
    pub fn new(mut ranges: Vec<Range<u64>>) -> Windows {
        ranges.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        let start = merged.first().map_or(0, |range| range.start);
        let end = merged.last().map_or(0, |range| range.end);
        Windows {
            ranges: merged,
            start,
            length: end.saturating_sub(start),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.ranges.iter()
    }

    /// From the first window's start to the last one's end.
    pub fn span(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.length)
    }

    /// Asked for every byte of a file: nearly all are told from the windows by one comparison.
    #[inline]
    pub fn contains(&self, address: u64) -> bool {
        self.spans(address) && self.is_within(address)
    }

    /// Whether an address lies between the first window's start and the last one's end.
    #[inline]
    pub fn spans(&self, address: u64) -> bool {
        address.wrapping_sub(self.start) < self.length
    }

    fn is_within(&self, address: u64) -> bool {
        let after = self.ranges.partition_point(|range| range.start <= address);
        let last = after
            .checked_sub(1)
            .and_then(|index| self.ranges.get(index));
        last.is_some_and(|range| address < range.end)
    }
}
