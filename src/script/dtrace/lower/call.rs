//! Functions in expressions.

use super::Lower;
use super::names::MAX_GUESSES;
use super::typed::{Typed, folded};
use crate::script::builtins::LLTOSTR;
use crate::script::dtrace::ast::Expr;
use crate::script::dtrace::builtins::{self, Kind, Meaning, Parameter, Row, Special, Status};
use crate::script::dtrace::types::{INT, Type};
use crate::script::ir::{
    self, BinaryOp, Format, IntExpr, IntStyle, Piece, Spec, StrContext, StrExpr, Yields,
};
use crate::script::source::Span;

impl Lower<'_> {
    pub(super) fn call(&mut self, name: &str, arguments: &[Expr], span: Span) -> Option<Typed> {
        let kinds = [Kind::Function, Kind::Action, Kind::Aggregating];
        let Some(row) = builtins::find(&kinds, name) else {
            let message = format!("undefined function name: {name}");
            self.guesses = self.guesses.saturating_add(1);
            let similar = match self.guesses {
                ..=MAX_GUESSES => builtins::similar(&kinds, name, std::iter::empty()),
                _ => None,
            };
            match similar {
                Some(similar) => self.hint(span, message, format!("did you mean `{similar}`?")),
                None => self.error(span, message),
            }
            return None;
        };
        if let Status::Refused(reason) = row.status {
            self.error(span, format!("{name}( ) is not supported: {reason}"));
            return None;
        }
        match row.kind {
            Kind::Function => self.function(row, arguments, span),
            Kind::Action => {
                let message = format!(
                    "{name}( ) may not be called from a D expression (D program context required)"
                );
                self.hint(
                    span,
                    message,
                    "it stands as a statement of its own; `if` chooses between such",
                );
                None
            }
            _ => {
                let message = format!(
                    "{name}( ) may not be called from a D expression (aggregation context required)"
                );
                self.hint(
                    span,
                    message,
                    format!("it is assigned to an aggregation: `@a = {name}(…);`"),
                );
                None
            }
        }
    }

    fn function(&mut self, row: Row, arguments: &[Expr], span: Span) -> Option<Typed> {
        match row.meaning {
            Meaning::IntCall(run, parameters, required, ty) => {
                let arguments = self.arguments(&row, arguments, parameters, required, span)?;
                Some(Typed::int(IntExpr::Call(run, arguments, span), ty, span))
            }
            Meaning::StrCall(run, parameters, required) => {
                let arguments = self.arguments(&row, arguments, parameters, required, span)?;
                Some(Typed::text(StrExpr::Call(run, arguments, span), span))
            }
            Meaning::Special(special) => self.special(&row, special, arguments, span),
            _ => None,
        }
    }

    fn special(
        &mut self,
        row: &Row,
        special: Special,
        arguments: &[Expr],
        span: Span,
    ) -> Option<Typed> {
        match special {
            Special::Copyin => {
                let [address, size] = self.exactly(row, arguments, span)?;
                self.copyin(address, size, span)
            }
            Special::Copyinstr => {
                let (address, size) = match arguments {
                    [address] => (address, None),
                    [address, size] => (address, Some(size)),
                    _ => return self.mismatch(row, arguments.len(), "1 or 2", span),
                };
                let text = self.copied_string(address, size, span)?;
                Some(Typed::text(text, span))
            }
            Special::Strjoin => {
                let [first, second] = self.exactly(row, arguments, span)?;
                let (first, second) = (self.string_of(first), self.string_of(second));
                let text = StrExpr::Concat(Box::new(first?), Box::new(second?));
                Some(Typed::text(text, span))
            }
            Special::Lltostr => self.lltostr(row, arguments, span),
            Special::Speculation => {
                self.exactly::<0>(row, arguments, span)?;
                let to = self.hidden("speculation");
                let value = IntExpr::Assign {
                    to,
                    op: Some(BinaryOp::Add),
                    value: Box::new(IntExpr::Constant(1)),
                    yields: Yields::New,
                    span,
                };
                Some(Typed::int(value, INT, span))
            }
            Special::Symbol => {
                let [address] = self.exactly(row, arguments, span)?;
                let value = self.int(address)?.0;
                Some(Typed::text(symbol(value), span))
            }
            Special::JStack | Special::UStack => self.stack(row, special, arguments, span),
            _ => None,
        }
    }

    fn lltostr(&mut self, row: &Row, arguments: &[Expr], span: Span) -> Option<Typed> {
        let (value, base) = match arguments {
            [value] => (value, None),
            [value, base] => (value, Some(base)),
            _ => return self.mismatch(row, arguments.len(), "1 or 2", span),
        };
        let value = self.int(value)?.0;
        let base = match base {
            Some(base) => self.int(base)?.0,
            None => IntExpr::Constant(10),
        };
        let arguments = vec![ir::Expr::Int(value), ir::Expr::Int(base)];
        let text = StrExpr::Call(&LLTOSTR, arguments, span);
        Some(Typed::text(text, span))
    }

    /// `ustack(frames)`, `jstack(frames)`; both may have a size for names, which means nothing.
    fn stack(
        &mut self,
        row: &Row,
        special: Special,
        arguments: &[Expr],
        span: Span,
    ) -> Option<Typed> {
        if arguments.len() > 2 {
            return self.mismatch(row, arguments.len(), "0 to 2", span);
        }
        let mut frames = match special {
            Special::JStack => self.options.python_frames,
            _ => self.options.native_frames,
        };
        for (index, argument) in arguments.iter().enumerate() {
            let value = self.int(argument)?.0;
            let value = folded(&value).and_then(|it| u16::try_from(it).ok());
            let Some(value) = value else {
                let message = format!(
                    "{}( ) argument #{} must be a non-negative integer constant",
                    row.name,
                    index.saturating_add(1)
                );
                self.error(argument.span, message);
                return None;
            };
            if index == 0 && value > 0 {
                frames = value;
            }
        }
        // Native frames of an interpreter say nothing of the program: both show the Python stack.
        self.python_stack = true;
        let value = ir::Expr::Str(StrExpr::Context(StrContext::PythonStack(frames)));
        Some(Typed::new(value, Type::Stack, span))
    }

    /// The arguments of a builtin, by number and type those of its parameters.
    pub(super) fn arguments(
        &mut self,
        row: &Row,
        arguments: &[Expr],
        parameters: &[Parameter],
        required: usize,
        span: Span,
    ) -> Option<Vec<ir::Expr>> {
        if arguments.len() < required || arguments.len() > parameters.len() {
            let wanted = if required == parameters.len() {
                required.to_string()
            } else {
                format!("{required} to {}", parameters.len())
            };
            return self.mismatch(row, arguments.len(), &wanted, span);
        }
        let mut all = Vec::new();
        for (index, (argument, parameter)) in arguments.iter().zip(parameters).enumerate() {
            let typed = self.expr(argument)?;
            let fits = match parameter {
                Parameter::Int => !typed.ty.is_str(),
                Parameter::Str => {
                    typed.ty.is_str() || typed.is_null() || typed.ty.target().is_some()
                }
            };
            if !fits && !typed.guessed {
                let number = index.saturating_add(1);
                let wanted = match parameter {
                    Parameter::Int => "an integer",
                    Parameter::Str => "a string",
                };
                let message = format!(
                    "{}( ) argument #{number} is incompatible with prototype: expected {wanted}, found {}",
                    row.name,
                    typed.ty.text()
                );
                self.error(argument.span, message);
                return None;
            }
            all.push(match parameter {
                Parameter::Int if typed.guessed => ir::Expr::Int(IntExpr::Constant(0)),
                Parameter::Int => ir::Expr::Int(self.as_int(typed)?),
                // strtok(NULL, …) is another thing than strtok("", …).
                Parameter::Str if typed.is_null() => ir::Expr::Int(IntExpr::Constant(0)),
                Parameter::Str => ir::Expr::Str(self.as_text(typed)?),
            });
        }
        Some(all)
    }

    /// The arguments when there are so many.
    pub(super) fn exactly<'e, const N: usize>(
        &mut self,
        row: &Row,
        arguments: &'e [Expr],
        span: Span,
    ) -> Option<&'e [Expr; N]> {
        match arguments.try_into() {
            Ok(all) => Some(all),
            Err(_) => self.mismatch(row, arguments.len(), &N.to_string(), span),
        }
    }

    pub(super) fn mismatch<T>(
        &mut self,
        row: &Row,
        passed: usize,
        expected: &str,
        span: Span,
    ) -> Option<T> {
        let message = format!(
            "{}( ) prototype mismatch: {passed} args passed, {expected} expected",
            row.name
        );
        self.error(span, message);
        None
    }
}

/// An address as a symbol.
fn symbol(value: IntExpr) -> StrExpr {
    StrExpr::Format(Box::new(Format {
        pieces: vec![Piece::Int {
            spec: Spec::default(),
            style: IntStyle::Symbol,
            value,
        }],
    }))
}
