//! `-l`: which markers a file or a process has, as DTrace's table or as JSON. An interpreter has those as well that are
//! injected into it ([`crate::injected`]).
//!
//! Listing needs no privilege but reading: nothing is traced. What could not
//! be listed is reported beside what could.

pub(super) mod injected;
mod json;
mod problem;
mod text;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::address::{FileAddress, LoadBias, RuntimeAddress};
use crate::elf::{Image, Note};
use crate::plan::MarkerSource;
use crate::probe::MarkerPattern;
use crate::process::maps::{ImageCache, MappedImage, MappedImages, mapped_images, read};

pub(super) use problem::printable;
pub use problem::{ListError, ListProblem};

use super::args::Format;
use super::consumer;
use super::job::ListJob;
use super::say::complain;
use super::trace::find_program;
use crate::tracer::hold::hold;
use anyhow::Context;

/// What to list, and how.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Adds what `readelf -n` says of every site, and the names and types of known markers' arguments.
    pub verbose: bool,
    /// One JSON object a line for every site instead of the table.
    pub json: bool,
    /// Lists what at least one of these matches; everything when there are none.
    pub patterns: Vec<MarkerPattern>,
    /// Whether an interpreter's own markers are listed, the injected ones, or both.
    pub source: MarkerSource,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct ListReport {
    /// How many rows the table has: distinct provider, module, function and name.
    pub markers: usize,
    /// What could not be listed, and why.
    pub errors: Vec<ListError>,
}

/// Lists the markers of ELF files, file by file.
///
/// A reader that closes its end of `out` early (`| head`) ends the listing quietly.
///
/// # Errors
/// Only those of writing to `out`; a file that cannot be read is one of [`ListReport::errors`].
pub fn list_files(
    paths: &[PathBuf],
    options: &ListOptions,
    out: &mut dyn Write,
) -> io::Result<ListReport> {
    let mut listing = Listing::new(options, out);
    let written = paths.iter().try_for_each(|path| listing.file(path));
    listing.finish(written)
}

/// Lists the markers of everything that a process executes; providers are shown as `python<PID>`.
///
/// A reader that closes its end of `out` early ends the listing quietly.
///
/// # Errors
/// Only those of writing to `out`; a process that cannot be looked at is one of [`ListReport::errors`].
pub fn list_process(
    pid: i32,
    options: &ListOptions,
    cache: &mut ImageCache,
    out: &mut dyn Write,
) -> io::Result<ListReport> {
    let mut listing = Listing::new(options, out);
    let written = match mapped_images(pid, cache) {
        Ok(images) => listing.process(pid, &images),
        Err(error) => {
            listing.error(format!("process {pid}"), ListProblem::of_process(error));
            Ok(())
        }
    };
    listing.finish(written)
}

/// An image and where it was found.
struct Target<'t> {
    image: &'t Image,
    path: &'t Path,
    place: Option<Place>,
    source: MarkerSource,
    /// What would be injected, as notes without a place.
    injected: Vec<Note>,
}

/// Where an image lies in a process.
#[derive(Clone, Copy)]
struct Place {
    pid: i32,
    bias: LoadBias,
}

impl Place {
    fn address(self, location: FileAddress) -> RuntimeAddress {
        self.bias.apply(location)
    }
}

/// One line of the table, and every site that it stands for.
struct Row<'t> {
    target: &'t Target<'t>,
    function: Option<&'t str>,
    sites: Vec<&'t Note>,
    injected: bool,
}

impl<'t> Target<'t> {
    /// An image; `others` are those that the process has mapped besides.
    fn new(
        (image, path): (&'t Image, &'t Path),
        place: Option<Place>,
        source: MarkerSource,
        others: &[MappedImage],
    ) -> Target<'t> {
        Target {
            image,
            path,
            place,
            source,
            injected: injected::into_image((image, path), source, others),
        }
    }

    /// The file's name without its folders.
    fn module(&self) -> String {
        self.path.file_name().map_or_else(
            || self.path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        )
    }

    /// The rows in the order of their first sites.
    fn rows(&self, patterns: &[MarkerPattern]) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        let mut places = HashMap::new();
        for note in self.image.notes() {
            if !self.is_wanted(note, patterns) || !self.is_taken(note) {
                continue;
            }
            let function = self.image.function_at(note.location);
            let key = (note.provider.as_str(), function, note.name.as_str());
            let place = *places.entry(key).or_insert(rows.len());
            match rows.get_mut(place) {
                Some(row) => row.sites.push(note),
                None => rows.push(Row {
                    target: self,
                    function,
                    sites: vec![note],
                    injected: false,
                }),
            }
        }
        let injected = self.injected.iter();
        let injected = injected.filter(|note| self.is_wanted(note, patterns));
        rows.extend(injected.map(|note| Row {
            target: self,
            function: None,
            sites: vec![note],
            injected: true,
        }));
        rows
    }

    /// Whether the markers of its kind are those of the binary.
    fn is_taken(&self, note: &Note) -> bool {
        note.provider != "python" || self.source != MarkerSource::Injected
    }

    /// Whether it has markers of whatever kind.
    fn has_markers(&self) -> bool {
        !self.image.notes().is_empty() || !self.injected.is_empty()
    }

    fn is_wanted(&self, note: &Note, patterns: &[MarkerPattern]) -> bool {
        let matches = |pattern: &MarkerPattern| {
            pattern.matches(&note.provider, &note.name)
                || self.place.is_some()
                    && pattern.matches(&self.shown_provider(&note.provider), &note.name)
        };
        patterns.is_empty() || patterns.iter().any(matches)
    }

    /// The provider as DTrace shows it: in a process with the pid behind it.
    fn shown_provider(&self, provider: &str) -> String {
        match self.place {
            Some(place) => format!("{provider}{}", place.pid),
            None => provider.to_owned(),
        }
    }
}

