//! The marker `audit` against sys.addaudithook: the event's name and its arguments, decoded.

use serde_json::{Value, json};

use super::compare::assert_same;
use super::run::Case;
use super::window::windows;

/// The limits of one decoded value: `ptpytrace::cpython::Limits::default()`.
const DEPTH: usize = 8;
const ITEMS: usize = 100;
const STRING_BYTES: usize = 1024;

/// The JSON that a recorded argument must become; see `PyValue::to_json`. `depth` containers lie around it.
fn expected(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => json!(cut_text(text)),
        Value::Object(map) => {
            let (kind, value) = map.iter().next().expect("one field");
            typed(kind, value, depth)
        }
        other => other.clone(),
    }
}

fn typed(kind: &str, value: &Value, depth: usize) -> Value {
    let text = || value.as_str().expect("text");
    match kind {
        "int" => integer(text()),
        "float" => match text() {
            "inf" | "-inf" | "nan" => value.clone(),
            finite => json!(finite.parse::<f64>().expect("a number")),
        },
        "bytes" if text().len() > 2 * STRING_BYTES => {
            json!({"bytes": &text()[..2 * STRING_BYTES], "cut": true})
        }
        "bytes" => json!({ "bytes": text() }),
        "type" => json!({ "type": text() }),
        "tuple" | "list" => items(value.as_array().expect("items"), depth),
        other => panic!("the oracle knows no {other}"),
    }
}

fn items(values: &[Value], depth: usize) -> Value {
    if depth >= DEPTH {
        return json!("...");
    }
    let mut out: Vec<Value> = values
        .iter()
        .take(ITEMS)
        .map(|value| expected(value, depth + 1))
        .collect();
    if values.len() > ITEMS {
        out.push(json!("..."));
    }
    Value::Array(out)
}

fn integer(digits: &str) -> Value {
    let small = digits.parse::<i64>().map(Value::from);
    small
        .or_else(|_| digits.parse::<u64>().map(Value::from))
        .unwrap_or_else(|_| json!(digits))
}

/// The limit counts bytes as they lie in memory: 1, 2 or 4 for each code point of the string.
fn cut_text(text: &str) -> String {
    let width = match text.chars().max().unwrap_or_default() {
        '\0'..='\u{ff}' => 1,
        '\u{100}'..='\u{ffff}' => 2,
        _ => 4,
    };
    match text.char_indices().nth(STRING_BYTES / width) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// The `cyclic` event holds a list inside itself: the oracle writes it out to its own depth, the tracer says `...`
/// at once.
fn cyclic() -> Value {
    let list = json!([1, "..."]);
    json!([list, [list]])
}

/// Compares a run of the program by that interpreter.
pub fn check(interpreter: &'static str, user: bool, program: &'static str, at_least: usize) {
    let case = Case {
        interpreter,
        user,
        program,
        kinds: "audit",
        markers: &[],
    };
    let both = case.trace();
    let mut count = 0;
    for (pid, threads) in windows(&both.fired, &both.records) {
        for (tid, fired) in threads {
            let values = both.records.get(&pid).and_then(|threads| threads.get(&tid));
            let wanted: Vec<(Value, Value)> = values.into_iter().flatten().map(wanted).collect();
            let traced: Vec<(Value, Value)> = fired
                .iter()
                .map(|event| (event.args["event"].clone(), event.args["args"].clone()))
                .collect();
            count += traced.len();
            assert_same(&format!("{}, thread {tid}", case.title()), &wanted, &traced);
        }
    }
    assert!(count >= at_least, "{}: only {count} events", case.title());
}

fn wanted(value: &Value) -> (Value, Value) {
    let event = value["event"].clone();
    let args = match event.as_str() {
        Some("ptpytrace.cyclic") => cyclic(),
        _ => items(value["args"].as_array().expect("arguments"), 0),
    };
    (event, args)
}

const RELEASES: [[&str; 3]; 4] = [
    ["python3.9", "shared3.9", "dlopen3.9"],
    ["python3.11", "shared3.11", "dlopen3.11"],
    ["python3.13", "shared3.13", "dlopen3.13"],
    ["python3.15", "shared3.15", "dlopen3.15"],
];

#[test]
fn values_of_every_type() {
    for interpreter in RELEASES.as_flattened() {
        check(interpreter, false, "audit_program", 150);
        check(interpreter, true, "audit_program", 150);
    }
}

/// What the interpreter itself reports: open, import, compile, exec, os.fork, subprocess.Popen, …
#[test]
fn the_interpreters_own_events() {
    for [fixed, shared, _] in RELEASES {
        for program in ["imports", "fork_no_exec", "subprocess_run"] {
            check(fixed, false, program, 4);
            check(shared, true, program, 4);
        }
    }
}
