//! The ELF images that a process runs: opened past whatever lies between this
//! process and that one (mount namespaces, chroot, deletion), parsed once for
//! each state of each file, and placed in its memory.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Mapping, read};
use crate::address::{FileAddress, LoadBias, RuntimeAddress};
use crate::elf::{FileIdentity, Image, ImageError, open_regular};

/// How many images are kept before those that nobody uses are dropped.
const MAX_CACHED: usize = 2048;

/// Images by the identity of their files, so that a file is parsed once however many processes map it. Files that are
/// no images are remembered, too.
#[derive(Debug, Default)]
pub struct ImageCache {
    images: FxHashMap<FileIdentity, Result<Arc<Image>, Arc<ImageError>>>,
}

/// An image at its place in a process.
#[derive(Clone, Debug)]
pub struct MappedImage {
    /// The file's contents.
    pub image: Arc<Image>,
    /// How far it lies from the addresses in its file.
    pub bias: LoadBias,
    /// Its path as `/proc/PID/maps` names it: in a container, the path there.
    pub path: PathBuf,
    /// The addresses from its lowest segment's start to its highest one's end.
    pub range: Range<RuntimeAddress>,
}

/// What [`mapped_images`] found.
#[derive(Clone, Debug, Default)]
pub struct MappedImages {
    /// The images, by ascending address of their first executable mapping.
    pub images: Vec<MappedImage>,
    /// The files that could not be read.
    pub warnings: Vec<MapWarning>,
}

/// A file that a process executes and that could not be read, with why and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct MapWarning {
    /// The file's path as `/proc/PID/maps` names it.
    pub path: PathBuf,
    /// Why it could not be read.
    pub reason: MapProblem,
}

/// Why a mapped file could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MapProblem {
    /// The file has been deleted or replaced, and may be reached by its mapping only.
    #[error(
        "has been deleted or replaced since the program started (an upgrade?); restart the program, or run as root"
    )]
    Deleted,
    /// What lies at the path now is another file: comparing inodes said so.
    #[error(
        "is another file than the one that runs (inode {found}, running: {mapped}); restart the program, or run as root"
    )]
    Replaced {
        /// The inode at the path.
        found: u64,
        /// The inode that is mapped.
        mapped: u64,
    },
    /// The file cannot be opened or is no image.
    #[error("{0}")]
    Image(Arc<ImageError>),
}

impl ImageCache {
    /// An empty cache.
    pub fn new() -> ImageCache {
        ImageCache::default()
    }

    /// How many files it knows.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether it knows no file.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The image in an open file; `path` is where it was opened.
    fn image(&mut self, file: File, path: PathBuf) -> Result<Arc<Image>, Arc<ImageError>> {
        let metadata = file
            .metadata()
            .map_err(|error| Arc::new(ImageError::from(error)))?;
        let identity = FileIdentity::of(&metadata);
        if let Some(known) = self.images.get(&identity) {
            return known.clone();
        }
        let image = Image::from_file(file)
            .map(|mut image| {
                if image.notes().is_empty() {
                    image.close(path, identity);
                }
                Arc::new(image)
            })
            .map_err(Arc::new);
        if self.images.len() >= MAX_CACHED {
            self.images
                .retain(|_, image| matches!(image, Ok(image) if Arc::strong_count(image) > 1));
        }
        self.images.insert(identity, image.clone());
        image
    }
}

/// The images that a process executes code of, each once for every place where it lies.
///
/// # Errors
/// When the process's mappings cannot be read: it has ended (`NotFound`), or it may not be looked at
/// (`PermissionDenied`). A file that cannot be read is a warning beside the others.
pub fn mapped_images(pid: i32, cache: &mut ImageCache) -> io::Result<MappedImages> {
    let root = PathBuf::from(format!("/proc/{pid}"));
    Ok(Scan::new(&root, true, cache).run(&read(pid)?))
}

/// One look at one process.
struct Scan<'c> {
    /// `/proc/PID`.
    process: &'c Path,
    /// Whether `map_files` is tried, which only a privileged caller may open.
    map_files: bool,
    cache: &'c mut ImageCache,
    files: HashMap<FileKey, Option<Arc<Image>>>,
    found: MappedImages,
}

/// Device and inode, as a line of `maps` has them.
type FileKey = ((u32, u32), u64);

