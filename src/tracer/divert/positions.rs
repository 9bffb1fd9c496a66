//! Where stopped threads stand: in a recorder, out of which they are led by single steps, or with a way back to one on
//! their stacks.

use std::ops::Range;

use ptpytrace_arch::{ReadMemory, Registers};

use crate::process::maps;
use crate::process::memory::ProcessMemory;
use crate::tracer::sigtrap::Disposition;
use crate::tracer::stopped::StoppedThread;
use crate::tracer::wait::Stop;
use crate::tracer::{Tracer, sys};

/// Where Linux keeps the thread pointer among the registers (`struct user_regs_struct`, `fs_base`).
pub(super) const THREAD_POINTER: usize = 21;
/// The most of a stack that is searched, in bytes.
const STACK: usize = 16 << 20;
/// How many instructions a thread is led through to get out of a recorder.
const MOST_STEPS: usize = 20_000;

impl Tracer {
    /// A forked child can do without what it has of its parent's diversions, unless the one thread that it has returns
    /// there: it was forked in a signal handler.
    pub(super) fn drop_what_is_in_use(&mut self, thread: &StoppedThread, pid: i32) {
        let process = self.table.processes.get(&pid);
        let Some(space) = process.and_then(|it| self.table.spaces.get_mut(&it.space)) else {
            return;
        };
        if space.leftovers.is_empty() {
            return;
        }
        let leads_there = || {
            let memory = space.memory.as_deref()?;
            let position = Position::of(thread, Stop::Trap)?;
            let sp = position.registers.general.get(self.arch.sp_index());
            let stack = stack(&maps::read(pid).ok()?, *sp?, memory);
            Some(leads_into(&stack, &space.leftovers))
        };
        if leads_there() != Some(false) {
            space.leftovers.clear();
        }
    }

    /// Leads a stopped thread out of code; whether it is outside, and nothing on its stack leads back. What it stops for
    /// meanwhile takes the place of `stop`.
    pub(super) fn lead_out(
        &self,
        thread: &StoppedThread,
        stop: &mut Stop,
        code: &[Range<u64>],
        (mappings, memory): (&[maps::Mapping], &ProcessMemory),
    ) -> bool {
        let within = |at: u64| code.iter().any(|range| range.contains(&at));
        for _ in 0..MOST_STEPS {
            let Some(position) = Position::of(thread, *stop) else {
                return true; // killed
            };
            let general = &position.registers.general;
            let pc = general.get(self.arch.pc_index()).copied().unwrap_or(0);
            let sp = general.get(self.arch.sp_index()).copied().unwrap_or(0);
            if !within(pc) {
                return !leads_into(&stack(mappings, sp, memory), code);
            }
            if !self.may_step(thread, *stop) {
                return false;
            }
            match step(thread) {
                Some(Stop::Signal(libc::SIGTRAP)) => {}
                Some(other) => {
                    *stop = other;
                    return false;
                }
                None => return false,
            }
        }
        false
    }

    /// Whether a thread may be led by single steps: the kernel forces their SIGTRAP, as it does a breakpoint's, and a
    /// signal that is about to be delivered would be lost.
    fn may_step(&self, thread: &StoppedThread, stop: Stop) -> bool {
        let record = self.table.threads.get(&thread.tid());
        let process = record.and_then(|record| self.table.processes.get(&record.pid));
        let free = record.is_some_and(|record| !record.blocks_sigtrap)
            && process.is_some_and(|process| process.sigtrap != Disposition::Ignored);
        stop == Stop::Trap && free
    }
}

/// One single step: why it stopped then; `None` when it cannot be told.
fn step(thread: &StoppedThread) -> Option<Stop> {
    sys::single_step(thread.tid()).ok()?;
    sys::wait_one(thread.tid()).ok().map(Stop::from_status)
}

/// Where a stopped thread stands.
#[derive(Debug, Default)]
pub(super) struct Position {
    pub(super) registers: Registers,
    /// The size of its register set; 0 for a thread that is gone.
    pub(super) bytes: usize,
    /// It has executed a breakpoint of ours that has not been dealt with.
    pub(super) behind_breakpoint: bool,
}

impl Position {
    /// The thread pointer.
    pub(super) fn pointer(&self) -> u64 {
        let word = self.registers.general.get(THREAD_POINTER);
        word.copied().unwrap_or(0)
    }

    pub(super) fn of(thread: &StoppedThread, stop: Stop) -> Option<Position> {
        let mut registers = Registers::default();
        let bytes = thread.registers(&mut registers).ok()?;
        let trap = stop == Stop::Signal(libc::SIGTRAP);
        Some(Position {
            registers,
            bytes,
            behind_breakpoint: trap || thread.breakpoint_pending(),
        })
    }
}

/// Whether a word of a stack leads into one of these ranges.
fn leads_into(stack: &[u8], code: &[Range<u64>]) -> bool {
    let words = stack.chunks_exact(8);
    let mut words = words.filter_map(|word| word.first_chunk().copied());
    words.any(|word| {
        let word = u64::from_le_bytes(word);
        code.iter().any(|range| range.contains(&word))
    })
}

/// The used part of the stack that an address lies in; empty when it is not looked for.
pub(super) fn stack(mappings: &[maps::Mapping], sp: u64, memory: &ProcessMemory) -> Vec<u8> {
    let mut mappings = mappings.iter();
    let within = mappings.find(|it| (it.start.0..it.end.0).contains(&sp));
    let length = within.map_or(0, |it| it.end.0.saturating_sub(sp));
    let sp = sp & !7;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0).min(STACK)];
    let read = memory.read(sp, &mut bytes);
    bytes.truncate(read);
    bytes
}
