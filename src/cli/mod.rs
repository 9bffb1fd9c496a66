//! The command line: what was typed ([`args`]), what it means ([`job`]), and doing it.

pub mod all;
pub mod args;
pub mod consumer;
pub mod job;
pub mod list;
pub mod stats;
pub mod trace;
