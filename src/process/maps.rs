//! What a process has mapped where: `/proc/PID/maps` (proc_pid_maps(5)), and in
//! [`images`] the ELF images among it.

pub mod images;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::address::RuntimeAddress;

pub use images::{ImageCache, MapWarning, MappedImage, MappedImages, mapped_images};

/// What the kernel appends to the path of a file that has no name any more.
const DELETED: &[u8] = b" (deleted)";

/// How many bytes the mappings of most processes take as text.
const ROOM: usize = 32 << 10;

/// One line of `/proc/PID/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The address of its first byte.
    pub start: RuntimeAddress,
    /// The address behind its last byte.
    pub end: RuntimeAddress,
    /// Whether it may be read.
    pub readable: bool,
    /// Whether it may be written.
    pub writable: bool,
    /// Whether it may be executed.
    pub executable: bool,
    /// Whether writing to it changes the file (`s`) instead of a copy of the process's own (`p`).
    pub shared: bool,
    /// The offset of its first byte in the file.
    pub offset: u64,
    /// The numbers, major and minor, of the device that holds the file; 0, 0 without a file.
    pub device: (u32, u32),
    /// The file's inode; 0 without a file.
    pub inode: u64,
    /// The file's path, with `\012` decoded, or a name in brackets such as `[heap]`; `None` for anonymous memory.
    pub path: Option<PathBuf>,
    /// Whether the file had been deleted, or replaced by another of its name, when the line was read.
    pub deleted: bool,
}

impl Mapping {
    /// The path, when the mapping is one of a file that a path leads or has led to: not the kernel's own mappings
    /// (`[vdso]`), not memfd, not System V or other shared memory without a file.
    pub fn file(&self) -> Option<&Path> {
        let path = self.path.as_deref().filter(|_| self.inode != 0)?;
        let nameless = self.deleted
            && ["/memfd:", "/dev/zero", "/SYSV"].iter().any(|prefix| {
                path.as_os_str()
                    .as_encoded_bytes()
                    .starts_with(prefix.as_bytes())
            });
        (path.is_absolute() && !nameless).then_some(path)
    }

    /// Its size in bytes.
    pub fn length(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }
}

/// A line that is not as proc_pid_maps(5) describes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the process's maps is not understood: its {field} is missing or wrong")]
pub struct MapsError {
    /// The number of the line, from 1.
    pub line: usize,
    /// Which field is wrong.
    pub field: &'static str,
}

/// The mappings of a process, in ascending order; none for one that has ended and is not yet reaped.
///
/// # Errors
/// When the process does not exist or may not be looked at, and (`InvalidData`) when a line is not understood.
pub fn read(pid: i32) -> io::Result<Vec<Mapping>> {
    // The kernel does not say how long it is, and gives at most a page at once: without room from the start it is read in
    // many small pieces.
    let mut text = Vec::with_capacity(ROOM);
    File::open(format!("/proc/{pid}/maps"))?.read_to_end(&mut text)?;
    parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Parses the contents of a `maps` file.
///
/// # Errors
/// [`MapsError`] for the first line that is not understood.
pub fn parse(text: &[u8]) -> Result<Vec<Mapping>, MapsError> {
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| {
            parse_line(line).map_err(|field| MapsError {
                line: index + 1,
                field,
            })
        })
        .collect()
}

fn parse_line(line: &[u8]) -> Result<Mapping, &'static str> {
    let mut fields = Fields(line);
    let (start, end) = fields
        .pair(b'-')
        .filter(|(start, end)| start <= end)
        .ok_or("range of addresses")?;
    let [read, write, execute, share] = *fields.next() else {
        return Err("permissions");
    };
    let offset = hex(fields.next()).ok_or("offset")?;
    let (major, minor) = fields.pair(b':').ok_or("device")?;
    let device = (u32::try_from(major), u32::try_from(minor));
    let (Ok(major), Ok(minor)) = device else {
        return Err("device");
    };
    let inode = number(fields.next(), 10).ok_or("inode")?;
    let (path, deleted) = path(fields.0);
    Ok(Mapping {
        start: RuntimeAddress(start),
        end: RuntimeAddress(end),
        readable: read == b'r',
        writable: write == b'w',
        executable: execute == b'x',
        shared: share == b's',
        offset,
        device: (major, minor),
        inode,
        path,
        deleted,
    })
}

/// The fields of a line that are not yet read.
struct Fields<'l>(&'l [u8]);

impl<'l> Fields<'l> {
    /// The next field; empty at the end.
    fn next(&mut self) -> &'l [u8] {
        let mut parts = self.0.splitn(2, |byte| *byte == b' ');
        let field = parts.next().unwrap_or(&[]);
        self.0 = parts.next().unwrap_or(&[]);
        field
    }

    /// Two hexadecimal numbers with a separator between them.
    fn pair(&mut self, separator: u8) -> Option<(u64, u64)> {
        let mut parts = self.next().splitn(2, |byte| *byte == separator);
        Some((hex(parts.next()?)?, hex(parts.next()?)?))
    }
}

fn hex(text: &[u8]) -> Option<u64> {
    number(text, 16)
}

fn number(text: &[u8], radix: u32) -> Option<u64> {
    // from_str_radix takes a sign, the kernel writes none.
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    u64::from_str_radix(text, radix).ok().filter(|_| digits)
}

/// The path behind the padding, and whether the file has been deleted.
fn path(padded: &[u8]) -> (Option<PathBuf>, bool) {
    let text = padded.trim_ascii_start();
    let (text, deleted) = match text.strip_suffix(DELETED) {
        Some(text) => (text, true),
        None => (text, false),
    };
    let path = (!text.is_empty()).then(|| PathBuf::from(OsString::from_vec(unescaped(text))));
    (path, deleted)
}

/// The kernel escapes a newline in a path, and nothing else, as `\012`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\\012") {
            decoded.push(b'\n');
            rest = after;
        } else {
            decoded.push(*byte);
            rest = after;
        }
    }
    decoded
}

#[cfg(test)]
mod tests;
