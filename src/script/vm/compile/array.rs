//! Elements of arrays.

use super::super::code::{IntCode, Step, StrCode};
use super::super::interner::Symbol;
use super::super::machine::{Machine, Run, Stop};
use super::super::table::{Capacity, Table};
use super::super::text::Str;
use super::Compiler;
use super::arithmetic::apply;
use super::keys::Keys;
use crate::script::ir::{
    AggregationId, Array, ArrayId, BinaryOp, Expr, Fault, IntExpr, StrExpr, Yields,
};
use crate::script::source::Span;

/// Which array, and how it behaves.
#[derive(Clone, Debug)]
pub struct ArrayPlace {
    index: usize,
    per_thread: bool,
    capacity: Capacity,
    zero_removes: bool,
    name: String,
}

impl ArrayPlace {
    /// Its table, for this thread.
    #[inline]
    pub fn table<'m>(&self, m: &'m mut Machine, tid: i32) -> Option<&'m mut Table<i64>> {
        match self.per_thread {
            false => m.arrays.get_mut(self.index),
            true => m.threads.of(tid).arrays.get_mut(self.index),
        }
    }

    /// Looks an element up and forgets the keys; `None` when there is none.
    #[inline]
    fn take(&self, run: &mut Run<'_>, start: Option<usize>) -> Option<i64> {
        let start = start?;
        let m = &mut *run.m;
        let table = match self.per_thread {
            false => m.arrays.get(self.index),
            true => m.threads.of(run.tid).arrays.get(self.index),
        };
        let key = m.keys.get(start..).unwrap_or_default();
        let value = table.and_then(|table| table.value(key)).copied();
        m.keys.truncate(start);
        value
    }

    /// Changes an element and forgets the keys. `new` makes the value of what it was (0 when there was none); it gives
    /// none where that cannot be.
    #[inline]
    fn put(
        &self,
        run: &mut Run<'_>,
        start: usize,
        new: impl FnOnce(i64) -> Option<i64>,
    ) -> Result<(i64, i64), Wrong> {
        let m = &mut *run.m;
        let table = match self.per_thread {
            false => m.arrays.get_mut(self.index),
            true => m.threads.of(run.tid).arrays.get_mut(self.index),
        };
        let table = table.ok_or(Wrong::Full)?;
        let key = m.keys.get(start..).unwrap_or_default();
        let result = match self.zero_removes {
            true => self.put_or_remove(table, key, new),
            false => match table.value_or_insert(key, self.capacity, || 0) {
                Err(_) => Err(Wrong::Full),
                Ok(slot) => match new(*slot) {
                    None => Err(Wrong::Division),
                    Some(value) => Ok((std::mem::replace(slot, value), value)),
                },
            },
        };
        m.keys.truncate(start);
        result
    }

    fn put_or_remove(
        &self,
        table: &mut Table<i64>,
        key: &[u64],
        new: impl FnOnce(i64) -> Option<i64>,
    ) -> Result<(i64, i64), Wrong> {
        let position = table.find(key);
        let old = position.and_then(|it| table.get(it)).copied().unwrap_or(0);
        let value = new(old).ok_or(Wrong::Division)?;
        match (position, value) {
            (Some(position), 0) => table.remove(position),
            (None, 0) => {}
            _ => match table.value_or_insert(key, self.capacity, || 0) {
                Ok(slot) => *slot = value,
                Err(_) => return Err(Wrong::Full),
            },
        }
        Ok((old, value))
    }
}

/// Why an element cannot be assigned.
enum Wrong {
    Division,
    Full,
}

#[cold]
fn wrong(run: &mut Run<'_>, wrong: &Wrong, name: &str, span: Span) -> Stop {
    let fault = match wrong {
        Wrong::Division => Fault::Division,
        Wrong::Full => Fault::Full(name.to_owned()),
    };
    run.fail(fault, Some(span))
}

