//! Formats other than a report's own text: a file each.

pub mod json;
