//! What kind of file a program is, from its first bytes, as the kernel looks at them (execve(2), elf(5)).

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How many bytes the kernel looks at (`BINPRM_BUF_SIZE`; 128 before Linux 5.1).
const HEAD: usize = 256;

/// How many scripts, each the interpreter of the one before, the kernel follows to a program.
pub(super) const MAX_SCRIPTS: usize = 5;

/// The most bytes of program headers that the kernel reads.
const MAX_HEADERS: usize = 65_536;

/// The longest path (`PATH_MAX`).
const MAX_PATH: u64 = 4096;

/// `p_type` of the header that names the dynamic loader.
const PT_INTERP: u32 = 3;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A program for this machine.
    Program {
        /// The dynamic loader that it asks for.
        loader: Option<PathBuf>,
    },
    /// A script that begins with `#!`.
    Script {
        /// Who interprets it.
        interpreter: PathBuf,
    },
    /// A program, but none that can be traced here.
    Unfit(Unfit),
    /// Something else.
    Unknown {
        /// There is nothing in it.
        empty: bool,
    },
}

/// Why an ELF file cannot be traced as a program on this machine. Displayed, it follows the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its class is ELFCLASS32 (i386, x32 and 32-bit Arm programs).
    #[error("is a 32-bit program: ptpytrace traces 64-bit programs")]
    ThirtyTwoBit,
    /// It is for another CPU.
    #[error("is for another CPU ({0}) than this machine's ({1})")]
    OtherMachine(String, &'static str),
    /// It is an object file or a core dump.
    #[error("is an ELF file but not a program")]
    NotProgram,
    /// It ends within its headers.
    #[error("is an ELF file that ends too early: it is damaged")]
    Truncated,
}

/// Why the ELF file `path` cannot be traced as a program; `None` when it can, and when it is no ELF file or cannot be
/// read.
pub fn unfit(path: &Path) -> Option<Unfit> {
    match format_of(path) {
        Ok(Format::Unfit(unfit)) => Some(unfit),
        _ => None,
    }
}

/// Looks at a file.
pub(super) fn format_of(path: &Path) -> io::Result<Format> {
    // A FIFO of that name must not make us wait.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let mut buffer = [0; HEAD];
    let length = read(&file, &mut buffer, 0)?;
    let head = buffer.get(..length).unwrap_or_default();
    if head.starts_with(b"\x7fELF") {
        return Ok(elf(&file, head));
    }
    Ok(match head.strip_prefix(b"#!").and_then(interpreter) {
        Some(interpreter) => Format::Script { interpreter },
        None => Format::Unknown {
            empty: head.is_empty(),
        },
    })
}

fn read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0usize;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(count) => done = done.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The first word behind `#!`. Words end with a space, a tabulator or the line's end; not with a carriage return.
fn interpreter(line: &[u8]) -> Option<PathBuf> {
    let line = line.split(|byte| matches!(byte, b'\n' | 0)).next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t'));
    let word = words.find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(word)))
}

fn elf(file: &File, head: &[u8]) -> Format {
    let (class, order) = (head.get(4), head.get(5));
    let numbers = Numbers { bytes: head };
    let (Some(class), Some(order), Some(kind), Some(machine)) =
        (class, order, numbers.u16(16), numbers.u16(18))
    else {
        return Format::Unfit(Unfit::Truncated);
    };
    if *class != 2 {
        return Format::Unfit(Unfit::ThirtyTwoBit);
    }
    let (big, host) = (*order == 2, host());
    let machine = if big { machine.swap_bytes() } else { machine };
    if let Some((number, name)) = host
        && (big || machine != number)
    {
        return Format::Unfit(Unfit::OtherMachine(machine_name(machine), name));
    }
    match kind {
        // ET_EXEC and ET_DYN.
        2 | 3 => match loader(file, numbers) {
            Some(loader) => Format::Program { loader },
            None => Format::Unfit(Unfit::Truncated),
        },
        _ => Format::Unfit(Unfit::NotProgram),
    }
}

/// `e_machine` and the name of this machine's CPU, when a program can be traced on it.
fn host() -> Option<(u16, &'static str)> {
    let number = match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        _ => return None,
    };
    Some((number, ptpytrace_arch::for_machine(number)?.name()))
}

fn machine_name(machine: u16) -> String {
    if let Some(arch) = ptpytrace_arch::for_machine(machine) {
        return arch.name().into();
    }
    match machine {
        21 => "ppc64".into(),
        22 => "s390x".into(),
        243 => "riscv".into(),
        258 => "loongarch".into(),
        other => format!("ELF machine {other}"),
    }
}

/// The path in PT_INTERP, if there is one; `None` when the file ends before its program headers do.
fn loader(file: &File, header: Numbers<'_>) -> Option<Option<PathBuf>> {
    let start = header.u64(32)?;
    let size = usize::from(header.u16(54)?);
    let total = size.checked_mul(usize::from(header.u16(56)?))?;
    if size < 56 || total > MAX_HEADERS {
        return Some(None);
    }
    let mut table = vec![0; total];
    if read(file, &mut table, start).ok()? < total {
        return None;
    }
    let mut entries = table.chunks_exact(size).map(|bytes| Numbers { bytes });
    let Some(entry) = entries.find(|entry| entry.u32(0) == Some(PT_INTERP)) else {
        return Some(None);
    };
    let (offset, length) = (entry.u64(8)?, entry.u64(32)?.min(MAX_PATH));
    let mut path = vec![0; usize::try_from(length).ok()?];
    let length = read(file, &mut path, offset).ok()?;
    path.truncate(length);
    let path = path.split(|byte| *byte == 0).next()?;
    Some(Some(PathBuf::from(OsStr::from_bytes(path))))
}

/// Little-endian numbers at places of an ELF structure.
#[derive(Clone, Copy)]
struct Numbers<'a> {
    bytes: &'a [u8],
}

impl Numbers<'_> {
    fn at<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        self.bytes.get(offset..)?.first_chunk::<N>().copied()
    }

    fn u16(self, offset: usize) -> Option<u16> {
        self.at(offset).map(u16::from_le_bytes)
    }

    fn u32(self, offset: usize) -> Option<u32> {
        self.at(offset).map(u32::from_le_bytes)
    }

    fn u64(self, offset: usize) -> Option<u64> {
        self.at(offset).map(u64::from_le_bytes)
    }
}

#[cfg(test)]
pub(super) mod tests;
