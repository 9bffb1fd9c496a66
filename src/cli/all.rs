//! `--all`: finds the processes of this user as they start.
//!
//! Without privileges nothing announces a new process, so /proc is looked through now and then; a process that is
//! traced already is none of ours to attach again, and its children are followed anyway.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::thread;
use std::time::Duration;

use crate::process::maps;
use crate::process::proc::{IfFound, ProcFs};
use crate::process::status::State;
use crate::tracer::command::{Command, Commander};

/// How often new processes are looked for.
const INTERVAL: Duration = Duration::from_millis(50);

/// After so many rounds a process is only looked at every so many rounds, and offered again when it has changed.
const ROUNDS: u32 = 64;

/// A process that was seen before.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// How many rounds ago.
    rounds: u32,
    /// What it looked like when it was looked at last.
    looks: Option<u64>,
}

/// Sends [`Command::Attach`] for every process of this user, now and when one starts or runs a new program.
///
/// A program that has just begun may not have mapped its libraries yet, or not even itself: each is offered again after
/// 1, 2, 4, … rounds. Later it may still load an interpreter, or its debugger may leave it: then it is offered when that
/// has happened. The tracer looks at its mappings alone; one that is traced is skipped.
pub fn watch(commander: &Commander) {
    let commander = commander.clone();
    thread::spawn(move || {
        let proc = ProcFs::from_environment();
        let mut known: HashMap<(i32, String), Seen> = HashMap::new();
        loop {
            let mut now = HashMap::new();
            for pid in of_user(&proc) {
                let key = (pid, program(&proc, pid));
                let (seen, offer) = match known.get(&key) {
                    None => (Seen::default(), true),
                    Some(seen) => seen.again(|| looks(&proc, pid)),
                };
                if offer && !commander.send(Command::Attach(pid)) {
                    return;
                }
                now.insert(key, seen);
            }
            known = now;
            thread::sleep(INTERVAL);
        }
    });
}

impl Seen {
    /// It is seen once more; also says whether it is offered. `looks` says what it looks like.
    fn again(mut self, looks: impl FnOnce() -> u64) -> (Seen, bool) {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds <= ROUNDS {
            return (self, self.rounds.is_power_of_two());
        }
        if !self.rounds.is_multiple_of(ROUNDS) {
            return (self, false);
        }
        let before = self.looks.replace(looks());
        (self, before != self.looks)
    }
}

/// What decides whether a process can be traced and has something to trace: its code, and who traces it.
fn looks(proc: &ProcFs, pid: i32) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mappings = maps::read(pid).unwrap_or_default();
    for mapping in mappings.iter().filter(|mapping| mapping.executable) {
        (mapping.start.0, mapping.offset, mapping.inode).hash(&mut hasher);
    }
    let status = proc.status(pid).if_found();
    status.map(|status| status.tracer).hash(&mut hasher);
    hasher.finish()
}

/// Sends [`Command::Leave`] when these processes have ended, of which nothing is wanted: they are not traced, so nothing
/// else tells.
pub fn watch_end(commander: &Commander, pids: &[i32]) {
    let (commander, pids) = (commander.clone(), pids.to_vec());
    thread::spawn(move || {
        let proc = ProcFs::from_environment();
        while pids.iter().any(|pid| runs(&proc, *pid)) {
            thread::sleep(INTERVAL);
        }
        commander.send(Command::Leave);
    });
}

/// Whether a process has not ended yet.
pub(super) fn runs(proc: &ProcFs, pid: i32) -> bool {
    let status = proc.status(pid).if_found();
    status.is_some_and(|it| !matches!(it.state, State::Zombie | State::Dead))
}

/// What it runs: after an exec it is looked at anew.
fn program(proc: &ProcFs, pid: i32) -> String {
    let exe = proc.exe(pid).if_found().flatten();
    exe.map_or_else(String::new, |exe| exe.path.to_string_lossy().into_owned())
}

/// The processes of this user, but for this one and the kernel's.
pub(super) fn of_user(proc: &ProcFs) -> Vec<i32> {
    let own = nix::unistd::getuid().as_raw();
    let me = std::process::id() as i32;
    let mut pids = proc.processes().unwrap_or_default();
    pids.retain(|pid| {
        *pid != me
            && proc
                .status(*pid)
                .if_found()
                .is_some_and(|status| status.uid.real == own && !status.is_kernel_thread())
    });
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many rounds a process is offered that looks so after so many.
    fn offers(looks: impl Fn(u32) -> u64) -> Vec<u32> {
        let mut seen = Seen::default();
        let mut rounds = Vec::new();
        for round in 1..1000 {
            let offer;
            (seen, offer) = seen.again(|| looks(round));
            if offer {
                rounds.push(round);
            }
        }
        rounds
    }

    #[test]
    fn a_process_is_offered_now_and_then_and_later_when_it_changes() {
        assert_eq!(offers(|_| 7), [1, 2, 4, 8, 16, 32, 64, 128]);
        let changes = |round| u64::from(round >= 300) + u64::from(round >= 700);
        assert_eq!(offers(changes), [1, 2, 4, 8, 16, 32, 64, 128, 320, 704]);
    }
}
