//! What the tests stand on: the interpreters, the programs under test, the tracer, and what /proc says of them.

pub mod guard;
pub mod interpreters;
pub mod memory;
pub mod program;
pub mod pty;
pub mod task;
pub mod trace;
pub mod tracer;
