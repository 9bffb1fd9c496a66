//! `-C`: D scripts through the C preprocessor, as dtrace(8) does it.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow, bail};

use super::script::Loaded;

/// The preprocessors that are looked for on PATH, each with what makes it one.
const PROGRAMS: [(&str, &[&str]); 3] = [("cpp", &[]), ("gcc", &["-E"]), ("cc", &["-E"])];

/// The macros that dtrace(8) defines.
const MACROS: [&str; 6] = [
    "-D__SUNW_D=1",
    "-D__SUNW_D_VERSION=0x02000000",
    "-Dlinux",
    "-D__linux__",
    "-Dunix",
    "-D__unix__",
];

/// Runs a script through the preprocessor.
///
/// # Errors
/// There is none on PATH, or it finds an error: with its own words.
pub fn preprocess(loaded: &Loaded, flags: &[String]) -> anyhow::Result<Loaded> {
    for (program, own) in PROGRAMS {
        let mut command = Command::new(program);
        command.args(own).arg("-undef").args(MACROS).args(flags);
        command.args(["-x", "c", "-"]);
        match run(&mut command, &without_interpreter_line(&loaded.text)) {
            Ok(text) => {
                let name = loaded.name.clone();
                return Ok(Loaded { name, text });
            }
            Err(Failed::Missing) => {}
            Err(Failed::Otherwise(error)) => {
                return Err(error).with_context(|| format!("{}: -C", loaded.name));
            }
        }
    }
    bail!("-C needs the C preprocessor: install the package cpp")
}

enum Failed {
    Missing,
    Otherwise(anyhow::Error),
}

fn run(command: &mut Command, text: &[u8]) -> Result<Vec<u8>, Failed> {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failed::Missing,
        _ => Failed::Otherwise(error.into()),
    })?;
    let mut input = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(input) = &mut input {
                // When it does not read all of it, it says why.
                let _ = input.write_all(text);
            }
        });
        child.wait_with_output()
    });
    let output = output.map_err(|error| Failed::Otherwise(error.into()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failed::Otherwise(anyhow!(
        "the preprocessor failed: {said}"
    )))
}

/// `#!` is no directive; its line stays, empty, so that the others keep their numbers.
fn without_interpreter_line(text: &[u8]) -> Vec<u8> {
    if !text.starts_with(b"#!") {
        return text.to_vec();
    }
    let end = text.iter().position(|byte| *byte == b'\n');
    text.get(end.unwrap_or(text.len())..)
        .unwrap_or(b"")
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_replaced_and_errors_are_cpps_own() {
        let script = |text: &str| Loaded {
            name: "x.d".to_owned(),
            text: text.as_bytes().to_vec(),
        };
        let text = "#!/usr/sbin/dtrace -Cs\n#ifdef DEEP\nBEGIN { trace(WIDTH); }\n#endif\n#pragma D option quiet\n";
        let flags = ["-DDEEP".to_owned(), "-DWIDTH=7".to_owned()];
        let done = preprocess(&script(text), &flags).expect("preprocessed");
        let done = String::from_utf8(done.text).expect("text");
        assert!(done.contains("BEGIN { trace(7); }"), "{done}");
        assert!(done.contains("#pragma D option quiet"), "{done}");
        let error = preprocess(&script("#error no such luck\n"), &[]).expect_err("an error");
        assert!(format!("{error:#}").contains("no such luck"), "{error:#}");
    }

    #[test]
    fn the_first_line_is_emptied() {
        assert_eq!(without_interpreter_line(b"#!x\ny\n"), b"\ny\n");
        assert_eq!(without_interpreter_line(b"#!x"), b"");
        assert_eq!(without_interpreter_line(b"a\n#!x"), b"a\n#!x");
    }
}
