//! Expressions. Operators with two operands are parsed by precedence in one function, which keeps the call stack flat.

use super::super::ast::{
    Assignment, Binary, Expr, ExprKind, Histogram, Key, Name, Statistic, Target, Unary,
};
use super::super::token::{KEYWORDS, Token, TokenKind};
use super::{Parsed, Parser, embedded};
use crate::script::diagnostic::Diagnostic;
use crate::script::source::Span;

/// What an operator with two operands is.
#[derive(Clone, Copy)]
enum Infix {
    Binary(Binary),
    Matches(bool),
    In,
}

/// Operators and how strongly they bind.
const INFIX: &[(&str, u8, Infix)] = &[
    ("||", 1, Infix::Binary(Binary::Or)),
    ("&&", 2, Infix::Binary(Binary::And)),
    ("|", 3, Infix::Binary(Binary::BitOr)),
    ("^", 4, Infix::Binary(Binary::BitXor)),
    ("&", 5, Infix::Binary(Binary::BitAnd)),
    ("<", 7, Infix::Binary(Binary::Less)),
    ("<=", 7, Infix::Binary(Binary::LessOrEqual)),
    (">", 7, Infix::Binary(Binary::Greater)),
    (">=", 7, Infix::Binary(Binary::GreaterOrEqual)),
    ("==", 7, Infix::Binary(Binary::Equal)),
    ("!=", 7, Infix::Binary(Binary::NotEqual)),
    ("=~", 7, Infix::Matches(false)),
    ("!~", 7, Infix::Matches(true)),
    ("<<", 8, Infix::Binary(Binary::ShiftLeft)),
    (">>", 8, Infix::Binary(Binary::ShiftRight)),
    (">>>", 8, Infix::Binary(Binary::ShiftRightLogical)),
    (".", 9, Infix::Binary(Binary::Concat)),
    ("+", 10, Infix::Binary(Binary::Add)),
    ("-", 10, Infix::Binary(Binary::Subtract)),
    ("*", 11, Infix::Binary(Binary::Multiply)),
    ("/", 11, Infix::Binary(Binary::Divide)),
    ("%", 11, Infix::Binary(Binary::Remainder)),
];

/// How strongly `in` binds.
const IN: u8 = 6;

/// Assignments.
const ASSIGNMENTS: &[(&str, Assignment)] = &[
    ("=", Assignment::Set),
    ("<<<", Assignment::Record),
    ("+=", Assignment::Combine(Binary::Add)),
    ("-=", Assignment::Combine(Binary::Subtract)),
    ("*=", Assignment::Combine(Binary::Multiply)),
    ("/=", Assignment::Combine(Binary::Divide)),
    ("%=", Assignment::Combine(Binary::Remainder)),
    ("<<=", Assignment::Combine(Binary::ShiftLeft)),
    (">>=", Assignment::Combine(Binary::ShiftRight)),
    ("&=", Assignment::Combine(Binary::BitAnd)),
    ("^=", Assignment::Combine(Binary::BitXor)),
    ("|=", Assignment::Combine(Binary::BitOr)),
    (".=", Assignment::Combine(Binary::Concat)),
];

