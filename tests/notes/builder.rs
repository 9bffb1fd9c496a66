//! Builds ELF files field by field, so that a test can state exactly what a
//! file says, right or wrong.

/// A section and what its header says of it.
#[derive(Clone)]
pub struct Section {
    pub name: &'static str,
    pub kind: u32,
    pub flags: u64,
    pub address: u64,
    pub data: Vec<u8>,
    pub alignment: u64,
    pub link: u32,
    /// What the header says instead of the true offset.
    pub offset: Option<u64>,
    /// What the header says instead of the true size.
    pub size: Option<u64>,
}

/// A segment that shows one section.
#[derive(Clone)]
pub struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub address: u64,
    /// The section's number, from 0.
    pub section: usize,
}

#[derive(Clone)]
pub struct Elf {
    pub bits: u8,
    pub big: bool,
    pub machine: u16,
    pub kind: u16,
    pub sections: Vec<Section>,
    pub segments: Vec<Segment>,
    /// Whether there is a table of sections (sstrip takes it away).
    pub table: bool,
}

pub const X86_64: Elf = elf(64, false, 62);

pub const fn elf(bits: u8, big: bool, machine: u16) -> Elf {
    Elf {
        bits,
        big,
        machine,
        kind: 3,
        sections: Vec::new(),
        segments: Vec::new(),
        table: true,
    }
}

pub fn section(name: &'static str, kind: u32, address: u64, data: Vec<u8>) -> Section {
    Section {
        name,
        kind,
        flags: 0,
        address,
        data,
        alignment: 4,
        link: 0,
        offset: None,
        size: None,
    }
}

/// A marker's descriptor: what it says, field by field.
pub struct Marker<'m> {
    pub location: u64,
    pub base: u64,
    pub semaphore: u64,
    pub provider: &'m [u8],
    pub name: &'m [u8],
    pub arguments: &'m [u8],
}

impl Marker<'_> {
    pub fn descriptor(&self, elf: &Elf) -> Vec<u8> {
        let mut bytes = Vec::new();
        for address in [self.location, self.base, self.semaphore] {
            elf.word(&mut bytes, address);
        }
        for text in [self.provider, self.name, self.arguments] {
            bytes.extend(text);
            bytes.push(0);
        }
        bytes
    }
}

pub const AUDIT: Marker = Marker {
    location: 0x2010,
    base: 0x3000,
    semaphore: 0x4008,
    provider: b"python",
    name: b"audit",
    arguments: b"8@%rbx 8@%r15",
};

impl Elf {
    /// A number of 2, 4 or 8 bytes.
    pub fn number(&self, out: &mut Vec<u8>, value: u64, size: usize) {
        let bytes = value.to_le_bytes();
        let mut bytes = bytes[..size].to_vec();
        if self.big {
            bytes.reverse();
        }
        out.extend(bytes);
    }

    /// An address or a size.
    pub fn word(&self, out: &mut Vec<u8>, value: u64) {
        self.number(out, value, usize::from(self.bits / 8));
    }

