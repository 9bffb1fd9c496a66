//! A program's own tools see traced what they see untraced.

use crate::harness::guard::Guard;
use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::program;
use crate::harness::task::until;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::interpreters::{FREE_THREADED, Python, of_pyenv};

/// What is said when a program sets its own function, before 3.12.
const RIVAL: &str = "function of its own";

fn check(python: &Python, tool: &str, said: usize) {
    let file = program_file("targets/tools.py");
    let scratch = Scratch::new();
    let mut traced = ptpytrace(false);
    traced.arg("-o").arg(scratch.file("trace"));
    traced
        .args(["-m", "function__*", "-m", "line", "--"])
        .arg(&python.path);
    let mut untraced = program::command(false, &python.path);
    let [traced, untraced] = [&mut traced, &mut untraced].map(|command| {
        let output = run(command.arg(&file).arg(tool));
        assert!(
            output.status.success(),
            "{} {tool}: {output:?}",
            python.name
        );
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    });
    let of_program = |line: &&str| !line.starts_with("ptpytrace: ");
    let (own, program): (Vec<&str>, Vec<&str>) = traced.1.lines().partition(|it| !of_program(it));
    assert_eq!(traced.0, untraced.0, "{} {tool}", python.name);
    assert_eq!(program.join("\n"), untraced.1, "{} {tool}", python.name);
    let said_so = own.iter().filter(|line| line.contains(RIVAL)).count();
    assert_eq!(
        (said_so, own.len()),
        (said, said),
        "{} {tool}: {own:?}",
        python.name
    );
    let trace = std::fs::read_to_string(scratch.file("trace")).expect("a trace");
    assert!(trace.contains("line"), "{} {tool}", python.name);
}

#[test]
fn of_3_12_and_later() {
    let cached = ["python3.13", "python3.14", "python3.15", FREE_THREADED].map(Python::cached);
    for python in cached.iter().chain(&of_pyenv(12)) {
        ["monitoring", "profile", "trace"]
            .iter()
            .for_each(|tool| check(python, tool, 0));
    }
}

/// There the program's profiler takes the place of ours, and its tracer likewise. One thing differs: tools.py says it.
#[test]
fn before_3_12() {
    for python in of_pyenv(6).iter().filter(|python| python.minor < 12) {
        ["profile", "trace"]
            .iter()
            .for_each(|tool| check(python, tool, 1));
    }
}

/// What a profiler of its own hides is what it sees itself; what comes before and after is traced.
#[test]
fn ours_comes_back_when_the_programs_has_gone() {
    const PROGRAM: &str = "
import sys
def before(): pass
def during(): pass
def after(): pass
before()
sys.setprofile(lambda *event: None)
during()
sys.setprofile(None)
after()
print(sys.getprofile())
";
    for python in of_pyenv(6).iter().filter(|python| python.minor < 12) {
        let scratch = Scratch::new();
        std::fs::write(scratch.file("program.py"), PROGRAM).expect("written");
        let mut command = ptpytrace(false);
        command.arg("-o").arg(scratch.file("trace")).arg("--");
        let output = run(command.arg(&python.path).arg(scratch.file("program.py")));
        assert_eq!(output.stdout, b"None\n", "{}", python.name);
        let trace = std::fs::read_to_string(scratch.file("trace")).expect("a trace");
        let called = |name: &str| trace.contains(&format!("=> {name} in "));
        let seen = ["before", "during", "after"].map(called);
        assert_eq!(seen, [true, false, true], "{}: {output:?}", python.name);
    }
}

/// The module that makes interpreters, by version.
const INTERPRETERS: &str = "
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
one = interpreters.create()
def run():
    run_string = getattr(interpreters, 'run_string')
    run_string(one, 'def inside(): print(5, flush=True)\\ninside()')
";

