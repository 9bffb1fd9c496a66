//! A tracer for CPython's static markers that needs nothing but ptrace(2): no root, no kernel module, no BPF, no debug
//! symbols, no change to the traced program.
//!
//! It works as a debugger does. CPython built with `--with-dtrace` carries markers: a nop in the code at each, and an
//! ELF note that says where it is, where its semaphore is, and where its arguments lie. The tracer raises the
//! semaphores in the traced process, plants breakpoints on the nops, decodes the arguments at each trap, and reads
//! strings and objects from the process's memory. Where that can be shown to be safe, sites are then diverted to code that
//! records its events itself ([`fastpath`]).
//!
//! # The way of the data
//!
//! ```text
//! script ─ compile ─┬──────────────────────────────────────────► engine
//!                   ▼                                              ▲
//! binary ─ notes ─► plan ─► sites ─ arm ─┬► trap ─► event ─┬► consumer ─► output
//!                                        └► ring ──────────┘
//! ```
//!
//! Everything flows one way. The [`plan`] says what is wanted and how much of it to read, be it for a built-in report or
//! for a [`script`], which is compiled before anything is touched; the [`tracer`] knows nothing of reports and
//! languages, and a [`report`] and a [`script`] know nothing of ptrace. What crosses the channel between their threads is
//! an [`event`]: owned data. What a program records by itself the consumer reads from its rings, in one order of time. Only where a script needs the process itself, the thread that fired waits for it.
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
//! | [`plan`] | what is wanted: points, what to capture at each, what can be decided on the spot |
//! | [`injected`] | the code that provides the markers that an interpreter lacks |
//! | [`tracer`] | the ptrace thread: launch, attach, arm, trap, leave |
//! | [`fastpath`] | events recorded by the traced program itself, without a trap |
//! | [`event`] | all that crosses the channel |
//! | [`script`] | scripts: their languages, the program that they become, the machine that runs it |
//! | [`report`], [`output`] | built-in consumers: call hierarchy, marker lines, JSON |
//! | [`cli`] | the command line, own and as `dtrace` and `stap` |
//!
//! What differs between CPUs is in the crate `ptpytrace-arch`.
//!
//! # Invariants
//!
//! 1. The traced program behaves as untraced: its output, exit status, signals and job control.
//! 2. No event is lost silently. When the consumer is slow the program waits.
//! 3. Every way out restores every byte and semaphore and detaches every thread as it was.
//! 4. Hostile input (files, memory, scripts) gets an error: never a panic, never an endless loop.
//! 5. An error says what was tried, why it failed, and what to do.
//! 6. Names are those of `readelf -n`; every site of a marker is armed, each with its own argument specs.

#![warn(missing_docs)]

pub mod address;
pub mod cli;
pub mod cpython;
pub mod elf;
pub mod event;
pub mod fastpath;
pub mod injected;
pub mod output;
pub mod plan;
pub mod probe;
pub mod process;
pub mod report;
pub mod script;
pub mod tracer;
