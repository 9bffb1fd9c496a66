//! Arming: finds the wanted markers in whatever a process has mapped, raises their semaphores and plants breakpoints.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Tracer;
use super::capture::ObjectReader;
use super::ledger::SiteRecord;
use super::matching::{Identity, Marker, Matcher, Module};
use super::site::{self, Argument, Site};
use super::space::{AddressSpace, ImageId, Purpose};
use crate::address::RuntimeAddress;
use crate::cpython::{Layout, Types, Version, availability};
use crate::elf::Note;
use crate::event::{ArgInfo, ProbeInfo};
use crate::injected::{Injected, Markers};
use crate::probe::known::argument_names;
use crate::process::maps::{self, MappedImage};
use crate::process::memory::ProcessMemory;
use crate::process::proc::IfFound;

/// What is the same for all sites of one image.
pub(super) struct Surroundings<'a> {
    /// The image.
    pub mapped: &'a MappedImage,
    /// Its identity.
    pub id: ImageId,
    /// The process's memory.
    pub memory: Arc<ProcessMemory>,
}

impl Tracer {
    /// Looks through what the thread's process has mapped: arms what is new, forgets what has gone.
    pub(super) fn look_through(&mut self, tid: i32) {
        let Some(pid) = self.table.threads.get(&tid).map(|thread| thread.pid) else {
            return;
        };
        let Some(space) = self.table.processes.get(&pid).map(|process| process.space) else {
            return;
        };
        let identity = self.identity(pid);
        if !self.matcher.wants_files(&identity) {
            return;
        }
        let Ok(scan) = maps::mapped_images(pid, &mut self.cache) else {
            return; // it is ending
        };
        for warning in &scan.warnings {
            self.outbox
                .notice(true, format!("process {pid}: {warning}"));
        }
        let Some(mut space_record) = self.table.spaces.remove(&space) else {
            return;
        };
        let present: Vec<ImageId> = scan.images.iter().map(ImageId::of).collect();
        space_record.keep_only(&present);
        space_record.owner = pid;
        space_record.code = scan.images.iter().zip(&present).flat_map(code_of).collect();
        let armed_before = space_record.has_probes();
        for (mapped, id) in scan.images.iter().zip(present) {
            if !space_record.images.contains(&id) {
                self.arm_image(&mut space_record, &identity, (mapped, id), &scan.images);
            }
        }
        if space_record.has_probes() {
            self.ledger.processes += u64::from(!armed_before);
            self.watch_signals(&mut space_record, &scan.images);
        }
        self.table.spaces.insert(space, space_record);
    }

    /// What requests ask of a process.
    pub(super) fn identity(&self, pid: i32) -> Identity {
        let exe = self.proc.exe(pid).if_found().flatten();
        Identity {
            pid,
            target: self.target,
            program: exe.map(|exe| exe.path),
        }
    }

    /// A forked child, which has not run yet, has a copy of its parent's breakpoints: where what is wanted depends on
    /// the process, they are planted anew. So they are where its parent was being armed when it forked: the child's
    /// memory is from before, and what is known of it from after that.
    pub(super) fn look_through_copy(&mut self, pid: i32) {
        let process = self.table.processes.get(&pid);
        let space = process.and_then(|process| self.table.spaces.get(&process.space));
        let half = |it: &AddressSpace| !it.changed_by_others(self.arch.breakpoint()).is_empty();
        if !self.process_matters && !space.is_some_and(half) {
            return;
        }
        self.restore_process(pid, Some(pid));
        let space = self.table.processes.get(&pid).map(|process| process.space);
        if let Some(space) = space.and_then(|space| self.table.spaces.get_mut(&space)) {
            space.planted.clear();
        }
        self.look_through(pid);
        self.rearm_agent(pid);
    }

