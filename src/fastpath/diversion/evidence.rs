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

/// Tells nearly all addresses from those in some windows, wherever these lie: a bit for each granule of 16 bytes, by the
/// lower part of its address.
#[derive(Clone, Debug)]
pub(super) struct Sieve(Box<[u64; Sieve::WORDS]>);

impl Sieve {
    /// It fits into the cache that is closest to the CPU.
    const WORDS: usize = 1024;
    const GRANULE: u64 = 16;

    /// Lets the addresses of all these windows through.
    pub fn of(all: &[&Windows]) -> Sieve {
        let mut sieve = Sieve(Box::new([0; Sieve::WORDS]));
        let ranges = all.iter().flat_map(|windows| windows.iter());
        for range in ranges.filter(|range| !range.is_empty()) {
            let (first, last) = (range.start, range.end.saturating_sub(1));
            let granules = first / Sieve::GRANULE..=last / Sieve::GRANULE;
            // More of them would only set the same bits again.
            for granule in granules.take(Sieve::WORDS.saturating_mul(64)) {
                let (word, bit) = Sieve::place(granule.wrapping_mul(Sieve::GRANULE));
                sieve.0[word] |= bit;
            }
        }
        sieve
    }

    /// Whether an address may lie in a window; if not, it does not.
    #[inline]
    pub fn passes(&self, address: u64) -> bool {
        let (word, bit) = Sieve::place(address);
        self.0[word] & bit != 0
    }

    /// Word and bit of an address; the word's number is below [`Sieve::WORDS`].
    #[inline]
    fn place(address: u64) -> (usize, u64) {
        let granule = address / Sieve::GRANULE;
        let word = granule / 64 % Sieve::WORDS as u64;
        (word as usize, 1 << (granule % 64))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sieve_lets_through_all_that_lies_in_windows_and_little_else() {
        let starts = [1, 15, 16, 0x40_1007, 0x7f00_1234_5678, u64::MAX - 40];
        let lengths = [1, 15, 16, 17, 40, 3 << 20];
        for start in starts {
            for length in lengths {
                let window = start..start.saturating_add(length);
                let other = Windows::new(vec![0x1000..0x1001, 0x1800..0x1801]);
                let windows = Windows::new(vec![window.clone()]);
                let sieve = Sieve::of(&[&windows, &other]);
                let inside = window.clone().step_by(7).chain([window.end - 1, 0x1000]);
                for address in inside {
                    assert!(sieve.passes(address), "{address:#x} of {window:x?}");
                }
                let far = (0..1000).map(|it: u64| it.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                let passed = far.filter(|address| sieve.passes(*address)).count();
                assert!(length > 40 || passed < 10, "{passed} of {window:x?}");
            }
        }
    }
}
