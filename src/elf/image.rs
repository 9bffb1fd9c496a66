//! One ELF file: what its headers say, its markers, and, on demand, its symbols
//! and bytes.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use object::{Endianness, ReadCache};
use ptpytrace_arch::ReadMemory;

use super::error::{ImageError, NoteError};
use super::frames::Frames;
use super::headers::{Summary, parse};
use super::notes::Note;
use super::source::{FileIdentity, MAX_READ, Source, open_regular};
use super::symbols::{Symbol, Symbols};
use crate::address::{FileAddress, LoadBias, RuntimeAddress};

/// Symbols of which every CPython defines one, and nothing else does.
const CPYTHON_SYMBOLS: [&str; 3] = ["_PyRuntime", "Py_BytesMain", "Py_Main"];

/// What an ELF file is for (`e_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// `ET_EXEC`: mapped at the addresses that it was linked for.
    Executable,
    /// `ET_DYN`: a shared library or a position-independent executable.
    Dynamic,
    /// Anything else, such as an object file (1) or a core dump (4).
    Other(u16),
}

/// A part of the file that is mapped into memory (`PT_LOAD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The address of its first byte.
    pub address: FileAddress,
    /// The offset of its first byte in the file.
    pub offset: u64,
    /// How many bytes the file has for it.
    pub file_size: u64,
    /// How many bytes it takes in memory; those that the file does not have are zero.
    pub memory_size: u64,
    /// `p_flags`: 1 executable, 2 writable, 4 readable.
    pub flags: u32,
}

impl Segment {
    /// Whether it may be executed.
    pub fn executable(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether it may be written.
    pub fn writable(&self) -> bool {
        self.flags & 2 != 0
    }

    /// The address's distance from the segment's start, when the segment covers it in memory.
    fn within(&self, address: FileAddress) -> Option<u64> {
        let distance = address.0.checked_sub(self.address.0)?;
        (distance < self.memory_size).then_some(distance)
    }
}

/// An owned summary of one ELF file.
#[derive(Debug)]
pub struct Image {
    summary: Summary,
    source: Source,
    symbols: OnceLock<Symbols>,
}

impl Image {
    /// Reads an image from a file's contents, of which it keeps a copy.
    ///
    /// # Errors
    /// When the bytes are not those of a whole, well-formed ELF file. Notes that make no sense are no error here: see
    /// [`Image::note_errors`].
    pub fn parse(bytes: &[u8]) -> Result<Image, ImageError> {
        Ok(Image::new(parse(bytes)?, Source::Memory(bytes.to_vec())))
    }

    /// Reads an image from the file at `path`, which stays open while the image lives.
    ///
    /// # Errors
    /// As [`Image::parse`], and when the file cannot be opened or is not a regular one.
    pub fn open(path: &Path) -> Result<Image, ImageError> {
        Image::from_file(open_regular(path)?.0)
    }

    /// Reads an image from an open file.
    ///
    /// # Errors
    /// As [`Image::parse`].
    pub fn from_file(file: File) -> Result<Image, ImageError> {
        let summary = parse(&ReadCache::new(&file))?;
        Ok(Image::new(summary, Source::File(file)))
    }

    /// Closes the file; when bytes are asked for later it is opened again at `path`, if it is still the same.
    pub(crate) fn close(&mut self, path: PathBuf, identity: FileIdentity) {
        self.source = Source::Path(path, identity);
    }

    fn new(summary: Summary, source: Source) -> Image {
        Image {
            summary,
            source,
            symbols: OnceLock::new(),
        }
    }

    /// 32 or 64: the size of its addresses.
    pub fn bits(&self) -> u8 {
        self.summary.bits
    }

    /// The order of bytes in its numbers.
    pub fn endianness(&self) -> Endianness {
        self.summary.endianness
    }

    /// The CPU that it is for (`e_machine`: 62 x86-64, 183 aarch64).
    pub fn machine(&self) -> u16 {
        self.summary.machine
    }

    /// What it is for.
    pub fn kind(&self) -> ImageKind {
        self.summary.kind
    }

    /// Its loadable segments, in file order.
    pub fn segments(&self) -> &[Segment] {
        &self.summary.segments
    }

    /// The dynamic linker that it asks for (`PT_INTERP`).
    pub fn interpreter(&self) -> Option<&str> {
        self.summary.interpreter.as_deref()
    }

    /// The name under which other images ask for it (`DT_SONAME`).
    pub fn soname(&self) -> Option<&str> {
        self.summary.soname.as_deref()
    }

    /// The libraries that it asks for (`DT_NEEDED`), in file order.
    pub fn needed(&self) -> &[String] {
        &self.summary.needed
    }

    /// Every site of every marker, in file order.
    pub fn notes(&self) -> &[Note] {
        &self.summary.notes
    }

    /// The notes that were left out, and why.
    pub fn note_errors(&self) -> &[NoteError] {
        &self.summary.note_errors
    }

    /// Whether the file defines what only CPython defines.
    pub fn is_cpython(&self) -> bool {
        CPYTHON_SYMBOLS
            .iter()
            .any(|name| self.symbol(name).is_some())
    }

