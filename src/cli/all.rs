//! `--all`: finds the processes of this user as they start.
//!
//! Without privileges nothing announces a new process, so /proc is looked through now and then; a process that is
//! traced already is none of ours to attach again, and its children are followed anyway.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use crate::process::proc::{IfFound, ProcFs};
use crate::tracer::command::{Command, Commander};

/// How often new processes are looked for.
const INTERVAL: Duration = Duration::from_millis(50);

/// Sends [`Command::Attach`] for every process of this user, now and when one starts or runs a new program.
pub fn watch(commander: &Commander) {
    let commander = commander.clone();
    thread::spawn(move || {
        let proc = ProcFs::from_environment();
        let mut known = HashSet::new();
        loop {
            let now: HashSet<(i32, String)> = of_user(&proc)
                .into_iter()
                .map(|pid| (pid, program(&proc, pid)))
                .collect();
            for (pid, _) in now.difference(&known) {
                if !commander.send(Command::Attach(*pid)) {
                    return;
                }
            }
            known = now;
            thread::sleep(INTERVAL);
        }
    });
}

/// What it runs: after an exec it is looked at anew.
fn program(proc: &ProcFs, pid: i32) -> String {
    let exe = proc.exe(pid).if_found().flatten();
    exe.map_or_else(String::new, |exe| exe.path.to_string_lossy().into_owned())
}

fn of_user(proc: &ProcFs) -> Vec<i32> {
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
