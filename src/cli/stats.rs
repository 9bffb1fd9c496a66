//! `--stats`: the books, printed at the end.

use std::io::{self, Write};

use crate::tracer::Summary;

/// Prints, for each marker, how often it fired, what it cost and how its sites were armed; then what was lost.
///
/// # Errors
/// Those of `out`.
pub fn print(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:>12} {:>10}  MARKER", "FIRED", "NS/EVENT")?;
    for row in summary.ledger.rows() {
        let cost = row.nanoseconds.checked_div(row.fired);
        let cost = cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string());
        let (provider, name) = (&row.probe.provider, &row.probe.name);
        writeln!(out, "{:>12} {cost:>10}  {provider}:{name}", row.fired)?;
        for site in &row.sites {
            let path = site.path.display();
            writeln!(out, "{:25}trap at {} in {path}", "", site.location)?;
        }
    }
    let processes = summary.ledger.processes;
    writeln!(out, "programs with armed markers: {processes}")?;
    writeln!(out, "events lost: {}", summary.lost)
}
