//! DTrace's table, with `-v` followed by what `readelf -n` says of each site.

use std::io::{self, Write};

use super::injected::means;
use super::problem::printable;
use super::{Row, argument_specs};
use crate::cpython::availability;
use crate::elf::Note;
use crate::injected::way;
use crate::probe::known::known;
use crate::probe::pattern::dashed;

/// What stands in place of the function where a marker is in none yet.
const INJECTED: &str = "(injected)";

/// The line above the table.
pub(super) fn header(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>5} {:>10} {:>17} {:>33} NAME",
        "ID", "PROVIDER", "MODULE", "FUNCTION"
    )
}

/// One row; verbose, every site of it and the names of a known marker's arguments.
pub(super) fn row(id: usize, row: &Row<'_>, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let Some(note) = row.sites.first() else {
        return Ok(());
    };
    writeln!(
        out,
        "{id:>5} {:>10} {:>17} {:>33} {}",
        printable(&row.target.shown_provider(&note.provider)),
        printable(&row.target.module()),
        printable(
            row.function
                .unwrap_or(if row.injected { INJECTED } else { "" })
        ),
        printable(&dashed(&note.name)),
    )?;
    if !verbose {
        return Ok(());
    }
    for site in &row.sites {
        match row.injected {
            true => injected(row, site, out)?,
            false => self::site(row, site, out)?,
        }
    }
    argument_names(note, out)
}

fn site(row: &Row<'_>, site: &Note, out: &mut dyn Write) -> io::Result<()> {
    // readelf writes as many digits as an address of the file has.
    let digits = usize::from(row.target.image.bits() / 4);
    let raw = site.raw;
    writeln!(
        out,
        "    Location: 0x{:0digits$x}, Base: 0x{:0digits$x}, Semaphore: 0x{:0digits$x}",
        raw.location, raw.base, raw.semaphore
    )?;
    writeln!(out, "    Arguments: {}", printable(&site.arguments))?;
    let Some(place) = row.target.place else {
        return Ok(());
    };
    write!(out, "    Address: {}", place.address(site.location))?;
    if let Some(semaphore) = site.semaphore {
        write!(out, ", Semaphore: {}", place.address(semaphore))?;
    }
    writeln!(out, " in process {}", place.pid)
}

/// Where it will lie is settled when a process is traced.
fn injected(row: &Row<'_>, site: &Note, out: &mut dyn Write) -> io::Result<()> {
    let version = availability::version_of(row.target.image, row.target.path);
    let means = means(&site.name, version.as_ref().map(way));
    writeln!(out, "    Injected: {means}")?;
    writeln!(out, "    Arguments: {}", printable(&site.arguments))
}

fn argument_names(note: &Note, out: &mut dyn Write) -> io::Result<()> {
    let Some(marker) = known(&note.provider, &note.name) else {
        return Ok(());
    };
    let count = argument_specs(&note.arguments).len();
    let names: Vec<String> = marker
        .arguments
        .iter()
        .take(count)
        .map(|argument| format!("{}: {}", argument.name, argument.kind.c_name()))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out, "    {}", names.join(", "))
}
