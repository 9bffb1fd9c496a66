//! The table of all that SystemTap scripts can name: functions, operators, probe points, limits. It says what each is
//! here, and drives how functions are found. The reference documentation is checked against it.

mod functions;
mod language;

pub use crate::script::builtin::Status;
use crate::script::builtin::{Action, IntFunction, StrFunction};
use crate::script::ir::{IntContext, StrContext, Type};

/// What kind of name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A function.
    Function,
    /// An operator or context variable that begins with `@` or `$`.
    Operator,
    /// A probe point.
    Point,
    /// A limit that `-D` sets.
    Limit,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// What kind of name it is.
    pub kind: Kind,
    /// The name.
    pub name: &'static str,
    /// As it is declared: `name:result (parameter:type, … [, optional:type])`; other kinds: how it is written.
    pub signature: &'static str,
    /// What it is here.
    pub status: Status,
    /// What it does, in a line.
    pub doc: &'static str,
    /// What it becomes.
    pub does: Does,
}

/// What a row becomes in the program.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// Nothing by itself: it is refused, in a tapset, or part of the grammar.
    Nothing,
    /// A builtin that gives an integer.
    Int(&'static IntFunction),
    /// A builtin that gives a string.
    Str(&'static StrFunction),
    /// A builtin that gives nothing.
    Act(&'static Action),
    /// An integer about the firing, divided by that.
    IntContext(IntContext, i64),
    /// A string about the firing.
    StrContext(StrContext),
    /// A number.
    Constant(i64),
    /// Something of its own.
    Special(Special),
}

/// Functions that are lowered each in their own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// `user_string` and relatives: the string at an address.
    UserString {
        /// The second argument is the most bytes.
        limited: bool,
    },
    /// `exit`
    Exit,
    /// `abort`
    Abort,
    /// `error`
    Error,
    /// `assert`
    Assert,
    /// Prints its argument.
    Print,
    /// Prints the native stack.
    PrintStack,
    /// Gives its argument.
    Same,
    /// `is_return`
    IsReturn,
    /// `matched`
    Matched,
    /// `long_arg` and relatives: bits, signed.
    Argument(u8, bool),
    /// `returnval`
    ReturnValue,
    /// `module_name`
    ModuleName,
    /// `matched_str`
    MatchedAll,
}

/// A parameter or result as a signature has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The result; `None`: nothing.
    pub result: Option<Type>,
    /// The parameters.
    pub parameters: Vec<Type>,
    /// How many of them must be given.
    pub required: usize,
}

impl Row {
    /// The parameters and result of a function.
    pub fn types(&self) -> Signature {
        let (head, rest) = self
            .signature
            .split_once('(')
            .unwrap_or((self.signature, ""));
        let list = rest.trim_end_matches([')', ' ']);
        let ty = |text: &str| match text
            .split_once(':')
            .map(|(_, ty)| ty.trim_end_matches(']').trim())
        {
            Some("long") => Some(Type::Int),
            Some("string") => Some(Type::Str),
            _ => None,
        };
        let (required, optional) = list.split_once('[').unwrap_or((list, ""));
        let types = |list: &str| list.split(',').filter_map(ty).collect::<Vec<Type>>();
        let mut parameters = types(required);
        let required = parameters.len();
        parameters.extend(types(optional));
        Signature {
            result: ty(head.trim()),
            parameters,
            required,
        }
    }

    /// Whether it is there in guru mode only.
    pub fn needs_guru(&self) -> bool {
        self.name == "raise"
    }

    /// Whether calling it changes nothing, so that it may be left out when its value is not used.
    pub fn is_pure(&self) -> bool {
        let remembers = ["thread_indent", "indent", "tokenize", "randint"];
        self.types().result.is_some()
            && !remembers.contains(&self.name)
            && !self.name.ends_with("_warn")
    }
}

/// All rows.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    functions::FUNCTIONS.iter().chain(language::LANGUAGE)
}

/// A function by its name.
pub fn function(name: &str) -> Option<&'static Row> {
    functions::FUNCTIONS.iter().find(|row| row.name == name)
}

/// A limit, an operator or a point by its name.
pub fn named(kind: Kind, name: &str) -> Option<&'static Row> {
    language::LANGUAGE
        .iter()
        .find(|row| row.kind == kind && row.name == name)
}

/// The names of a kind.
pub fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    rows()
        .filter(move |row| row.kind == kind)
        .map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_say_types() {
        let types = function("user_string").expect("it is there").types();
        assert_eq!(types.result, Some(Type::Str));
        assert_eq!(types.parameters, [Type::Int, Type::Str]);
        assert_eq!(types.required, 1);
        let types = function("substr").expect("it is there").types();
        assert_eq!(types.parameters, [Type::Str, Type::Int, Type::Int]);
        assert_eq!(types.required, 3);
        let types = function("exit").expect("it is there").types();
        assert_eq!((types.result, types.parameters.len()), (None, 0));
        let types = function("tokenize").expect("it is there").types();
        assert_eq!((types.parameters.len(), types.required), (2, 1));
    }

    #[test]
    fn names_are_told_once_and_explained() {
        let mut seen = std::collections::HashSet::new();
        for row in rows() {
            assert!(
                seen.insert((format!("{:?}", row.kind), row.name)),
                "{} twice",
                row.name
            );
            assert!(
                !row.doc.is_empty() && !row.doc.ends_with('.'),
                "{}",
                row.name
            );
            if row.kind == Kind::Function {
                assert!(row.signature.starts_with(row.name), "{}", row.signature);
                let refused = matches!(row.status, Status::Refused(_));
                assert!(
                    refused != !matches!(row.does, Does::Nothing),
                    "{}",
                    row.name
                );
            }
        }
    }
}
