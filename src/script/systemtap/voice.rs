//! What SystemTap says when something goes wrong while a script runs.

use std::sync::Arc;

use crate::script::ir::{Fault, FaultReport, TimerName, Voice};
use crate::script::source::{Sources, Span};

/// The voice of SystemTap.
#[derive(Debug)]
pub struct StapVoice {
    sources: Arc<Sources>,
    timers: Vec<String>,
}

impl StapVoice {
    /// A voice that knows the texts that it speaks of, and the names of the timers.
    pub fn new(sources: Arc<Sources>, timers: Vec<String>) -> StapVoice {
        StapVoice { sources, timers }
    }

    /// `operator '/' at x.stp:1:2`
    fn place(&self, span: Span) -> Option<String> {
        let source = self.sources.get(span.source)?;
        let text = self.sources.slice(span);
        let kind = match text.chars().next()? {
            '"' => "string",
            '0'..='9' => "number",
            '$' | '_' => "identifier",
            letter if letter.is_ascii_alphabetic() => "identifier",
            _ => "operator",
        };
        let (line, column) = self.sources.position(span);
        Some(format!(
            "{kind} '{text}' at {}:{line}:{column}",
            source.name
        ))
    }
}

impl Voice for StapVoice {
    fn fault(&self, report: &FaultReport<'_>) -> String {
        let text = match report.fault {
            Fault::Actions(_) => "MAXACTION exceeded".to_owned(),
            Fault::Nesting(_) => "MAXNESTING exceeded".to_owned(),
            Fault::Full(_) => "Array overflow, check MAXMAPENTRIES".to_owned(),
            Fault::Empty(_) => "empty aggregate".to_owned(),
            other => other.to_string(),
        };
        match self.place(report.span) {
            // What a script says itself stands alone.
            Some(place) if !matches!(report.fault, Fault::Said(_)) => {
                format!("ERROR: {text} near {place}")
            }
            _ => format!("ERROR: {text}"),
        }
    }

    fn closing(&self, errors: u64) -> Option<String> {
        // No probe is skipped: the program waits.
        (errors > 0).then(|| format!("WARNING: Number of errors: {errors}, skipped probes: 0"))
    }

    fn timer_name(&self, name: TimerName) -> &str {
        let index = usize::try_from(name.0).unwrap_or(usize::MAX);
        self.timers.get(index).map_or("", String::as_str)
    }
}
