//! Which declaration a name means.

use std::collections::HashMap;

use super::super::ast::{Function, Global};
use super::super::builtins::{self, Row};
use super::super::points::Origin;
use crate::script::source::{SourceId, Span};

/// All declarations of a script and its tapsets.
#[derive(Default)]
pub struct Declarations<'a> {
    /// Globals; `true`: of a tapset.
    pub globals: Vec<(&'a Global, bool)>,
    /// Functions.
    pub functions: Vec<(&'a Function, Origin)>,
    global_names: HashMap<&'a str, Vec<usize>>,
    function_names: HashMap<&'a str, Vec<usize>>,
}

/// What a call means.
#[derive(Clone, Copy, Debug)]
pub enum Callee {
    /// A function of the script or a tapset.
    Script(usize),
    /// A builtin.
    Builtin(&'static Row),
}

/// Why a call means nothing.
#[derive(Clone, Debug)]
pub enum NoCallee {
    /// There is no such function.
    Unknown,
    /// There is, but with other numbers of parameters.
    Arity(Vec<usize>, Option<Span>),
}

impl<'a> Declarations<'a> {
    /// Adds a global; gives the one that has its name already.
    pub fn add_global(&mut self, global: &'a Global, tapset: bool) -> Option<&'a Global> {
        let source = global.name.span.source;
        let same = self
            .global_names
            .get(global.name.text.as_str())
            .into_iter()
            .flatten();
        let clash = same
            .filter_map(|index| self.globals.get(*index))
            .find(|(it, _)| {
                it.name.span.source == source || (!it.private && !global.private && !tapset)
            })
            .map(|(it, _)| *it);
        if clash.is_none() {
            let names = self.global_names.entry(&global.name.text).or_default();
            names.push(self.globals.len());
            self.globals.push((global, tapset));
        }
        clash
    }

    /// Adds a function; gives the one that has its name and number of parameters already.
    pub fn add_function(&mut self, function: &'a Function, origin: Origin) -> Option<&'a Function> {
        let same = self
            .function_names
            .get(function.name.text.as_str())
            .into_iter()
            .flatten();
        let source = function.name.span.source;
        let clash = same
            .filter_map(|index| self.functions.get(*index))
            .find(|(it, _)| {
                it.parameters.len() == function.parameters.len() && it.name.span.source == source
            })
            .map(|(it, _)| *it);
        if clash.is_none() {
            let names = self.function_names.entry(&function.name.text).or_default();
            names.push(self.functions.len());
            self.functions.push((function, origin));
        }
        clash
    }

    /// The global that a name means in a file.
    pub fn global(&self, name: &str, source: SourceId) -> Option<usize> {
        let all = self.global_names.get(name)?;
        let of = |index: &&usize, own: bool| {
            self.globals.get(**index).is_some_and(|(global, _)| {
                let same = global.name.span.source == source;
                if own { same } else { !global.private }
            })
        };
        let own = all.iter().find(|it| of(it, true));
        own.or_else(|| all.iter().find(|it| of(it, false))).copied()
    }

    /// What a call in a file means: the script's own functions before those of tapsets, then builtins.
    ///
    /// # Errors
    /// There is none of that name, or of that number of arguments.
    pub fn callee(
        &self,
        name: &str,
        arguments: usize,
        source: SourceId,
    ) -> Result<Callee, NoCallee> {
        let all = self
            .function_names
            .get(name)
            .map_or(&[] as &[usize], Vec::as_slice);
        let visible: Vec<(usize, &Function, bool)> = all
            .iter()
            .filter_map(|index| self.functions.get(*index).map(|(it, _)| (*index, *it)))
            .filter(|(_, it)| !it.private || it.name.span.source == source)
            .map(|(index, it)| (index, it, it.name.span.source == source))
            .collect();
        let fits = |it: &&(usize, &Function, bool)| it.1.parameters.len() == arguments;
        let script = || visible.iter().filter(|it| it.1.body.is_some()).filter(fits);
        if let Some((index, ..)) = script().find(|it| it.2).or_else(|| script().next()) {
            return Ok(Callee::Script(*index));
        }
        let row = builtins::function(name);
        if let Some(row) = row {
            let types = row.types();
            let refused = matches!(row.status, builtins::Status::Refused(_));
            if refused || (types.required..=types.parameters.len()).contains(&arguments) {
                return Ok(Callee::Builtin(row));
            }
        }
        // A function of embedded C is found last: it is refused.
        if let Some((index, ..)) = visible.iter().find(|it| it.1.parameters.len() == arguments) {
            return Ok(Callee::Script(*index));
        }
        let mut counts: Vec<usize> = visible.iter().map(|it| it.1.parameters.len()).collect();
        counts.extend(row.map(|row| row.types().parameters.len()));
        if counts.is_empty() {
            return Err(NoCallee::Unknown);
        }
        Err(NoCallee::Arity(
            counts,
            visible.first().map(|it| it.1.name.span),
        ))
    }

    /// The names of all functions.
    pub fn function_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.function_names.keys().copied().collect();
        for name in builtins::names(builtins::Kind::Function) {
            names.push(name);
        }
        names
    }
}