impl Parser {
    /// Any expression.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        self.enter()?;
        let expr = self.assignment()?;
        self.leave();
        Ok(expr)
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let left = self.choice()?;
        let Some(Token {
            kind: TokenKind::Operator(operator),
            span,
        }) = self.peek()
        else {
            return Ok(left);
        };
        let Some((_, assignment)) = ASSIGNMENTS.iter().find(|(it, _)| it == operator) else {
            return Ok(left);
        };
        let span = *span;
        if !matches!(left.kind, ExprKind::Name(_) | ExprKind::Index(..)) {
            let message = match left.kind {
                ExprKind::Target(_) => "semantic error: write to target variable not permitted",
                _ => "semantic error: Expecting lvalue for assignment",
            };
            return Err(Box::new(
                Diagnostic::error(span, message).related(left.span, "this"),
            ));
        }
        self.at += 1;
        let right = self.expression()?;
        self.node(
            ExprKind::Assign(*assignment, Box::new(left), Box::new(right)),
            span,
        )
    }

    fn choice(&mut self) -> Parsed<Expr> {
        let condition = self.binary(0)?;
        let span = self.span();
        if !self.takes_operator("?") {
            return Ok(condition);
        }
        let then = self.expression()?;
        self.expect_operator(":")?;
        self.enter()?;
        let otherwise = self.choice()?;
        self.leave();
        let kind = ExprKind::Choose(Box::new(condition), Box::new(then), Box::new(otherwise));
        self.node(kind, span)
    }

    fn infix(&self) -> Option<(u8, Infix)> {
        match &self.peek()?.kind {
            TokenKind::Operator(operator) => {
                let found = INFIX.iter().find(|(it, ..)| it == operator)?;
                Some((found.1, found.2))
            }
            TokenKind::Name(name) if name == "in" => Some((IN, Infix::In)),
            _ => None,
        }
    }

    /// Operators that bind more strongly than that.
    fn binary(&mut self, above: u8) -> Parsed<Expr> {
        let mut left = if self.is_operator("[") {
            let keys = self.keys()?;
            self.membership(keys)?
        } else {
            self.unary()?
        };
        while let Some((strength, infix)) = self.infix() {
            if strength <= above {
                break;
            }
            let span = self.span();
            match infix {
                Infix::In => left = self.membership(vec![Key::Is(left)])?,
                Infix::Binary(binary) => {
                    self.at += 1;
                    self.enter()?;
                    let right = self.binary(strength)?;
                    self.leave();
                    let kind = ExprKind::Binary(binary, Box::new(left), Box::new(right));
                    left = self.node(kind, span)?;
                }
                Infix::Matches(negated) => {
                    self.at += 1;
                    let (text, at) = self.expect_text()?;
                    let pattern = self.node(ExprKind::Text(text), at)?;
                    let kind = ExprKind::Matches(Box::new(left), Box::new(pattern), negated);
                    left = self.node(kind, span)?;
                }
            }
        }
        Ok(left)
    }

    fn membership(&mut self, keys: Vec<Key>) -> Parsed<Expr> {
        let span = self.span();
        if !self.takes_name("in") {
            return Err(self.expected("'in'"));
        }
        let array = self.expect_name()?;
        self.node(ExprKind::In(keys, array), span)
    }

    /// `[ KEY, … ]`
    pub(super) fn keys(&mut self) -> Parsed<Vec<Key>> {
        self.expect_operator("[")?;
        let mut keys = Vec::new();
        loop {
            let any = self.is_operator("*")
                && (self.is_operator_at(1, ",") || self.is_operator_at(1, "]"));
            if any {
                self.at += 1;
                keys.push(Key::Any);
            } else {
                keys.push(Key::Is(self.expression()?));
            }
            if self.takes_operator("]") {
                return Ok(keys);
            }
            if !self.takes_operator(",") {
                return Err(self.expected("',' or ']'"));
            }
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let span = self.span();
        let unary = match self.peek().map(|it| &it.kind) {
            Some(TokenKind::Operator("-")) => Unary::Minus,
            Some(TokenKind::Operator("+")) => Unary::Plus,
            Some(TokenKind::Operator("!")) => Unary::Not,
            Some(TokenKind::Operator("~")) => Unary::Complement,
            Some(TokenKind::Operator("&")) => {
                self.at += 1;
                let mut expr = self.value()?;
                return match &mut expr.kind {
                    ExprKind::Target(target) => {
                        target.address = true;
                        Ok(expr)
                    }
                    _ => Err(Box::new(Diagnostic::error(
                        span,
                        "parse error: expected a target symbol behind '&'",
                    ))),
                };
            }
            Some(TokenKind::Operator(operator @ ("++" | "--"))) => {
                let down = *operator == "--";
                self.at += 1;
                let of = self.value()?;
                return self.step(of, down, false, span);
            }
            _ => {
                let of = self.value()?;
                let span = self.span();
                return match self.peek().map(|it| &it.kind) {
                    Some(TokenKind::Operator(operator @ ("++" | "--"))) => {
                        let down = *operator == "--";
                        self.at += 1;
                        self.step(of, down, true, span)
                    }
                    _ => Ok(of),
                };
            }
        };
        self.at += 1;
        self.enter()?;
        let of = self.unary()?;
        self.leave();
        if let (Unary::Minus, ExprKind::Number(number)) = (unary, &of.kind) {
            return self.node(ExprKind::Number(number.wrapping_neg()), of.span);
        }
        self.node(ExprKind::Unary(unary, Box::new(of)), span)
    }

    fn step(&self, of: Expr, down: bool, postfix: bool, span: Span) -> Parsed<Expr> {
        if !matches!(of.kind, ExprKind::Name(_) | ExprKind::Index(..)) {
            let message = "semantic error: Expecting lvalue for increment or decrement";
            return Err(Box::new(Diagnostic::error(span, message)));
        }
        let of = Box::new(of);
        self.node(ExprKind::Step { of, down, postfix }, span)
    }

    /// A literal, as a global's initialiser: a number or string.
    pub(super) fn literal(&mut self) -> Parsed<Expr> {
        let span = self.span();
        match self.peek().map(|it| &it.kind) {
            Some(TokenKind::Text(_)) => {
                let (text, span) = self.expect_text()?;
                self.node(ExprKind::Text(text), span)
            }
            Some(TokenKind::Number(_) | TokenKind::Operator("-")) => {
                let number = self.expect_number()?;
                self.node(ExprKind::Number(number), span)
            }
            _ => Err(self.expected("literal string or number")),
        }
    }

    fn value(&mut self) -> Parsed<Expr> {
        let span = self.span();
        match self.peek().map(|it| it.kind.clone()) {
            Some(TokenKind::Number(_) | TokenKind::Text(_)) => self.literal(),
            Some(TokenKind::Operator("(")) => self.bracketed(),
            Some(TokenKind::Embedded) if self.guru => {
                self.at += 1;
                self.node(ExprKind::Embedded, span)
            }
            Some(TokenKind::Embedded) => Err(Box::new(embedded(span))),
            Some(TokenKind::Name(name)) if name.starts_with(['$', '@']) => self.sigil(&name),
            Some(TokenKind::Name(name)) if !KEYWORDS.contains(&name.as_str()) => self.named(name),
            _ => Err(self.expected("literal string or number")),
        }
    }

    /// A variable, an element, or a call.
    fn named(&mut self, name: String) -> Parsed<Expr> {
        let span = self.span();
        self.at += 1;
        if self.is_operator("[") {
            let keys = self.keys()?;
            return self.node(ExprKind::Index(name, keys), span);
        }
        if !self.is_operator("(") {
            return self.node(ExprKind::Name(name), span);
        }
        if let Some(print) = self.print(&name)? {
            return self.node(ExprKind::Print(Box::new(print)), span);
        }
        let arguments = self.arguments()?;
        self.node(ExprKind::Call(name, arguments), span)
    }

    /// `( EXPRESSION, … )`
    fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        self.expect_operator("(")?;
        let mut arguments = Vec::new();
        if self.takes_operator(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if self.takes_operator(")") {
                return Ok(arguments);
            }
            if !self.takes_operator(",") {
                return Err(self.expected("',' or ')'"));
            }
        }
    }

    /// What begins with `$` or `@`.
    fn sigil(&mut self, name: &str) -> Parsed<Expr> {
        let span = self.span();
        self.at += 1;
        let statistic = match name {
            "@count" => Statistic::Count,
            "@sum" => Statistic::Sum,
            "@min" => Statistic::Min,
            "@max" => Statistic::Max,
            "@avg" => Statistic::Avg,
            "@variance" => Statistic::Variance(0),
            "@hist_log" | "@hist_linear" => return self.histogram(name, span),
            "@defined" => {
                let of = Box::new(self.bracketed()?);
                return self.node(ExprKind::Defined(of), span);
            }
            "@var" | "@cast" | "@perf" | "@kregister" | "@uregister" | "@kderef" | "@uderef"
            | "@const" | "@entry" => {
                self.arguments()?;
                return self.target(name, span);
            }
            _ if name.starts_with('$') && name.len() > 1 => return self.target(name, span),
            _ => {
                let message = format!("parse error: unknown operator or undefined macro '{name}'");
                return Err(Box::new(Diagnostic::error(span, message)));
            }
        };
        self.expect_operator("(")?;
        let of = self.statistic_operand()?;
        let statistic = match statistic {
            Statistic::Variance(_) if self.takes_operator(",") => {
                let bits = self.expect_number()?;
                let Some(bits) = u8::try_from(bits).ok().filter(|it| *it < 63) else {
                    let message = "semantic error: @variance: the bit shift must be 0 to 62";
                    return Err(Box::new(Diagnostic::error(span, message)));
                };
                Statistic::Variance(bits)
            }
            other => other,
        };
        self.expect_operator(")")?;
        self.node(ExprKind::Statistic(statistic, Box::new(of)), span)
    }

    fn histogram(&mut self, name: &str, span: Span) -> Parsed<Expr> {
        self.expect_operator("(")?;
        let of = Box::new(self.statistic_operand()?);
        let histogram = if name == "@hist_log" {
            Histogram::Log
        } else {
            let mut next = || {
                self.expect_operator(",")?;
                self.expect_number()
            };
            Histogram::Linear(next()?, next()?, next()?)
        };
        self.expect_operator(")")?;
        self.node(ExprKind::Histogram(histogram, of), span)
    }

    /// A global with statistics, or an element of one.
    fn statistic_operand(&mut self) -> Parsed<Expr> {
        let Name { text, span } = self.expect_name()?;
        if self.is_operator("[") {
            let keys = self.keys()?;
            return self.node(ExprKind::Index(text, keys), span);
        }
        self.node(ExprKind::Name(text), span)
    }

    /// A variable of the traced program with what follows it.
    fn target(&mut self, name: &str, span: Span) -> Parsed<Expr> {
        let mut path = false;
        let mut text = name.to_owned();
        loop {
            if self.takes_operator("->") {
                text.push_str("->");
                if let Some(Token {
                    kind: TokenKind::Name(field),
                    ..
                }) = self.advance()
                {
                    text.push_str(&field);
                }
            } else if self.is_operator("[") {
                self.keys()?;
                text.push_str("[…]");
            } else {
                break;
            }
            path = true;
        }
        let target = Target {
            name: name.to_owned(),
            text,
            path,
            address: false,
        };
        self.node(ExprKind::Target(target), span)
    }
}
