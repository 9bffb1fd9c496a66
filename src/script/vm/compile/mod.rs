//! Turns an [`ir::Program`](Program) into closures. Each node becomes one; shapes that are common get closures of their
//! own, so that a handler's hot path is a few calls.
//!
//! It goes as deep as the program is nested, which parsers limit.

mod arithmetic;
mod array;
mod assign;
mod context;
mod format;
mod fresh;
mod integer;
mod invoke;
mod keys;
mod loops;
mod print;
mod record;
mod statement;
mod string;
mod variable;

pub use print::print_rows;

use super::code::{BlockCode, Code, FunctionCode, HandlerCode, IntCode, StrCode, ValueCode};
use super::interner::Interner;
use crate::script::ir::{Block, Expr, Program};

/// What compiling needs to know.
pub struct Compiler<'p> {
    program: &'p Program,
    /// Where constants go.
    interner: &'p mut Interner,
    /// How many levels of the function's or handler's code it is in: what they take of the native stack.
    depth: usize,
}

impl Compiler<'_> {
    /// Compiles all functions and handlers.
    pub fn compile(program: &Program, interner: &mut Interner) -> Code {
        let mut compiler = Compiler {
            program,
            interner,
            depth: 0,
        };
        let functions = program.functions.iter().map(|function| FunctionCode {
            locals: function.locals.len(),
            result: function.result,
            body: compiler.block(&function.body),
        });
        let functions = functions.collect();
        let handlers = program.handlers.iter().map(|handler| HandlerCode {
            triggers: handler.triggers.clone(),
            predicate: handler.predicate.as_ref().map(|it| compiler.int(it)),
            locals: handler.locals.len(),
            body: compiler.block(&handler.body),
            needs_fresh: fresh::needs_fresh(handler),
            row: handler.row,
            span: handler.span,
        });
        Code {
            handlers: handlers.collect(),
            functions,
            options: program.options.clone(),
        }
    }

    /// Compiles what lies one level deeper.
    fn deeper<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        self.depth = self.depth.saturating_add(1);
        let code = compile(self);
        self.depth = self.depth.saturating_sub(1);
        code
    }

    fn block(&mut self, block: &Block) -> BlockCode {
        let steps = self.deeper(|it| block.iter().map(|stmt| it.statement(stmt)).collect());
        BlockCode::new(steps)
    }

    fn value(&mut self, expr: &Expr) -> ValueCode {
        match expr {
            Expr::Int(expr) => ValueCode::Int(self.int(expr)),
            Expr::Str(expr) => ValueCode::Str(self.str(expr)),
        }
    }

    fn values(&mut self, exprs: &[Expr]) -> Vec<ValueCode> {
        exprs.iter().map(|expr| self.value(expr)).collect()
    }

    fn optional(&mut self, expr: Option<&crate::script::ir::IntExpr>) -> Option<IntCode> {
        expr.map(|expr| self.int(expr))
    }

    fn optional_str(&mut self, expr: Option<&crate::script::ir::StrExpr>) -> Option<StrCode> {
        expr.map(|expr| self.str(expr))
    }
}
