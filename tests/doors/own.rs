//! Called by its own name with a script.

use std::process::{Command, Stdio};

use super::{Door, python};
use crate::harness::program::{Program, command};

#[test]
fn a_timer_ends_a_run_in_which_nothing_happens() {
    for user in [false, true] {
        let door = Door::new(user);
        let mut sleeper = Program::start(&mut command(user, "cat"));
        sleeper.say("up");
        sleeper.expect("up");
        let pid = sleeper.pid().to_string();
        let script = "tick-50ms { printf(\"now\\n\"); exit(3); }";
        for words in [&["-e", script][..], &["-e", script, "-p", &pid]] {
            let ran = door.run("ptpytrace", words);
            assert_eq!(
                (ran.out.as_str(), ran.errors.as_str(), ran.status),
                ("now\n\n", "", Some(3)),
                "{words:?}"
            );
        }
        sleeper.say("still here");
        sleeper.expect("still here");
    }
}

#[test]
fn exit_lets_the_command_go_on() {
    let door = Door::new(true);
    let words = ["-e", "BEGIN { exit(0); }", "-c", "sh -c 'echo ran; exit 5'"];
    let ran = door.run("ptpytrace", &words);
    assert!(ran.out.contains("ran\n"), "{ran:?}");
    assert_eq!(ran.status, Some(5));
}

#[test]
fn points_that_match_nothing_are_named() {
    let door = Door::new(true);
    let command = format!("{} t.py", python());
    let script = "python*:::nosuch, ruby*:::line { trace(1); }";
    let ran = door.run("ptpytrace", &["-e", script, "-c", &command]);
    assert_eq!(ran.status, Some(1));
    let expected = "ptpytrace: nothing that ran has a probe point of the script: python*:::nosuch, ruby*:::line ";
    assert!(ran.errors.starts_with(expected), "{ran:?}");
}

#[test]
fn a_signal_or_the_end_of_the_process_runs_the_end() {
    for user in [false, true] {
        let door = Door::new(user);
        let script = "BEGIN { printf(\"ready\\n\"); } END { printf(\"bye\\n\"); }";
        let mut traced = Program::start(&mut door.command("ptpytrace", &["-e", script]));
        traced.expect("ready");
        traced.signal(libc::SIGINT);
        let (rest, status) = traced.end();
        assert!(
            rest.contains("bye\n") && status.success(),
            "{rest} {status}"
        );
        // Nothing is wanted of it, but the run lasts as long as it does.
        let mut sleeper = Program::start(&mut command(user, "cat"));
        sleeper.say("up");
        sleeper.expect("up"); // it is cat now, and its user's
        let pid = sleeper.pid().to_string();
        let mut traced =
            Program::start(&mut door.command("ptpytrace", &["-e", script, "-p", &pid]));
        traced.expect("ready");
        sleeper.end();
        let (rest, status) = traced.end();
        assert!(
            rest.contains("bye\n") && status.success(),
            "{rest} {status}"
        );
    }
}

#[test]
fn a_timeout_runs_the_end() {
    let door = Door::new(true);
    let script = "probe end { println(\"bye\") }";
    let ran = door.run("ptpytrace", &["-T", "0.1", "-e", script]);
    assert_eq!(
        (ran.out.as_str(), ran.errors.as_str(), ran.status),
        ("bye\n", "", Some(0))
    );
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let door = Door::new(true);
    let script = "./ptpytrace -e 'tick-1ms { printf(\"x\\n\"); }' | head -1; echo ${PIPESTATUS[0]}";
    let mut bash = command(true, "bash");
    bash.args(["-c", script]).current_dir(door.path());
    bash.stderr(Stdio::piped());
    let (out, errors, _) = Program::start(&mut bash).end_with_errors();
    assert_eq!((out.as_str(), errors.as_str()), ("x\n0\n", ""));
}

/// Two programs, one that runs already and one that starts later, each until its function was seen; and one that has
/// nothing to trace.
const UNTARGETED: &str = r#"
set -eu
cd "$FOLDER"
mkfifo trace
program() { # NAME: calls a function of that name until there is a file of that name
    printf 'import os\ndef %s(): return os.path.exists("%s")\nwhile not %s(): pass\nos.write(1, b"%s done\\n")\n' "$1" "$1" "$1" "$1" >"$1.py"
    "$PYTHON" "$1.py" &
}
program before
first=$!
"$PTPYTRACE" -o trace -e 'python*:::function-entry { printf("=> %s \n", copyinstr(arg1)); }' &
tracer=$!
exec 3<trace
read_until() { # NAME: reads the trace until that function is called in it
    # In blocks: a shell reads byte by byte, much more slowly than two programs write.
    grep -q "=> $1 " <&3
}
read_until before
program later
second=$!
read_until later
cat <&3 >/dev/null &
touch before
wait "$first"
touch later
wait "$second"
kill -INT "$tracer"
wait "$tracer"
echo "tracer ended with $?"
"#;

#[test]
fn without_a_target_a_script_is_for_all_that_has_its_probes() {
    let door = Door::new(false);
    let python = crate::harness::interpreters::interpreter("python3.9").wrapper;
    let mut unshare = Command::new("timeout");
    unshare.args([
        "--kill-after=1",
        "120",
        "unshare",
        "--user",
        "--map-root-user",
    ]);
    unshare.args([
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "bash",
        "-c",
        UNTARGETED,
    ]);
    unshare.env("FOLDER", door.path()).env("PYTHON", python);
    unshare.env("PTPYTRACE", door.path().join("ptpytrace"));
    let output = unshare.output().expect("unshare (util-linux) runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["before done", "later done", "tracer ended with 0"],
        "{errors}"
    );
    assert_eq!(errors, "");
}
