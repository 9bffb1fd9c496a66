//! `--all`: finds the processes of this user as they start.
//!
//! Without privileges nothing announces a new process, so /proc is looked through now and then; a process that is
//! traced already is none of ours to attach again, and its children are followed anyway.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use crate::process::proc::{IfFound, ProcFs};
use crate::process::status::State;
use crate::tracer::command::{Command, Commander};

/// How often new processes are looked for.
const INTERVAL: Duration = Duration::from_millis(50);

/// After so many rounds a process is not offered again.
const ROUNDS: u32 = 64;

/// Sends [`Command::Attach`] for every process of this user, now and when one starts or runs a new program.
///
/// A program that has just begun may not have mapped its libraries yet, or not even itself: each is offered again after
/// 1, 2, 4, … rounds, and then left in peace. The tracer looks at its mappings alone; one that is traced is skipped.
pub fn watch(commander: &Commander) {
    let commander = commander.clone();
    thread::spawn(move || {
        let proc = ProcFs::from_environment();
        let mut known: HashMap<(i32, String), u32> = HashMap::new();
        loop {
            let mut now = HashMap::new();
            for pid in of_user(&proc) {
                let key = (pid, program(&proc, pid));
                let age = known
                    .get(&key)
                    .map_or(0, |age| age.saturating_add(1).min(ROUNDS + 1));
                if is_round_to_offer(age) && !commander.send(Command::Attach(pid)) {
                    return;
                }
                now.insert(key, age);
            }
            known = now;
            thread::sleep(INTERVAL);
        }
    });
}

/// At first, and after 1, 2, 4, … rounds.
fn is_round_to_offer(age: u32) -> bool {
    age == 0 || age <= ROUNDS && age.is_power_of_two()
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

    #[test]
    fn a_process_is_offered_now_and_then_and_not_for_ever() {
        let rounds: Vec<u32> = (0..1000).filter(|age| is_round_to_offer(*age)).collect();
        assert_eq!(rounds, [0, 1, 2, 4, 8, 16, 32, 64]);
    }
}
