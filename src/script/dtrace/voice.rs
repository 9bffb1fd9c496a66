//! DTrace's words for what happens while a program runs.

use crate::script::ir::{Fault, FaultReport, TimerName, Voice};
use crate::script::source::Span;

/// What is said of one clause.
#[derive(Clone, Debug, Default)]
pub(super) struct ClauseWords {
    /// Its probe where it is none that is traced: `dtrace:::BEGIN`, `profile:::tick-1s`.
    pub(super) probe: String,
    /// The predicate.
    pub(super) predicate: Option<Span>,
    /// The statements.
    pub(super) actions: Vec<Span>,
}

/// A program's voice.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    timers: Vec<String>,
    pub(super) clauses: Vec<ClauseWords>,
}

impl Words {
    /// The number of a timer's name.
    pub(super) fn timer(&mut self, name: &str) -> TimerName {
        let index = match self.timers.iter().position(|it| it == name) {
            Some(index) => index,
            None => {
                self.timers.push(name.to_owned());
                self.timers.len().saturating_sub(1)
            }
        };
        TimerName(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

impl Voice for Words {
    fn fault(&self, report: &FaultReport<'_>) -> String {
        let clause = self.clauses.get(report.handler);
        let (id, probe) = match report.probe {
            Some(probe) => {
                let name = probe.name.replace("__", "-");
                let text = format!(
                    "{}:{}:{}:{name}",
                    probe.provider, probe.module, probe.function
                );
                (probe.id, text)
            }
            None => (1, clause.map_or(String::new(), |it| it.probe.clone())),
        };
        let what = match report.fault {
            Fault::Division => "divide-by-zero".to_owned(),
            Fault::Address(address) | Fault::UserString(address) => {
                format!("invalid address (0x{address:x})")
            }
            other => other.to_string(),
        };
        let place = match clause {
            Some(clause) if clause.predicate.is_some_and(|it| within(report.span, it)) => {
                "predicate".to_owned()
            }
            Some(clause) => {
                let found = clause
                    .actions
                    .iter()
                    .position(|it| within(report.span, *it));
                format!(
                    "action #{}",
                    found.map_or(1, |index| index.saturating_add(1))
                )
            }
            None => "action #1".to_owned(),
        };
        let clause = report.handler.saturating_add(1);
        format!(
            "dtrace: error on enabled probe ID {clause} (ID {id}: {probe}): {what} in {place} at DIF offset 0"
        )
    }

    fn timer_name(&self, name: TimerName) -> &str {
        let index = usize::try_from(name.0).unwrap_or(usize::MAX);
        self.timers.get(index).map_or("", String::as_str)
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.source == outer.source && outer.start <= inner.start && inner.end <= outer.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ProbeInfo;
    use crate::script::source::SourceId;

    #[test]
    fn faults_are_told_as_dtrace_tells_them() {
        let span = |start, end| Span::new(SourceId::default(), start..end);
        let words = Words {
            timers: vec!["tick-1s".to_owned()],
            clauses: vec![ClauseWords {
                probe: "dtrace:::BEGIN".to_owned(),
                predicate: Some(span(0, 10)),
                actions: vec![span(20, 30), span(30, 40)],
            }],
        };
        let probe = ProbeInfo {
            provider: "python".to_owned(),
            name: "function__entry".to_owned(),
            args: Vec::new(),
            module: "python3".to_owned(),
            function: String::new(),
            requests: Vec::new(),
            id: 9,
        };
        let mut report = FaultReport {
            fault: &Fault::Address(0x10),
            probe: Some(&probe),
            handler: 0,
            span: span(32, 35),
        };
        assert_eq!(
            words.fault(&report),
            "dtrace: error on enabled probe ID 1 (ID 9: python:python3::function-entry): \
             invalid address (0x10) in action #2 at DIF offset 0"
        );
        report.fault = &Fault::Division;
        report.probe = None;
        report.span = span(3, 5);
        assert_eq!(
            words.fault(&report),
            "dtrace: error on enabled probe ID 1 (ID 1: dtrace:::BEGIN): divide-by-zero in predicate at DIF offset 0"
        );
        assert_eq!(words.timer_name(TimerName(0)), "tick-1s");
        assert_eq!(words.timer_name(TimerName(7)), "");
    }
}
