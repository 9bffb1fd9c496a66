//! Which part of a trace the oracle has recorded as well: for each thread from `begin` to `dump`.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::trace::Fired;

use super::record::Records;

const BEGIN: &str = "ptpytrace.oracle.begin";
const DUMP: &str = "ptpytrace.oracle.dump";

/// Process -> thread -> what fired in the window.
pub type Windows<'a> = BTreeMap<i32, BTreeMap<i32, Vec<&'a Fired>>>;

/// The windows of those processes that the oracle has written a file for. A forked child has no `begin`: its
/// window begins with its first event.
pub fn windows<'a>(fired: &'a [Fired], records: &Records) -> Windows<'a> {
    let begins: BTreeSet<(i32, i32)> = fired
        .iter()
        .filter(|event| mark(event) == Some(BEGIN))
        .map(|event| (event.pid, event.tid))
        .collect();
    let mut windows = Windows::new();
    for (&pid, threads) in records {
        let forked = !begins.contains(&(pid, pid));
        let mut open: BTreeSet<i32> = forked.then_some(pid).into_iter().collect();
        let found = windows.entry(pid).or_default();
        for &tid in threads.keys() {
            found.entry(tid).or_default();
        }
        for event in fired.iter().filter(|event| event.pid == pid) {
            match mark(event) {
                Some(BEGIN) => {
                    open.insert(event.tid);
                }
                Some(DUMP) => open.clear(),
                _ if open.contains(&event.tid) && !of_oracle(event) => {
                    found.entry(event.tid).or_default().push(event);
                }
                _ => {}
            }
        }
    }
    windows
}

/// The name of the audit event by which the oracle marks a window's ends.
fn mark(event: &Fired) -> Option<&str> {
    let name = (event.probe == "audit").then(|| event.args["event"].as_str())??;
    name.starts_with("ptpytrace.oracle.").then_some(name)
}

/// The oracle's own functions are not recorded.
fn of_oracle(event: &Fired) -> bool {
    let file = event.args["filename"].as_str().unwrap_or_default();
    file.ends_with("/tests/programs/oracle.py") || file.ends_with("/tests/programs/line_marker.py")
}