    fn arm_image(
        &mut self,
        space: &mut AddressSpace,
        identity: &Identity,
        (mapped, id): (&MappedImage, ImageId),
        all: &[MappedImage],
    ) {
        let Some(memory) = space.memory.clone() else {
            return;
        };
        space.images.push(id.clone());
        let image = &mapped.image;
        if image.machine() != self.arch.elf_machine() || image.bits() != 64 {
            let path = mapped.path.display();
            let text = format!(
                "process {}: {path} is not a 64-bit program of this CPU: its markers are left alone",
                memory.pid()
            );
            return self.outbox.notice(true, text);
        }
        let surroundings = Surroundings { mapped, id, memory };
        self.hook_linker(space, &surroundings);
        let version = availability::version_of(image, &mapped.path);
        let injected = self.to_inject(identity, mapped, version.as_ref());
        self.tell_what_is_missing(identity, mapped, injected);
        let objects = version.and_then(|version| object_reader(&version, mapped, all));
        let mut wanted: FxHashMap<RuntimeAddress, Vec<Arc<Site>>> = FxHashMap::default();
        let mut entry_wanted = false;
        for note in image.notes() {
            if !self.takes_native(&note.provider) {
                continue;
            }
            let requests = self.requests_for(identity, mapped, note);
            if requests.is_empty() {
                continue;
            }
            if version.is_some_and(|version| availability::crashes(&version, &note.name)) {
                let mut instead = injected.iter();
                if !instead.any(|marker| marker.name() == note.name) {
                    self.outbox.notice(false, availability::CRASHES.to_owned());
                }
                continue;
            }
            entry_wanted |= note.provider == "python" && note.name == "function__entry";
            let site = self.marker_site(note, mapped, requests, objects.as_ref());
            wanted
                .entry(mapped.bias.apply(note.location))
                .or_default()
                .push(site);
            self.raise(space, note.semaphore, &surroundings);
        }
        if !wanted.is_empty() {
            self.survey(mapped);
        }
        for (address, markers) in wanted {
            let purpose = Purpose {
                markers,
                ..Purpose::default()
            };
            self.plant(space, address, purpose, &surroundings.id);
        }
        if entry_wanted {
            self.raise_companions(space, version, &surroundings);
        }
        self.await_interpreter(
            space,
            (injected, version.as_ref()),
            objects.as_ref(),
            (&surroundings, all),
        );
        self.arm_functions(space, identity, &surroundings);
    }

    /// The requests that a marker of an image answers. Which function holds it is looked up only when something else
    /// does not rule it out already.
    pub(super) fn requests_for(
        &self,
        identity: &Identity,
        mapped: &MappedImage,
        note: &Note,
    ) -> Vec<usize> {
        let module = module_of(mapped);
        let mut marker = Marker {
            provider: &note.provider,
            name: &note.name,
            function: None,
        };
        let requests = self.matcher.marker(identity, module, marker);
        if requests.is_empty() {
            return requests;
        }
        marker.function = Some(mapped.image.function_at(note.location).unwrap_or(""));
        self.matcher.marker(identity, module, marker)
    }

    /// All that is settled about a site beforehand. `objects` reads the objects of the interpreter in this image, if it
    /// is one that is known.
    pub(super) fn marker_site(
        &mut self,
        note: &Note,
        mapped: &MappedImage,
        requests: Vec<usize>,
        objects: Option<&Arc<ObjectReader>>,
    ) -> Arc<Site> {
        let arguments = self.arguments(note, mapped);
        let function = mapped.image.function_at(note.location);
        let probe = ProbeInfo {
            provider: note.provider.clone(),
            name: note.name.clone(),
            args: Vec::new(),
            module: file_name(&mapped.path),
            function: function.unwrap_or("").to_owned(),
            requests,
            id: 0,
        };
        let site = site::site((&mut self.ledger, &self.plan), probe, arguments, objects);
        let record = SiteRecord {
            path: mapped.path.clone(),
            location: note.location,
            arguments: note.arguments.clone(),
            way: "trap",
            why: Vec::new(),
        };
        self.ledger.armed(site.row, record);
        site
    }

