//! Where an image's bytes come from after it has been parsed: memory, an open
//! file, or a path that is opened again, so that thousands of libraries
//! without markers do not hold a file descriptor each.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::ImageError;

/// The most that is read in one piece: larger tables are taken as absent.
pub(super) const MAX_READ: u64 = 256 << 20;

/// What tells one state of one file from another: equal identities mean equal contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    /// The device's number, as stat(2) has it.
    pub device: u64,
    /// The inode's number.
    pub inode: u64,
    /// The size in bytes.
    pub size: u64,
    /// The last change of the contents: seconds and nanoseconds since the epoch.
    pub modified: (i64, i64),
}

impl FileIdentity {
    /// The identity that stat(2) gave.
    pub fn of(metadata: &Metadata) -> FileIdentity {
        FileIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Where an image's bytes are.
#[derive(Debug)]
pub(super) enum Source {
    Memory(Vec<u8>),
    File(File),
    /// Opened for each read; another file at that path is not read.
    Path(PathBuf, FileIdentity),
}

impl Source {
    /// Reads as much of `buf` as the file has at `offset`; returns how much.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        match self {
            Source::Memory(bytes) => read_slice(bytes, offset, buf),
            Source::File(file) => read_file(file, offset, buf),
            Source::Path(path, identity) => match open_regular(path) {
                Ok((file, metadata)) if FileIdentity::of(&metadata) == *identity => {
                    read_file(&file, offset, buf)
                }
                _ => 0,
            },
        }
    }

    /// The file's size in bytes; 0 when it cannot be told.
    fn len(&self) -> u64 {
        match self {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            Source::Path(_, identity) => identity.size,
        }
    }

    /// All of `size` bytes at `offset`; `None` when the file has fewer or `size` exceeds [`MAX_READ`].
    pub fn read_exact(&self, offset: u64, size: u64) -> Option<Vec<u8>> {
        if size > MAX_READ || offset.checked_add(size)? > self.len() {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        (self.read(offset, &mut bytes) == bytes.len()).then_some(bytes)
    }
}

fn read_slice(bytes: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let from = usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..))
        .unwrap_or(&[]);
    buf.iter_mut()
        .zip(from)
        .map(|(to, byte)| *to = *byte)
        .count()
}

fn read_file(file: &File, offset: u64, buf: &mut [u8]) -> usize {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let Some(at) = offset.checked_add(done as u64) else {
            break;
        };
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    done
}

/// Opens a regular file for reading; a pipe or a device at that path is neither waited for nor read.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata), ImageError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ImageError::Directory);
    }
    if !metadata.is_file() {
        return Err(ImageError::Special);
    }
    Ok((file, metadata))
}
