//! Strings taken apart call by call: D's `strtok`, SystemTap's `tokenize`.

use crate::script::builtin::{Needs, StrFunction};
use crate::script::vm::Value;

/// A string of which a part was given already.
#[derive(Debug, Default)]
pub struct Rest {
    text: Vec<u8>,
    taken: usize,
}

impl Rest {
    fn begin(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(text);
        self.taken = 0;
    }

    /// The next token that is not empty; empty when there is none.
    fn next(&mut self, delimiters: &[u8]) -> &[u8] {
        let rest = self.text.get(self.taken..).unwrap_or_default();
        let Some(start) = rest.iter().position(|it| !delimiters.contains(it)) else {
            self.taken = self.text.len();
            return b"";
        };
        let rest = rest.get(start..).unwrap_or_default();
        let length = rest.iter().position(|it| delimiters.contains(it));
        let token = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        self.taken = self.taken.saturating_add(start).saturating_add(token.len());
        token
    }
}

/// `strtok(s, delimiters)`: the first token; where `s` is no string (NULL), the next of the string before. Empty when
/// there is none.
pub static STRTOK: StrFunction = StrFunction {
    name: "strtok",
    needs: Needs::NONE,
    run: |call| {
        if let Some(Value::Str(text)) = call.arguments.first() {
            call.state.strtok.begin(text);
        }
        let delimiters = call.bytes(1);
        let token = call.state.strtok.next(delimiters);
        call.result.extend_from_slice(token);
        Ok(())
    },
};

/// `tokenize(s, delimiters)` and `tokenize(delimiters)`: the first token; where `s` is empty or not there, the next of
/// the string before. Empty when there is none.
pub static TOKENIZE: StrFunction = StrFunction {
    name: "tokenize",
    needs: Needs::NONE,
    run: |call| {
        let (text, delimiters) = match call.len() {
            0 | 1 => (&b""[..], call.bytes(0)),
            _ => (call.bytes(0), call.bytes(1)),
        };
        if !text.is_empty() {
            call.state.tokenize.begin(text);
        }
        let token = call.state.tokenize.next(delimiters);
        call.result.extend_from_slice(token);
        Ok(())
    },
};

#[cfg(test)]
mod tests {
    use super::super::trial::Trial;
    use super::super::trial::Value::{Int, Str};
    use super::*;

    #[test]
    fn strtok_goes_on_with_null() {
        let mut trial = Trial::default();
        let mut next = |s| trial.str(&STRTOK, &[s, Str(b",;")]);
        assert_eq!(next(Int(0)).as_deref(), Ok(&b""[..]));
        assert_eq!(next(Str(b",,a;b,\xff")).as_deref(), Ok(&b"a"[..]));
        assert_eq!(next(Int(0)).as_deref(), Ok(&b"b"[..]));
        assert_eq!(next(Int(0)).as_deref(), Ok(&b"\xff"[..]));
        assert_eq!(next(Int(0)).as_deref(), Ok(&b""[..]));
        assert_eq!(next(Int(0)).as_deref(), Ok(&b""[..]));
        assert_eq!(next(Str(b"c")).as_deref(), Ok(&b"c"[..]));
        assert_eq!(next(Str(b"")).as_deref(), Ok(&b""[..]));
    }

    #[test]
    fn delimiters_may_change() {
        let mut trial = Trial::default();
        let first = trial.str(&STRTOK, &[Str(b"k=v w"), Str(b"=")]);
        assert_eq!(first.as_deref(), Ok(&b"k"[..]));
        let second = trial.str(&STRTOK, &[Int(0), Str(b" =")]);
        assert_eq!(second.as_deref(), Ok(&b"v"[..]));
        let all = trial.str(&STRTOK, &[Int(0), Str(b"")]);
        assert_eq!(all.as_deref(), Ok(&b" w"[..]));
    }

    #[test]
    fn tokenize_goes_on_with_an_empty_string() {
        let mut trial = Trial::default();
        let first = trial.str(&TOKENIZE, &[Str(b"//usr/lib"), Str(b"/")]);
        assert_eq!(first.as_deref(), Ok(&b"usr"[..]));
        let second = trial.str(&TOKENIZE, &[Str(b""), Str(b"/")]);
        assert_eq!(second.as_deref(), Ok(&b"lib"[..]));
        let none = trial.str(&TOKENIZE, &[Str(b"/")]);
        assert_eq!(none.as_deref(), Ok(&b""[..]));
    }
}
