//! The interpreters without markers of their own: Debian's from the cache, the free-threaded one that is built there, and whatever pyenv has built on this
//! machine (without `--with-dtrace`).

use std::path::{Path, PathBuf};

use crate::harness::interpreters::{interpreter, pyenv_versions};

/// An interpreter that gets injected markers.
#[derive(Clone, Debug)]
pub struct Python {
    /// For failures.
    pub name: String,
    /// Its minor version.
    pub minor: u32,
    /// What to run.
    pub path: PathBuf,
}

impl Python {
    /// One of the cache.
    pub fn cached(name: &str) -> Python {
        let (_, minor) = name.rsplit_once('.').expect("a version");
        Python {
            name: name.to_owned(),
            minor: minor
                .trim_end_matches('t')
                .parse()
                .expect("a minor version"),
            path: interpreter(name).wrapper,
        }
    }
}

/// The free-threaded build: without a GIL, and without markers.
pub const FREE_THREADED: &str = "python3.13t";

/// Those of pyenv, where it is; the oldest that is told here is the first.
pub fn of_pyenv(first: u32) -> Vec<Python> {
    let mut found: Vec<Python> = pyenv_versions()
        .iter()
        .filter_map(|folder| of_version(folder))
        .filter(|python| python.minor >= first)
        .collect();
    found.sort_by_key(|python| python.minor);
    found
}

fn of_version(folder: &Path) -> Option<Python> {
    let name = folder.file_name()?.to_str()?;
    let minor = name.strip_prefix("3.")?.split('.').next()?.parse().ok()?;
    let path = folder.join(format!("bin/python3.{minor}"));
    path.exists().then(|| Python {
        name: format!("pyenv {name}"),
        minor,
        path,
    })
}
