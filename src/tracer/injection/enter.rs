//! Mapping the agent into a process, and installing it where a starting interpreter is caught.

use std::sync::Arc;

use super::{AgentPoint, Injection, MOST_TRIES, Stage, in_file, word};
use crate::address::RuntimeAddress;
use crate::elf::{Note, RawNote};
use crate::injected::{Agent, DATA_LENGTH, Injected, Status, Word};
use crate::process::maps;
use crate::process::memory::ProcessMemory;
use crate::tracer::Tracer;
use crate::tracer::call::{Call, Target};
use crate::tracer::remote::{Remote, RemoteError};
use crate::tracer::space::{AddressSpace, ImageId, Planted, Purpose};
use crate::tracer::stopped::StoppedThread;
use ptpytrace_arch::{Arch, HookStep, ReadMemory};

/// How much is mapped for the agent's code, in bytes.
const CODE_LENGTH: u64 = 16 << 10;

/// Why the agent could not be mapped.
pub(super) enum MapError {
    /// The thread is no more; how it ended, if nobody else will report it.
    Thread(RemoteError),
    /// Something else, in words.
    Reason(String),
}

impl From<RemoteError> for MapError {
    fn from(error: RemoteError) -> MapError {
        MapError::Thread(error)
    }
}

fn reason<T>(text: impl Into<String>) -> Result<T, MapError> {
    Err(MapError::Reason(text.into()))
}

impl Tracer {
    /// A thread has run into a breakpoint of the injection. `None` when it was set on its way.
    pub(in crate::tracer) fn agent_point(
        &mut self,
        thread: StoppedThread,
        point: AgentPoint,
        part: bool,
    ) -> Option<StoppedThread> {
        match point {
            AgentPoint::Entrance if part => Some(thread),
            AgentPoint::Entrance => self.entered(thread),
            AgentPoint::Landing => self.landed(thread),
            AgentPoint::NewThread => Some(thread), // it has been sent on
            AgentPoint::Rival(rival) => {
                self.rival(&thread, rival);
                Some(thread)
            }
            AgentPoint::Interpreter => {
                let pid = self.table.threads.get(&thread.tid()).map(|it| it.pid);
                pid.into_iter().for_each(|pid| self.tell_interpreters(pid));
                Some(thread)
            }
        }
    }

    /// An interpreter runs code for the first time.
    fn entered(&mut self, thread: StoppedThread) -> Option<StoppedThread> {
        let pid = self.table.threads.get(&thread.tid())?.pid;
        let awaited = |it: &Injection| matches!(it.stage, Stage::Awaited | Stage::Mission(_));
        if self.leaving || !self.injection(pid).is_some_and(|it| awaited(it)) {
            return Some(thread);
        }
        let Some(agent) = self.mapped_agent(&thread, pid)? else {
            return Some(thread);
        };
        let function = agent.install;
        match self.set_out(&thread, &agent, function, [0, 0]) {
            true => {
                let mut thread = thread;
                thread.stop_at_system_calls(false);
                if let Some(injection) = self.injection(pid)
                    && matches!(injection.stage, Stage::Awaited)
                {
                    injection.stage = Stage::Entering;
                }
                thread.resume(0);
                None
            }
            false => Some(thread),
        }
    }

    /// Has a thread call a function; it has to be resumed then.
    pub(super) fn set_out(
        &mut self,
        thread: &StoppedThread,
        agent: &Agent,
        function: u64,
        arguments: [u64; 2],
    ) -> bool {
        let target = Target {
            agent,
            function,
            arguments,
        };
        let call = Call::begin(thread, target);
        call.is_ok_and(|call| self.calls.insert(thread.tid(), call).is_none())
    }

    /// A thread has come back from a call: it is put where it was.
    fn landed(&mut self, thread: StoppedThread) -> Option<StoppedThread> {
        let Some(call) = self.calls.remove(&thread.tid()) else {
            return Some(thread);
        };
        let word = |index: usize| self.registers.general.get(index).copied().unwrap_or(0);
        let pc = word(self.arch.pc_index()).wrapping_add(self.arch.pc_after_breakpoint());
        self.note_move(&thread, pc, word(self.arch.sp_index()));
        let Ok(result) = call.finish(&thread) else {
            return Some(thread); // killed; its end is reported
        };
        // The registers are those of a stop before: a signal could not be told from a breakpoint by them.
        if let Some(record) = self.table.threads.get_mut(&thread.tid()) {
            record.last = Default::default();
            let pid = record.pid;
            self.came_back(pid, result);
        }
        Some(thread)
    }

