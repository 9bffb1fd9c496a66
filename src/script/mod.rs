//! Scripts: each language is parsed into its own tree and lowered onto one typed [`ir::Program`] that knows nothing of
//! either language; the [`vm`] carries that out.
//!
//! ```text
//! text ─ dtrace / systemtap: lex, parse, check, lower ─► ir::Program ─┬─ plan ─► crate::plan::Plan ─► tracer
//!                                                                     └─ vm::Engine ◄─ events
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | [`source`], [`diagnostic`] | texts with their names, places in them, and what is said about them |
//! | [`dtrace`], [`systemtap`] | the languages; each has a table of all its names, which drives look-up and reference |
//! | [`ir`] | the program that both become |
//! | [`plan`] | what a program wants of the tracer: points, captures, tests that can be done on the spot |
//! | [`vm`] | carries a program out: closures over typed slots, tables, threads, timers |
//! | [`builtin`], [`builtins`] | functions that are no nodes of the program; a row each, for whichever language names it |
//! | [`mod@format`], [`aggregation`] | numbers, strings and times as printf(3) shows them; summaries and histograms |
//!
//! A builtin is a row; a language is a folder and what its lowering needs of the others.
//!
//! Everything that is wrong with a script is a [`diagnostic::Diagnostic`] that points into a [`source::Sources`]; several
//! are reported in one go.

pub mod aggregation;
pub mod builtin;
pub mod builtins;
pub mod diagnostic;
pub mod dtrace;
pub mod format;
pub mod ir;
pub mod plan;
pub mod source;
pub mod systemtap;
pub mod vm;
