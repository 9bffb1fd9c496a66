//! How large the parts of the file are.

use super::{DATA, FIRST_RING};

/// The page size that sizes are rounded to.
const PAGE: u64 = 4096;
/// The largest ring: positions within it fit into a signed 32-bit immediate.
const LARGEST_RING: u64 = 1 << 30;
/// The most rings.
const MOST_RINGS: u32 = 4096;

/// The sizes of the parts of the shared file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    rings: u32,
    size: u64,
    overhang: u64,
}

/// Why there is no such layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The number of rings is out of range.
    #[error("{0} rings: there must be 1 to {MOST_RINGS}")]
    Rings(u32),
    /// A ring's size is out of range.
    #[error("a ring of {0} bytes: it must have {PAGE} to {LARGEST_RING}")]
    Size(u64),
    /// A record would be larger than the largest ring.
    #[error("a record of {0} bytes is too large")]
    Record(u64),
}

impl Layout {
    /// `rings` rings (1 to 4096) of `size` bytes each (4 KiB to 1 GiB; rounded up to a power of two), for records of
    /// at most `largest` bytes ([`super::record::Shape::largest`]), which may be more than `size`.
    ///
    /// Memory that is not written to is not allocated, so there may well be more rings than threads.
    ///
    /// # Errors
    /// [`LayoutError`] for what is out of range.
    pub fn new(rings: u32, size: u64, largest: u64) -> Result<Layout, LayoutError> {
        if rings == 0 || rings > MOST_RINGS {
            return Err(LayoutError::Rings(rings));
        }
        let size = Some(size)
            .filter(|it| (PAGE..=LARGEST_RING).contains(it))
            .ok_or(LayoutError::Size(size))?
            .next_power_of_two();
        if largest > LARGEST_RING {
            return Err(LayoutError::Record(largest));
        }
        let overhang = largest.max(1).next_multiple_of(PAGE);
        Ok(Layout {
            rings,
            size,
            overhang,
        })
    }

    /// How many rings there are.
    pub fn rings(&self) -> u32 {
        self.rings
    }

    /// The size of a ring's data in bytes, a power of two.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How far a record may go on behind the end of the data, in bytes.
    pub fn overhang(&self) -> u64 {
        self.overhang
    }

    /// From one ring to the next, in bytes.
    pub fn stride(&self) -> u64 {
        DATA + self.size + self.overhang
    }

    /// The size of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        FIRST_RING + u64::from(self.rings) * self.stride()
    }

    /// Where a ring begins in the file; `None` when there is none of that number.
    pub fn ring(&self, number: u32) -> Option<u64> {
        let begin = FIRST_RING + u64::from(number) * self.stride();
        (number < self.rings).then_some(begin)
    }

    /// The position behind a record of `length` bytes at `position`.
    pub fn behind(&self, position: u64, length: u64) -> u64 {
        let offset = position & self.mask();
        if offset.saturating_add(length) >= self.size {
            position.wrapping_sub(offset).wrapping_add(self.size)
        } else {
            position.wrapping_add(length)
        }
    }

    /// What of a position is the offset in the ring.
    pub fn mask(&self) -> u64 {
        self.size.wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_and_checked() {
        let layout = Layout::new(2, 5000, 100).unwrap();
        assert_eq!((layout.size(), layout.overhang()), (8192, 4096));
        assert_eq!(layout.ring(1), Some(4096 + 4096 + 131_072 + 8192 + 4096));
        assert_eq!(layout.ring(2), None);
        assert_eq!(layout.file_bytes(), 4096 + 2 * (4096 + 131_072 + 12288));
        assert_eq!(Layout::new(0, 8192, 1), Err(LayoutError::Rings(0)));
        assert_eq!(Layout::new(1, 4095, 1), Err(LayoutError::Size(4095)));
        assert_eq!(
            Layout::new(1, u64::MAX, 1),
            Err(LayoutError::Size(u64::MAX))
        );
        assert_eq!(
            Layout::new(1, 4096, u64::MAX),
            Err(LayoutError::Record(u64::MAX))
        );
    }

    #[test]
    fn a_record_that_reaches_the_end_ends_the_lap() {
        let layout = Layout::new(1, 4096, 10_000).unwrap();
        assert_eq!(layout.behind(0, 32), 32);
        assert_eq!(layout.behind(4000, 88), 4088);
        assert_eq!(layout.behind(4000, 96), 4096);
        assert_eq!(layout.behind(4000, 200), 4096);
        assert_eq!(layout.behind(8192 + 8, 9000), 12288);
    }
}
