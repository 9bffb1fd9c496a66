//! Builtins, each as its row says.

use super::super::builtins::{Does, Row, Special};
use super::super::points::Site;
use super::Lowering;
use super::format::plain;
use crate::script::builtins::{USER_STRING, USER_STRING_N};
use crate::script::ir::{
    BinaryOp, Block, Expr, Format, IntExpr, Stmt, StrContext, StrExpr, Stream, UnaryOp,
};
use crate::script::source::Span;

/// Arguments in turn, of the types that the signature says.
struct Arguments(std::vec::IntoIter<Expr>);

impl Arguments {
    fn int(&mut self) -> Option<IntExpr> {
        match self.0.next() {
            Some(Expr::Int(value)) => Some(value),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<StrExpr> {
        match self.0.next() {
            Some(Expr::Str(value)) => Some(value),
            _ => None,
        }
    }
}

impl Lowering<'_, '_, '_> {
    /// A builtin that gives something.
    pub(super) fn builtin(&mut self, row: &Row, arguments: Vec<Expr>, span: Span) -> Expr {
        match row.does {
            Does::Int(function) => Expr::Int(IntExpr::Call(function, arguments, span)),
            Does::Str(function) => Expr::Str(StrExpr::Call(function, arguments, span)),
            Does::IntContext(context, unit) => {
                Expr::Int(divided(IntExpr::Context(context), unit, span))
            }
            Does::StrContext(context) => Expr::Str(StrExpr::Context(context)),
            Does::Constant(number) => Expr::Int(IntExpr::Constant(number)),
            Does::Special(special) => self.special(special, arguments, span),
            Does::Act(_) | Does::Nothing => Expr::Int(IntExpr::Constant(0)),
        }
    }

    fn special(&mut self, special: Special, arguments: Vec<Expr>, span: Span) -> Expr {
        let mut arguments = Arguments(arguments.into_iter());
        match special {
            Special::UserString { limited } => {
                Expr::Str(self.user_string(&mut arguments, limited, span))
            }
            Special::Same => Expr::Str(arguments.text().unwrap_or(StrExpr::Constant(Vec::new()))),
            Special::MatchedAll => Expr::Str(StrExpr::Matched(0)),
            Special::Matched => Expr::Str(match arguments.int() {
                Some(IntExpr::Constant(group)) => match u8::try_from(group) {
                    Ok(group) => StrExpr::Matched(group),
                    Err(_) => StrExpr::Constant(Vec::new()),
                },
                Some(other) => matched(other),
                None => StrExpr::Constant(Vec::new()),
            }),
            Special::IsReturn => {
                let returns = matches!(
                    self.site,
                    Some(Site::Function { returns: true } | Site::Syscall { returns: true })
                );
                Expr::Int(IntExpr::Constant(i64::from(returns)))
            }
            Special::Argument(bits, signed) => Expr::Int(match arguments.int() {
                Some(IntExpr::Constant(number)) => {
                    let index = number.checked_sub(1).and_then(|it| u8::try_from(it).ok());
                    let value = index.map_or(IntExpr::Constant(0), IntExpr::Argument);
                    narrowed(value, bits, signed)
                }
                _ => IntExpr::Constant(0),
            }),
            Special::ReturnValue => Expr::Int(IntExpr::Argument(1)),
            Special::ModuleName => Expr::Str(StrExpr::Constant(b"ptpytrace".to_vec())),
            Special::Exit
            | Special::Abort
            | Special::Error
            | Special::Assert
            | Special::Print
            | Special::PrintStack => Expr::Int(IntExpr::Constant(0)),
        }
    }

    /// The string at an address. That of an argument is captured with the event; others are read while the thread is
    /// held.
    fn user_string(&mut self, arguments: &mut Arguments, limited: bool, span: Span) -> StrExpr {
        let address = arguments.int().unwrap_or(IntExpr::Constant(0));
        let limit = if limited { arguments.int() } else { None };
        let otherwise = arguments.text();
        let most = self.options.max_string;
        let fixed = match &limit {
            None => Some(most),
            Some(IntExpr::Constant(limit)) => Some(usize::try_from(*limit).unwrap_or(0).min(most)),
            Some(_) => None,
        };
        if let (IntExpr::Argument(index), Some(limit)) = (&address, fixed) {
            return StrExpr::Argument {
                index: *index,
                limit,
                otherwise: otherwise.map(Box::new),
                span,
            };
        }
        let mut given = vec![Expr::Int(address)];
        given.extend(limit.map(Expr::Int));
        given.extend(otherwise.map(Expr::Str));
        let function = if limited {
            &USER_STRING_N
        } else {
            &USER_STRING
        };
        StrExpr::Call(function, given, span)
    }

    /// A builtin that does something and gives nothing.
    pub(super) fn act(
        &mut self,
        special: Special,
        arguments: Vec<Expr>,
        span: Span,
        into: &mut Block,
    ) {
        let mut arguments = Arguments(arguments.into_iter());
        let nothing = || StrExpr::Constant(Vec::new());
        match special {
            Special::Exit => into.push(Stmt::Exit(IntExpr::Constant(0))),
            Special::Abort => {
                into.push(Stmt::Exit(IntExpr::Constant(0)));
                into.push(Stmt::Next);
            }
            Special::Error => into.push(Stmt::Fail(arguments.text().unwrap_or_else(nothing), span)),
            Special::Assert => {
                let condition = arguments.int().unwrap_or(IntExpr::Constant(0));
                let said = || StrExpr::Constant(b"assertion failed".to_vec());
                let message = arguments.text().unwrap_or_else(said);
                into.push(Stmt::If {
                    condition: IntExpr::Unary(UnaryOp::Not, Box::new(condition)),
                    then: vec![Stmt::Fail(message, span)],
                    otherwise: Block::new(),
                });
            }
            Special::Print => {
                let text = arguments.text().unwrap_or_else(nothing);
                into.push(Stmt::Print(
                    Stream::Out,
                    Format {
                        pieces: vec![plain(Expr::Str(text))],
                    },
                ));
            }
            Special::PrintStack => {
                let stack = Expr::Str(StrExpr::Context(StrContext::NativeStack(0)));
                into.push(Stmt::Print(
                    Stream::Out,
                    Format {
                        pieces: vec![plain(stack)],
                    },
                ));
            }
            _ => {}
        }
    }
}

/// The group of a number that is known only when it runs: one of the first ten.
fn matched(number: IntExpr) -> StrExpr {
    let mut text = StrExpr::Constant(Vec::new());
    for group in 0..10_u8 {
        let is = IntExpr::Compare(
            crate::script::ir::Comparison::Equal,
            Box::new(number.clone()),
            Box::new(IntExpr::Constant(i64::from(group))),
        );
        text = StrExpr::Choose(
            Box::new(is),
            Box::new(StrExpr::Matched(group)),
            Box::new(text),
        );
    }
    text
}

fn divided(value: IntExpr, unit: i64, span: Span) -> IntExpr {
    if unit == 1 {
        return value;
    }
    let unit = Box::new(IntExpr::Constant(unit));
    IntExpr::Binary(BinaryOp::Divide, Box::new(value), unit, span)
}

fn narrowed(value: IntExpr, bits: u8, signed: bool) -> IntExpr {
    if bits >= 64 {
        return value;
    }
    IntExpr::Convert {
        bits,
        signed,
        value: Box::new(value),
    }
}
