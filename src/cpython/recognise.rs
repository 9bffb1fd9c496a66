//! Recognises which CPython a build is from outside: from an ELF file alone, or with the process's memory.

use ptpytrace_arch::ReadMemory;
use thiserror::Error;

use super::symbols::{SymbolSource, kind_of_build, version_by_additions};
use super::version::Version;

/// What is known of a build before its version is.
#[derive(Clone, Copy)]
pub struct Build<'a> {
    /// The dynamic symbols of the file that holds the interpreter (the executable or libpython).
    pub symbols: &'a dyn SymbolSource,
    /// Memory at those symbols' addresses: the process's, or the bytes of the file's segments.
    pub memory: &'a dyn ReadMemory,
    /// The file's `DT_SONAME`, if it has one.
    pub soname: Option<&'a str>,
    /// The file's path; only its last part counts.
    pub path: Option<&'a str>,
}

/// Neither symbols nor names tell a CPython version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the CPython version of this build is not recognised: it exports neither Py_Version nor a known part of the C API"
)]
pub struct Unrecognised;

impl Version {
    /// Recognises a build by whatever it offers, the surest first: `Py_Version`, `_PyRuntime`, the soname, the
    /// path, the exported symbols that came with a version.
    ///
    /// # Errors
    /// [`Unrecognised`] when none of these says anything.
    pub fn recognise(build: &Build<'_>) -> Result<Version, Unrecognised> {
        let mut version = from_py_version(build)
            .or_else(|| from_runtime(build))
            .or_else(|| build.soname.and_then(Version::from_name))
            .or_else(|| build.path.and_then(Version::from_name))
            .or_else(|| {
                let (major, minor) = version_by_additions(build.symbols)?;
                Some(Version::plain(major, minor))
            })
            .ok_or(Unrecognised)?;
        let (free_threaded, debug, trace_refs) = kind_of_build(build.symbols);
        let told = from_runtime(build).map(|runtime| runtime.free_threaded);
        version.free_threaded |= free_threaded || told == Some(true);
        version.debug |= debug;
        version.trace_refs |= trace_refs;
        Ok(version)
    }

    /// As [`Version::recognise`], from symbols and memory alone.
    ///
    /// # Errors
    /// [`Unrecognised`] when they say nothing.
    pub fn from_symbols(
        symbols: &dyn SymbolSource,
        memory: &dyn ReadMemory,
    ) -> Result<Version, Unrecognised> {
        Version::recognise(&Build {
            symbols,
            memory,
            soname: None,
            path: None,
        })
    }
}

/// `Py_Version`, exported since 3.11: `const unsigned long`, the hex version. Its low four bytes are enough.
fn from_py_version(build: &Build<'_>) -> Option<Version> {
    let address = build.symbols.symbol("Py_Version")?;
    let hex = u32::from_le_bytes(read_array(build.memory, address)?);
    Version::from_hex(hex).filter(|version| version.at_least(3, 11))
}

/// `_PyRuntime`, which since 3.13 begins with `_Py_DebugOffsets`: the eight characters `xdebugpy`, u64 the hex
/// version, u64 whether it is free-threaded.
fn from_runtime(build: &Build<'_>) -> Option<Version> {
    let address = build.symbols.symbol("_PyRuntime")?;
    let block: [u8; 24] = read_array(build.memory, address)?;
    let (cookie, rest) = block.split_first_chunk::<8>()?;
    let (hex, rest) = rest.split_first_chunk::<8>()?;
    let (free_threaded, _) = rest.split_first_chunk::<8>()?;
    if cookie != b"xdebugpy" {
        return None;
    }
    let hex = u32::try_from(u64::from_le_bytes(*hex)).ok()?;
    let version = Version::from_hex(hex)?;
    Some(Version {
        free_threaded: u64::from_le_bytes(*free_threaded) != 0,
        ..version
    })
}

fn read_array<const N: usize>(memory: &dyn ReadMemory, address: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (memory.read(address, &mut bytes) == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptpytrace_arch::Bytes;

    const NOTHING: Bytes<'static> = Bytes {
        base: 0,
        bytes: &[],
    };

    fn runtime(hex: u64, free_threaded: u64) -> Vec<u8> {
        [*b"xdebugpy", hex.to_le_bytes(), free_threaded.to_le_bytes()].concat()
    }

    #[test]
    fn runtime_tells_version_and_threading() {
        let bytes = runtime(0x030d_05f0, 1);
        let memory = Bytes {
            base: 0x4000,
            bytes: &bytes,
        };
        let symbols = |name: &str| (name == "_PyRuntime").then_some(0x4000);
        let version = Version::from_symbols(&symbols, &memory).unwrap();
        assert_eq!(version.to_string(), "3.13.5 free-threaded");
    }

    #[test]
    fn threading_is_told_beside_py_version() {
        let mut bytes = runtime(0x030e_0af0, 1);
        bytes.extend(0x030e_0af0_u64.to_le_bytes());
        let memory = Bytes {
            base: 0x4000,
            bytes: &bytes,
        };
        let symbols = |name: &str| match name {
            "_PyRuntime" => Some(0x4000),
            "Py_Version" => Some(0x4018),
            _ => None,
        };
        let version = Version::from_symbols(&symbols, &memory).unwrap();
        assert_eq!(version.to_string(), "3.14.10 free-threaded");
    }

    #[test]
    fn numbers_that_cannot_be_there_are_not_believed() {
        // Before 3.13 _PyRuntime begins otherwise, and before 3.11 there was no Py_Version.
        let mut bytes = runtime(0x030d_05f0, 1);
        bytes.splice(..8, *b"xdebugpz");
        bytes.extend(0x0309_02f0_u64.to_le_bytes());
        let memory = Bytes {
            base: 0x4000,
            bytes: &bytes,
        };
        let symbols = |name: &str| match name {
            "_PyRuntime" => Some(0x4000),
            "Py_Version" => Some(0x4018),
            _ => None,
        };
        assert_eq!(Version::from_symbols(&symbols, &memory), Err(Unrecognised));
    }

    #[test]
    fn py_version_goes_before_names() {
        let bytes = 0x030b_00f0_u64.to_le_bytes();
        let memory = Bytes {
            base: 0x4000,
            bytes: &bytes,
        };
        let symbols = |name: &str| (name == "Py_Version").then_some(0x4000);
        let build = Build {
            symbols: &symbols,
            memory: &memory,
            soname: Some("libpython3.12.so.1.0"),
            path: None,
        };
        assert_eq!(Version::recognise(&build).unwrap().to_string(), "3.11.0");
        // Unreadable memory: the name is next.
        let build = Build {
            memory: &NOTHING,
            ..build
        };
        assert_eq!(Version::recognise(&build).unwrap().to_string(), "3.12");
    }

    #[test]
    fn what_is_no_python_is_refused() {
        let none = |_: &str| None;
        assert_eq!(Version::from_symbols(&none, &NOTHING), Err(Unrecognised));
        // Memory that holds no version where the symbol points.
        let bytes = [0x41; 64];
        let memory = Bytes {
            base: 0x4000,
            bytes: &bytes,
        };
        let symbols = |name: &str| matches!(name, "Py_Version" | "_PyRuntime").then_some(0x4000);
        assert_eq!(Version::from_symbols(&symbols, &memory), Err(Unrecognised));
    }
}