    /// A call has returned this.
    fn came_back(&mut self, pid: i32, result: i32) {
        let memory = self.memory_of(pid);
        let Some(injection) = self.injection(pid) else {
            return;
        };
        match injection.stage {
            Stage::Entering => {
                let status = memory.and_then(|memory| injection.status(&memory));
                match status {
                    Some(Status::Installed) => self.settle(pid, Stage::Installed),
                    // It is too early: the next call will do.
                    Some(Status::NoMonitoring | Status::Early) if injection.tries < MOST_TRIES => {
                        injection.tries += 1;
                        injection.stage = Stage::Awaited;
                    }
                    Some(Status::Early) => self.settle(pid, Stage::Installed),
                    other => {
                        let reason = other
                            .and_then(Status::failure)
                            .unwrap_or("it is unknown why");
                        self.settle(pid, Stage::Over);
                        self.tell_failure(pid, reason);
                    }
                }
            }
            Stage::Mission(_) => self.mission_returned(pid, result),
            _ => {}
        }
    }

    /// The agent of a process, mapped if need be. The outer `None`: the thread is no more; the inner: it cannot be.
    pub(super) fn mapped_agent(
        &mut self,
        thread: &StoppedThread,
        pid: i32,
    ) -> Option<Option<Arc<Agent>>> {
        if let Some((_, agent)) = self.injection(pid).and_then(|it| it.agent.as_ref()) {
            return Some(Some(Arc::clone(agent)));
        }
        match self.map_agent(thread, pid) {
            Ok(agent) => Some(Some(agent)),
            Err(MapError::Reason(reason)) => {
                self.settle(pid, Stage::Over);
                self.tell_failure(pid, &reason);
                Some(None)
            }
            Err(MapError::Thread(error)) => self.survived(thread, Err(error)).ok(),
        }
    }

    /// Maps the agent, and arms its sites.
    fn map_agent(&mut self, thread: &StoppedThread, pid: i32) -> Result<Arc<Agent>, MapError> {
        let Some(memory) = self.memory_of(pid) else {
            return reason("its memory cannot be opened");
        };
        let data = self.map_pages(thread, pid)?;
        let Some(injection) = self.injection(pid) else {
            return reason("it is not wanted any more");
        };
        let agent = Arc::new(injection.assembled.at(data));
        if agent.code.len() as u64 > CODE_LENGTH {
            return reason("the agent is too long");
        }
        let written = memory.write(data, &injection.data).and_then(|()| {
            let code = data.wrapping_add(DATA_LENGTH);
            memory.write(code, &agent.code)
        });
        if let Err(error) = written {
            return reason(error.to_string());
        }
        injection.agent = Some((data, Arc::clone(&agent)));
        let injection = injection.clone();
        self.arm_agent(pid, &injection, &agent, &memory);
        Ok(agent)
    }

    /// Two stretches of memory one behind the other, the first to be written, the second to be run.
    fn map_pages(&mut self, thread: &StoppedThread, pid: i32) -> Result<u64, MapError> {
        if self.is_confined(thread.tid()) {
            return reason("a seccomp filter watches its system calls");
        }
        let Some(at) = self.system_call_in(pid) else {
            return reason("no system call instruction is found in it");
        };
        let remote = Remote::begin(thread, self.arch, at)?;
        let executable = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        let writable = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        let length = DATA_LENGTH.wrapping_add(CODE_LENGTH);
        let arguments = [0, length, executable, flags, u64::MAX, 0];
        let data = remote.call(libc::SYS_mmap, &arguments)?;
        let mut result = data;
        if data >= 0 {
            let arguments = [data as u64, DATA_LENGTH, writable];
            result = remote.call(libc::SYS_mprotect, &arguments)?;
        }
        remote.finish()?;
        if result < 0 {
            let error = std::io::Error::from_raw_os_error(i32::try_from(-result).unwrap_or(0));
            return reason(format!("no memory can be mapped in it: {error}"));
        }
        Ok(data as u64)
    }

