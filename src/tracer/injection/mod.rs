//! Injected markers: bringing the agent ([`crate::injected`]) into a process, and out of it.
//!
//! The agent may only be installed where the GIL is held. A launched interpreter is caught at its first call of an
//! exported function that needs the GIL (`enter`). A running one is asked to install the agent itself, or, while its
//! main thread sleeps in a system call, that thread is made to take the GIL (`mission`).

mod enter;
mod mission;
mod rivals;
mod sleep;
mod ticker;

use std::sync::Arc;

use ptpytrace_arch::{HookStep, ReadMemory, Registers};

use super::Tracer;
use super::arm::{Surroundings, python_wanted};
use super::capture::ObjectReader;
use super::divert::OfAgent;
use super::matching::Identity;
use super::space::{AddressSpace, ImageId, Purpose};
use super::stopped::StoppedThread;
use crate::address::RuntimeAddress;
use crate::cpython::Version;
use crate::injected::{
    self, Agent, AssembleError, Displaced, Function, Injected, Markers, Status, Way, Word,
};
use crate::plan;
use crate::process::maps::MappedImage;
use crate::process::memory::ProcessMemory;
pub use mission::Mission;
use rivals::Rival;
pub(super) use ticker::Ticker;

/// The functions at whose first call a starting interpreter is caught: the GIL is held at both.
const ENTRANCES: [&str; 2] = ["PyEval_EvalCode", "Py_RunMain"];

/// After so many tries it is left at what could be installed: gc or importlib are not those of CPython.
const MOST_TRIES: u32 = 1000;

/// What a breakpoint of the injection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentPoint {
    /// The interpreter runs code: the agent can be installed.
    Entrance,
    /// A thread has come back from a call.
    Landing,
    /// A new thread takes the GIL for the first time.
    NewThread,
    /// Somebody sets a profile or trace function.
    Rival(Rival),
    /// Somebody makes another interpreter in the process.
    Interpreter,
}

impl AgentPoint {
    /// Whether the instruction that its breakpoint covers may be carried out elsewhere.
    pub(super) fn may_move(self) -> bool {
        matches!(self, AgentPoint::Rival(_) | AgentPoint::Interpreter)
    }

    /// That of a breakpoint with this meaning only.
    fn purpose(self) -> Purpose {
        Purpose {
            agent: Some(self),
            ..Purpose::default()
        }
    }
}

/// How far an injection has come.
#[derive(Clone, Debug)]
pub enum Stage {
    /// The interpreter is going to come by one of [`ENTRANCES`].
    Awaited,
    /// It has, and a thread installs the agent.
    Entering,
    /// A running process is to install or to remove it.
    Mission(Mission),
    /// The agent works.
    Installed,
    /// It does not, and will not any more.
    Over,
}

/// The injected markers of an address space.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The interpreter.
    mapped: MappedImage,
    objects: Option<Arc<ObjectReader>>,
    markers: Markers,
    way: Way,
    /// What a breakpoint on PyEval_AcquireThread covers, and its address: where new threads have to be caught.
    threads: Option<(RuntimeAddress, Displaced)>,
    /// The agent, for no place yet: a thread that is to get it does not wait for that.
    assembled: Arc<Agent>,
    /// The data page before anything has happened.
    data: Vec<u8>,
    /// The agent, once it is mapped, and the address of its data.
    agent: Option<(u64, Arc<Agent>)>,
    stage: Stage,
    /// What was said of things that have no markers.
    told: rivals::Told,
    /// How often the agent has found that it is too early for some of it.
    tries: u32,
}

impl Injection {
    /// That of a forked child. What the parent's threads were about to do they do not do there.
    pub fn copy(&self) -> Injection {
        let stage = match self.stage {
            Stage::Installed => Stage::Installed,
            Stage::Over => Stage::Over,
            _ => Stage::Awaited,
        };
        Injection {
            stage,
            ..self.clone()
        }
    }

    /// Whether the nop of an injected marker is at this address.
    pub fn site(&self, address: RuntimeAddress) -> OfAgent {
        let Some((_, agent)) = &self.agent else {
            return OfAgent::No;
        };
        let mut sites = agent.sites.iter();
        match sites.any(|(_, site)| *site == address.0) {
            true if agent.is_of_function(address.0) => OfAgent::Function,
            true => OfAgent::Yes,
            false => OfAgent::No,
        }
    }

    /// Has the callbacks do nothing any more.
    pub fn silence(&self, memory: &ProcessMemory) {
        if let Some((data, _)) = &self.agent {
            // It fails when the process is gone.
            let _ = memory.write(word(*data, Word::Wanted), &[0; 8]);
        }
    }

