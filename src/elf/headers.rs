//! Reads the headers of an ELF file of either class and byte order, and what
//! they lead to: segments, the dynamic section, notes, and where symbols are.

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadRef};

use super::error::{ImageError, NoteError, NoteProblem};
use super::image::{ImageKind, Segment};
use super::notes::{Note, NoteReader};
use super::source::MAX_READ;
use super::symbols::TableRange;
use crate::address::FileAddress;

/// The most bytes of notes that are read of one file.
const MAX_NOTES: u64 = 16 << 20;
/// The longest path or library name that is read, in bytes.
const MAX_NAME: u64 = 4096;
/// How many libraries that a file asks for are remembered.
const MAX_NEEDED: usize = 4096;

/// All that is read when a file is opened.
#[derive(Debug)]
pub(super) struct Summary {
    pub bits: u8,
    pub endianness: Endianness,
    pub machine: u16,
    pub kind: ImageKind,
    pub segments: Vec<Segment>,
    pub interpreter: Option<String>,
    pub soname: Option<String>,
    pub needed: Vec<String>,
    pub notes: Vec<Note>,
    pub note_errors: Vec<NoteError>,
    pub symbol_tables: Vec<TableRange>,
    /// Address, and size in bytes, of `.eh_frame`.
    pub frames: Option<(u64, u64)>,
}

/// Reads a file's summary, touching no more of the file than it needs.
pub(super) fn parse<'d, R: ReadRef<'d>>(data: R) -> Result<Summary, ImageError> {
    let size = data
        .len()
        .map_err(|()| ImageError::Malformed("its size is unknown"))?;
    let start = data.read_bytes_at(0, size.min(256)).unwrap_or(&[]);
    if start.is_empty() {
        return Err(ImageError::Empty);
    }
    if let Some(line) = start.strip_prefix(b"#!") {
        let interpreter = script_interpreter(line);
        return Err(ImageError::Script { interpreter });
    }
    // A file cut within its first four bytes is called truncated, too.
    if !start.starts_with(&elf::ELFMAG) {
        return Err(match elf::ELFMAG.starts_with(start) {
            true => truncated("the ELF header", 64, size),
            false => ImageError::NotElf,
        });
    }
    match start.get(4) {
        Some(1) => Parser::<FileHeader32<Endianness>, R>::new(data, size)?.summary(32),
        Some(2) => Parser::<FileHeader64<Endianness>, R>::new(data, size)?.summary(64),
        Some(_) => Err(ImageError::Malformed(
            "its class is neither 32 nor 64 bits (EI_CLASS)",
        )),
        None => Err(truncated("the ELF header", 64, size)),
    }
}

fn truncated(what: &'static str, end: u64, size: u64) -> ImageError {
    ImageError::Truncated { what, end, size }
}

/// The program that a `#!` line starts; what `env` starts, if that is `env`.
fn script_interpreter(line: &[u8]) -> String {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_ascii_whitespace();
    let first = words.next().unwrap_or("/bin/sh");
    let word = if first.rsplit('/').next() == Some("env") {
        words
            .find(|word| !word.starts_with('-') && !word.contains('='))
            .unwrap_or(first)
    } else {
        first
    };
    word.chars().filter(|c| !c.is_control()).collect()
}

struct Parser<'d, H: FileHeader<Endian = Endianness>, R: ReadRef<'d>> {
    data: R,
    size: u64,
    header: &'d H,
    endianness: Endianness,
    programs: &'d [H::ProgramHeader],
    sections: &'d [H::SectionHeader],
    section_names: &'d [u8],
}

