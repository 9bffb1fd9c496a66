//! What the reader keeps of each ring: how far it has read, whose it is, and the strings that its slots hold.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

use rustc_hash::FxHashMap;

use crate::fastpath::ring::record::TIME;
use crate::fastpath::ring::tenancy::{Change, Tenancy, used};
use crate::fastpath::ring::words::{load, low_half, store, word};
use crate::fastpath::ring::writers::wake_writer;
use crate::fastpath::ring::{DATA, Layout, SKIP_HERE, TABLE_BYTES, header, ring_header, slot};

/// How far in the future a time may be, ticks, before it is not believed. About a second.
const FUTURE: u64 = 1 << 32;

/// The rings, and which of them are in use.
#[derive(Debug)]
pub(super) struct Rings {
    layout: Layout,
    all: Vec<Ring>,
    /// So many have been had by a thread.
    used: usize,
    /// The indices of those that somebody has or that still hold records.
    active: Vec<usize>,
    /// The program's count of claims when they were last looked for; `None`: look again.
    claims: Option<u64>,
    /// Thread ids by thread pointer.
    names: FxHashMap<u64, i32>,
}

/// One ring.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Where it begins in the file.
    begin: u64,
    /// The position of the next record.
    position: u64,
    /// The position behind the last record that may be read.
    head: u64,
    /// What the program says is to be skipped.
    skip: u64,
    /// The position that the program knows to have been read up to.
    released: u64,
    /// The position from which on it was said when to wake.
    armed: u64,
    /// Beyond this position the thread is to wake; the shared word is only written.
    mark: u64,
    /// The time of the last record, ticks.
    pub(super) latest: u64,
    /// The thread that has it; 0 when that is not known.
    tid: i32,
    /// Up to these positions it was these threads', in order.
    former: VecDeque<(u64, i32)>,
    slots: Vec<Slot>,
}

/// The string in a slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    /// Its address in the traced program.
    pub(super) address: u64,
    /// Its bytes.
    pub(super) text: Vec<u8>,
    /// Which filling of any slot that was; 0: none.
    pub(super) filled: u64,
}

impl Rings {
    pub(super) fn new(layout: Layout) -> Rings {
        let begins = (0..layout.rings()).filter_map(|it| layout.ring(it));
        let ring = |begin| Ring {
            begin,
            ..Ring::default()
        };
        Rings {
            layout,
            all: begins.map(ring).collect(),
            used: 0,
            active: Vec::new(),
            claims: None,
            names: FxHashMap::default(),
        }
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Ring> {
        self.all.get_mut(index)
    }

    /// How many are in use.
    pub(super) fn count(&self) -> usize {
        self.active.len()
    }

    /// Those in use.
    fn active(&self) -> impl Iterator<Item = (usize, &Ring)> {
        let rings = self.active.iter();
        rings.filter_map(|index| Some((*index, self.all.get(*index)?)))
    }

    pub(super) fn with_records(&self) -> impl Iterator<Item = (usize, &Ring)> {
        self.active().filter(|(_, ring)| ring.has_records())
    }

    /// Looks how far the threads have written, then whose the rings are. How many rings made no sense.
    pub(super) fn look(&mut self, words: &[AtomicU64], tenancy: &Tenancy) -> u64 {
        let claims = load(words, header::CLAIMS);
        if self.claims != Some(claims) {
            self.claims = Some(claims);
            self.find_active(words);
        }
        let mut damaged = 0u64;
        for index in &self.active {
            if let Some(ring) = self.all.get_mut(*index) {
                damaged = damaged.saturating_add(ring.look(words, &self.layout).into());
            }
        }
        // After the heads: a thread writes its id before its first record.
        let mut changes = tenancy.changes();
        for change in changes.drain(..) {
            self.change(change);
        }
        for index in &self.active {
            if let Some(ring) = self.all.get_mut(*index)
                && ring.tid == 0
            {
                ring.identify(words, &self.names);
            }
        }
        damaged
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Left {
                ring,
                head,
                pointer,
                tid,
            } => {
                let tid = self.names.get(&pointer).copied().unwrap_or(tid);
                let index = usize::try_from(ring).unwrap_or(usize::MAX);
                if let Some(ring) = self.all.get_mut(index) {
                    ring.leave(head, tid);
                    self.claims = None;
                }
            }
            Change::Named { pointer, tid } => {
                self.names.insert(pointer, tid);
            }
            Change::Forgotten { pointer } => {
                self.names.remove(&pointer);
            }
        }
    }

