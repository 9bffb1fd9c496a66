//! What there is to probe before anything is traced: the processes that a run is for, and what they have mapped. The
//! tools say how many probes a script matched before it runs, and refuse one of which nothing can match.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::all;
use crate::cli::list::injected::into_image;
use crate::elf::Note;
use crate::plan::{MarkerSource, Place, Plan, Point};
use crate::probe::pattern::dashed;
use crate::process::maps::{ImageCache, MappedImage, mapped_images};
use crate::process::proc::{IfFound, ProcFs};
use crate::process::system_calls;
use crate::tracer::hold::{Held, hold};
use crate::tracer::matching::{Identity, Marker, Matcher, Module};
use crate::tracer::{HOST_MACHINE, Launch};

/// System calls have numbers below this on every CPU that is supported.
const MOST_CALLS: u64 = 1024;

/// A probe in DTrace's four fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// `python1234`
    pub provider: String,
    /// The file, without its folders.
    pub module: String,
    /// The function that holds it; empty when no symbol says.
    pub function: String,
    /// `function-entry`
    pub name: String,
}

/// A process and what it executes.
#[derive(Debug)]
struct Surveyed {
    identity: Identity,
    images: Vec<MappedImage>,
}

impl Surveyed {
    /// The markers of one of its images, those that will be injected included.
    fn notes(&self, mapped: &MappedImage) -> Vec<Note> {
        let image = (&*mapped.image, mapped.path.as_path());
        let injected = into_image(image, MarkerSource::Auto, &self.images);
        mapped
            .image
            .notes()
            .iter()
            .cloned()
            .chain(injected)
            .collect()
    }
}

/// The processes that a run is for.
#[derive(Debug, Default)]
pub struct Survey {
    processes: Vec<Surveyed>,
    target: Option<i32>,
    /// A command was to be looked at, and that could not be done: what it has is not known.
    unknown: bool,
    /// The command, held until it has been looked at.
    held: Option<Held>,
}

impl Survey {
    /// Looks at a command (which is started, held before its first instruction and ended), or at these processes; when
    /// there are neither, at every process of this user.
    pub fn of(launch: Option<&Launch>, pids: &[i32]) -> Survey {
        let mut survey = Survey::default();
        match launch.map(hold) {
            Some(Ok(held)) => {
                survey.target = Some(held.pid);
                survey.look_at(&[held.pid]);
                survey.held = Some(held);
            }
            Some(Err(_)) => survey.unknown = true,
            None if pids.is_empty() => survey.look_at(&all::of_user(&ProcFs::from_environment())),
            None => {
                survey.target = pids.first().copied();
                survey.look_at(pids);
            }
        }
        // A script runs something else by and by.
        survey.unknown |= launch.is_some_and(|it| is_script(&it.program)) && !survey.has_python();
        survey
    }

    fn look_at(&mut self, pids: &[i32]) {
        let proc = ProcFs::from_environment();
        let mut cache = ImageCache::new();
        for pid in pids {
            let program = proc.exe(*pid).if_found().flatten().map(|exe| exe.path);
            let images = mapped_images(*pid, &mut cache).unwrap_or_default().images;
            self.processes.push(Surveyed {
                identity: Identity {
                    pid: *pid,
                    target: self.target,
                    program,
                },
                images,
            });
        }
    }

    fn has_python(&self) -> bool {
        let mut images = self.processes.iter().flat_map(|it| &it.images);
        images.any(|mapped| mapped.image.is_cpython())
    }

    /// The id of the command or the first process.
    pub fn target(&self) -> Option<i32> {
        self.target
    }

    /// What a command will execute cannot be told: that nothing matches means nothing.
    pub fn is_unknown(&self) -> bool {
        self.unknown
    }

