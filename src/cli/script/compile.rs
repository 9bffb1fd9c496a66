//! From a script's text to what it wants of the tracer and what becomes of the events.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{anyhow, bail};

use super::{Language, Loaded, ScriptJob, StapFlags, Text, interpreter_line, language_of};
use crate::cli::doors::dtrace::DtraceArgs;
use crate::cli::doors::matched::{COMMAND_LINE, Matched};
use crate::cli::doors::survey::Survey;
use crate::cli::installed::Installed;
use crate::cli::job::{Manner, Talk};
use crate::cli::preprocess::preprocess;
use crate::cli::say::complain;
use crate::event::Ids;
use crate::plan::{Plan, Point, ProviderGlob};
use crate::report::Consumer;
use crate::script::diagnostic::{Diagnostics, Severity};
use crate::script::dtrace::{self, Unit};
use crate::script::ir::{Program, Trigger};
use crate::script::plan::Wanted;
use crate::script::source::Sources;
use crate::script::systemtap;
use crate::script::vm::Engine;
use crate::tracer::Launch;

/// What is known of the run that a script is for.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// What `-c` runs.
    pub launch: Option<&'a Launch>,
    /// The processes that are attached to.
    pub pids: &'a [i32],
    /// Whose messages are expected.
    pub manner: Manner,
    /// How much is said.
    pub talk: Talk,
}

/// A script that can be run.
pub struct Prepared {
    /// What it wants of the tracer.
    pub plan: Plan,
    /// What becomes of the events.
    pub consumer: Box<dyn Consumer>,
    /// It asks for nothing to be said but what it prints.
    pub quiet: bool,
    /// Its probe points, when it is an error that none of them matches anything: as they are written, each once.
    pub required: Vec<String>,
}

/// Compiles a script; `None` when that is all that was asked for.
///
/// # Errors
/// It cannot be read, or it is wrong; what is wrong has been said on standard error then.
pub fn prepare(job: &ScriptJob, setting: Setting<'_>) -> anyhow::Result<Option<Prepared>> {
    let loaded: Vec<Loaded> = job.texts.iter().map(Text::load).collect::<Result<_, _>>()?;
    let first = loaded
        .first()
        .ok_or_else(|| anyhow!("there is no script"))?;
    let language = match job.language {
        Some(language) => language,
        None => language_of(first)?,
    };
    let (program, quiet) = match language {
        Language::Dtrace => of_dtrace(job, loaded, setting)?,
        Language::Systemtap => match of_systemtap(job, loaded, setting)? {
            Some(program) => (program, false),
            None => return Ok(None),
        },
    };
    if job.compile_only {
        return Ok(None);
    }
    let required = required(&program);
    let Wanted { plan, routes } = Wanted::by(&program);
    let has_target = setting.launch.is_some() || !setting.pids.is_empty();
    if !has_target && language == Language::Dtrace && needs_target(&plan) {
        bail!("the script is for one process ($target): give -c COMMAND or -p PID");
    }
    let engine = Engine::new(program, routes, Box::new(io::stderr()));
    Ok(Some(Prepared {
        plan,
        consumer: Box::new(engine),
        quiet,
        required,
    }))
}

/// The probe points that must match something; none when one of them always does.
fn required(program: &Program) -> Vec<String> {
    let triggers = program.handlers.iter().flat_map(|it| &it.triggers);
    let traced: Vec<_> = triggers
        .filter_map(|trigger| match trigger {
            Trigger::Traced(traced) => Some(traced),
            _ => None,
        })
        .collect();
    let in_files = |point: &Point| matches!(point, Point::Marker(_) | Point::Function(_));
    let mut texts = Vec::new();
    if traced.iter().all(|it| in_files(&it.point) && !it.optional) {
        for point in traced {
            if !texts.contains(&point.text) {
                texts.push(point.text.clone());
            }
        }
    }
    texts
}

