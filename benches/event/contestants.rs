//! Who is measured, and how ptpytrace itself is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::peers;
use super::runs::Python;

/// `fib`'s argument for those that trace some 40,000 events in a reasonable time, and for the dear ones.
pub const DEPTH: u32 = 20;
pub const DEPTH_DEAR: u32 = 12;
/// And for those that need no trap.
pub const DEPTH_CHEAP: u32 = 27;

/// What a recording is measured with: two strings, a line, a time and a thread of each event are looked at and
/// forgotten.
pub const RECORD: &str = "python*:::function-entry, python*:::function-return
    { this->file = copyinstr(arg0); this->name = copyinstr(arg1); this->line = arg2;
      this->time = timestamp; this->thread = tid; @ = count(); }";
/// A predicate that is never true.
const NEVER: &str = "python*:::function-entry, python*:::function-return
    /copyinstr(arg1) == \"nobody\"/ { @ = count(); }";
/// Counting alone.
const COUNT: &str = "python*:::function-entry, python*:::function-return { @ = count(); }";

/// The names that others are compared with.
pub const UNTRACED: &str = "untraced";
pub const BASELINE: &str = "baseline, one CPU";

/// Somebody to be measured.
#[derive(Debug)]
pub struct Contestant {
    /// What the table calls it.
    pub name: String,
    /// How it is started, `fib`'s argument is appended; or why it is not on this machine.
    pub command: Result<Vec<OsString>, String>,
    /// The argument of `fib`.
    pub depth: u32,
    /// Where the trace is written, a line an event.
    pub trace: Option<PathBuf>,
}

impl Contestant {
    /// Something that runs a program; `before` goes in front of its words.
    pub fn new(name: &str, before: Vec<OsString>, program: &[OsString], depth: u32) -> Contestant {
        Contestant {
            name: name.to_owned(),
            command: Ok([&before, program].concat()),
            depth,
            trace: None,
        }
    }

    /// Something that cannot be had, and why.
    pub fn absent(name: &str, why: &str) -> Contestant {
        Contestant {
            name: name.to_owned(),
            command: Err(why.to_owned()),
            depth: DEPTH,
            trace: None,
        }
    }
}

/// What a set-up needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    pub python: &'a Python,
    /// A folder that is removed at the end.
    pub scratch: &'a Path,
    /// The words that run the workload, less its argument.
    pub program: &'a [OsString],
}

/// All of them for an interpreter.
pub fn all(python: &Python, scratch: &Path) -> anyhow::Result<Vec<Contestant>> {
    let script = scratch.join("fib.py");
    std::fs::write(&script, super::runs::PROGRAM)?;
    let program = [
        python.wrapper.clone().into_os_string(),
        script.into_os_string(),
    ];
    let stage = Stage {
        python,
        scratch,
        program: &program,
    };
    let pinned = words(&["taskset", "-c", "0"]);
    let mut all = vec![Contestant::new(UNTRACED, pinned, &program, DEPTH_CHEAP)];
    if !python.has_function_markers()? {
        all.extend(injected(stage));
        all.extend(peers::of_injected_markers(stage)?);
        return Ok(all);
    }
    all.extend(baselines(stage)?);
    all.extend(native(stage));
    all.extend(peers::of_native_markers(stage)?);
    all.extend(traps(stage));
    all.push(super::probes::gdb(stage)?);
    Ok(all)
}

pub fn words(list: &[&str]) -> Vec<OsString> {
    list.iter().map(OsString::from).collect()
}

fn baselines(stage: Stage<'_>) -> anyhow::Result<Vec<Contestant>> {
    let own = std::env::current_exe().context("the name of this program")?;
    let with = |cpu: &str, name: &str, depth| {
        let mut before = vec![own.clone().into_os_string()];
        before.extend(words(&["--baseline", "0", cpu]));
        before.push(stage.python.notes.clone().into_os_string());
        Contestant::new(name, before, stage.program, depth)
    };
    let one = with("0", BASELINE, DEPTH);
    let other = "baseline, another CPU";
    let two = match std::thread::available_parallelism()?.get() {
        0 | 1 => Contestant::absent(other, "this machine has one CPU"),
        _ => with("1", other, DEPTH_DEAR + 4),
    };
    Ok(vec![one, two])
}

/// ptpytrace with these options, without traps as far as possible.
fn diverted(stage: Stage<'_>, name: &str, options: &[&str]) -> Contestant {
    let mut before = words(&[env!("CARGO_BIN_EXE_ptpytrace"), "--engine", "jump", "-q"]);
    before.extend(words(options));
    let trace = stage.scratch.join("recorded").into_os_string();
    before.extend(["-o".into(), trace, "--".into()]);
    let name = format!("ptpytrace, {name}");
    Contestant::new(&name, before, stage.program, DEPTH_CHEAP)
}

/// As [`diverted`], with the hierarchy as text: a line an event.
fn hierarchy(stage: Stage<'_>) -> Contestant {
    let mut contestant = diverted(stage, "hierarchy as text", &[]);
    contestant.trace = Some(stage.scratch.join("recorded"));
    contestant
}

fn scripted(text: &str) -> [&str; 4] {
    ["--lang", "dtrace", "-e", text]
}

/// The binary's own markers, diverted.
fn native(stage: Stage<'_>) -> Vec<Contestant> {
    vec![
        diverted(stage, "predicate false at the site", &scripted(NEVER)),
        diverted(stage, "counted", &scripted(COUNT)),
        diverted(stage, "everything recorded", &scripted(RECORD)),
        hierarchy(stage),
    ]
}

/// Injected markers.
fn injected(stage: Stage<'_>) -> Vec<Contestant> {
    vec![
        diverted(stage, "attached, gc markers only", &["-m", "gc*"]),
        diverted(stage, "filtered out by --only", &["--only", "nobody"]),
        diverted(stage, "predicate false at the site", &scripted(NEVER)),
        diverted(stage, "counted", &scripted(COUNT)),
        diverted(stage, "everything recorded", &scripted(RECORD)),
        hierarchy(stage),
        traced(stage, "text", "its own placement", Vec::new()),
    ]
}

/// The binary's own markers, with breakpoints.
fn traps(stage: Stage<'_>) -> Vec<Contestant> {
    let mut all = Vec::new();
    for (place, before) in [
        ("one CPU", words(&["taskset", "-c", "0"])),
        ("its own placement", Vec::new()),
    ] {
        for format in ["text", "json"] {
            all.push(traced(stage, format, place, before.clone()));
        }
    }
    all
}

/// ptpytrace with breakpoints only, started by other words.
fn traced(stage: Stage<'_>, format: &str, place: &str, mut before: Vec<OsString>) -> Contestant {
    let trace = stage.scratch.join("ptpytrace");
    let own = env!("CARGO_BIN_EXE_ptpytrace");
    before.extend(words(&[own, "--engine", "trap", "-f", format, "-o"]));
    before.extend([trace.clone().into_os_string(), "--".into()]);
    let name = format!("ptpytrace, traps, {format}, {place}");
    let mut contestant = Contestant::new(&name, before, stage.program, DEPTH);
    contestant.trace = Some(trace);
    contestant
}
