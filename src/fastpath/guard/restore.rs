//! Undoes what the tracer has changed, without it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::rc::Rc;
use std::time::Duration;

use super::message::Undo;
use super::shield::{self, Shield};
use crate::process::proc::{IfFound, ProcFs};

/// How long (ms) is waited between two searches for others; where one finds any, it begins anew. A process that is being
/// forked is listed only when its memory has long been copied, on a busy machine seconds later.
const PAUSES: [u64; 12] = [20, 20, 20, 20, 20, 40, 80, 160, 320, 640, 1280, 2560];
/// No more searches are made than that.
const MOST_SEARCHES: usize = 250;

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

    /// Puts back every byte, then every semaphore, and then tells the shield: only bytes kill. Whether there was
    /// anything to do.
    pub fn undo(&self, memory: &File) -> bool {
        let order: [fn(&Undo) -> bool; 3] = [
            |undo| matches!(undo, Undo::Code { .. }),
            |undo| matches!(undo, Undo::Semaphore { .. }),
            |undo| matches!(undo, Undo::Shield { .. }),
        ];
        let undos = order
            .iter()
            .flat_map(|kind| self.each().filter(move |undo| kind(undo)));
        undos.fold(false, |done, undo| restore(undo, memory) | done)
    }

    /// Whether a memory has the shield of this one, and whether that has been told already; `None` where it has not.
    fn told_in(&self, memory: &File) -> Option<bool> {
        let shields = self.each().filter_map(|undo| match undo {
            Undo::Shield { address } => Some(*address),
            _ => None,
        });
        let mut told = shields.filter_map(|address| {
            let mut page = vec![0; shield::LENGTH];
            memory.read_exact_at(&mut page, address).ok()?;
            let over = page.get(usize::try_from(shield::OVER).ok()?)?;
            Shield::is_at(address, &page).then_some(*over != 0)
        });
        told.next()
    }
}

impl Watched {
    /// Undoes everything.
    pub fn restore(&self) {
        self.undos.undo(&self.memory);
    }
}

/// Whether there was anything to restore. What cannot be read or written is gone, or somebody else's.
fn restore(undo: &Undo, memory: &File) -> bool {
    match undo {
        Undo::Code { address, new, old } => {
            let mut now = vec![0; new.len()];
            memory.read_exact_at(&mut now, *address).is_ok()
                && now == *new
                && memory.write_all_at(old, *address).is_ok()
        }
        Undo::Semaphore { address, raised } => {
            let mut now = [0; 2];
            if memory.read_exact_at(&mut now, *address).is_err() {
                return false;
            }
            let value = u16::from_ne_bytes(now);
            let lower = value.checked_sub(1).filter(|_| value >= *raised);
            lower.is_some_and(|it| memory.write_all_at(&it.to_ne_bytes(), *address).is_ok())
        }
        Undo::Shield { address } => {
            let _ = memory.write_all_at(&[1], address.wrapping_add(shield::OVER));
            false
        }
    }
}

/// The file that a process runs.
pub(super) fn program_of(pid: i32) -> Option<ProgramId> {
    let file = std::fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some((file.dev(), file.ino()))
}

/// Processes that nobody has told the guard of, because they were forked when the tracer died: they have copies of
/// others' memory. They are known by the shield in it, or else by their parents. The kernel may not have let them go yet:
/// then they are still traced by `tracer`, which has died.
pub(super) fn restore_others(watched: &[Watched], tracer: i32) {
    if watched.is_empty() {
        return;
    }
    let spaces = watched.iter().enumerate();
    let mut family: Family = spaces.map(|(index, space)| (space.pid, index)).collect();
    let mut pauses = PAUSES.iter();
    for _ in 0..MOST_SEARCHES {
        if search(watched, &mut family, tracer) {
            pauses = PAUSES.iter();
        }
        let Some(pause) = pauses.next() else {
            return;
        };
        std::thread::sleep(Duration::from_millis(*pause));
    }
}

/// Processes, and of which address space each has a copy.
type Family = HashMap<i32, usize>;

/// Restores all copies that can be found; whether there were any with something to undo.
fn search(watched: &[Watched], family: &mut Family, tracer: i32) -> bool {
    let proc = ProcFs::default();
    let mut found = false;
    for pid in proc.processes().unwrap_or_default() {
        let Some(status) = proc.status(pid).if_found() else {
            continue;
        };
        if ![0, tracer].contains(&status.tracer) {
            continue; // another tracer has it, with a guard of its own
        }
        let Ok(memory) = open(pid) else {
            continue; // it has ended, or may not be touched
        };
        let parent = family.get(&status.ppid).copied();
        let Some((index, space)) = origin(pid, &memory, watched, parent) else {
            continue;
        };
        let known = family.insert(pid, index).is_some();
        let is_due = match space.undos.told_in(&memory) {
            None => !known, // once: a semaphore is not to be lowered twice
            Some(told) => !told,
        };
        if is_due {
            found |= space.undos.undo(&memory);
        }
    }
    found
}

/// Of which address space a process has a copy; `parent` is that of its parent.
fn origin<'a>(
    pid: i32,
    memory: &File,
    watched: &'a [Watched],
    parent: Option<usize>,
) -> Option<(usize, &'a Watched)> {
    let program = program_of(pid);
    // A child that has run another program meanwhile has nothing of its parent's.
    let of_parent = parent.and_then(|index| Some((index, watched.get(index)?)));
    let of_parent =
        of_parent.filter(|(_, space)| space.program.is_none() || space.program == program);
    of_parent.or_else(|| {
        let mut spaces = watched.iter().enumerate();
        spaces.find(|(_, space)| space.program == program && space.undos.told_in(memory).is_some())
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
