//! `dtrace -l`: the probes there are, or those that match.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::{Context, anyhow};

use super::survey::{Found, Survey};
use crate::cli::consumer;
use crate::cli::job::ListProbesJob;
use crate::cli::list::printable;
use crate::cli::say::complain;
use crate::cli::script::{Loaded, Text};
use crate::cli::trace::find_program;
use crate::script::dtrace::{self, Spec, Unit};
use crate::script::ir::{Program, TimerName, Trigger};
use crate::script::plan::Wanted;
use crate::script::source::Sources;

/// DTrace's own probes, in the order of their numbers.
const OWN: [&str; 3] = ["BEGIN", "END", "ERROR"];

/// Lists them; gives the exit status, which is 0 though nothing matches, as dtrace(8)'s is.
///
/// # Errors
/// A description is wrong, the command cannot be found, or the output cannot be written.
pub fn list(job: &ListProbesJob) -> anyhow::Result<i32> {
    let launch = job.command.as_deref().map(find_program).transpose()?;
    let survey = Survey::of(launch.as_ref(), &job.pids);
    let mut table = Table::of(&survey);
    let mut unmatched = Vec::new();
    let mut wanted = BTreeSet::new();
    for text in &job.texts {
        let found = matching(text, &job.arguments, &survey)?;
        if found.is_empty() {
            unmatched.push(described(text));
        }
        for probe in &found {
            table.add(probe);
        }
        wanted.extend(found);
    }
    let mut out = consumer::open(job.output.as_deref()).context("cannot write the list")?;
    let all = job.texts.is_empty();
    match table.write(|probe| all || wanted.contains(probe), &mut out) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
        other => other.context("cannot write the list")?,
    }
    for text in unmatched {
        complain(&format!(
            "failed to match {text}: No probe matches description"
        ));
    }
    Ok(0)
}

/// All probes; the first has the number 1.
#[derive(Debug)]
struct Table {
    rows: Vec<Found>,
}

impl Table {
    fn of(survey: &Survey) -> Table {
        let mut rows: Vec<Found> = OWN.iter().map(|name| own("dtrace", name)).collect();
        rows.extend(survey.markers());
        Table { rows }
    }

    /// Probes that are made when they are asked for: timers, functions.
    fn add(&mut self, probe: &Found) {
        if !self.rows.contains(probe) {
            self.rows.push(probe.clone());
        }
    }

    fn write(&self, is_wanted: impl Fn(&Found) -> bool, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "{:>5} {:>10} {:>17} {:>33} NAME",
            "ID", "PROVIDER", "MODULE", "FUNCTION"
        )?;
        for (id, row) in (1..).zip(&self.rows) {
            let id: u64 = id;
            if is_wanted(row) {
                writeln!(
                    out,
                    "{id:>5} {:>10} {:>17} {:>33} {}",
                    printable(&row.provider),
                    printable(&row.module),
                    printable(&row.function),
                    printable(&row.name)
                )?;
            }
        }
        out.flush()
    }
}

fn own(provider: &str, name: &str) -> Found {
    Found {
        provider: provider.to_owned(),
        module: String::new(),
        function: String::new(),
        name: name.to_owned(),
    }
}

/// What a text of the command line or a script matches.
fn matching(text: &Text, arguments: &[String], survey: &Survey) -> anyhow::Result<BTreeSet<Found>> {
    let Loaded { name, text: bytes } = text.load()?;
    let mut sources = Sources::default();
    let id = sources.add(&name, &bytes)?;
    let unit = match text {
        Text::File(_) => Unit::script(id),
        Text::Inline(_) => Unit::clause(id, Spec::Name),
        Text::Probe(spec, _) => Unit::clause(id, *spec),
    };
    let settings = dtrace::Settings {
        arguments: arguments.to_vec(),
        permit_unmatched: true,
        ..dtrace::Settings::default()
    };
    let (compiled, diagnostics) = dtrace::compile_all(&sources, &[unit], &settings);
    match compiled {
        Some(compiled) => Ok(of_program(&compiled.program, survey)),
        None => {
            let first = diagnostics.errors().next();
            let message = first.map_or("it is wrong", |it| it.message.as_str());
            // A description that can match nothing is one that matches nothing.
            if message.contains("does not match any probes") {
                return Ok(BTreeSet::new());
            }
            Err(anyhow!(
                "invalid probe specifier {}: {message}",
                described_source(text, &name)
            ))
        }
    }
}

fn of_program(program: &Program, survey: &Survey) -> BTreeSet<Found> {
    let wanted = Wanted::by(program);
    let mut found: BTreeSet<Found> = survey.matches(&wanted.plan).into_iter().flatten().collect();
    for handler in &program.handlers {
        let own = handler.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Begin(_) => Some(own("dtrace", "BEGIN")),
            // The end that every program has is none of its own.
            Trigger::End(i64::MAX) => None,
            Trigger::End(_) => Some(own("dtrace", "END")),
            Trigger::Error(_) => Some(own("dtrace", "ERROR")),
            Trigger::Timer(timer) => Some(own("profile", timer_name(program, timer.name))),
            Trigger::Never | Trigger::Traced(_) => None,
        });
        found.extend(own);
    }
    found
}

fn timer_name(program: &Program, name: TimerName) -> &str {
    program.voice.timer_name(name)
}

fn described_source(text: &Text, name: &str) -> String {
    match text {
        Text::File(_) => name.to_owned(),
        Text::Inline(text) | Text::Probe(_, text) => text.clone(),
    }
}

/// With all four fields, as dtrace(8) repeats it.
fn described(text: &Text) -> String {
    match text {
        Text::File(path) => path.display().to_string(),
        Text::Inline(text) | Text::Probe(Spec::Name, text) => text.clone(),
        Text::Probe(Spec::Function, text) => format!("{text}:"),
        Text::Probe(Spec::Module, text) => format!("{text}::"),
        Text::Probe(Spec::Provider, text) => format!("{text}:::"),
    }
}
