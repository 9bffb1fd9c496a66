//! `--all`: processes that run already and processes that start later. In a pid namespace of its own, so that nobody
//! else's processes are touched.

use std::process::Command;

use crate::harness::interpreters::interpreter;

/// Starts a program, then the tracer, then another program; each program calls a function until it is told that the
/// function was seen.
const SCRIPT: &str = r#"
set -eu
cd "$FOLDER"
mkfifo trace
program() { # NAME: calls a function of that name until there is a file of that name
    printf 'import os\ndef %s(): return os.path.exists("%s")\nwhile not %s(): pass\nos.write(1, b"%s done\\n")\n' "$1" "$1" "$1" "$1" >"$1.py"
    "$PYTHON" "$1.py" &
}
program before
first=$!
"$PTPYTRACE" --all -o trace &
tracer=$!
exec 3<trace
read_until() { # NAME: reads the trace until that function is called in it
    # In blocks: a shell reads byte by byte, much more slowly than two programs write.
    grep -q "=> $1 in " <&3
}
read_until before
program later
second=$!
read_until later
touch before later
cat <&3 >/dev/null &
wait "$first" "$second"
kill -INT "$tracer"
wait "$tracer"
echo "tracer ended with $?"
"#;

#[test]
fn running_and_later_processes_are_traced() {
    let python = interpreter("python3.9").wrapper;
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new("timeout")
        .args([
            "--kill-after=1",
            "120",
            "unshare",
            "--user",
            "--map-root-user",
        ])
        .args([
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "bash",
            "-c",
            SCRIPT,
        ])
        .env("FOLDER", folder.path())
        .env("PYTHON", &python)
        .env("PTPYTRACE", env!("CARGO_BIN_EXE_ptpytrace"))
        .output()
        .expect("unshare (util-linux) runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {text}{errors}", output.status);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["before done", "later done", "tracer ended with 0"],
        "{errors}"
    );
}
