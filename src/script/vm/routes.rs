//! Which handlers run for a probe: worked out once for each probe, so that an event costs no search.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::interner::{Interner, Marks};
use super::names::Names;
use crate::event::ProbeInfo;

/// The most probes that are remembered; then all are worked out again.
const MAX_PROBES: usize = 1 << 16;

/// What a probe means to a Python call stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PythonCall {
    /// A function is entered.
    Enter,
    /// It is left.
    Leave,
    /// Nothing.
    Neither,
}

/// What is known of a probe.
#[derive(Debug)]
pub struct Route {
    /// What it is called.
    pub names: Names,
    /// Which handlers run for it, ascending.
    pub handlers: Box<[usize]>,
    /// Whether the variables of the firing are to be as they begin.
    pub fresh: bool,
    /// What it means to a Python call stack.
    pub python: PythonCall,
    /// Keeps the address from being used for another.
    _probe: Arc<ProbeInfo>,
}

/// What is known of all probes that have fired.
#[derive(Debug)]
pub struct Routes {
    /// For each request of the plan the handler that it is for.
    requests: Vec<usize>,
    /// For each handler whether it needs such variables.
    needs_fresh: Vec<bool>,
    routes: Vec<Route>,
    by_address: FxHashMap<usize, usize>,
    /// The last two that fired, by address: calls and returns take turns.
    last: [(usize, usize); 2],
}

fn address(probe: &Arc<ProbeInfo>) -> usize {
    Arc::as_ptr(probe).addr()
}

impl Routes {
    /// None has fired yet.
    pub fn new(requests: Vec<usize>, needs_fresh: Vec<bool>) -> Routes {
        Routes {
            requests,
            needs_fresh,
            routes: Vec::new(),
            by_address: FxHashMap::default(),
            last: [(0, 0); 2],
        }
    }

    /// Where it is known what there is to know of a probe.
    #[inline]
    pub fn of(&mut self, probe: &Arc<ProbeInfo>, interner: &mut Interner) -> usize {
        let address = address(probe);
        let known = self.last.iter().find(|(last, _)| *last == address);
        match known {
            Some((_, index)) => *index,
            None => self.find(address, probe, interner),
        }
    }

    /// What is known there.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&Route> {
        self.routes.get(index)
    }

    /// The handler of that number that runs for the probe.
    #[inline]
    pub fn handler(&self, index: usize, number: usize) -> Option<usize> {
        self.routes.get(index)?.handlers.get(number).copied()
    }

    fn find(&mut self, address: usize, probe: &Arc<ProbeInfo>, interner: &mut Interner) -> usize {
        let index = match self.by_address.get(&address) {
            Some(index) => *index,
            None => self.add(address, probe, interner),
        };
        self.last.swap(0, 1);
        self.last[0] = (address, index);
        index
    }

    fn add(&mut self, address: usize, probe: &Arc<ProbeInfo>, interner: &mut Interner) -> usize {
        if self.routes.len() >= MAX_PROBES {
            self.routes.clear();
            self.by_address.clear();
            self.last = [(0, 0); 2];
        }
        let requests = probe.requests.iter();
        let handler = |request: &usize| self.requests.get(*request).copied();
        let mut handlers: Vec<usize> = requests.filter_map(handler).collect();
        handlers.sort_unstable();
        handlers.dedup();
        let fresh = |handler: &usize| self.needs_fresh.get(*handler).is_none_or(|it| *it);
        let index = self.routes.len();
        self.routes.push(Route {
            fresh: handlers.iter().any(fresh),
            names: Names::of_probe(probe, interner),
            handlers: handlers.into(),
            python: python(probe),
            _probe: Arc::clone(probe),
        });
        self.by_address.insert(address, index);
        index
    }

    /// Marks the strings of names.
    pub fn mark(&self, marks: &mut Marks) {
        self.routes.iter().for_each(|route| route.names.mark(marks));
    }
}

fn python(probe: &ProbeInfo) -> PythonCall {
    match (probe.provider.as_str(), probe.name.as_str()) {
        ("python", "function__entry") => PythonCall::Enter,
        ("python", "function__return") => PythonCall::Leave,
        _ => PythonCall::Neither,
    }
}
