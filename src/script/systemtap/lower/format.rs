//! `print`, `printf` and their relatives.

use super::super::ast::{self, ExprKind, Histogram as HistogramKind, Print};
use super::super::conversion::{Conversion, Part, Size, parts};
use super::Lowering;
use crate::script::diagnostic::Diagnostic;
use crate::script::ir::{
    Block, Buckets, Expr, Format, Histogram, IntExpr, IntStyle, Number, Piece, Spec, Stmt,
    StrStyle, Stream,
};
use crate::script::source::Span;

impl Lowering<'_, '_, '_> {
    /// A call that prints.
    pub(super) fn print(&mut self, print: &Print, span: Span, into: &mut Block) {
        let histogram = print
            .arguments
            .iter()
            .any(|it| matches!(it.kind, ExprKind::Histogram(..)));
        if !histogram {
            let format = self.format(print, span);
            into.push(Stmt::Print(Stream::Out, format));
            return;
        }
        for argument in &print.arguments {
            match &argument.kind {
                ExprKind::Histogram(kind, of) => self.histogram(*kind, of, into),
                _ => {
                    let value = self.expr(argument);
                    into.push(Stmt::Print(
                        Stream::Out,
                        Format {
                            pieces: vec![plain(value)],
                        },
                    ));
                }
            }
        }
        if print.newline {
            into.push(Stmt::Print(
                Stream::Out,
                Format {
                    pieces: vec![Piece::Literal(b"\n".to_vec())],
                },
            ));
        }
    }

    fn histogram(&mut self, kind: HistogramKind, of: &ast::Expr, into: &mut Block) {
        let buckets = match kind {
            HistogramKind::Log => Buckets::Log,
            HistogramKind::Linear(low, high, step) => Buckets::Linear { low, high, step },
        };
        if let Some((id, keys)) = self.entry(of) {
            into.push(Stmt::PrintHistogram(Box::new(Histogram {
                of: id,
                keys,
                buckets,
                span: of.span,
            })));
        }
    }

    /// What a call prints, or gives as a string.
    pub(super) fn format(&mut self, print: &Print, span: Span) -> Format {
        let mut pieces = match &print.format {
            Some((format, at)) => self.formatted(print, format, *at),
            None => self.plain(print),
        };
        if print.newline {
            pieces.push(Piece::Literal(b"\n".to_vec()));
        }
        let _ = span;
        Format { pieces }
    }

    fn plain(&mut self, print: &Print) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (at, argument) in print.arguments.iter().enumerate() {
            if let (Some(delimiter), true) = (&print.delimiter, at > 0) {
                pieces.push(Piece::Literal(delimiter.clone()));
            }
            pieces.push(plain(self.expr(argument)));
        }
        pieces
    }

    fn formatted(&mut self, print: &Print, format: &[u8], at: Span) -> Vec<Piece> {
        let mut format = format.to_vec();
        // The documentation of CPython ends its formats so, and yet shows newlines.
        if !print.to_string && format.ends_with(b"\\n") {
            format.truncate(format.len() - 2);
            format.push(b'\n');
            if !std::mem::replace(&mut self.told, true) {
                let message = "the format ends in a backslash and an n; a newline is printed";
                let warning = Diagnostic::warning(at, message);
                self.diagnostics
                    .push(warning.hint("for a newline write one backslash: \\n"));
            }
        }
        let mut arguments = print.arguments.iter();
        let mut pieces = Vec::new();
        for part in parts(&format).unwrap_or_default() {
            match part {
                Part::Literal(bytes) => pieces.push(Piece::Literal(bytes)),
                Part::Conversion(conversion) => {
                    pieces.extend(self.conversion(&conversion, &mut arguments));
                }
            }
        }
        pieces
    }

    fn conversion<'e>(
        &mut self,
        conversion: &Conversion,
        arguments: &mut impl Iterator<Item = &'e ast::Expr>,
    ) -> Option<Piece> {
        let mut size = |size: Option<Size>| match size? {
            Size::Fixed(number) => Some(Number::Fixed(number)),
            Size::Argument => {
                let value = arguments
                    .next()
                    .map_or(IntExpr::Constant(0), |it| self.int(it));
                Some(Number::Argument(Box::new(value)))
            }
        };
        let mut spec = Spec {
            left: conversion.left,
            plus: conversion.plus,
            space: conversion.space,
            alternate: conversion.alternate,
            zero: conversion.zero,
            grouped: false,
            width: size(conversion.width),
            precision: size(conversion.precision),
        };
        let argument = arguments.next()?;
        let style = match conversion.letter {
            b's' => {
                // With `#` what is not printable is escaped.
                let style = if conversion.alternate {
                    StrStyle::Escaped
                } else {
                    StrStyle::Plain
                };
                let value = self.text(argument);
                return Some(Piece::Str { spec, style, value });
            }
            b'u' => IntStyle::Unsigned,
            b'o' => IntStyle::Octal,
            b'x' => IntStyle::Hex,
            b'X' => IntStyle::HexUpper,
            b'p' => IntStyle::Pointer,
            b'c' => IntStyle::Char,
            b'b' => {
                // The width is how many bytes.
                let bytes = match (conversion.width, conversion.precision) {
                    (Some(Size::Fixed(bytes @ (1 | 2 | 4 | 8))), _)
                    | (None, Some(Size::Fixed(bytes @ (1 | 2 | 4 | 8)))) => {
                        u8::try_from(bytes).unwrap_or(8)
                    }
                    _ => 8,
                };
                spec = Spec::default();
                IntStyle::Binary(bytes)
            }
            _ => IntStyle::Signed,
        };
        let value = self.int(argument);
        Some(Piece::Int { spec, style, value })
    }
}

/// A value as `print` shows it.
pub(super) fn plain(value: Expr) -> Piece {
    match value {
        Expr::Int(value) => Piece::Int {
            spec: Spec::default(),
            style: IntStyle::Signed,
            value,
        },
        Expr::Str(value) => Piece::Str {
            spec: Spec::default(),
            style: StrStyle::Plain,
            value,
        },
    }
}
