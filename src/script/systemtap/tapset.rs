//! Tapsets: the one that is shipped, and those of folders.

use std::fs;
use std::path::{Path, PathBuf};

use super::ast::File;
use super::points::Origin;
use super::preprocess::Macros;
use super::settings::Settings;
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::source::{SourceId, Sources, Span};

/// What is shipped.
const SHIPPED: &[(&str, &str)] = &[("<tapset>/python.stp", include_str!("tapset/python.stp"))];

/// The most files of a folder and those in it.
const MAX_FILES: usize = 10_000;

/// How deep folders are gone into.
const MAX_DEPTH: usize = 8;

/// Reads and parses all tapsets. `at` is where complaints point.
pub fn load(
    sources: &mut Sources,
    settings: &Settings<'_>,
    macros: &mut Macros,
    at: Span,
    diagnostics: &mut Diagnostics,
) -> Vec<(File, Origin)> {
    let mut files = Vec::new();
    for folder in &settings.tapsets {
        let mut paths = Vec::new();
        if let Err(error) = list(folder, 0, &mut paths) {
            let message = format!("-I {}: {error}", folder.display());
            diagnostics.push(Diagnostic::error(at, message));
        }
        paths.sort();
        // Macros first: all files may use them.
        paths.sort_by_key(|path| path.extension().is_some_and(|it| it != "stpm"));
        for path in paths {
            files.extend(read(sources, settings, macros, &path, at, diagnostics));
        }
    }
    let own = Settings {
        arguments: Vec::new(),
        ..settings.clone()
    };
    for (name, text) in SHIPPED {
        if let Ok(id) = sources.add(name, text.as_bytes()) {
            files.push((
                super::parse_with(sources, id, &own, &mut Macros::new()).0,
                Origin::Shipped,
            ));
        }
    }
    files
}

/// The tapset files of a folder. Folders of other architectures and kernels are SystemTap's own affair.
fn list(folder: &Path, depth: usize, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if into.len() >= MAX_FILES {
            break;
        }
        let is_tapset = path
            .extension()
            .is_some_and(|it| it == "stp" || it == "stpm");
        if path.is_dir() && depth < MAX_DEPTH && !is_for_another(&path) {
            list(&path, depth + 1, into)?;
        } else if is_tapset && path.is_file() {
            into.push(path);
        }
    }
    Ok(())
}

/// Whether a folder has the name of an architecture, a runtime or a kernel.
fn is_for_another(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|it| it.to_string_lossy().into_owned())
        .unwrap_or_default();
    let others = [
        "arm", "arm64", "bpf", "dyninst", "i386", "ia64", "linux", "mips", "powerpc", "riscv",
        "s390", "x86_64", "aarch64", "ppc64le",
    ];
    others.contains(&name.as_str()) || name.starts_with(|it: char| it.is_ascii_digit())
}

/// A file; none when there are errors in it.
fn read(
    sources: &mut Sources,
    settings: &Settings<'_>,
    macros: &mut Macros,
    path: &Path,
    at: Span,
    diagnostics: &mut Diagnostics,
) -> Option<(File, Origin)> {
    let name = path.display().to_string();
    let mut skipped = |at: Span, why: &str| {
        let message = format!("the tapset {name} is skipped: {why}");
        diagnostics.push(Diagnostic::warning(at, message));
    };
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            skipped(at, &error.to_string());
            return None;
        }
    };
    let id: SourceId = match sources.add(&name, &text) {
        Ok(id) => id,
        Err(error) => {
            skipped(at, &error.to_string());
            return None;
        }
    };
    // Tapsets may have embedded C; it is refused where a script uses it.
    let own = Settings {
        arguments: Vec::new(),
        guru: true,
        ..settings.clone()
    };
    let (file, wrong) = super::parse_with(sources, id, &own, macros);
    if let Some(error) = wrong.errors().next() {
        skipped(error.span, &error.message);
        return None;
    }
    Some((file, Origin::User))
}
