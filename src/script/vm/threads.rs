//! What is kept for each thread while it lives.

use rustc_hash::FxHashMap;

use super::interner::Symbol;
use super::python_stack::PythonStack;
use super::table::Table;

/// What one thread has.
#[derive(Debug, Default)]
pub struct Thread {
    /// Its integer variables.
    pub ints: Vec<i64>,
    /// Its string variables.
    pub strs: Vec<Symbol>,
    /// Its arrays.
    pub arrays: Vec<Table<i64>>,
    /// Its Python calls.
    pub python: PythonStack,
    /// How far its rows are indented.
    pub indent: usize,
}

/// How a thread begins.
#[derive(Debug, Default)]
pub struct Template {
    /// Its integer variables.
    pub ints: Vec<i64>,
    /// Its string variables; constants.
    pub strs: Vec<Symbol>,
    /// How many words the keys of its arrays have.
    pub arrays: Vec<usize>,
}

impl Template {
    fn thread(&self) -> Thread {
        Thread {
            ints: self.ints.clone(),
            strs: self.strs.clone(),
            arrays: self.arrays.iter().map(|width| Table::new(*width)).collect(),
            python: PythonStack::default(),
            indent: 0,
        }
    }
}

/// All threads for which something is kept.
#[derive(Debug, Default)]
pub struct Threads {
    template: Template,
    slots: Vec<Thread>,
    index: FxHashMap<i32, usize>,
    free: Vec<usize>,
    /// The last one that was asked for.
    last: Option<(i32, usize)>,
    /// Stands in for a slot that is not there.
    nobody: Thread,
}

impl Threads {
    /// None yet.
    pub fn new(template: Template) -> Threads {
        Threads {
            nobody: template.thread(),
            template,
            ..Threads::default()
        }
    }

    /// The thread of that id; it begins when it is asked for.
    #[inline]
    pub fn of(&mut self, tid: i32) -> &mut Thread {
        let slot = match self.last {
            Some((last, slot)) if last == tid => slot,
            _ => self.find(tid),
        };
        self.slots.get_mut(slot).unwrap_or(&mut self.nobody)
    }

    fn find(&mut self, tid: i32) -> usize {
        let slot = match self.index.get(&tid) {
            Some(slot) => *slot,
            None => self.add(tid),
        };
        self.last = Some((tid, slot));
        slot
    }

    fn add(&mut self, tid: i32) -> usize {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(self.template.thread());
                self.slots.len().saturating_sub(1)
            }
        };
        self.index.insert(tid, slot);
        slot
    }

    /// The thread has ended.
    pub fn end(&mut self, tid: i32) {
        self.last = None;
        let Some(slot) = self.index.remove(&tid) else {
            return;
        };
        if let Some(thread) = self.slots.get_mut(slot) {
            *thread = self.template.thread();
            self.free.push(slot);
        }
    }

    /// For how many something is kept.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Every thread.
    pub fn iter(&self) -> impl Iterator<Item = &Thread> {
        self.slots.iter()
    }
}
