//! Printing: text, aggregations, histograms.

use rustc_hash::FxHashMap;

use super::super::aggregated::{Aggregated, key_values};
use super::super::code::Step;
use super::super::machine::{Run, Stop, texts};
use super::Compiler;
use super::array::entry;
use crate::script::aggregation::{
    Column, Key, compare_rows, write_default_row, write_formatted_row, write_histogram_systemtap,
};
use crate::script::ir::{
    AggregationId, AggregationPiece, Fault, Format, Histogram, PrintAggregations, Stream,
};

/// Rows are handed on when so much has gathered, even where a later error could take them back: there may be more of
/// them than can be held.
const PIECE: usize = 1 << 20;

/// A row: for each aggregation that is printed the position of its entry.
type Row = Vec<Option<usize>>;

impl Compiler<'_> {
    pub(super) fn print(&mut self, stream: Stream, format: &Format) -> Step {
        let format = self.format(format);
        match stream {
            Stream::Out => Box::new(move |run| {
                let mark = run.m.out.len();
                let mut out = std::mem::take(&mut run.m.out);
                run.m.printing = run.m.printing.saturating_add(1);
                let result = format.write(run, &mut out);
                run.m.printing = run.m.printing.saturating_sub(1);
                if result.is_err() {
                    out.truncate(mark);
                }
                let written = out.len().saturating_sub(mark);
                put_back(run, out, mark);
                result?;
                run.wrote(written)
            }),
            Stream::Err => Box::new(move |run| {
                let mut text = run.m.spare.pop().unwrap_or_default();
                let result = format.write(run, &mut text);
                if result.is_ok() {
                    run.m.err.extend_from_slice(&text);
                }
                text.clear();
                run.m.spare.push(text);
                result?;
                run.drain()
            }),
        }
    }

    pub(super) fn print_aggregations(&mut self, print: &PrintAggregations) -> Step {
        let print = print.clone();
        Box::new(move |run| {
            let printed = |it: &Aggregated| it.printed || it.table.is_empty();
            let aggregations = &run.m.aggregations;
            let mut these = print.aggregations.iter();
            if print.unless_printed && these.any(|id| aggregations.get(id.0).is_none_or(printed)) {
                return Ok(());
            }
            print_rows(run, &print.aggregations, print.format.as_deref())
        })
    }

    pub(super) fn print_histogram(&mut self, histogram: &Histogram) -> Step {
        let (of, buckets, span) = (histogram.of, histogram.buckets, histogram.span);
        let keys = self.keys(&histogram.keys);
        Box::new(move |run| {
            let position = entry(run, of, &keys)?;
            let m = &mut *run.m;
            let aggregation = m.aggregations.get(of.0);
            let summary = aggregation.and_then(|it| it.table.get(position?));
            match summary {
                Some(summary) if summary.count() != 0 => {
                    write_histogram_systemtap(&mut m.out, summary, &buckets);
                    run.drain()
                }
                _ => {
                    let fault = Fault::Empty("empty aggregate".to_owned());
                    Err(run.fail(fault, Some(span)))
                }
            }
        })
    }
}

/// Makes `out` the output again; what was printed meanwhile belongs before what was written behind `mark`.
fn put_back(run: &mut Run<'_>, mut out: Vec<u8>, mark: usize) {
    if !run.m.out.is_empty() {
        let behind = out.split_off(mark.min(out.len()));
        out.extend_from_slice(&run.m.out);
        out.extend_from_slice(&behind);
    }
    run.m.out = out;
}

/// Prints aggregations side by side.
///
/// # Errors
/// There is too much output that may have to be taken back.
pub fn print_rows(
    run: &mut Run<'_>,
    ids: &[AggregationId],
    format: Option<&[AggregationPiece]>,
) -> Result<(), Stop> {
    work_of(run, ids)?;
    for id in ids {
        if let Some(aggregation) = run.m.aggregations.get_mut(id.0) {
            aggregation.printed = true;
        }
    }
    if format.is_none() {
        run.m.out.push(b'\n');
    }
    for row in sorted_rows(run, ids) {
        let mut out = std::mem::take(&mut run.m.out);
        let (keys, columns) = row_values(run, ids, &row);
        match format {
            None => {
                let first = ids.first().and_then(|id| run.m.aggregations.get(id.0));
                let sizes = first.map_or(&[][..], |it| it.key_sizes.as_slice());
                write_default_row(&mut out, &keys, sizes, &columns);
            }
            Some(pieces) => write_formatted_row(&mut out, pieces, &keys, &columns),
        }
        run.m.out = out;
        if run.m.out.len() > PIECE {
            run.hand_on();
        }
        run.drain()?;
    }
    Ok(())
}

/// Going through aggregations is so much work.
///
/// # Errors
/// It is too much.
pub fn work_of(run: &mut Run<'_>, ids: &[AggregationId]) -> Result<(), Stop> {
    let entries = |id: &AggregationId| run.m.aggregations.get(id.0).map_or(0, |it| it.table.end());
    let entries = ids.iter().map(entries).fold(0, usize::saturating_add);
    run.work(entries)
}

/// The keys and values of a row.
fn row_values<'r>(
    run: &'r Run<'_>,
    ids: &[AggregationId],
    row: &Row,
) -> (Vec<Key<'r>>, Vec<Column<'r>>) {
    let texts = texts(run.m, run.args, run.event);
    let mut keys = Vec::new();
    let mut columns = Vec::with_capacity(ids.len());
    for (id, position) in ids.iter().zip(row) {
        let Some(aggregation) = run.m.aggregations.get(id.0) else {
            continue;
        };
        if keys.is_empty()
            && let Some(words) = position.and_then(|it| aggregation.table.key(it))
        {
            keys = key_values(words, &aggregation.keys, texts);
        }
        columns.push(aggregation.column(*position));
    }
    (keys, columns)
}

/// The rows of aggregations, joined by their keys, in the order in which they are printed.
pub fn sorted_rows(run: &Run<'_>, ids: &[AggregationId]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut by_key: FxHashMap<&[u64], usize> = FxHashMap::default();
    for (which, id) in ids.iter().enumerate() {
        let Some(aggregation) = run.m.aggregations.get(id.0) else {
            continue;
        };
        for position in aggregation.table.positions() {
            if let [_] = ids {
                rows.push(vec![Some(position)]);
                continue;
            }
            let key = aggregation.table.key(position).unwrap_or_default();
            let row = *by_key.entry(key).or_insert_with(|| {
                rows.push(vec![None; ids.len()]);
                rows.len().saturating_sub(1)
            });
            let column = rows.get_mut(row).and_then(|row| row.get_mut(which));
            if let Some(column) = column {
                *column = Some(position);
            }
        }
    }
    let unsigned = run.code.options.unsigned_keys;
    let mut valued: Vec<_> = rows
        .into_iter()
        .map(|row| (row_values(run, ids, &row), row))
        .collect();
    valued.sort_by(|((keys_a, columns_a), _), ((keys_b, columns_b), _)| {
        compare_rows((keys_a, columns_a), (keys_b, columns_b), unsigned)
    });
    valued.into_iter().map(|(_, row)| row).collect()
}
