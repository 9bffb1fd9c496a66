//! Turns an object's address into its value, with few reads and with bounds on everything.
//!
//! One read fetches the head of an object, and with it all of most strings, integers and tuples; a longer one costs a
//! second. The memory may be changing or hostile: a value that makes no sense becomes [`PyValue::Unreadable`], and no
//! size or pointer found there is believed beyond the limits.

use std::ops::Range;

use ptpytrace_arch::ReadMemory;

use super::integer::Integer;
use super::layout::{IntegerForm, Layout};
use super::limits::Limits;
use super::strings;
use super::types::Types;
use super::value::{Cut, PyValue};

/// Decodes the object at `address` of the process that `memory` reads.
///
/// Never fails as a whole: what cannot be read or exceeds `limits` is a value of its own. The number of reads is at
/// most four an object and one for each 64 KiB of text; memory is only allocated for what could be read.
pub fn decode(
    address: u64,
    types: &Types,
    layout: &Layout,
    memory: &dyn ReadMemory,
    limits: &Limits,
) -> PyValue {
    let mut decoder = Decoder {
        types,
        layout,
        memory,
        limits,
        objects_left: limits.total_items,
        bytes_left: limits.total_bytes,
        path: Vec::new(),
        names: Vec::new(),
    };
    decoder.object(address)
}

/// One call of [`decode`]: what is left of the limits, and where it is.
pub(super) struct Decoder<'a> {
    types: &'a Types,
    pub(super) layout: &'a Layout,
    memory: &'a dyn ReadMemory,
    limits: &'a Limits,
    objects_left: usize,
    bytes_left: usize,
    /// The containers around the present object.
    path: Vec<u64>,
    /// Type names met so far, by the type's address.
    names: Vec<(u64, String)>,
}

/// Bytes read for the head of an object: more than any fixed part, in one read whatever the size.
const HEAD: usize = 256;
/// Pointers to items that are read at a time.
const ITEMS: usize = 512;
/// The largest single read of text.
const CHUNK: usize = 65536;
/// Bytes of a type's name that count.
const TYPE_NAME: usize = 256;
/// Type names that are remembered within one value.
const KNOWN_NAMES: usize = 64;

/// The first bytes of an object.
pub(super) struct Head {
    pub(super) address: u64,
    bytes: [u8; HEAD],
    length: usize,
}

impl Head {
    fn read(memory: &dyn ReadMemory, address: u64) -> Head {
        let mut bytes = [0; HEAD];
        let length = memory.read(address, &mut bytes).min(HEAD);
        Head {
            address,
            bytes,
            length,
        }
    }

    fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        self.bytes.get(..self.length)?.get(range)
    }

    pub(super) fn u32(&self, offset: u64) -> Option<u32> {
        let bytes = self.slice(offset..offset.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    pub(super) fn u64(&self, offset: u64) -> Option<u64> {
        let bytes = self.slice(offset..offset.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// A size or length; `None` when it is negative.
    pub(super) fn length(&self, offset: u64) -> Option<u64> {
        self.u64(offset)
            .filter(|length| i64::try_from(*length).is_ok())
    }
}

impl Decoder<'_> {
    fn object(&mut self, address: u64) -> PyValue {
        let Some(left) = self.objects_left.checked_sub(1) else {
            return PyValue::Cut(Cut::Rest);
        };
        self.objects_left = left;
        let types = self.types;
        match address {
            0 => return PyValue::Unreadable { address },
            _ if address == types.none => return PyValue::None,
            _ if address == types.r#true => return PyValue::Bool(true),
            _ if address == types.r#false => return PyValue::Bool(false),
            _ => {}
        }
        let head = Head::read(self.memory, address);
        self.typed(&head).unwrap_or(PyValue::Unreadable { address })
    }

    /// `None` when the object makes no sense.
    fn typed(&mut self, head: &Head) -> Option<PyValue> {
        let types = self.types;
        let kind = head.u64(self.layout.type_pointer)?;
        if kind == types.unicode {
            strings::text(self, head).map(PyValue::Str)
        } else if kind == types.long {
            self.integer(head)
        } else if kind == types.float {
            let bits = head.u64(self.layout.float)?;
            Some(PyValue::Float(f64::from_bits(bits)))
        } else if kind == types.bytes {
            let size = head.length(self.layout.size)?;
            let start = head.address.checked_add(self.layout.bytes)?;
            let (bytes, cut) = self.content(head, start, size, 1)?;
            Some(PyValue::Bytes(bytes, cut))
        } else if kind == types.tuple {
            let start = head.address.checked_add(self.layout.tuple_items)?;
            self.container(head, start, Cut::Tuple, PyValue::Tuple)
        } else if kind == types.list {
            let start = head.u64(self.layout.list_items)?;
            self.container(head, start, Cut::List, PyValue::List)
        } else if kind == types.dict {
            let type_name = "dict".to_owned();
            Some(PyValue::Other { type_name })
        } else {
            let type_name = self.type_name(kind)?;
            Some(PyValue::Other { type_name })
        }
    }

    fn integer(&mut self, head: &Head) -> Option<PyValue> {
        let word = head.u64(self.layout.size)?;
        let (negative, count) = match self.layout.integer {
            IntegerForm::SignedSize => {
                let size = i64::from_le_bytes(word.to_le_bytes());
                (size < 0, size.unsigned_abs())
            }
            IntegerForm::Tag => match word & 3 {
                0 => (false, word >> 3),
                1 => (false, 0),
                2 => (true, word >> 3),
                _ => return None,
            },
        };
        let size = count.saturating_mul(4);
        let most = Limits::MAX_INTEGER
            .min(self.limits.string_bytes)
            .min(self.bytes_left);
        if size > most as u64 {
            return Some(PyValue::Cut(Cut::Rest));
        }
        let start = head.address.checked_add(self.layout.digits)?;
        let (bytes, cut) = self.content(head, start, count, 4)?;
        if cut {
            return None;
        }
        let digits: Vec<u32> = units(&bytes, 4).collect();
        Some(PyValue::Int(Integer::from_digits(negative, &digits)))
    }

    /// The items of a tuple or list, whose pointers begin at `start`.
    fn container(
        &mut self,
        head: &Head,
        start: u64,
        inside: Cut,
        value: fn(Vec<PyValue>) -> PyValue,
    ) -> Option<PyValue> {
        let size = head.length(self.layout.size)?;
        let too_deep = self.path.len() >= self.limits.depth.min(Limits::MAX_DEPTH);
        if self.path.contains(&head.address) || (too_deep && size > 0) {
            return Some(PyValue::Cut(inside));
        }
        self.path.push(head.address);
        let items = self.items(head, start, size);
        self.path.pop();
        Some(value(items))
    }

    fn items(&mut self, head: &Head, start: u64, size: u64) -> Vec<PyValue> {
        let shown = usize::try_from(size).map_or(self.limits.items, |n| n.min(self.limits.items));
        let mut items = Vec::new();
        while items.len() < shown {
            let wanted = (shown - items.len()).min(ITEMS).min(self.objects_left);
            if wanted == 0 {
                break;
            }
            let at = start.wrapping_add((items.len() as u64).wrapping_mul(8));
            let pointers = self.read(head, at, wanted.saturating_mul(8));
            for pointer in pointers.chunks_exact(8) {
                if self.objects_left == 0 {
                    break;
                }
                let pointer = pointer.try_into().map_or(0, u64::from_le_bytes);
                items.push(self.object(pointer));
            }
            if pointers.len() / 8 < wanted {
                items.push(PyValue::Unreadable { address: at });
                return items;
            }
        }
        if (items.len() as u64) < size {
            items.push(PyValue::Cut(Cut::Rest));
        }
        items
    }

    /// The text, bytes or digits at `start`, `count` units of `width` bytes, and whether that was not all. `None`
    /// when there should be some and none could be read.
    pub(super) fn content(
        &mut self,
        head: &Head,
        start: u64,
        count: u64,
        width: usize,
    ) -> Option<(Vec<u8>, bool)> {
        let all = count.saturating_mul(width as u64);
        let limit = self.limits.string_bytes.min(self.bytes_left);
        let wanted = usize::try_from(all).map_or(limit, |all| all.min(limit));
        let wanted = wanted - wanted % width.max(1);
        let mut bytes = self.read(head, start, wanted);
        if bytes.len() < width && wanted > 0 {
            return None;
        }
        bytes.truncate(bytes.len() - bytes.len() % width.max(1));
        self.bytes_left = self.bytes_left.saturating_sub(bytes.len());
        let cut = (bytes.len() as u64) < all;
        Some((bytes, cut))
    }

    /// Up to `length` bytes at `start`, out of the head if it has them.
    fn read(&self, head: &Head, start: u64, length: usize) -> Vec<u8> {
        let inside = start.checked_sub(head.address).and_then(|offset| {
            let end = offset.checked_add(u64::try_from(length).ok()?)?;
            head.slice(offset..end)
        });
        match inside {
            Some(bytes) => bytes.to_vec(),
            None => self.read_memory(start, length),
        }
    }

    /// Up to `length` bytes at `start`, allocating only a little ahead of what could be read.
    fn read_memory(&self, start: u64, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let Some(at) = start.checked_add(bytes.len() as u64) else {
                break;
            };
            let had = bytes.len();
            let wanted = (length - had).min(CHUNK);
            bytes.resize(had + wanted, 0);
            let buffer = bytes.get_mut(had..).unwrap_or(&mut []);
            let got = self.memory.read(at, buffer).min(wanted);
            bytes.truncate(had + got);
            if got < wanted {
                break;
            }
        }
        bytes
    }

    /// What follows the last dot of `tp_name`, which is the type's `__name__` (unless that has a dot itself): types
    /// written in C have their module in front.
    fn type_name(&mut self, address: u64) -> Option<String> {
        if let Some((_, name)) = self.names.iter().find(|(known, _)| *known == address) {
            return Some(name.clone());
        }
        let head = Head::read(self.memory, address);
        let pointer = head.u64(self.layout.type_name)?;
        let mut bytes = self.read_memory(pointer, TYPE_NAME);
        if bytes.is_empty() {
            return None;
        }
        if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
            bytes.truncate(end);
        }
        let full = String::from_utf8_lossy(&bytes);
        let name = full.rsplit('.').next().unwrap_or("");
        if self.names.len() < KNOWN_NAMES {
            self.names.push((address, name.to_owned()));
        }
        Some(name.to_owned())
    }
}

/// Little-endian units of 1, 2 or 4 bytes.
pub(super) fn units(bytes: &[u8], width: usize) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(width.max(1)).map(|unit| {
        unit.iter()
            .rev()
            .fold(0, |value: u32, byte| (value << 8) | u32::from(*byte))
    })
}
