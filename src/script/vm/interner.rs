//! The strings that are kept. Each is stored once and known by a number, so that variables and keys are words and
//! comparing keys is comparing words. What nothing refers to any more is swept, so memory follows what is kept, not
//! what has passed.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// The fewest bytes and symbols for which sweeping is worth its while.
const LEAST_BYTES: usize = 1 << 20;
const LEAST_SYMBOLS: usize = 1 << 14;

/// The most bytes that may be added between two chances to sweep.
const MAX_GROWTH: usize = 256 << 20;

/// A string that is kept. The default is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// As a word of a key or value.
    pub fn word(self) -> u64 {
        u64::from(self.0)
    }

    /// Back from such a word.
    pub fn of_word(word: u64) -> Symbol {
        Symbol(u32::try_from(word).unwrap_or(0))
    }
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    len: usize,
    hash: u64,
    used: bool,
}

/// All strings that are kept.
#[derive(Debug)]
pub struct Interner {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    free: Vec<u32>,
    index: HashTable<u32>,
    /// Symbols below are constants of the program: they are never swept.
    constants: usize,
    /// Above so many bytes or symbols a sweep is due.
    sweep_bytes: usize,
    sweep_symbols: usize,
    /// Above so many bytes nothing is added.
    limit: usize,
}

/// Too much text came together between two sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuchText;

/// Which symbols are referred to.
#[derive(Debug, Default)]
pub struct Marks {
    bits: Vec<u64>,
}

impl Marks {
    /// This one is.
    pub fn mark(&mut self, symbol: Symbol) {
        let index = symbol.0 as usize;
        if let Some(bits) = self.bits.get_mut(index / 64) {
            *bits |= 1 << (index % 64);
        }
    }

    fn has(&self, index: usize) -> bool {
        self.bits
            .get(index / 64)
            .is_some_and(|bits| bits >> (index % 64) & 1 == 1)
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

impl Default for Interner {
    fn default() -> Interner {
        let mut interner = Interner {
            bytes: Vec::new(),
            spans: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            constants: 0,
            sweep_bytes: LEAST_BYTES,
            sweep_symbols: LEAST_SYMBOLS,
            limit: MAX_GROWTH,
        };
        interner.constant(b"");
        interner
    }
}

impl Interner {
    /// The symbol of a constant of the program. Constants come before everything else.
    pub fn constant(&mut self, bytes: &[u8]) -> Symbol {
        let symbol = self.intern(bytes).unwrap_or_default();
        self.constants = self.spans.len();
        symbol
    }

    /// The symbol of a string; a new one when it is not kept yet.
    ///
    /// # Errors
    /// Too much was added since [`Interner::wants_sweep`] was last heeded.
    pub fn intern(&mut self, bytes: &[u8]) -> Result<Symbol, TooMuchText> {
        let hash = hash(bytes);
        if let Some(symbol) = self.look_up(hash, bytes) {
            return Ok(symbol);
        }
        self.add(hash, bytes)
    }

    /// The symbol of a string that is kept already.
    pub fn find(&self, bytes: &[u8]) -> Option<Symbol> {
        self.look_up(hash(bytes), bytes)
    }

    fn look_up(&self, hash: u64, bytes: &[u8]) -> Option<Symbol> {
        let same = |id: &u32| self.raw(*id) == bytes;
        self.index.find(hash, same).map(|id| Symbol(*id))
    }

    #[cold]
    fn add(&mut self, hash: u64, bytes: &[u8]) -> Result<Symbol, TooMuchText> {
        let start = self.bytes.len();
        if start.saturating_add(bytes.len()) > self.limit {
            return Err(TooMuchText);
        }
        let span = Span {
            start,
            len: bytes.len(),
            hash,
            used: true,
        };
        let next = u32::try_from(self.spans.len()).map_err(|_| TooMuchText)?;
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(slot) = self.spans.get_mut(id as usize) {
                    *slot = span;
                }
                id
            }
            None => {
                self.spans.push(span);
                next
            }
        };
        self.bytes.extend_from_slice(bytes);
        let spans = &self.spans;
        let hash_of = |id: &u32| spans.get(*id as usize).map_or(0, |span| span.hash);
        self.index.insert_unique(hash, id, hash_of);
        Ok(Symbol(id))
    }