/// The state of one listing.
struct Listing<'l> {
    options: &'l ListOptions,
    out: &'l mut dyn Write,
    report: ListReport,
}

impl<'l> Listing<'l> {
    fn new(options: &'l ListOptions, out: &'l mut dyn Write) -> Listing<'l> {
        Listing {
            options,
            out,
            report: ListReport::default(),
        }
    }

    fn error(&mut self, subject: String, problem: ListProblem) {
        self.report.errors.push(ListError { subject, problem });
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        let image = match Image::open(path) {
            Ok(image) => image,
            Err(error) => {
                self.error(path.display().to_string(), ListProblem::Image(error));
                return Ok(());
            }
        };
        let target = Target::new((&image, path), None, self.options.source, &[]);
        if !target.has_markers() {
            self.error(
                path.display().to_string(),
                ListProblem::without_markers(&image),
            );
        }
        self.target(&target)
    }

    fn process(&mut self, pid: i32, found: &MappedImages) -> io::Result<()> {
        let subject = format!("process {pid}");
        for warning in &found.warnings {
            self.error(subject.clone(), ListProblem::Mapped(warning.clone()));
        }
        for mapped in &found.images {
            let place = Place {
                pid,
                bias: mapped.bias,
            };
            let image = (&*mapped.image, mapped.path.as_path());
            let target = Target::new(image, Some(place), self.options.source, &found.images);
            self.target(&target)?;
            if !target.has_markers() && mapped.image.is_cpython() {
                let problem = ListProblem::without_markers(&mapped.image);
                self.error(mapped.path.display().to_string(), problem);
            }
        }
        if found.images.is_empty() && found.warnings.is_empty() {
            let mapped = read(pid).is_ok_and(|mappings| !mappings.is_empty());
            self.error(
                subject,
                match mapped {
                    true => ListProblem::NoImages,
                    false => ListProblem::Ended,
                },
            );
        } else if self.report.markers == 0 && self.options.patterns.is_empty() {
            self.error(subject, ListProblem::NoMarkers);
        }
        Ok(())
    }

    /// Writes the rows of one image and reports its wrong notes.
    fn target(&mut self, target: &Target<'_>) -> io::Result<()> {
        for error in target.image.note_errors() {
            let problem = ListProblem::Note(error.clone());
            self.error(target.path.display().to_string(), problem);
        }
        for row in target.rows(&self.options.patterns) {
            if self.options.json {
                json::row(&row, self.out)?;
            } else {
                if self.report.markers == 0 {
                    text::header(self.out)?;
                }
                let id = self.report.markers.saturating_add(1);
                text::row(id, &row, self.options.verbose, self.out)?;
            }
            self.report.markers = self.report.markers.saturating_add(1);
        }
        Ok(())
    }

    /// Ends the listing: a reader that has gone away has read what it wanted.
    fn finish(mut self, written: io::Result<()>) -> io::Result<ListReport> {
        match written.and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(self.report),
            other => other?,
        }
        let nothing = self.report.markers == 0 && self.report.errors.is_empty();
        if nothing && !self.options.patterns.is_empty() {
            let patterns: Vec<String> = self
                .options
                .patterns
                .iter()
                .map(|p| p.to_string())
                .collect();
            self.error(patterns.join(", "), ListProblem::NoMatch);
        }
        Ok(self.report)
    }
}

/// Cuts a note's argument string at the spaces that are not within parentheses or brackets.
pub(super) fn argument_specs(arguments: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    arguments
        .split(|character| {
            match character {
                '(' | '[' => depth = depth.saturating_add(1),
                ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && character == ' '
        })
        .filter(|spec| !spec.is_empty())
        .collect()
}

/// Carries out `-l`; gives the exit status: 1 when nothing could be listed.
///
/// # Errors
/// The output cannot be written.
pub fn list(job: ListJob) -> anyhow::Result<i32> {
    let mut out = consumer::open(job.output.as_deref())?;
    let options = ListOptions {
        verbose: job.verbose,
        json: job.format == Format::Json,
        patterns: job.patterns,
        source: job.source,
    };
    let mut reports = Vec::new();
    if !job.files.is_empty() {
        reports.push(list_files(&job.files, &options, &mut out)?);
    }
    let mut cache = ImageCache::new();
    for pid in job.pids {
        reports.push(list_process(pid, &options, &mut cache, &mut out)?);
    }
    if let Some(words) = &job.command {
        let launch = find_program(words)?;
        let held = hold(&launch).context("cannot start the command")?;
        reports.push(list_process(held.pid, &options, &mut cache, &mut out)?);
    }
    flush(&mut out)?;
    for error in reports.iter().flat_map(|report| &report.errors) {
        complain(&error.to_string());
    }
    let listed = reports.iter().any(|report| report.markers > 0);
    Ok(i32::from(!listed))
}

fn flush(out: &mut dyn Write) -> io::Result<()> {
    match out.flush() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
