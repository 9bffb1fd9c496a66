//! Names and lines stay right whatever becomes of the code objects that they belong to, and those go as they go
//! untraced.

use std::fs;
use std::process::Command;

use crate::harness::program;
use crate::harness::trace;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::interpreters::{FREE_THREADED, Python, of_pyenv};

/// Prints `NAME ENTRY-LINE RETURN-LINE` of each call of functions whose code is made, dropped and made again, more of it
/// than any table holds, at addresses that are used anew; and whether a code object went when it had to.
const PROGRAM: &str = "
import types, weakref

def made(name, line):
    source = '\\n' * line + f'def {name}(n):\\n    n += 1\\n    if n > 100:\\n        return n\\n    return -n\\n'
    scope = {}
    exec(compile(source, f'/made/{name}\u{e9}.py' if line % 3 else f'/made/{name}.py', 'exec'), scope)
    return scope.pop(name)

said = []
def call(function, n, line):
    function(n)
    said.append((function.__code__.co_name, line, line + (3 if n >= 100 else 4)))

for number in range(6000):
    line = number * 7 % 50
    function = made(f'made{number % 2500}' if number % 2 else f'm\u{fc}ad{number}', line)
    call(function, number % 200, line + 1)
    del function

# They share names and tables of lines, but not what those give.
base = made('madebase', 3)
for number in range(50):
    code = base.__code__.replace(co_firstlineno=10 + number)
    call(types.FunctionType(code, {}), 500, 10 + number)
    code = base.__code__.replace(co_name=f'madeother{number}')
    call(types.FunctionType(code, {}), 500, 4)

last = made('madelast', 0)
last(1)
gone = weakref.ref(last.__code__)
del last
for name, entry, leave in said:
    print(name, entry, leave)
print(gone() is None)
";

fn check(python: &Python, engine: &str) {
    let scratch = Scratch::new();
    let path = scratch.file("program.py");
    fs::write(&path, PROGRAM).expect("written");
    let title = format!("{} {engine}", python.name);
    let utf8 = |command: &mut Command| {
        command.env("PYTHONUTF8", "1");
    };
    let mut untraced = program::command(false, &python.path);
    utf8(&mut untraced);
    let untraced = run(untraced.arg(&path));
    let mut command = ptpytrace(false);
    utf8(&mut command);
    command.args(["--engine", engine, "--markers", "injected", "-f", "json"]);
    command.args(["-m", "function__*", "--only", "m*ad*", "-o"]);
    command.arg(scratch.file("trace"));
    let output = run(command.arg("--").arg(&python.path).arg(&path));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&untraced.stdout),
        "{title}: {output:?}"
    );
    let text = String::from_utf8(output.stdout).expect("text");
    let (expected, gone) = text.trim_end().rsplit_once('\n').expect("lines");
    // A free-threaded build may keep it longer, traced or not.
    let kept = python.name == FREE_THREADED;
    assert!(gone == "True" || kept, "{title}");
    let fired = trace::read(&scratch.file("trace"));
    let made = fired.iter().filter(|it| {
        let name = it.text("funcname");
        it.text("filename").starts_with("/made/") && name != "<module>" && name != "madelast"
    });
    let seen: Vec<String> = made
        .map(|it| {
            format!(
                "{} {} {}",
                it.probe,
                it.text("funcname"),
                it.number("lineno")
            )
        })
        .collect();
    let told = expected.lines().flat_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        [("entry", words[1]), ("return", words[2])]
            .map(|(kind, number)| format!("function__{kind} {} {number}", words[0]))
    });
    let told: Vec<String> = told.collect();
    let differs = seen.iter().zip(&told).position(|(one, other)| one != other);
    assert_eq!((differs, seen.len()), (None, told.len()), "{title}");
}

#[test]
fn of_code_that_comes_and_goes() {
    let cached = ["python3.13", "python3.14", "python3.15", FREE_THREADED].map(Python::cached);
    for python in cached.iter().chain(&of_pyenv(12)) {
        check(python, "jump");
    }
    check(&Python::cached("python3.13"), "trap");
}
