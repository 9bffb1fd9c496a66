//! `process`: in which programs and libraries, and there marks, functions, system calls, and the lives of processes.

use std::path::{Path, PathBuf};

use super::super::ast::{Argument, Component};
use super::super::programs::Mark;
use super::super::settings::Settings;
use super::super::similar::{hint, similar};
use super::{Site, mismatch, quoted};
use crate::plan::{FunctionPoint, MarkerPoint, Place, Point, ProcessPoint, ProviderGlob, Within};
use crate::probe::glob::Glob;
use crate::probe::pattern::dashed;
use crate::script::diagnostic::Diagnostic;
use crate::script::ir::{Traced, Trigger};
use crate::script::source::Span;

type Found = Vec<(Trigger, Site)>;

/// A program or library that a point names.
#[derive(Clone)]
struct Binary {
    within: Within,
    /// The file that holds what is probed.
    file: Option<PathBuf>,
    /// The point up to there, for `pp()`.
    text: String,
}

/// What may stand behind `process`.
const PARTS: &[&str] = &[
    "mark",
    "provider",
    "library",
    "function",
    "begin",
    "end",
    "thread",
    "syscall",
    "statement",
    "plt",
    "insn",
];

/// Resolves a point that begins with `process`.
pub fn resolve(
    settings: &Settings<'_>,
    components: &[Component],
    at: Span,
) -> Result<Found, Diagnostic> {
    let Some((process, mut rest)) = components.split_first() else {
        return Ok(Vec::new());
    };
    let mut binaries = programs(settings, process, rest, at)?;
    if let Some((library, after)) = rest.split_first().filter(|(it, _)| it.name == "library") {
        binaries = libraries(settings, &binaries, library, at)?;
        rest = after;
    }
    let Some((part, after)) = rest.split_first() else {
        let message = "semantic error: probe point mismatch: 'process' needs what to probe there";
        return Err(Diagnostic::error(at, message)
            .hint("such as process(\"python\").mark(\"function__entry\")"));
    };
    match part.name.as_str() {
        "mark" | "provider" => marks(settings, &binaries, rest, at),
        "function" => functions(&binaries, part, after, at),
        "begin" | "end" | "thread" | "syscall" => lives(&binaries, rest, at),
        "statement" | "plt" | "insn" => {
            let name = format!("process.{}", part.name);
            let row = super::builtins::named(super::Kind::Point, &name);
            let why = match row.map(|row| row.status) {
                Some(super::Status::Refused(why)) => why,
                _ => "it is not known",
            };
            Err(Diagnostic::error(
                at,
                format!("semantic error: the probe point {name} is refused: {why}"),
            ))
        }
        _ => Err(mismatch(part, at, PARTS)),
    }
}

/// Which programs `process(…)` means.
fn programs(
    settings: &Settings<'_>,
    process: &Component,
    rest: &[Component],
    at: Span,
) -> Result<Vec<Binary>, Diagnostic> {
    let of = |file: PathBuf, within: Within| {
        let text = format!("process({})", quoted(&file.to_string_lossy()));
        Binary {
            within,
            file: Some(file),
            text,
        }
    };
    // What happens to processes is asked of the target alone, what is in files of whoever runs them.
    let alive = rest
        .first()
        .is_some_and(|it| matches!(it.name.as_str(), "begin" | "end" | "thread" | "syscall"));
    let running = |file: &Path| Within {
        program: Some(Glob::literal(&file.to_string_lossy())),
        ..Within::default()
    };
    match &process.argument {
        None if alive => Ok(vec![Binary {
            within: Within {
                target: true,
                ..Within::default()
            },
            file: None,
            text: "process".to_owned(),
        }]),
        None => match &settings.program {
            Some(program) => Ok(vec![of(program.clone(), Within::default())]),
            None => Err(Diagnostic::error(
                at,
                "semantic error: unspecified process probe is invalid without a -c COMMAND or -x PID",
            )),
        },
        Some(Argument::Number(pid)) => {
            let pid = i32::try_from(*pid).ok().filter(|it| *it > 0);
            let program = pid.and_then(|pid| settings.programs.process(pid));
            let (Some(pid), Some(program)) = (pid, program) else {
                let message = format!(
                    "semantic error: there is no process {}",
                    super::text(std::slice::from_ref(process))
                );
                return Err(Diagnostic::error(at, message));
            };
            Ok(vec![of(
                program,
                Within {
                    pid: Some(pid),
                    ..Within::default()
                },
            )])
        }
        Some(Argument::Text(name)) => {
            let files = files(settings, name, at)?;
            let within = |file: &Path| {
                if alive {
                    running(file)
                } else {
                    Within::default()
                }
            };
            Ok(files
                .into_iter()
                .map(|file| {
                    let within = within(&file);
                    of(file, within)
                })
                .collect())
        }
    }
}