    /// Whether there was another interpreter when the agent was installed.
    fn several(&self, memory: &ProcessMemory) -> bool {
        let mut bytes = [0; 8];
        let several = self
            .agent
            .as_ref()
            .map(|(data, _)| word(*data, Word::Several));
        several.is_some_and(|at| memory.read(at, &mut bytes) == bytes.len() && bytes != [0; 8])
    }

    /// What the agent says of itself.
    fn status(&self, memory: &ProcessMemory) -> Option<Status> {
        let (data, _) = self.agent.as_ref()?;
        let mut bytes = [0; 8];
        let read = memory.read(word(*data, Word::Status), &mut bytes);
        (read == bytes.len()).then(|| Status::of_word(u64::from_le_bytes(bytes)))?
    }
}

/// Where a word of an agent lies in the process.
fn word(data: u64, word: Word) -> u64 {
    data.wrapping_add_signed(i64::from(word.offset()))
}

impl Tracer {
    /// Whether the binary's own markers are taken.
    pub(super) fn takes_native(&self, provider: &str) -> bool {
        provider != "python" || self.plan.markers != plan::MarkerSource::Injected
    }

    /// Which wanted markers are to be injected into an interpreter.
    pub(super) fn to_inject(
        &self,
        identity: &Identity,
        mapped: &MappedImage,
        version: Option<&Version>,
    ) -> Markers {
        let Some(version) = version else {
            return Markers::default();
        };
        let injectable = crate::injected::injectable(version, &mapped.image, self.plan.markers);
        let wanted =
            |marker: &Injected| python_wanted(&self.matcher, identity, mapped, marker.name());
        injectable.iter().filter(wanted).collect()
    }

