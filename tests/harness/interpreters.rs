//! The interpreters that `tests/interpreters/fetch` has put into the cache.

use std::fs;
use std::path::PathBuf;

/// One line of `interpreters.tsv`.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// `python3.9`, `shared3.9`, `dlopen3.9` and so on.
    pub name: String,
    /// Behaves as `python`.
    pub wrapper: PathBuf,
    /// The ELF file that holds the notes.
    pub notes: PathBuf,
    /// The folder that its package was unpacked into.
    pub root: PathBuf,
}

fn cache() -> PathBuf {
    let fixed = std::env::var_os("PTPYTRACE_CACHE").map(PathBuf::from);
    fixed.unwrap_or_else(|| {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/interpreters"))
    })
}

/// An interpreter that pyenv has built on this machine (without markers), `pyenv3.9` and so on.
fn of_pyenv(name: &str) -> Option<Interpreter> {
    let release = name.strip_prefix("pyenv")?;
    let root = pyenv_versions()
        .into_iter()
        .find(|folder| folder.join(format!("bin/python{release}")).exists())?;
    let wrapper = root.join(format!("bin/python{release}"));
    Some(Interpreter {
        name: name.to_owned(),
        notes: wrapper.clone(),
        wrapper,
        root,
    })
}

/// The folders of pyenv's interpreters; none where it is not installed.
pub fn pyenv_versions() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv"));
    let folder = root.or(home).map(|root| root.join("versions"));
    let entries = folder.and_then(|folder| fs::read_dir(folder).ok());
    let entries = entries.into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The interpreter of that name.
pub fn interpreter(name: &str) -> Interpreter {
    if let Some(found) = of_pyenv(name) {
        return found;
    }
    let table = cache().join("interpreters.tsv");
    let text = fs::read_to_string(&table).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run tests/interpreters/fetch first",
            table.display()
        )
    });
    let row = text
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let row = row.into_iter().find(|row| row.first() == Some(&name));
    let row = row.unwrap_or_else(|| panic!("{} has no {name}", table.display()));
    Interpreter {
        name: name.to_owned(),
        wrapper: row[3].into(),
        notes: row[4].into(),
        root: row[5].into(),
    }
}

/// Those whose function markers fire.
pub const WITH_FUNCTIONS: [&str; 3] = ["python3.9", "python3.11", "python3.15"];

/// A test program.
pub fn program_file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs")).join(name)
}
