//! Loops.

use std::cmp::Ordering;

use super::super::code::{BlockCode, IntCode, Step};
use super::super::interner::Symbol;
use super::super::machine::{Run, Stop};
use super::super::text::Str;
use super::Compiler;
use super::array::ArrayPlace;
use super::keys::Slice;
use super::variable::{write_int, write_str};
use crate::script::ir::{
    AggregationId, Block, ForEach, IntExpr, Order, OrderBy, Place, Statistic, Table, Type,
};

/// What a table's loop needs to know of the table.
#[derive(Clone)]
pub enum TablePlace {
    /// An array.
    Array(ArrayPlace),
    /// An aggregation.
    Aggregation(AggregationId),
}

/// What entries are sorted by.
enum Rank {
    Int(i64),
    Str(Symbol),
}

struct Loop {
    table: TablePlace,
    key_types: Vec<Type>,
    value_type: Type,
    keys: Vec<Option<Place>>,
    value: Option<Place>,
    slice: Option<Slice>,
    order: Option<Order>,
    limit: Option<IntCode>,
    body: BlockCode,
}

impl Compiler<'_> {
    pub(super) fn table_place(&self, table: Table) -> TablePlace {
        match table {
            Table::Array(id) => TablePlace::Array(self.array(id)),
            Table::Aggregation(id) => TablePlace::Aggregation(id),
        }
    }

    pub(super) fn while_loop(&mut self, condition: &IntExpr, body: &Block, step: &Block) -> Step {
        let condition = self.int(condition);
        let (body, step) = (self.block(body), self.block(step));
        Box::new(move |run| {
            loop {
                let scratch = run.m.scratch.len();
                let holds = condition(run)? != 0;
                run.m.scratch.truncate(scratch);
                if !holds {
                    return Ok(());
                }
                run.count()?;
                match body.run(run) {
                    Ok(()) | Err(Stop::Continue) => {}
                    Err(Stop::Break) => return Ok(()),
                    Err(other) => return Err(other),
                }
                run.m.scratch.truncate(scratch);
                step.run(run)?;
            }
        })
    }

    pub(super) fn for_each(&mut self, it: &ForEach) -> Step {
        let types = match it.table {
            Table::Array(id) => {
                let array = self.program.arrays.get(id.0);
                array.map(|array| (array.keys.clone(), array.value))
            }
            Table::Aggregation(id) => {
                let aggregation = self.program.aggregations.get(id.0);
                aggregation.map(|aggregation| (aggregation.keys.clone(), Type::Int))
            }
        };
        let (key_types, value_type) = types.unwrap_or((Vec::new(), Type::Int));
        let code = Loop {
            table: self.table_place(it.table),
            key_types,
            value_type,
            keys: it.keys.clone(),
            value: it.value,
            slice: it
                .slice
                .iter()
                .any(Option::is_some)
                .then(|| self.slice(&it.slice)),
            order: it.order,
            limit: self.optional(it.limit.as_ref()),
            body: self.block(&it.body),
        };
        Box::new(move |run| {
            let limit = match &code.limit {
                None => usize::MAX,
                // A negative limit is no round at all.
                Some(limit) => usize::try_from(limit(run)?).unwrap_or(0),
            };
            let selection = match &code.slice {
                None => None,
                Some(slice) => Some(slice.select(run)?),
            };
            let wanted = |key: &[u64]| selection.as_ref().is_none_or(|it| it.has(key));
            let entries = code.table.end(run);
            run.work(entries)?;
            code.table.pin(run, true);
            let result = match code.order {
                None => code.in_place(run, limit, wanted),
                Some(order) => {
                    let positions = code.sorted(run, order, limit, wanted);
                    positions
                        .into_iter()
                        .try_for_each(|position| code.round(run, position))
                }
            };
            code.table.pin(run, false);
            match result {
                Err(Stop::Break) => Ok(()),
                other => other,
            }
        })
    }
}

impl TablePlace {
    /// A loop begins or ends.
    fn pin(&self, run: &mut Run<'_>, begins: bool) {
        match self {
            TablePlace::Array(place) => {
                if let Some(table) = place.table(run.m, run.tid) {
                    if begins { table.pin() } else { table.unpin() }
                }
            }
            TablePlace::Aggregation(id) => {
                if let Some(aggregation) = run.m.aggregations.get_mut(id.0) {
                    let table = &mut aggregation.table;
                    if begins { table.pin() } else { table.unpin() }
                }
            }
        }
    }

    /// The position behind the last entry.
    pub fn end(&self, run: &mut Run<'_>) -> usize {
        match self {
            TablePlace::Array(place) => place.table(run.m, run.tid).map_or(0, |it| it.end()),
            TablePlace::Aggregation(id) => {
                let aggregation = run.m.aggregations.get(id.0);
                aggregation.map_or(0, |it| it.table.end())
            }
        }
    }

    /// Whether there is an entry at a position whose key is wanted.
    pub fn has(
        &self,
        run: &mut Run<'_>,
        position: usize,
        wanted: &impl Fn(&[u64]) -> bool,
    ) -> bool {
        let key = match self {
            TablePlace::Array(place) => place
                .table(run.m, run.tid)
                .and_then(|table| table.key(position)),
            TablePlace::Aggregation(id) => {
                let aggregation = run.m.aggregations.get(id.0);
                aggregation.and_then(|it| it.table.key(position))
            }
        };
        key.is_some_and(wanted)
    }

