pub mod address;
pub mod cpython;
pub mod elf;
pub mod probe;
pub mod process;
