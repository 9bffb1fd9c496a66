//! An aggregation while the program runs.

use super::interner::Symbol;
use super::table::{Capacity, Table};
use super::text::Texts;
use crate::script::aggregation::{Column, Key, Summary};
use crate::script::ir::{Keep, Type};

/// An aggregation.
#[derive(Debug)]
pub struct Aggregated {
    /// Its entries.
    pub table: Table<Summary>,
    /// What is kept of the values.
    pub keep: Keep,
    /// The types of its keys.
    pub keys: Vec<Type>,
    /// How many bytes the types of its keys have, as DTrace prints them.
    pub key_sizes: Vec<u8>,
    /// How many entries it may have.
    pub capacity: Capacity,
    /// What values are divided by when they are shown.
    pub normal: i64,
    /// Whether it was printed.
    pub printed: bool,
}

impl Aggregated {
    /// What it has at a position, for the printers.
    pub fn column(&self, position: Option<usize>) -> Column<'_> {
        Column {
            summary: position.and_then(|position| self.table.get(position)),
            keep: &self.keep,
            normal: self.normal,
        }
    }
}

/// The words of a key as values.
pub fn key_values<'a>(words: &[u64], types: &[Type], texts: Texts<'a>) -> Vec<Key<'a>> {
    let value = |(word, ty): (&u64, &Type)| match ty {
        Type::Int => Key::Int(word.cast_signed()),
        Type::Str => Key::Str(texts.interner.bytes(Symbol::of_word(*word))),
    };
    words.iter().zip(types).map(value).collect()
}