    /// The names of all markers, in DTrace's spelling.
    pub fn marker_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for process in &self.processes {
            for mapped in &process.images {
                let notes = process.notes(mapped);
                names.extend(notes.iter().map(|note| dashed(&note.name)));
            }
        }
        names
    }

    /// Every marker, process by process, in the order of their sites; each once.
    pub fn markers(&self) -> Vec<Found> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for process in &self.processes {
            for mapped in &process.images {
                for note in process.notes(mapped) {
                    let function = mapped.image.function_at(note.location).unwrap_or("");
                    let found = found(process, mapped, &note.provider, (function, &note.name));
                    if seen.insert(found.clone()) {
                        all.push(found);
                    }
                }
            }
        }
        all
    }

    /// For each request of a plan what it matches, each once.
    pub fn matches(&self, plan: &Plan) -> Vec<BTreeSet<Found>> {
        let matcher = Matcher::new(Arc::new(plan.clone()));
        let mut all: Vec<BTreeSet<Found>> = plan.requests.iter().map(|_| BTreeSet::new()).collect();
        for process in &self.processes {
            for mapped in &process.images {
                markers_of(&matcher, process, mapped, &mut all);
                functions_of(&matcher, process, mapped, &mut all);
            }
        }
        for (request, matched) in plan.requests.iter().zip(&mut all) {
            elsewhere(&request.point, matched);
        }
        all
    }
}

fn markers_of(
    matcher: &Matcher,
    process: &Surveyed,
    mapped: &MappedImage,
    all: &mut [BTreeSet<Found>],
) {
    for note in process.notes(mapped) {
        let mut marker = Marker {
            provider: &note.provider,
            name: &note.name,
            function: None,
        };
        let module = module_of(mapped);
        if matcher.marker(&process.identity, module, marker).is_empty() {
            continue;
        }
        let function = mapped.image.function_at(note.location).unwrap_or("");
        marker.function = Some(function);
        let found = found(process, mapped, &note.provider, (function, &note.name));
        for request in matcher.marker(&process.identity, module, marker) {
            if let Some(matched) = all.get_mut(request) {
                matched.insert(found.clone());
            }
        }
    }
}

fn functions_of(
    matcher: &Matcher,
    process: &Surveyed,
    mapped: &MappedImage,
    all: &mut [BTreeSet<Found>],
) {
    let points = matcher.functions(&process.identity, module_of(mapped));
    if points.is_empty() {
        return;
    }
    for (_, function) in mapped.image.functions() {
        for (request, point) in &points {
            let matched = all.get_mut(*request);
            if point.function.matches(function)
                && let Some(matched) = matched
            {
                matched.insert(found(
                    process,
                    mapped,
                    "pid",
                    (function, place(point.place)),
                ));
            }
        }
    }
}

/// What lies in no file: there whatever is traced.
fn elsewhere(point: &Point, matched: &mut BTreeSet<Found>) {
    match point {
        Point::Marker(_) | Point::Function(_) => {}
        Point::Process(point) => {
            matched.insert(of_kernel("proc", "", point.name()));
        }
        Point::Syscall { name, place: at } => {
            let calls = (0..MOST_CALLS).filter_map(|it| system_calls::name(HOST_MACHINE, it));
            let calls = calls.filter(|call| name.matches(call));
            matched.extend(calls.map(|call| of_kernel("syscall", call, place(*at))));
        }
    }
}

fn of_kernel(provider: &str, function: &str, name: &str) -> Found {
    Found {
        provider: provider.to_owned(),
        module: "vmlinux".to_owned(),
        function: function.to_owned(),
        name: name.to_owned(),
    }
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Entry => "entry",
        Place::Return => "return",
    }
}

fn module_of(mapped: &MappedImage) -> Module<'_> {
    Module {
        path: &mapped.path,
        soname: mapped.image.soname(),
    }
}

fn found(
    process: &Surveyed,
    mapped: &MappedImage,
    provider: &str,
    (function, name): (&str, &str),
) -> Found {
    let file = mapped.path.file_name();
    Found {
        provider: format!("{provider}{}", process.identity.pid),
        module: file.map_or_else(String::new, |it| it.to_string_lossy().into_owned()),
        function: function.to_owned(),
        name: dashed(name),
    }
}

/// Whether a file is run by another program.
fn is_script(program: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 2];
    let file = std::fs::File::open(PathBuf::from(program));
    file.and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"#!"
}
