//! Tables with keys of several words, in the order of insertion: arrays and aggregations.
//!
//! Entries lie behind each other and are found through a hash table of their positions. A removed one leaves a gap, so
//! a position stays valid while a loop goes through the table; gaps are closed when there are many.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// The most gaps that are left alone however few entries there are.
const FEW_GAPS: usize = 64;

/// A table. All keys have the same number of words.
#[derive(Debug)]
pub struct Table<V> {
    width: usize,
    keys: Vec<u64>,
    values: Vec<Option<V>>,
    index: HashTable<u32>,
    /// No entry lies before this position.
    first: usize,
    /// How many loops go through it.
    pins: usize,
}

/// It has as many entries as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// How many entries there may be.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// The most.
    pub entries: usize,
    /// Then the oldest goes.
    pub wraps: bool,
}

fn hash(key: &[u64]) -> u64 {
    let mut hasher = FxHasher::default();
    for word in key {
        hasher.write_u64(*word);
    }
    hasher.finish()
}

fn key_at(keys: &[u64], width: usize, position: usize) -> Option<&[u64]> {
    let start = position.checked_mul(width)?;
    keys.get(start..start.checked_add(width)?)
}

fn same(a: &[u64], b: &[u64]) -> bool {
    // Keys are a few words: a loop beats a call of memcmp.
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

impl<V> Table<V> {
    /// An empty table with keys of so many words.
    pub fn new(width: usize) -> Table<V> {
        Table {
            width,
            keys: Vec::new(),
            values: Vec::new(),
            index: HashTable::new(),
            first: 0,
            pins: 0,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The position behind the last entry.
    pub fn end(&self) -> usize {
        self.values.len()
    }

    /// The position of a key.
    #[inline]
    pub fn find(&self, key: &[u64]) -> Option<usize> {
        match self.width {
            // There is one such key, and what lies before the first entry is none.
            0 => self.get(self.first).map(|_| self.first),
            _ => self.look_up(key),
        }
    }

    fn look_up(&self, key: &[u64]) -> Option<usize> {
        let (keys, width) = (&self.keys, self.width);
        let is = |position: &u32| {
            key_at(keys, width, *position as usize).is_some_and(|other| same(other, key))
        };
        self.index
            .find(hash(key), is)
            .map(|position| *position as usize)
    }

    /// The key at a position; `None` where there is no entry.
    pub fn key(&self, position: usize) -> Option<&[u64]> {
        self.get(position)?;
        key_at(&self.keys, self.width, position)
    }

    /// The value at a position.
    pub fn get(&self, position: usize) -> Option<&V> {
        self.values.get(position)?.as_ref()
    }

    /// The value at a position.
    pub fn get_mut(&mut self, position: usize) -> Option<&mut V> {
        self.values.get_mut(position)?.as_mut()
    }

    /// The value of a key.
    pub fn value(&self, key: &[u64]) -> Option<&V> {
        self.get(self.find(key)?)
    }

    /// The value of a key, made when there is none.
    ///
    /// # Errors
    /// There is no room for another entry.
    #[inline]
    pub fn value_or_insert(
        &mut self,
        key: &[u64],
        capacity: Capacity,
        make: impl FnOnce() -> V,
    ) -> Result<&mut V, Full> {
        let position = match self.find(key) {
            Some(position) => position,
            None => self.insert(key, capacity, make())?,
        };
        self.get_mut(position).ok_or(Full)
    }

    #[cold]
    fn insert(&mut self, key: &[u64], capacity: Capacity, value: V) -> Result<usize, Full> {
        if self.len() >= capacity.entries {
            let oldest = self.positions().next().filter(|_| capacity.wraps);
            self.remove(oldest.ok_or(Full)?);
        }
        self.close_gaps();
        let position = self.values.len();
        let number = u32::try_from(position).map_err(|_| Full)?;
        self.keys.extend_from_slice(key);
        self.values.push(Some(value));
        let (keys, width) = (&self.keys, self.width);
        let hash_of = |position: &u32| key_at(keys, width, *position as usize).map_or(0, hash);
        self.index.insert_unique(hash(key), number, hash_of);
        Ok(position)
    }

    /// Removes the entry at a position.
    pub fn remove(&mut self, position: usize) {
        let Some(key) = self.key(position) else {
            return;
        };
        let found = self
            .index
            .find_entry(hash(key), |other| *other as usize == position);
        if let Ok(entry) = found {
            entry.remove();
        }
        if let Some(value) = self.values.get_mut(position) {
            *value = None;
        }
        while self.values.get(self.first).is_some_and(Option::is_none) {
            self.first = self.first.saturating_add(1);
        }
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.index.clear();
        if self.pins > 0 {
            self.values.iter_mut().for_each(|value| *value = None);
            self.first = self.values.len();
        } else {
            self.keys.clear();
            self.values.clear();
            self.first = 0;
        }
    }

    /// The positions of all entries, the oldest first.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        (self.first..self.values.len()).filter(|position| self.get(*position).is_some())
    }

    /// All values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut().flatten()
    }

    /// A loop begins: positions stay valid until it ends.
    pub fn pin(&mut self) {
        self.pins = self.pins.saturating_add(1);
    }

    /// A loop ends.
    pub fn unpin(&mut self) {
        self.pins = self.pins.saturating_sub(1);
    }

    fn close_gaps(&mut self) {
        let gaps = self.values.len().saturating_sub(self.len());
        if self.pins > 0 || gaps <= FEW_GAPS.max(self.len()) {
            return;
        }
        let old = std::mem::replace(self, Table::new(self.width));
        self.index.reserve(old.len(), |_| 0);
        for (position, value) in old.values.into_iter().enumerate() {
            let (Some(value), Some(key)) = (value, key_at(&old.keys, old.width, position)) else {
                continue;
            };
            let Ok(number) = u32::try_from(self.values.len()) else {
                return;
            };
            self.keys.extend_from_slice(key);
            self.values.push(Some(value));
            let (keys, width) = (&self.keys, self.width);
            let hash_of = |position: &u32| key_at(keys, width, *position as usize).map_or(0, hash);
            self.index.insert_unique(hash(key), number, hash_of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Capacity = Capacity {
        entries: 1000,
        wraps: false,
    };

    fn keys(table: &Table<i64>) -> Vec<u64> {
        let key = |position| table.key(position).and_then(|key| key.first().copied());
        table.positions().filter_map(key).collect()
    }

    #[test]
    fn entries_are_found_and_keep_their_order() {
        let mut table = Table::new(2);
        for n in 0..100_u64 {
            let value = table.value_or_insert(&[n, n % 7], ROOM, || 0);
            *value.expect("room") += 1;
        }
        *table.value_or_insert(&[5, 5], ROOM, || 0).expect("room") += 1;
        assert_eq!(table.len(), 100);
        assert_eq!(table.value(&[5, 5]), Some(&2));
        assert_eq!(table.value(&[5, 6]), None);
        assert_eq!(keys(&table), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_table_refuses_or_forgets_the_oldest() {
        let mut capacity = Capacity {
            entries: 2,
            wraps: false,
        };
        let mut table = Table::new(1);
        for n in 0..2 {
            table.value_or_insert(&[n], capacity, || 0).expect("room");
        }
        assert_eq!(table.value_or_insert(&[2], capacity, || 0), Err(Full));
        assert!(table.value_or_insert(&[1], capacity, || 0).is_ok());
        capacity.wraps = true;
        for n in 2..500 {
            assert!(table.value_or_insert(&[n], capacity, || 0).is_ok());
        }
        assert_eq!(keys(&table), [498, 499]);
        assert!(table.end() <= 2 * FEW_GAPS, "gaps are closed");
        capacity.entries = 0;
        assert!(table.value_or_insert(&[9], capacity, || 0).is_ok() || table.is_empty());
    }

    #[test]
    fn positions_hold_while_it_is_pinned() {
        let mut table = Table::new(1);
        for n in 0..200 {
            table.value_or_insert(&[n], ROOM, || 7).expect("room");
        }
        table.pin();
        for n in 0..199 {
            table.remove(n);
        }
        table.value_or_insert(&[1000], ROOM, || 8).expect("room");
        assert_eq!(table.key(199), Some(&[199][..]));
        assert_eq!(table.key(200), Some(&[1000][..]));
        table.unpin();
        table.value_or_insert(&[1001], ROOM, || 9).expect("room");
        assert_eq!(table.end(), 3);
        assert_eq!(keys(&table), [199, 1000, 1001]);
        assert_eq!(table.value(&[1000]), Some(&8));
        table.clear();
        assert_eq!((table.len(), table.end()), (0, 0));
    }

    #[test]
    fn a_key_may_have_no_words() {
        let mut table = Table::new(0);
        *table.value_or_insert(&[], ROOM, || 0).expect("room") += 5;
        *table.value_or_insert(&[], ROOM, || 0).expect("room") += 5;
        assert_eq!((table.len(), table.value(&[])), (1, Some(&10)));
        table.pin();
        table.clear();
        assert_eq!(table.find(&[]), None);
        *table.value_or_insert(&[], ROOM, || 0).expect("room") += 3;
        assert_eq!((table.len(), table.value(&[])), (1, Some(&3)));
        table.unpin();
        table.remove(1);
        assert_eq!((table.len(), table.find(&[])), (0, None));
    }
}