    /// Prepares the injection of what is missing, and waits for the interpreter to come by.
    pub(super) fn await_interpreter(
        &mut self,
        space: &mut AddressSpace,
        (markers, version): (Markers, Option<&Version>),
        objects: Option<&Arc<ObjectReader>>,
        (surroundings, all): (&Surroundings<'_>, &[MappedImage]),
    ) {
        let mapped = surroundings.mapped;
        let wanted = !markers.is_empty() && space.injection.is_none();
        let Some(version) = version.filter(|_| wanted) else {
            return;
        };
        let way = injected::way(version);
        // The executable goes before the library: it may hold a copy of the library's data (copy relocations).
        let executable = all.iter().find(|other| other.image.interpreter().is_some());
        let lookup = |name: &str| {
            let mut images = executable.into_iter().chain([mapped]);
            images.find_map(|image| {
                let symbol = image.image.symbol(name)?;
                Some(image.bias.apply(symbol.address).0)
            })
        };
        if let Some(missing) = Agent::lacks(way, &lookup) {
            let path = mapped.path.display();
            let text = format!("{path} does not export {missing}: no markers can be injected");
            return self.outbox.notice(false, text);
        }
        let threads = (way == Way::Legacy)
            .then(|| self.new_threads(mapped))
            .flatten();
        let assembled = match self.assembled(threads.as_ref().map(|(_, displaced)| displaced)) {
            Ok(agent) => agent,
            Err(error) => return self.outbox.notice(false, error.to_string()),
        };
        space.injection = Some(Box::new(Injection {
            mapped: mapped.clone(),
            objects: objects.cloned(),
            markers,
            way,
            threads,
            assembled,
            data: Agent::data(markers, version, &lookup),
            agent: None,
            stage: Stage::Awaited,
            told: rivals::Told::default(),
            tries: 0,
        }));
        self.watch_entrances(space, mapped);
    }

    /// The agent; most interpreters need the same.
    fn assembled(&mut self, displaced: Option<&Displaced>) -> Result<Arc<Agent>, AssembleError> {
        if let Some((of, agent)) = &self.agent
            && of.as_ref() == displaced
        {
            return Ok(Arc::clone(agent));
        }
        let agent = Arc::new(Agent::assemble(displaced)?);
        self.agent = Some((displaced.cloned(), Arc::clone(&agent)));
        Ok(agent)
    }

    /// Breakpoints where a starting interpreter comes by.
    fn watch_entrances(&mut self, space: &mut AddressSpace, mapped: &MappedImage) {
        for name in ENTRANCES {
            let Some(symbol) = mapped.image.symbol(name) else {
                continue;
            };
            let address = mapped.bias.apply(symbol.address);
            let purpose = AgentPoint::Entrance.purpose();
            self.plant(space, address, purpose, &ImageId::of(mapped));
        }
    }

    /// In a forked child everything was planted anew, for what is wanted there: the agent's breakpoints as well.
    pub(super) fn rearm_agent(&mut self, pid: i32) {
        let identity = self.identity(pid);
        let memory = self.memory_of(pid);
        let Some(mut injection) = self.injection(pid).cloned() else {
            return;
        };
        let version = crate::cpython::availability::version_of(
            &injection.mapped.image,
            &injection.mapped.path,
        );
        injection.markers = self.to_inject(&identity, &injection.mapped, version.as_ref());
        let way = version.map_or(Way::Monitoring, |version| injected::way(&version));
        match (&injection.agent, memory) {
            (Some((data, agent)), Some(memory)) => {
                let wanted = injection.markers.wanted(way).to_le_bytes();
                // It fails when the process is gone.
                let _ = memory.write(word(*data, Word::Wanted), &wanted);
                let agent = Arc::clone(agent);
                self.arm_agent(pid, &injection, &agent, &memory);
            }
            _ => self.in_space(pid, |tracer, space| {
                tracer.watch_entrances(space, &injection.mapped);
            }),
        }
        if let Some(kept) = self.injection(pid) {
            kept.markers = injection.markers;
        }
    }

    /// A thread stands at a marker of a function that nobody will ever want: where that was injected, it is not to come
    /// by again. Whether that could be done.
    pub(super) fn spare(&mut self, thread: &StoppedThread) -> bool {
        let mut registers = Registers::default();
        let Ok(bytes) = thread.registers(&mut registers) else {
            return false; // killed meanwhile
        };
        let pid = self.table.threads.get(&thread.tid()).map(|it| it.pid);
        let injection = pid.and_then(|pid| self.injection(pid));
        let agent = injection.and_then(|it| it.agent.as_ref());
        let spared = agent.is_some_and(|(_, agent)| agent.spare(&mut registers));
        spared && thread.set_registers(&registers, bytes).is_ok()
    }

    /// Does something with the address space of a process.
    fn in_space(&mut self, pid: i32, action: impl FnOnce(&mut Tracer, &mut AddressSpace)) {
        let Some(id) = self.table.processes.get(&pid).map(|it| it.space) else {
            return;
        };
        if let Some(mut space) = self.table.spaces.remove(&id) {
            action(self, &mut space);
            self.table.spaces.insert(id, space);
        }
    }

    /// Where new threads are caught.
    fn new_threads(&self, mapped: &MappedImage) -> Option<(RuntimeAddress, Displaced)> {
        let symbol = mapped.image.symbol(Function::AcquireThread.name())?;
        let code = mapped.image.read_at(symbol.address, 16)?;
        let (length, moves) = match self.arch.hook_step(&code)? {
            HookStep::Nop(length) => (length, false),
            HookStep::Add { length, .. } | HookStep::Push { length, .. } => (length, true),
            HookStep::Return(_) => return None,
        };
        let address = mapped.bias.apply(symbol.address);
        let displaced = Displaced {
            instruction: code.get(..length).filter(|_| moves).unwrap_or(&[]).to_vec(),
            behind: address.0.wrapping_add(length as u64),
        };
        Some((address, displaced))
    }

    /// The injection of a process.
    fn injection(&mut self, pid: i32) -> Option<&mut Injection> {
        let space = self.table.processes.get(&pid)?.space;
        self.table.spaces.get_mut(&space)?.injection.as_deref_mut()
    }

    /// The memory of a process.
    fn memory_of(&self, pid: i32) -> Option<Arc<ProcessMemory>> {
        let space = self.table.processes.get(&pid)?.space;
        self.table.spaces.get(&space)?.memory.clone()
    }

    /// The agent works, or never will: the breakpoints at the entrances can go.
    fn settle(&mut self, pid: i32, stage: Stage) {
        let breakpoint = self.arch.breakpoint();
        let Some(process) = self.table.processes.get(&pid) else {
            return;
        };
        let Some(space) = self.table.spaces.get_mut(&process.space) else {
            return;
        };
        let mut several = false;
        if let Some(injection) = &mut space.injection {
            several = matches!(stage, Stage::Installed)
                && space
                    .memory
                    .as_ref()
                    .is_some_and(|it| injection.several(it));
            injection.stage = stage;
        }
        let Some(memory) = space.memory.clone() else {
            return;
        };
        for (address, planted) in &space.planted {
            if planted.purpose.is_entrance() {
                planted.remove(*address, breakpoint, &memory);
            }
        }
        if several {
            self.tell_interpreters(pid);
        }
    }

    /// Says why an interpreter has no injected markers.
    fn tell_failure(&mut self, pid: i32, reason: &str) {
        let text = format!("process {pid}: markers cannot be injected: {reason}");
        self.outbox.notice(false, text);
    }
}

/// The address of a marker's site, for the books: relative to the interpreter's file.
fn in_file(mapped: &MappedImage, site: u64) -> crate::address::FileAddress {
    crate::address::FileAddress(RuntimeAddress(site).0.wrapping_sub(mapped.bias.0))
}
