//! What is wanted of the traced processes: compiled from the command line or a script before anything is attached,
//! and all that the tracer knows of it.
//!
//! A [`Plan`] is a list of [`Request`]s. Each names a [`Point`], what to [`Capture`] when it is hit, and what can be
//! decided on the spot ([`Test`]). A probe that several requests name is armed once; its events say which requests it
//! answers ([`crate::event::ProbeInfo::requests`]).

mod capture;
mod names;
mod point;
mod test;

pub use capture::{Capture, Texts};
pub use names::{Names, OF_FUNCTIONS};
pub use point::{FunctionPoint, MarkerPoint, Place, Point, ProcessPoint, ProviderGlob, Within};
pub use test::{Captured, Compare, Operand, Subject, Test};

use crate::cpython::Limits;
use crate::probe::MarkerPattern;

/// Which probes to arm, and how much to read at each hit.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is asked for. A request is known by its index here.
    pub requests: Vec<Request>,
    /// How much of a Python object is read.
    pub objects: Limits,
    /// Where CPython's markers come from.
    pub markers: MarkerSource,
}

/// Where CPython's markers come from ([`crate::injected`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MarkerSource {
    /// The binary's where it has them, injected ones for what it lacks.
    #[default]
    Auto,
    /// The binary's only.
    Native,
    /// Injected ones where they can be, even if the binary has its own.
    Injected,
}

/// One thing that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// In which processes and files.
    pub within: Within,
    /// At which points.
    pub point: Point,
    /// What to capture there.
    pub capture: Capture,
    /// What must hold for the event to be wanted, as far as that can be told from the captured values; `None`: it is
    /// always wanted.
    pub test: Option<Test>,
}

impl Plan {
    /// A plan that captures everything of the markers that one of these patterns matches.
    pub fn of_markers(patterns: &[MarkerPattern], max_string: usize, objects: Limits) -> Plan {
        let requests = patterns.iter().map(|pattern| Request {
            within: Within::default(),
            point: Point::Marker(MarkerPoint::of_pattern(pattern)),
            capture: Capture::everything(max_string),
            test: None,
        });
        Plan {
            requests: requests.collect(),
            objects,
            markers: MarkerSource::default(),
        }
    }

    /// Whether it asks for markers at all.
    pub fn wants_markers(&self) -> bool {
        let mut points = self.requests.iter().map(|request| &request.point);
        points.any(|point| matches!(point, Point::Marker(_)))
    }

    /// Whether a marker of this provider and name may be wanted in some process.
    pub fn wants(&self, provider: &str, name: &str) -> bool {
        self.requests.iter().any(|request| match &request.point {
            Point::Marker(marker) => marker.may_match(provider, name),
            _ => false,
        })
    }
}
