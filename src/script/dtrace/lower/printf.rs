//! `printf`, `trace`, and the command of `system`.

use super::Lower;
use super::typed::{Typed, converted};
use crate::script::dtrace::ast::{Expr, ExprKind};
use crate::script::dtrace::builtins::Row;
use crate::script::dtrace::conversion::{self, Amount, Conversion, Part, Shows};
use crate::script::dtrace::types::{IntType, Type};
use crate::script::ir::{self, Format, IntExpr, IntStyle, Number, Piece, Spec, StrStyle};
use crate::script::source::Span;

/// The arguments that are still to be shown, and how many there were.
struct Rest<'e> {
    arguments: std::slice::Iter<'e, Expr>,
    taken: usize,
}

impl<'e> Rest<'e> {
    fn next(&mut self) -> Option<&'e Expr> {
        self.taken = self.taken.saturating_add(1);
        self.arguments.next()
    }
}

impl Lower<'_> {
    /// The format and the arguments of `printf` and `system`.
    pub(super) fn printf(&mut self, row: &Row, arguments: &[Expr], span: Span) -> Option<Format> {
        let Some((format, arguments)) = arguments.split_first() else {
            return self.mismatch(row, 0, "1 or more", span);
        };
        let parts = self.format(row, format)?;
        let mut rest = Rest {
            arguments: arguments.iter(),
            taken: 1,
        };
        let mut pieces = Vec::new();
        let mut wrong = false;
        for part in parts {
            match part {
                Part::Literal(bytes) => pieces.push(Piece::Literal(bytes)),
                Part::Conversion(it) if it.aggregation => {
                    let message = format!("{}: `@` shows aggregations in printa( ) only", it.text);
                    self.error(format.span, message);
                    wrong = true;
                }
                Part::Conversion(it) => match self.piece(row, &it, &mut rest, span) {
                    Some(piece) => pieces.push(piece),
                    None => wrong = true,
                },
            }
        }
        if let (false, Some(extra)) = (wrong, rest.next()) {
            let needed = arguments
                .len()
                .saturating_sub(rest.arguments.len())
                .saturating_sub(1);
            let message = format!(
                "{}( ) prototype mismatch: only {needed} arguments required by this format string",
                row.name
            );
            self.error(extra.span, message);
            return None;
        }
        (!wrong).then_some(Format { pieces })
    }

    /// The parts of a format, which must be a string constant.
    pub(super) fn format(&mut self, row: &Row, format: &Expr) -> Option<Vec<Part>> {
        let ExprKind::Str(bytes) = &format.kind else {
            let message = format!(
                "{}( ) argument #1 is incompatible with prototype: the format must be a string constant",
                row.name
            );
            self.hint(
                format.span,
                message,
                "`printf(\"%s\", …)` prints any string",
            );
            return None;
        };
        match conversion::parse(bytes) {
            Ok(parts) => Some(parts),
            Err(message) => {
                self.error(format.span, format!("{}( ): {message}", row.name));
                None
            }
        }
    }

    fn piece(
        &mut self,
        row: &Row,
        conversion: &Conversion,
        rest: &mut Rest<'_>,
        span: Span,
    ) -> Option<Piece> {
        let shows = match conversion.shows() {
            Ok(shows) => shows,
            Err(message) => {
                self.error(span, format!("{}( ): {message}", row.name));
                return None;
            }
        };
        let width = self.amount(row, conversion, conversion.width, rest, span)?;
        let precision = self.amount(row, conversion, conversion.precision, rest, span)?;
        let spec = spec(conversion, width, precision);
        let Some(argument) = rest.next() else {
            return self.missing(row, conversion, span);
        };
        let number = rest.taken;
        let typed = self.expr(argument)?;
        self.shown(row, conversion, shows, spec, typed, number)
    }

    /// A `*` takes an argument.
    fn amount(
        &mut self,
        row: &Row,
        conversion: &Conversion,
        amount: Option<Amount>,
        rest: &mut Rest<'_>,
        span: Span,
    ) -> Option<Option<Number>> {
        Some(match amount {
            None => None,
            Some(Amount::Fixed(number)) => Some(Number::Fixed(number)),
            Some(Amount::Argument) => match rest.next() {
                Some(argument) => Some(Number::Argument(Box::new(self.int(argument)?.0))),
                None => return self.missing(row, conversion, span),
            },
        })
    }

    fn missing<T>(&mut self, row: &Row, conversion: &Conversion, span: Span) -> Option<T> {
        let message = format!(
            "{}( ) prototype mismatch: conversion {} is missing a corresponding value argument",
            row.name, conversion.text
        );
        self.error(span, message);
        None
    }

    /// The piece that shows a value.
    fn shown(
        &mut self,
        row: &Row,
        conversion: &Conversion,
        shows: Shows,
        spec: Spec,
        typed: Typed,
        number: usize,
    ) -> Option<Piece> {
        let string = typed.ty.is_str() || matches!(typed.ty, Type::Copied(_));
        let ty = typed.ty.as_int();
        match shows {
            Shows::Str(style) if string || typed.guessed => {
                let value = self.as_text(typed)?;
                Some(Piece::Str { spec, style, value })
            }
            Shows::Symbol | Shows::Stack if typed.ty.is_str() => {
                let (style, value) = (StrStyle::Plain, self.as_text(typed)?);
                Some(Piece::Str { spec, style, value })
            }
            Shows::Symbol => {
                let (style, value) = (IntStyle::Symbol, self.as_int(typed)?);
                Some(Piece::Int { spec, style, value })
            }
            Shows::Decimal | Shows::Int(_) if !typed.ty.is_str() => {
                let style = style(shows, ty)?;
                let value = shown_int(self.as_int(typed)?, ty, style);
                Some(Piece::Int { spec, style, value })
            }
            _ => {
                self.incompatible(row, conversion, shows, &typed, number);
                None
            }
        }
    }

    fn incompatible(
        &mut self,
        row: &Row,
        conversion: &Conversion,
        shows: Shows,
        typed: &Typed,
        number: usize,
    ) {
        let (wanted, hint) = match shows {
            Shows::Str(_) => (
                "a string",
                "`%d` shows an integer, copyinstr() reads a string of the process",
            ),
            Shows::Stack => ("a call stack", "ustack() and jstack() are such"),
            _ => ("an integer", "`%s` shows a string"),
        };
        let message = format!(
            "{}( ) argument #{number} is incompatible with conversion {}: expected {wanted}, found {}",
            row.name,
            conversion.text,
            typed.ty.text()
        );
        self.hint(typed.span, message, hint);
    }

    /// What `trace` prints: a value by its type, raw when quiet.
    pub(super) fn traced(&mut self, typed: Typed) -> Format {
        let quiet = self.options.quiet;
        let ty = typed.ty.clone();
        let mut pieces = Vec::new();
        let narrow = ty.as_int().bits < 32;
        match typed.recorded() {
            ir::Expr::Str(value) => {
                let padded = !quiet && ty != Type::Stack;
                if padded {
                    pieces.push(Piece::Literal(b"  ".to_vec()));
                }
                let spec = if padded {
                    padded_left(33)
                } else {
                    Spec::default()
                };
                let style = StrStyle::Plain;
                pieces.push(Piece::Str { spec, style, value });
            }
            ir::Expr::Int(value) => {
                if !quiet {
                    pieces.push(Piece::Literal(b" ".to_vec()));
                }
                let width = if quiet { 0 } else { column(ty.as_int()) };
                let (spec, style) = (wide(width), IntStyle::Signed);
                // DTrace shows the narrowest types without a sign.
                let signed = ty.as_int().signed && !narrow;
                let value = match value {
                    value if narrow => converted(
                        value,
                        IntType {
                            signed,
                            ..ty.as_int()
                        },
                    ),
                    value => value,
                };
                pieces.push(Piece::Int { spec, style, value });
            }
        }
        Format { pieces }
    }
}

