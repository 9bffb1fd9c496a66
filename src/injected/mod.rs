//! Markers for every CPython: a small piece of machine code, the agent, that is mapped into the interpreter's process
//! and has CPython call it.
//!
//! CPython 3.12 to 3.14 have no function markers, 3.12 and later no `line`, and a build without `--with-dtrace` has no
//! markers at all. There the agent registers callbacks through the exported C API: with `sys.monitoring` from 3.12 on, as a
//! profile and a trace function before.
//! A callback puts the arguments where a marker's would be and runs over a nop ([`Agent::sites`]), which the tracer
//! treats as any marker's site.
//!
//! The code is the same wherever it lies ([`Agent::at`]), behind its data: a page of words ([`Word`]) in which the tracer writes the addresses of the C API's functions, and a table of names and lines (`places`). Where a code object has its fields is found out in
//! the process. Installing and removing are functions of the agent which the tracer has a thread call where that thread
//! holds the GIL.

mod audit;
mod calibrate;
mod callbacks;
mod collector;
mod data;
mod entrance;
mod function;
mod importer;
mod legacy;
mod marker;
mod monitoring;
mod places;
mod registers;
mod site;
mod writer;

use iced_x86::IcedError;
use iced_x86::code_asm::CodeAssemblerResult;
use iced_x86::code_asm::CodeLabel;

pub use data::{DATA_LENGTH, Status, Word};
pub use entrance::{HOLDS_GIL, NOT_READY};
pub use function::Function;
pub use legacy::Displaced;
pub use marker::{Injected, Markers, Row, Way};
pub use registers::{PINNED, REFUSAL, RESULT, argument, is_in_system_call, set_argument};
use writer::Writer;

use crate::cpython::{Version, availability};
use crate::elf::Image;
use crate::plan;

/// The CPU that the agent is written for: x86-64 (`EM_X86_64`).
const MACHINE: u16 = 62;

/// The agent's code and the places in it, as addresses in the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// The machine code, for the page behind the data.
    pub code: Vec<u8>,
    /// The nop of each marker.
    pub sites: Vec<(Injected, u64)>,
    /// A thread that is set here, with the address of one of the functions below in `rax`, calls it and then runs
    /// into the breakpoint at [`Agent::landing`].
    pub springboard: u64,
    /// That breakpoint: part of the code.
    pub landing: u64,
    /// `int install(void *)`; the GIL must be held.
    pub install: u64,
    /// `int remove(void *)`; the GIL must be held.
    pub remove: u64,
    /// The former, for a thread that does not hold the GIL; [`HOLDS_GIL`] where it does. A free-threaded build does it
    /// soon, in a thread of its own.
    pub install_with_gil: u64,
    /// The latter, for a thread that does not hold the GIL; [`HOLDS_GIL`] where it does.
    pub remove_with_gil: u64,
    /// `int queue(int (*)(void *))`: has the main thread call one of the first two when it runs Python code; no GIL is
    /// needed. -1: there is no room at the moment; or [`NOT_READY`].
    pub queue: u64,
    /// The profile function and the trace function of CPython before 3.12.
    pub hooks: [u64; 2],
    /// Where a thread that has come to PyEval_AcquireThread is sent; without a [`Displaced`] instruction nowhere.
    pub adopt: Option<u64>,
}

/// The agent could not be assembled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent's code cannot be assembled: {0}")]
pub struct AssembleError(String);

impl From<IcedError> for AssembleError {
    fn from(error: IcedError) -> AssembleError {
        AssembleError(error.to_string())
    }
}

