//! Which code belongs together: the ranges that the unwinder's table (`.eh_frame`) has an entry for. Compilers write one
//! for every function, and one more for each part that they put elsewhere (`.cold`), also into stripped files.

use std::ops::Range;

use gimli::{BaseAddresses, CieOrFde, EhFrame, Pointer, RunTimeEndian, UnwindSection};
use object::Endianness;

use crate::address::FileAddress;

/// How many entries of one file are kept.
const MAX_FRAMES: usize = 1 << 20;

/// A piece of code with an entry of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    /// The address of its first byte.
    pub start: FileAddress,
    /// The address behind its last byte.
    pub end: FileAddress,
    /// Whether exceptions may enter it somewhere else than at its start (it has a language-specific data area).
    pub landing_pads: bool,
}

impl Frame {
    /// Whether an address lies in it.
    pub fn contains(&self, address: FileAddress) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// All pieces of a file, by ascending start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames(Vec<Frame>);

impl Frames {
    /// Reads the contents of `.eh_frame`, which lies at `address`. Ends at the first entry that makes no sense.
    pub fn parse(bytes: &[u8], address: FileAddress, endianness: Endianness, bits: u8) -> Frames {
        let endian = match endianness {
            Endianness::Little => RunTimeEndian::Little,
            Endianness::Big => RunTimeEndian::Big,
        };
        let mut section = EhFrame::new(bytes, endian);
        section.set_address_size(bits / 8);
        let bases = BaseAddresses::default().set_eh_frame(address.0);
        let mut frames = Vec::new();
        let mut entries = section.entries(&bases);
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else {
                continue;
            };
            let Ok(fde) = partial.parse(EhFrame::cie_from_offset) else {
                continue;
            };
            let start = fde.initial_address();
            let Some(end) = start.checked_add(fde.len()).filter(|end| *end > start) else {
                continue;
            };
            frames.push(Frame {
                start: FileAddress(start),
                end: FileAddress(end),
                landing_pads: fde.lsda().is_some_and(|lsda| lsda != Pointer::Direct(0)),
            });
            if frames.len() >= MAX_FRAMES {
                break;
            }
        }
        Frames::new(frames)
    }

    /// These pieces, given in any order.
    pub fn new(mut frames: Vec<Frame>) -> Frames {
        frames.sort_unstable();
        Frames(frames)
    }

    /// All of them.
    pub fn all(&self) -> &[Frame] {
        &self.0
    }

    /// The piece that covers an address; of overlapping ones that which begins last.
    pub fn at(&self, address: FileAddress) -> Option<Frame> {
        let after = self.0.partition_point(|frame| frame.start <= address);
        let last = self.0.get(after.checked_sub(1)?)?;
        last.contains(address).then_some(*last)
    }

    /// Those that have bytes within a range.
    pub fn within(&self, range: Range<FileAddress>) -> impl Iterator<Item = Frame> + '_ {
        let overlap = move |frame: &Frame| frame.start < range.end && range.start < frame.end;
        self.0.iter().copied().filter(overlap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CIE with augmentation `zR`, encoding pcrel sdata4, and two FDEs, hand-assembled from the Linux Standard Base
    /// (core, "Exception Frames").
    fn section() -> Vec<u8> {
        let mut bytes = vec![
            0x10, 0, 0, 0, // length
            0, 0, 0, 0, // CIE
            1, b'z', b'R', 0, // version, augmentation
            1, 0x78, 0x10, // code alignment 1, data alignment -8, return address in column 16
            1, 0x1b, // one byte of augmentation: DW_EH_PE_pcrel | DW_EH_PE_sdata4
            0, 0, 0, // DW_CFA_nop
        ];
        for (start, length) in [(0x1000_i32, 0x30_i32), (0x2000, 0x8)] {
            let at = bytes.len() as i32;
            let field = 0x5000 + at + 8;
            bytes.extend_from_slice(&0x10_i32.to_le_bytes());
            bytes.extend_from_slice(&(at + 4).to_le_bytes());
            bytes.extend_from_slice(&(start - field).to_le_bytes());
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&[0, 0, 0, 0]);
        }
        bytes.extend_from_slice(&[0; 4]);
        bytes
    }

    #[test]
    fn functions_are_read_with_their_ends() {
        let frames = Frames::parse(&section(), FileAddress(0x5000), Endianness::Little, 64);
        let expected = [(0x1000, 0x1030), (0x2000, 0x2008)];
        let found: Vec<_> = frames
            .all()
            .iter()
            .map(|it| (it.start.0, it.end.0))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(frames.at(FileAddress(0xfff)), None);
        assert_eq!(
            frames.at(FileAddress(0x102f)).map(|it| it.start.0),
            Some(0x1000)
        );
        assert_eq!(frames.at(FileAddress(0x1030)), None);
        assert_eq!(
            frames.at(FileAddress(0x2007)).map(|it| it.start.0),
            Some(0x2000)
        );
        let within = |from, to| frames.within(FileAddress(from)..FileAddress(to)).count();
        assert_eq!(
            (
                within(0, 0x1000),
                within(0x102f, 0x2001),
                within(0x1030, 0x2000)
            ),
            (0, 2, 0)
        );
    }

    #[test]
    fn every_cut_of_a_section_is_read_without_harm() {
        let whole = section();
        for length in 0..whole.len() {
            let cut = whole.get(..length).unwrap_or(&[]);
            let frames = Frames::parse(cut, FileAddress(0x5000), Endianness::Little, 64);
            assert!(frames.all().len() <= 2);
        }
    }
}
