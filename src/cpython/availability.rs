//! Which build and version has which markers, and what to say when a wanted one is missing.

use std::path::Path;

use super::{Build, SymbolSource, Version};
use crate::elf::Image;
use crate::process::interpreters::{Places, with_markers};

/// The dynamic symbols of an image, at the addresses of its file.
struct FileSymbols<'a>(&'a Image);

impl SymbolSource for FileSymbols<'_> {
    fn symbol(&self, name: &str) -> Option<u64> {
        Some(self.0.symbol(name)?.address.0)
    }
}

/// The version of the CPython that an image holds; `None` when it holds none, or one that is not recognised.
pub fn version_of(image: &Image, path: &Path) -> Option<Version> {
    if !image.is_cpython() {
        return None;
    }
    let path = path.to_string_lossy();
    Version::recognise(&Build {
        symbols: &FileSymbols(image),
        memory: image,
        soname: image.soname(),
        path: Some(&path),
    })
    .ok()
}

/// Markers that are absent from a range of versions although the build has others: a row a marker.
const GAPS: &[(&str, u8, u8, &str)] = &[
    (
        "function__entry",
        12,
        14,
        "CPython 3.12 to 3.14 have no function markers (3.6 to 3.11 and 3.15 have them)",
    ),
    (
        "function__return",
        12,
        14,
        "CPython 3.12 to 3.14 have no function markers (3.6 to 3.11 and 3.15 have them)",
    ),
    (
        "line",
        12,
        255,
        "CPython 3.12 and later have no marker `line` (3.6 to 3.11 have it)",
    ),
    (
        "import__find__load__start",
        0,
        6,
        "CPython has import markers since 3.7",
    ),
    (
        "import__find__load__done",
        0,
        6,
        "CPython has import markers since 3.7",
    ),
    ("audit", 0, 7, "CPython has the marker `audit` since 3.8"),
];

/// The markers that CPython 3.11.0 must not be asked for: with the semaphore of `line` up it crashes
/// (python/cpython issue 98894), and without that `function__entry` does not fire.
pub fn crashes(version: &Version, name: &str) -> bool {
    version.is((3, 11, 0)) && matches!(name, "line" | "function__entry")
}

/// What is said about those.
pub const CRASHES: &str = "CPython 3.11.0 crashes when `line` or `function__entry` is observed (python/cpython issue 98894): \
     they are left alone; take 3.11.1 or later";

/// Why a CPython has no site for a wanted marker, and what to do. `wanted` says which markers are wanted; `None` when
/// nothing that is known is missing.
pub fn missing(image: &Image, path: &Path, wanted: &dyn Fn(&str) -> bool) -> Option<String> {
    let has = |name: &str| {
        let mut notes = image.notes().iter();
        notes.any(|note| note.provider == "python" && note.name == name)
    };
    let version = version_of(image, path);
    let described = match &version {
        Some(version) => format!("{} (CPython {version})", path.display()),
        None => path.display().to_string(),
    };
    if !image.notes().iter().any(|note| note.provider == "python") {
        let advice = advice(wanted);
        return Some(format!(
            "{described} was built without --with-dtrace: it has no markers. {advice}"
        ));
    }
    let minor = version.map(|version| version.minor)?;
    let mut reasons: Vec<&str> = GAPS
        .iter()
        .filter(|(name, first, last, _)| {
            (*first..=*last).contains(&minor) && wanted(name) && !has(name)
        })
        .map(|(_, _, _, reason)| *reason)
        .collect();
    reasons.dedup();
    if reasons.is_empty() {
        return None;
    }
    let advice = advice(wanted);
    Some(format!("{described}: {}. {advice}", reasons.join("; ")))
}

/// Names an interpreter of this machine that has a wanted marker.
fn advice(wanted: &dyn Fn(&str) -> bool) -> String {
    let has = |path: &Path| {
        Image::open(path).is_ok_and(|image| {
            image
                .notes()
                .iter()
                .any(|note| note.provider == "python" && wanted(&note.name))
        })
    };
    let found = with_markers(&has, &Places::from_environment());
    match found.first() {
        Some(path) => format!("On this machine {} has what is wanted.", path.display()),
        None => "No interpreter on this machine has what is wanted; Debian's and Fedora's python3 packages have \
                 markers."
            .to_owned(),
    }
}
