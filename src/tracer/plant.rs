//! What is changed in a process's memory: semaphores counted up, breakpoints planted, each with what undoes it.

use std::sync::Arc;

use super::Tracer;
use super::arm::Surroundings;
use super::semaphore::Raised;
use super::sigtrap;
use super::space::{AddressSpace, ImageId, Planted, Purpose};
use crate::address::{FileAddress, RuntimeAddress};
use crate::cpython::Version;
use crate::elf::Note;
use crate::process::maps::MappedImage;
use ptpytrace_arch::{HookStep, ReadMemory};

/// The function that dynamic linkers (glibc's, musl's) call when they have mapped or unmapped something; debuggers
/// have a breakpoint there (`r_brk` of `struct r_debug`).
const LINKER_HOOK: &str = "_dl_debug_state";

impl Tracer {
    /// Counts a semaphore up, once.
    pub(super) fn raise(
        &mut self,
        space: &mut AddressSpace,
        semaphore: Option<FileAddress>,
        surroundings: &Surroundings<'_>,
    ) {
        let Some(address) = semaphore.map(|it| surroundings.mapped.bias.apply(it)) else {
            return;
        };
        if space.raised.iter().any(|raised| raised.address == address) {
            return;
        }
        match Raised::raise(address, surroundings.id.clone(), &surroundings.memory) {
            Some(raised) => space.raised.push(raised),
            None => {
                let path = surroundings.mapped.path.display();
                let text = format!(
                    "{path}: the semaphore at {address} cannot be counted up: its marker may stay silent"
                );
                self.outbox.notice(false, text);
            }
        }
    }

    /// In CPython 3.11 a call reaches `function__entry` only on the path that the semaphore of `line` opens; there
    /// the two are raised together, without a breakpoint on `line`.
    pub(super) fn raise_companions(
        &mut self,
        space: &mut AddressSpace,
        version: Option<Version>,
        surroundings: &Surroundings<'_>,
    ) {
        let entry_wanted = self.plan.wants("python", "function__entry");
        let companion = |it: Version| (it.major, it.minor) == (3, 11) && !it.is((3, 11, 0));
        if !entry_wanted || !version.is_some_and(companion) {
            return;
        }
        let line = |note: &&Note| note.provider == "python" && note.name == "line";
        for note in surroundings.mapped.image.notes().iter().filter(line) {
            self.raise(space, note.semaphore, surroundings);
        }
    }

    /// A breakpoint where the dynamic linker says that it has mapped something.
    pub(super) fn hook_linker(
        &mut self,
        space: &mut AddressSpace,
        surroundings: &Surroundings<'_>,
    ) {
        let mapped = surroundings.mapped;
        if let Some(symbol) = mapped.image.symbol(LINKER_HOOK) {
            let address = mapped.bias.apply(symbol.address);
            self.plant(space, address, Purpose::Linker, surroundings);
        }
    }

    /// Breakpoints on the functions by which the program may ignore or block SIGTRAP.
    pub(super) fn watch_signals(&mut self, space: &mut AddressSpace, images: &[MappedImage]) {
        let Some(memory) = space.memory.clone() else {
            return;
        };
        for mapped in images {
            let soname = mapped.image.soname().unwrap_or("");
            if !sigtrap::LIBRARIES
                .iter()
                .any(|name| soname.starts_with(name))
            {
                continue;
            }
            let surroundings = Surroundings {
                mapped,
                id: ImageId::of(mapped),
                memory: Arc::clone(&memory),
            };
            for (name, watched) in sigtrap::FUNCTIONS {
                let symbol = mapped.image.symbol(name);
                let Some(address) = symbol.map(|it| mapped.bias.apply(it.address)) else {
                    continue;
                };
                if !space.planted.contains_key(&address) {
                    self.plant(space, address, Purpose::Signals(watched), &surroundings);
                }
            }
        }
    }

    /// Plants a breakpoint, unless what stands there is not what must stand there.
    pub(super) fn plant(
        &mut self,
        space: &mut AddressSpace,
        address: RuntimeAddress,
        purpose: Purpose,
        surroundings: &Surroundings<'_>,
    ) {
        let mut code = [0; 16];
        let read = surroundings.memory.read(address.0, &mut code);
        let code = code.get(..read).unwrap_or(&[]);
        let breakpoint = self.arch.breakpoint();
        let after = match purpose {
            Purpose::Markers(_) => self.arch.nop_len(code).map(HookStep::Nop),
            Purpose::Linker | Purpose::Signals(_) => self.arch.hook_step(code),
        };
        let original = code.get(..breakpoint.len());
        let pid = surroundings.memory.pid();
        let path = surroundings.mapped.path.display();
        let (Some(after), Some(original)) = (after, original) else {
            let found = if code.starts_with(breakpoint) {
                "another debugger or tracer has a breakpoint there"
            } else {
                "what stands there is not an instruction that can be stepped over"
            };
            let text =
                format!("process {pid}: {path}: the site at {address} is not armed: {found}");
            let verbose = !matches!(purpose, Purpose::Markers(_));
            return self.outbox.notice(verbose, text);
        };
        if let Err(error) = surroundings.memory.write(address.0, breakpoint) {
            let text =
                format!("process {pid}: {path}: the site at {address} is not armed: {error}");
            return self.outbox.notice(false, text);
        }
        let planted = Planted {
            original: original.to_vec(),
            after,
            purpose,
            image: surroundings.id.clone(),
        };
        space.planted.insert(address, planted);
    }
}