    /// Removes the entry at a position.
    pub fn remove(&self, run: &mut Run<'_>, position: usize) {
        match self {
            TablePlace::Array(place) => {
                if let Some(table) = place.table(run.m, run.tid) {
                    table.remove(position);
                }
            }
            TablePlace::Aggregation(id) => {
                if let Some(aggregation) = run.m.aggregations.get_mut(id.0) {
                    aggregation.table.remove(position);
                }
            }
        }
    }

    /// Removes all entries.
    pub fn clear(&self, run: &mut Run<'_>) {
        match self {
            TablePlace::Array(place) => {
                if let Some(table) = place.table(run.m, run.tid) {
                    table.clear();
                }
            }
            TablePlace::Aggregation(id) => {
                if let Some(aggregation) = run.m.aggregations.get_mut(id.0) {
                    aggregation.table.clear();
                }
            }
        }
    }

    /// A word of the key at a position.
    fn key_word(&self, run: &mut Run<'_>, position: usize, index: usize) -> Option<u64> {
        let key = match self {
            TablePlace::Array(place) => place.table(run.m, run.tid)?.key(position)?,
            TablePlace::Aggregation(id) => run.m.aggregations.get(id.0)?.table.key(position)?,
        };
        key.get(index).copied()
    }

    /// An array's value at a position.
    fn value(&self, run: &mut Run<'_>, position: usize) -> Option<i64> {
        match self {
            TablePlace::Array(place) => place.table(run.m, run.tid)?.get(position).copied(),
            TablePlace::Aggregation(id) => {
                let aggregation = run.m.aggregations.get(id.0)?;
                let what = aggregation.keep.value;
                aggregation.table.get(position)?.statistic(what)
            }
        }
    }

    fn statistic(&self, run: &Run<'_>, position: usize, what: Statistic) -> Option<i64> {
        match self {
            TablePlace::Array(_) => None,
            TablePlace::Aggregation(id) => {
                let aggregation = run.m.aggregations.get(id.0)?;
                aggregation.table.get(position)?.statistic(what)
            }
        }
    }
}

impl Loop {
    /// In the order of insertion.
    fn in_place(
        &self,
        run: &mut Run<'_>,
        limit: usize,
        wanted: impl Fn(&[u64]) -> bool,
    ) -> Result<(), Stop> {
        let end = self.table.end(run);
        let mut left = limit;
        for position in 0..end {
            if left == 0 {
                break;
            }
            if self.table.has(run, position, &wanted) {
                left = left.saturating_sub(1);
                self.round(run, position)?;
            }
        }
        Ok(())
    }

    /// The positions of the first entries in that order. Ties are by insertion.
    fn sorted(
        &self,
        run: &mut Run<'_>,
        order: Order,
        limit: usize,
        wanted: impl Fn(&[u64]) -> bool,
    ) -> Vec<usize> {
        let end = self.table.end(run);
        let mut ranked = Vec::new();
        for position in 0..end {
            if self.table.has(run, position, &wanted) {
                ranked.push((self.rank(run, order.by, position), position));
            }
        }
        let interner = &run.m.interner;
        let compare = |(a, at): &(Rank, usize), (b, bt): &(Rank, usize)| {
            let order_of = match (a, b) {
                (Rank::Int(a), Rank::Int(b)) => a.cmp(b),
                (Rank::Str(a), Rank::Str(b)) => interner.bytes(*a).cmp(interner.bytes(*b)),
                _ => Ordering::Equal,
            };
            let order_of = match order.descending {
                true => order_of.reverse(),
                false => order_of,
            };
            order_of.then(at.cmp(bt))
        };
        if limit < ranked.len() {
            if limit > 0 {
                ranked.select_nth_unstable_by(limit, compare);
            }
            ranked.truncate(limit);
        }
        ranked.sort_unstable_by(compare);
        ranked.into_iter().map(|(_, position)| position).collect()
    }

    fn rank(&self, run: &mut Run<'_>, by: OrderBy, position: usize) -> Rank {
        let (word, ty) = match by {
            OrderBy::Key(index) => (
                self.table
                    .key_word(run, position, index)
                    .map(u64::cast_signed),
                self.key_types.get(index).copied().unwrap_or(Type::Int),
            ),
            OrderBy::Value => (self.table.value(run, position), self.value_type),
            OrderBy::Statistic(what) => (self.table.statistic(run, position, what), Type::Int),
        };
        let word = word.unwrap_or(0);
        match ty {
            Type::Int => Rank::Int(word),
            Type::Str => Rank::Str(Symbol::of_word(word.cast_unsigned())),
        }
    }

    /// Sets the loop's variables and runs its body. An entry that is not there any more has no round.
    fn round(&self, run: &mut Run<'_>, position: usize) -> Result<(), Stop> {
        if !self.table.has(run, position, &|_| true) {
            return Ok(());
        }
        run.count()?;
        for (index, place) in self.keys.iter().enumerate() {
            if let Some(place) = place {
                let word = self.table.key_word(run, position, index).unwrap_or(0);
                assign(run, *place, word.cast_signed())?;
            }
        }
        if let Some(place) = self.value {
            let value = self.table.value(run, position).unwrap_or(0);
            assign(run, place, value)?;
        }
        match self.body.run(run) {
            Err(Stop::Continue) => Ok(()),
            other => other,
        }
    }
}

/// Sets a variable to a table's word.
fn assign(run: &mut Run<'_>, place: Place, word: i64) -> Result<(), Stop> {
    match place {
        Place::Int(var) => {
            write_int(run, var, word);
            Ok(())
        }
        Place::Str(var) => {
            let symbol = Symbol::of_word(word.cast_unsigned());
            write_str(run, var, Str::Symbol(symbol)).map(drop)
        }
    }
}
