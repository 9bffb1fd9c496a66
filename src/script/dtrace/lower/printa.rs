//! `printa`: rows of aggregations.

use super::Lower;
use super::printf::{column, padded_left, spec, style, wide};
use crate::script::dtrace::ast::{Expr, ExprKind};
use crate::script::dtrace::builtins::Row;
use crate::script::dtrace::conversion::{Amount, Conversion, Part, Shows};
use crate::script::dtrace::types::{INT64, Type};
use crate::script::ir::{
    AggregationId, AggregationPiece, Block, Format, IntStyle, Number, Piece, PrintAggregations,
    Spec, Stmt, StrStyle, Stream,
};
use crate::script::source::Span;

impl Lower<'_> {
    /// `printa(["format",] @a, …)`; without a format a newline comes first.
    pub(super) fn printa(&mut self, row: &Row, arguments: &[Expr], span: Span) -> Option<Block> {
        let Some((first, rest)) = arguments.split_first() else {
            return self.mismatch(row, 0, "1 or more", span);
        };
        let formatted = !matches!(first.kind, ExprKind::Aggregation(..));
        let named = if formatted { rest } else { arguments };
        if named.is_empty() {
            self.error(
                span,
                "printa( ): an aggregation is missing: `printa(\"…\", @a)`",
            );
            return None;
        }
        let ids: Vec<Option<AggregationId>> = named
            .iter()
            .map(|it| self.aggregation_argument(row, it))
            .collect();
        let ids: Vec<AggregationId> = ids.into_iter().collect::<Option<_>>()?;
        self.same_keys(&ids, span)?;
        let format = if formatted {
            let parts = self.format(row, first)?;
            Some(self.row_format(row, &parts, &ids, first.span)?)
        } else {
            None
        };
        // DTrace's own format, but for stacks, which are no columns.
        let stacks = format.is_none() && self.row_keys(&ids).contains(&Type::Stack);
        let mut block = Block::new();
        if stacks {
            block.push(newline());
        }
        block.push(Stmt::PrintAggregations(Box::new(PrintAggregations {
            format: format.or_else(|| stacks.then(|| self.plain_row(&ids))),
            aggregations: ids,
            unless_printed: false,
        })));
        Some(block)
    }

    /// The types of the keys of aggregations that are printed together.
    fn row_keys(&self, ids: &[AggregationId]) -> Vec<Type> {
        let first = ids.first().and_then(|it| self.summarised_by(*it));
        first.map_or_else(Vec::new, |it| it.keys.clone())
    }

    fn same_keys(&mut self, ids: &[AggregationId], span: Span) -> Option<()> {
        let keys = self.row_keys(ids);
        let same = ids.iter().all(|it| {
            self.summarised_by(*it).is_some_and(|it| {
                it.keys.len() == keys.len()
                    && it
                        .keys
                        .iter()
                        .zip(&keys)
                        .all(|(a, b)| a.is_str() == b.is_str())
            })
        });
        if !same {
            self.error(
                span,
                "printa( ): these aggregations have keys of different number or type",
            );
        }
        same.then_some(())
    }

    fn has_histogram(&self, id: AggregationId) -> bool {
        self.summarised_by(id).is_some_and(|it| it.has_histogram())
    }

    /// A row as DTrace prints it without a format: columns by type, then the values.
    pub(super) fn plain_row(&self, ids: &[AggregationId]) -> Vec<AggregationPiece> {
        let literal = |text: &[u8]| AggregationPiece::Literal(text.to_vec());
        let mut pieces = Vec::new();
        for (key, ty) in self.row_keys(ids).iter().enumerate() {
            let style = StrStyle::Plain;
            let (before, spec): (&[u8], Spec) = match ty {
                Type::Stack => (b"", Spec::default()),
                Type::Str => (b"  ", padded_left(50)),
                ty => (b" ", wide(column(ty.as_int()))),
            };
            if !before.is_empty() {
                pieces.push(literal(before));
            }
            pieces.push(if ty.is_str() {
                AggregationPiece::StrKey { spec, style, key }
            } else {
                let style = IntStyle::Signed;
                AggregationPiece::IntKey { spec, style, key }
            });
        }
        for (which, id) in ids.iter().enumerate() {
            let histogram = self.has_histogram(*id);
            if !histogram {
                pieces.push(literal(b" "));
            }
            pieces.push(AggregationPiece::Value {
                spec: wide(if histogram { 0 } else { 16 }),
                style: IntStyle::Signed,
                which,
            });
        }
        pieces.push(literal(b"\n"));
        pieces
    }

    /// A row by a format: `%@` takes the aggregations in order, the last one again where there are no more; others take
    /// the keys in order.
    fn row_format(
        &mut self,
        row: &Row,
        parts: &[Part],
        ids: &[AggregationId],
        span: Span,
    ) -> Option<Vec<AggregationPiece>> {
        let keys = self.row_keys(ids);
        let (mut key, mut which) = (0_usize, 0_usize);
        let mut pieces = Vec::new();
        for part in parts {
            let conversion = match part {
                Part::Literal(bytes) => {
                    pieces.push(AggregationPiece::Literal(bytes.clone()));
                    continue;
                }
                Part::Conversion(conversion) => conversion,
            };
            let shows = match conversion.shows() {
                Ok(shows) => shows,
                Err(message) => {
                    self.error(span, format!("{}( ): {message}", row.name));
                    return None;
                }
            };
            let spec = self.fixed_spec(row, conversion, span)?;
            if conversion.aggregation {
                let style = style(shows, INT64).unwrap_or(IntStyle::Signed);
                let last = ids.len().saturating_sub(1);
                pieces.push(AggregationPiece::Value {
                    spec,
                    style,
                    which: which.min(last),
                });
                which = which.saturating_add(1);
                continue;
            }
            let Some(ty) = keys.get(key) else {
                let message = format!(
                    "{}( ) prototype mismatch: conversion {} is missing a key, there are {}",
                    row.name,
                    conversion.text,
                    keys.len()
                );
                self.hint(
                    span,
                    message,
                    "`%@` before the letter, as in `%@d`, shows the value",
                );
                return None;
            };
            pieces.push(self.key_piece(row, conversion, shows, spec, key, ty, span)?);
            key = key.saturating_add(1);
        }
        Some(pieces)
    }

    fn fixed_spec(&mut self, row: &Row, conversion: &Conversion, span: Span) -> Option<Spec> {
        let fixed = |amount: Option<Amount>| match amount {
            None => Some(None),
            Some(Amount::Fixed(number)) => Some(Some(Number::Fixed(number))),
            Some(Amount::Argument) => None,
        };
        let amounts = (fixed(conversion.width), fixed(conversion.precision));
        let (Some(width), Some(precision)) = amounts else {
            let message = format!(
                "{}( ): {}: `*` has no argument here",
                row.name, conversion.text
            );
            self.error(span, message);
            return None;
        };
        Some(spec(conversion, width, precision))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each is another fact of the conversion"
    )]
    fn key_piece(
        &mut self,
        row: &Row,
        conversion: &Conversion,
        shows: Shows,
        spec: Spec,
        key: usize,
        ty: &Type,
        span: Span,
    ) -> Option<AggregationPiece> {
        match (shows, ty.is_str()) {
            (Shows::Str(style), true) => Some(AggregationPiece::StrKey { spec, style, key }),
            (Shows::Symbol | Shows::Stack, true) => Some(AggregationPiece::StrKey {
                spec,
                style: StrStyle::Plain,
                key,
            }),
            (Shows::Symbol, false) => Some(AggregationPiece::IntKey {
                spec,
                style: IntStyle::Symbol,
                key,
            }),
            (Shows::Decimal | Shows::Int(_), false) => Some(AggregationPiece::IntKey {
                spec,
                style: style(shows, ty.as_int())?,
                key,
            }),
            _ => {
                let message = format!(
                    "{}( ) key #{} is incompatible with conversion {}: it is {}",
                    row.name,
                    key.saturating_add(1),
                    conversion.text,
                    ty.text()
                );
                self.error(span, message);
                None
            }
        }
    }
}

/// Prints a newline.
pub(super) fn newline() -> Stmt {
    let pieces = vec![Piece::Literal(b"\n".to_vec())];
    Stmt::Print(Stream::Out, Format { pieces })
}
