//! What is captured of a hit besides its arguments: CPU, CPU time, ids, call stack. The thread is stopped meanwhile.

use ptpytrace_arch::{ReadMemory, Registers};

use super::Tracer;
use crate::event::{Context, Ids};
use crate::plan::Capture;
use crate::process::memory::ProcessMemory;
use crate::process::proc::IfFound;

/// How long (ns) ids are believed.
const IDS_LIFETIME: u64 = 10_000_000;

/// A frame lies at most so far (bytes) above the one that it called.
const WIDEST_FRAME: u64 = 1 << 24;

impl Tracer {
    /// What the capture asks for; `None` when that is nothing. Without registers there is no call stack.
    pub(super) fn context(
        &mut self,
        tid: i32,
        capture: &Capture,
        stack: Option<(&Registers, &ProcessMemory)>,
        now: u64,
    ) -> Option<Box<Context>> {
        let asked = capture.cpu || capture.cpu_time || capture.ids || capture.native_frames > 0;
        if !asked {
            return None;
        }
        let pid = self.table.threads.get(&tid)?.pid;
        let mut context = Context::default();
        if capture.cpu {
            let stat = self.proc.stat(pid, tid).if_found();
            context.cpu = stat.and_then(|stat| stat.processor).unwrap_or(0);
        }
        if capture.cpu_time {
            context.cpu_time = self.proc.cpu_time(pid, tid).if_found().unwrap_or(0);
        }
        if capture.ids {
            context.ids = self.ids(tid, now);
        }
        if let Some((registers, memory)) = stack {
            context.frames = self.frames(registers, memory, usize::from(capture.native_frames));
        }
        Some(Box::new(context))
    }

    /// The ids of a thread's process. They are read again now and then: they may change.
    fn ids(&mut self, tid: i32, now: u64) -> Ids {
        let Some(record) = self.table.threads.get_mut(&tid) else {
            return Ids::default();
        };
        if now >= record.ids.1 {
            if let Some(status) = self.proc.status(tid).if_found() {
                let pid = nix::unistd::Pid::from_raw(record.pid);
                record.ids.0 = Ids {
                    ppid: status.ppid,
                    pgid: nix::unistd::getpgid(Some(pid)).map_or(0, |it| it.as_raw()),
                    sid: nix::unistd::getsid(Some(pid)).map_or(0, |it| it.as_raw()),
                    uid: status.uid.real,
                    euid: status.uid.effective,
                    gid: status.gid.real,
                    egid: status.gid.effective,
                };
            }
            record.ids.1 = now.saturating_add(IDS_LIFETIME);
        }
        record.ids.0
    }

    /// The program counter, then return addresses as far as frame pointers lead plausibly: upwards, not too far, and to
    /// readable memory.
    fn frames(&self, registers: &Registers, memory: &ProcessMemory, most: usize) -> Vec<u64> {
        let word = |index: usize| registers.general.get(index).copied().unwrap_or(0);
        let mut frames = Vec::new();
        if most > 0 {
            frames.push(word(self.arch.pc_index()));
        }
        let mut below = word(self.arch.sp_index());
        let mut frame = word(self.arch.frame_pointer_index());
        while frames.len() < most {
            let near = frame >= below && frame.wrapping_sub(below) < WIDEST_FRAME;
            let mut pair = [0; 16];
            if !near || frame % 8 != 0 || memory.read(frame, &mut pair) < pair.len() {
                break;
            }
            let (outer, address) = pair.split_at(8);
            let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
            let address = number(address);
            if address == 0 {
                break;
            }
            frames.push(address);
            below = frame.saturating_add(16);
            frame = number(outer);
        }
        frames
    }
}