    fn find_active(&mut self, words: &[AtomicU64]) {
        self.active.clear();
        // Those that were found once stay, whatever the program writes there.
        self.used = self.used.max(used(words, &self.layout).count());
        for (index, ring) in self.all.iter_mut().enumerate().take(self.used) {
            ring.tid = 0;
            let owned = load(words, ring.begin + ring_header::KEY) != 0;
            let head = load(words, ring.begin + ring_header::HEAD);
            if owned || head != ring.position {
                self.active.push(index);
            } else {
                // The next thread's first record is news.
                ring.mark(words, 0);
            }
        }
    }

    /// Asks to be woken when a thread has written more than `bytes` beyond what has been read; with `moved` only where
    /// something has been read since the last time. Whether anything changed.
    pub(super) fn arm(&mut self, words: &[AtomicU64], bytes: u64, moved: bool) -> bool {
        let mut changed = false;
        for index in &self.active {
            if let Some(ring) = self.all.get_mut(*index)
                && !(moved && ring.armed == ring.position)
            {
                ring.armed = ring.position;
                changed |= ring.mark(words, ring.position.saturating_add(bytes));
            }
        }
        changed
    }

    /// Whether a thread has written more than `bytes` beyond what has been read, or has only just taken a ring.
    pub(super) fn has_more(&self, words: &[AtomicU64], bytes: u64) -> bool {
        let written =
            |ring: &Ring| load(words, ring.begin + ring_header::HEAD).wrapping_sub(ring.position);
        self.claims != Some(load(words, header::CLAIMS))
            || self.active().any(|(_, ring)| written(ring) > bytes)
    }

    /// Lets the threads write over what has been read.
    pub(super) fn make_room(&mut self, words: &[AtomicU64]) {
        for index in &self.active {
            if let Some(ring) = self.all.get_mut(*index) {
                ring.make_room(words, &self.layout);
            }
        }
    }
}

impl Ring {
    pub(super) fn has_records(&self) -> bool {
        self.position != self.head
    }

    /// The thread that wrote the next record.
    pub(super) fn tid(&mut self, layout: &Layout) -> i32 {
        while let Some((until, tid)) = self.former.front().copied() {
            if (1..=layout.size()).contains(&until.wrapping_sub(self.position)) {
                return tid;
            }
            self.former.pop_front();
        }
        self.tid
    }

    /// Asks to be woken beyond this position; whether that is new.
    fn mark(&mut self, words: &[AtomicU64], mark: u64) -> bool {
        if self.mark == mark {
            return false;
        }
        self.mark = mark;
        store(words, self.begin + ring_header::MARK, mark);
        true
    }

    fn identify(&mut self, words: &[AtomicU64], names: &FxHashMap<u64, i32>) {
        let key = load(words, self.begin + ring_header::KEY);
        let own = low_half(load(words, self.begin + ring_header::TID));
        self.tid = names.get(&key).copied().unwrap_or(own.cast_signed());
    }

    /// Up to this position it was that thread's; from there on it is another one's.
    fn leave(&mut self, head: u64, tid: i32) {
        if head != self.position {
            self.former.push_back((head, tid));
        }
        self.tid = 0;
    }