/// The files of programs that a name or glob means.
fn files(settings: &Settings<'_>, name: &str, at: Span) -> Result<Vec<PathBuf>, Diagnostic> {
    let is_path = name.contains('/');
    let file_name = settings.program.as_ref().and_then(|it| it.file_name());
    let file_name = file_name.map(|it| it.to_string_lossy());
    let typed = match &settings.command {
        Some(command) => command.rsplit('/').next(),
        None => file_name.as_deref(),
    };
    if name.contains(['*', '?', '[']) {
        let mut files = settings.programs.glob(name);
        let glob = Glob::parse(name);
        let matches = |text: &str| glob.as_ref().is_some_and(|glob| glob.matches(text));
        if let (Some(typed), Some(program), false) = (typed, &settings.program, is_path)
            && matches(typed)
        {
            files.push(program.clone());
        }
        files.sort();
        files.dedup();
        return if files.is_empty() {
            Err(Diagnostic::error(
                at,
                format!("semantic error: no program matches '{name}'"),
            ))
        } else {
            Ok(files)
        };
    }
    if !is_path
        && typed == Some(name)
        && let Some(program) = &settings.program
    {
        return Ok(vec![program.clone()]);
    }
    match settings.programs.resolve(name, false) {
        Some(file) => Ok(vec![file]),
        None => {
            let error = Diagnostic::error(
                at,
                format!("semantic error: cannot find executable '{name}'"),
            );
            let error = error.hint(
                "a name without a slash is looked for on PATH, unless it is that of the program of -c",
            );
            Err(match own_program(settings, &[]) {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
    }
}

/// Which libraries of these programs `.library(…)` means.
fn libraries(
    settings: &Settings<'_>,
    programs: &[Binary],
    library: &Component,
    at: Span,
) -> Result<Vec<Binary>, Diagnostic> {
    let Some(Argument::Text(name)) = &library.argument else {
        return Err(Diagnostic::error(
            at,
            "semantic error: library needs the name of a file",
        ));
    };
    let glob = Glob::parse(name);
    let (mut found, mut known) = (Vec::new(), Vec::new());
    for program in programs {
        let Some(file) = &program.file else { continue };
        let mut mapped = settings.programs.libraries(file);
        if name.contains('/') && !name.contains(['*', '?', '[']) {
            mapped.extend(settings.programs.resolve(name, true));
        }
        mapped.sort();
        mapped.dedup();
        let resolved = settings.programs.resolve(name, true);
        for path in mapped {
            let whole = path.to_string_lossy();
            let last = path
                .file_name()
                .map(|it| it.to_string_lossy())
                .unwrap_or_default();
            let subject = if name.contains('/') { &whole } else { &last };
            let matches = glob.as_ref().is_some_and(|glob| glob.matches(subject));
            if !matches && resolved.as_ref() != Some(&path) {
                known.push(last.into_owned());
                continue;
            }
            let text = format!("{}.library({})", program.text, quoted(&whole));
            let mut within = program.within.clone();
            within
                .program
                .get_or_insert_with(|| Glob::literal(&file.to_string_lossy()));
            found.push(Binary {
                within,
                file: Some(path.clone()),
                text,
            });
        }
    }
    if found.is_empty() {
        let near = similar(name, known.iter().map(String::as_str), 5);
        let message = format!(
            "semantic error: no match{}",
            hint("similar libraries", &near)
        );
        return Err(
            Diagnostic::error(at, message).hint(format!("the program maps no library '{name}'"))
        );
    }
    Ok(found)
}

/// `.mark(…)`, `.provider(…).mark(…)`
fn marks(
    settings: &Settings<'_>,
    binaries: &[Binary],
    parts: &[Component],
    at: Span,
) -> Result<Found, Diagnostic> {
    let (provider, rest) = match parts.split_first() {
        Some((part, rest)) if part.name == "provider" => (Some(glob_of(part, at)?), rest),
        _ => (None, parts),
    };
    let Some((mark, behind)) = rest.split_first().filter(|(it, _)| it.name == "mark") else {
        let message = "semantic error: probe point mismatch: 'provider' needs its 'mark'";
        return Err(Diagnostic::error(at, message));
    };
    if let Some(behind) = behind.first() {
        return Err(mismatch(behind, at, &[]));
    }
    let name = glob_of(mark, at)?;
    let (mut found, mut others, mut errors) = (Found::new(), Vec::new(), Vec::new());
    for binary in binaries {
        let Some(file) = &binary.file else { continue };
        let mut all = match settings.programs.marks(file) {
            Ok(all) => all,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        all.sort();
        for mark in all {
            let matches = provider
                .as_ref()
                .is_none_or(|glob| glob.matches(&dashed(&mark.provider)))
                && name.matches(&dashed(&mark.name));
            if matches {
                found.push(marker(binary, file, &mark, provider.is_some()));
            } else {
                others.push(mark.name);
            }
        }
    }
    if found.is_empty() {
        return Err(no_mark(settings, binaries, mark, &others, errors, at));
    }
    Ok(found)
}

/// The glob of a part's argument, in DTrace's spelling.
fn glob_of(part: &Component, at: Span) -> Result<Glob, Diagnostic> {
    let Some(Argument::Text(text)) = &part.argument else {
        return Err(Diagnostic::error(
            at,
            format!("semantic error: {} needs a name in quotes", part.name),
        ));
    };
    Glob::parse(&dashed(text)).ok_or_else(|| {
        Diagnostic::error(
            at,
            format!("semantic error: the pattern '{text}' has a [ without its ]"),
        )
    })
}

fn marker(binary: &Binary, file: &Path, mark: &Mark, by_provider: bool) -> (Trigger, Site) {
    let provider = if by_provider {
        format!(".provider({})", quoted(&mark.provider))
    } else {
        String::new()
    };
    let traced = Traced {
        within: binary.within.clone(),
        point: Point::Marker(MarkerPoint {
            provider: ProviderGlob::Note(Some(Glob::literal(&mark.provider))),
            module: Some(Glob::literal(&file.to_string_lossy())),
            function: None,
            name: Glob::literal(&dashed(&mark.name)),
        }),
        optional: false,
        text: format!("{}{provider}.mark({})", binary.text, quoted(&mark.name)),
    };
    (
        Trigger::Traced(Box::new(traced)),
        Site::Mark(mark.arguments),
    )
}

/// What to write instead when the program of `-c` or `-x` is none of these and has marks.
fn own_program(settings: &Settings<'_>, others: &[Binary]) -> Option<String> {
    let program = settings.program.as_deref()?;
    let named = others.iter().any(|it| it.file.as_deref() == Some(program));
    let marks = settings.programs.marks(program).ok()?;
    let program = program.display();
    (!named && !marks.is_empty())
        .then(|| format!("process.mark(…) is of the program that -c or -x names, {program}"))
}

fn no_mark(
    settings: &Settings<'_>,
    binaries: &[Binary],
    mark: &Component,
    others: &[String],
    errors: Vec<String>,
    at: Span,
) -> Diagnostic {
    let name = match &mark.argument {
        Some(Argument::Text(text)) => text.as_str(),
        _ => "",
    };
    let near = similar(name, others.iter().map(String::as_str), 5);
    let message = format!("semantic error: no match{}", hint("similar marks", &near));
    let mut error = Diagnostic::error(at, message);
    for why in errors {
        error = error.hint(why);
    }
    if !others.is_empty() {
        return error;
    }
    if let Some(hint) = own_program(settings, binaries) {
        error = error.hint(hint);
    }
    for binary in binaries.iter().filter(|it| !it.text.contains(".library(")) {
        let Some(file) = &binary.file else { continue };
        error = error.hint(format!("{} has no such markers", file.display()));
        for library in settings.programs.libraries(file) {
            let has = settings
                .programs
                .marks(&library)
                .is_ok_and(|all| !all.is_empty());
            if let (true, Some(name)) = (has, library.file_name()) {
                let name = quoted(&name.to_string_lossy());
                error = error.hint(format!(
                    "its library does: {}.library({name}).mark(…)",
                    binary.text
                ));
            }
        }
    }
    error
}

/// `.function("f")`, `.call`, `.return`, `.exported`
fn functions(
    binaries: &[Binary],
    part: &Component,
    behind: &[Component],
    at: Span,
) -> Result<Found, Diagnostic> {
    let Some(Argument::Text(name)) = &part.argument else {
        return Err(Diagnostic::error(
            at,
            "semantic error: function needs a name in quotes",
        ));
    };
    let function = Glob::parse(name).filter(|_| !name.contains('@') && !name.contains(':'));
    let Some(function) = function else {
        let message = format!(
            "semantic error: function '{name}': files and lines need debug information, which is not read"
        );
        return Err(Diagnostic::error(at, message)
            .hint("functions are found by their symbol: function(\"name\")"));
    };
    let mut returns = false;
    for part in behind {
        match part.name.as_str() {
            "call" | "exported" if part.argument.is_none() => {}
            "return" if part.argument.is_none() => returns = true,
            "inline" | "callee" | "callees" | "label" | "statement" => {
                let message = format!(
                    "semantic error: {}: needs debug information, which is not read",
                    part.name
                );
                return Err(Diagnostic::error(at, message));
            }
            _ => return Err(mismatch(part, at, &["call", "return", "exported"])),
        }
    }
    let place = if returns { Place::Return } else { Place::Entry };
    let suffix = if returns { ".return" } else { "" };
    let found = binaries.iter().filter_map(|binary| {
        let file = binary.file.as_ref()?;
        let traced = Traced {
            within: binary.within.clone(),
            point: Point::Function(FunctionPoint {
                module: Some(Glob::literal(&file.to_string_lossy())),
                function: function.clone(),
                place,
            }),
            optional: false,
            text: format!("{}.function({}){suffix}", binary.text, quoted(name)),
        };
        Some((
            Trigger::Traced(Box::new(traced)),
            Site::Function { returns },
        ))
    });
    Ok(found.collect())
}

/// `.begin`, `.end`, `.thread.begin`, `.thread.end`, `.syscall`, `.syscall.return`
fn lives(binaries: &[Binary], parts: &[Component], at: Span) -> Result<Found, Diagnostic> {
    let names: Vec<&str> = parts.iter().map(|it| it.name.as_str()).collect();
    let any = || Glob::parse("*").unwrap_or_else(|| Glob::literal("*"));
    let syscall = |place| Point::Syscall { name: any(), place };
    let (point, site) = match names[..] {
        ["begin"] => (Point::Process(ProcessPoint::Start), Site::Process),
        ["end"] => (Point::Process(ProcessPoint::Exit), Site::Process),
        ["thread", "begin"] => (Point::Process(ProcessPoint::ThreadStart), Site::Process),
        ["thread", "end"] => (Point::Process(ProcessPoint::ThreadExit), Site::Process),
        ["syscall"] => (syscall(Place::Entry), Site::Syscall { returns: false }),
        ["syscall", "return"] => (syscall(Place::Return), Site::Syscall { returns: true }),
        _ => {
            let part = parts
                .last()
                .ok_or_else(|| Diagnostic::error(at, "semantic error: probe point mismatch"))?;
            return Err(mismatch(part, at, &["begin", "end", "return"]));
        }
    };
    let found = binaries.iter().map(|binary| {
        let traced = Traced {
            within: binary.within.clone(),
            point: point.clone(),
            optional: false,
            text: format!("{}.{}", binary.text, names.join(".")),
        };
        (Trigger::Traced(Box::new(traced)), site)
    });
    Ok(found.collect())
}
