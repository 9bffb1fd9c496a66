//! The state of processes and threads, as /proc says it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub tid: i32,
    /// The letter of proc(5): R, S, D, T (stopped), t (stopped by a tracer), Z …
    pub state: char,
    /// Who traces it, or 0.
    pub tracer: i32,
}

/// The value of a line of a `status` file.
pub fn field(status: &str, name: &str) -> String {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

/// Whether a process has a handler for a signal.
pub fn catches(pid: i32, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = u64::from_str_radix(&field(&status, "SigCgt"), 16).unwrap_or(0);
    caught >> (signal - 1) & 1 == 1
}

/// A process's threads; none when it has ended.
pub fn tasks(pid: i32) -> Vec<Task> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| {
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            Some(Task {
                tid: entry.file_name().to_str()?.parse().ok()?,
                state: field(&status, "State").chars().next()?,
                tracer: field(&status, "TracerPid").parse().ok()?,
            })
        })
        .collect()
}

/// A process's children; none when it has ended.
pub fn children(pid: i32) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists = entries.filter_map(|entry| fs::read_to_string(entry.path().join("children")).ok());
    let lists: Vec<String> = lists.collect();
    let words = lists.iter().flat_map(|list| list.split_whitespace());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// The system call in which a process's first thread waits; `None` while it runs.
pub fn system_call(pid: i32) -> Option<i64> {
    let text = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Waits until a condition holds; fails when it does not for far too long.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "waited in vain until {what}"
        );
        thread::sleep(Duration::from_micros(200));
    }
}

/// Whether all threads of a process wait or are stopped.
pub fn all_in(pid: i32, states: &str) -> bool {
    let tasks = tasks(pid);
    !tasks.is_empty() && tasks.iter().all(|task| states.contains(task.state))
}
