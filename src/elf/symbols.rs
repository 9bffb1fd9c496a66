//! Symbols, kept as the file has them: the raw entries and the raw strings,
//! read when first asked for. No string is made for a symbol that nobody asked
//! for; the index of functions by address is built once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::OnceLock;

use object::Endianness;
use object::elf::{self, Sym32, Sym64};
use object::pod::{Pod, from_bytes};
use object::read::elf::Sym;

use super::source::Source;
use crate::address::FileAddress;

/// The longest name that is shown, in bytes; longer ones count as absent.
const MAX_NAME: usize = 4096;

/// A symbol's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its value: an address of the file.
    pub address: FileAddress,
    /// Its size in bytes; 0 when the file does not say.
    pub size: u64,
}

/// Where a symbol table and its strings lie in the file: offsets and sizes in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TableRange {
    pub entries: (u64, u64),
    pub strings: (u64, u64),
}

/// The symbol tables of one file, `.dynsym` first.
#[derive(Debug)]
pub(super) struct Symbols {
    tables: Vec<Table>,
    /// Ascending addresses, each with the function that covers what follows it.
    functions: OnceLock<Vec<(u64, Option<NameRef>)>>,
}

#[derive(Debug)]
struct Table {
    bits: u8,
    endianness: Endianness,
    entries: Vec<u8>,
    strings: Vec<u8>,
}

/// The table and the offset in its strings.
type NameRef = (usize, u32);

/// What is needed of a symbol table's entry.
struct Entry {
    name: u32,
    address: u64,
    size: u64,
    kind: elf::SymbolType,
    binding: elf::SymbolBind,
    section: elf::SymbolSection,
}

impl Symbols {
    /// Reads the tables; those that cannot be read are left out.
    pub fn load(source: &Source, ranges: &[TableRange], bits: u8, endianness: Endianness) -> Self {
        let table = |range: &TableRange| {
            Some(Table {
                bits,
                endianness,
                entries: source.read_exact(range.entries.0, range.entries.1)?,
                strings: source.read_exact(range.strings.0, range.strings.1)?,
            })
        };
        Symbols {
            tables: ranges.iter().filter_map(table).collect(),
            functions: OnceLock::new(),
        }
    }

    /// The defined symbol of exactly this name, without its version.
    pub fn find(&self, name: &str) -> Option<Symbol> {
        if name.is_empty() {
            return None;
        }
        self.tables.iter().find_map(|table| {
            table
                .entries()
                .find(|entry| entry.has_address() && table.is_named(entry.name, name))
                .map(|entry| Symbol {
                    address: FileAddress(entry.address),
                    size: entry.size,
                })
        })
    }

    /// Whether any defined symbol lies within a range.
    pub fn any_within(&self, range: &Range<FileAddress>) -> bool {
        self.tables.iter().any(|table| {
            table
                .entries()
                .any(|entry| entry.has_address() && range.contains(&FileAddress(entry.address)))
        })
    }

    /// The innermost function whose size covers the address.
    pub fn function_at(&self, address: FileAddress) -> Option<&str> {
        let functions = self.functions.get_or_init(|| self.cover());
        let after = functions.partition_point(|(from, _)| *from <= address.0);
        let (_, name) = functions.get(after.checked_sub(1)?)?;
        let (table, name) = (*name)?;
        std::str::from_utf8(self.tables.get(table)?.name(name)?).ok()
    }

    /// Cuts the address space where a function begins or ends, so that a lookup is one binary search however the
    /// functions overlap. Of those that cover a piece, the one that begins last wins: of aliases the global one, then
    /// the weak one, then the shortest name, then the first in the file.
    fn cover(&self) -> Vec<(u64, Option<NameRef>)> {
        let mut functions = self.functions();
        functions.sort_unstable();
        let mut cuts: Vec<u64> = functions
            .iter()
            .flat_map(|function| [function.start, function.end])
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces: Vec<(u64, Option<NameRef>)> = Vec::with_capacity(cuts.len());
        let mut active = BinaryHeap::new();
        let mut pending = functions.iter().peekable();
        for cut in cuts {
            while let Some(function) = pending.next_if(|function| function.start <= cut) {
                active.push((function.start, Reverse(function.rank), function));
            }
            while active.peek().is_some_and(|(_, _, top)| top.end <= cut) {
                active.pop();
            }
            let name = active.peek().map(|(_, _, top)| top.rank.name());
            if pieces.last().map(|(_, last)| last) != Some(&name) {
                pieces.push((cut, name));
            }
        }
        pieces
    }

