//! The oracle's files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Process -> thread -> what was recorded, in order.
pub type Records = BTreeMap<i32, BTreeMap<i32, Vec<Value>>>;

/// Reads all `oracle.PID` of a folder.
pub fn read(folder: &Path) -> Records {
    let mut records = Records::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let Some(pid) = name.strip_prefix("oracle.") else {
            continue;
        };
        let threads = records.entry(pid.parse().unwrap()).or_default();
        for line in fs::read_to_string(entry.path()).unwrap().lines() {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if value["kind"] != "begin" {
                let tid = value["tid"].as_i64().expect("a thread") as i32;
                threads.entry(tid).or_default().push(value);
            }
        }
    }
    assert!(
        !records.is_empty(),
        "the oracle has written nothing to {}",
        folder.display()
    );
    records
}
