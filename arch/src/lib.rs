//! All that differs between CPUs, gathered in a leaf crate: no system calls, no I/O, no `unsafe`.
//!
//! A static marker's note tells where the marker's arguments lie, in the assembler syntax of the CPU it was
//! compiled for. This crate turns that text into [`ArgSpec`]s once ([`Arch::parse_args`]) and reads them at each
//! hit from a snapshot of the thread's registers and its memory ([`ArgSpec::fetch`]). It also says which bytes make
//! a breakpoint and which instructions may be stepped over without running them. It returns bytes and values and
//! never writes them anywhere, so every CPU compiles and is tested on every host.
//!
//! ```
//! use ptpytrace_arch::{Arch, ArgValue, Bytes, Registers, X86_64};
//!
//! let specs = X86_64.parse_args("8@%rdx -4@%eax 4@8(%rsp)").unwrap();
//! let mut registers = Registers::default();
//! registers.general[10] = 0xffff_fffe; // rax
//! registers.general[19] = 0x1000; // rsp
//! let stack = Bytes { base: 0x1008, bytes: &[7, 0, 0, 0] };
//! assert_eq!(specs[1].fetch(&registers, &stack), Ok(ArgValue::Signed(-2)));
//! assert_eq!(specs[2].fetch(&registers, &stack), Ok(ArgValue::Unsigned(7)));
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod aarch64;
mod arg;
mod error;
mod location;
mod memory;
mod parse;
mod registers;
pub mod x86_64;

use std::fmt;

pub use arg::{ArgSpec, ArgValue};
pub use error::{ArgError, FetchError, Reason};
pub use location::{Index, Location, Memory};
pub use memory::{Bytes, ReadMemory};
pub use parse::{MAX_ARGUMENTS, MAX_TEXT};
pub use registers::{GENERAL_WORDS, Register, Registers, VECTOR_REGISTERS};

/// The x86-64 CPU (`EM_X86_64`).
pub static X86_64: x86_64::Cpu = x86_64::Cpu;

/// The 64-bit Arm CPU, little endian (`EM_AARCH64`).
pub static AARCH64: aarch64::Cpu = aarch64::Cpu;

/// Every CPU this crate knows: a further one is a further row.
static ALL: [&dyn Arch; 2] = [&X86_64, &AARCH64];

/// The CPU for an ELF header's `e_machine`, or `None` when it is not known.
pub fn for_machine(e_machine: u16) -> Option<&'static dyn Arch> {
    ALL.iter()
        .copied()
        .find(|arch| arch.elf_machine() == e_machine)
}

/// The most bytes that [`Arch::relocate`] gives.
pub const RELOCATED: usize = 64;

/// What a tracer needs to know of a CPU.
pub trait Arch: Sync + Send {
    /// The CPU's usual name: `"x86-64"`, `"aarch64"`.
    fn name(&self) -> &'static str;

    /// The ELF header's `e_machine`: 62 (`EM_X86_64`) or 183 (`EM_AARCH64`).
    fn elf_machine(&self) -> u16;

    /// Reads the whole argument string of one SDT note; a string without any argument gives an empty list.
    ///
    /// Each argument is `SIZE@OPERAND`: SIZE is 1, 2, 4 or 8 bytes, negative when the value is signed, with an `f`
    /// behind it for a floating-point value (4 or 8); OPERAND is in the CPU's assembler syntax (on x86-64 that of
    /// AT&T). Without `SIZE@` the argument has eight bytes and no sign.
    ///
    /// # Errors
    /// [`ArgError`] for the first argument that cannot be read. See also [`Arch::parse_each`].
    fn parse_args(&self, specs: &str) -> Result<Vec<ArgSpec>, ArgError> {
        self.parse_each(specs)?.into_iter().collect()
    }

    /// As [`Arch::parse_args`], but one argument that cannot be read does not spoil the others.
    ///
    /// # Errors
    /// Only when the string as a whole is longer than [`MAX_TEXT`] bytes or has more than [`MAX_ARGUMENTS`]
    /// arguments.
    fn parse_each(&self, specs: &str) -> Result<Vec<Result<ArgSpec, ArgError>>, ArgError>;

    /// The register of that name, written without a prefix (`"rax"`, `"ah"`, `"w3"`, `"sp"`).
    fn register(&self, name: &str) -> Option<Register>;

