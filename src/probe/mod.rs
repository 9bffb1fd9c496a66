//! Markers as a user speaks of them: patterns that choose them, the argument
//! names that their notes do not give, and the catalog that joins the sites of
//! one marker across images.

pub mod catalog;
pub mod glob;
pub mod known;
pub mod pattern;

pub use catalog::{Probe, Site, catalog};
pub use known::{ArgType, Argument, KnownMarker, argument_names};
pub use pattern::{MarkerPattern, PatternError};
