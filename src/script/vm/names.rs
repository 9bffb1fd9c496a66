//! What a probe is called, as strings that are kept.

use std::sync::Arc;

use super::interner::{Interner, Marks, Symbol};
use crate::event::ProbeInfo;
use crate::probe::pattern::dashed;

/// What a probe is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Its number; that of `BEGIN` is 1, of `END` 2, of `ERROR` 3, as in DTrace.
    pub id: u32,
    /// Its provider.
    pub provider: Symbol,
    /// The file that holds it.
    pub module: Symbol,
    /// The function that holds it.
    pub function: Symbol,
    /// Its name as DTrace spells it.
    pub name: Symbol,
    /// Its name as in the note.
    pub mark: Symbol,
    /// The point that fired, where it is not in a process.
    pub point: Symbol,
}

impl Names {
    /// Those of a point that is not in a process.
    pub fn of_point(
        id: u32,
        provider: &str,
        name: &str,
        point: &str,
        interner: &mut Interner,
    ) -> Names {
        Names {
            id,
            provider: interner.constant(provider.as_bytes()),
            name: interner.constant(name.as_bytes()),
            mark: interner.constant(name.as_bytes()),
            point: interner.constant(point.as_bytes()),
            ..Names::default()
        }
    }

    /// Those of a probe.
    pub fn of_probe(probe: &Arc<ProbeInfo>, interner: &mut Interner) -> Names {
        let mut keep = |text: &str| interner.intern(text.as_bytes()).unwrap_or_default();
        Names {
            id: probe.id,
            provider: keep(&probe.provider),
            module: keep(&probe.module),
            function: keep(&probe.function),
            name: keep(&dashed(&probe.name)),
            mark: keep(&probe.name),
            point: Symbol::default(),
        }
    }

    /// Marks its strings.
    pub fn mark(&self, marks: &mut Marks) {
        for symbol in [
            self.provider,
            self.module,
            self.function,
            self.name,
            self.mark,
        ] {
            marks.mark(symbol);
        }
    }
}
