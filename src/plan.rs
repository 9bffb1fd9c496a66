//! What is wanted of the traced processes: compiled from the command line before anything is attached, and all
//! that the tracer knows of it.

use crate::cpython::Limits;
use crate::probe::pattern::MarkerPattern;

/// Which markers to arm, and how much to read at each hit.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A marker is armed when one of these matches it.
    pub markers: Vec<MarkerPattern>,
    /// The most bytes that are read of a string.
    pub max_string: usize,
    /// How much of a Python object is read.
    pub objects: Limits,
}

impl Plan {
    /// Whether this marker is wanted.
    pub fn wants(&self, provider: &str, name: &str) -> bool {
        self.markers
            .iter()
            .any(|pattern| pattern.matches(provider, name))
    }
}
