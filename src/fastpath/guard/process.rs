//! The guard's process, and the tracer's end of the line to it.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};

use super::message::{MAX_KEYS, MAX_PACKET, MAX_UNDOS, Message, Undo};
use super::restore::{self, Undos, Watched};

/// What the guard is called: by another name than the tracer, or `pkill` would end both.
pub(super) const NAME: &std::ffi::CStr = c"trace-guard";

/// How long the tracer waits for the guard's end, in milliseconds.
const FAREWELL: u16 = 2000;

/// The tracer's end of the line to its guard. Dropping it dismisses the guard; what has not been forgotten by then stays
/// as it is.
#[derive(Debug)]
pub struct Guard {
    line: OwnedFd,
    dismissed: bool,
}

impl Guard {
    /// Starts the guard: a process that is no child of this one, in a session of its own. To be called by the thread that
    /// is going to trace.
    ///
    /// # Errors
    /// `Unsupported` when this process has more than one thread, whose locks a fork would leave in whatever state they
    /// are in; and those of socketpair(2) and fork(2).
    pub fn start() -> io::Result<Guard> {
        if std::fs::read_dir("/proc/self/task")?.count() != 1 {
            let text = "a guard can only be started before any thread is";
            return Err(io::Error::new(ErrorKind::Unsupported, text));
        }
        let (line, end) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        let tracer = nix::unistd::getpid().as_raw();
        child::fork(end.as_raw_fd(), || serve(&end, tracer))?;
        Ok(Guard {
            line,
            dismissed: false,
        })
    }

