//! The one door to `/proc`: every file of it is read through a [`ProcFs`], so that a test can give a tree of its own.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::stat::Stat;
use super::status::Status;

/// The environment variable that names another folder to be read in place of `/proc`.
pub const PROC_VARIABLE: &str = "PTPYTRACE_PROC";

/// The most bytes that are read of one file. A process chooses its own command line, so there must be a bound.
const MAX_FILE: u64 = 1 << 20;
/// Most files of a process have less than that many bytes.
const ROOM: usize = 4 << 10;

/// The answer to a question about a process or thread that may end at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It exists, and this is the answer.
    Found(T),
    /// There is no such process or thread (any more).
    Gone,
}

impl<T> Lookup<T> {
    /// The answer, if there is one.
    pub fn found(self) -> Option<T> {
        match self {
            Lookup::Found(answer) => Some(answer),
            Lookup::Gone => None,
        }
    }

    /// The same with the answer changed by `change`.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Lookup::Found(answer) => Lookup::Found(change(answer)),
            Lookup::Gone => Lookup::Gone,
        }
    }
}

/// For those who take what is there and need no reason for what is not.
pub trait IfFound<T> {
    /// What was found; `None` when it is gone or could not be read.
    fn if_found(self) -> Option<T>;
}

impl<T> IfFound<T> for io::Result<Lookup<T>> {
    fn if_found(self) -> Option<T> {
        self.ok()?.found()
    }
}

/// The program that a process runs, as `/proc/PID/exe` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// The file, as the process's own mount namespace has it.
    pub path: PathBuf,
    /// Whether the file has been removed or replaced since the process started.
    pub deleted: bool,
}

/// A `proc` file system (proc(5)), by default the one on `/proc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcFs {
    root: PathBuf,
}

impl Default for ProcFs {
    fn default() -> ProcFs {
        ProcFs::at("/proc")
    }
}

impl ProcFs {
    /// A tree at another place.
    pub fn at(root: impl Into<PathBuf>) -> ProcFs {
        ProcFs { root: root.into() }
    }

    /// The tree that [`PROC_VARIABLE`] names, else `/proc`.
    ///
    /// For tests of the command line. Only texts such as `status` are read from there; memory and files of a process
    /// always come from the real `/proc`.
    pub fn from_environment() -> ProcFs {
        ProcFs::chosen(std::env::var_os(PROC_VARIABLE))
    }

    fn chosen(root: Option<OsString>) -> ProcFs {
        match root {
            Some(root) if !root.is_empty() => ProcFs::at(root),
            _ => ProcFs::default(),
        }
    }

