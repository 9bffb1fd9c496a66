//! The memory through which the traced program hands its events over, and the reader's side of it.
//!
//! # One ring a thread
//!
//! Every thread writes into a ring of its own, and only the tracer reads. A record is first written behind the ring's
//! head, where nobody looks, and then published by moving the head with one compare-exchange. The instruction needs no
//! `lock` prefix: nothing but a signal handler of the same thread competes, and a signal cannot interrupt an
//! instruction. From this follows what a shared ring has to fight for:
//!
//! - There are no reservations, so there are no holes. A thread that is killed, that exits, or whose signal handler
//!   jumps away in the middle of a record leaves nothing behind: what is below the head is complete.
//! - A signal handler that hits a marker in the middle of a record publishes its own first; the interrupted record
//!   finds the head moved and is written anew. Until then it is still written where it was begun: so a thread says
//!   where it begins a record before it does ([`ring_header::INTENT`]), and a handler that finds a record begun at the
//!   head goes beyond it, and tells the reader to skip that stretch ([`ring_header::SKIP`]).
//! - Records of one thread are in order, and the tracer need not clear what it has read.
//!
//! Measured (`cargo bench --bench recorder`, AMD Zen 5): reading the head and exchanging it takes 0.6 ns without the
//! prefix, 4.4 ns with it, as much as `lock xadd`; and threads on different processors share no line of cache.
//!
//! One thing is not covered: a handler that interrupts a record and itself records more than the whole ring holds. Then
//! what is left to be written of the interrupted record, a few words, is written over one of the handler's.
//!
//! # The file
//!
//! A memfd, mapped by both sides. Offsets in bytes, all numbers little-endian:
//!
//! | offset | size | what | written by |
//! | --- | --- | --- | --- |
//! | [`header::OWNER`] | 4 | the robust futex of the tracer ([`owner`]) | tracer, kernel |
//! | [`header::RINGS`] | 4 | how many rings there are | tracer |
//! | [`header::BELL`] | 4 | 1: the tracer has been woken and has not looked yet; a futex | both |
//! | [`header::MISSED`] | 8 | events of threads for which there was no ring | program |
//! | [`header::CLAIMS`] | 8 | how often a thread has taken a ring | program |
//! | [`FIRST_RING`] | [`Layout::stride`] each | the rings | |
//!
//! A ring begins with these words:
//!
//! | offset | size | what | written by |
//! | --- | --- | --- | --- |
//! | [`ring_header::KEY`] | 8 | the thread pointer (`%fs:0`) of the thread that has it; 0: nobody | both |
//! | [`ring_header::HEAD`] | 8 | the position behind the last record | program |
//! | [`ring_header::DROPPED`] | 8 | events for which there was no room | program |
//! | [`ring_header::TID`] | 4 | the thread's id, in its own pid namespace | program, tracer |
//! | [`ring_header::BUSY`] | 4 | 1: a slot of the table of strings is being filled | program |
//! | [`ring_header::INTENT`] | 8 | the position at which the last record was begun | program |
//! | [`ring_header::SKIP`] | 8 | a position, plus [`SKIP_HERE`], at which [`Layout::overhang`] bytes are to be skipped | program |
//! | [`ring_header::LIMIT`] | 8 | the position up to which there is room; 0 before the first thread takes the ring | tracer, at first program |
//! | [`ring_header::MARK`] | 8 | the position beyond which the tracer wants to be woken | tracer |
//! | [`ring_header::TURN`] | 4 | counts up whenever a waiting thread is to look again; a futex | tracer |
//! | [`ring_header::WAITING`] | 4 | 1: the thread waits for room | both |
//! | [`TABLE`] | [`TABLE_BYTES`] | the table of strings ([`slot`]), of use to the program alone | program |
//! | [`DATA`] | [`Layout::size`] + [`Layout::overhang`] | the records | program |
//!
//! A position counts bytes since the beginning, and the record of position P is at P modulo the size of the ring.
//! Records do not wrap: one that begins before the end of the ring may go on into the overhang behind it, and the next
//! then begins at the next multiple of the size. So one mapping on either side is enough, however many rings there are
//! (mapping the data twice in a row, the usual way, would take a system call in the traced program for each of them).
//!
//! # Setting up
//!
//! 1. In the traced program: `memfd_create` (with MFD_ALLOW_SEALING and MFD_CLOEXEC). The tracer opens the file through
//!    `/proc/PID/fd/N` and makes a [`Mapping`] of it, an [`Owner`] takes its word, a [`Reader`] prepares it.
//! 2. In the traced program: `mmap` of the file, [`Layout::file_bytes`] long, shared, readable and writable; `close`;
//!    `mmap` of [`gate::BYTES`] private bytes, readable and writable, and `madvise(MADV_WIPEONFORK)` for them.
//! 3. For each site [`assemble`](super::recorder::Site::assemble) and [`Reader::add_site`].
//! 4. Last, the address of the file's mapping is written to [`gate::HEADER`] as eight bytes: from then on events are
//!    recorded.
//!
//! Then the reader goes to the thread that is to read ([`super::recording`]); what the tracer still has to say about
//! threads goes through the [`Tenancy`].
//!
//! To leave: zeros over all of the gate, [`Owner::leave`], [`super::recording::Line::end`]. Another tracer makes another file: the
//! slots of this one say what only this tracer has read.
//!
//! # A record
//!
//! Described in [`record`]. A string that the ring has carried before is only named: the thread keeps a table of what
//! it has sent, by address, **and compares the content**, which is cheaper than to measure and copy it. The reader
//! keeps the same table.
//!
//! # The gate
//!
//! One more page, private to the traced program and wiped in the children that it forks (`MADV_WIPEONFORK`), leads from
//! the recorders to the file ([`gate`]). Nulled, it turns every recorder off: so a forked child records nothing, and
//! so a tracer leaves. A thread inside a recorder meanwhile comes to no harm, provided that neither the code nor the
//! file is ever unmapped.
//!
//! # Full rings, and a tracer that is no more
//!
//! A thread that finds its ring full spins, then waits on [`ring_header::TURN`] for at most 50 ms at a time and tests
//! [`header::OWNER`]: when the tracer has died, the kernel has set FUTEX_OWNER_DIED there (set_robust_list(2)), and the
//! thread closes the gate and goes on. Where events may be dropped instead, it counts them.

