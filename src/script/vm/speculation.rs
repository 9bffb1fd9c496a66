//! Output that is printed only when a script decides so (D's `speculate`, `commit` and `discard`).

use rustc_hash::FxHashMap;

/// The most bytes of all speculations together.
const MAX_BYTES: usize = 64 << 20;

/// Speculations, by the number that the script gives them.
#[derive(Debug, Default)]
pub struct Speculations {
    buffers: FxHashMap<i64, Vec<u8>>,
    bytes: usize,
    /// Where the output goes that the handler prints from now on, and where in its output that begins.
    current: Option<(i64, usize)>,
    dropped: u64,
}

impl Speculations {
    /// The handler's output from `start` on is speculative. The number 0 is none.
    pub fn begin(&mut self, id: i64, start: usize) {
        if id != 0 && self.current.is_none() {
            self.current = Some((id, start));
        }
    }

    /// Whether the handler's output is speculative.
    pub fn active(&self) -> bool {
        self.current.is_some()
    }

    /// The handler has ended: takes what is speculative from its output.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        let Some((id, start)) = self.current.take() else {
            return;
        };
        let taken = out.get(start..).unwrap_or_default();
        if taken.is_empty() {
            return;
        }
        if self.bytes.saturating_add(taken.len()) > MAX_BYTES {
            self.dropped = self.dropped.saturating_add(1);
        } else {
            self.bytes = self.bytes.saturating_add(taken.len());
            self.buffers.entry(id).or_default().extend_from_slice(taken);
        }
        out.truncate(start);
    }

    /// Prints one.
    pub fn commit(&mut self, id: i64, out: &mut Vec<u8>) {
        if let Some(buffer) = self.buffers.remove(&id) {
            self.bytes = self.bytes.saturating_sub(buffer.len());
            out.extend_from_slice(&buffer);
        }
    }

    /// Forgets one.
    pub fn discard(&mut self, id: i64) {
        if let Some(buffer) = self.buffers.remove(&id) {
            self.bytes = self.bytes.saturating_sub(buffer.len());
        }
    }

    /// How many handlers' output there was no room for.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
