//! Which requests of the plan a probe answers, in the process at hand.
//!
//! What the plan writes as globs is looked at once: a glob that names one file is followed to where that file really
//! lies, because a process's mappings show the file behind the links (`python3` is `/usr/bin/python3.11` there).

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::{FunctionPoint, Place, Plan, Point, ProcessPoint, Request, Within};
use crate::probe::glob::Glob;
use crate::probe::pattern::dashed;

/// The folders that are also reached without `/usr` where the two are merged.
const MERGED: [&str; 5] = ["/bin/", "/sbin/", "/lib/", "/lib64/", "/lib32/"];

/// What DTrace calls the program itself.
const PROGRAM_ITSELF: &str = "a.out";

/// A process, as far as requests ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub pid: i32,
    /// The id of the process that was launched or attached to first.
    pub target: Option<i32>,
    /// The file that it runs; `None` when that cannot be told.
    pub program: Option<PathBuf>,
}

/// A file that holds probes.
#[derive(Clone, Copy, Debug)]
pub struct Module<'a> {
    /// Its path.
    pub path: &'a Path,
    /// The name under which other files ask for it.
    pub soname: Option<&'a str>,
}

/// A marker, as its note has it.
#[derive(Clone, Copy, Debug)]
pub struct Marker<'a> {
    /// The provider.
    pub provider: &'a str,
    /// The name.
    pub name: &'a str,
    /// The function that holds it; `None` when that does not matter.
    pub function: Option<&'a str>,
}

/// A glob for files.
#[derive(Clone, Debug)]
struct FileGlob {
    glob: Glob,
    /// The file that it names, if it names one.
    file: Option<PathBuf>,
    /// It means the program itself.
    program_itself: bool,
}

/// The plan, ready to be asked.
#[derive(Clone, Debug)]
pub struct Matcher {
    plan: Arc<Plan>,
    /// For each request, `within.program`.
    programs: Vec<Option<FileGlob>>,
    /// For each request, the point's module.
    modules: Vec<Option<FileGlob>>,
}

impl FileGlob {
    fn new(glob: &Glob) -> FileGlob {
        let text = glob.literal_text();
        let file = text.as_deref().and_then(|text| {
            if glob.names_a_path() {
                std::fs::canonicalize(text).ok()
            } else {
                on_path(text)
            }
        });
        FileGlob {
            glob: glob.clone(),
            file,
            program_itself: text.as_deref() == Some(PROGRAM_ITSELF),
        }
    }

    /// Whether it means a file of this path (or, for a library, of this name).
    fn matches(&self, path: &Path, soname: Option<&str>) -> bool {
        if self.file.as_deref() == Some(path) {
            return true;
        }
        if self.glob.names_a_path() {
            return spellings(path).any(|path| self.glob.matches(&path));
        }
        let file = path.file_name().map(OsStr::to_string_lossy);
        let names = file.as_deref().into_iter().chain(soname);
        // `libc` for `libc.so.6`, as in DTrace
        let stems = names
            .clone()
            .filter_map(|name| Some(name.split_once(".so")?.0));
        names.chain(stems).any(|name| self.glob.matches(name))
    }

    /// Whether it means a file that a process has mapped.
    fn means(&self, identity: &Identity, module: Module<'_>) -> bool {
        let itself = || identity.program.as_deref() == Some(module.path);
        self.matches(module.path, module.soname) || self.program_itself && itself()
    }
}

/// The file of a program that is named without a folder.
fn on_path(name: &str) -> Option<PathBuf> {
    let search = std::env::var_os("PATH")?;
    let mut candidates = std::env::split_paths(&search).map(|folder| folder.join(name));
    let executable = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    std::fs::canonicalize(candidates.find(executable)?).ok()
}

/// A path with and without `/usr`, where that makes no difference.
fn spellings(path: &Path) -> impl Iterator<Item = String> {
    let text = path.to_string_lossy().into_owned();
    let merged = |rest: &str| MERGED.iter().any(|folder| rest.starts_with(folder));
    let other = match text.strip_prefix("/usr") {
        Some(rest) => merged(rest).then(|| rest.to_owned()),
        None => merged(&text).then(|| format!("/usr{text}")),
    };
    std::iter::once(text).chain(other)
}

impl Matcher {
    /// Looks at a plan.
    pub fn new(plan: Arc<Plan>) -> Matcher {
        let program = |request: &Request| request.within.program.as_ref().map(FileGlob::new);
        let module = |request: &Request| match &request.point {
            Point::Marker(marker) => marker.module.as_ref().map(FileGlob::new),
            Point::Function(function) => function.module.as_ref().map(FileGlob::new),
            Point::Syscall { .. } | Point::Process(_) => None,
        };
        Matcher {
            programs: plan.requests.iter().map(program).collect(),
            modules: plan.requests.iter().map(module).collect(),
            plan,
        }
    }

