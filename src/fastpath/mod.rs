//! Events without a trap: code in the traced program writes them into memory that the tracer reads.
//!
//! A trap costs microseconds, the work of an event some tens of nanoseconds. So where it can be shown to be safe, a
//! marker's nop is led ([`diversion`]) into a [`recorder`]: machine code made for that one site, which takes just what is
//! wanted, decides what can be decided on the spot, and writes a record into a [`ring`]. The tracer hands the
//! rings to the consumer as a [`recording`], and the consumer [`drain`]s them. A
//! [`guard`] process puts back what must be put back when the tracer is killed.

pub mod diversion;
pub mod drain;
pub mod guard;
pub mod recorder;
pub mod recording;
pub mod ring;
