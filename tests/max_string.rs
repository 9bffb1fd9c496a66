//! `--max-string`: how much of long names is shown, to the byte, in JSON and in text.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

/// The limits, below, at and above borders of the reads and of the names (long_strings.py has names of up to 5000
/// characters and 6800 bytes).
const LIMITS: [usize; 8] = [1, 255, 256, 257, 4095, 4096, 5000, 100_000];

/// The lengths of the names that consist of one letter (`LENGTHS` in long_strings.py).
fn lengths() -> impl Iterator<Item = usize> {
    let longer = [
        127, 128, 129, 199, 200, 201, 254, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2047,
        2048, 2049, 4094, 4095, 4096, 4097, 5000,
    ];
    (1..70).chain(longer)
}

/// The other names (`NAMES` in long_strings.py).
fn others() -> Vec<String> {
    let mut names: Vec<String> = [
        "caf\u{e9}",
        "\u{444}\u{443}\u{43d}\u{43a}\u{446}\u{438}\u{44f}",
        "\u{51fd}\u{6570}",
        "\u{1d4ea}\u{1f40d}",
        "quote\"and'back\\slash",
        "tab\tand\nnewline",
    ]
    .map(str::to_owned)
    .into();
    names.extend([
        "\u{e9}".repeat(300),
        "\u{20ac}".repeat(1700),
        format!("a{}", "\u{1f40d}".repeat(1200)),
    ]);
    names
}

/// The function's name and file of each call that long_strings.py makes up, in its order.
fn made_up() -> Vec<(String, String)> {
    let mut calls = Vec::new();
    for length in lengths() {
        calls.push(("f".repeat(length), "/file".to_owned()));
        calls.push(("g".to_owned(), format!("/{}", "d".repeat(length - 1))));
        calls.push(("n".repeat(length), format!("/{}", "e".repeat(length - 1))));
    }
    for name in others() {
        calls.push((name.clone(), "/plain".to_owned()));
        calls.push(("plain".to_owned(), format!("/{name}")));
        calls.push(("<module>".to_owned(), format!("<{name}>")));
        calls.push(("f".to_owned(), format!("<{name}>")));
    }
    calls
}

/// The first bytes; where a character is cut it is no UTF-8 any more.
fn cut(text: &str, limit: usize) -> &[u8] {
    let bytes = text.as_bytes();
    &bytes[..bytes.len().min(limit)]
}

/// A function's name and file.
type Pair = (String, String);

/// What follows the entry of the program's `main`, without the functions of its own file.
fn inside_main(pairs: Vec<Pair>, own: &[u8]) -> Vec<Pair> {
    let of_own = |pair: &Pair| pair.1.as_bytes() == own;
    let main = pairs
        .iter()
        .position(|pair| of_own(pair) && pair.0 == "main");
    let inside = pairs.into_iter().skip(main.expect("main"));
    inside.filter(|pair| !of_own(pair)).collect()
}

fn traced(user: bool, name: &str, limit: usize, format: &str) -> Scratch {
    let scratch = Scratch::new();
    let mut command = ptpytrace(user);
    command.args([
        "--max-string",
        &limit.to_string(),
        "-f",
        format,
        "-m",
        "function__entry",
        "-o",
    ]);
    command
        .arg(scratch.file("trace"))
        .arg("--")
        .arg(interpreter(name).wrapper);
    command
        .arg(program_file("long_strings.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = run(&mut command);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "long_strings 306\n",
        "{output:?}"
    );
    scratch
}

fn check_json(name: &str, user: bool, limit: usize) {
    let scratch = traced(user, name, limit, "json");
    let fired = trace::read(&scratch.file("trace"));
    let own = program_file("long_strings.py");
    let own = own.to_str().expect("UTF-8").as_bytes();
    let seen: BTreeSet<usize> = fired
        .iter()
        .map(|event| event.text("funcname").len())
        .collect();
    assert!(
        seen.last() <= Some(&(limit * 3)),
        "longer than {limit}: {seen:?}"
    );
    if limit < own.len() {
        return; // the program's own calls cannot be told apart
    }
    let pairs = fired.iter().map(|event| {
        (
            event.text("funcname").to_owned(),
            event.text("filename").to_owned(),
        )
    });
    let pairs = inside_main(pairs.collect(), own);
    let lossy = |text: &str| String::from_utf8_lossy(cut(text, limit)).into_owned();
    let expected: Vec<_> = made_up()
        .iter()
        .map(|(func, file)| (lossy(func), lossy(file)))
        .collect();
    assert!(
        pairs.len() >= expected.len(),
        "{name} {limit}: only {} calls",
        pairs.len()
    );
    for (index, (pair, expected)) in pairs.iter().zip(&expected).enumerate() {
        assert!(
            pair == expected,
            "{name} {limit}, call {index}:\n{pair:.80?}\n{expected:.80?}"
        );
    }
}

/// As the line of a marker has it: quoted, control characters and broken bytes as in C, `...` where it was cut.
fn quoted(text: &str, limit: usize) -> Vec<u8> {
    let bytes = cut(text, limit);
    let mut out = b"\"".to_vec();
    for chunk in bytes.utf8_chunks() {
        let escaped = chunk.valid().replace('\\', "\\\\").replace('"', "\\\"");
        out.extend(
            escaped
                .replace('\n', "\\n")
                .replace('\t', "\\t")
                .into_bytes(),
        );
        out.extend(
            chunk
                .invalid()
                .iter()
                .flat_map(|byte| format!("\\x{byte:02x}").into_bytes()),
        );
    }
    out.push(b'"');
    if bytes.len() < text.len() {
        out.extend(b"...");
    }
    out
}

fn check_text(name: &str, user: bool, limit: usize) {
    let scratch = traced(user, name, limit, "text");
    let text = fs::read(scratch.file("trace")).unwrap();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    for (func, file) in made_up() {
        let mut wanted = b" function__entry filename=".to_vec();
        wanted.extend(quoted(&file, limit));
        wanted.extend(b" funcname=");
        wanted.extend(quoted(&func, limit));
        wanted.extend(b" lineno=");
        let found = lines
            .iter()
            .any(|line| line.windows(wanted.len()).any(|window| window == wanted));
        assert!(
            found,
            "{name} {limit}: no line with {:.200}",
            String::from_utf8_lossy(&wanted)
        );
    }
}

#[test]
fn json_has_so_many_bytes() {
    for limit in LIMITS {
        check_json("python3.9", false, limit);
    }
    for limit in [255, 4096, 100_000] {
        check_json("shared3.11", true, limit);
        check_json("python3.15", false, limit);
    }
}

#[test]
fn text_has_so_many_bytes() {
    for limit in LIMITS {
        check_text("python3.9", false, limit);
    }
    check_text("shared3.11", true, 256);
}
