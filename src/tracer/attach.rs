//! Taking hold of processes: a launched command before its first instruction, a running process with all its threads.

use std::io;

use nix::errno::Errno;

use super::arm::python_wanted;
use super::matching::Identity;
use super::options::Engine;
use super::space::AddressSpace;
use super::state::Phase;
use super::{Launch, Tracer, spawn, sys};
use crate::cpython::availability;
use crate::process::maps::{self, MappedImage};
use crate::process::memory::ProcessMemory;
use crate::process::obstacle::{self, Attempt, Caller, Obstacle};
use crate::process::proc::IfFound;

/// What is to be reported of every tracee. PTRACE_O_EXITKILL is not among them: a tracer that dies must not take the
/// program with it.
const OPTIONS: i32 = libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACESYSGOOD;

/// So often the list of threads is read again until no new one shows up.
const ROUNDS: usize = 1000;

/// Why a process cannot be traced.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The system refused; the text says why and what to do.
    #[error("{0}")]
    Obstacle(Box<Obstacle>),
    /// The command could not be started.
    #[error("cannot start the command: {0}")]
    Spawn(#[from] io::Error),
    /// Nothing of what is wanted is in the process.
    #[error("{0}")]
    NoMarkers(String),
    /// What would be changed in its memory would be changed in that of another process, which is not traced.
    #[error(
        "process {pid} was made by process {parent} just now and still lives in its memory (vfork): attach to {parent}, \
         or again when {pid} runs a program of its own"
    )]
    Borrowed {
        /// The process.
        pid: i32,
        /// Whose memory it is.
        parent: i32,
    },
}

impl Tracer {
    /// Starts a command, traced from its first instruction on.
    ///
    /// # Errors
    /// [`AttachError::Spawn`] or an obstacle to tracing one's own child (a seccomp filter, Yama).
    pub fn launch(&mut self, launch: &Launch) -> Result<i32, AttachError> {
        let waiting = spawn::prepare(launch)?;
        let pid = waiting.pid;
        if let Err(errno) = sys::seize(pid, self.reports()) {
            return Err(self.obstacle(pid, Attempt::Seize, errno as i32)); // dropping `waiting` ends the child
        }
        let space = self.table.add_space(AddressSpace::default());
        self.table.add_process(pid, space, true);
        self.table.add_thread(pid, pid, Phase::Running);
        self.target = Some(pid);
        self.launched = Some(waiting.go()?);
        Ok(pid)
    }

    /// Attaches to a running process and arms its markers.
    ///
    /// # Errors
    /// An obstacle, with nothing left behind; [`AttachError::NoMarkers`] when nothing that is wanted is in the process.
    pub fn attach(&mut self, pid: i32) -> Result<(), AttachError> {
        let target = self.target;
        self.target.get_or_insert(pid); // what is wanted may depend on it
        let result = self.take_hold(pid);
        if result.is_err() {
            self.target = target;
        }
        result
    }

    fn take_hold(&mut self, pid: i32) -> Result<(), AttachError> {
        if self.table.processes.contains_key(&pid) {
            return Ok(());
        }
        if self.is_ours(pid) {
            return Ok(()); // a new child of a traced process: its parent's event is still to come
        }
        if let Some(obstacle) = self.unfit(pid) {
            return Err(obstacle);
        }
        if let Some(parent) = self.lender_to(pid) {
            return Err(AttachError::Borrowed { pid, parent });
        }
        // Looked at before it is touched: most processes of a machine are not for us.
        self.memory_to_attach(pid)?;
        let armed = self.require_wanted(pid)?;
        let space = self.table.add_space(AddressSpace::default());
        self.table.add_process(pid, space, true);
        let seized = self.seize_threads(pid);
        let seized = seized.map_err(|errno| self.obstacle(pid, Attempt::Seize, errno as i32));
        // Opened only now: it may have called exec since it was looked at. From here on that is reported.
        let memory = seized.and_then(|()| self.memory_to_attach(pid));
        match memory {
            Ok(memory) => {
                if let Some(space) = self.table.spaces.get_mut(&space) {
                    space.memory = Some(memory.into());
                }
            }
            Err(error) => {
                self.let_go(pid);
                return Err(error);
            }
        }
        self.hold_borrowers(pid, space);
        self.learn_signals(pid, space, armed);
        self.look_through(pid);
        self.enter_running(pid);
        self.tell_start(pid);
        self.outbox.notice(true, format!("process {pid}: attached"));
        Ok(())
    }