    /// The arguments of a marker: where they lie, and what is known of them.
    fn arguments(&mut self, note: &Note, mapped: &MappedImage) -> Vec<Argument> {
        let lookup = |name: &str| {
            let symbol = mapped.image.symbol(name)?;
            Some(mapped.bias.apply(symbol.address).0)
        };
        let specs = match self.arch.parse_each(&note.arguments) {
            Ok(specs) => specs,
            Err(error) => {
                let text = format!("{}:{}: {error}", note.provider, note.name);
                self.outbox.notice(false, text);
                Vec::new()
            }
        };
        let names = argument_names(&note.provider, &note.name, specs.len());
        let mut arguments = Vec::with_capacity(specs.len());
        for (spec, (name, ty)) in specs.into_iter().zip(names) {
            let spec = spec.and_then(|spec| spec.resolve(&lookup));
            if let Err(error) = &spec {
                let marker = format!("{}:{}", note.provider, note.name);
                self.outbox
                    .notice(false, format!("{marker}, argument {name}: {error}"));
            }
            let name = name.into_owned();
            arguments.push(Argument {
                info: ArgInfo { name, ty },
                spec: spec.ok(),
            });
        }
        arguments
    }

    /// Says which wanted markers an interpreter lacks, once for each file.
    fn tell_what_is_missing(
        &mut self,
        identity: &Identity,
        mapped: &MappedImage,
        injected: Markers,
    ) {
        if !mapped.image.is_cpython() || self.told.contains(&mapped.path) {
            return;
        }
        let matcher = &self.matcher;
        let injected = |name: &str| injected.iter().any(|marker| marker.name() == name);
        let wanted = |name: &str| python_wanted(matcher, identity, mapped, name) && !injected(name);
        if !Injected::ALL.iter().any(|marker| wanted(marker.name())) {
            return;
        }
        if let Some(text) = availability::missing(&mapped.image, &mapped.path, &wanted) {
            self.told.insert(mapped.path.clone());
            self.outbox.notice(false, text);
        }
    }
}

/// Whether a marker of this name is wanted of an interpreter, if it has it.
pub(super) fn python_wanted(
    matcher: &Matcher,
    identity: &Identity,
    mapped: &MappedImage,
    name: &str,
) -> bool {
    let marker = Marker {
        provider: "python",
        name,
        function: None,
    };
    !matcher
        .marker(identity, module_of(mapped), marker)
        .is_empty()
}

/// Where the code of an image lies.
fn code_of<'a>(
    (mapped, id): (&'a MappedImage, &'a ImageId),
) -> impl Iterator<Item = (Range<RuntimeAddress>, ImageId)> + 'a {
    let segments = mapped.image.segments().iter();
    let code = segments.filter(|segment| segment.executable());
    code.map(|segment| {
        let start = mapped.bias.apply(segment.address);
        let end = RuntimeAddress(start.0.saturating_add(segment.memory_size));
        (start..end, id.clone())
    })
}

/// How requests name a mapped file.
pub(super) fn module_of(mapped: &MappedImage) -> Module<'_> {
    Module {
        path: &mapped.path,
        soname: mapped.image.soname(),
    }
}

/// A path's last part, as text.
pub(super) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What is needed to read the interpreter's objects; `None` for an unknown version.
///
/// The executable goes before the library: a program that was linked to refer to libpython's data holds the copy that
/// counts (copy relocations).
fn object_reader(
    version: &Version,
    mapped: &MappedImage,
    all: &[MappedImage],
) -> Option<Arc<ObjectReader>> {
    let layout = Layout::of(version).ok()?;
    let executable = all.iter().find(|other| other.image.interpreter().is_some());
    let addresses = |name: &str| {
        let mut images = executable.into_iter().chain([mapped]);
        images.find_map(|image| {
            let symbol = image.image.symbol(name)?;
            Some(image.bias.apply(symbol.address).0)
        })
    };
    let types = Types::find(&addresses).ok()?;
    Some(Arc::new(ObjectReader { types, layout }))
}
