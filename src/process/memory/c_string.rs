//! Strings that end with a NUL, read without knowing how long they are or where their mapping ends.

use ptpytrace_arch::ReadMemory;

use super::{PAGE, Place, ProcessMemory};

/// The most bytes of the first read. Names of files and functions are mostly shorter, and what is read behind the NUL
/// is waste.
const FIRST: usize = 256;

/// What stands where a string should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StringRead {
    /// A string.
    Text {
        /// Its bytes, without the NUL.
        bytes: Vec<u8>,
        /// Whether it goes on: it is longer than was asked for, or its rest cannot be read.
        truncated: bool,
    },
    /// Not even its first byte can be read.
    Unreadable,
}

/// Reads the string at the run-time address `address`, at most `max` bytes without the NUL.
///
/// No read goes over the end of a page, so a string that ends where its mapping ends is read in full.
pub fn c_string(memory: &dyn ReadMemory, address: u64, max: usize) -> StringRead {
    let mut first = [0; FIRST];
    let wanted = first.get_mut(..first_length(address, max));
    let buffer = wanted.unwrap_or_default();
    let read = memory.read(address, buffer);
    continued(memory, address, max, buffer.get(..read).unwrap_or_default())
}

impl ProcessMemory {
    /// Reads the string at the run-time address `address`, at most `max` bytes without the NUL.
    pub fn c_string(&self, address: u64, max: usize) -> StringRead {
        c_string(self, address, max)
    }

    /// Reads several strings, each at most `max` bytes without the NUL: with one system call when they are short.
    /// What [`ProcessMemory::read_vectored`] asks for holds here too.
    pub fn c_strings<const N: usize>(&self, addresses: [u64; N], max: usize) -> [StringRead; N] {
        let mut buffers = [[0; FIRST]; N];
        let mut slots = addresses.iter().zip(buffers.iter_mut());
        let mut places: [Place<'_>; N] = std::array::from_fn(|_| match slots.next() {
            Some((address, buffer)) => {
                let wanted = buffer.get_mut(..first_length(*address, max));
                Place::new(*address, wanted.unwrap_or_default())
            }
            None => Place::new(0, &mut []),
        });
        self.read_vectored(&mut places);
        places.map(|place| {
            let first = place.buffer.get(..place.read).unwrap_or_default();
            continued(self, place.address, max, first)
        })
    }
}

/// How many bytes to read first: not over the end of the page, and one more than `max` for the NUL.
fn first_length(address: u64, max: usize) -> usize {
    FIRST.min(to_page_end(address)).min(max.saturating_add(1))
}

/// From 1 to [`PAGE`].
fn to_page_end(address: u64) -> usize {
    PAGE.saturating_sub(address % PAGE) as usize
}

/// Reads the rest of a string of which `first` has been read.
fn continued(memory: &dyn ReadMemory, address: u64, max: usize, first: &[u8]) -> StringRead {
    if first.is_empty() {
        return StringRead::Unreadable;
    }
    // Nearly always: so that no more is allocated than the string has.
    if let Some(length) = first.iter().position(|byte| *byte == 0) {
        let bytes = first.get(..length).unwrap_or_default();
        return text(bytes.to_vec(), false);
    }
    // One more byte than asked for, so that a string of just `max` bytes is known to be complete.
    let limit = max.saturating_add(1);
    let mut bytes = first.to_vec();
    loop {
        let searched = bytes.len();
        let next = address.checked_add(searched as u64);
        let Some(next) = next.filter(|_| searched < limit) else {
            break;
        };
        let wanted = to_page_end(next).min(limit.saturating_sub(searched));
        bytes.resize(searched.saturating_add(wanted), 0);
        let read = match bytes.get_mut(searched..) {
            Some(buffer) => memory.read(next, buffer).min(wanted),
            None => 0,
        };
        bytes.truncate(searched.saturating_add(read));
        if read == 0 {
            break;
        }
        let fresh = bytes.get(searched..).unwrap_or_default();
        if let Some(length) = fresh.iter().position(|byte| *byte == 0) {
            bytes.truncate(searched.saturating_add(length));
            return text(bytes, false);
        }
    }
    bytes.truncate(max);
    text(bytes, true)
}

fn text(bytes: Vec<u8>, truncated: bool) -> StringRead {
    StringRead::Text { bytes, truncated }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ptpytrace_arch::Bytes;

    fn expected(content: &[u8], max: usize) -> StringRead {
        let nul = content.iter().position(|byte| *byte == 0);
        match nul {
            _ if content.is_empty() => StringRead::Unreadable,
            Some(length) if length <= max => text(content[..length].to_vec(), false),
            _ => text(content[..content.len().min(max)].to_vec(), true),
        }
    }

    #[test]
    fn a_string_is_cut_only_when_it_is_longer_than_asked_for() {
        let memory = Bytes {
            base: 0x1000,
            bytes: b"abcd\0e",
        };
        let cases: [(u64, usize, &[u8], bool); 7] = [
            (0x1000, 5, b"abcd", false),
            (0x1000, 4, b"abcd", false),
            (0x1000, 3, b"abc", true),
            (0x1000, 0, b"", true),
            (0x1004, 0, b"", false),
            (0x1004, usize::MAX, b"", false),
            (0x1005, usize::MAX, b"e", true),
        ];
        for (address, max, bytes, truncated) in cases {
            assert_eq!(
                c_string(&memory, address, max),
                text(bytes.to_vec(), truncated),
                "{address:#x} {max}"
            );
        }
        for address in [0, 0xfff, 0x1006, u64::MAX] {
            assert_eq!(c_string(&memory, address, 10), StringRead::Unreadable);
        }
    }

    /// Records how it was asked.
    struct Recorder<'a>(Bytes<'a>, std::cell::RefCell<Vec<(u64, usize)>>);

    impl ReadMemory for Recorder<'_> {
        fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
            self.1.borrow_mut().push((address, buffer.len()));
            self.0.read(address, buffer)
        }
    }

    #[test]
    fn reads_are_short_first_and_stay_within_a_page() {
        let content = [b'x'; 3 * 4096];
        let asked = |address: u64, max: usize| {
            let recorder = Recorder(
                Bytes {
                    base: 0x1000,
                    bytes: &content,
                },
                Default::default(),
            );
            c_string(&recorder, address, max);
            recorder.1.into_inner()
        };
        assert_eq!(asked(0x1000, 99), [(0x1000, 100)]);
        assert_eq!(
            asked(0x1ff0, 5000),
            [(0x1ff0, 16), (0x2000, 4096), (0x3000, 5001 - 4112)]
        );
        assert_eq!(
            asked(0x3e80, usize::MAX),
            [(0x3e80, 256), (0x3f80, 128), (0x4000, 4096)]
        );
    }

    #[test]
    fn the_top_of_the_address_space_ends_a_string() {
        let memory = Bytes {
            base: u64::MAX - 2,
            bytes: b"abc",
        };
        assert_eq!(
            c_string(&memory, u64::MAX - 2, 100),
            text(b"abc".to_vec(), true)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_at_any_place_are_read_as_they_are(
            content in prop::collection::vec(prop_oneof![50 => 1u8.., 1 => Just(0u8)], 0..9000),
            offset in 0u64..4096,
            max in prop_oneof![0usize..9000, Just(usize::MAX)],
        ) {
            let address = 0x7000_0000 + offset;
            let memory = Bytes { base: address, bytes: &content };
            prop_assert_eq!(c_string(&memory, address, max), expected(&content, max));
        }
    }
}
