//! What `/proc` says about processes: who they are, what their memory holds, and why one of them cannot be traced.
//!
//! Nothing here stops or changes a process but [`memory::ProcessMemory::write`]. A process may end at any moment, so
//! each reading of it gives [`proc::Lookup`]: found, or gone. That it is gone is an answer, not an error.

pub mod interpreters;
pub mod maps;
pub mod memory;
pub mod obstacle;
pub mod proc;
pub mod program;
pub mod stat;
pub mod status;
pub mod system_calls;
