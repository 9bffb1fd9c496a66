//! Declarations.

use super::super::ast::{Alias, Declared, File, Function, Global, Item, Probe, Stmt};
use super::super::token::{Token, TokenKind};
use super::{Parsed, Parser};
use crate::script::diagnostic::Diagnostic;

impl Parser {
    /// A declaration.
    pub(super) fn item(&mut self, file: &mut File) -> Parsed<()> {
        let private = self.takes_name("private");
        if self.is_name("probe") {
            self.probe(private, file)
        } else if self.is_name("global") || (private && !self.is_name("function")) {
            self.globals(private, file)
        } else if self.is_name("function") {
            self.function(private, file)
        } else if matches!(
            self.peek(),
            Some(Token {
                kind: TokenKind::Embedded,
                ..
            })
        ) {
            file.items.push(Item::Embedded(self.span()));
            self.at += 1;
            Ok(())
        } else if self.takes_operator(";") {
            Ok(())
        } else {
            Err(self.expected("'probe', 'global', 'private', 'function', or '%{'"))
        }
    }

    fn probe(&mut self, private: bool, file: &mut File) -> Parsed<()> {
        let span = self.span();
        self.at += 1;
        let names = self.points()?;
        let epilogue = self.is_operator("+=");
        if epilogue || self.is_operator("=") {
            self.at += 1;
            let points = self.points()?;
            let body = self.braced()?;
            file.items.push(Item::Alias(Alias {
                names,
                epilogue,
                points,
                body,
                private,
                span,
            }));
        } else {
            let body = self.braced()?;
            file.items.push(Item::Probe(Probe {
                points: names,
                body,
                span,
            }));
        }
        Ok(())
    }

    fn braced(&mut self) -> Parsed<Vec<Stmt>> {
        if !self.is_operator("{") {
            return Err(self.expected("'{'"));
        }
        self.block()
    }

    fn globals(&mut self, private: bool, file: &mut File) -> Parsed<()> {
        self.takes_name("global");
        loop {
            let name = self.expect_name()?;
            let mut wraps = self.takes_operator("%");
            let mut limit = None;
            if self.takes_operator("[") {
                limit = Some(self.expect_number()?);
                self.expect_operator("]")?;
                wraps |= self.takes_operator("%");
            }
            if limit.is_some() && self.is_operator("=") {
                let message = "parse error: only scalar globals can be initialized";
                return Err(Box::new(Diagnostic::error(self.span(), message)));
            }
            let initial = if self.takes_operator("=") {
                Some(self.literal()?)
            } else {
                None
            };
            file.items.push(Item::Global(Global {
                name,
                limit,
                wraps,
                initial,
                private,
            }));
            if !self.takes_operator(",") {
                self.takes_operator(";");
                return Ok(());
            }
        }
    }

    fn function(&mut self, private: bool, file: &mut File) -> Parsed<()> {
        let span = self.span();
        self.at += 1;
        let name = self.expect_name()?;
        let mut result = self.declared()?;
        self.expect_operator("(")?;
        let mut parameters = Vec::new();
        while !self.is_operator(")") {
            let name = self.expect_name()?;
            parameters.push((name, self.declared()?));
            if !self.takes_operator(",") {
                break;
            }
        }
        self.expect_operator(")")?;
        // A priority, or the type as in other languages.
        if self.is_operator(":") {
            if matches!(
                self.peek_at(1),
                Some(Token {
                    kind: TokenKind::Number(_),
                    ..
                })
            ) {
                self.at += 2;
            } else {
                result = self.declared()?;
            }
        }
        let body = if matches!(
            self.peek(),
            Some(Token {
                kind: TokenKind::Embedded,
                ..
            })
        ) {
            self.at += 1;
            None
        } else {
            self.in_function = true;
            let body = self.braced();
            self.in_function = false;
            Some(body?)
        };
        file.items.push(Item::Function(Function {
            name,
            result,
            parameters,
            body,
            private,
            span,
        }));
        Ok(())
    }

    fn declared(&mut self) -> Parsed<Option<Declared>> {
        if !self.takes_operator(":") {
            return Ok(None);
        }
        if self.takes_name("long") {
            Ok(Some(Declared::Long))
        } else if self.takes_name("string") {
            Ok(Some(Declared::Str))
        } else {
            Err(self.expected("'string' or 'long'"))
        }
    }
}
