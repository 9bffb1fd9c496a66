//! A tracer for CPython's static markers that needs nothing but ptrace(2): no root, no kernel module, no BPF, no debug
//! symbols, no change to the traced program.
//!
//! It works as a debugger does. CPython built with `--with-dtrace` carries markers: a nop in the code at each, and an
//! ELF note that says where it is, where its semaphore is, and where its arguments lie. The tracer raises the
//! semaphores in the traced process, plants breakpoints on the nops, decodes the arguments at each trap, and reads
//! strings and objects from the process's memory.
//!
//! # The way of the data
//!
//! ```text
//! binary ─ notes ─► plan ─► sites ─ arm ─► trap ─► event ─► consumer ─► output
//! ```
//!
//! Everything flows one way. The [`plan`] says which markers are wanted and how much to read; the [`tracer`] knows
//! nothing of reports, and a [`report`] knows nothing of ptrace. What crosses the channel between their threads is an
//! [`event`]: owned data.
//!
//! # The modules
//!
//! | module | what it is |
//! | --- | --- |
//! | [`address`] | addresses in files and in processes, and the load bias between them |
//! | [`elf`] | what an ELF file says: segments, symbols, notes |
//! | [`probe`] | markers: patterns to choose them by, the known ones' argument names |
//! | [`process`] | what `/proc` says: mappings, threads, memory; why an attach would fail |
//! | [`cpython`] | versions, and objects decoded from outside |
//! | [`plan`] | what is wanted |
//! | [`tracer`] | the ptrace thread: launch, attach, arm, trap, leave |
//! | [`event`] | all that crosses the channel |
//! | [`report`], [`output`] | consumers: call hierarchy, marker lines, JSON |
//! | [`cli`] | the command line |
//!
//! What differs between CPUs is in the crate `ptpytrace-arch`.
//!
//! # Invariants
//!
//! 1. The traced program behaves as untraced: its output, exit status, signals and job control.
//! 2. No event is lost silently. When the consumer is slow the program waits.
//! 3. Every way out restores every byte and semaphore and detaches every thread as it was.
//! 4. Hostile input (files, memory) gets an error: never a panic, never an endless loop.
//! 5. An error says what was tried, why it failed, and what to do.
//! 6. Names are those of `readelf -n`; every site of a marker is armed, each with its own argument specs.

#![warn(missing_docs)]

pub mod address;
pub mod cli;
pub mod cpython;
pub mod elf;
pub mod event;
pub mod output;
pub mod plan;
pub mod probe;
pub mod process;
pub mod report;
pub mod tracer;
