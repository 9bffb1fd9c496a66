//! Addresses that cannot be mixed up: one in a file, one in a running process,
//! and the distance between them.

use std::fmt;

/// An address as the ELF file has it (`p_vaddr`, `st_value`, a note's location).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileAddress(pub u64);

/// An address in the memory of a running process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuntimeAddress(pub u64);

/// How far an image lies from the addresses in its file: 0 for `ET_EXEC`.
///
/// Additions wrap, as the dynamic linker's do: an image may be mapped below
/// the addresses that it was linked for (prelink).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LoadBias(pub u64);

impl LoadBias {
    /// The bias that maps `file` to `runtime`.
    pub fn between(file: FileAddress, runtime: RuntimeAddress) -> LoadBias {
        LoadBias(runtime.0.wrapping_sub(file.0))
    }

    /// Where an address of the file lies in the process.
    pub fn apply(self, file: FileAddress) -> RuntimeAddress {
        RuntimeAddress(file.0.wrapping_add(self.0))
    }
}

impl fmt::Display for FileAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for RuntimeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_maps_file_to_process_and_wraps() {
        let bias = LoadBias::between(FileAddress(0x1000), RuntimeAddress(0x5555_0000_1000));
        assert_eq!(bias, LoadBias(0x5555_0000_0000));
        assert_eq!(
            bias.apply(FileAddress(0x2abc)),
            RuntimeAddress(0x5555_0000_2abc)
        );
        let down = LoadBias::between(FileAddress(0x4000), RuntimeAddress(0x1000));
        assert_eq!(down.apply(FileAddress(0x5000)), RuntimeAddress(0x2000));
    }
}
