//! A terminal: a session of its own with a pseudo-terminal (pty(7)), typed at and read like a person's.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};

use super::guard::{Guard, kill_tree};

/// A terminal with a session in it.
pub struct Terminal {
    master: File,
    child: Child,
    unread: String,
    _guard: Guard,
}

/// Opens a pseudo-terminal: its master, and its slave.
fn open() -> (File, File) {
    // SAFETY: plain calls on a descriptor that was just opened; ptsname_r fills the buffer given.
    unsafe {
        let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(master >= 0, "no pseudo-terminal");
        let mut name = [0; 64];
        assert_eq!(libc::grantpt(master), 0);
        assert_eq!(libc::unlockpt(master), 0);
        assert_eq!(libc::ptsname_r(master, name.as_mut_ptr(), name.len()), 0);
        let name = CStr::from_ptr(name.as_ptr()).to_str().unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        (File::from_raw_fd(master), slave)
    }
}

impl Terminal {
    /// Runs a command as the leader of a session whose terminal this is.
    pub fn start(command: &mut Command) -> Terminal {
        let (master, slave) = open();
        let terminal = || slave.try_clone().unwrap();
        command
            .stdin(terminal())
            .stdout(terminal())
            .stderr(terminal());
        // SAFETY: setsid and ioctl are async-signal-safe; descriptor 0 is the slave.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        Terminal {
            master,
            _guard: Guard::new(child.id() as i32),
            child,
            unread: String::new(),
        }
    }

    /// The session leader.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Which process group is in the foreground.
    pub fn foreground(&self) -> i32 {
        // SAFETY: tcgetpgrp takes a number.
        unsafe { libc::tcgetpgrp(self.master.as_raw_fd()) }
    }

    /// Types.
    pub fn say(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until this shows, and no farther.
    pub fn expect(&mut self, wanted: &str) {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.unread.find(wanted) {
                self.unread.drain(..at + wanted.len());
                return;
            }
            // The master of a terminal that nobody has open any more fails with EIO.
            let read = self.master.read(&mut buffer).unwrap_or(0);
            assert!(
                read > 0,
                "the terminal has closed before {wanted:?}; after the last: {:?}",
                self.unread
            );
            self.unread += &String::from_utf8_lossy(&buffer[..read]);
        }
    }

    /// Waits for the end of the session leader.
    pub fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Terminal {
    /// A test that has failed leaves no process behind.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            kill_tree(self.child.id() as i32);
            let _ = self.child.wait();
        }
    }
}