    /// Functions that are called by their address, with their names.
    pub fn named_functions(&self) -> Vec<(FileAddress, &str)> {
        let mut found = Vec::new();
        for (index, table) in self.tables.iter().enumerate() {
            let plain = |entry: &Entry| entry.kind == elf::STT_FUNC && entry.has_address();
            for entry in table.entries().filter(plain) {
                let name = table.name(entry.name).map(std::str::from_utf8);
                if let Some(Ok(name)) = name
                    && !name.is_empty()
                {
                    let rank = Rank(entry.binding_rank(), name.len(), index, entry.name);
                    found.push((entry.address, rank, name));
                }
            }
        }
        found.sort_unstable();
        found.dedup_by(|one, other| one.0 == other.0 && one.2 == other.2);
        let named = found
            .into_iter()
            .map(|(address, _, name)| (FileAddress(address), name));
        named.collect()
    }

    fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (index, table) in self.tables.iter().enumerate() {
            for entry in table.entries().filter(Entry::is_function) {
                let (Some(end), Some(name)) = (
                    entry.address.checked_add(entry.size),
                    table.name(entry.name).filter(|name| !name.is_empty()),
                ) else {
                    continue;
                };
                functions.push(Function {
                    start: entry.address,
                    end,
                    rank: Rank(entry.binding_rank(), name.len(), index, entry.name),
                });
            }
        }
        functions
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Function {
    start: u64,
    end: u64,
    rank: Rank,
}

/// How good a name is, the best first: binding, length of the name, table, offset of the name in its table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u8, usize, usize, u32);

impl Rank {
    fn name(self) -> NameRef {
        (self.2, self.3)
    }
}

impl Entry {
    /// Whether the symbol stands for an address in this file (and not for an import, an absolute number, an offset in
    /// thread-local storage or the name of a source file).
    fn has_address(&self) -> bool {
        let here = self.section != elf::SHN_UNDEF
            && self.section != elf::SHN_ABS
            && self.section != elf::SHN_COMMON;
        here && !matches!(self.kind, elf::STT_TLS | elf::STT_FILE | elf::STT_SECTION)
    }

    fn is_function(&self) -> bool {
        matches!(self.kind, elf::STT_FUNC | elf::STT_GNU_IFUNC)
            && self.size > 0
            && self.has_address()
    }

    fn binding_rank(&self) -> u8 {
        match self.binding {
            elf::STB_GLOBAL | elf::STB_GNU_UNIQUE => 0,
            elf::STB_WEAK => 1,
            _ => 2,
        }
    }
}

impl Table {
    fn entries(&self) -> impl Iterator<Item = Entry> {
        let size = if self.bits == 32 {
            size_of::<Sym32<Endianness>>()
        } else {
            size_of::<Sym64<Endianness>>()
        };
        self.entries
            .chunks_exact(size)
            .filter_map(|bytes| match self.bits {
                32 => self.entry::<Sym32<Endianness>>(bytes),
                _ => self.entry::<Sym64<Endianness>>(bytes),
            })
    }

    fn entry<S: Sym<Endian = Endianness> + Pod>(&self, bytes: &[u8]) -> Option<Entry> {
        let (symbol, _) = from_bytes::<S>(bytes).ok()?;
        Some(Entry {
            name: symbol.st_name(self.endianness),
            address: symbol.st_value(self.endianness).into(),
            size: symbol.st_size(self.endianness).into(),
            kind: symbol.st_type(),
            binding: symbol.st_bind(),
            section: symbol.st_shndx(self.endianness),
        })
    }

    /// The name at an offset of the strings, without `@VERSION`.
    fn name(&self, offset: u32) -> Option<&[u8]> {
        let rest = self.strings.get(usize::try_from(offset).ok()?..)?;
        let end = rest
            .iter()
            .take(MAX_NAME)
            .position(|byte| matches!(byte, 0 | b'@'))?;
        rest.get(..end)
    }

    /// Compares without looking for the name's end, which costs more for a long table.
    fn is_named(&self, offset: u32, name: &str) -> bool {
        usize::try_from(offset)
            .ok()
            .and_then(|offset| self.strings.get(offset..))
            .and_then(|rest| rest.strip_prefix(name.as_bytes()))
            .and_then(<[u8]>::first)
            .is_some_and(|after| matches!(after, 0 | b'@'))
    }
}
