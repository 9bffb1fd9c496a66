//! SDT notes: the descriptors of static markers that `<sys/sdt.h>` leaves in a
//! binary (SystemTap's "UserSpaceProbeImplementation": owner `stapsdt`, type 3,
//! three addresses, three strings).

use object::{Endian, Endianness};

use super::error::{NoteError, NoteProblem};
use crate::address::FileAddress;

/// The owner of a note that describes a marker.
const OWNER: &[u8] = b"stapsdt";
/// The type of such a note (`NT_STAPSDT`).
const TYPE: u32 = 3;
/// The longest string of a note that is read, in bytes.
const MAX_STRING: usize = 64 << 10;
/// How many errors of one file are kept; more are counted.
const MAX_ERRORS: usize = 100;

/// One site of a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The provider, such as `python`.
    pub provider: String,
    /// The marker's name as the file has it, such as `function__entry`.
    pub name: String,
    /// The address of the site's nop, with the adjustment for prelink made.
    pub location: FileAddress,
    /// The address of the 16-bit counter that enables the marker, adjusted likewise; `None`: always enabled.
    pub semaphore: Option<FileAddress>,
    /// The argument specs, such as `8@%rbp -4@%eax`; empty when there are none.
    pub arguments: String,
    /// The addresses as they stand in the note.
    pub raw: RawNote,
}

/// The addresses of a note as they stand in the file (what `readelf -n` prints).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawNote {
    /// The address of the site.
    pub location: u64,
    /// The address of section `.stapsdt.base` when the note was made.
    pub base: u64,
    /// The address of the semaphore, 0 for none.
    pub semaphore: u64,
}

/// Collects the SDT notes of one file, section by section.
pub(super) struct NoteReader {
    bits: u8,
    endianness: Endianness,
    /// Where section `.stapsdt.base` lies now.
    base: Option<u64>,
    pub notes: Vec<Note>,
    pub errors: Vec<NoteError>,
    omitted: u64,
}

impl NoteReader {
    pub fn new(bits: u8, endianness: Endianness, base: Option<u64>) -> NoteReader {
        NoteReader {
            bits,
            endianness,
            base,
            notes: Vec::new(),
            errors: Vec::new(),
            omitted: 0,
        }
    }

    /// Keeps an error, or counts it when there are many.
    pub fn error(&mut self, offset: u64, problem: NoteProblem) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(NoteError { offset, problem });
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    /// The notes and the errors, with the number of those not kept as the last error.
    pub fn finish(mut self) -> (Vec<Note>, Vec<NoteError>) {
        if let (Some(last), 1..) = (self.errors.last(), self.omitted) {
            let problem = NoteProblem::Omitted(self.omitted);
            let offset = last.offset;
            self.errors.push(NoteError { offset, problem });
        }
        (self.notes, self.errors)
    }

    /// Reads the notes of one section or segment that lies at `offset` in the file.
    pub fn read(&mut self, data: &[u8], offset: u64, alignment: u64) {
        let alignment = match alignment {
            0..=4 => 4,
            8 => 8,
            _ => return self.error(offset, NoteProblem::Alignment),
        };
        let mut rest = data;
        while !rest.is_empty() {
            let at = offset.saturating_add((data.len() - rest.len()) as u64);
            let Some((entry, size)) = self.entry(rest, alignment) else {
                // What follows a note with no end cannot be found.
                return self.error(at, NoteProblem::Truncated);
            };
            if entry.kind == TYPE && entry.owner.strip_suffix(b"\0") == Some(OWNER) {
                match self.note(entry.descriptor) {
                    Ok(note) => self.notes.push(note),
                    Err(problem) => self.error(at, problem),
                }
            }
            // The last note's padding may be missing.
            rest = rest.get(size..).unwrap_or(&[]);
        }
    }

