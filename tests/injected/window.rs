//! Which part of a trace the oracle has recorded as well, found by its own functions: for each thread from the return
//! of `begin` to the entry of `dump`. Unlike the audit events these are there in every build.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::trace::Fired;
use crate::oracle::record::Records;

/// Process -> thread -> what fired in the window.
pub type Windows<'a> = BTreeMap<i32, BTreeMap<i32, Vec<&'a Fired>>>;

/// The windows of those processes that the oracle has written a file for; a forked child's begins with its first event.
pub fn windows<'a>(fired: &'a [Fired], records: &Records) -> Windows<'a> {
    let begins: BTreeSet<(i32, i32)> = fired
        .iter()
        .filter(|event| is(event, "function__return", "begin"))
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
            if is(event, "function__return", "begin") {
                open.insert(event.tid);
            } else if is(event, "function__entry", "dump") {
                open.clear();
            } else if open.contains(&event.tid) && !of_oracle(event) {
                found.entry(event.tid).or_default().push(event);
            }
        }
    }
    windows
}

fn is(event: &Fired, probe: &str, function: &str) -> bool {
    event.probe == probe && of_oracle(event) && event.text("funcname") == function
}

/// The oracle's own functions are not recorded.
fn of_oracle(event: &Fired) -> bool {
    event.args["filename"]
        .as_str()
        .is_some_and(|file| file.ends_with("/tests/programs/oracle.py"))
}
