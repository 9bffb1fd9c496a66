//! Launching the command: the child waits before exec until it is traced, so that no event is missed.
//!
//! Signals, descriptors and the process group are those that the tracer was started with: the command must not see
//! that it is traced.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::disposition;

/// A program to run.
#[derive(Clone, Debug)]
pub struct Command {
    /// The file, already looked up on PATH.
    pub program: PathBuf,
    /// `argv`, the name as typed first.
    pub arguments: Vec<OsString>,
}

/// A child that waits before its exec.
#[derive(Debug)]
pub struct Waiting {
    /// The child's process id.
    pub pid: i32,
    go: File,
    failure: File,
}

fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "an argument holds a NUL byte"))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// Forks the child, which waits for [`Waiting::go`].
///
/// # Errors
/// Those of pipe2(2) and fork(2); a NUL byte in an argument.
pub fn prepare(command: &Command) -> io::Result<Waiting> {
    let program = c_string(command.program.as_os_str().as_bytes())?;
    let arguments = command
        .arguments
        .iter()
        .map(|argument| c_string(argument.as_bytes()))
        .collect::<io::Result<Vec<_>>>()?;
    let (go_read, go_write) = pipe()?;
    let (failure_read, failure_write) = pipe()?;
    let image = child::Image::new(&program, &arguments);
    let pid = child::fork(&image, &go_read, &go_write, &failure_write)?;
    Ok(Waiting {
        pid,
        go: go_write.into(),
        failure: failure_read.into(),
    })
}

impl Waiting {
    /// Lets the child exec. What became of it is known when the exec has succeeded or failed: see [`Started`].
    ///
    /// # Errors
    /// The child is gone.
    pub fn go(mut self) -> io::Result<Started> {
        self.go.write_all(b"x")?;
        Ok(Started {
            pid: self.pid,
            failure: self.failure,
            asked_to_end: false,
        })
    }
}

/// A child that is about to exec, or has done so.
#[derive(Debug)]
pub struct Started {
    /// The child's process id.
    pub pid: i32,
    failure: File,
    asked_to_end: bool,
}

impl Started {
    /// The signal to end it with: SIGTERM the first time, SIGKILL when that was not enough.
    pub fn next_killer(&mut self) -> Signal {
        if std::mem::replace(&mut self.asked_to_end, true) {
            Signal::SIGKILL
        } else {
            Signal::SIGTERM
        }
    }

    /// After the child has ended without an exec: why the exec failed.
    pub fn exec_error(mut self) -> Option<io::Error> {
        let mut number = [0; 4];
        self.failure.read_exact(&mut number).ok()?;
        Some(io::Error::from_raw_os_error(i32::from_ne_bytes(number)))
    }
}

/// What runs between fork and exec: async-signal-safe calls only (signal-safety(7)).
mod child {
    use super::{CString, Errno, OwnedFd, disposition, io};
    use std::ffi::CStr;
    use std::os::fd::AsRawFd;

    use nix::sys::signal::{SigSet, SigmaskHow};

    /// All that the child needs, allocated before the fork.
    pub struct Image<'a> {
        program: &'a CStr,
        arguments: Vec<*const libc::c_char>,
        shell: Vec<*const libc::c_char>,
    }

    impl<'a> Image<'a> {
        pub fn new(program: &'a CStr, arguments: &'a [CString]) -> Image<'a> {
            let pointers = || arguments.iter().map(|argument| argument.as_ptr());
            let end = std::iter::once(std::ptr::null());
            let shell = [c"/bin/sh".as_ptr(), program.as_ptr()].into_iter();
            Image {
                program,
                arguments: pointers().chain(end.clone()).collect(),
                shell: shell.chain(pointers().skip(1)).chain(end).collect(),
            }
        }

        /// As execvp does: a file that is no program is a script for the shell.
        fn exec(&self) -> Errno {
            // SAFETY: the arrays end in NULL and point to strings that live as long as `self`.
            unsafe {
                libc::execv(self.program.as_ptr(), self.arguments.as_ptr());
                if Errno::last() == Errno::ENOEXEC {
                    libc::execv(c"/bin/sh".as_ptr(), self.shell.as_ptr());
                }
            }
            Errno::last()
        }
    }

    pub fn fork(
        image: &Image<'_>,
        go: &OwnedFd,
        go_write: &OwnedFd,
        failure: &OwnedFd,
    ) -> io::Result<i32> {
        // Until the child has its dispositions back, a signal to it must not run the tracer's handlers: they write
        // to a pipe that it shares with the tracer.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        // SAFETY: the child calls only async-signal-safe functions, then execs or exits.
        let result = match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => run(image, go, go_write, failure, &before),
            pid => Ok(pid),
        };
        before.thread_set_mask()?;
        result
    }

    fn run(
        image: &Image<'_>,
        go: &OwnedFd,
        go_write: &OwnedFd,
        failure: &OwnedFd,
        mask: &SigSet,
    ) -> ! {
        let mut byte = 0u8;
        disposition::restore_for_exec();
        // It fails only for a wrong argument.
        let _ = mask.thread_set_mask();
        // SAFETY: plain system calls on descriptors that are open here and on locals.
        unsafe {
            libc::close(go_write.as_raw_fd());
            let read = loop {
                let read = libc::read(go.as_raw_fd(), (&raw mut byte).cast(), 1);
                if read >= 0 || Errno::last() != Errno::EINTR {
                    break read;
                }
            };
            // Without the byte the tracer has died: do not run the command untraced.
            if read == 1 {
                let error = image.exec() as i32;
                let bytes = error.to_ne_bytes();
                libc::write(failure.as_raw_fd(), bytes.as_ptr().cast(), bytes.len());
            }
            libc::_exit(127)
        }
    }
}
