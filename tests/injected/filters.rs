//! `--only` and `--skip`: exactly the functions that `fnmatch` chooses from what `sys.setprofile` sees, and next to
//! nothing for the others.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::harness::guard::{self, Guard};
use crate::harness::interpreters::program_file;
use crate::harness::program::{self, Program};
use crate::harness::task::until;
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::interpreters::{FREE_THREADED, Python, of_pyenv};

const PROGRAM: &str = "\
import threading

class Shelf:
    def hot(self, n):
        return n

    def cold(self):
        for i in range(3):
            yield i

def hot(n):
    return n + 1

def cold(n):
    return hot(n) * 2

def work():
    shelf = Shelf()
    for i in range(50):
        cold(shelf.hot(i))
    try:
        sum(shelf.cold()) and 1 // 0
    except ZeroDivisionError:
        pass

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
work()
";

/// Prints `EVENT NAME LINE COUNT` of what is wanted of a program: sys.argv is its path, the globs of --only, `--`, those
/// of --skip.
const ORACLE: &str = "
import collections, fnmatch, sys, threading
path, globs = sys.argv[1], sys.argv[2:]
only, skip = globs[:globs.index('--')], globs[globs.index('--') + 1:]
counts, lock = collections.Counter(), threading.Lock()
def matches(code, glob):
    names = code.co_name, code.co_filename, code.co_filename.split('/')[-1]
    return any(fnmatch.fnmatchcase(name, glob) for name in names)
def profile(frame, event, arg):
    code = frame.f_code
    if code.co_filename != path or event not in ('call', 'return') or code.co_name == '<module>':
        return
    if only and not any(matches(code, glob) for glob in only) or any(matches(code, glob) for glob in skip):
        return
    with lock:
        counts[event, code.co_name, frame.f_lineno] += 1
code = compile(open(path).read(), path, 'exec')
threading.setprofile(profile)
sys.setprofile(profile)
exec(code, {'__name__': '__main__'})
sys.setprofile(None)
for (event, name, line), count in counts.items():
    print(event, name, line, count)
";

type Counts = BTreeMap<(String, String, i64), u64>;

fn add_options(command: &mut Command, only: &[&str], skip: &[&str]) {
    only.iter().for_each(|glob| {
        command.args(["--only", glob]);
    });
    skip.iter().for_each(|glob| {
        command.args(["--skip", glob]);
    });
}

/// What of the trace is of this file.
fn counted(fired: &[trace::Fired], file: &str) -> Counts {
    let mut counts = Counts::new();
    for event in fired {
        let kind = match event.probe.as_str() {
            "function__entry" => "call",
            "function__return" => "return",
            _ => continue,
        };
        let name = event.text("funcname");
        if event.text("filename") == file && name != "<module>" {
            let key = (kind.to_owned(), name.to_owned(), event.number("lineno"));
            *counts.entry(key).or_default() += 1;
        }
    }
    counts
}

fn check(python: &Python, only: &[&str], skip: &[&str]) {
    let scratch = Scratch::new();
    let path = scratch.file("filtered.py");
    fs::write(&path, PROGRAM).expect("written");
    let title = format!("{} {only:?} {skip:?}", python.name);
    let mut oracle = program::command(false, &python.path);
    oracle.args(["-c", ORACLE]).arg(&path).args(only);
    let said = run(oracle.arg("--").args(skip));
    let said = String::from_utf8(said.stdout).expect("text");
    let row = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let key = (
            words[0].to_owned(),
            words[1].to_owned(),
            words[2].parse().unwrap(),
        );
        (key, words[3].parse::<u64>().unwrap())
    };
    let expected: Counts = said.lines().map(row).collect();
    let mut command = ptpytrace(false);
    command.args(["-f", "json", "-m", "function__*", "-o"]);
    command.arg(scratch.file("trace"));
    add_options(&mut command, only, skip);
    let output = run(command.arg("--").arg(&python.path).arg(&path));
    assert!(output.status.success(), "{title}: {output:?}");
    let fired = trace::read(&scratch.file("trace"));
    assert_eq!(
        counted(&fired, &path.display().to_string()),
        expected,
        "{title}"
    );
}

/// 3.15's own markers differ from the profiler (see tests/oracle): not here.
#[test]
fn what_is_wanted_is_counted_exactly() {
    let table: [(&[&str], &[&str]); 6] = [
        (&["hot"], &[]),
        (&["cold", "wor?"], &[]),
        (&[], &["hot"]),
        (&["filtered.py"], &["[ch]o*"]),
        (&["*/filtered.py"], &["work", "cold"]),
        (&["nothing"], &[]),
    ];
    let cached = [
        "python3.9",
        "python3.11",
        "python3.13",
        "python3.14",
        FREE_THREADED,
    ];
    let pyenv = of_pyenv(8).into_iter();
    let chosen = pyenv.filter(|python| matches!(python.minor, 8 | 10 | 12));
    for python in cached.into_iter().map(Python::cached).chain(chosen) {
        for (only, skip) in table {
            check(&python, only, skip);
        }
    }
}

/// How often a marker's site was hit, by --stats.
fn hits(stats: &str, marker: &str) -> u64 {
    let line = stats.lines().find(|line| line.ends_with(marker));
    let words = line.and_then(|line| line.split_whitespace().next());
    words
        .and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("no {marker}: {stats}"))
}