    /// Whether a process and a copy of it may answer different requests.
    pub fn depends_on_process(&self) -> bool {
        self.plan.requests.iter().any(|request| {
            let Within { target, pid, .. } = request.within;
            let provider = match &request.point {
                Point::Marker(marker) => marker.provider.depends_on_process(),
                _ => false,
            };
            target || pid.is_some() || provider
        })
    }

    /// Whether some request names a point of this kind.
    pub fn any(&self, is_meant: impl Fn(&Point) -> bool) -> bool {
        let mut requests = self.plan.requests.iter();
        requests.any(|request| is_meant(&request.point))
    }

    /// The requests that may be answered in a process, with their indices.
    fn within<'a>(
        &'a self,
        identity: &'a Identity,
    ) -> impl Iterator<Item = (usize, &'a Request, Option<&'a FileGlob>)> {
        let requests = self.plan.requests.iter().enumerate();
        let files = self.programs.iter().zip(&self.modules);
        let meant = requests.zip(files).filter(|((_, request), (program, _))| {
            let Within { target, pid, .. } = request.within;
            let ran = |glob: &FileGlob| {
                let path = identity.program.as_deref();
                path.is_some_and(|path| glob.matches(path, None))
            };
            (!target || identity.target == Some(identity.pid))
                && pid.is_none_or(|pid| pid == identity.pid)
                && program.as_ref().is_none_or(ran)
        });
        meant.map(|((index, request), (_, module))| (index, request, module.as_ref()))
    }

    /// Whether something in the files of a process may be wanted: a marker or a function.
    pub fn wants_files(&self, identity: &Identity) -> bool {
        let mut requests = self.within(identity);
        requests
            .any(|(_, request, _)| matches!(request.point, Point::Marker(_) | Point::Function(_)))
    }

    /// Whether something that lies in no file may be wanted of a process.
    pub fn wants_elsewhere(&self, identity: &Identity) -> bool {
        let mut requests = self.within(identity);
        requests.any(|(_, request, _)| {
            matches!(request.point, Point::Syscall { .. } | Point::Process(_))
        })
    }

    /// The requests that a marker answers, ascending.
    pub fn marker(
        &self,
        identity: &Identity,
        module: Module<'_>,
        marker: Marker<'_>,
    ) -> Vec<usize> {
        let meant = self.within(identity).filter(|(_, request, file)| {
            let Point::Marker(point) = &request.point else {
                return false;
            };
            let function = |glob: &Glob| marker.function.is_none_or(|it| glob.matches(it));
            point.name.matches(&dashed(marker.name))
                && point
                    .provider
                    .matches(marker.provider, identity.pid, identity.target)
                && file.is_none_or(|file| file.means(identity, module))
                && point.function.as_ref().is_none_or(function)
        });
        meant.map(|(index, ..)| index).collect()
    }

    /// Whether a request that a probe answers in one process may be answered in this one, as far as that depends on the
    /// process.
    pub fn still(&self, index: usize, identity: &Identity, provider: &str) -> bool {
        self.within(identity).any(|(meant, request, _)| {
            let provided = match &request.point {
                Point::Marker(it) => it.provider.matches(provider, identity.pid, identity.target),
                _ => true,
            };
            meant == index && provided
        })
    }

    /// The requests for functions of a file, ascending.
    pub fn functions<'a>(
        &'a self,
        identity: &'a Identity,
        module: Module<'_>,
    ) -> Vec<(usize, &'a FunctionPoint)> {
        let meant = self.within(identity).filter_map(|(index, request, file)| {
            let Point::Function(point) = &request.point else {
                return None;
            };
            let here = file.is_none_or(|file| file.means(identity, module));
            here.then_some((index, point))
        });
        meant.collect()
    }

    /// The requests that something that happens to a process answers, ascending.
    pub fn process_point(&self, identity: &Identity, point: ProcessPoint) -> Vec<usize> {
        let meant = self.within(identity);
        let meant = meant.filter(|(_, request, _)| request.point == Point::Process(point));
        meant.map(|(index, ..)| index).collect()
    }

    /// The requests that a system call answers, ascending; `None` asks for any call and place.
    pub fn system_call(&self, identity: &Identity, call: Option<(&str, Place)>) -> Vec<usize> {
        let meant = self.within(identity).filter(|(_, request, _)| {
            let Point::Syscall { name, place } = &request.point else {
                return false;
            };
            call.is_none_or(|(called, at)| *place == at && name.matches(called))
        });
        meant.map(|(index, ..)| index).collect()
    }
}

#[cfg(test)]
mod tests;
