//! Carries out an [`ir::Program`](super::ir::Program).
//!
//! A program is compiled into closures over typed slots ([`Engine::new`]); the [`Engine`] is a consumer of events. The
//! work of an event is a few calls: the probe's handlers are known from its first firing on, strings stay with the event
//! until they are kept, and what is kept is a number. Whatever a script does ends: statements, nesting, text and output
//! of one firing are limited.

mod aggregated;
mod call;
mod code;
mod compile;
mod engine;
mod firing;
mod interner;
mod machine;
mod names;
mod points;
mod python_stack;
mod routes;
mod row;
mod samples;
mod speculation;
mod sweep;
mod table;
mod text;
mod threads;
mod timers;

pub use call::{Call, Value};
pub use engine::{Counters, Engine};

#[cfg(test)]
mod tests;