/// 100,000 calls of a function that is not wanted, 10 of one that is.
const BUSY: &str = "
def hot(): pass
def cold(): pass
for _ in range(100000): hot()
for _ in range(10): cold()
";

#[test]
fn a_function_that_is_not_wanted_is_met_but_once() {
    let script = "python*:::function-entry /copyinstr(arg1) == \"cold\"/ { @ = count(); }";
    for name in ["python3.13", "python3.14", FREE_THREADED] {
        let python = Python::cached(name);
        for options in [
            &["--only", "cold", "-m", "function__*"][..],
            &["-e", script],
        ] {
            let scratch = Scratch::new();
            fs::write(scratch.file("busy.py"), BUSY).expect("written");
            let mut command = ptpytrace(false);
            command
                .args(["--stats", "-o"])
                .arg(scratch.file("trace"))
                .args(options);
            let output = run(command
                .arg("--")
                .arg(&python.path)
                .arg(scratch.file("busy.py")));
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{name}: {text}");
            let entries = hits(&text, "python:function__entry");
            assert!(
                (10..10_000).contains(&entries),
                "{name} {options:?}: {text}"
            );
        }
    }
}

/// Makes functions that are not wanted and one that is, long after the sites have been diverted, and prints of each how
/// many of its instructions call a tool when it has been called once: CPython shows them in the code.
const LATER: &str = "
import dis
table = dis._all_opmap
instrumented = {table['INSTRUMENTED_RESUME'], table['INSTRUMENTED_RETURN_VALUE']}
def made(name):
    scope = {}
    exec(f'def {name}(n): return n', scope)
    return scope[name]
for number in range(200):
    names = [f'skipped{number}', 'wanted']
    for function in map(made, names):
        function(1)
        function(2)
        code = function.__code__._co_code_adaptive[::2]
        print(function.__name__, sum(code.count(number) for number in instrumented))
";

#[test]
fn a_function_that_is_not_wanted_is_not_called_for_again_once_sites_are_diverted() {
    let script = "python*:::function-entry, python*:::function-return
        /copyinstr(arg1) == \"wanted\"/ { printf(\"%s\\n\", copyinstr(arg1)); }";
    for name in ["python3.13", "python3.14", "python3.15", FREE_THREADED] {
        let python = Python::cached(name);
        for options in [
            &["--only", "wanted", "-m", "function__*"][..],
            &["--only", "want*", "-m", "function__*"],
            &["--only", "*ted", "--skip", "skip*", "-m", "function__*"],
            &["--skip", "*pp*", "-m", "function__*"],
            &["-e", script],
        ] {
            let scratch = Scratch::new();
            fs::write(scratch.file("later.py"), LATER).expect("written");
            let mut command = ptpytrace(false);
            command.args(["--engine", "jump", "--markers", "injected", "-o"]);
            command.arg(scratch.file("trace")).args(options);
            command.arg("--").arg(&python.path);
            let output = run(command.arg(scratch.file("later.py")));
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let counts: Vec<&str> = said.lines().collect();
            let row = |number| [format!("skipped{number} 0"), "wanted 2".to_owned()];
            let expected: Vec<String> = (0..200).flat_map(row).collect();
            assert_eq!(counts, expected, "{name} {options:?}: {output:?}");
            let trace = fs::read_to_string(scratch.file("trace")).expect("a trace");
            let told = trace.lines().filter(|line| line.contains("wanted")).count();
            assert_eq!(told, 2 * 2 * 200, "{name} {options:?}");
            assert!(!trace.contains("skipped"), "{name} {options:?}");
        }
    }
}

/// What one trace has disabled the next one sees.
#[test]
fn the_next_trace_chooses_anew() {
    for name in ["python3.13", "python3.14", FREE_THREADED] {
        let python = Python::cached(name);
        let mut command = program::command(false, &python.path);
        let mut program = Program::start(command.arg(program_file("targets/rounds.py")));
        program.expect("ready");
        for (round, wanted) in ["cold", "hot", "cold"].into_iter().enumerate() {
            let fired = traced_round(&mut program, wanted);
            let calls = |function: &str| {
                let called = |it: &&trace::Fired| it.text("funcname") == function;
                fired.iter().filter(called).count()
            };
            let other = if wanted == "hot" { "cold" } else { "hot" };
            assert_eq!(
                (calls(wanted), calls(other)),
                (200, 0),
                "{name}, round {round}"
            );
        }
        program.say("");
        let (output, status) = program.end();
        assert_eq!(
            (output.as_str(), status.code()),
            ("[]\n", Some(0)),
            "{name}"
        );
    }
}

fn traced_round(program: &mut Program, only: &str) -> Vec<trace::Fired> {
    let scratch = Scratch::new();
    let said = scratch.file("said");
    let mut command = ptpytrace(false);
    command.args([
        "-v",
        "-f",
        "json",
        "-m",
        "function__*",
        "--only",
        only,
        "-p",
    ]);
    command
        .arg(program.pid().to_string())
        .arg("-o")
        .arg(scratch.file("trace"));
    command.stderr(fs::File::create(&said).unwrap());
    let mut tracer = command.spawn().unwrap();
    let _guard = Guard::new(tracer.id() as i32);
    until("the markers have been injected", || {
        fs::read_to_string(&said)
            .unwrap()
            .contains("have been injected")
    });
    program.say("100");
    program.expect("done");
    guard::signal(tracer.id() as i32, libc::SIGINT);
    assert!(tracer.wait().unwrap().success());
    trace::read(&scratch.file("trace"))
}