    /// The bytes of a symbol.
    pub fn bytes(&self, symbol: Symbol) -> &[u8] {
        self.raw(symbol.0)
    }

    fn raw(&self, id: u32) -> &[u8] {
        let Some(span) = self.spans.get(id as usize) else {
            return b"";
        };
        let end = span.start.saturating_add(span.len);
        self.bytes.get(span.start..end).unwrap_or(b"")
    }

    /// How many strings are kept.
    pub fn len(&self) -> usize {
        self.spans.len().saturating_sub(self.free.len())
    }

    /// How many bytes they take.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether so much was added that it is time to look for what is not referred to any more.
    pub fn wants_sweep(&self) -> bool {
        let before_limit = self.limit.saturating_sub(MAX_GROWTH / 2);
        self.bytes.len() > self.sweep_bytes.min(before_limit) || self.len() > self.sweep_symbols
    }

    /// Marks in which nothing is referred to yet.
    pub fn marks(&self) -> Marks {
        Marks {
            bits: vec![0; self.spans.len().div_ceil(64)],
        }
    }

    /// Forgets what is neither marked nor a constant. Symbols that stay keep their numbers.
    pub fn sweep(&mut self, marks: &Marks) {
        let constants = self.constants;
        let stays = |id: usize| id < constants || marks.has(id);
        self.index.retain(|id| stays(*id as usize));
        let mut kept = Vec::new();
        for (id, span) in self.spans.iter_mut().enumerate() {
            if !span.used {
                continue;
            }
            if !stays(id) {
                span.used = false;
                span.len = 0;
                self.free.extend(u32::try_from(id));
                continue;
            }
            let end = span.start.saturating_add(span.len);
            let bytes = self.bytes.get(span.start..end).unwrap_or(b"");
            span.start = kept.len();
            kept.extend_from_slice(bytes);
        }
        self.bytes = kept;
        self.sweep_bytes = self.bytes.len().saturating_mul(2).max(LEAST_BYTES);
        self.sweep_symbols = self.len().saturating_mul(2).max(LEAST_SYMBOLS);
        self.limit = self.bytes.len().saturating_add(MAX_GROWTH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_one_symbol_and_the_empty_one_is_the_default() {
        let mut interner = Interner::default();
        let a = interner.intern(b"a").expect("room");
        assert_eq!(interner.intern(b"a"), Ok(a));
        assert_ne!(interner.intern(b"b"), Ok(a));
        assert_eq!(interner.bytes(a), b"a");
        assert_eq!(interner.intern(b""), Ok(Symbol::default()));
        assert_eq!(interner.find(b"b\0"), None);
        assert_eq!(Symbol::of_word(a.word()), a);
        assert_eq!(interner.bytes(Symbol(99)), b"", "a symbol of others");
    }

    #[test]
    fn a_sweep_keeps_marked_symbols_and_constants() {
        let mut interner = Interner::default();
        let constant = interner.constant(b"constant");
        let kept = interner.intern(b"kept").expect("room");
        for n in 0..100 {
            interner
                .intern(format!("gone {n}").as_bytes())
                .expect("room");
        }
        let later = interner.intern(b"kept later").expect("room");
        let mut marks = interner.marks();
        marks.mark(kept);
        marks.mark(later);
        interner.sweep(&marks);
        assert_eq!(interner.len(), 4);
        assert_eq!(interner.size(), "constantkeptkept later".len());
        for (symbol, bytes) in [
            (constant, "constant"),
            (kept, "kept"),
            (later, "kept later"),
        ] {
            assert_eq!(interner.bytes(symbol), bytes.as_bytes());
            assert_eq!(interner.find(bytes.as_bytes()), Some(symbol));
        }
        assert_eq!(interner.find(b"gone 5"), None);
        interner.intern(b"new").expect("room");
        assert_eq!(interner.spans.len(), 104, "numbers are used again");
        assert_eq!(interner.bytes(kept), b"kept");
    }
}
