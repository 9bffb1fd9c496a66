//! Builtins: what a script can call that is not a node of the [`ir`](super::ir). A row of a table each, in the folder of
//! what it is about; a language's own table says under which name, if any, it has it.

use super::ir::Fault;
use super::vm::Call;

/// Whether a name of a script's language is there. The reference documentation says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As in the tool whose language it is.
    Supported,
    /// By other means, or not quite so: the text says what differs.
    Emulated(&'static str),
    /// Not: the text says why.
    Refused(&'static str),
}

/// What a builtin needs of the firing besides its arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The thread has to stay stopped while it runs: it reads memory at computed addresses, or changes something.
    pub hold: bool,
    /// Process ids and user ids.
    pub ids: bool,
}

impl Needs {
    /// Nothing.
    pub const NONE: Needs = Needs {
        hold: false,
        ids: false,
    };
    /// The thread has to stay stopped.
    pub const HOLD: Needs = Needs {
        hold: true,
        ids: false,
    };
}

/// A builtin that gives an integer.
pub struct IntFunction {
    /// Its name, for messages.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// What it does.
    pub run: fn(&mut Call<'_>) -> Result<i64, Fault>,
}

/// A builtin that gives a string: it writes it to [`Call::give`].
pub struct StrFunction {
    /// Its name, for messages.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// What it does.
    pub run: fn(&mut Call<'_>) -> Result<(), Fault>,
}

/// A builtin that does something and gives nothing.
pub struct Action {
    /// Its name, for messages.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// What it does.
    pub run: fn(&mut Call<'_>) -> Result<(), Fault>,
}

macro_rules! named {
    ($($kind:ident)*) => {$(
        impl std::fmt::Debug for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name)
            }
        }
    )*};
}

named!(IntFunction StrFunction Action);