    fn memory_to_attach(&self, pid: i32) -> Result<ProcessMemory, AttachError> {
        ProcessMemory::open(pid).map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(0);
            self.obstacle(pid, Attempt::OpenMemory, errno)
        })
    }

    /// What the kernel is to report of a tracee.
    fn reports(&self) -> i32 {
        match self.wants_ends() || self.options.engine != Engine::Trap {
            true => OPTIONS | libc::PTRACE_O_TRACEEXIT,
            false => OPTIONS,
        }
    }

    /// Attaches if possible; for processes that nobody named.
    pub(super) fn attach_quietly(&mut self, pid: i32) {
        if let Err(error) = self.take_hold(pid) {
            self.outbox.notice(true, format!("process {pid}: {error}"));
        }
    }

    /// Seizes every thread. New threads of seized ones are attached by the kernel; those of threads not yet seized
    /// show up in the next round.
    pub(super) fn seize_threads(&mut self, pid: i32) -> Result<(), Errno> {
        let reports = self.reports();
        for _ in 0..ROUNDS {
            let listed = self.proc.threads(pid).if_found();
            let new: Vec<i32> = listed
                .unwrap_or_default()
                .into_iter()
                .filter(|tid| !self.table.threads.contains_key(tid))
                .collect();
            if new.is_empty() {
                // A thread that was not held yet may have called exec: it has the leader's id now, and the kernel has
                // let go of the leader without a word.
                match sys::seize(pid, reports) {
                    Ok(()) => self.table.add_thread(pid, pid, Phase::Running),
                    Err(_) => break, // as it should be: it is traced already
                }
            }
            for tid in new {
                #[cfg(test)]
                super::tests::meanwhile(tid);
                match sys::seize(tid, reports) {
                    Ok(()) => self.table.add_thread(tid, pid, Phase::Running),
                    Err(Errno::ESRCH) if tid != pid => {} // it has just ended
                    // Attached by the kernel just now: it will report itself.
                    Err(Errno::EPERM) if self.is_ours(tid) => {
                        self.table.add_thread(tid, pid, Phase::Newborn);
                    }
                    Err(Errno::EPERM) if tid != pid && self.has_ended(tid) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
        let held = self.table.processes.get(&pid).map_or(0, |it| it.threads);
        if held == 0 { Err(Errno::ESRCH) } else { Ok(()) }
    }

    fn has_ended(&self, tid: i32) -> bool {
        let status = self.proc.status(tid).if_found();
        status.is_none_or(|status| status.state.has_ended())
    }

    fn is_ours(&self, tid: i32) -> bool {
        let status = self.proc.status(tid).if_found();
        status.is_some_and(|status| {
            let tracer = self.proc.status(status.tracer).if_found();
            tracer.is_some_and(|tracer| tracer.tgid == std::process::id() as i32)
        })
    }

    fn obstacle(&self, pid: i32, attempt: Attempt, errno: i32) -> AttachError {
        match Caller::read(&self.proc) {
            Ok(caller) => {
                let obstacle = obstacle::diagnose(pid, attempt, errno, &self.proc, &caller);
                AttachError::Obstacle(Box::new(obstacle))
            }
            Err(error) => AttachError::Spawn(error),
        }
    }

    fn unfit(&self, pid: i32) -> Option<AttachError> {
        let caller = Caller::read(&self.proc).ok()?;
        let obstacle = obstacle::program_obstacle(pid, &self.proc, &caller)?;
        Some(AttachError::Obstacle(Box::new(obstacle)))
    }

    /// Whether something that a process has mapped has a wanted marker; an error that says why not, when nothing else of
    /// it is wanted either.
    fn require_wanted(&mut self, pid: i32) -> Result<bool, AttachError> {
        let images = maps::mapped_images(pid, &mut self.cache)
            .unwrap_or_default()
            .images;
        let identity = self.identity(pid);
        if images.iter().any(|it| self.has_wanted(&identity, it)) {
            return Ok(true);
        }
        if images.iter().any(|mapped| {
            let version = availability::version_of(&mapped.image, &mapped.path);
            let injected = self.to_inject(&identity, mapped, version.as_ref());
            !injected.is_empty()
        }) {
            return Ok(true);
        }
        if self.matcher.wants_elsewhere(&identity) {
            return Ok(false);
        }
        let matcher = &self.matcher;
        let reason = images.iter().find_map(|mapped| {
            let cpython = mapped.image.is_cpython();
            let wanted = |name: &str| python_wanted(matcher, &identity, mapped, name);
            cpython.then(|| availability::missing(&mapped.image, &mapped.path, &wanted))?
        });
        let reason = reason.unwrap_or_else(|| {
            "nothing that it has mapped has them (ptpytrace -l -p lists what there is)".to_owned()
        });
        Err(AttachError::NoMarkers(format!(
            "process {pid} has none of the wanted markers: {reason}"
        )))
    }

    /// Whether an image has a probe that is wanted.
    fn has_wanted(&self, identity: &Identity, mapped: &MappedImage) -> bool {
        let mut notes = mapped.image.notes().iter();
        notes.any(|note| !self.requests_for(identity, mapped, note).is_empty())
            || self.has_wanted_function(identity, mapped)
    }
}
