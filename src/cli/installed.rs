//! What is installed, as far as a SystemTap script asks: programs, their libraries, the marks that they have.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::list::injected::into_image;
use crate::elf::Image;
use crate::plan::MarkerSource;
use crate::process::maps::{ImageCache, mapped_images};
use crate::process::program;
use crate::script::systemtap::{Mark, Programs};
use crate::tracer::Launch;
use crate::tracer::hold::hold;

/// Where the dynamic linker looks when nothing else is said (ld.so(8)), and where distributions put libraries.
const LIBRARY_FOLDERS: [&str; 9] = [
    "/lib",
    "/usr/lib",
    "/lib64",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

/// `env`, which runs the program that its first argument names.
const ENV: [&str; 2] = ["/usr/bin/env", "/bin/env"];

/// This machine, and the processes that are to be attached to.
#[derive(Debug, Default)]
pub struct Installed {
    pids: Vec<i32>,
    libraries: RefCell<FxHashMap<PathBuf, Vec<PathBuf>>>,
}

impl Installed {
    /// This machine; of the programs that these processes run, the libraries are those that they have mapped.
    pub fn new(pids: &[i32]) -> Installed {
        Installed {
            pids: pids.to_vec(),
            libraries: RefCell::default(),
        }
    }

    fn mapped(&self, program: &Path) -> Vec<PathBuf> {
        let mut cache = ImageCache::new();
        let own = self.pids.iter().copied();
        if let Some(pid) = own
            .into_iter()
            .find(|pid| self.process(*pid).as_deref() == Some(program))
        {
            return paths(pid, &mut cache);
        }
        // The dynamic linker itself is asked: the program is held before its first instruction, and ended.
        let launch = Launch {
            program: program.to_owned(),
            arguments: vec![program.as_os_str().to_owned()],
        };
        hold(&launch).map_or_else(|_| Vec::new(), |held| paths(held.pid, &mut cache))
    }
}

fn paths(pid: i32, cache: &mut ImageCache) -> Vec<PathBuf> {
    let images = mapped_images(pid, cache).unwrap_or_default().images;
    images.into_iter().map(|mapped| mapped.path).collect()
}

impl Programs for Installed {
    fn resolve(&self, name: &str, library: bool) -> Option<PathBuf> {
        if library {
            return find_library(name);
        }
        let search = std::env::var_os("PATH");
        let found = program::resolve(&[name.into()], search.as_deref(), Path::new(".")).ok()?;
        let file = match found.interpreter {
            Some(interpreter) if ENV.iter().any(|env| interpreter == Path::new(env)) => {
                let wanted = by_env(&found.path)?;
                let words = [wanted.into()];
                let program = program::resolve(&words, search.as_deref(), Path::new(".")).ok()?;
                program.interpreter.unwrap_or(program.path)
            }
            Some(interpreter) => interpreter,
            None => found.path,
        };
        fs::canonicalize(file).ok()
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = if pattern.contains('/') {
            globbed(pattern)
        } else {
            let search = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&search)
                .flat_map(|folder| globbed(&folder.join(pattern).to_string_lossy()))
                .collect()
        };
        found.sort();
        found.dedup();
        found
    }

    fn marks(&self, path: &Path) -> Result<Vec<Mark>, String> {
        let image = Image::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut marks: BTreeMap<(String, String), usize> = BTreeMap::new();
        let injected = into_image((&image, path), MarkerSource::Auto, &[]);
        for note in image.notes().iter().chain(&injected) {
            let arguments = super::list::argument_specs(&note.arguments).len();
            let key = (note.provider.clone(), note.name.clone());
            let most = marks.entry(key).or_default();
            *most = arguments.max(*most);
        }
        let mark = |((provider, name), arguments)| Mark {
            provider,
            name,
            arguments,
        };
        Ok(marks.into_iter().map(mark).collect())
    }

    fn libraries(&self, program: &Path) -> Vec<PathBuf> {
        let mut known = self.libraries.borrow_mut();
        known
            .entry(program.to_owned())
            .or_insert_with(|| self.mapped(program))
            .clone()
    }

    fn process(&self, pid: i32) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{pid}/exe")).ok()
    }
}

/// The files of a pattern that can be programs.
fn globbed(pattern: &str) -> Vec<PathBuf> {
    let all = glob::glob(pattern).into_iter().flatten().flatten();
    all.filter_map(|path| fs::canonicalize(path).ok())
        .filter(|path| path.is_file())
        .collect()
}

/// The program that `env` runs for a script.
fn by_env(script: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(script)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let head = String::from_utf8_lossy(&head);
    let words = head.strip_prefix("#!")?.lines().next()?.split_whitespace();
    let name = words
        .skip(1)
        .find(|word| !word.starts_with('-') && !word.contains('='));
    name.map(str::to_owned)
}

fn find_library(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return fs::canonicalize(name).ok();
    }
    let own = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let own: Vec<PathBuf> = std::env::split_paths(&own).collect();
    let folders = own.into_iter().chain(LIBRARY_FOLDERS.map(PathBuf::from));
    folders
        .map(|folder| folder.join(OsStr::new(name)))
        .find_map(|path| fs::canonicalize(path).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn script(folder: &Path, text: &str) -> String {
        let path = folder.join("script");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        path.display().to_string()
    }

    #[test]
    fn a_script_stands_for_its_interpreter() {
        let folder = tempfile::tempdir().expect("a folder");
        let machine = Installed::default();
        let shell = fs::canonicalize("/bin/sh").expect("a shell");
        assert_eq!(machine.resolve("/bin/sh", false), Some(shell.clone()));
        assert_eq!(machine.resolve("sh", false), Some(shell.clone()));
        for line in [
            "#!/bin/sh -e\n",
            "#!/usr/bin/env sh\n",
            "#!/usr/bin/env -S sh -e\n",
        ] {
            let name = script(folder.path(), line);
            assert_eq!(machine.resolve(&name, false), Some(shell.clone()), "{line}");
        }
        assert_eq!(machine.resolve("no-such-program", false), None);
    }

    #[test]
    fn libraries_are_those_that_the_linker_maps() {
        let machine = Installed::default();
        let program = fs::canonicalize("/bin/sh").expect("a shell");
        let libraries = machine.libraries(&program);
        let has = |name: &str| libraries.iter().any(|it| it.ends_with(name));
        assert!(has("libc.so.6"), "{libraries:?}");
        assert!(machine.resolve("libc.so.6", true).is_some());
    }

    #[test]
    fn marks_are_those_of_the_notes() {
        let marks = Installed::default()
            .marks(Path::new("/usr/bin/python3.11"))
            .expect("marks");
        let entry = marks.iter().find(|it| it.name == "function__entry");
        assert_eq!(
            entry.map(|it| (it.provider.as_str(), it.arguments)),
            Some(("python", 3))
        );
        assert!(
            Installed::default()
                .marks(Path::new("/etc/passwd"))
                .is_err()
        );
    }
}