    /// The first note of `data` and its size with padding.
    fn entry<'d>(&self, data: &'d [u8], alignment: usize) -> Option<(Entry<'d>, usize)> {
        let (owner_size, rest) = self.word(data)?;
        let (descriptor_size, rest) = self.word(rest)?;
        let (kind, rest) = self.word(rest)?;
        let owner_size = usize::try_from(owner_size).ok()?;
        let descriptor_size = usize::try_from(descriptor_size).ok()?;
        let owner = rest.get(..owner_size)?;
        let start = 12_usize
            .checked_add(owner_size)?
            .checked_next_multiple_of(alignment)?;
        let end = start.checked_add(descriptor_size)?;
        let descriptor = if descriptor_size == 0 {
            &[]
        } else {
            data.get(start..end)?
        };
        let entry = Entry {
            kind,
            owner,
            descriptor,
        };
        Some((entry, end.checked_next_multiple_of(alignment)?))
    }

    fn word<'d>(&self, data: &'d [u8]) -> Option<(u32, &'d [u8])> {
        let (word, rest) = data.split_first_chunk::<4>()?;
        Some((self.endianness.read_u32(*word), rest))
    }

    fn address<'d>(&self, data: &'d [u8]) -> Option<(u64, &'d [u8])> {
        if self.bits == 32 {
            let (word, rest) = self.word(data)?;
            return Some((u64::from(word), rest));
        }
        let (word, rest) = data.split_first_chunk::<8>()?;
        Some((self.endianness.read_u64(*word), rest))
    }

    fn addresses<'d>(&self, data: &'d [u8]) -> Option<(RawNote, &'d [u8])> {
        let (location, data) = self.address(data)?;
        let (base, data) = self.address(data)?;
        let (semaphore, data) = self.address(data)?;
        let raw = RawNote {
            location,
            base,
            semaphore,
        };
        Some((raw, data))
    }

    fn note(&self, descriptor: &[u8]) -> Result<Note, NoteProblem> {
        let (raw, rest) = self.addresses(descriptor).ok_or(NoteProblem::NoAddresses)?;
        let (provider, rest) = string(rest, "provider")?;
        let (name, rest) = string(rest, "name")?;
        let (arguments, _) = string(rest, "argument string")?;
        for (text, what) in [(provider, "provider"), (name, "name")] {
            if text.is_empty() {
                return Err(NoteProblem::EmptyString(what));
            }
        }
        Ok(Note {
            provider: provider.to_owned(),
            name: name.to_owned(),
            location: FileAddress(self.adjusted(raw.location, raw.base)),
            semaphore: (raw.semaphore != 0)
                .then(|| FileAddress(self.adjusted(raw.semaphore, raw.base))),
            arguments: arguments.to_owned(),
            raw,
        })
    }

    /// An address moved as far as prelink moved `.stapsdt.base` since the note was made. Notes are in a section that
    /// is not loaded, so prelink leaves them as they were.
    fn adjusted(&self, address: u64, noted_base: u64) -> u64 {
        let moved = match self.base {
            Some(base) if base != 0 && noted_base != 0 => {
                address.wrapping_add(base).wrapping_sub(noted_base)
            }
            _ => address,
        };
        if self.bits == 32 {
            moved & u64::from(u32::MAX)
        } else {
            moved
        }
    }
}

struct Entry<'d> {
    kind: u32,
    owner: &'d [u8],
    descriptor: &'d [u8],
}

/// The NUL-terminated string at the start of `data` and what follows it.
fn string<'d>(data: &'d [u8], what: &'static str) -> Result<(&'d str, &'d [u8]), NoteProblem> {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(text), Some(rest)) = (parts.next(), parts.next()) else {
        return Err(NoteProblem::Unterminated(what));
    };
    if text.len() > MAX_STRING {
        return Err(NoteProblem::TooLong(what));
    }
    let text = std::str::from_utf8(text).map_err(|_| NoteProblem::NotUtf8(what))?;
    Ok((text, rest))
}
