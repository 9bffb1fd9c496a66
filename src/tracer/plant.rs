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
use crate::fastpath::guard::Undo;
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
        if let Some(raised) = Raised::next(address, &surroundings.memory) {
            let address = address.0;
            let undo = Undo::Semaphore { address, raised };
            self.protection.changing(space, &[undo]);
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
        let companion = |it: Version| (it.major, it.minor) == (3, 11) && !it.is((3, 11, 0));
        if !version.is_some_and(companion) {
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
            let purpose = Purpose {
                linker: true,
                ..Purpose::default()
            };
            self.plant(space, address, purpose, &surroundings.id);
        }
    }

    /// Breakpoints on the functions by which the program may ignore or block SIGTRAP.
    pub(super) fn watch_signals(&mut self, space: &mut AddressSpace, images: &[MappedImage]) {
        for mapped in images {
            if !sigtrap::is_c_library(&mapped.image) {
                continue;
            }
            let id = ImageId::of(mapped);
            for (name, watched) in sigtrap::FUNCTIONS {
                let symbol = mapped.image.symbol(name);
                let Some(address) = symbol.map(|it| mapped.bias.apply(it.address)) else {
                    continue;
                };
                let purpose = Purpose {
                    signals: Some(watched),
                    ..Purpose::default()
                };
                self.plant(space, address, purpose, &id);
            }
        }
    }

    /// Plants a breakpoint, unless what stands there is not what must stand there. Where one is already it gets this
    /// purpose too.
    pub(super) fn plant(
        &mut self,
        space: &mut AddressSpace,
        address: RuntimeAddress,
        purpose: Purpose,
        image: &ImageId,
    ) {
        if let Some(planted) = space.planted.get_mut(&address) {
            return Arc::make_mut(&mut planted.purpose).add(purpose);
        }
        let Some(memory) = space.memory.clone() else {
            return;
        };
        let mut code = [0; 16];
        let read = memory.read(address.0, &mut code);
        let code = code.get(..read).unwrap_or(&[]);
        let breakpoint = self.arch.breakpoint();
        let after = if purpose.markers.is_empty() {
            self.arch.hook_step(code)
        } else {
            self.arch.nop_len(code).map(HookStep::Nop)
        };
        let agents = purpose.agent.is_some_and(|point| point.may_move());
        let movable = purpose.returns || agents || !purpose.functions.is_empty();
        let movable = movable && self.arch.relocate(code, address.0, address.0).is_some();
        let original = code.get(..breakpoint.len());
        let original = original.filter(|_| after.is_some() || movable);
        if let Some(original) = original {
            self.protect_code(space, address.0, (breakpoint, original));
        }
        let written = match original {
            Some(_) => memory
                .write(address.0, breakpoint)
                .map_err(|it| it.to_string()),
            None if code.starts_with(breakpoint) => {
                Err("another debugger or tracer has a breakpoint there".to_owned())
            }
            None => {
                Err("what stands there is not an instruction that can be stepped over".to_owned())
            }
        };
        if let Err(found) = written {
            let location = address.0.wrapping_sub(image.bias);
            for site in &purpose.markers {
                let way = ("not armed", vec![found.clone()]);
                self.ledger.way(site.row, (&image.path, location), way);
            }
            let (pid, path) = (memory.pid(), image.path.display());
            let text =
                format!("process {pid}: {path}: the site at {address} is not armed: {found}");
            return self.outbox.notice(purpose.markers.is_empty(), text);
        }
        let planted = Planted {
            original: original.unwrap_or(&[]).to_vec(),
            after,
            purpose: Arc::new(purpose),
            image: image.clone(),
        };
        space.planted.insert(address, planted);
    }
}
