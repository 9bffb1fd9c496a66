//! Pairs of files: a script, and what must come of it.
//!
//! `NAME.d` (or another extension) stands beside the files that say what must come of it: `NAME.tree`, `NAME.err`,
//! `NAME.out`. Its events are in `NAME.events`: a JSON object a line, as `-f json` prints them, but that the arguments
//! are an array: `{"ts":1000,"pid":7,"tid":7,"comm":"python3","provider":"python","probe":"function__entry",
//! "args":["a.py","f",1]}`. With `PTPYTRACE_WRITE_GOLDEN=1` the files are written instead of compared; what is in them
//! then is to be checked by hand, against the language's manual or the real tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ptpytrace::event::{Arg, ArgInfo, Event, EventKind, ProbeInfo, Seen, Text};
use ptpytrace::probe::known::argument_names;
use ptpytrace_arch::ArgValue;
use serde_json::Value;

/// One script.
pub struct Case {
    /// Its path.
    pub path: PathBuf,
    /// Its text.
    pub text: Vec<u8>,
    /// What happens to it. The probes' `requests` are empty: who runs it fills them in.
    pub events: Vec<Event>,
}

/// Calls `produce` for every file of an extension in `tests/scripts/FOLDER`, and compares each of the texts that it
/// gives with the file of that extension beside the script.
pub fn each(folder: &str, extension: &str, produce: impl Fn(&Case) -> Vec<(&'static str, String)>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/scripts")
        .join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder of the scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scripts in {}", folder.display());
    let mut wrong = Vec::new();
    for path in paths {
        let case = Case {
            text: fs::read(&path).expect("the script"),
            events: events(&path.with_extension("events")),
            path,
        };
        for (extension, text) in produce(&case) {
            compare(&case.path.with_extension(extension), &text, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn compare(expected: &Path, text: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("PTPYTRACE_WRITE_GOLDEN").is_some() {
        fs::write(expected, text).expect("written");
        return;
    }
    match fs::read_to_string(expected) {
        Ok(wanted) if wanted == text => {}
        Ok(wanted) => wrong.push(format!(
            "--- {}\n{wanted}\n+++ what came\n{text}",
            expected.display()
        )),
        Err(error) => wrong.push(format!(
            "{}: {error}\n+++ what came\n{text}",
            expected.display()
        )),
    }
}

fn events(path: &Path) -> Vec<Event> {
    let Ok(text) = fs::read_to_string(path) else {
        return Vec::new();
    };
    let mut probes: Vec<Arc<ProbeInfo>> = Vec::new();
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| event(&serde_json::from_str(line).expect(line), &mut probes))
        .collect()
}

fn event(value: &Value, probes: &mut Vec<Arc<ProbeInfo>>) -> Event {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| value[key].as_i64().unwrap_or_default();
    let args: Vec<Arg> = value["args"]
        .as_array()
        .into_iter()
        .flatten()
        .map(arg)
        .collect();
    let (provider, name) = (text("provider"), text("probe"));
    let names = argument_names(&provider, &name, args.len());
    let mut probe = ProbeInfo {
        provider,
        name,
        args: names
            .into_iter()
            .map(|(name, ty)| ArgInfo {
                name: name.into_owned(),
                ty,
            })
            .collect(),
        module: text("module"),
        function: text("function"),
        requests: Vec::new(),
        id: 0,
    };
    let same = |known: &&Arc<ProbeInfo>| {
        (&known.provider, &known.name, &known.module, &known.function)
            == (&probe.provider, &probe.name, &probe.module, &probe.function)
    };
    let probe = match probes.iter().find(same) {
        Some(known) => Arc::clone(known),
        None => {
            probe.id = u32::try_from(probes.len() + 1).expect("few");
            probes.push(Arc::new(probe));
            Arc::clone(probes.last().expect("it was just pushed"))
        }
    };
    Event {
        time: value["ts"].as_u64().unwrap_or_default(),
        pid: i32::try_from(number("pid")).expect("a pid"),
        tid: i32::try_from(number("tid")).expect("a tid"),
        comm: text("comm").into(),
        kind: EventKind::Fired { probe, args },
        context: None,
    }
}

/// A string is one that the argument points to; `null` is an address that cannot be read.
fn arg(value: &Value) -> Arg {
    match value {
        Value::String(text) => Arg {
            raw: ArgValue::Unsigned(0x5555_0000_1000),
            seen: Seen::Text(Text {
                bytes: text.clone().into_bytes(),
                truncated: false,
            }),
        },
        Value::Number(number) => Arg {
            raw: ArgValue::Signed(number.as_i64().expect("64 bits")),
            seen: Seen::Number,
        },
        _ => Arg {
            raw: ArgValue::Unsigned(8),
            seen: Seen::Unreadable,
        },
    }
}
