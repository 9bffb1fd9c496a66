//! Reading ELF files: markers, symbols and bytes, judged by binutils and by
//! files built field by field.

pub mod builder;
mod built;
mod hostile;
mod mutated;
mod places;
mod readelf;
mod symbols;

use std::path::PathBuf;

/// Real files: this system's, and the interpreters that `tests/interpreters/fetch` fetched.
pub fn real_files() -> Vec<PathBuf> {
    let system = [
        "/usr/bin/python3.11",
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/x86_64-linux-gnu/libm.so.6",
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
    ];
    let mut files: Vec<PathBuf> = system.iter().map(PathBuf::from).collect();
    files.extend(cached_interpreters());
    files.push(std::env::current_exe().expect("own path"));
    files
}

/// The files with notes that the cache of interpreters lists.
pub fn cached_interpreters() -> Vec<PathBuf> {
    let cache = std::env::var_os("PTPYTRACE_CACHE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".cache/interpreters"),
        PathBuf::from,
    );
    let list = cache.join("interpreters.tsv");
    let text = std::fs::read_to_string(&list).unwrap_or_else(|error| {
        panic!("{}: {error}; run tests/interpreters/fetch", list.display())
    });
    let mut files: Vec<PathBuf> = text
        .lines()
        .skip(1)
        // The free-threaded one has none.
        .filter(|line| {
            line.split('\t')
                .next()
                .is_some_and(|name| !name.ends_with('t'))
        })
        .filter_map(|line| line.split('\t').nth(4).map(PathBuf::from))
        .collect();
    files.sort();
    files.dedup();
    assert!(!files.is_empty(), "{} lists nothing", list.display());
    files
}
