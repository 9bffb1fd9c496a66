//! Objects built by hand in an array, with offsets written out for each layout.

use std::cell::Cell;

use ptpytrace::cpython::{Layout, Limits, PyValue, Types, Version, decode};
use ptpytrace_arch::ReadMemory;

/// Offsets from an object's address, written out from CPython's headers.
#[derive(Clone, Copy, Debug)]
pub struct Offsets {
    pub name: &'static str,
    pub kind: usize,
    pub size: usize,
    pub tuple: usize,
    pub ascii: usize,
    pub wide: usize,
    pub tagged: bool,
    pub state_shift: u32,
    pub unready: bool,
}

const fn offsets(name: &'static str, at: [usize; 5], tagged: bool, state_shift: u32) -> Offsets {
    let [kind, size, tuple, ascii, wide] = at;
    Offsets {
        name,
        kind,
        size,
        tuple,
        ascii,
        wide,
        tagged,
        state_shift,
        unready: !tagged,
    }
}

pub const ALL: [Offsets; 10] = [
    offsets("python3.6", [8, 16, 24, 48, 72], false, 2),
    offsets("python3.7dm", [24, 32, 40, 64, 88], false, 2),
    offsets("python3.11", [8, 16, 24, 48, 72], false, 2),
    offsets("python3.12", [8, 16, 24, 40, 56], true, 2),
    offsets("python3.13", [8, 16, 24, 40, 56], true, 2),
    offsets("python3.14", [8, 16, 32, 40, 56], true, 2),
    offsets("python3.15", [8, 16, 32, 40, 56], true, 2),
    offsets("python3.13t", [24, 32, 40, 56, 72], true, 2),
    offsets("python3.14t", [24, 32, 48, 56, 72], true, 8),
    offsets("python3.15t", [24, 32, 48, 56, 72], true, 8),
];

impl Offsets {
    pub fn layout(&self) -> Layout {
        Layout::of(&Version::from_name(self.name).unwrap()).unwrap()
    }
}

pub const BASE: u64 = 0x7f00_0000_0000;

/// Addresses of the types; nothing needs to lie there.
pub fn types() -> Types {
    let address = |name: &str| Some(0x5000_0000 + name.bytes().map(u64::from).sum::<u64>() * 16);
    Types::find(&address).unwrap()
}

/// An array that grows by objects, and counts the reads.
pub struct Image {
    pub bytes: Vec<u8>,
    pub reads: Cell<usize>,
    pub offsets: Offsets,
}

impl ReadMemory for Image {
    fn read(&self, addr: u64, buf: &mut [u8]) -> usize {
        self.reads.set(self.reads.get() + 1);
        let from = addr
            .checked_sub(BASE)
            .and_then(|at| self.bytes.get(usize::try_from(at).ok()?..))
            .unwrap_or(&[]);
        let length = from.len().min(buf.len());
        buf[..length].copy_from_slice(&from[..length]);
        length
    }
}

impl Image {
    pub fn new(offsets: Offsets) -> Image {
        Image {
            bytes: Vec::new(),
            reads: Cell::new(0),
            offsets,
        }
    }

    /// An object of that type with fields at offsets; returns its address.
    pub fn object(&mut self, kind: u64, fields: &[(usize, Vec<u8>)]) -> u64 {
        let at = self.bytes.len();
        let kind = (self.offsets.kind, kind.to_le_bytes().to_vec());
        for (offset, bytes) in fields.iter().chain([&kind]) {
            let end = at + offset + bytes.len();
            self.bytes.resize(self.bytes.len().max(end), 0xa5);
            self.bytes[at + offset..end].copy_from_slice(bytes);
        }
        self.bytes
            .resize(self.bytes.len().next_multiple_of(16), 0xa5);
        BASE + at as u64
    }

    pub fn sized(&mut self, kind: u64, size: u64, at: usize, content: Vec<u8>) -> u64 {
        let size = (self.offsets.size, size.to_le_bytes().to_vec());
        self.object(kind, &[size, (at, content)])
    }

    pub fn tuple(&mut self, items: &[u64]) -> u64 {
        let content = items.iter().flat_map(|item| item.to_le_bytes()).collect();
        let (size, at) = (items.len() as u64, self.offsets.tuple);
        self.sized(types().tuple, size, at, content)
    }

    pub fn list(&mut self, size: u64, items: u64) -> u64 {
        let at = self.offsets.size + 8;
        self.sized(types().list, size, at, items.to_le_bytes().to_vec())
    }

    pub fn array(&mut self, items: &[u64]) -> u64 {
        let at = BASE + self.bytes.len() as u64;
        let bytes = items.iter().flat_map(|item| item.to_le_bytes());
        self.bytes.extend(bytes);
        at
    }

    pub fn int(&mut self, negative: bool, digits: &[u32]) -> u64 {
        let count = digits.len() as i64;
        let size = match (self.offsets.tagged, negative) {
            (true, _) if digits.is_empty() => 1,
            (true, _) => count << 3 | if negative { 2 } else { 0 },
            (false, true) => -count,
            (false, false) => count,
        };
        let content = digits.iter().flat_map(|digit| digit.to_le_bytes());
        let at = self.offsets.size + 8;
        self.sized(types().long, size as u64, at, content.collect())
    }

    /// `text` lies in `width` bytes a code point behind the object, or elsewhere when `compact` is not set.
    pub fn str(&mut self, points: &[u32], width: usize, compact: bool, ascii: bool) -> u64 {
        let text: Vec<u8> = points
            .iter()
            .flat_map(|point| point.to_le_bytes()[..width].to_vec())
            .collect();
        let state = 0b10_u32
            | ((width as u32) | (u32::from(compact) << 3) | (u32::from(ascii) << 4))
                << self.offsets.state_shift;
        let content = if compact {
            text
        } else {
            let elsewhere = BASE + self.bytes.len() as u64;
            self.bytes.extend(text);
            elsewhere.to_le_bytes().to_vec()
        };
        let o = self.offsets;
        let length = (o.size, (points.len() as u64).to_le_bytes().to_vec());
        let state = (o.size + 16, state.to_le_bytes().to_vec());
        let at = if compact && ascii { o.ascii } else { o.wide };
        self.object(types().unicode, &[length, state, (at, content)])
    }

    pub fn decode(&self, address: u64, limits: &Limits) -> PyValue {
        decode(address, &types(), &self.offsets.layout(), self, limits)
    }

    pub fn shown(&self, address: u64) -> String {
        self.decode(address, &Limits::default()).to_string()
    }
}

pub fn points(text: &str) -> Vec<u32> {
    text.chars().map(u32::from).collect()
}
