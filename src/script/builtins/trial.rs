//! Calls builtins in tests.

use ptpytrace_arch::ReadMemory;

use super::State;
use crate::event::Event;
use crate::script::builtin::{Action, IntFunction, StrFunction};
use crate::script::ir::Fault;
use crate::script::vm::Call;
pub use crate::script::vm::Value;

/// What a builtin is called in, and what it did.
#[derive(Default)]
pub struct Trial<'a> {
    pub time: u64,
    pub event: Option<&'a Event>,
    pub memory: Option<&'a dyn ReadMemory>,
    pub state: State,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    pub signals: Vec<i32>,
}

impl Trial<'_> {
    fn with<R>(
        &mut self,
        arguments: &[Value<'_>],
        result: &mut Vec<u8>,
        run: impl FnOnce(&mut Call<'_>) -> R,
    ) -> R {
        run(&mut Call {
            arguments,
            result,
            time: self.time,
            event: self.event,
            memory: self.memory,
            state: &mut self.state,
            out: &mut self.out,
            err: &mut self.err,
            signals: &mut self.signals,
        })
    }

    /// What a function gives.
    pub fn int(&mut self, function: &IntFunction, arguments: &[Value<'_>]) -> Result<i64, Fault> {
        self.with(arguments, &mut Vec::new(), function.run)
    }

    /// What a function gives. It has to leave alone what was given before.
    pub fn str(
        &mut self,
        function: &StrFunction,
        arguments: &[Value<'_>],
    ) -> Result<Vec<u8>, Fault> {
        let mut result = b"kept/".to_vec();
        self.with(arguments, &mut result, function.run)?;
        assert_eq!(&result[..5], b"kept/");
        Ok(result.split_off(5))
    }

    /// Does it.
    pub fn act(&mut self, action: &Action, arguments: &[Value<'_>]) -> Result<(), Fault> {
        self.with(arguments, &mut Vec::new(), action.run)
    }
}

/// Checks a table of arguments and results.
pub fn check_int(function: &IntFunction, table: &[(&[Value<'_>], i64)]) {
    for (arguments, expected) in table {
        let given = Trial::default().int(function, arguments);
        assert_eq!(given, Ok(*expected), "{function:?}{arguments:?}");
    }
}

/// Checks a table of arguments and results.
pub fn check_str(function: &StrFunction, table: &[(&[Value<'_>], &[u8])]) {
    for (arguments, expected) in table {
        let given = Trial::default().str(function, arguments);
        assert_eq!(
            given.as_deref().map(String::from_utf8_lossy),
            Ok(String::from_utf8_lossy(expected)),
            "{function:?}{arguments:?}"
        );
    }
}
