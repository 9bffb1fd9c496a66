//! The outermost level: clauses and declarations.

use super::{Parsed, Parser};
use crate::script::diagnostic::Diagnostic;
use crate::script::dtrace::ast::{
    Clause, Declaration, Description, Enumerator, Inline, Item, Scope, Script, TypeName, Typedef,
};
use crate::script::dtrace::token::TokenKind;
use crate::script::dtrace::types;

/// Words that begin something else than a clause.
const DECLARING: &[&str] = &[
    "self",
    "this",
    "inline",
    "typedef",
    "translator",
    "provider",
    "extern",
    "static",
    "auto",
    "register",
    "import",
];

/// Words beside a type that mean nothing here.
const QUALIFIERS: &[&str] = &["const", "volatile", "static", "extern", "auto", "register"];

impl Parser<'_> {
    pub(super) fn program(&mut self, script: &mut Script) {
        loop {
            self.lexer.in_predicate = false;
            self.peeked = None;
            self.lexer.skip(&mut self.finds);
            let mut ahead = self.lexer.clone();
            let (word, _) = ahead.probe_word();
            if word.is_empty() {
                if self.accept(";") {
                    continue;
                }
                if self.peek().kind == TokenKind::End {
                    return;
                }
            }
            let declares =
                DECLARING.contains(&word) || types::is_type_word(word) || self.declared(word);
            let parsed = if declares {
                self.declaration(&mut script.items)
            } else {
                self.clause().map(|clause| {
                    script.items.push(Item::Clause(clause));
                })
            };
            if parsed.is_err() {
                self.lexer.in_predicate = false;
                self.recover(false);
            }
        }
    }

    pub(super) fn declared(&self, word: &str) -> bool {
        self.types.contains(word)
    }

    fn clause(&mut self) -> Parsed<Clause> {
        let mut probes = Vec::new();
        loop {
            self.lexer.skip(&mut self.finds);
            let (text, span) = self.lexer.probe_word();
            if text.is_empty() {
                return self.unexpected("a probe description");
            }
            probes.push(Description {
                text: text.to_owned(),
                span,
            });
            self.last = span;
            if !self.accept(",") {
                break;
            }
        }
        let start = probes.first().map_or(self.last, |it| it.span);
        let predicate = if self.accept("/") {
            self.lexer.in_predicate = true;
            let predicate = self.expression()?;
            self.lexer.in_predicate = false;
            if !self.accept("/") {
                return self.unexpected("`/` at the end of the predicate");
            }
            Some(predicate)
        } else {
            None
        };
        let span = start.to(self.last);
        let body = if self.accept("{") {
            Some(self.block_rest()?)
        } else {
            self.no_body(&probes)?;
            None
        };
        Ok(Clause {
            probes,
            predicate,
            body,
            span,
        })
    }

    /// What may follow where there are no braces.
    fn no_body(&mut self, probes: &[Description]) -> Parsed<()> {
        let token = self.peek().clone();
        if self.bare && (token.kind == TokenKind::End || token.kind.is(";")) {
            return Ok(());
        }
        if token.kind == TokenKind::Wrong {
            return self.unexpected("");
        }
        let message = format!(
            "expected predicate and/or actions following probe description, found {}",
            token.kind.describe()
        );
        let mut diagnostic = Diagnostic::error(token.span, message);
        if let ([word], TokenKind::Name(_)) = (probes, &token.kind) {
            diagnostic = diagnostic.hint(format!("`{}` is not a type", word.text));
        }
        self.error(diagnostic)
    }

    fn declaration(&mut self, items: &mut Vec<Item>) -> Parsed<()> {
        let TokenKind::Name(word) = self.peek().kind.clone() else {
            return self.unexpected("a declaration");
        };
        match word.as_str() {
            "inline" => self.inline(items),
            "typedef" => self.typedef(items),
            "translator" | "provider" => {
                let span = self.next().span;
                self.error(Diagnostic::error(
                    span,
                    format!("{word} declarations are not supported: they need the kernel's types"),
                ))
            }
            "self" | "this" => {
                self.next();
                let scope = match word.as_str() {
                    "self" => Scope::Thread,
                    _ => Scope::Clause,
                };
                self.variables(scope, items)
            }
            _ => self.variables(Scope::Global, items),
        }
    }

    /// The types and names behind the scope.
    fn variables(&mut self, scope: Scope, items: &mut Vec<Item>) -> Parsed<()> {
        let base = self.type_words()?;
        if self.peek().kind.is("{") {
            if base.name.starts_with("enum") {
                items.push(self.enumerators()?);
                return Ok(());
            }
            let message = format!(
                "{} cannot be declared: structures are not supported",
                base.name
            );
            return self.error(Diagnostic::error(base.span, message));
        }
        loop {
            let ty = self.pointers(base.clone());
            let (name, span) = self.expect_name("the name of a variable")?;
            let keys = if self.accept("[") {
                Some(self.key_types()?)
            } else {
                None
            };
            items.push(Item::Variable(Declaration {
                scope,
                ty,
                name,
                keys,
                span,
            }));
            if self.accept(";") {
                return Ok(());
            }
            if !self.accept(",") {
                return self.unexpected("`;` behind the declaration");
            }
        }
    }

    /// The types of keys, behind the `[`.
    fn key_types(&mut self) -> Parsed<Vec<TypeName>> {
        let mut keys = Vec::new();
        loop {
            let token = self.peek().clone();
            if matches!(token.kind, TokenKind::Int(_)) {
                return self.error(
                    Diagnostic::error(token.span, "arrays of a fixed size are not supported").hint(
                        "an associative array is declared with the type of its keys: `int a[int];`",
                    ),
                );
            }
            let base = self.type_words()?;
            keys.push(self.pointers(base));
            // A parameter may have a name, which means nothing.
            if matches!(self.peek().kind, TokenKind::Name(_)) {
                self.next();
            }
            if self.accept("]") {
                return Ok(keys);
            }
            if !self.accept(",") {
                return self.unexpected("`]` behind the types of the keys");
            }
        }
    }

    fn inline(&mut self, items: &mut Vec<Item>) -> Parsed<()> {
        self.next();
        let base = self.type_words()?;
        let ty = self.pointers(base);
        let (name, span) = self.expect_name("the name of the constant")?;
        if self.peek().kind.is("[") {
            return self.error(Diagnostic::error(
                span,
                format!("inline {name}: inlines with parameters are not supported"),
            ));
        }
        self.expect("=")?;
        let value = self.expression()?;
        self.expect(";")?;
        items.push(Item::Inline(Inline {
            ty,
            name,
            value,
            span,
        }));
        Ok(())
    }

    fn typedef(&mut self, items: &mut Vec<Item>) -> Parsed<()> {
        self.next();
        let base = self.type_words()?;
        let ty = self.pointers(base);
        let (name, _) = self.expect_name("the name of the type")?;
        self.expect(";")?;
        self.types.insert(name.clone());
        items.push(Item::Typedef(Typedef { ty, name }));
        Ok(())
    }

    /// `{ A, B = 2 };`
    fn enumerators(&mut self) -> Parsed<Item> {
        self.expect("{")?;
        let mut all = Vec::new();
        while !self.peek().kind.is("}") {
            let (name, span) = self.expect_name("the name of a constant")?;
            let value = if self.accept("=") {
                Some(self.assignment()?)
            } else {
                None
            };
            all.push(Enumerator { name, value, span });
            if !self.accept(",") {
                break;
            }
        }
        self.expect("}")?;
        self.expect(";")?;
        Ok(Item::Enum(all))
    }

    /// The words of a type without its `*`.
    pub(super) fn type_words(&mut self) -> Parsed<TypeName> {
        let mut words: Vec<String> = Vec::new();
        let mut span = self.peek().span;
        while let TokenKind::Name(word) = self.peek().kind.clone() {
            let tag = words.last().map(String::as_str);
            let tagged = matches!(tag, Some("struct" | "union" | "enum"));
            let first = words.is_empty();
            let known = types::is_type_word(&word) || (first && self.declared(&word));
            if !tagged && !known && !QUALIFIERS.contains(&word.as_str()) {
                break;
            }
            self.next();
            if !QUALIFIERS.contains(&word.as_str()) {
                words.push(word);
            }
            span = span.to(self.last);
        }
        if words.is_empty() {
            return self.no_type();
        }
        Ok(TypeName {
            name: words.join(" "),
            pointers: 0,
            span,
        })
    }

    /// The error where a type is missing, or has a name that is none.
    fn no_type<T>(&mut self) -> Parsed<T> {
        let token = self.peek().clone();
        let TokenKind::Name(word) = token.kind else {
            return self.unexpected("a type");
        };
        let message = format!("{word} is not a type that is known here");
        let hint = "types here are integers, `string`, and pointers";
        self.error(Diagnostic::error(token.span, message).hint(hint))
    }

    /// The `*` behind a type.
    pub(super) fn pointers(&mut self, mut ty: TypeName) -> TypeName {
        loop {
            if self.accept("*") {
                ty.pointers = ty.pointers.saturating_add(1).min(8);
                ty.span = ty.span.to(self.last);
            } else if self.peek().kind.is_name("const") || self.peek().kind.is_name("volatile") {
                self.next();
            } else {
                return ty;
            }
        }
    }
}
