//! From images to probes: a marker is one probe, however many sites it has and
//! in however many images they lie.

use std::collections::HashMap;

use crate::address::FileAddress;
use crate::elf::Image;

/// A marker with all its sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The provider, as the notes have it.
    pub provider: String,
    /// The name, as the notes have it (with `__`).
    pub name: String,
    /// Its sites: image by image, in file order.
    pub sites: Vec<Site>,
}

/// One place where a marker fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Which of the images it lies in: the position among those given to [`catalog`].
    pub image: usize,
    /// The address of its nop.
    pub location: FileAddress,
    /// The address of the semaphore that enables it, if it has one; sites of one marker may have different ones.
    pub semaphore: Option<FileAddress>,
    /// Its argument specs, which are its own.
    pub arguments: String,
}

/// The probes of several images, in the order in which their first sites appear.
pub fn catalog<'i>(images: impl IntoIterator<Item = &'i Image>) -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for (image, notes) in images.into_iter().map(Image::notes).enumerate() {
        for note in notes {
            let place = *places
                .entry((&note.provider, &note.name))
                .or_insert(probes.len());
            if place == probes.len() {
                probes.push(Probe {
                    provider: note.provider.clone(),
                    name: note.name.clone(),
                    sites: Vec::new(),
                });
            }
            if let Some(probe) = probes.get_mut(place) {
                probe.sites.push(Site {
                    image,
                    location: note.location,
                    semaphore: note.semaphore,
                    arguments: note.arguments.clone(),
                });
            }
        }
    }
    probes
}