    /// Looks how far the thread has written; whether that made no sense.
    fn look(&mut self, words: &[AtomicU64], layout: &Layout) -> bool {
        let head = load(words, self.begin + ring_header::HEAD);
        let written = head.wrapping_sub(self.position);
        let sound = head.is_multiple_of(8) && written <= layout.size();
        self.head = head & !7;
        // After the head: what is to be skipped is told before the head goes beyond it.
        self.skip = load(words, self.begin + ring_header::SKIP);
        if !sound {
            self.skip_all();
            return true;
        }
        !self.pass_skipped(layout)
    }

    /// Goes on behind what is to be skipped, if that is next; whether it is within what has been written. If not, all
    /// of it is given up.
    fn pass_skipped(&mut self, layout: &Layout) -> bool {
        if self.position.wrapping_add(SKIP_HERE) != self.skip || !self.has_records() {
            return true;
        }
        self.step(layout.behind(self.position, layout.overhang()))
    }

    /// Goes on at a position; whether it is within what has been written. If not, all of it is given up.
    fn step(&mut self, position: u64) -> bool {
        let step = position.wrapping_sub(self.position);
        let inside = step <= self.head.wrapping_sub(self.position);
        if inside {
            self.position = position;
        } else {
            self.skip_all();
        }
        inside
    }

    /// Gives up all that has been written.
    fn skip_all(&mut self) {
        self.position = self.head;
    }

    /// The ring's memory from the next record on.
    #[inline]
    pub(super) fn rest<'a>(&self, words: &'a [AtomicU64], layout: &Layout) -> &'a [AtomicU64] {
        let data = self.begin.saturating_add(DATA);
        let from = data.saturating_add(self.position & layout.mask());
        let behind = data.saturating_add(layout.size().saturating_add(layout.overhang()));
        let index = |offset: u64| usize::try_from(offset / 8).unwrap_or(usize::MAX);
        words.get(index(from)..index(behind)).unwrap_or_default()
    }

    /// Goes on behind the next record, which has that length; whether that is within what has been written. If not,
    /// all of it is given up.
    pub(super) fn advance(&mut self, layout: &Layout, length: u64) -> bool {
        if length == 0 || !length.is_multiple_of(8) {
            self.skip_all();
            return false;
        }
        self.step(layout.behind(self.position, length)) && self.pass_skipped(layout)
    }

    /// The time of the next record, ticks: not before the last one's, and not after `now`.
    #[inline]
    pub(super) fn next_time(&self, rest: &[AtomicU64], now: u64) -> u64 {
        let time = load(rest, TIME);
        if time.saturating_sub(now) > FUTURE {
            return self.latest;
        }
        time.min(now).max(self.latest)
    }

    fn make_room(&mut self, words: &[AtomicU64], layout: &Layout) {
        if self.released == self.position {
            return;
        }
        self.released = self.position;
        let limit = self.position.wrapping_add(layout.size());
        store(words, self.begin + ring_header::LIMIT, limit);
        let Some(turn) = word(words, self.begin + ring_header::TURN) else {
            return;
        };
        wake_writer(turn);
    }

    /// Makes room when an eighth of the ring has been read.
    pub(super) fn make_room_now_and_then(&mut self, words: &[AtomicU64], layout: &Layout) {
        if self.position.wrapping_sub(self.released) >= layout.size() / 8 {
            self.make_room(words, layout);
        }
    }

    /// What a slot was last filled with ([`Slot::filled`]).
    #[inline]
    pub(super) fn filling(&self, number: u32) -> u64 {
        let slot = usize::try_from(number)
            .ok()
            .and_then(|it| self.slots.get(it));
        slot.map_or(0, |it| it.filled)
    }

    /// The string in a slot; `None` for a number out of range.
    pub(super) fn slot(&mut self, number: u32) -> Option<&mut Slot> {
        let number = usize::try_from(number).ok()?;
        let count = usize::try_from(TABLE_BYTES / slot::BYTES).ok()?;
        if self.slots.is_empty() {
            self.slots.resize_with(count, Slot::default);
        }
        self.slots.get_mut(number)
    }
}