impl Agent {
    /// The agent as it is with its data at 0 and its code right behind that ([`DATA_LENGTH`]).
    ///
    /// # Errors
    /// None that could occur, but for an address in `displaced` at which there can be no code.
    pub fn assemble(displaced: Option<&Displaced>) -> Result<Agent, AssembleError> {
        let mut w = Writer::new()?;
        let mut sites = site::Sites::default();
        let (springboard, landing) = entrance::landing(&mut w)?;
        let shared = site::Shared::write(&mut w)?;
        let parts = entrance::Parts {
            callbacks: callbacks::write(&mut w, &shared, &mut sites)?,
            hooks: legacy::write(&mut w, &shared, &mut sites)?,
            collector: collector::write(&mut w, &mut sites)?,
            importer: importer::write(&mut w, &shared, &mut sites)?,
            audit: audit::write(&mut w, &mut sites)?,
        };
        let hooks = [&parts.hooks[0], &parts.hooks[1]].map(legacy::Hook::function);
        let install = entrance::install(&mut w, &parts)?;
        let remove = entrance::remove(&mut w, &parts.hooks)?;
        let install_with_gil = entrance::with_gil(&mut w, install)?;
        let remove_with_gil = entrance::with_gil(&mut w, remove)?;
        let queue = entrance::queue(&mut w)?;
        let adopt = displaced
            .map(|it| legacy::adopt(&mut w, &parts.hooks, it))
            .transpose()?;
        let result = w.finish()?;
        let address = |label: CodeLabel| address_of(&result, label);
        Ok(Agent {
            sites: sites
                .iter()
                .map(|(marker, label)| Ok((marker, address(label)?)))
                .collect::<Result<_, IcedError>>()?,
            springboard: address(springboard)?,
            landing: address(landing)?,
            install: address(install)?,
            remove: address(remove)?,
            install_with_gil: address(install_with_gil)?,
            remove_with_gil: address(remove_with_gil)?,
            queue: address(queue)?,
            hooks: [address(hooks[0])?, address(hooks[1])?],
            adopt: adopt.map(address).transpose()?,
            code: result.inner.code_buffer,
        })
    }

    /// This agent, assembled for 0, with its data at `data`.
    pub fn at(&self, data: u64) -> Agent {
        let moved = |address: u64| address.wrapping_add(data);
        let sites = self.sites.iter();
        Agent {
            code: self.code.clone(),
            sites: sites.map(|(it, site)| (*it, moved(*site))).collect(),
            springboard: moved(self.springboard),
            landing: moved(self.landing),
            install: moved(self.install),
            remove: moved(self.remove),
            install_with_gil: moved(self.install_with_gil),
            remove_with_gil: moved(self.remove_with_gil),
            queue: moved(self.queue),
            hooks: self.hooks.map(moved),
            adopt: self.adopt.map(moved),
        }
    }

    /// Whether the C API has all that is needed: the name of the first function that is missing.
    pub fn lacks(way: Way, lookup: &dyn Fn(&str) -> Option<u64>) -> Option<&'static str> {
        let more = match way {
            Way::Monitoring => &[][..],
            Way::Legacy => function::LEGACY,
        };
        let functions = function::ALWAYS.iter().chain(more);
        let mut names = functions.map(|function| function.name());
        names.find(|name| lookup(name).is_none())
    }

    /// The data page with the addresses of the C API's functions, as far as `lookup` knows them.
    pub fn data(
        wanted: Markers,
        version: &Version,
        lookup: &dyn Fn(&str) -> Option<u64>,
    ) -> Vec<u8> {
        let given = |function: &Function| {
            version.free_threaded || !matches!(function, Function::StartThread)
        };
        // 3.12 has one of the same meaning; before, it knows of one thread for the whole process.
        let older = |function| match function {
            Function::HeldThread if way(version) == Way::Monitoring => {
                lookup("_PyThreadState_UncheckedGet")
            }
            _ => None,
        };
        let address = |function: Function| lookup(function.name()).or_else(|| older(function));
        let functions = Function::all().map(|function| {
            let given = Some(function).filter(given);
            given.and_then(address).unwrap_or(0)
        });
        let mut data: Vec<u8> = functions.flat_map(u64::to_le_bytes).collect();
        data.extend(wanted.wanted(way(version)).to_le_bytes());
        data
    }
}

/// How functions and lines are injected into a version.
pub fn way(version: &Version) -> Way {
    if version.at_least(3, 12) {
        Way::Monitoring
    } else {
        Way::Legacy
    }
}

/// Which markers can be injected into an interpreter, whether they are wanted or not.
pub fn injectable(version: &Version, image: &Image, markers: plan::MarkerSource) -> Markers {
    let supported = |marker: &Injected| {
        let since = match marker {
            Injected::Audit => 8,
            Injected::ImportStart | Injected::ImportDone => 7,
            _ => 6,
        };
        image.machine() == MACHINE && image.bits() == 64 && version.at_least(3, since)
    };
    let native = |marker: &Injected| {
        let mut notes = image.notes().iter();
        notes.any(|note| note.provider == "python" && note.name == marker.name())
            && !availability::crashes(version, marker.name())
    };
    let missing = |marker: &Injected| match markers {
        plan::MarkerSource::Auto => !native(marker),
        plan::MarkerSource::Native => false,
        plan::MarkerSource::Injected => true,
    };
    let all = Injected::ALL.into_iter();
    all.filter(supported).filter(missing).collect()
}

fn address_of(result: &CodeAssemblerResult, label: CodeLabel) -> Result<u64, IcedError> {
    result.label_ip(&label)
}

#[cfg(test)]
mod tests;
