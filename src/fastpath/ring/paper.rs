//! For tests: a file in which records are written by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ptpytrace_arch::{Arch, X86_64};

use super::record::{Argument, Shape, Wanted};
use super::tenancy::prepare;
use super::words::{load, store, word};
use super::{DATA, Layout, Reader, header, ring_header, sys};
use crate::event::ProbeInfo;

/// A good while ago, in ticks.
pub(crate) fn long_ago() -> u64 {
    sys::ticks().saturating_sub(1 << 40)
}

/// Now, in ticks.
pub(crate) fn now() -> u64 {
    sys::ticks()
}

/// The file, with three rings of 4096 bytes, for a site 5 with a string, a number and another string.
pub(crate) struct Paper {
    pub(crate) layout: Layout,
    pub(crate) file: Arc<[AtomicU64]>,
}

struct Ram(Arc<[AtomicU64]>);

impl AsRef<[AtomicU64]> for Ram {
    fn as_ref(&self) -> &[AtomicU64] {
        &self.0
    }
}

impl Paper {
    pub(crate) fn new() -> (Paper, Reader) {
        let layout = Layout::new(3, 4096, 4096).unwrap();
        let words = layout.file_bytes() / 8;
        let file: Arc<[AtomicU64]> = (0..words).map(|_| AtomicU64::new(0)).collect();
        let mut reader = Reader::new(Arc::new(Ram(Arc::clone(&file))), layout);
        let specs = X86_64.parse_args("8@%rdi -4@%esi 8@%rdx").unwrap();
        let wanted = [Wanted::Text, Wanted::Number, Wanted::Text];
        let arguments = Argument::all(specs, wanted);
        let probe = ProbeInfo {
            provider: "python".to_owned(),
            name: "it".to_owned(),
            ..ProbeInfo::default()
        };
        reader.add_site(5, Shape::of(&arguments, 20).unwrap(), Arc::new(probe));
        (Paper { layout, file }, reader)
    }

    pub(crate) fn set(&self, ring: u32, offset: u64, value: u64) {
        store(&self.file, self.layout.ring(ring).unwrap() + offset, value);
    }

    /// What a thread does that takes a ring. Those before it have been had by others.
    pub(crate) fn claim(&self, ring: u32, pointer: u64, tid: u64) {
        self.set(ring, ring_header::KEY, pointer);
        for begin in (0..=ring).filter_map(|it| self.layout.ring(it)) {
            prepare(&self.file, begin, &self.layout);
        }
        self.set(ring, ring_header::TID, tid);
        let claims = word(&self.file, header::CLAIMS).unwrap();
        claims.fetch_add(1, Ordering::SeqCst);
    }

    /// Publishes words.
    pub(crate) fn publish(&self, ring: u32, words: &[u64]) {
        let begin = self.layout.ring(ring).unwrap();
        let head = load(&self.file, begin + ring_header::HEAD);
        for (word, at) in words
            .iter()
            .zip((DATA + (head & self.layout.mask())..).step_by(8))
        {
            self.set(ring, at, *word);
        }
        let behind = self.layout.behind(head, words.len() as u64 * 8);
        self.set(ring, ring_header::HEAD, behind);
    }

    /// Whether there is room for a record of so many bytes.
    pub(crate) fn has_room(&self, ring: u32, bytes: u64) -> bool {
        let begin = self.layout.ring(ring).unwrap();
        let head = load(&self.file, begin + ring_header::HEAD);
        head + bytes <= load(&self.file, begin + ring_header::LIMIT)
    }

    /// A record at a time with two strings that cannot be read and this number.
    pub(crate) fn number(&self, ring: u32, time: u64, number: u64) {
        let first = 48 | 5 << 32;
        self.publish(ring, &[first, time, number, 0, 0x1000, 0x2000]);
    }

    /// A record at a time with this number and a string of one word, the second argument's.
    pub(crate) fn text(&self, ring: u32, time: u64, number: u64, text: [u8; 8]) {
        let descriptors = 1 << 28 | 8 | (1 << 28 | 1) << 32;
        let words = [u64::from_le_bytes(text), u64::from(b'x')];
        let [one, other] = words;
        let record = [
            64 | 5 << 32,
            time,
            number,
            descriptors,
            0x1000,
            one,
            0x2000,
            other,
        ];
        self.publish(ring, &record);
    }

    /// Does what a thread does that wants its ring to be drained; whether anybody was asleep.
    pub(crate) fn ring_bell(&self) -> bool {
        let bell = word(&self.file, header::BELL).unwrap();
        let asleep = bell.swap(1, Ordering::SeqCst) == 0;
        if asleep {
            sys::futex_wake(bell);
        }
        asleep
    }

    /// Whether the tracer wants to know of what has been published in a ring.
    pub(crate) fn is_beyond_mark(&self, ring: u32) -> bool {
        let begin = self.layout.ring(ring).unwrap();
        let [head, mark] = [ring_header::HEAD, ring_header::MARK];
        load(&self.file, begin + head) > load(&self.file, begin + mark)
    }
}
