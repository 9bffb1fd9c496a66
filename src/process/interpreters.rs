//! Other Python interpreters on this machine, so that "no markers in this build" can name one that has them.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::program::folders;

/// How many folders are looked into.
const MAX_FOLDERS: usize = 100;

/// How many entries of all folders together are looked at.
const MAX_ENTRIES: usize = 50_000;

/// How many interpreters are asked for their markers.
const MAX_INTERPRETERS: usize = 50;

/// Where interpreters are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The variable `PATH`.
    pub search: Option<OsString>,
    /// The home folder, for pyenv's versions.
    pub home: Option<PathBuf>,
    /// The root of the file system, which stands in front of `usr/bin`, `usr/local/bin` and `opt/*/bin`.
    pub root: PathBuf,
}

impl Places {
    /// As the environment has them.
    pub fn from_environment() -> Places {
        Places {
            search: std::env::var_os("PATH"),
            home: std::env::var_os("HOME").map(PathBuf::from),
            root: PathBuf::from("/"),
        }
    }

    /// The folders in the order in which they are looked into.
    fn folders(&self) -> Vec<PathBuf> {
        let search = self.search.as_deref().unwrap_or(OsStr::new(""));
        // An empty or relative element depends on where one stands; such a name helps nobody.
        let on_path = folders(search).filter(|folder| folder.is_absolute());
        let mut all: Vec<PathBuf> = on_path.map(Path::to_path_buf).collect();
        all.extend(["usr/bin", "usr/local/bin"].map(|folder| self.root.join(folder)));
        all.extend(bins_below(&self.root.join("opt")));
        if let Some(home) = &self.home {
            all.extend(bins_below(&home.join(".pyenv/versions")));
        }
        all.truncate(MAX_FOLDERS);
        all
    }
}

/// The interpreters for which `has_markers` says yes, each file once (by its inode, under the first of its names), in
/// the order of [`Places`]: `PATH` first. Only ELF files named `python3…` count; the scripts that pyenv and others put
/// on the `PATH` in place of interpreters do not. The work is bounded.
pub fn with_markers(has_markers: &dyn Fn(&Path) -> bool, places: &Places) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let mut entries = MAX_ENTRIES;
    let mut candidates = Vec::new();
    for folder in places.folders() {
        for path in named_python(&folder, &mut entries) {
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            let new = seen.insert((metadata.dev(), metadata.ino()));
            if new && metadata.is_file() && is_elf(&path) {
                candidates.push(path);
            }
        }
    }
    candidates.truncate(MAX_INTERPRETERS);
    candidates.retain(|path| has_markers(path));
    candidates
}

/// `FOLDER/*/bin`, in the order of their names.
fn bins_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let found = entries.filter_map(Result::ok).take(MAX_ENTRIES);
    let mut bins: Vec<PathBuf> = found.map(|entry| entry.path().join("bin")).collect();
    bins.sort();
    bins
}

/// The interpreters' names in a folder, in their order; takes what it reads from `left`.
fn named_python(folder: &Path, left: &mut usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for entry in entries.take(*left).filter_map(Result::ok) {
        *left = left.saturating_sub(1);
        if entry.file_name().to_str().is_some_and(is_interpreter) {
            names.push(entry.path());
        }
    }
    names.sort();
    names
}

/// `python3`, `python3.13`, `python3.13t`, `python3-dbg`, but not `python3-config`.
fn is_interpreter(name: &str) -> bool {
    let Some(version) = name.strip_prefix("python3") else {
        return false;
    };
    let version = version.strip_suffix("-dbg").unwrap_or(version);
    let flags = version.trim_start_matches(|it: char| it.is_ascii_digit() || it == '.');
    let number = version.strip_suffix(flags).unwrap_or("");
    !number.ends_with('.') && flags.len() <= 2 && flags.bytes().all(|it| it.is_ascii_lowercase())
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A file system of a few interpreters, each file holding ELF's magic number and then `content`.
    fn machine() -> (tempfile::TempDir, Places) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let file = |path: &str, content: &[u8]| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, content).expect("written");
        };
        file("usr/bin/python3.11", b"\x7fELFyes");
        file("usr/bin/python3.9", b"\x7fELFno");
        file("usr/bin/python3-config", b"\x7fELFyes");
        file("usr/bin/python2.7", b"\x7fELFyes");
        file("shims/python3", b"#!/bin/sh\n# yes");
        file("shims/python3.12", b"\x7fEL");
        file("usr/local/bin/python3.13t", b"\x7fELFyes");
        file("opt/one/bin/python3-dbg", b"\x7fELFyes");
        file("opt/two/other", b"");
        file("home/.pyenv/versions/3.14.0/bin/python3.14", b"\x7fELFyes");
        fs::create_dir_all(root.path().join("usr/bin/python3.7")).expect("created");
        symlink("python3.11", root.path().join("usr/bin/python3")).expect("linked");
        symlink("nowhere", root.path().join("usr/bin/python3.8")).expect("linked");
        symlink(
            "../../../opt/one/bin/python3-dbg",
            root.path().join("usr/local/bin/python3.10"),
        )
        .expect("linked");
        let search = format!(":relative:{0}/shims:{0}/usr/bin", root.path().display());
        let places = Places {
            search: Some(search.into()),
            home: Some(root.path().join("home")),
            root: root.path().to_path_buf(),
        };
        (root, places)
    }

    fn found(root: &Path, places: &Places, content: &str) -> Vec<String> {
        let wanted = |path: &Path| {
            fs::read(path)
                .expect("readable")
                .ends_with(content.as_bytes())
        };
        let found = with_markers(&wanted, places);
        let below = |path: &PathBuf| {
            path.strip_prefix(root)
                .expect("below the root")
                .display()
                .to_string()
        };
        found.iter().map(below).collect()
    }

    #[test]
    fn each_interpreter_with_markers_is_named_once_and_no_script_is() {
        let (root, places) = machine();
        let expected = [
            "usr/bin/python3",
            "usr/local/bin/python3.10",
            "usr/local/bin/python3.13t",
            "home/.pyenv/versions/3.14.0/bin/python3.14",
        ];
        assert_eq!(found(root.path(), &places, "yes"), expected);
        assert_eq!(found(root.path(), &places, "no"), ["usr/bin/python3.9"]);
        assert!(found(root.path(), &places, "neither").is_empty());
    }

    #[test]
    fn without_path_and_home_the_usual_folders_are_left() {
        let (root, mut places) = machine();
        (places.search, places.home) = (None, None);
        let expected = [
            "usr/bin/python3",
            "usr/local/bin/python3.10",
            "usr/local/bin/python3.13t",
        ];
        assert_eq!(found(root.path(), &places, "yes"), expected);
        places.root = root.path().join("empty");
        assert!(found(root.path(), &places, "yes").is_empty());
    }

    #[test]
    fn names_of_interpreters() {
        for name in [
            "python3",
            "python3.9",
            "python3.13t",
            "python3.13td",
            "python3.11-dbg",
            "python3d",
        ] {
            assert!(is_interpreter(name), "{name}");
        }
        for name in [
            "python",
            "python2",
            "python3-config",
            "python3.11-config",
            "python3.11-dbg-config",
            "python3.py",
            "xpython3",
        ] {
            assert!(!is_interpreter(name), "{name}");
        }
    }
}
