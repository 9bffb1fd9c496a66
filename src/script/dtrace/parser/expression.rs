//! Expressions, by precedence climbing.

use super::{MAX_HEIGHT, Parsed, Parser};
use crate::script::diagnostic::Diagnostic;
use crate::script::dtrace::ast::{BinaryOp, ChainOp, Expr, ExprKind, Scope, UnaryOp};
use crate::script::dtrace::token::TokenKind;
use crate::script::dtrace::types;
use crate::script::source::Span;

/// An operator between two operands.
#[derive(Clone, Copy)]
enum Infix {
    Chain(ChainOp),
    Binary(BinaryOp),
}

/// Operators between operands, and how strongly they bind.
const INFIX: &[(&str, u8, Infix)] = &[
    ("||", 1, Infix::Chain(ChainOp::Any)),
    ("^^", 2, Infix::Chain(ChainOp::Odd)),
    ("&&", 3, Infix::Chain(ChainOp::All)),
    ("|", 4, Infix::Binary(BinaryOp::Or)),
    ("^", 5, Infix::Binary(BinaryOp::Xor)),
    ("&", 6, Infix::Binary(BinaryOp::And)),
    ("==", 7, Infix::Binary(BinaryOp::Equal)),
    ("!=", 7, Infix::Binary(BinaryOp::NotEqual)),
    ("<", 8, Infix::Binary(BinaryOp::Less)),
    ("<=", 8, Infix::Binary(BinaryOp::LessOrEqual)),
    (">", 8, Infix::Binary(BinaryOp::Greater)),
    (">=", 8, Infix::Binary(BinaryOp::GreaterOrEqual)),
    ("<<", 9, Infix::Binary(BinaryOp::ShiftLeft)),
    (">>", 9, Infix::Binary(BinaryOp::ShiftRight)),
    ("+", 10, Infix::Binary(BinaryOp::Add)),
    ("-", 10, Infix::Binary(BinaryOp::Subtract)),
    ("*", 11, Infix::Binary(BinaryOp::Multiply)),
    ("/", 11, Infix::Binary(BinaryOp::Divide)),
    ("%", 11, Infix::Binary(BinaryOp::Remainder)),
];

/// Operators that assign; `None`: plain `=`.
const ASSIGNING: &[(&str, Option<BinaryOp>)] = &[
    ("=", None),
    ("+=", Some(BinaryOp::Add)),
    ("-=", Some(BinaryOp::Subtract)),
    ("*=", Some(BinaryOp::Multiply)),
    ("/=", Some(BinaryOp::Divide)),
    ("%=", Some(BinaryOp::Remainder)),
    ("&=", Some(BinaryOp::And)),
    ("|=", Some(BinaryOp::Or)),
    ("^=", Some(BinaryOp::Xor)),
    ("<<=", Some(BinaryOp::ShiftLeft)),
    (">>=", Some(BinaryOp::ShiftRight)),
];

const PREFIX: &[(&str, UnaryOp)] = &[
    ("-", UnaryOp::Negate),
    ("+", UnaryOp::Plus),
    ("!", UnaryOp::Not),
    ("~", UnaryOp::Complement),
    ("*", UnaryOp::Dereference),
    ("&", UnaryOp::Address),
];

/// One level more than the highest of these.
fn above(operands: &[&Expr]) -> u16 {
    let highest = operands.iter().map(|it| it.height).max().unwrap_or(0);
    highest.saturating_add(1)
}