impl<'d, H: FileHeader<Endian = Endianness>, R: ReadRef<'d>> Parser<'d, H, R> {
    fn new(data: R, size: u64) -> Result<Self, ImageError> {
        let header_size = size_of::<H>() as u64;
        if size < header_size {
            return Err(truncated("the ELF header", header_size, size));
        }
        let header = H::parse(data).map_err(|_| {
            ImageError::Malformed("its version or byte order is unknown (EI_VERSION, EI_DATA)")
        })?;
        let endianness = header
            .endian()
            .map_err(|_| ImageError::Malformed("its byte order is unknown (EI_DATA)"))?;
        let mut parser = Parser {
            data,
            size,
            header,
            endianness,
            programs: &[],
            sections: &[],
            section_names: &[],
        };
        parser.read_tables()?;
        Ok(parser)
    }

    fn read_tables(&mut self) -> Result<(), ImageError> {
        let (header, endian) = (self.header, self.endianness);
        let section_offset: u64 = header.e_shoff(endian).into();
        let count = match header.e_shnum(endian) {
            0 if section_offset != 0 => 1,
            count => u64::from(count),
        };
        self.check_table(
            "the table of sections",
            section_offset,
            count,
            header.e_shentsize(endian),
        )?;
        self.check_table(
            "the table of segments",
            header.e_phoff(endian).into(),
            header.e_phnum(endian).into(),
            header.e_phentsize(endian),
        )?;
        let shnum = header
            .shnum(endian, self.data)
            .map_err(|_| ImageError::Malformed("its table of sections is unreadable (e_shnum)"))?;
        if u64::from(shnum).saturating_mul(size_of::<H::SectionHeader>() as u64) > MAX_READ {
            return Err(ImageError::Malformed("its table of sections is too large"));
        }
        self.sections = header
            .section_headers(endian, self.data)
            .map_err(|_| ImageError::Malformed("its table of sections is unreadable (e_shoff)"))?;
        self.programs = header
            .program_headers(endian, self.data)
            .map_err(|_| ImageError::Malformed("its table of segments is unreadable (e_phoff)"))?;
        self.section_names = self.read_section_names();
        Ok(())
    }

    fn check_table(
        &self,
        what: &'static str,
        offset: u64,
        count: u64,
        entry_size: u16,
    ) -> Result<(), ImageError> {
        let end = offset.saturating_add(count.saturating_mul(entry_size.into()));
        if offset != 0 && end > self.size {
            return Err(truncated(what, end, self.size));
        }
        Ok(())
    }

    /// The names' section is read whole, once: hostile names then cost nothing. Without it sections have no names,
    /// which no one needs to load the file.
    fn read_section_names(&self) -> &'d [u8] {
        self.header
            .section_strings_index(self.endianness, self.data)
            .ok()
            .and_then(|index| self.sections.get(index.0))
            .and_then(|section| section.file_range(self.endianness))
            .and_then(|(offset, size)| self.bytes(offset, size))
            .unwrap_or(&[])
    }

    fn bytes(&self, offset: u64, size: u64) -> Option<&'d [u8]> {
        if size > MAX_READ {
            return None;
        }
        self.data.read_bytes_at(offset, size).ok()
    }

    fn is_named(&self, section: &H::SectionHeader, name: &str) -> bool {
        usize::try_from(section.sh_name(self.endianness))
            .ok()
            .and_then(|offset| self.section_names.get(offset..))
            .and_then(|rest| rest.strip_prefix(name.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&0))
    }

    fn summary(&self, bits: u8) -> Result<Summary, ImageError> {
        let endian = self.endianness;
        let segments = self.segments();
        let (soname, needed) = self.dynamic_names(&segments);
        let (notes, note_errors) = self.notes(bits);
        Ok(Summary {
            bits,
            endianness: endian,
            machine: self.header.e_machine(endian).0,
            kind: match self.header.e_type(endian) {
                elf::ET_EXEC => ImageKind::Executable,
                elf::ET_DYN => ImageKind::Dynamic,
                other => ImageKind::Other(other.0),
            },
            segments,
            interpreter: self.interpreter(),
            soname,
            needed,
            notes,
            note_errors,
            symbol_tables: self.symbol_tables(),
            frames: self.frames(),
        })
    }

    fn programs_of(&self, kind: elf::ProgramType) -> impl Iterator<Item = &'d H::ProgramHeader> {
        let endian = self.endianness;
        self.programs
            .iter()
            .filter(move |program| program.p_type(endian) == kind)
    }

    fn segments(&self) -> Vec<Segment> {
        let endian = self.endianness;
        self.programs_of(elf::PT_LOAD)
            .map(|program| Segment {
                address: FileAddress(program.p_vaddr(endian).into()),
                offset: program.p_offset(endian).into(),
                file_size: program.p_filesz(endian).into(),
                memory_size: program.p_memsz(endian).into(),
                flags: program.p_flags(endian).0,
            })
            .collect()
    }

    fn interpreter(&self) -> Option<String> {
        let program = self.programs_of(elf::PT_INTERP).next()?;
        let (offset, size) = program.file_range(self.endianness);
        terminated(self.bytes(offset, size.min(MAX_NAME))?)
    }

    /// `DT_SONAME` and `DT_NEEDED`, found as the dynamic linker finds them: through segments alone.
    fn dynamic_names(&self, segments: &[Segment]) -> (Option<String>, Vec<String>) {
        let entries = self
            .programs_of(elf::PT_DYNAMIC)
            .next()
            .filter(|program| program.file_range(self.endianness).1 <= MAX_READ)
            .and_then(|program| program.dynamic(self.endianness, self.data).ok().flatten())
            .unwrap_or(&[]);
        let pairs = || {
            entries
                .iter()
                .map(|entry| {
                    (
                        entry.d_tag(self.endianness),
                        entry.d_val(self.endianness).into(),
                    )
                })
                .take_while(|(tag, _)| *tag != elf::DT_NULL)
        };
        let strings = pairs()
            .find(|(tag, _)| *tag == elf::DT_STRTAB)
            .and_then(|(_, address)| offset_of(segments, address));
        let name = |offset: u64| {
            let start = strings?.checked_add(offset)?;
            let left = self.size.checked_sub(start)?;
            terminated(self.bytes(start, left.min(MAX_NAME))?)
        };
        let soname = pairs()
            .find(|(tag, _)| *tag == elf::DT_SONAME)
            .and_then(|(_, offset)| name(offset));
        let needed = pairs()
            .filter(|(tag, _)| *tag == elf::DT_NEEDED)
            .take(MAX_NEEDED)
            .filter_map(|(_, offset)| name(offset))
            .collect();
        (soname, needed)
    }

    fn symbol_tables(&self) -> Vec<TableRange> {
        [elf::SHT_DYNSYM, elf::SHT_SYMTAB]
            .into_iter()
            .filter_map(|kind| {
                let section = self
                    .sections
                    .iter()
                    .find(|section| section.sh_type(self.endianness) == kind)?;
                let link = usize::try_from(section.sh_link(self.endianness)).ok()?;
                Some(TableRange {
                    entries: section.file_range(self.endianness)?,
                    strings: self.sections.get(link)?.file_range(self.endianness)?,
                })
            })
            .collect()
    }

    fn frames(&self) -> Option<(u64, u64)> {
        let endian = self.endianness;
        let section = self.sections.iter().find(|section| {
            section.sh_type(endian) != elf::SHT_NOBITS && self.is_named(section, ".eh_frame")
        })?;
        Some((
            section.sh_addr(endian).into(),
            section.sh_size(endian).into(),
        ))
    }

    fn notes(&self, bits: u8) -> (Vec<Note>, Vec<NoteError>) {
        let endian = self.endianness;
        let base = self
            .sections
            .iter()
            .find(|section| self.is_named(section, ".stapsdt.base"))
            .map(|section| section.sh_addr(endian).into());
        let mut reader = NoteReader::new(bits, endian, base);
        let pieces = self.note_sections(&mut reader).unwrap_or_else(|| {
            self.programs_of(elf::PT_NOTE)
                .map(|program| (program.file_range(endian), program.p_align(endian).into()))
                .collect()
        });
        self.read_pieces(&pieces, &mut reader);
        reader.finish()
    }

    /// Where notes lie by the table of sections; `None` when it has none of them, as when it has been stripped.
    fn note_sections(&self, reader: &mut NoteReader) -> Option<Vec<Piece>> {
        let endian = self.endianness;
        let mut pieces = Vec::new();
        let mut found = false;
        for section in self.sections {
            let offset: u64 = section.sh_offset(endian).into();
            let compressed = section.sh_flags(endian).contains(elf::SHF_COMPRESSED);
            match section.sh_type(endian) {
                elf::SHT_NOTE if compressed => reader.error(offset, NoteProblem::Compressed),
                elf::SHT_NOTE => {
                    let size = section.sh_size(endian).into();
                    pieces.push(((offset, size), section.sh_addralign(endian).into()));
                }
                elf::SHT_NOBITS if self.is_named(section, ".note.stapsdt") => {
                    reader.error(offset, NoteProblem::NoBits);
                }
                _ => continue,
            }
            found = true;
        }
        found.then_some(pieces)
    }

    /// Reads each byte of notes at most once, however many headers lead to it.
    fn read_pieces(&self, pieces: &[Piece], reader: &mut NoteReader) {
        let mut covered = std::collections::BTreeMap::new();
        let mut total = 0_u64;
        for ((offset, size), alignment) in pieces.iter().copied() {
            if size == 0 {
                continue;
            }
            let Some(end) = offset.checked_add(size).filter(|end| *end <= self.size) else {
                reader.error(offset, NoteProblem::OutsideFile);
                continue;
            };
            // Ranges do not overlap, so the last that begins before this one's end also ends last.
            let before: Option<(&u64, &u64)> = covered.range(..end).next_back();
            if before.is_some_and(|(_, covered_end)| *covered_end > offset) {
                reader.error(offset, NoteProblem::Overlap);
                continue;
            }
            total = total.saturating_add(size);
            if total > MAX_NOTES {
                return reader.error(offset, NoteProblem::TooMany);
            }
            covered.insert(offset, end);
            match self.bytes(offset, size) {
                Some(bytes) => reader.read(bytes, offset, alignment),
                None => reader.error(offset, NoteProblem::OutsideFile),
            }
        }
    }
}

/// Offset and size in the file, and alignment.
type Piece = ((u64, u64), u64);

fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let distance = address.checked_sub(segment.address.0)?;
        (distance < segment.file_size).then(|| segment.offset.checked_add(distance))?
    })
}

fn terminated(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}