impl Compiler<'_> {
    /// Where an array is kept: by its own index, among the global ones or the thread's.
    pub(super) fn array(&self, id: ArrayId) -> ArrayPlace {
        let options = &self.program.options;
        let array: Option<&Array> = self.program.arrays.get(id.0);
        ArrayPlace {
            index: id.0,
            per_thread: array.is_some_and(|it| it.per_thread),
            capacity: Capacity {
                entries: array.and_then(|it| it.limit).unwrap_or(options.max_entries),
                wraps: array.is_some_and(|it| it.wraps),
            },
            zero_removes: array.is_some_and(|it| it.zero_removes),
            name: array.map_or_else(String::new, |it| it.name.clone()),
        }
    }

    pub(super) fn element_int(&mut self, id: ArrayId, keys: &[Expr]) -> IntCode {
        let (place, keys) = (self.array(id), self.keys(keys));
        Box::new(move |run| {
            let start = keys.push_known(run)?;
            Ok(place.take(run, start).unwrap_or(0))
        })
    }

    pub(super) fn element_str(&mut self, id: ArrayId, keys: &[Expr]) -> StrCode {
        let (place, keys) = (self.array(id), self.keys(keys));
        Box::new(move |run| {
            let start = keys.push_known(run)?;
            let word = place.take(run, start).unwrap_or(0);
            Ok(Str::Symbol(Symbol::of_word(word.cast_unsigned())))
        })
    }

    pub(super) fn contains(&mut self, id: ArrayId, keys: &[Expr]) -> IntCode {
        let (place, keys) = (self.array(id), self.keys(keys));
        Box::new(move |run| {
            let start = keys.push_known(run)?;
            Ok(i64::from(place.take(run, start).is_some()))
        })
    }

    pub(super) fn contains_entry(&mut self, id: AggregationId, keys: &[Expr]) -> IntCode {
        let keys = self.keys(keys);
        Box::new(move |run| {
            let position = entry(run, id, &keys)?;
            Ok(i64::from(position.is_some()))
        })
    }

    pub(super) fn assign_element(
        &mut self,
        id: ArrayId,
        keys: &[Expr],
        op: Option<BinaryOp>,
        value: &IntExpr,
        yields: Yields,
        span: Span,
    ) -> IntCode {
        let (place, keys, value) = (self.array(id), self.keys(keys), self.int(value));
        Box::new(move |run| {
            let start = keys.push(run)?;
            let value = value(run)?;
            let put = match op {
                None => place.put(run, start, |_| Some(value)),
                Some(BinaryOp::Add) => place.put(run, start, |old| Some(old.wrapping_add(value))),
                Some(op) => place.put(run, start, |old| apply(op, old, value)),
            };
            match put {
                Ok((old, new)) => Ok(match yields {
                    Yields::New => new,
                    Yields::Old => old,
                }),
                Err(what) => Err(wrong(run, &what, &place.name, span)),
            }
        })
    }

    pub(super) fn assign_element_str(
        &mut self,
        id: ArrayId,
        keys: &[Expr],
        value: &StrExpr,
        span: Span,
    ) -> StrCode {
        let (place, keys, value) = (self.array(id), self.keys(keys), self.str(value));
        Box::new(move |run| {
            let start = keys.push(run)?;
            let value = value(run)?;
            let symbol = run.intern(value)?;
            let word = symbol.word().cast_signed();
            match place.put(run, start, |_| Some(word)) {
                Ok(_) => Ok(Str::Symbol(symbol)),
                Err(what) => Err(wrong(run, &what, &place.name, span)),
            }
        })
    }

    /// Removes one element.
    pub(super) fn delete_element(&mut self, id: ArrayId, keys: &[Expr]) -> Step {
        let (place, keys) = (self.array(id), self.keys(keys));
        Box::new(move |run| {
            let Some(start) = keys.push_known(run)? else {
                return Ok(());
            };
            let m = &mut *run.m;
            let key = m.keys.get(start..).unwrap_or_default().to_vec();
            m.keys.truncate(start);
            if let Some(table) = place.table(m, run.tid)
                && let Some(position) = table.find(&key)
            {
                table.remove(position);
            }
            Ok(())
        })
    }
}

/// The position of an aggregation's entry; the keys are forgotten.
///
/// # Errors
/// Those of evaluating the keys.
#[inline]
pub fn entry(run: &mut Run<'_>, id: AggregationId, keys: &Keys) -> Result<Option<usize>, Stop> {
    let Some(start) = keys.push_known(run)? else {
        return Ok(None);
    };
    let m = &mut *run.m;
    let key = m.keys.get(start..).unwrap_or_default();
    let aggregation = m.aggregations.get(id.0);
    let position = aggregation.and_then(|it| it.table.find(key));
    m.keys.truncate(start);
    Ok(position)
}
