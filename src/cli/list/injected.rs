//! The markers that would be injected into an interpreter: what tracing does, without doing it.

use std::path::Path;

use crate::address::FileAddress;
use crate::cpython::availability;
use crate::elf::{Image, Note, RawNote};
use crate::injected::{self, Agent, Injected, Way};
use crate::plan::MarkerSource;
use crate::process::maps::MappedImage;

/// Those of an image, as notes at no place; none where it is no interpreter, or has no C API to call. `others` are the
/// files that a process has mapped besides, where functions of that API may lie as well.
pub(in crate::cli) fn into_image(
    (image, path): (&Image, &Path),
    source: MarkerSource,
    others: &[MappedImage],
) -> Vec<Note> {
    let Some(version) = availability::version_of(image, path).filter(|_| image.is_cpython()) else {
        return Vec::new();
    };
    let lookup = |name: &str| {
        let executable = others
            .iter()
            .find(|other| other.image.interpreter().is_some());
        let mut images = executable.map(|it| &*it.image).into_iter().chain([image]);
        images.find_map(|image| Some(image.symbol(name)?.address.0))
    };
    if Agent::lacks(injected::way(&version), &lookup).is_some() {
        return Vec::new();
    }
    let markers = injected::injectable(&version, image, source);
    markers.iter().map(note).collect()
}

fn note(marker: Injected) -> Note {
    Note {
        provider: "python".to_owned(),
        name: marker.name().to_owned(),
        location: FileAddress(0),
        semaphore: None,
        arguments: marker.arguments().to_owned(),
        raw: RawNote {
            location: 0,
            base: 0,
            semaphore: 0,
        },
    }
}

/// By what means CPython is made to tell of it, for people.
pub(super) fn means(name: &str, way: Option<Way>) -> &'static str {
    match (name, way) {
        ("gc__start" | "gc__done", _) => "by a function in gc.callbacks",
        ("import__find__load__start" | "import__find__load__done", _) => {
            "by a function in importlib"
        }
        ("audit", _) => "by an audit hook",
        (_, Some(Way::Monitoring)) => "through sys.monitoring",
        ("line", _) => "as a trace function",
        _ => "as a profile function",
    }
}
