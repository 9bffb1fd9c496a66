//! Where in a process's address space code may be put: pages that nobody has, and that nobody will miss.

use std::ops::Range;
use std::path::Path;

use crate::process::maps::Mapping;

/// The size of a page in bytes.
pub const PAGE: u64 = 4096;
/// The lowest address that is given out: the usual `vm.mmap_min_addr`.
const LOWEST: u64 = 0x1_0000;
/// The end of a program's half of the address space with four levels of page tables.
const HIGHEST: u64 = 0x7fff_ffff_f000;
/// How far below the main stack nothing is put, at least: the gap that the kernel itself keeps there.
const BELOW_STACK: u64 = 128 << 20;
/// How far above the heap nothing is put, so that brk(2) can go on.
const ABOVE_HEAP: u64 = 128 << 20;
/// What separates a given place from the mappings around it, because stacks grow towards their guard pages.
const MARGIN: u64 = 16 * PAGE;
/// How far a rel32 reaches, less what a stub may take.
const REACH: u64 = (1 << 31) - (1 << 20);

/// The free ranges of an address space, and what has been promised of them.
#[derive(Clone, Debug, Default)]
pub struct FreeSpace {
    free: Vec<Range<u64>>,
    /// Bytes promised one by one, at exact addresses.
    claimed: Vec<Range<u64>>,
    /// Pages that are mapped, or going to be, for those.
    pages: Vec<Range<u64>>,
}

/// A promised place at an exact address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The pages that are still to be mapped there; empty when an earlier claim has them.
    pub pages: Vec<Range<u64>>,
}

impl FreeSpace {
    /// What is free between a process's mappings. `stack_limit` is its RLIMIT_STACK in bytes (`u64::MAX`: unlimited).
    pub fn of(mappings: &[Mapping], stack_limit: u64) -> FreeSpace {
        let taken = mappings.iter().map(|mapping| taken(mapping, stack_limit));
        let mut taken: Vec<Range<u64>> = taken.collect();
        taken.sort_unstable_by_key(|range| range.start);
        let mut free = Vec::new();
        let mut from = LOWEST;
        for range in taken {
            if from < range.start {
                free.push(from..range.start.min(HIGHEST));
            }
            from = from.max(range.end);
        }
        if from < HIGHEST {
            free.push(from..HIGHEST);
        }
        free.retain(|range| range.start < range.end);
        FreeSpace {
            free,
            ..FreeSpace::default()
        }
    }

    /// Says that these pages, mapped already, are ours: claims may share them. `used` are the bytes taken in them.
    pub fn adopt(&mut self, pages: Range<u64>, used: &[Range<u64>]) {
        self.pages.push(pages);
        self.claimed.extend_from_slice(used);
    }

    /// Promises exactly these bytes; `None` when somebody has their pages, or has been promised some of them.
    pub fn claim(&mut self, bytes: Range<u64>) -> Option<Claim> {
        let overlaps = |other: &Range<u64>| other.start < bytes.end && bytes.start < other.end;
        if bytes.is_empty() || self.claimed.iter().any(overlaps) {
            return None;
        }
        let mut pages: Vec<Range<u64>> = Vec::new();
        let mut page = bytes.start - bytes.start % PAGE;
        while page < bytes.end {
            let end = page.checked_add(PAGE)?;
            let within = |range: &Range<u64>| range.start <= page && end <= range.end;
            if !self.pages.iter().any(within) {
                self.free.iter().any(within).then_some(())?;
                match pages.last_mut() {
                    Some(last) if last.end == page => last.end = end,
                    _ => pages.push(page..end),
                }
            }
            page = end;
        }
        for range in &pages {
            self.take(range);
            self.pages.push(range.clone());
        }
        self.claimed.push(bytes);
        Some(Claim { pages })
    }

    /// Takes a range out of what is free.
    pub fn take(&mut self, range: &Range<u64>) {
        let free = std::mem::take(&mut self.free);
        let pieces = free.into_iter().flat_map(|free| {
            let before = free.start..free.end.min(range.start);
            [before, free.start.max(range.end)..free.end]
        });
        self.free = pieces.filter(|piece| piece.start < piece.end).collect();
    }

    /// Places for `length` bytes from which a rel32 reaches every byte of `image` and back, the nearest first: one at
    /// each end of every free range. They are to be tried in turn with MAP_FIXED_NOREPLACE, since the process may have
    /// mapped something meanwhile.
    pub fn near(&self, image: &Range<u64>, length: u64) -> Vec<u64> {
        let length = length.next_multiple_of(PAGE);
        let lowest = image.end.saturating_sub(REACH);
        let highest = image.start.saturating_add(REACH);
        let mut places: Vec<u64> = self
            .free
            .iter()
            .flat_map(|free| {
                let from = inset(free.start, LOWEST, MARGIN).max(lowest.next_multiple_of(PAGE));
                let to = free.end.saturating_sub(MARGIN).min(highest);
                let last = to.checked_sub(length).filter(|last| from <= *last);
                let last = last
                    .map(|last| last - last % PAGE)
                    .filter(|last| from <= *last);
                last.map(|last| [from, last]).into_iter().flatten()
            })
            .collect();
        places.sort_unstable_by_key(|place| (distance(*place, length, image), *place));
        places.dedup();
        places
    }
}

