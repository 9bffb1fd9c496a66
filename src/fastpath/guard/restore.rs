//! Undoes what the tracer has changed, without it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::rc::Rc;
use std::time::Duration;

use super::message::Undo;
use super::shield::{self, Shield};
use crate::process::proc::{IfFound, ProcFs};

/// So many times nothing new must be found before the search for others ends, and how long is waited in between: a
/// process that is being forked is listed only when its memory has long been copied.
const QUIET_ROUNDS: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);
/// The search ends after so many times in any case.
const MOST_ROUNDS: usize = 250;

/// The file that a process runs: device and inode.
pub(super) type ProgramId = (u64, u64);

/// An address space that the guard watches over.
#[derive(Debug)]
pub(super) struct Watched {
    pub key: u64,
    pub pid: i32,
    /// Its `/proc/PID/mem`, open for reading and writing.
    pub memory: File,
    /// What it runs, if that could be seen.
    pub program: Option<ProgramId>,
    pub undos: Undos,
}

/// The changes of an address space. Copies are cheap: forks are many.
#[derive(Clone, Debug, Default)]
pub(super) struct Undos {
    /// By address; of those at one address the last was told last.
    of: Rc<HashMap<u64, Vec<Undo>>>,
}

impl Undos {
    /// Adds further ones.
    pub fn add(&mut self, undos: Vec<Undo>) {
        let of = Rc::make_mut(&mut self.of);
        for undo in undos {
            let here = of.entry(undo.address()).or_default();
            here.retain(|known| *known != undo);
            here.push(undo);
        }
    }

    /// The last ones first: what was told later may have been made over what was told before.
    fn each(&self) -> impl Iterator<Item = &Undo> {
        self.of.values().flat_map(|here| here.iter().rev())
    }

    /// Puts back every byte, then every semaphore, and then tells the shield: only bytes kill.
    pub fn undo(&self, memory: &File) {
        let order: [fn(&Undo) -> bool; 3] = [
            |undo| matches!(undo, Undo::Code { .. }),
            |undo| matches!(undo, Undo::Semaphore { .. }),
            |undo| matches!(undo, Undo::Shield { .. }),
        ];
        for kind in order {
            self.each()
                .filter(|undo| kind(undo))
                .for_each(|undo| restore(undo, memory));
        }
    }

    /// Whether a memory has the shield of this one, which has not been told yet.
    fn awaited_in(&self, memory: &File) -> bool {
        let mut shields = self.each().filter_map(|undo| match undo {
            Undo::Shield { address } => Some(*address),
            _ => None,
        });
        shields.any(|address| {
            let mut page = vec![0; shield::LENGTH];
            let over = usize::try_from(shield::OVER).unwrap_or(0);
            memory.read_exact_at(&mut page, address).is_ok()
                && page.get(over) == Some(&0)
                && Shield::is_at(address, &page)
        })
    }
}

impl Watched {
    /// Undoes everything.
    pub fn restore(&self) {
        self.undos.undo(&self.memory);
    }
}

/// What cannot be read or written is gone, or somebody else's.
fn restore(undo: &Undo, memory: &File) {
    match undo {
        Undo::Code { address, new, old } => {
            let mut now = vec![0; new.len()];
            if memory.read_exact_at(&mut now, *address).is_ok() && now == *new {
                let _ = memory.write_all_at(old, *address);
            }
        }
        Undo::Semaphore { address, raised } => {
            let mut now = [0; 2];
            if memory.read_exact_at(&mut now, *address).is_err() {
                return;
            }
            let value = u16::from_ne_bytes(now);
            if let Some(lower) = value.checked_sub(1).filter(|_| value >= *raised) {
                let _ = memory.write_all_at(&lower.to_ne_bytes(), *address);
            }
        }
        Undo::Shield { address } => {
            let _ = memory.write_all_at(&[1], address.wrapping_add(shield::OVER));
        }
    }
}

/// The file that a process runs.
pub(super) fn program_of(pid: i32) -> Option<ProgramId> {
    let file = std::fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some((file.dev(), file.ino()))
}