    /// A note with its padding.
    pub fn note(&self, owner: &[u8], kind: u32, descriptor: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.number(&mut bytes, owner.len() as u64, 4);
        self.number(&mut bytes, descriptor.len() as u64, 4);
        self.number(&mut bytes, kind.into(), 4);
        for part in [owner, descriptor] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    pub fn marker(&self, marker: &Marker) -> Vec<u8> {
        self.note(b"stapsdt\0", 3, &marker.descriptor(self))
    }

    /// Adds a section of notes.
    pub fn with_notes(mut self, data: Vec<u8>) -> Elf {
        self.sections.push(section(".note.stapsdt", 7, 0, data));
        self
    }

    pub fn with(mut self, section: Section) -> Elf {
        self.sections.push(section);
        self
    }

    pub fn with_segment(mut self, kind: u32, flags: u32, address: u64, section: usize) -> Elf {
        self.segments.push(Segment {
            kind,
            flags,
            address,
            section,
        });
        self
    }

    /// Adds `.symtab` of (name, address, size, type and binding, section).
    pub fn with_symbols(mut self, kind: u32, symbols: &[(&str, u64, u64, u8, u16)]) -> Elf {
        let (mut entries, mut strings) = (vec![0; self.symbol_size()], vec![0]);
        for (name, address, size, info, section) in symbols {
            let offset = strings.len() as u64;
            strings.extend(name.as_bytes());
            strings.push(0);
            self.number(&mut entries, offset, 4);
            if self.bits == 64 {
                entries.extend([*info, 0]);
                self.number(&mut entries, (*section).into(), 2);
                self.word(&mut entries, *address);
                self.word(&mut entries, *size);
            } else {
                self.word(&mut entries, *address);
                self.word(&mut entries, *size);
                entries.extend([*info, 0]);
                self.number(&mut entries, (*section).into(), 2);
            }
        }
        let mut table = section(
            if kind == 2 { ".symtab" } else { ".dynsym" },
            kind,
            0,
            entries,
        );
        // The strings follow, and the table of sections begins with an empty one.
        table.link = self.sections.len() as u32 + 2;
        self.sections.push(table);
        self.sections.push(section(".strtab", 3, 0, strings));
        self
    }

    pub fn symbol_size(&self) -> usize {
        if self.bits == 64 { 24 } else { 16 }
    }

    /// Sizes of the file header, a program header and a section header.
    fn sizes(&self) -> (usize, usize, usize) {
        if self.bits == 64 {
            (64, 56, 64)
        } else {
            (52, 32, 40)
        }
    }

    pub fn build(&self) -> Vec<u8> {
        let (header, program, _) = self.sizes();
        let mut offset = header + program * self.segments.len();
        let mut offsets = Vec::new();
        for section in &self.sections {
            offset = offset.next_multiple_of(8);
            offsets.push(offset);
            offset += section.data.len();
        }
        let names_offset = offset;
        let mut names = vec![0];
        let mut name_offsets = Vec::new();
        for name in self.sections.iter().map(|s| s.name).chain([".shstrtab"]) {
            name_offsets.push(names.len() as u64);
            names.extend(name.as_bytes());
            names.push(0);
        }
        let table = (names_offset + names.len()).next_multiple_of(8);
        let mut bytes = self.header(table);
        self.programs(&mut bytes, &offsets);
        for (section, offset) in self.sections.iter().zip(&offsets) {
            bytes.resize(*offset, 0);
            bytes.extend(&section.data);
        }
        bytes.extend(&names);
        if self.table {
            bytes.resize(table, 0);
            self.section_table(
                &mut bytes,
                &offsets,
                &name_offsets,
                names_offset,
                names.len(),
            );
        }
        bytes
    }

    fn header(&self, table: usize) -> Vec<u8> {
        let (header, program, section) = self.sizes();
        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend([self.bits / 32, 1 + u8::from(self.big), 1]);
        bytes.resize(16, 0);
        self.number(&mut bytes, self.kind.into(), 2);
        self.number(&mut bytes, self.machine.into(), 2);
        self.number(&mut bytes, 1, 4);
        self.word(&mut bytes, 0);
        let programs = if self.segments.is_empty() { 0 } else { header };
        self.word(&mut bytes, programs as u64);
        self.word(&mut bytes, if self.table { table as u64 } else { 0 });
        self.number(&mut bytes, 0, 4);
        let count = self.sections.len() + 2;
        let (count, names) = if self.table {
            (count, count - 1)
        } else {
            (0, 0)
        };
        // More sections than 16 bits can count are counted in the first one.
        let (count, names) = if count < 0xff00 {
            (count, names)
        } else {
            (0, 0xffff)
        };
        for value in [header, program, self.segments.len(), section, count, names] {
            self.number(&mut bytes, value as u64, 2);
        }
        bytes
    }

    fn programs(&self, bytes: &mut Vec<u8>, offsets: &[usize]) {
        for segment in &self.segments {
            let offset = offsets[segment.section] as u64;
            let size = self.sections[segment.section].data.len() as u64;
            self.number(bytes, segment.kind.into(), 4);
            if self.bits == 64 {
                self.number(bytes, segment.flags.into(), 4);
            }
            for value in [offset, segment.address, segment.address, size, size] {
                self.word(bytes, value);
            }
            if self.bits == 32 {
                self.number(bytes, segment.flags.into(), 4);
            }
            self.word(bytes, 4);
        }
    }

    fn section_table(
        &self,
        bytes: &mut Vec<u8>,
        offsets: &[usize],
        names: &[u64],
        names_offset: usize,
        names_size: usize,
    ) {
        let count = self.sections.len() + 2;
        let mut first = section("", 0, 0, Vec::new());
        if count >= 0xff00 {
            first.size = Some(count as u64);
            first.link = count as u32 - 1;
        }
        self.section_header(bytes, &first, 0, 0);
        for ((section, offset), name) in self.sections.iter().zip(offsets).zip(names) {
            self.section_header(bytes, section, *name, *offset as u64);
        }
        let mut last = section(".shstrtab", 3, 0, Vec::new());
        last.size = Some(names_size as u64);
        self.section_header(bytes, &last, names[names.len() - 1], names_offset as u64);
    }

    fn section_header(&self, bytes: &mut Vec<u8>, section: &Section, name: u64, offset: u64) {
        self.number(bytes, name, 4);
        self.number(bytes, section.kind.into(), 4);
        self.word(bytes, section.flags);
        self.word(bytes, section.address);
        self.word(bytes, section.offset.unwrap_or(offset));
        self.word(bytes, section.size.unwrap_or(section.data.len() as u64));
        self.number(bytes, section.link.into(), 4);
        self.number(bytes, 0, 4);
        self.word(bytes, section.alignment);
        let entry = if matches!(section.kind, 2 | 11) {
            self.symbol_size() as u64
        } else {
            0
        };
        self.word(bytes, entry);
    }
}
