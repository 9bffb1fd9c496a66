//! The memory of the traced process: `copyin` and what points to it, `copyinstr`, `args[]`.
//!
//! What `copyin` has read is not copied anywhere: its address is kept, and memory is read where it is looked at, while
//! the thread is held. A string argument of the probe is captured with the event instead.

use super::Lower;
use super::typed::{Typed, converted, folded};
use crate::plan::{Point, ProcessPoint};
use crate::probe::glob::Glob;
use crate::probe::known::{ArgType, KNOWN_MARKERS};
use crate::probe::pattern::dashed;
use crate::script::builtins;
use crate::script::dtrace::ast::Expr;
use crate::script::dtrace::types::{INT, INT64, IntType, Type};
use crate::script::ir::{self, BinaryOp, IntExpr, StrExpr, Trigger};
use crate::script::source::Span;

/// The most arguments that `args[]` reaches.
const MAX_ARGUMENT: i64 = 63;

impl Lower<'_> {
    /// The most bytes of a string without its NUL.
    pub(super) fn max_string(&self) -> i64 {
        i64::try_from(self.options.strsize.saturating_sub(1)).unwrap_or(i64::MAX)
    }

    /// `copyinstr(address[, size])`, or `stringof(copyin(address, size))`.
    pub(super) fn copied_string(
        &mut self,
        address: &Expr,
        size: Option<&Expr>,
        span: Span,
    ) -> Option<StrExpr> {
        let (address, ty) = self.int(address)?;
        if ty == Type::Void {
            self.error(span, "the address is void");
            return None;
        }
        let most = self.max_string();
        let limit = match size {
            None => IntExpr::Constant(most),
            Some(size) => match self.int(size)?.0 {
                constant if folded(&constant).is_some() => {
                    let size = folded(&constant).unwrap_or(most);
                    IntExpr::Constant(size.clamp(0, most))
                }
                computed => computed,
            },
        };
        Some(self.string_at(address, limit, span))
    }

    /// The string at an address.
    pub(super) fn string_at(&mut self, address: IntExpr, limit: IntExpr, span: Span) -> StrExpr {
        if let (IntExpr::Argument(index), Some(limit)) = (&address, folded(&limit)) {
            return StrExpr::Argument {
                index: *index,
                limit: usize::try_from(limit).unwrap_or(0),
                otherwise: None,
                span,
            };
        }
        let arguments = vec![ir::Expr::Int(address), ir::Expr::Int(limit)];
        StrExpr::Call(&builtins::COPYINSTR, arguments, span)
    }

    /// `copyin(address, size)`
    pub(super) fn copyin(&mut self, address: &Expr, size: &Expr, span: Span) -> Option<Typed> {
        let (address, _) = self.int(address)?;
        self.int(size)?;
        let ty = Type::Copied(Box::new(Type::Void));
        Some(Typed::new(ir::Expr::Int(address), ty, span))
    }

    /// `*pointer`
    pub(super) fn dereference(&mut self, operand: &Expr, span: Span) -> Option<Typed> {
        let pointer = self.expr(operand)?;
        self.value_at(pointer, span)
    }

    fn value_at(&mut self, pointer: Typed, span: Span) -> Option<Typed> {
        let (address, ty) = match (pointer.value, pointer.ty) {
            (ir::Expr::Int(address), Type::Copied(ty)) => (address, *ty),
            (_, Type::Pointer(_)) => {
                self.hint(
                    span,
                    "an address of the process cannot be looked at directly",
                    "copyin() reads it first: `*(int *)copyin(arg0, 4)`",
                );
                return None;
            }
            (_, ty) => {
                let hint = "copyin() reads memory of the process: `*(int *)copyin(arg0, 4)`";
                self.hint(span, format!("cannot dereference {}", ty.text()), hint);
                return None;
            }
        };
        let row = match &ty {
            Type::Int(it) => match (it.bits, it.signed) {
                (8, true) => &builtins::COPYIN_INT8,
                (8, false) => &builtins::COPYIN_UINT8,
                (16, true) => &builtins::COPYIN_INT16,
                (16, false) => &builtins::COPYIN_UINT16,
                (32, true) => &builtins::COPYIN_INT32,
                (32, false) => &builtins::COPYIN_UINT32,
                _ => &builtins::COPYIN_INT64,
            },
            Type::Pointer(_) | Type::Copied(_) => &builtins::COPYIN_INT64,
            Type::Void | Type::Str | Type::Stack => {
                self.hint(
                    span,
                    format!("cannot dereference a pointer to {}", ty.text()),
                    "cast it first: `*(int *)copyin(arg0, 4)`",
                );
                return None;
            }
        };
        let value = IntExpr::Call(row, vec![ir::Expr::Int(address)], span);
        Some(Typed::new(ir::Expr::Int(value), ty, span))
    }

    /// `pointer[index]`
    pub(super) fn indexed_pointer(
        &mut self,
        base: &Expr,
        keys: &[Expr],
        span: Span,
    ) -> Option<Typed> {
        let base = self.expr(base)?;
        let keys: Option<Vec<Typed>> = keys.iter().map(|it| self.expr(it)).collect();
        self.element_of_pointer(base, keys?, span)
    }

    pub(super) fn element_of_pointer(
        &mut self,
        base: Typed,
        keys: Vec<Typed>,
        span: Span,
    ) -> Option<Typed> {
        let ty = base.ty.clone();
        let mut keys = keys.into_iter();
        let (Some(index), None, Some(target)) = (keys.next(), keys.next(), ty.target()) else {
            self.error(span, format!("{} cannot be indexed", ty.text()));
            return None;
        };
        let size = i64::try_from(target.size(1)).unwrap_or(1);
        let (base, index) = (self.as_int(base)?, self.as_int(index)?);
        let size = Box::new(IntExpr::Constant(size));
        let offset = IntExpr::Binary(BinaryOp::Multiply, Box::new(index), size, span);
        let address = IntExpr::Binary(BinaryOp::Add, Box::new(base), Box::new(offset), span);
        self.value_at(Typed::new(ir::Expr::Int(address), ty, span), span)
    }

    /// `args[N]`: the argument with its type, which is known from the first probe of the clause.
    pub(super) fn typed_argument(&mut self, keys: &[Expr], span: Span) -> Option<Typed> {
        let [index] = keys else {
            self.error(span, "args[ ] takes one index");
            return None;
        };
        let index = self.constant(index, "the index of args[ ]")?;
        if !(0..=MAX_ARGUMENT).contains(&index) {
            self.error(span, format!("index {index} is out of range for args[ ]"));
            return None;
        }
        let index = u8::try_from(index).unwrap_or(u8::MAX);
        let (index, ty) = self.argument_type(index);
        let value = converted(self.argument(index), ty.as_int());
        Some(Typed::new(ir::Expr::Int(value), ty, span))
    }

    /// The argument that `args[N]` is, and its type.
    fn argument_type(&self, index: u8) -> (u8, Type) {
        let plain = (index, Type::Int(INT64));
        let Some(Trigger::Traced(traced)) = self.place.arguments.first() else {
            return plain;
        };
        match &traced.point {
            Point::Marker(marker) => (
                index,
                marker_type(&marker.name, usize::from(index)).unwrap_or(Type::Int(INT64)),
            ),
            // DTrace has the sender's structures before the signal.
            Point::Process(ProcessPoint::SignalSend) if index == 2 => (1, Type::Int(INT)),
            Point::Process(ProcessPoint::SignalHandle | ProcessPoint::Exit) if index == 0 => {
                (0, Type::Int(INT))
            }
            Point::Process(ProcessPoint::Exec) if index == 0 => {
                (0, Type::Pointer(Box::new(Type::Int(CHAR))))
            }
            _ => plain,
        }
    }

    /// Whether all probes of the clause are `proc:::create`.
    pub(super) fn is_create(&self) -> bool {
        let create = |it: &Trigger| match it {
            Trigger::Traced(traced) => traced.point == Point::Process(ProcessPoint::Create),
            _ => false,
        };
        !self.place.arguments.is_empty() && self.place.arguments.iter().all(create)
    }
}

const CHAR: IntType = IntType {
    bits: 8,
    signed: true,
};

/// The type of an argument, when all known markers that the glob matches agree on it.
fn marker_type(name: &Glob, index: usize) -> Option<Type> {
    let mut types = KNOWN_MARKERS
        .iter()
        .filter(|marker| name.matches(&dashed(marker.name)))
        .map(|marker| marker.arguments.get(index).map(|it| it.kind));
    let first = types.next()??;
    if !types.all(|it| it == Some(first)) {
        return None;
    }
    Some(match first {
        ArgType::CString => Type::Pointer(Box::new(Type::Int(CHAR))),
        ArgType::Int => Type::Int(INT),
        ArgType::Long => Type::Int(INT64),
        ArgType::Object => Type::Pointer(Box::new(Type::Void)),
        ArgType::Integer => Type::Int(INT64),
    })
}
