//! The books, printed at the end: all of them for `--stats`, what was lost in any case.

use std::io::{self, Write};

use super::say::complain;
use crate::fastpath::drain::Recorded;
use crate::tracer::Summary;

/// Prints, for each marker, how often it fired, what a trap there cost and how its sites were armed; then what was lost.
///
/// # Errors
/// Those of `out`.
pub fn print(summary: &Summary, recorded: &Recorded, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:>12} {:>10}  MARKER", "FIRED", "NS/EVENT")?;
    for (index, row) in summary.ledger.rows().iter().enumerate() {
        let cost = row.nanoseconds.checked_div(row.fired);
        let cost = cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string());
        let (provider, name) = (&row.probe.provider, &row.probe.name);
        let fired = row.fired.saturating_add(recorded.fired(index));
        writeln!(out, "{fired:>12} {cost:>10}  {provider}:{name}")?;
        for site in &row.sites {
            let path = site.path.display();
            writeln!(out, "{:25}{} at {} in {path}", "", site.way, site.location)?;
            for why in &site.why {
                writeln!(out, "{:27}({why})", "")?;
            }
        }
    }
    let processes = summary.ledger.processes;
    writeln!(out, "programs with armed markers: {processes}")?;
    let lost = recorded.lost;
    let all = [summary.lost, lost.dropped, lost.missed, lost.damaged];
    let all = all.into_iter().fold(0, u64::saturating_add);
    writeln!(out, "events lost: {all}")
}

/// Says on standard error what was lost, if anything was.
pub fn tell_losses(summary: &Summary, recorded: &Recorded) {
    let lost = recorded.lost;
    let late = summary.lost.saturating_add(lost.dropped);
    let reasons = [
        (late, "they could not be written in time"),
        (lost.missed, "there were more threads than buffers"),
        (lost.damaged, "the program has written over them"),
    ];
    for (count, why) in reasons.into_iter().filter(|(count, _)| *count > 0) {
        complain(&format!("{count} events were lost: {why}"));
    }
}