/// They do what they do untraced, and it is said that they are not traced: when one is made, and when there is one.
#[test]
fn sub_interpreters() {
    let cached = ["python3.13", "python3.14"].map(Python::cached);
    let pyenv = of_pyenv(8)
        .into_iter()
        .filter(|it| matches!(it.minor, 8 | 11 | 12));
    for python in cached.into_iter().chain(pyenv) {
        let name = &python.name;
        let scratch = Scratch::new();
        let launched = format!("{INTERPRETERS}\nrun()\n");
        let waiting = format!("{INTERPRETERS}\nprint('ready', flush=True)\ninput()\nrun()\n");
        std::fs::write(scratch.file("launched.py"), launched).expect("written");
        std::fs::write(scratch.file("waiting.py"), waiting).expect("written");
        let mut command = ptpytrace(false);
        command.arg("-o").arg(scratch.file("trace")).arg("--");
        let output = run(command.arg(&python.path).arg(scratch.file("launched.py")));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.stdout.as_slice(), output.status.code()),
            (&b"5\n"[..], Some(0)),
            "{name}"
        );
        assert_eq!(
            said.matches("more than one interpreter").count(),
            1,
            "{name}: {said}"
        );
        // Before, a process with several interpreters is entered only when it runs Python code.
        if python.minor < 12 {
            continue;
        }
        let mut command = program::command(false, &python.path);
        let mut target = program::Program::start(command.arg(scratch.file("waiting.py")));
        target.expect("ready");
        let said = scratch.file("said");
        let mut command = ptpytrace(false);
        command
            .args(["-v", "-p", &target.pid().to_string(), "-o"])
            .arg(scratch.file("trace"));
        let mut tracer = command
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let _guard = Guard::new(tracer.id() as i32);
        let text = || std::fs::read_to_string(&said).unwrap();
        until("the markers have been injected", || {
            text().contains("have been injected")
        });
        target.say("");
        target.expect("5");
        assert!(tracer.wait().unwrap().success(), "{name}: {}", text());
        assert_eq!(
            text().matches("more than one interpreter").count(),
            1,
            "{name}: {}",
            text()
        );
        assert!(target.end().1.success(), "{name}");
    }
}

const COVERED: &str = "\
import threading
def numbers(n):
    for i in range(n):
        if i == 7:
            yield 'never'
        yield i
def fail(n):
    if n:
        fail(n - 1)
    else:
        raise ValueError(n)
def work(flag):
    total = sum(numbers(4))
    try:
        fail(3)
    except ValueError:
        total += 1
    finally:
        total += 1 if flag else 2
    while total > 3:
        total -= 1
        if total == 1:
            return 'never'
    return [n for n in range(total) if n]
thread = threading.Thread(target=work, args=(False,))
thread.start()
thread.join()
print(work(False), (lambda: 5)())
if threading.active_count() > 100:
    print('never')
";

/// What `coverage` reports of a program, run by this command with its words behind it.
fn covered(mut command: std::process::Command, core: &str, scratch: &Scratch) -> (String, String) {
    let data = scratch.file("data");
    let root = interpreter("python3.13").root;
    let packages = root.join("usr/lib/python3/dist-packages");
    let file = scratch.file("covered.py");
    std::fs::write(&file, COVERED).expect("written");
    command.args(["-m", "coverage", "run", "--branch"]);
    command
        .arg(format!("--data-file={}", data.display()))
        .arg(&file);
    let output = run(command
        .env("COVERAGE_CORE", core)
        .env("PYTHONPATH", &packages)
        .current_dir(scratch.path()));
    assert!(output.status.success(), "{core}: {output:?}");
    let mut report = program::command(false, Python::cached("python3.13").path);
    report.args(["-m", "coverage", "report", "-m"]);
    report.arg(format!("--data-file={}", data.display()));
    let report = run(report
        .env("PYTHONPATH", &packages)
        .current_dir(scratch.path()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let table = text(&report.stdout);
    assert!(table.contains("covered.py"), "{report:?}");
    (text(&output.stdout), table)
}

/// Its cores: its own trace function in C (made for 3.13) and in Python, and `sys.monitoring`.
#[test]
fn coverage() {
    let pyenv = of_pyenv(11).into_iter().filter(|it| it.minor == 11);
    let cached = ["python3.13", "python3.14"].map(Python::cached);
    for python in cached.into_iter().chain(pyenv) {
        let cores: &[&str] = match python.minor {
            13 => &["ctrace", "pytrace", "sysmon"],
            12 | 14 => &["pytrace", "sysmon"],
            _ => &["pytrace"],
        };
        for core in cores {
            let scratch = Scratch::new();
            let untraced = covered(program::command(false, &python.path), core, &scratch);
            let mut command = ptpytrace(false);
            // All of coverage itself would take a while.
            command.args(["--markers", "injected", "-m", "function__*", "-m", "line"]);
            command.args(["--only", "covered.py"]);
            command
                .arg("-o")
                .arg(scratch.file("trace"))
                .arg("--")
                .arg(&python.path);
            let traced = covered(command, core, &scratch);
            assert_eq!(traced, untraced, "{} {core}", python.name);
        }
    }
}
