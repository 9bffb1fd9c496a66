//! Arming: finds the wanted markers in whatever a process has mapped, raises their semaphores and plants breakpoints.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Tracer;
use super::capture::{ArgCapture, How, ObjectReader};
use super::ledger::{Ledger, SiteRecord};
use super::space::{AddressSpace, ImageId, MarkerSite, Purpose};
use crate::address::RuntimeAddress;
use crate::cpython::{Layout, Types, Version, availability};
use crate::elf::Note;
use crate::event::{ArgInfo, ProbeInfo};
use crate::probe::known::{ArgType, argument_names};
use crate::process::maps::{self, MappedImage};
use crate::process::memory::ProcessMemory;

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
        let armed_before = space_record.has_markers();
        for (mapped, id) in scan.images.iter().zip(present) {
            if !space_record.images.contains(&id) {
                self.arm_image(&mut space_record, mapped, id, &scan.images);
            }
        }
        if space_record.has_markers() {
            self.ledger.processes += u64::from(!armed_before);
            self.watch_signals(&mut space_record, &scan.images);
        }
        self.table.spaces.insert(space, space_record);
    }

    fn arm_image(
        &mut self,
        space: &mut AddressSpace,
        mapped: &MappedImage,
        id: ImageId,
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
        self.tell_what_is_missing(mapped);
        let objects = version.and_then(|version| object_reader(&version, mapped, all));
        let mut wanted: FxHashMap<RuntimeAddress, Vec<Arc<MarkerSite>>> = FxHashMap::default();
        for note in image.notes() {
            if self.plan.wants(&note.provider, &note.name) {
                if version.is_some_and(|version| availability::crashes(&version, &note.name)) {
                    self.outbox.notice(false, availability::CRASHES.to_owned());
                    continue;
                }
                let site = self.marker_site(note, mapped, objects.as_ref());
                wanted
                    .entry(mapped.bias.apply(note.location))
                    .or_default()
                    .push(site);
                self.raise(space, note.semaphore, &surroundings);
            }
        }
        for (address, sites) in wanted {
            self.plant(
                space,
                address,
                Purpose::Markers(sites.into()),
                &surroundings,
            );
        }
        self.raise_companions(space, version, &surroundings);
    }

    /// All that is settled about a site beforehand. `objects` reads the objects of the interpreter in this image, if it
    /// is one that is known.
    fn marker_site(
        &mut self,
        note: &Note,
        mapped: &MappedImage,
        objects: Option<&Arc<ObjectReader>>,
    ) -> Arc<MarkerSite> {
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
        for (spec, (name, ty)) in specs.into_iter().zip(&names) {
            let spec = spec.and_then(|spec| spec.resolve(&lookup));
            if let Err(error) = &spec {
                let marker = format!("{}:{}", note.provider, note.name);
                self.outbox
                    .notice(false, format!("{marker}, argument {name}: {error}"));
            }
            let how = match (ty, objects) {
                (ArgType::CString, _) => How::Text,
                (ArgType::Object, Some(reader)) => How::Object(Arc::clone(reader)),
                _ => How::Number,
            };
            let spec = spec.ok();
            arguments.push(ArgCapture { spec, how });
        }
        let needs_vector = arguments
            .iter()
            .any(|argument| argument.spec.as_ref().is_some_and(|it| it.needs_vector()));
        let (row, probe) = enter(&mut self.ledger, note, &names, mapped);
        Arc::new(MarkerSite {
            probe,
            row,
            arguments,
            needs_vector,
        })
    }

    /// Says which wanted markers an interpreter lacks, once for each file.
    fn tell_what_is_missing(&mut self, mapped: &MappedImage) {
        if !mapped.image.is_cpython() || self.told.contains(&mapped.path) {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let wanted = |name: &str| plan.wants("python", name);
        if let Some(text) = availability::missing(&mapped.image, &mapped.path, &wanted) {
            self.told.insert(mapped.path.clone());
            self.outbox.notice(false, text);
        }
    }
}

/// Notes a marker and its site in the books.
fn enter(
    ledger: &mut Ledger,
    note: &Note,
    names: &[(std::borrow::Cow<'static, str>, ArgType)],
    mapped: &MappedImage,
) -> (usize, Arc<ProbeInfo>) {
    let args = names
        .iter()
        .map(|(name, ty)| ArgInfo {
            name: name.to_string(),
            ty: *ty,
        })
        .collect();
    let (row, probe) = ledger.row(ProbeInfo {
        provider: note.provider.clone(),
        name: note.name.clone(),
        args,
    });
    let site = SiteRecord {
        path: mapped.path.clone(),
        location: note.location,
        arguments: note.arguments.clone(),
    };
    ledger.armed(row, site);
    (row, probe)
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
