//! `python3` is often a shell script that ends in `exec` (pyenv): the interpreter behind it is traced.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

/// A shim in the manner of pyenv: bash, which asks another process for the interpreter and then becomes it.
fn shim(scratch: &Scratch, python: &str) {
    let folder = scratch.file("shims");
    fs::create_dir(&folder).unwrap();
    let script = format!(
        "#!/usr/bin/env bash\nset -e\nprogram=\"${{0##*/}}\"\n[ \"$program\" = python3 ]\n\
         python=\"$(echo '{python}')\"\nexec \"$python\" \"$@\"\n"
    );
    fs::write(folder.join("python3"), script).unwrap();
    fs::set_permissions(folder.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

fn check(name: &str, user: bool) {
    let (scratch, file) = (Scratch::new(), program_file("recursion.py"));
    let python = interpreter(name).wrapper;
    shim(&scratch, python.to_str().expect("UTF-8"));
    let path = std::env::var("PATH").unwrap();
    let mut command = ptpytrace(user);
    command
        .args(["-f", "json", "-o"])
        .arg(scratch.file("trace"));
    command.args(["-c", &format!("python3 '{}'", file.display())]);
    command.env(
        "PATH",
        format!("{}:{path}", scratch.file("shims").display()),
    );
    let output = run(command.env("PYTHONDONTWRITEBYTECODE", "1"));
    let lines = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(
        (lines.0.as_ref(), lines.1.as_ref()),
        ("recursion 233 True 103 9 63\n", ""),
        "{name}"
    );
    assert!(output.status.success(), "{name}: {output:?}");
    let fired = trace::read(&scratch.file("trace"));
    // fib(13) makes 2 * fib(14) - 1 = 753 calls
    for probe in ["function__entry", "function__return"] {
        let own = fired
            .iter()
            .filter(|event| event.probe == probe && event.text("funcname") == "fib");
        assert_eq!(own.count(), 753, "{name}: {probe} of fib");
    }
}

#[test]
fn the_interpreter_behind_a_shim_is_traced() {
    for (name, user) in [
        ("python3.9", false),
        ("shared3.11", true),
        ("python3.15", false),
        ("dlopen3.9", true),
    ] {
        check(name, user);
    }
}