/// How wide `trace` shows an integer.
pub(super) fn column(ty: IntType) -> u32 {
    match ty.bits {
        8 => 3,
        16 => 5,
        32 => 8,
        _ => 16,
    }
}

pub(super) fn wide(width: u32) -> Spec {
    Spec {
        width: Some(Number::Fixed(width)).filter(|_| width > 0),
        ..Spec::default()
    }
}

pub(super) fn padded_left(width: u32) -> Spec {
    Spec {
        left: true,
        ..wide(width)
    }
}

pub(super) fn spec(
    conversion: &Conversion,
    width: Option<Number>,
    precision: Option<Number>,
) -> Spec {
    Spec {
        left: conversion.left,
        plus: conversion.plus,
        space: conversion.space,
        alternate: conversion.alternate,
        zero: conversion.zero,
        grouped: conversion.grouped,
        width,
        precision,
    }
}

/// The style of an integer conversion: `%d` of an unsigned type is unsigned.
pub(super) fn style(shows: Shows, ty: IntType) -> Option<IntStyle> {
    match shows {
        Shows::Decimal if ty.signed => Some(IntStyle::Signed),
        Shows::Decimal => Some(IntStyle::Unsigned),
        Shows::Int(style) => Some(style),
        _ => None,
    }
}

/// An integer as wide as its type, and unsigned where it is shown so.
fn shown_int(value: IntExpr, ty: IntType, style: IntStyle) -> IntExpr {
    let unsigned = matches!(
        style,
        IntStyle::Unsigned | IntStyle::Octal | IntStyle::Hex | IntStyle::HexUpper
    );
    let signed = ty.signed && !unsigned;
    match value {
        // These are never out of their types' ranges.
        IntExpr::Context(_) if signed == ty.signed => value,
        value => converted(value, IntType { signed, ..ty }),
    }
}