/// Processes that nobody has told the guard of, because they were forked when the tracer died: they have copies of
/// others' memory. They are known by the shield in it, or else by their parents.
pub(super) fn restore_others(watched: &[Watched]) {
    if watched.is_empty() {
        return;
    }
    let proc = ProcFs::default();
    let spaces = watched.iter().enumerate();
    let mut family: Vec<(i32, usize)> = spaces.map(|(index, space)| (space.pid, index)).collect();
    let mut quiet = 0;
    for _ in 0..MOST_ROUNDS {
        let before = family.len();
        for pid in proc.processes().unwrap_or_default() {
            if family.iter().any(|(known, _)| *known == pid) {
                continue;
            }
            let Some(status) = proc.status(pid).if_found() else {
                continue;
            };
            if status.tracer != 0 {
                continue; // another tracer has it, with a guard of its own
            }
            let Ok(memory) = open(pid) else {
                continue; // it has ended, or may not be touched
            };
            let parent = Some(status.ppid);
            let Some(index) = origin(pid, &memory, watched, (&family, parent)) else {
                continue;
            };
            family.push((pid, index));
            if let Some(space) = watched.get(index) {
                space.undos.undo(&memory);
            }
        }
        quiet = if family.len() == before { quiet + 1 } else { 0 };
        if quiet >= QUIET_ROUNDS {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Of which address space a process has a copy.
fn origin(
    pid: i32,
    memory: &File,
    watched: &[Watched],
    (family, parent): (&[(i32, usize)], Option<i32>),
) -> Option<usize> {
    let parents = family.iter().find(|(known, _)| Some(*known) == parent);
    let program = program_of(pid);
    let of_parent = parents.map(|(_, index)| *index);
    // A child that has run another program meanwhile has nothing of its parent's.
    let of_parent = of_parent.filter(|index| {
        let space = watched.get(*index);
        space.is_some_and(|space| space.program.is_none() || space.program == program)
    });
    of_parent.or_else(|| {
        watched
            .iter()
            .position(|space| space.program == program && space.undos.awaited_in(memory))
    })
}

/// Opens a process's memory for the guard.
pub(super) fn open(pid: i32) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("/proc/{pid}/mem"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A file instead of a memory: reads and writes at addresses work alike.
    fn restored(before: &[u8], undos: Vec<Undo>) -> Vec<u8> {
        let mut memory = tempfile::tempfile().expect("a file");
        memory.write_all(before).expect("room");
        let mut all = Undos::default();
        all.add(undos);
        let watched = Watched {
            key: 0,
            pid: 0,
            memory,
            program: None,
            undos: all,
        };
        watched.restore();
        let mut after = vec![0; before.len()];
        watched
            .memory
            .read_exact_at(&mut after, 0)
            .expect("its bytes");
        after
    }

    #[test]
    fn only_what_the_tracer_wrote_is_undone() {
        let code = |address, new: &[u8], old: &[u8]| Undo::Code {
            address,
            new: new.to_vec(),
            old: old.to_vec(),
        };
        let undos = vec![
            code(0, &[0xcc], &[0x90]),
            code(1, &[0xcc], &[0x90]),
            code(2, &[1, 2], &[3, 4]),
            code(100, &[0xcc], &[0x90]),
            Undo::Semaphore {
                address: 4,
                raised: 1,
            },
            Undo::Semaphore {
                address: 6,
                raised: 3,
            },
            Undo::Semaphore {
                address: 8,
                raised: 1,
            },
            Undo::Semaphore {
                address: 1000,
                raised: 1,
            },
        ];
        // The second breakpoint has never been written; the semaphore at 6 was raised to 3 and has been lowered since;
        // the one at 8 was reset.
        let before = [0xcc, 0x55, 1, 2, 2, 0, 2, 0, 0, 0];
        assert_eq!(
            restored(&before, undos),
            [0x90, 0x55, 3, 4, 1, 0, 2, 0, 0, 0]
        );
    }

    /// Two libraries that were mapped at one address, one after the other; a breakpoint that was replaced by a jump, or
    /// was about to be.
    #[test]
    fn what_was_told_last_counts() {
        let code = |new: &[u8], old: &[u8]| Undo::Code {
            address: 0,
            new: new.to_vec(),
            old: old.to_vec(),
        };
        let (first, second) = (code(&[0xcc], &[0x55]), code(&[0xcc], &[0x90]));
        let both = vec![first.clone(), second.clone()];
        assert_eq!(restored(&[0xcc, 7], both), [0x90, 7]);
        let again = vec![first.clone(), second, first];
        assert_eq!(restored(&[0xcc, 7], again), [0x55, 7]);
        let jump = vec![code(&[0xcc], &[0x90]), code(&[0xe9, 1], &[0x90, 7])];
        assert_eq!(restored(&[0xcc, 7], jump.clone()), [0x90, 7]);
        assert_eq!(restored(&[0xe9, 1], jump), [0x90, 7]);
    }

    #[test]
    fn the_shield_is_told() {
        let shield = vec![Undo::Shield { address: 0 }];
        let after = restored(&[0; 2048], shield);
        assert_eq!(after.iter().position(|byte| *byte == 1), Some(1024));
    }
}
