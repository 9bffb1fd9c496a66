//! printf and its relatives.

use super::super::code::{IntCode, StrCode};
use super::super::machine::{Run, Stop};
use super::super::text::Str;
use super::Compiler;
use crate::script::format::{Layout, MAX_WIDTH, write_decimal, write_int, write_str};
use crate::script::ir::{Format, IntStyle, Number, Piece, Spec, StrStyle};

/// The most bytes of a short literal.
const SHORT: usize = 8;

/// Code for a format.
pub struct FormatCode {
    pieces: Box<[PieceCode]>,
}

enum PieceCode {
    Literal(Box<[u8]>),
    /// A literal of few bytes, and how many: copying a fixed number and cutting is no call.
    Short([u8; SHORT], usize),
    /// `%d` without anything.
    Decimal(IntCode),
    /// `%s` without anything.
    Plain(StrCode),
    Int(LayoutCode, IntStyle, IntCode),
    Str(LayoutCode, StrStyle, StrCode),
}

/// A layout, and what in it is an argument.
struct LayoutCode {
    fixed: Layout,
    width: Option<IntCode>,
    precision: Option<IntCode>,
}

impl LayoutCode {
    fn resolve(&self, run: &mut Run<'_>) -> Result<Layout, Stop> {
        let mut layout = self.fixed;
        if let Some(width) = &self.width {
            let width = width(run)?;
            layout.left |= width < 0;
            layout.width = Some(capped(width.unsigned_abs()));
        }
        if let Some(precision) = &self.precision {
            layout.precision = u64::try_from(precision(run)?).ok().map(capped);
        }
        Ok(layout)
    }

    /// Whether it asks for nothing.
    fn is_plain(&self) -> bool {
        self.fixed == Layout::default() && self.width.is_none() && self.precision.is_none()
    }
}

fn capped(number: u64) -> usize {
    usize::try_from(number).map_or(MAX_WIDTH, |it| it.min(MAX_WIDTH))
}

impl FormatCode {
    /// Writes it. Values are evaluated in their order.
    ///
    /// # Errors
    /// Those of evaluating them; part of it may be written then.
    pub fn write(&self, run: &mut Run<'_>, out: &mut Vec<u8>) -> Result<(), Stop> {
        for piece in &self.pieces {
            match piece {
                PieceCode::Literal(bytes) => out.extend_from_slice(bytes),
                PieceCode::Short(bytes, len) => {
                    let end = out.len().saturating_add(*len);
                    out.extend_from_slice(bytes);
                    out.truncate(end);
                }
                PieceCode::Decimal(value) => write_decimal(out, value(run)?),
                PieceCode::Plain(value) => {
                    let value = value(run)?;
                    out.extend_from_slice(run.bytes(value));
                }
                PieceCode::Int(layout, style, value) => {
                    let layout = layout.resolve(run)?;
                    write_int(out, value(run)?, *style, &layout);
                }
                PieceCode::Str(layout, style, value) => {
                    let layout = layout.resolve(run)?;
                    let value = value(run)?;
                    write_str(out, run.bytes(value), *style, &layout);
                }
            }
        }
        Ok(())
    }
}

impl Compiler<'_> {
    pub(super) fn format(&mut self, format: &Format) -> FormatCode {
        let mut pieces: Vec<PieceCode> = Vec::new();
        for piece in &format.pieces {
            match piece {
                Piece::Literal(bytes) => match pieces.last_mut() {
                    Some(PieceCode::Literal(before)) => {
                        *before = [before.as_ref(), bytes].concat().into_boxed_slice();
                    }
                    _ => pieces.push(PieceCode::Literal(bytes.clone().into_boxed_slice())),
                },
                Piece::Int { spec, style, value } => {
                    let (layout, value) = (self.layout(spec), self.int(value));
                    pieces.push(match style {
                        IntStyle::Signed if layout.is_plain() => PieceCode::Decimal(value),
                        _ => PieceCode::Int(layout, *style, value),
                    });
                }
                Piece::Str { spec, style, value } => {
                    let (layout, value) = (self.layout(spec), self.str(value));
                    pieces.push(match style {
                        StrStyle::Plain if layout.is_plain() => PieceCode::Plain(value),
                        _ => PieceCode::Str(layout, *style, value),
                    });
                }
            }
        }
        pieces.iter_mut().for_each(shorten);
        FormatCode {
            pieces: pieces.into_boxed_slice(),
        }
    }

    fn layout(&mut self, spec: &Spec) -> LayoutCode {
        let mut argument = |number: &Option<Number>| match number {
            Some(Number::Argument(value)) => Some(self.int(value)),
            _ => None,
        };
        LayoutCode {
            fixed: Layout::fixed(spec),
            width: argument(&spec.width),
            precision: argument(&spec.precision),
        }
    }

    pub(super) fn sprintf(&mut self, format: &Format) -> StrCode {
        let format = self.format(format);
        Box::new(move |run| {
            let mut text = run.m.spare.pop().unwrap_or_default();
            let result = format.write(run, &mut text);
            let start = run.m.scratch.len();
            run.m.scratch.extend_from_slice(&text);
            text.clear();
            run.m.spare.push(text);
            result?;
            let text: Str = run.scratch_from(start)?;
            Ok(text)
        })
    }
}

/// Makes a literal that is short a short literal.
fn shorten(piece: &mut PieceCode) {
    let PieceCode::Literal(literal) = piece else {
        return;
    };
    let mut bytes = [0; SHORT];
    let len = literal.len();
    if let Some(short) = bytes.get_mut(..len) {
        short.copy_from_slice(literal);
        *piece = PieceCode::Short(bytes, len);
    }
}
