//! The call hierarchy, the default output, of every interpreter that there is: line by line what `sys.setprofile` says.

use crate::harness::program;
use crate::harness::tracer::{Scratch, ptpytrace, run};

use super::interpreters::{FREE_THREADED, Python, of_pyenv};

const PROGRAM: &str = "\
def numbers(n):
    for i in range(n):
        yield i

def decorated(function):
    def inner(value):
        return function(value)
    return inner

@decorated
def double(value):
    return value * 2

class Shape:
    def __init__(self, side):
        self.side = side

    @property
    def area(self):
        return self.side ** 2

def fail(n):
    if n == 0:
        raise KeyError(n)
    fail(n - 1)

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

total = double(3) + Shape(4).area + fib(4)
total += sum([double(i) for i in range(2)])
total += len({double(i) for i in (1, 2)})
total += sum(numbers(3))
total += sorted([2, 1], key=lambda value: -value)[0]
try:
    fail(2)
except KeyError:
    total += 1
print(total)
";

/// Prints the hierarchy of the program that `sys.argv[1]` names.
const ORACLE: &str = "
import sys
path = sys.argv[1]
rows, depth = [], [0]
def profile(frame, event, arg):
    code = frame.f_code
    if code.co_filename != path:
        return
    if event == 'call':
        rows.append('%s=> %s in %s:%d' % (' ' * depth[0], code.co_name, path, frame.f_lineno))
        depth[0] += 1
    elif event == 'return':
        depth[0] -= 1
        rows.append('%s<= %s in %s:%d' % (' ' * depth[0], code.co_name, path, frame.f_lineno))
code = compile(open(path).read(), path, 'exec')
sys.setprofile(profile)
exec(code, {'__name__': '__main__'})
sys.setprofile(None)
print('\\n'.join(rows))
";

/// What a line of the oracle's is in the markers.
type Difference = fn(&str) -> String;

/// A module's code begins with an instruction on line 0, of which the profiler of 3.11 and later tells; those injected through
/// `sys.monitoring` give the first line, as the markers of the versions before do.
fn first_line_of_module(line: &str) -> String {
    match line.strip_suffix(":0") {
        Some(rest) if line.contains("=> <module>") => format!("{rest}:1"),
        _ => line.to_owned(),
    }
}

fn same(line: &str) -> String {
    line.to_owned()
}

fn check(python: &Python, source: &str, difference: Difference) {
    let scratch = Scratch::new();
    let path = scratch.file("test.py");
    std::fs::write(&path, PROGRAM).expect("written");
    let name = &python.name;
    let untraced = run(program::command(false, &python.path)
        .args(["-c", ORACLE])
        .arg(&path));
    let text = String::from_utf8(untraced.stdout).expect("text");
    let (said, expected) = text.split_once('\n').expect("a line");
    let expected: Vec<String> = expected.trim_end().lines().map(difference).collect();
    // Since 3.12 list and set comprehensions are part of the function around them (PEP 709).
    for comprehension in ["<listcomp>", "<setcomp>"] {
        let calls = expected.iter().any(|line| line.contains(comprehension));
        assert_eq!(calls, python.minor < 12, "{name}: {comprehension}");
    }
    let traced = run(ptpytrace(false)
        .args(["--markers", source, "-o"])
        .arg(scratch.file("trace"))
        .args([
            "-c",
            &format!("{} {}", python.path.display(), path.display()),
        ]));
    let errors = String::from_utf8_lossy(&traced.stderr).into_owned();
    assert_eq!(
        (errors.as_str(), traced.status.code()),
        ("", Some(0)),
        "{name}"
    );
    assert_eq!(traced.stdout, format!("{said}\n").as_bytes(), "{name}");
    let trace = std::fs::read_to_string(scratch.file("trace")).expect("a trace");
    let place = format!(" in {}:", path.display());
    let hierarchy: Vec<&str> = trace
        .lines()
        .filter(|line| line.contains(&place))
        .filter_map(|line| Some(line.split_once("): ")?.1))
        .collect();
    let expected: Vec<&str> = expected.iter().map(|line| line.as_str()).collect();
    assert_eq!(hierarchy, expected, "{name}");
}

#[test]
fn of_every_interpreter() {
    let table: [(&str, &str, Difference); 8] = [
        ("python3.9", "auto", same),
        ("python3.9", "injected", same),
        ("python3.11", "auto", same),
        ("python3.11", "injected", same),
        ("python3.13", "auto", first_line_of_module),
        ("python3.14", "auto", first_line_of_module),
        (FREE_THREADED, "auto", first_line_of_module),
        // Its own markers do not nest: tests/oracle/classes.rs says how.
        ("python3.15", "injected", first_line_of_module),
    ];
    for (name, source, difference) in table {
        check(&Python::cached(name), source, difference);
    }
    for python in of_pyenv(6) {
        check(&python, "auto", difference_of(&python));
    }
}

/// The profile functions of 3.11 are called with the line of that first instruction, as the program's own would be.
fn difference_of(python: &Python) -> Difference {
    match python.minor {
        12.. => first_line_of_module,
        _ => same,
    }
}