    /// The folder that is read.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a file in the tree (`"sys/kernel/pid_max"`).
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.root.join(file)
    }

    /// The path of a file of one process (`"status"`); of the process's folder when `file` is empty.
    pub fn process_path(&self, pid: i32, file: &str) -> PathBuf {
        let mut path = self.root.join(pid.to_string());
        if !file.is_empty() {
            path.push(file);
        }
        path
    }

    /// Whether there is a process or thread of that id.
    pub fn exists(&self, pid: i32) -> bool {
        fs::symlink_metadata(self.process_path(pid, "")).is_ok()
    }

    /// The content of a file of the tree, cut after 1 MiB.
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    pub fn read(&self, file: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        read_bounded(&self.path(file))
    }

    /// The content of a file of one process, cut after 1 MiB.
    ///
    /// # Errors
    /// Those of open(2) and read(2), but for those that say that the process is gone.
    pub fn read_process(&self, pid: i32, file: &str) -> io::Result<Lookup<Vec<u8>>> {
        unless_gone(read_bounded(&self.process_path(pid, file)))
    }

    /// A thread's name (`/proc/PID/task/TID/comm`): at most 15 bytes for a program's thread, any bytes but NUL.
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    pub fn comm(&self, pid: i32, tid: i32) -> io::Result<Lookup<OsString>> {
        let text = self.read_process(pid, &format!("task/{tid}/comm"))?;
        Ok(text.map(|mut name| {
            if name.last() == Some(&b'\n') {
                name.pop();
            }
            OsString::from_vec(name)
        }))
    }

    /// The CPU time that a thread has used, in nanoseconds (`/proc/PID/task/TID/schedstat`, its first field).
    ///
    /// # Errors
    /// Those of open(2) and read(2); `InvalidData` when the file does not begin with a number.
    pub fn cpu_time(&self, pid: i32, tid: i32) -> io::Result<Lookup<u64>> {
        let text = self.read_process(pid, &format!("task/{tid}/schedstat"))?;
        let Lookup::Found(text) = text else {
            return Ok(Lookup::Gone);
        };
        let first = text.split(u8::is_ascii_whitespace).next();
        let number = first.and_then(|it| std::str::from_utf8(it).ok()?.parse().ok());
        let number = number.ok_or_else(|| io::Error::from(ErrorKind::InvalidData))?;
        Ok(Lookup::Found(number))
    }

    /// The ids of a process's threads, lowest first.
    ///
    /// # Errors
    /// Those of open(2) and getdents(2).
    pub fn threads(&self, pid: i32) -> io::Result<Lookup<Vec<i32>>> {
        let threads = unless_gone(numbered(&self.process_path(pid, "task")))?;
        Ok(match threads {
            // The kernel lists no thread of a process that is being reaped.
            Lookup::Found(ids) if ids.is_empty() => Lookup::Gone,
            other => other,
        })
    }

    /// The ids of all processes that this tree shows, lowest first.
    ///
    /// # Errors
    /// Those of open(2) and getdents(2).
    pub fn processes(&self) -> io::Result<Vec<i32>> {
        numbered(&self.root)
    }

    /// The program that a process runs. `Found(None)` for a kernel thread and for a process that has ended.
    ///
    /// # Errors
    /// Those of readlink(2): `EACCES` when the caller could not trace the process either.
    pub fn exe(&self, pid: i32) -> io::Result<Lookup<Option<Executable>>> {
        let link = unless_gone(fs::read_link(self.process_path(pid, "exe")))?;
        Ok(match link {
            Lookup::Found(target) => Lookup::Found(Some(executable(&target))),
            // Without a program the link is there and leads nowhere.
            Lookup::Gone if self.exists(pid) => Lookup::Found(None),
            Lookup::Gone => Lookup::Gone,
        })
    }

    /// The words of a process's command line, as far as it has not overwritten them. Empty for a kernel thread and a
    /// process that has ended.
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    pub fn cmdline(&self, pid: i32) -> io::Result<Lookup<Vec<OsString>>> {
        Ok(self.read_process(pid, "cmdline")?.map(|text| words(&text)))
    }

    /// What `/proc/PID/status` says.
    ///
    /// # Errors
    /// Those of open(2) and read(2); `InvalidData` when the file is not what proc(5) describes.
    pub fn status(&self, pid: i32) -> io::Result<Lookup<Status>> {
        self.status_of(&pid.to_string())
    }

    /// The same for a folder by name: `"self"`, `"thread-self"`, or a process id.
    ///
    /// # Errors
    /// As [`ProcFs::status`].
    pub fn status_of(&self, process: &str) -> io::Result<Lookup<Status>> {
        match unless_gone(self.read(Path::new(process).join("status")))? {
            Lookup::Found(text) => Ok(Lookup::Found(Status::parse(&text).map_err(invalid)?)),
            Lookup::Gone => Ok(Lookup::Gone),
        }
    }

    /// What `/proc/PID/task/TID/stat` says.
    ///
    /// # Errors
    /// Those of open(2) and read(2); `InvalidData` when the file is not what proc(5) describes.
    pub fn stat(&self, pid: i32, tid: i32) -> io::Result<Lookup<Stat>> {
        match self.read_process(pid, &format!("task/{tid}/stat"))? {
            Lookup::Found(text) => Ok(Lookup::Found(Stat::parse(&text).map_err(invalid)?)),
            Lookup::Gone => Ok(Lookup::Gone),
        }
    }
}

fn invalid(error: super::status::FormatError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    // The kernel does not say how long such a file is: without room from the start it is read in many small pieces.
    let mut content = Vec::with_capacity(ROOM);
    File::open(path)?.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

/// Opening a file of a process that is gone gives ENOENT; reading one that was opened before, ESRCH.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Lookup<T>> {
    match result {
        Ok(answer) => Ok(Lookup::Found(answer)),
        Err(error) if is_gone(&error) => Ok(Lookup::Gone),
        Err(error) => Err(error),
    }
}

/// Whether an error of a file below `/proc/PID` says that the process is gone.
pub fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

fn numbered(folder: &Path) -> io::Result<Vec<i32>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder)? {
        if let Some(id) = number(&entry?.file_name()) {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

fn number(name: &OsStr) -> Option<i32> {
    let name = name.to_str()?;
    // `parse` takes a sign too.
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    let id = name.parse().ok()?;
    (digits && id > 0).then_some(id)
}

fn executable(target: &Path) -> Executable {
    let bytes = target.as_os_str().as_bytes();
    match bytes.strip_suffix(b" (deleted)") {
        Some(path) => Executable {
            path: PathBuf::from(OsStr::from_bytes(path)),
            deleted: true,
        },
        None => Executable {
            path: target.to_path_buf(),
            deleted: false,
        },
    }
}

fn words(text: &[u8]) -> Vec<OsString> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == 0)
        .map(|word| OsStr::from_bytes(word).to_os_string())
        .collect()
}

#[cfg(test)]
mod tests;
