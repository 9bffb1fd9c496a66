//! Decoded values against Python's own repr(), in running interpreters of every version at hand.

use super::target::{Interpreter, Target, interpreters};
use ptpytrace::cpython::{Layout, Limits, PyValue, Text, Types, Version, decode};

const SEED: &str = "20";
const COUNT: &str = "3000";
const LIMITS: Limits = Limits {
    depth: 100,
    items: 10_000,
    string_bytes: 1 << 20,
    total_items: 100_000,
    total_bytes: 1 << 24,
};

/// Pythons 3.6 to 3.15; older ones only take part in the recognition of versions.
fn supported() -> impl Iterator<Item = Interpreter> {
    interpreters()
        .into_iter()
        .filter(|interpreter| !interpreter.name.contains("2.7"))
}

#[test]
fn every_value_is_shown_as_python_shows_it() {
    for interpreter in supported() {
        let compared = compare_values(&interpreter);
        println!("{}: {compared} values", interpreter.name);
        assert!(compared > 7000, "{}", interpreter.name);
    }
}

fn compare_values(interpreter: &Interpreter) -> usize {
    let mut target = Target::start(interpreter, "values.py", &[SEED, COUNT]);
    let mut lines = Vec::new();
    loop {
        match target.line() {
            end if end == "end" => break,
            line => lines.push(line),
        }
    }
    let image = target.image();
    let memory = target.memory();
    let symbols = |name: &str| image.runtime(name);
    let version = Version::from_symbols(&symbols, &memory).unwrap();
    let layout = Layout::of(&version).unwrap();
    let types = Types::find(&symbols).unwrap();
    let mut wrong = Vec::new();
    for line in &lines {
        let mut fields = line.split('\t');
        let mut field = || fields.next().expect("three fields");
        let address = u64::from_str_radix(field(), 16).unwrap();
        let (repr, ascii) = (field(), field());
        let value = decode(address, &types, &layout, &memory, &LIMITS);
        let got = (value.to_string(), format!("{value:#}"));
        if got.0 != repr || got.1 != ascii {
            wrong.push(format!(
                "{version}: Python {repr:.200}\n  decoded {:.200}",
                got.0
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} ({}): {} of {} differ\n{}",
        interpreter.name,
        image.path,
        wrong.len(),
        lines.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
    lines.len()
}

#[test]
fn the_same_characters_are_escaped_as_in_python() {
    // Surrogates have no char; values.py has them.
    let ours: Vec<(usize, bool)> = ('\0'..=char::MAX)
        .map(|c| {
            let shown = PyValue::Str(Text::from(&*c.to_string())).to_string();
            let escaped = shown.contains('\\');
            (c as usize, !escaped)
        })
        .filter(|(point, _)| *point != 0x5c)
        .collect();
    // The shared and dlopened builds have the same tables as the executables.
    let executables = supported().filter(|interpreter| {
        !interpreter.name.starts_with("shared") && !interpreter.name.starts_with("dlopen")
    });
    for interpreter in executables {
        let mut target = Target::start(&interpreter, "unicode.py", &[]);
        let states = target.line();
        assert_eq!(states.len(), 0x110000);
        let newest = interpreter.name.contains("3.15");
        let wrong: Vec<String> = ours
            .iter()
            .filter(|(point, printed)| match states.as_bytes()[*point] {
                b'p' => !printed,
                b'e' => *printed,
                // Unassigned in that interpreter's Unicode, perhaps not in ours.
                _ => newest && *printed,
            })
            .map(|(point, _)| format!("{point:#x}"))
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", interpreter.name);
    }
}