mod clock;
pub mod layout;
pub mod owner;
#[cfg(test)]
pub(crate) mod paper;
pub mod reader;
pub mod record;
pub(in crate::fastpath) mod sys;
mod tenancy;
mod waker;
mod words;
mod writers;

pub(super) use clock::Clock;
pub use layout::{Layout, LayoutError};
pub use owner::Owner;
pub use reader::{Lost, Reader, Record};
pub use sys::Mapping;
pub use tenancy::Tenancy;
pub use waker::Waker;
pub use words::Words;
pub use writers::wake_writers;

/// Offsets in the file's first page.
pub mod header {
    /// The robust futex of the tracer: its thread id, and what the kernel makes of it.
    pub const OWNER: u64 = 0;
    /// How many rings there are, 32 bits.
    pub const RINGS: u64 = 8;
    /// The doorbell, a futex.
    pub const BELL: u64 = 64;
    /// Events of threads for which there was no ring.
    pub const MISSED: u64 = 128;
    /// How often a thread has taken a ring.
    pub const CLAIMS: u64 = 136;
}

/// Offsets in a ring.
pub mod ring_header {
    /// The thread pointer of the thread that has the ring.
    pub const KEY: u64 = 0;
    /// The position behind the last record.
    pub const HEAD: u64 = 8;
    /// Events for which there was no room.
    pub const DROPPED: u64 = 16;
    /// The thread's id, 32 bits.
    pub const TID: u64 = 24;
    /// Whether a slot is being filled, 32 bits.
    pub const BUSY: u64 = 28;
    /// The position at which the last record was begun.
    pub const INTENT: u64 = 32;
    /// The position at which [`super::Layout::overhang`] bytes are to be skipped, and [`super::SKIP_HERE`]; 0: none.
    pub const SKIP: u64 = 40;
    /// The position up to which there is room.
    pub const LIMIT: u64 = 64;
    /// The position beyond which the tracer wants to be woken.
    pub const MARK: u64 = 72;
    /// Counts up when a waiting thread is to look again, 32 bits; a futex.
    pub const TURN: u64 = 80;
    /// Whether the thread waits for room, 32 bits.
    pub const WAITING: u64 = 84;
}

/// Added to a position in [`ring_header::SKIP`]: positions are multiples of 8.
pub const SKIP_HERE: u64 = 1;

/// Offsets in a slot of the table of strings.
///
/// Addresses are rounded down to words of eight bytes, so that comparing never reads beyond the page that holds the
/// NUL: the first and the last word are compared under a mask.
pub mod slot {
    /// The string's address; 0 while the slot says nothing.
    pub const KEY: u64 = 0;
    /// The address that [`KEY`] gets when the string has been published.
    pub const PENDING: u64 = 8;
    /// The descriptor that names it in records, 32 bits.
    pub const DESCRIPTOR: u64 = 16;
    /// Words of the string, less one, 32 bits.
    pub const LAST: u64 = 20;
    /// Which bits of the first word count.
    pub const FIRST_MASK: u64 = 24;
    /// Which bits of the last word count, when there are several.
    pub const LAST_MASK: u64 = 32;
    /// The number under which a callback's text was last found to be this one, as long as that is the text at this address
    /// ([`super::super::recorder::Callback::pinned`]); 0: none.
    pub const PINNED: u64 = 40;
    /// The words.
    pub const TEXT: u64 = 48;
    /// The size of a slot, a power of two.
    pub const BYTES: u64 = 256;
    /// The longest string, without its NUL, that fits wherever it begins in its first word.
    pub const LONGEST: u64 = BYTES - TEXT - 8;
}

/// Offsets in the gate.
pub mod gate {
    /// Where the file's first page is mapped in the traced program; 0: nothing is recorded.
    pub const HEADER: u64 = 0;
    /// 256 addresses of rings, by a hash of the thread pointer; each may be 0, or another thread's.
    pub const RINGS: u64 = 2048;
    /// How many.
    pub const ENTRIES: u64 = 256;
    /// The size of the gate: a page.
    pub const BYTES: u64 = 4096;
}

/// Where the first ring begins in the file.
pub const FIRST_RING: u64 = 4096;
/// Where the table of strings begins in a ring.
pub const TABLE: u64 = 4096;
/// Slots of one bank of the table. The first, third, … string of a record are kept in the one bank, the others in the
/// other, so that the strings of one record cannot drive each other out.
pub const BANK_SLOTS: u64 = 256;
/// The size of one bank of the table.
pub const BANK_BYTES: u64 = BANK_SLOTS * slot::BYTES;
/// The size of the table.
pub const TABLE_BYTES: u64 = 2 * BANK_BYTES;
/// Where the records begin in a ring.
pub const DATA: u64 = TABLE + TABLE_BYTES;
