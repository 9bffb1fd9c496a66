//! What points are called that are not in a process.

use super::interner::Interner;
use super::names::Names;
use crate::script::ir::{Program, TimerName, Trigger};

/// Their names.
#[derive(Debug, Default)]
pub struct Points {
    /// The beginning.
    pub begin: Names,
    /// The end.
    pub end: Names,
    /// An error.
    pub error: Names,
    timers: Vec<(TimerName, Names)>,
}

impl Points {
    /// Those of a program; its timers are called what the language calls them.
    pub fn of(program: &Program, interner: &mut Interner) -> Points {
        let mut point =
            |id, name, point| Names::of_point(id, "dtrace", name, point, &mut *interner);
        let mut points = Points {
            begin: point(1, "BEGIN", "begin"),
            end: point(2, "END", "end"),
            error: point(3, "ERROR", "error"),
            timers: Vec::new(),
        };
        let triggers = program.handlers.iter().flat_map(|it| &it.triggers);
        for trigger in triggers {
            let Trigger::Timer(timer) = trigger else {
                continue;
            };
            if points.timers.iter().any(|(name, _)| *name == timer.name) {
                continue;
            }
            let name = program.voice.timer_name(timer.name);
            let id = u32::try_from(points.timers.len()).map_or(u32::MAX, |it| it.saturating_add(4));
            let names = Names::of_point(id, "profile", name, name, interner);
            points.timers.push((timer.name, names));
        }
        points
    }

    /// Those of a timer.
    pub fn timer(&self, name: TimerName) -> Names {
        let found = self.timers.iter().find(|(it, _)| *it == name);
        found.map_or_else(Names::default, |(_, names)| *names)
    }
}
