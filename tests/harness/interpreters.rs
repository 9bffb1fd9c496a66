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
}

fn cache() -> PathBuf {
    let fixed = std::env::var_os("PTPYTRACE_CACHE").map(PathBuf::from);
    fixed.unwrap_or_else(|| {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/interpreters"))
    })
}

/// The interpreter of that name.
pub fn interpreter(name: &str) -> Interpreter {
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
    }
}

/// Those whose function markers fire.
pub const WITH_FUNCTIONS: [&str; 3] = ["python3.9", "python3.11", "python3.15"];

/// A test program.
pub fn program_file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs")).join(name)
}
