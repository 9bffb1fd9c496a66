//! What is done with aggregations, but for printing them.

use super::super::aggregated::Aggregated;
use super::super::code::{IntCode, Step};
use super::super::machine::Run;
use super::super::table::Full;
use super::Compiler;
use super::array::entry;
use super::print::{sorted_rows, work_of};
use crate::script::aggregation::Summary;
use crate::script::ir::{AggregationId, Expr, Fault, IntExpr, Statistic, Trim};
use crate::script::source::Span;

impl Compiler<'_> {
    pub(super) fn record(
        &mut self,
        to: AggregationId,
        keys: &[Expr],
        value: &IntExpr,
        weight: Option<&IntExpr>,
        span: Span,
    ) -> Step {
        let has_keys = !keys.is_empty();
        let keys = self.keys(keys);
        let name = self.program.aggregations.get(to.0);
        let name = name.map_or_else(String::new, |it| it.name.clone());
        let full = move |run: &mut Run<'_>| run.fail(Fault::Full(name.clone()), Some(span));
        if let (IntExpr::Constant(value), None, false) = (value, weight, has_keys) {
            let value = *value;
            return Box::new(move |run| {
                add_to(run.m.aggregations.get_mut(to.0), &[], (value, 1)).map_err(|Full| full(run))
            });
        }
        if let (IntExpr::Constant(value), None) = (value, weight) {
            let value = *value;
            return Box::new(move |run| {
                let start = keys.push(run)?;
                add(run, to, start, (value, 1)).map_err(|Full| full(run))
            });
        }
        let (value, weight) = (self.int(value), self.optional(weight));
        Box::new(move |run| {
            let start = keys.push(run)?;
            let value = value(run)?;
            let weight = match &weight {
                None => 1,
                Some(weight) => weight(run)?,
            };
            add(run, to, start, (value, weight)).map_err(|Full| full(run))
        })
    }

    pub(super) fn statistic(
        &mut self,
        of: AggregationId,
        keys: &[Expr],
        what: Statistic,
        span: Span,
    ) -> IntCode {
        let keys = self.keys(keys);
        Box::new(move |run| {
            let position = entry(run, of, &keys)?;
            let aggregation = run.m.aggregations.get(of.0);
            let value = aggregation.and_then(|it| match position {
                Some(position) => it.table.get(position)?.statistic(what),
                None => Summary::new(&it.keep).statistic(what),
            });
            value.ok_or_else(|| {
                let fault = Fault::Empty("empty aggregate".to_owned());
                run.fail(fault, Some(span))
            })
        })
    }

    pub(super) fn trim(&mut self, trim: &Trim) -> Step {
        let (id, keep) = (trim.aggregation, self.int(&trim.keep));
        Box::new(move |run| {
            let keep = keep(run)?;
            // Rows ascend: the largest are the last.
            work_of(run, &[id])?;
            let rows = sorted_rows(run, &[id]);
            let kept = usize::try_from(keep.unsigned_abs()).unwrap_or(usize::MAX);
            let excess = rows.len().saturating_sub(kept);
            let goes = match keep {
                0.. => rows.get(..excess),
                _ => rows.get(rows.len().saturating_sub(excess)..),
            };
            let Some(aggregation) = run.m.aggregations.get_mut(id.0) else {
                return Ok(());
            };
            for row in goes.unwrap_or_default() {
                if let Some(Some(position)) = row.first() {
                    aggregation.table.remove(*position);
                }
            }
            Ok(())
        })
    }

    pub(super) fn clear(&mut self, id: AggregationId) -> Step {
        Box::new(move |run| {
            work_of(run, &[id])?;
            if let Some(aggregation) = run.m.aggregations.get_mut(id.0) {
                aggregation.table.values_mut().for_each(Summary::clear);
            }
            Ok(())
        })
    }

    pub(super) fn normalize(&mut self, id: AggregationId, by: &IntExpr, span: Span) -> Step {
        let by = self.int(by);
        Box::new(move |run| {
            let by = by(run)?;
            if by == 0 {
                return Err(run.fail(Fault::Division, Some(span)));
            }
            if let Some(aggregation) = run.m.aggregations.get_mut(id.0) {
                aggregation.normal = by;
            }
            Ok(())
        })
    }
}

/// Adds a value with its weight to the entry whose keys begin at `start` of those that are being evaluated.
#[inline]
fn add(
    run: &mut Run<'_>,
    to: AggregationId,
    start: usize,
    (value, weight): (i64, i64),
) -> Result<(), Full> {
    let m = &mut *run.m;
    let key = m.keys.get(start..).unwrap_or_default();
    let result = add_to(m.aggregations.get_mut(to.0), key, (value, weight));
    m.keys.truncate(start);
    result
}

/// Adds a value with its weight to an entry of an aggregation.
#[inline]
fn add_to(
    to: Option<&mut Aggregated>,
    key: &[u64],
    (value, weight): (i64, i64),
) -> Result<(), Full> {
    let Some(to) = to else {
        return Ok(());
    };
    let keep = &to.keep;
    let slot = to
        .table
        .value_or_insert(key, to.capacity, || Summary::new(keep));
    slot.map(|summary| summary.record(keep, value, weight))
}