    /// The function that covers an address: one whose symbol says that it is a function (`STT_FUNC`,
    /// `STT_GNU_IFUNC`) of a size that reaches beyond the address. Of aliases a global one is preferred, then a weak
    /// one, then the shortest name.
    pub fn function_at(&self, address: FileAddress) -> Option<&str> {
        self.symbols().function_at(address)
    }

    /// The names of its functions (`STT_FUNC`) with their addresses, ascending; of aliases the best as in
    /// [`Image::function_at`] first. Names that are not UTF-8 are left out.
    pub fn functions(&self) -> Vec<(FileAddress, &str)> {
        self.symbols().named_functions()
    }

    /// The symbol of exactly this name that the file defines, from `.dynsym` or else `.symtab`, whatever its version.
    /// Thread-local and absolute symbols have no address and are not found.
    pub fn symbol(&self, name: &str) -> Option<Symbol> {
        self.symbols().find(name)
    }

    /// Whether a symbol of any kind that has an address here lies within a range.
    pub fn has_symbol_within(&self, range: &Range<FileAddress>) -> bool {
        self.symbols().any_within(range)
    }

    /// The pieces of code that the unwinder knows, read anew at each call; `None` when the file has no table of them
    /// (`.eh_frame`) that can be found.
    pub fn frames(&self) -> Option<Frames> {
        let (address, size) = self.summary.frames?;
        let address = FileAddress(address);
        let bytes = self.read_at(address, usize::try_from(size).ok()?)?;
        Some(Frames::parse(
            &bytes,
            address,
            self.endianness(),
            self.bits(),
        ))
    }

    fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(|| {
            let Summary {
                bits,
                endianness,
                symbol_tables,
                ..
            } = &self.summary;
            Symbols::load(&self.source, symbol_tables, *bits, *endianness)
        })
    }

    /// Reads as many bytes as the file has for the addresses from `address` on, at most `buf`'s length; returns how
    /// many. Zeros that only memory has (`.bss`) are not read.
    pub fn read(&self, address: FileAddress, buf: &mut [u8]) -> usize {
        let piece = self.segments().iter().find_map(|segment| {
            let distance = segment.within(address)?;
            let left = segment.file_size.checked_sub(distance)?;
            Some((segment.offset.checked_add(distance)?, left))
        });
        let Some((offset, left)) = piece else {
            return 0;
        };
        let size = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        buf.get_mut(..size)
            .map_or(0, |buf| self.source.read(offset, buf))
    }

    /// The `len` bytes that the file has for an address; `None` unless it has them all in one segment, or when `len`
    /// exceeds 256 MiB.
    pub fn read_at(&self, address: FileAddress, len: usize) -> Option<Vec<u8>> {
        let in_file = self.segments().iter().any(|segment| {
            segment
                .within(address)
                .and_then(|distance| segment.file_size.checked_sub(distance))
                .is_some_and(|left| len as u64 <= left)
        });
        if !in_file || len as u64 > MAX_READ {
            return None;
        }
        let mut bytes = vec![0; len];
        (self.read(address, &mut bytes) == len).then_some(bytes)
    }

    /// Whether an address lies in an executable segment, as a marker's site must.
    pub fn is_executable(&self, address: FileAddress) -> bool {
        self.covered(address, Segment::executable)
    }

    /// Whether an address lies in a writable segment, as a semaphore must.
    pub fn is_writable(&self, address: FileAddress) -> bool {
        self.covered(address, Segment::writable)
    }

    fn covered(&self, address: FileAddress, permits: fn(&Segment) -> bool) -> bool {
        self.segments()
            .iter()
            .any(|segment| permits(segment) && segment.within(address).is_some())
    }

    /// How far the image lies from its addresses, given one executable mapping of it: `length` bytes at `start` that
    /// show the file from `offset` on. `None` when no executable segment lies there, as when a program has mapped the
    /// file for a purpose of its own.
    pub fn load_bias(&self, start: RuntimeAddress, offset: u64, length: u64) -> Option<LoadBias> {
        let end = offset.saturating_add(length);
        let overlap = |segment: &&Segment| {
            let segment_end = segment.offset.saturating_add(segment.file_size);
            end.min(segment_end)
                .saturating_sub(offset.max(segment.offset))
        };
        let segment = self
            .segments()
            .iter()
            .filter(|segment| segment.executable() && overlap(segment) > 0)
            .max_by_key(overlap)?;
        // What the file has at `offset` was linked for this address.
        let linked = segment
            .address
            .0
            .wrapping_add(offset.wrapping_sub(segment.offset));
        let bias = LoadBias::between(FileAddress(linked), start);
        match self.kind() {
            ImageKind::Executable => (bias.0 == 0).then_some(bias),
            _ => bias.0.is_multiple_of(4096).then_some(bias),
        }
    }
}

/// The file's bytes at the addresses that it was linked for.
impl ReadMemory for Image {
    fn read(&self, addr: u64, buf: &mut [u8]) -> usize {
        Image::read(self, FileAddress(addr), buf)
    }
}