impl Parser<'_> {
    /// An expression, with commas.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        let mut left = self.assignment()?;
        while self.accept(",") {
            let right = self.assignment()?;
            let (span, height) = (left.span.to(right.span), above(&[&left, &right]));
            left = self.node(
                ExprKind::Comma(Box::new(left), Box::new(right)),
                span,
                height,
            )?;
        }
        Ok(left)
    }

    fn node(&mut self, kind: ExprKind, span: Span, height: u16) -> Parsed<Expr> {
        if height > MAX_HEIGHT {
            let message = format!("an expression of more than {MAX_HEIGHT} levels");
            return self.error(
                Diagnostic::error(span, message).hint("assign parts of it to `this->` variables"),
            );
        }
        Ok(Expr { kind, span, height })
    }

    /// An expression without commas.
    pub(super) fn assignment(&mut self) -> Parsed<Expr> {
        self.deeper(|parser| {
            let left = parser.choice()?;
            let kind = &parser.peek().kind;
            let Some(&(_, op)) = ASSIGNING.iter().find(|(text, _)| kind.is(text)) else {
                return Ok(left);
            };
            parser.next();
            let right = parser.assignment()?;
            let (span, height) = (left.span.to(right.span), above(&[&left, &right]));
            let kind = ExprKind::Assign(op, Box::new(left), Box::new(right));
            parser.node(kind, span, height)
        })
    }

    /// `a ? b : c ? d : e`: conditions and what they choose are gathered first, so that a long chain is no deep
    /// recursion.
    fn choice(&mut self) -> Parsed<Expr> {
        let mut last = self.binary(1)?;
        let mut chosen = Vec::new();
        while self.accept("?") {
            let then = self.expression()?;
            self.expect(":")?;
            chosen.push((last, then));
            last = self.binary(1)?;
        }
        while let Some((condition, then)) = chosen.pop() {
            let span = condition.span.to(last.span);
            let height = above(&[&condition, &then, &last]);
            let kind = ExprKind::Choose(Box::new(condition), Box::new(then), Box::new(last));
            last = self.node(kind, span, height)?;
        }
        Ok(last)
    }

    fn binary(&mut self, weakest: u8) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let kind = &self.peek().kind;
            let found = INFIX
                .iter()
                .find(|(text, strength, _)| *strength >= weakest && kind.is(text));
            let Some(&(text, strength, infix)) = found else {
                return Ok(left);
            };
            if text == "/" && self.ends_predicate() {
                return Ok(left);
            }
            self.next();
            let right = self.binary(strength.saturating_add(1))?;
            left = self.combine(infix, left, right)?;
        }
    }

    fn combine(&mut self, infix: Infix, left: Expr, right: Expr) -> Parsed<Expr> {
        let span = left.span.to(right.span);
        let op = match infix {
            Infix::Binary(op) => {
                let height = above(&[&left, &right]);
                let kind = ExprKind::Binary(op, Box::new(left), Box::new(right));
                return self.node(kind, span, height);
            }
            Infix::Chain(op) => op,
        };
        // Long chains are common in generated programs: they are one level, however long.
        let height = left.height.max(right.height.saturating_add(1));
        match left.kind {
            ExprKind::Chain(own, mut operands) if own == op => {
                operands.push(right);
                self.node(ExprKind::Chain(op, operands), span, height)
            }
            _ => {
                let height = above(&[&left, &right]);
                self.node(ExprKind::Chain(op, vec![left, right]), span, height)
            }
        }
    }

    /// Whether the `/` that comes next ends a predicate: as dtrace has it, when the program, `;`, `{` or another `/`
    /// follows.
    fn ends_predicate(&mut self) -> bool {
        if !self.lexer.in_predicate {
            return false;
        }
        let mut ahead = self.lexer.clone();
        ahead.in_predicate = false;
        let mut unused = crate::script::dtrace::lexer::Finds::default();
        if ahead.starts_with("/") {
            return true;
        }
        let kind = ahead.next(&mut unused).kind;
        kind == TokenKind::End || kind.is("{") || kind.is(";") || kind.is("/")
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let token = self.peek().clone();
        let start = token.span;
        if let Some(&(_, op)) = PREFIX.iter().find(|(text, _)| token.kind.is(text)) {
            self.next();
            let operand = self.deeper(Self::unary)?;
            let (span, height) = (start.to(operand.span), above(&[&operand]));
            return self.node(ExprKind::Unary(op, Box::new(operand)), span, height);
        }
        if token.kind.is("++") || token.kind.is("--") {
            self.next();
            let operand = self.deeper(Self::unary)?;
            let (span, height) = (start.to(operand.span), above(&[&operand]));
            let kind = ExprKind::Update {
                prefix: true,
                increment: token.kind.is("++"),
                operand: Box::new(operand),
            };
            return self.node(kind, span, height);
        }
        if token.kind.is_name("stringof") {
            self.next();
            let operand = self.deeper(Self::unary)?;
            let (span, height) = (start.to(operand.span), above(&[&operand]));
            return self.node(ExprKind::StringOf(Box::new(operand)), span, height);
        }
        if token.kind.is_name("sizeof") {
            self.next();
            return self.size_of(start);
        }
        self.postfix()
    }

    fn size_of(&mut self, start: Span) -> Parsed<Expr> {
        let parenthesised = self.peek().kind.is("(");
        if parenthesised && self.type_follows() {
            self.next();
            let base = self.type_words()?;
            let ty = self.pointers(base);
            let span = start.to(self.expect(")")?);
            return self.node(ExprKind::SizeOfType(ty), span, 1);
        }
        let operand = self.deeper(Self::unary)?;
        let (span, height) = (start.to(operand.span), above(&[&operand]));
        self.node(ExprKind::SizeOf(Box::new(operand)), span, height)
    }

    /// Whether a type stands behind the `(` that comes next.
    fn type_follows(&mut self) -> bool {
        self.peek();
        let mut unused = crate::script::dtrace::lexer::Finds::default();
        let ahead = self.lexer.clone().next(&mut unused).kind;
        match ahead {
            TokenKind::Name(word) => types::is_type_word(&word) || self.declared(&word),
            _ => false,
        }
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let mut value = self.primary()?;
        loop {
            let (start, mut height) = (value.span, value.height);
            let kind = if self.accept("[") {
                let keys = self.list("]")?;
                height = keys.iter().fold(height, |height, it| height.max(it.height));
                ExprKind::Index(Box::new(value), keys)
            } else if self.accept(".") || self.accept("->") {
                let (name, _) = self.expect_name("the name of a member")?;
                ExprKind::Member(Box::new(value), name)
            } else if self.peek().kind.is("++") || self.peek().kind.is("--") {
                ExprKind::Update {
                    prefix: false,
                    increment: self.next().kind.is("++"),
                    operand: Box::new(value),
                }
            } else {
                return Ok(value);
            };
            value = self.node(kind, start.to(self.last), height.saturating_add(1))?;
        }
    }

    /// Expressions with commas between up to a bracket, which is taken.
    fn list(&mut self, close: &str) -> Parsed<Vec<Expr>> {
        let mut all = Vec::new();
        if self.accept(close) {
            return Ok(all);
        }
        loop {
            all.push(self.assignment()?);
            if self.accept(close) {
                return Ok(all);
            }
            if !self.accept(",") {
                return self.unexpected(&format!("`,` or `{close}`"));
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        if self.peek().kind.is("(") {
            return self.parenthesised();
        }
        let token = self.peek().clone();
        let start = token.span;
        let kind = match token.kind {
            TokenKind::Int(int) => ExprKind::Int(int),
            TokenKind::Str(text) => ExprKind::Str(text),
            TokenKind::Macro(name) => ExprKind::Macro(name),
            TokenKind::Symbol(name) => ExprKind::Symbol(name),
            TokenKind::Aggregation(name) => {
                self.next();
                let keys = if self.accept("[") {
                    Some(self.list("]")?)
                } else {
                    None
                };
                let height = keys.iter().flatten().map(|it| it.height).max().unwrap_or(0);
                let kind = ExprKind::Aggregation(name, keys);
                return self.node(kind, start.to(self.last), height.saturating_add(1));
            }
            TokenKind::Name(name) => {
                self.next();
                return self.name(name, start);
            }
            _ => return self.unexpected("an expression"),
        };
        self.next();
        self.node(kind, start, 1)
    }

    /// What a name begins.
    fn name(&mut self, name: String, start: Span) -> Parsed<Expr> {
        let scope = match name.as_str() {
            "self" => Some(Scope::Thread),
            "this" => Some(Scope::Clause),
            _ => None,
        };
        if let Some(scope) = scope {
            self.expect("->")?;
            let (member, _) = self.expect_name("the name of a variable")?;
            return self.node(ExprKind::Scoped(scope, member), start.to(self.last), 1);
        }
        if !self.accept("(") {
            return self.node(ExprKind::Name(name), start, 1);
        }
        let arguments = self.list(")")?;
        let height = arguments.iter().map(|it| it.height).max().unwrap_or(0);
        let kind = ExprKind::Call(name, arguments);
        self.node(kind, start.to(self.last), height.saturating_add(1))
    }

    /// `(value)` or `(TYPE)value`
    fn parenthesised(&mut self) -> Parsed<Expr> {
        let cast = self.type_follows();
        let start = self.next().span;
        if !cast {
            let mut value = self.expression()?;
            value.span = start.to(self.expect(")")?);
            return Ok(value);
        }
        let base = self.type_words()?;
        let ty = self.pointers(base);
        self.expect(")")?;
        let operand = self.deeper(Self::unary)?;
        let (span, height) = (start.to(operand.span), above(&[&operand]));
        self.node(ExprKind::Cast(ty, Box::new(operand)), span, height)
    }
}
