//! What is known of the sites of a file (`fastpath::diversion::survey`), found out on a thread of its own: it takes some
//! tens of milliseconds, during which the program is served by traps.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use rustc_hash::FxHashMap;

use crate::address::FileAddress;
use crate::elf::Image;
use crate::fastpath::diversion::{Code, SiteFacts, survey};

/// The facts of a file's sites, by their addresses in the file.
pub type Facts = FxHashMap<FileAddress, SiteFacts>;

/// The files that were surveyed. A survey is of the file as it was mapped: the image is kept with it.
#[derive(Debug, Default)]
pub struct Surveys {
    known: FxHashMap<PathBuf, Vec<(Arc<Image>, State)>>,
}

#[derive(Debug)]
enum State {
    Pending(Receiver<Facts>),
    Ready(Arc<Facts>),
}

impl State {
    /// Takes the result if it is there, or with `wait` when it is; `None` when it is not known yet.
    fn facts(&mut self, wait: bool) -> Option<&Arc<Facts>> {
        if let State::Pending(receiver) = self {
            let facts = match wait {
                true => receiver.recv().ok(),
                false => match receiver.try_recv() {
                    Err(crossbeam_channel::TryRecvError::Empty) => return None,
                    other => other.ok(),
                },
            };
            // A survey that failed knows nothing.
            *self = State::Ready(Arc::new(facts.unwrap_or_default()));
        }
        match self {
            State::Ready(facts) => Some(facts),
            State::Pending(_) => None,
        }
    }
}

impl Surveys {
    /// Begins with a file, unless that was done.
    pub fn begin(&mut self, path: &Path, image: &Arc<Image>) {
        let known = self.known.entry(path.to_owned()).or_default();
        if known.iter().any(|(it, _)| Arc::ptr_eq(it, image)) {
            return;
        }
        let (sender, receiver) = bounded(1);
        let surveyed = Arc::clone(image);
        thread::spawn(move || {
            let _ = sender.send(facts(&surveyed)); // the tracer may have ended
        });
        known.push((Arc::clone(image), State::Pending(receiver)));
    }

    /// What is known of a file's sites; `None` when that is not known yet, and `wait` is false.
    pub fn facts(&mut self, path: &Path, image: &Arc<Image>, wait: bool) -> Option<Arc<Facts>> {
        self.begin(path, image);
        let known = self.known.get_mut(path)?;
        let (_, state) = known.iter_mut().find(|(it, _)| Arc::ptr_eq(it, image))?;
        state.facts(wait).map(Arc::clone)
    }

    /// Whether a file of this path is still being surveyed.
    pub fn is_pending(&mut self, path: &Path) -> bool {
        let states = self.known.get_mut(path).into_iter().flatten();
        states
            .map(|(_, state)| state)
            .any(|it| it.facts(false).is_none())
    }
}

fn facts(image: &Image) -> Facts {
    let Some(code) = Code::of(image) else {
        return Facts::default();
    };
    let sites: Vec<FileAddress> = image.notes().iter().map(|note| note.location).collect();
    let found = survey(&code, &sites, &|range| image.has_symbol_within(&range));
    sites.into_iter().zip(found).collect()
}