impl<'c> Scan<'c> {
    fn new(process: &'c Path, map_files: bool, cache: &'c mut ImageCache) -> Scan<'c> {
        Scan {
            process,
            map_files,
            cache,
            files: HashMap::new(),
            found: MappedImages::default(),
        }
    }

    fn run(mut self, mappings: &[Mapping]) -> MappedImages {
        let mut places = std::collections::HashSet::new();
        for mapping in mappings.iter().filter(|mapping| mapping.executable) {
            let Some(path) = mapping.file() else {
                continue;
            };
            let Some(image) = self.image(mapping, path) else {
                continue;
            };
            let Some(bias) = image.load_bias(mapping.start, mapping.offset, mapping.length())
            else {
                continue;
            };
            if places.insert((mapping.device, mapping.inode, bias)) {
                self.found.images.push(MappedImage {
                    range: extent(&image, bias),
                    image,
                    bias,
                    path: path.to_owned(),
                });
            }
        }
        self.found
    }

    /// The image of a mapping's file, opened once however many mappings it has.
    fn image(&mut self, mapping: &Mapping, path: &Path) -> Option<Arc<Image>> {
        let key = (mapping.device, mapping.inode);
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        let image = self
            .open(mapping, path)
            .and_then(|(file, at)| self.cache.image(file, at).map_err(MapProblem::Image));
        let image = match image {
            Ok(image) => Some(image),
            // A program may map data of its own as executable, such as a Windows library: that is no failure.
            Err(MapProblem::Image(error))
                if matches!(
                    *error,
                    ImageError::NotElf | ImageError::Empty | ImageError::Script { .. }
                ) =>
            {
                None
            }
            Err(reason) => {
                let path = path.to_owned();
                self.found.warnings.push(MapWarning { path, reason });
                None
            }
        };
        self.files.insert(key, image.clone());
        image
    }

    /// Opens the very file that is mapped; also says at which path.
    fn open(&self, mapping: &Mapping, path: &Path) -> Result<(File, PathBuf), MapProblem> {
        if self.map_files {
            let range = format!("map_files/{:x}-{:x}", mapping.start.0, mapping.end.0);
            let at = self.process.join(range);
            if let Ok((file, _)) = open_regular(&at) {
                return Ok((file, at));
            }
        }
        let mut problem = None;
        for at in self.candidates(path) {
            match open_regular(&at) {
                Ok((file, metadata)) if metadata.ino() == mapping.inode => return Ok((file, at)),
                Ok((_, metadata)) => {
                    problem = Some(MapProblem::Replaced {
                        found: metadata.ino(),
                        mapped: mapping.inode,
                    });
                }
                Err(error) => {
                    problem.get_or_insert(MapProblem::Image(Arc::new(error)));
                }
            }
        }
        let exe = self.process.join("exe");
        match open_regular(&exe) {
            Ok((file, metadata)) if metadata.ino() == mapping.inode => Ok((file, exe)),
            _ if mapping.deleted => Err(MapProblem::Deleted),
            _ => Err(problem.unwrap_or(MapProblem::Deleted)),
        }
    }

    /// Where the file may be. The kernel writes paths as this process would see them, unless they are in a mount
    /// namespace of their own: then as that namespace's root sees them. A chroot within it is not taken off, but
    /// `/proc/PID/root` leads into it.
    fn candidates(&self, path: &Path) -> Vec<PathBuf> {
        let root = self.process.join("root");
        let below = |path: &Path| Some(root.join(path.strip_prefix("/").ok()?));
        let within = std::fs::read_link(&root)
            .ok()
            .and_then(|prefix| Some(root.join(path.strip_prefix(prefix).ok()?)));
        let mut candidates: Vec<PathBuf> = within.into_iter().chain(below(path)).collect();
        candidates.dedup();
        candidates
    }
}

/// From the lowest segment's start to the highest one's end.
fn extent(image: &Image, bias: LoadBias) -> Range<RuntimeAddress> {
    let segments = image.segments();
    let low = segments.iter().map(|segment| segment.address.0).min();
    let high = segments
        .iter()
        .map(|segment| segment.address.0.saturating_add(segment.memory_size))
        .max();
    let place = |address: Option<u64>| bias.apply(FileAddress(address.unwrap_or(0)));
    place(low)..place(high)
}

#[cfg(test)]
mod tests;