fn of_dtrace(
    job: &ScriptJob,
    loaded: Vec<Loaded>,
    setting: Setting<'_>,
) -> anyhow::Result<(Program, bool)> {
    let mut flags = job.dtrace.clone();
    for text in &loaded {
        let head = String::from_utf8_lossy(text.text.get(..256).unwrap_or(&text.text)).into_owned();
        if let Some(own) = interpreter_line(&head).and_then(DtraceArgs::of_interpreter_line) {
            flags.join(own.flags());
        }
    }
    let name = loaded.first().map(|it| it.name.clone()).unwrap_or_default();
    // dtrace(8) prints columns unless told not to; here a script that prints lines of its own prints just those.
    let quiet = setting.manner != Manner::Dtrace && loaded.iter().any(prints_lines);
    let mut sources = Sources::default();
    let mut units = Vec::new();
    for (given, text) in job.texts.iter().zip(loaded) {
        let text = match flags.preprocess {
            true => preprocess(&text, &flags.cpp)?,
            false => text,
        };
        let id = sources.add(&text.name, &text.text)?;
        units.push(match given {
            Text::File(_) => Unit::script(id),
            Text::Inline(_) => Unit::clause(id, dtrace::Spec::Name),
            Text::Probe(spec, _) => Unit::clause(id, *spec),
        });
    }
    let settings = dtrace::Settings {
        arguments: job.arguments.clone(),
        script_name: name,
        quiet: flags.quiet || quiet,
        flow: flags.flow,
        destructive: flags.destructive,
        options: flags.options.iter().map(|it| option(it)).collect(),
        permit_unmatched: flags.unmatched,
        pid: i32::try_from(std::process::id()).unwrap_or(0),
        ids: own_ids(),
    };
    let (compiled, diagnostics) = dtrace::compile_all(&sources, &units, &settings);
    let dtrace::Compiled { program, options } = checked(compiled, &diagnostics, &sources, setting)?;
    // The end that prints what is left is in every program.
    let own = |it: &Trigger| *it != Trigger::End(i64::MAX);
    let mut triggers = program.handlers.iter().flat_map(|it| &it.triggers);
    if !triggers.any(own) {
        let name = &settings.script_name;
        bail!("failed to compile script {name}: it is empty: there is no probe in it");
    }
    if setting.manner == Manner::Dtrace {
        let talk = if options.quiet {
            Talk::Quiet
        } else {
            setting.talk
        };
        let setting = Setting { talk, ..setting };
        tell_matches(&program, &sources, &units, setting)?;
    }
    Ok((program, options.quiet))
}

/// Tells how many probes each text matches.
///
/// # Errors
/// A description matches none.
fn tell_matches(
    program: &Program,
    sources: &Sources,
    units: &[Unit],
    setting: Setting<'_>,
) -> anyhow::Result<()> {
    let survey = Survey::of(setting.launch, setting.pids);
    let matched = Matched::of(program, &Wanted::by(program), &survey);
    checked(Some(()), &matched.unmatched, sources, setting)?;
    if setting.talk != Talk::Quiet {
        for unit in units {
            complain(&matched.sentence(program, sources, unit.source));
        }
    }
    Ok(())
}

fn of_systemtap(
    job: &ScriptJob,
    loaded: Vec<Loaded>,
    setting: Setting<'_>,
) -> anyhow::Result<Option<Program>> {
    let mut sources = Sources::default();
    let name = loaded.first().map(|it| it.name.clone()).unwrap_or_default();
    // Several texts are one script; the lines of the first keep their numbers.
    let texts: Vec<Vec<u8>> = loaded.into_iter().map(|it| it.text).collect();
    let id = sources.add(&name, &texts.join(&b"\n"[..]))?;
    let installed = Installed::new(setting.pids);
    let mut settings = stap_settings(&installed, &job.stap, setting.launch, setting.pids);
    settings.arguments.clone_from(&job.arguments);
    if job.parse_only {
        let (_, diagnostics) = systemtap::parse(&sources, id, &settings);
        checked(Some(()), &diagnostics, &sources, setting)?;
        return Ok(None);
    }
    let (program, diagnostics) = systemtap::compile(&mut sources, id, &settings);
    checked(program, &diagnostics, &sources, setting).map(Some)
}

/// What the command line says about SystemTap scripts.
pub fn stap_settings<'a>(
    installed: &'a Installed,
    flags: &StapFlags,
    launch: Option<&Launch>,
    pids: &[i32],
) -> systemtap::Settings<'a> {
    let mut settings = systemtap::Settings::new(installed);
    settings.defines = flags.defines.iter().map(|it| define(it)).collect();
    settings.tapsets.clone_from(&flags.tapsets);
    settings.guru = flags.guru;
    settings.program = target_program(installed, launch, pids);
    settings.command = launch.map(|it| it.program.to_string_lossy().into_owned());
    settings.kernel = release();
    settings
}