    /// An address space is about to be changed. `key` names it from now on, `pid` is a process that lives in it; `memory`,
    /// its `/proc/PID/mem`, must be that of the program that it runs now, so this has to be told again after each exec.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn watch(&self, key: u64, pid: i32, memory: impl AsFd) -> io::Result<()> {
        self.send(&Message::Watch { key, pid }, Some(memory.as_fd()))
    }

    /// As [`Guard::watch`], for a process that has just been forked by one whose address space is called `from`: it has a
    /// copy of that one's changes.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn watch_copy(&self, from: u64, key: u64, pid: i32, memory: impl AsFd) -> io::Result<()> {
        self.send(&Message::Copy { key, pid, from }, Some(memory.as_fd()))
    }

    /// These changes are about to be made. To be told before each is.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn changing(&self, key: u64, undos: &[Undo]) -> io::Result<()> {
        undos.chunks(MAX_UNDOS).try_for_each(|undos| {
            let undos = undos.to_vec();
            self.send(&Message::Changed { key, undos }, None)
        })
    }

    /// These address spaces are gone, or all their changes have been undone.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn forget(&self, keys: &[u64]) -> io::Result<()> {
        keys.chunks(MAX_KEYS).try_for_each(|keys| {
            let keys = keys.to_vec();
            self.send(&Message::Forget { keys }, None)
        })
    }

    /// The tracer ends without having undone everything: the guard does.
    pub fn leave_it_to_the_guard(mut self) {
        self.dismissed = true;
    }

    /// The tracer has undone everything: the guard ends, and this waits for that.
    ///
    /// # Errors
    /// `TimedOut` when it does not end within two seconds.
    pub fn dismiss(mut self) -> io::Result<()> {
        self.say_goodbye()
    }

    fn say_goodbye(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.dismissed, true)
            || self.send(&Message::Dismiss, None).is_err()
        {
            return Ok(()); // it has gone already
        }
        let mut ended = [PollFd::new(self.line.as_fd(), PollFlags::POLLIN)];
        loop {
            match poll(&mut ended, PollTimeout::from(FAREWELL)) {
                Ok(0) => return Err(ErrorKind::TimedOut.into()),
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A line to nobody, and its other end, for tests: a guard can only be started before any thread is.
    #[cfg(test)]
    pub fn absent() -> io::Result<(Guard, OwnedFd)> {
        let (family, kind) = (AddressFamily::Unix, SockType::SeqPacket);
        let (line, end) = socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC)?;
        let dismissed = false;
        Ok((Guard { line, dismissed }, end))
    }

    fn send(&self, message: &Message, memory: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let packet = message.encode();
        let descriptors: Vec<RawFd> = memory.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let control = rights.get(..usize::from(memory.is_some())).unwrap_or(&[]);
        loop {
            let line = self.line.as_raw_fd();
            let parts = [IoSlice::new(&packet)];
            match sendmsg::<()>(line, &parts, control, MsgFlags::MSG_NOSIGNAL, None) {
                Err(Errno::EINTR) => {}
                result => return Ok(result.map(drop)?),
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.say_goodbye(); // there is nobody to tell
    }
}

/// The guard's life: listens, and when the tracer is gone without a word undoes what it has heard of.
fn serve(line: &OwnedFd, tracer: i32) {
    let _ = SigSet::all().thread_set_mask(); // SIGKILL and SIGSTOP alone are left
    let _ = nix::unistd::setsid();
    let _ = nix::unistd::chdir("/");
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard); // one descriptor an address space
    }
    let mut watched = Vec::new();
    let mut buffer = vec![0; MAX_PACKET];
    loop {
        match receive(line, &mut buffer) {
            Ok(Some((Message::Dismiss, _))) => return,
            Ok(Some((message, memory))) => learn(&mut watched, message, memory),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    watched.iter().for_each(Watched::restore);
    restore::restore_others(&watched, tracer);
}

fn learn(watched: &mut Vec<Watched>, message: Message, memory: Option<File>) {
    match (message, memory) {
        (Message::Watch { key, pid }, Some(memory)) => {
            watched.retain(|space| space.key != key);
            watched.push(Watched {
                key,
                pid,
                memory,
                program: restore::program_of(pid),
                undos: Undos::default(),
            });
        }
        (Message::Copy { key, pid, from }, Some(memory)) => {
            watched.retain(|space| space.key != key);
            let copy = watched.iter().find(|space| space.key == from);
            let copy = copy.map(|space| (space.program, space.undos.clone()));
            let (program, undos) = copy.unwrap_or_default();
            watched.push(Watched {
                key,
                pid,
                memory,
                program,
                undos,
            });
        }
        (Message::Changed { key, undos }, _) => {
            if let Some(space) = watched.iter_mut().find(|space| space.key == key) {
                space.undos.add(undos);
            }
        }
        (Message::Forget { keys }, _) => watched.retain(|space| !keys.contains(&space.key)),
        (Message::Watch { .. } | Message::Copy { .. } | Message::Dismiss, _) => {}
    }
}

/// The next message; `None` when the tracer is gone. An error is a message that could not be read.
fn receive(line: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<(Message, Option<File>)>> {
    let mut control = nix::cmsg_space!([RawFd; 1]);
    let (length, memory) = loop {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let received = match recvmsg::<()>(line.as_raw_fd(), &mut parts, Some(&mut control), flags)
        {
            Err(Errno::EINTR) => continue,
            Err(Errno::ECONNRESET) => return Ok(None),
            result => result?,
        };
        let mut memory = None;
        for message in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(descriptors) = message {
                memory = descriptors.first().copied();
            }
        }
        break (received.bytes, memory.map(child::own));
    };
    if length == 0 {
        return Ok(None);
    }
    let message = buffer.get(..length).and_then(Message::decode);
    let message = message.ok_or(ErrorKind::InvalidData)?;
    Ok(Some((message, memory)))
}

/// What needs `unsafe`: the fork, and a descriptor that has come out of a socket.
mod child {
    use super::{File, FromRawFd, NAME, RawFd, SigSet, SigmaskHow, io};

    /// Takes a descriptor that was received.
    pub fn own(descriptor: RawFd) -> File {
        // SAFETY: the kernel has made it for this process with this message; nobody else knows it.
        unsafe { File::from_raw_fd(descriptor) }
    }

    /// Runs `serve` in a process whose parent has ended, with no descriptor but `kept` open, and nothing on its
    /// standard ones: it must not keep pipes open for which others wait.
    pub fn fork(kept: RawFd, serve: impl FnOnce()) -> io::Result<()> {
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        // SAFETY: this process has one thread, so the child may call what it likes.
        let result = match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                // Here, so that the guard is called so from its beginning.
                // SAFETY: plain system call.
                unsafe { libc::prctl(libc::PR_SET_NAME, NAME.as_ptr()) };
                // SAFETY: as above; the parent of the second child ends at once.
                match unsafe { libc::fork() } {
                    0 => become_guard(kept, serve),
                    _ => exit(),
                }
            }
            child => {
                let mut status = 0;
                // SAFETY: plain system call. The first child ends by itself, so this does not take long.
                unsafe { libc::waitpid(child, &raw mut status, 0) };
                Ok(())
            }
        };
        before.thread_set_mask()?;
        result
    }

    fn become_guard(kept: RawFd, serve: impl FnOnce()) -> ! {
        let kept = u32::try_from(kept).unwrap_or(0);
        // SAFETY: plain system calls; nothing in this process uses the descriptors that are closed.
        unsafe {
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            for standard in 0..=2 {
                libc::dup2(null, standard);
            }
            if kept > 3 {
                libc::syscall(libc::SYS_close_range, 3_u32, kept - 1, 0_u32);
            }
            libc::syscall(
                libc::SYS_close_range,
                kept.saturating_add(1).max(3),
                u32::MAX,
                0_u32,
            );
        }
        serve();
        exit()
    }

    fn exit() -> ! {
        // SAFETY: no handlers of the tracer's are to run in this copy of it.
        unsafe { libc::_exit(0) }
    }
}
