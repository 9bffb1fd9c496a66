//! Keys of arrays and aggregations.

use super::super::code::{IntCode, StrCode};
use super::super::machine::{Run, Stop};
use super::super::text::Str;
use super::Compiler;
use super::context::{pid, tid};
use super::integer::argument;
use super::string::argument_text;
use crate::script::ir::{Expr, IntContext, IntExpr, StrExpr};
use crate::script::source::Span;

/// Code for one key.
enum KeyCode {
    /// A constant.
    Constant(u64),
    /// An argument that is a number.
    Number(usize),
    /// An argument that is a string.
    Text { index: u8, limit: usize, span: Span },
    /// The process id.
    Pid,
    /// The thread id.
    Tid,
    /// Any integer.
    Int(IntCode),
    /// Any string.
    Str(StrCode),
}

/// Code for all keys of an element.
pub struct Keys {
    codes: Box<[KeyCode]>,
}

impl KeyCode {
    /// The key as a word; a string is kept for it.
    #[inline]
    fn word(&self, run: &mut Run<'_>) -> Result<u64, Stop> {
        let text = match self {
            KeyCode::Constant(word) => return Ok(*word),
            KeyCode::Number(index) => return Ok(argument(run, *index).cast_unsigned()),
            KeyCode::Pid => return Ok(pid(run).cast_unsigned()),
            KeyCode::Tid => return Ok(tid(run).cast_unsigned()),
            KeyCode::Int(code) => return Ok(code(run)?.cast_unsigned()),
            KeyCode::Text { index, limit, span } => argument_text(run, *index, *limit, *span)?,
            KeyCode::Str(code) => code(run)?,
        };
        Ok(run.intern(text)?.word())
    }

    /// The key as a word, when it can be in a table: a string that is not kept is in none.
    #[inline]
    fn known(&self, run: &mut Run<'_>) -> Result<Option<u64>, Stop> {
        let text: Str = match self {
            KeyCode::Text { index, limit, span } => argument_text(run, *index, *limit, *span)?,
            KeyCode::Str(code) => code(run)?,
            _ => return self.word(run).map(Some),
        };
        Ok(run.find(text).map(|symbol| symbol.word()))
    }
}

impl Keys {
    /// Puts the keys behind [`super::super::machine::Machine::keys`]; gives where they begin there. Strings are kept.
    ///
    /// # Errors
    /// Those of evaluating them.
    #[inline]
    pub fn push(&self, run: &mut Run<'_>) -> Result<usize, Stop> {
        let start = run.m.keys.len();
        for code in &self.codes {
            let word = code.word(run)?;
            run.m.keys.push(word);
        }
        Ok(start)
    }

    /// The same for looking up only; `None`: no table has such a key, and nothing was put anywhere.
    ///
    /// # Errors
    /// Those of evaluating them.
    #[inline]
    pub fn push_known(&self, run: &mut Run<'_>) -> Result<Option<usize>, Stop> {
        let start = run.m.keys.len();
        let mut all = true;
        for code in &self.codes {
            let word = code.known(run)?;
            all &= word.is_some();
            run.m.keys.push(word.unwrap_or(0));
        }
        if !all {
            run.m.keys.truncate(start);
        }
        Ok(all.then_some(start))
    }
}

/// Code for the keys of a slice: for each key the word that it must be, or any.
pub struct Slice {
    codes: Box<[Option<KeyCode>]>,
}

/// What a slice selects.
pub enum Selection {
    /// Keys that have these words where there are some.
    Words(Vec<Option<u64>>),
    /// Nothing: some string is no key.
    Nothing,
}

impl Selection {
    /// Whether it has a key.
    pub fn has(&self, key: &[u64]) -> bool {
        match self {
            Selection::Nothing => false,
            Selection::Words(words) => {
                let fits = |(word, key): (&Option<u64>, &u64)| word.is_none_or(|it| it == *key);
                words.iter().zip(key).all(fits)
            }
        }
    }
}

impl Slice {
    /// Evaluates it.
    ///
    /// # Errors
    /// Those of evaluating its keys.
    pub fn select(&self, run: &mut Run<'_>) -> Result<Selection, Stop> {
        let mut words = Vec::with_capacity(self.codes.len());
        let mut nothing = false;
        for code in &self.codes {
            let word = match code {
                None => None,
                Some(code) => {
                    let word = code.known(run)?;
                    nothing |= word.is_none();
                    word
                }
            };
            words.push(word);
        }
        Ok(match nothing {
            true => Selection::Nothing,
            false => Selection::Words(words),
        })
    }
}

impl Compiler<'_> {
    pub(super) fn keys(&mut self, keys: &[Expr]) -> Keys {
        let codes = keys.iter().map(|key| self.key(key)).collect();
        Keys { codes }
    }

    pub(super) fn slice(&mut self, keys: &[Option<Expr>]) -> Slice {
        let code = |key: &Option<Expr>| key.as_ref().map(|key| self.key(key));
        Slice {
            codes: keys.iter().map(code).collect(),
        }
    }

    fn key(&mut self, key: &Expr) -> KeyCode {
        match key {
            Expr::Int(IntExpr::Constant(value)) => KeyCode::Constant(value.cast_unsigned()),
            Expr::Int(IntExpr::Argument(index)) => KeyCode::Number(usize::from(*index)),
            Expr::Int(IntExpr::Context(IntContext::Pid)) => KeyCode::Pid,
            Expr::Int(IntExpr::Context(IntContext::Tid)) => KeyCode::Tid,
            Expr::Int(expr) => KeyCode::Int(self.int(expr)),
            Expr::Str(StrExpr::Constant(bytes)) => {
                let max = self.program.options.max_string;
                let bytes = bytes.get(..max).unwrap_or(bytes);
                KeyCode::Constant(self.interner.constant(bytes).word())
            }
            Expr::Str(StrExpr::Argument {
                index,
                limit,
                otherwise: None,
                span,
            }) => KeyCode::Text {
                index: *index,
                limit: *limit,
                span: *span,
            },
            Expr::Str(expr) => KeyCode::Str(self.str(expr)),
        }
    }
}