/// Tells what is wrong, and gives what was compiled.
fn checked<T>(
    compiled: Option<T>,
    diagnostics: &Diagnostics,
    sources: &Sources,
    setting: Setting<'_>,
) -> anyhow::Result<T> {
    let failed = diagnostics.has_errors() || compiled.is_none();
    // dtrace(8) has one line for what is wrong.
    let in_a_line = setting.manner == Manner::Dtrace && setting.talk != Talk::Verbose;
    if !in_a_line && (failed || setting.talk != Talk::Quiet) {
        let text = diagnostics.render(sources, io::stderr().is_terminal());
        // Where standard error is closed there is nobody to tell.
        let _ = io::stderr().write_all(text.as_bytes());
    }
    let compiled = compiled.filter(|_| !diagnostics.has_errors());
    compiled.ok_or_else(|| anyhow!(failure(diagnostics, sources, setting.manner)))
}

/// The last line, in the words of the tool.
fn failure(diagnostics: &Diagnostics, sources: &Sources, manner: Manner) -> String {
    let first = diagnostics.iter().find(|it| it.severity == Severity::Error);
    let name = first.and_then(|it| sources.get(it.span.source));
    let name = name.map_or("<command line>", |it| it.name.as_str());
    let line = first.map_or(1, |it| sources.position(it.span).0);
    let message = first.map_or("it is wrong", |it| it.message.as_str());
    match manner {
        Manner::Dtrace => {
            let hints = first.map_or(String::new(), |it| it.hints.join("; "));
            let hints = match hints.is_empty() {
                true => hints,
                false => format!("\ndtrace: hint: {hints}"),
            };
            if name == COMMAND_LINE {
                let text = first.map_or("", |it| sources.text(it.span.source));
                format!("invalid probe specifier {text}: {message}{hints}")
            } else {
                format!("failed to compile script {name}: line {line}: {message}{hints}")
            }
        }
        Manner::Stap if message.starts_with("parse error") => {
            "Pass 1: parse failed.  [man error::pass1]".to_owned()
        }
        Manner::Stap => "Pass 2: analysis failed.  [man error::pass2]".to_owned(),
        Manner::Own => format!("the script {name} cannot be run"),
    }
}

/// Whether a script has probes of `$target`, which never fire where there is none.
fn needs_target(plan: &Plan) -> bool {
    plan.requests.iter().any(|request| {
        let named = match &request.point {
            Point::Marker(marker) => match &marker.provider {
                ProviderGlob::Instance(text) => text.contains("$target"),
                ProviderGlob::Note(_) => false,
            },
            _ => false,
        };
        named || request.within.target
    })
}

/// Whether a D script formats lines of its own.
fn prints_lines(loaded: &Loaded) -> bool {
    let text = String::from_utf8_lossy(&loaded.text);
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    text.split(|it| !is_word(it))
        .any(|word| matches!(word, "printf" | "printa"))
}

/// `NAME=VALUE` or `NAME`.
fn option(text: &str) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    }
}

fn define(text: &str) -> (String, String) {
    let (name, value) = option(text);
    (name, value.unwrap_or_default())
}

/// The file of the program that is launched or attached to.
fn target_program(installed: &Installed, launch: Option<&Launch>, pids: &[i32]) -> Option<PathBuf> {
    use crate::script::systemtap::Programs;
    match (launch, pids.first()) {
        (Some(launch), _) => installed.resolve(&launch.program.to_string_lossy(), false),
        (None, Some(pid)) => installed.process(*pid),
        (None, None) => None,
    }
}

fn own_ids() -> Ids {
    use nix::unistd;
    Ids {
        ppid: unistd::getppid().as_raw(),
        pgid: unistd::getpgrp().as_raw(),
        sid: unistd::getsid(None).map_or(0, unistd::Pid::as_raw),
        uid: unistd::getuid().as_raw(),
        euid: unistd::geteuid().as_raw(),
        gid: unistd::getgid().as_raw(),
        egid: unistd::getegid().as_raw(),
    }
}

/// The release of the running kernel (`uname -r`).
fn release() -> String {
    let name = nix::sys::utsname::uname();
    name.map_or_else(
        |_| String::new(),
        |it| it.release().to_string_lossy().into_owned(),
    )
}