    /// Plants breakpoints at the agent's sites.
    pub(super) fn arm_agent(
        &mut self,
        pid: i32,
        injection: &Injection,
        agent: &Agent,
        memory: &ProcessMemory,
    ) {
        let identity = self.identity(pid);
        let mapped = &injection.mapped;
        let image = ImageId::of(mapped);
        self.in_space(pid, |tracer, space| {
            let before = space.has_probes();
            for (marker, address) in &agent.sites {
                let note = note(*marker, injection, *address);
                let requests = tracer.requests_for(&identity, mapped, &note);
                if requests.is_empty() || !injection.markers.has(*marker) {
                    continue;
                }
                let site = tracer.marker_site(&note, mapped, requests, injection.objects.as_ref());
                let purpose = Purpose {
                    markers: vec![site],
                    ..Purpose::default()
                };
                tracer.plant(space, RuntimeAddress(*address), purpose, &image);
            }
            let breakpoint = tracer.arch.breakpoint();
            tracer.protect_agent(space, agent, memory, injection);
            let landing = Planted {
                original: breakpoint.to_vec(), // it is part of the code
                after: Some(HookStep::Nop(breakpoint.len())),
                purpose: Arc::new(AgentPoint::Landing.purpose()),
                image: image.clone(),
            };
            space.planted.insert(RuntimeAddress(agent.landing), landing);
            if let (Some((address, _)), Some(adopt)) = (&injection.threads, agent.adopt) {
                detour(space, *address, adopt, (&image, memory), tracer.arch);
            }
            tracer.watch_rivals(space, injection);
            tracer.ledger.processes += u64::from(!before && space.has_probes());
            // A thread may be waiting for this: nothing is looked through for a second time.
            if !space.watches_signals()
                && let Ok(scan) = maps::mapped_images(pid, &mut tracer.cache)
            {
                tracer.watch_signals(space, &scan.images);
            }
        });
    }
}

impl Tracer {
    /// Tells the guard how an agent is silenced, and how threads come back from it without a tracer.
    fn protect_agent(
        &mut self,
        space: &mut AddressSpace,
        agent: &Agent,
        memory: &ProcessMemory,
        injection: &Injection,
    ) {
        const NOP: [u8; 1] = [0x90];
        let breakpoint = self.arch.breakpoint();
        if breakpoint.len() != NOP.len() {
            return;
        }
        self.protect_code(space, agent.landing, (breakpoint, &NOP));
        if let Some((data, _)) = &injection.agent {
            let (address, mut wanted) = (word(*data, Word::Wanted), [0; 8]);
            if memory.read(address, &mut wanted) == wanted.len() {
                self.protect_code(space, address, (&wanted, &[0; 8]));
            }
        }
        if let (Some((from, _)), Some(_)) = (&injection.threads, agent.adopt) {
            let mut original = [0; 1];
            if memory.read(from.0, &mut original) == original.len() {
                self.protect_code(space, from.0, (breakpoint, &original));
            }
        }
    }
}

/// Sends threads that come to an address somewhere else.
fn detour(
    space: &mut AddressSpace,
    from: RuntimeAddress,
    to: u64,
    (image, memory): (&ImageId, &ProcessMemory),
    arch: &dyn Arch,
) {
    let mut original = arch.breakpoint().to_vec();
    if memory.read(from.0, &mut original) < original.len()
        || memory.write(from.0, arch.breakpoint()).is_err()
    {
        return; // the process is gone
    }
    let planted = Planted {
        original,
        // A step over an instruction may be of any length.
        after: Some(HookStep::Nop(to.wrapping_sub(from.0) as usize)),
        purpose: Arc::new(AgentPoint::NewThread.purpose()),
        image: image.clone(),
    };
    space.planted.insert(from, planted);
}

/// What a note would say of a site.
fn note(marker: Injected, injection: &Injection, site: u64) -> Note {
    Note {
        provider: "python".to_owned(),
        name: marker.name().to_owned(),
        location: in_file(&injection.mapped, site),
        semaphore: None,
        arguments: marker.arguments().to_owned(),
        raw: RawNote {
            location: site,
            base: 0,
            semaphore: 0,
        },
    }
}