/// A free range's start with a margin, unless nothing can be mapped below it.
fn inset(start: u64, lowest: u64, margin: u64) -> u64 {
    match start {
        start if start == lowest => start,
        start => start.saturating_add(margin),
    }
}

fn distance(place: u64, length: u64, image: &Range<u64>) -> u64 {
    if place < image.start {
        image.start.saturating_sub(place.saturating_add(length))
    } else {
        place.saturating_sub(image.end)
    }
}

/// What a mapping takes, with the room into which it grows.
fn taken(mapping: &Mapping, stack_limit: u64) -> Range<u64> {
    let (start, end) = (mapping.start.0, mapping.end.0);
    let start = start - start % PAGE;
    let is = |name: &str| mapping.path.as_deref() == Some(Path::new(name));
    if is("[stack]") {
        // Beyond a few GiB a limit says "unlimited", and the kernel reserves no room for it either.
        let room = stack_limit.clamp(BELOW_STACK, 8 << 30);
        return start.saturating_sub(room)..end;
    }
    if is("[heap]") {
        return start..end.saturating_add(ABOVE_HEAP);
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::maps::parse;

    const MAPS: &str = "\
00400000-00900000 r-xp 00000000 08:01 5 /usr/bin/python3
01000000-01100000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000100000 r-xp 00000000 08:01 6 /lib/libc.so.6
7ffff0000000-7ffff0021000 rw-p 00000000 00:00 0 [stack]
";

    fn space() -> FreeSpace {
        FreeSpace::of(&parse(MAPS.as_bytes()).expect("maps"), 8 << 20)
    }

    fn pages(range: Range<u64>) -> Vec<Range<u64>> {
        std::iter::once(range).collect()
    }

    #[test]
    fn gaps_are_free_but_for_the_room_of_heap_and_stack() {
        let expected = [
            0x1_0000..0x40_0000,
            0x90_0000..0x100_0000,
            0x910_0000..0x7f00_0000_0000,
            0x7f00_0010_0000..0x7fff_e800_0000,
            0x7fff_f002_1000..HIGHEST,
        ];
        assert_eq!(space().free, expected);
        let none = FreeSpace::of(&[], 0);
        assert_eq!(none.free, pages(LOWEST..HIGHEST));
    }

    #[test]
    fn claims_share_pages_but_not_bytes() {
        let mut space = space();
        let claim =
            |space: &mut FreeSpace, from: u64, to: u64| space.claim(from..to).map(|it| it.pages);
        let one = pages(0x2000_0000..0x2000_1000);
        assert_eq!(claim(&mut space, 0x2000_0ff0, 0x2000_0ffe), Some(one));
        assert_eq!(claim(&mut space, 0x2000_0ff8, 0x2000_0fff), None, "overlap");
        assert_eq!(
            claim(&mut space, 0x2000_0100, 0x2000_010e),
            Some(vec![]),
            "same page"
        );
        let next = pages(0x2000_1000..0x2000_2000);
        assert_eq!(
            claim(&mut space, 0x2000_0ffe, 0x2000_100c),
            Some(next),
            "two pages"
        );
        assert_eq!(
            claim(&mut space, 0x40_0ff0, 0x40_0ffe),
            None,
            "the program's"
        );
        assert_eq!(
            claim(&mut space, 0xf_fff0, 0x10_0000),
            Some(pages(0xf_f000..0x10_0000))
        );
        assert_eq!(claim(&mut space, 0xfff0, 0x1_0002), None, "too low");
        assert_eq!(claim(&mut space, 0x100_0000, 0x100_0008), None, "heap");
        assert_eq!(
            claim(&mut space, u64::MAX - 4, u64::MAX),
            None,
            "the kernel's"
        );
        assert_eq!(claim(&mut space, 16, 16), None, "nothing");
    }

    #[test]
    fn what_was_mapped_before_is_shared() {
        let mut space = space();
        space.take(&(0x3000_0000..0x3000_1000));
        space.adopt(0x3000_0000..0x3000_1000, &pages(0x3000_0000..0x3000_000e));
        assert_eq!(space.claim(0x3000_0004..0x3000_0012), None);
        assert_eq!(
            space.claim(0x3000_0010..0x3000_001e).map(|it| it.pages),
            Some(vec![])
        );
    }

    #[test]
    fn near_places_are_free_and_in_reach_of_the_whole_image() {
        let space = space();
        for (image, length) in [
            (0x40_0000..0x90_0000, 1),
            (0x40_0000..0x90_0000, 0x20_0000),
            (0x7f00_0000_0000..0x7f00_0010_0000, 0x1_0000),
        ] {
            let places = space.near(&image, length);
            assert!(places.len() >= 2, "{image:x?}");
            for place in places {
                assert_eq!(place % PAGE, 0);
                let end = place + length.next_multiple_of(PAGE);
                assert!(
                    space
                        .free
                        .iter()
                        .any(|free| free.start <= place && end <= free.end)
                );
                assert!(image.end.abs_diff(place) < 1 << 31 && image.start.abs_diff(end) < 1 << 31);
            }
        }
        // Nearest: right below the image, a margin away from it.
        assert_eq!(
            space.near(&(0x40_0000..0x90_0000), 0x1000).first(),
            Some(&(0x40_0000 - MARGIN - 0x1000))
        );
        assert!(
            FreeSpace::default()
                .near(&(0x40_0000..0x90_0000), 1)
                .is_empty()
        );
    }
}
