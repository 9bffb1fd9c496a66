//! What ptpytrace wrote as JSON, line by line.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// One firing.
#[derive(Clone, Debug)]
pub struct Fired {
    /// The process.
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// The marker's name.
    pub probe: String,
    /// Its arguments by name.
    pub args: Value,
}

impl Fired {
    /// A string argument.
    pub fn text(&self, name: &str) -> &str {
        self.args[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} is no string: {self:?}"))
    }

    /// A number argument.
    pub fn number(&self, name: &str) -> i64 {
        self.args[name]
            .as_i64()
            .unwrap_or_else(|| panic!("{name} is no number: {self:?}"))
    }
}

/// All firings in a file of `-f json`.
pub fn read(file: &Path) -> Vec<Fired> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> Fired {
    let mut value: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let number = |name: &str| {
        value[name]
            .as_i64()
            .unwrap_or_else(|| panic!("{name}: {line}")) as i32
    };
    assert!(value["ts"].is_u64() && value["comm"].is_string(), "{line}");
    assert_eq!(value["provider"], "python", "{line}");
    Fired {
        pid: number("pid"),
        tid: number("tid"),
        probe: value["probe"].as_str().expect("a name").to_owned(),
        args: value["args"].take(),
    }
}
