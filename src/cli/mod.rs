//! The command line: what was typed ([`args`]), what it means ([`job`]), and doing it.

pub mod all;
pub mod args;
pub mod consumer;
pub mod doors;
pub mod installed;
pub mod job;
pub mod list;
pub mod preprocess;
pub mod say;
pub mod script;
pub mod stap_list;
pub mod stats;
pub mod trace;
