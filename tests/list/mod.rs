//! `-l`: what is listed of files and of processes, and what is said of those
//! that cannot be listed.

mod errors;
mod files;
mod processes;

use std::path::{Path, PathBuf};

use ptpytrace::cli::list::{ListOptions, ListReport, list_files};
use ptpytrace::plan::MarkerSource;
use ptpytrace::probe::MarkerPattern;

/// The folder of the interpreters that `tests/interpreters/fetch` fetched.
pub fn cache() -> PathBuf {
    let cache = std::env::var_os("PTPYTRACE_CACHE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".cache/interpreters"),
        PathBuf::from,
    );
    let list = cache.join("interpreters.tsv");
    assert!(
        list.is_file(),
        "{} is missing; run tests/interpreters/fetch",
        list.display()
    );
    cache
}

pub fn options(flags: &str, patterns: &[&str]) -> ListOptions {
    ListOptions {
        verbose: flags.contains('v'),
        json: flags.contains('j'),
        patterns: patterns
            .iter()
            .map(|text| MarkerPattern::parse(text).expect("a pattern"))
            .collect(),
        source: if flags.contains('n') {
            MarkerSource::Native
        } else {
            MarkerSource::Auto
        },
    }
}

/// What is written for files, and the report.
pub fn list(paths: &[&Path], options: &ListOptions) -> (String, ListReport) {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    let mut out = Vec::new();
    let report = list_files(&paths, options, &mut out).expect("written");
    (String::from_utf8(out).expect("UTF-8"), report)
}

/// The errors of a report as texts.
pub fn errors(report: &ListReport) -> Vec<String> {
    report.errors.iter().map(ToString::to_string).collect()
}