    /// Writes an operand in the CPU's syntax, so that [`Arch::parse_args`] reads the same location again.
    ///
    /// # Errors
    /// Those of the formatter.
    fn write_operand(&self, out: &mut fmt::Formatter<'_>, location: &Location) -> fmt::Result;

    /// The bytes of the breakpoint instruction, in memory order.
    fn breakpoint(&self) -> &'static [u8];

    /// The length in bytes of the nop that starts at `code[0]`, whatever its encoding; `None` when no complete nop
    /// starts there. Hints with a meaning of their own (`pause`, `endbr64`, `bti`) are not nops.
    fn nop_len(&self, code: &[u8]) -> Option<usize>;

    /// Which word of [`Registers::general`] holds the program counter.
    fn pc_index(&self) -> usize;

    /// Which word of [`Registers::general`] holds the stack pointer.
    fn sp_index(&self) -> usize;

    /// Which word of [`Registers::general`] holds the frame pointer, where code keeps one: it points to the outer frame's
    /// pointer and, behind it, the return address.
    fn frame_pointer_index(&self) -> usize;

    /// How many bytes the program counter lies behind the breakpoint's address when the breakpoint is reported.
    fn pc_after_breakpoint(&self) -> u64;

    /// How to carry out the instruction at `code[0]` without running it, for a breakpoint on a function's first
    /// instruction; `None` when it is none of the few for which that is simple.
    fn hook_step(&self, code: &[u8]) -> Option<HookStep>;

    /// The bytes of the instruction that makes a system call, in memory order.
    fn system_call(&self) -> &'static [u8];

    /// Sets the registers so that a thread at `at`, where [`Arch::system_call`] stands, makes this system call and does
    /// not take itself to be in another one (which the kernel would restart). At most six arguments.
    fn prepare_system_call(
        &self,
        registers: &mut Registers,
        at: u64,
        number: u64,
        arguments: &[u64],
    );

    /// Which word of [`Registers::general`] holds a system call's result.
    fn result_word(&self) -> usize;

    /// Where the first arguments of a function (integers and pointers) lie at its first instruction, in the syntax of
    /// notes: those in registers, then some on the stack.
    fn call_arguments(&self) -> &'static str;

    /// Whether code that ends with these bytes (at most 8) may end with a call: what lies behind it may be a return
    /// address then.
    fn may_end_with_call(&self, code: &[u8]) -> bool;

    /// Code for the address `to` that does what the instruction at `code[0]` does at the address `from`, and goes on
    /// behind that. A call leaves the same return address behind. At most [`RELOCATED`] bytes; `None` when it cannot be
    /// done.
    fn relocate(&self, code: &[u8], from: u64, to: u64) -> Option<Vec<u8>>;

    /// Which words of [`Registers::general`] hold a function's first arguments (integers and pointers), in order.
    fn argument_words(&self) -> &'static [usize];
}

impl fmt::Debug for dyn Arch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl PartialEq for dyn Arch {
    fn eq(&self, other: &dyn Arch) -> bool {
        self.elf_machine() == other.elf_machine()
    }
}

impl Eq for dyn Arch {}

/// What a tracer does in place of an instruction that its breakpoint covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookStep {
    /// Continue this many bytes after the instruction's address: a nop or a landing pad (`endbr64`, `bti`).
    Nop(usize),
    /// Return to the caller. On x86-64 pop the return address and then this many bytes more (`ret imm16`; 0 for
    /// `ret`); on aarch64 continue at x30, the number is 0. A thread with a hardware shadow stack must not be
    /// returned this way: its second copy of the address would stay behind.
    Return(u16),
    /// Add `addend` to the word `from` of [`Registers::general`] and put the sum (its low 32 bits where `narrow`) into
    /// the word `to`; continue `length` bytes on. Flags are left as they are: at a function's first instruction no
    /// calling convention gives them a meaning.
    Add {
        /// The word that is written.
        to: usize,
        /// The word that is read.
        from: usize,
        /// What is added, modulo 2⁶⁴.
        addend: i64,
        /// Only 32 bits are kept.
        narrow: bool,
        /// The instruction's length in bytes.
        length: usize,
    },
    /// Push the word `from` of [`Registers::general`] on the stack; continue `length` bytes on.
    Push {
        /// The word that is pushed.
        from: usize,
        /// The instruction's length in bytes.
        length: usize,
    },
}
