//! The scripts of CPython's documentation, as they stand in `examples/`, on real interpreters, with markers and without. What they must print is
//! worked out from `sys.setprofile`.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::interpreters::{Interpreter, interpreter, pyenv_versions};
use crate::harness::program::Program;
use crate::harness::tracer::{PTPYTRACE, Scratch, run};

/// With markers of their own.
const NATIVE: [&str; 4] = ["python3.9", "python3.11", "shared3.9", "shared3.11"];
/// The function markers of these are injected.
const INJECTED: [&str; 3] = ["python3.13t", "python3.14", "pyenv3.13"];

/// All of them that this machine has.
fn builds() -> impl Iterator<Item = &'static str> {
    NATIVE
        .into_iter()
        .chain(INJECTED)
        .filter(|name| is_there(name))
}

/// Those of pyenv may not be.
fn is_there(name: &str) -> bool {
    let Some(release) = name.strip_prefix("pyenv") else {
        return true;
    };
    let binary = format!("bin/python{release}");
    pyenv_versions()
        .iter()
        .any(|folder| folder.join(&binary).exists())
}

/// The documentation's program (Lib/test/dtracedata/call_stack.py has the same functions).
const PROGRAM: &str = "\
def function_1():
    function_3(1, 2)

def function_2():
    function_1()

def function_3(dummy, dummy2):
    pass

def function_4(**dummy):
    return 1

def function_5(dummy, dummy2, **dummy3):
    if False:
        return 7
    return 8

def start():
    function_1()
    function_2()
    function_3(1, 2)
    function_4(test=42)
    function_5(*(1, 2), **{'test': 42})

start()
";

/// Prints `call FUNCTION LINE` and `return FUNCTION LINE` for every function of the program that `sys.argv[1]` names.
const PROFILE: &str = "
import sys
path = sys.argv[1]
rows = []
def profile(frame, event, arg):
    code = frame.f_code
    if code.co_filename == path and event in ('call', 'return'):
        line = code.co_firstlineno if event == 'call' else frame.f_lineno
        rows.append(f'{event} {code.co_name} {line}')
code = compile(open(path).read(), path, 'exec')
sys.setprofile(profile)
exec(code, {'__name__': '__main__'})
sys.setprofile(None)
print('\\n'.join(rows))
";

/// A folder with `python` and `test.py` in it, and how to run them.
struct Place {
    scratch: Scratch,
    interpreter: Interpreter,
    /// The folder of another libc's libraries, which only the interpreter may see.
    libraries: Option<PathBuf>,
    _loader: Option<tempfile::TempDir>,
}

impl Place {
    fn new(name: &str) -> Place {
        let interpreter = interpreter(name);
        let scratch = Scratch::new();
        std::fs::write(scratch.file("test.py"), PROGRAM).expect("written");
        let mut place = Place {
            scratch,
            interpreter,
            libraries: None,
            _loader: None,
        };
        let python = place.scratch.file("python");
        match name {
            "python3.14" => place.with_its_own_loader(&python),
            _ => symlink(program(&place.interpreter), python).expect("a link"),
        }
        place
    }

    /// A copy of an interpreter that needs a newer libc than this machine's: it names its own loader.
    fn with_its_own_loader(&mut self, python: &Path) {
        const NAMED: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";
        let root = &self.interpreter.root;
        // The name must not be longer than the one that it replaces.
        let folder = tempfile::Builder::new()
            .tempdir_in("/tmp")
            .expect("a folder");
        let link = folder.path().join("ld");
        symlink(root.join("lib64/ld-linux-x86-64.so.2"), &link).expect("a link");
        let mut bytes = std::fs::read(&self.interpreter.notes).expect("the interpreter");
        let at = bytes
            .windows(NAMED.len())
            .position(|it| it == NAMED)
            .expect("a loader");
        let mut name = link.as_os_str().as_encoded_bytes().to_vec();
        name.resize(NAMED.len(), 0);
        bytes[at..at + NAMED.len()].copy_from_slice(&name);
        std::fs::write(python, bytes).expect("written");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(python, mode).expect("changed");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).expect("changed");
        self.libraries = Some(root.join("usr/lib/x86_64-linux-gnu"));
        self._loader = Some(folder);
    }

    /// What -c runs.
    fn words(&self) -> String {
        match &self.libraries {
            Some(folder) => format!("env LD_LIBRARY_PATH={} ./python test.py", folder.display()),
            None => "./python test.py".to_owned(),
        }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let root = &self.interpreter.root;
        let pyenv = self.interpreter.name.starts_with("pyenv");
        let mut command = Command::new(program);
        command
            .env(
                "PYTHONHOME",
                if pyenv {
                    root.clone()
                } else {
                    root.join("usr")
                },
            )
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.scratch.path());
        if self.libraries.is_some() {
            // A script's `python` is looked for in PATH where -c runs another program.
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", self.scratch.path().display()));
        } else {
            command.env("LD_LIBRARY_PATH", root.join("private-lib"));
        }
        command
    }

    /// What a script prints about `./python test.py`.
    fn traced(&self, script: &Path) -> (String, String) {
        let output = run(self
            .command(PTPYTRACE)
            .arg(script)
            .args(["-c", &self.words()]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        (String::from_utf8(output.stdout).expect("text"), said)
    }

    /// Calls and returns of the program's functions: whether it is a call, the function, the line.
    fn profiled(&self) -> Vec<(bool, String, i64)> {
        let mut command = self.command(self.scratch.file("python"));
        if let Some(folder) = &self.libraries {
            command.env("LD_LIBRARY_PATH", folder);
        }
        let output = run(command.args(["-c", PROFILE, "test.py"]));
        let text = String::from_utf8(output.stdout).expect("text");
        let rows = text.lines().map(|line| {
            let mut words = line.split(' ');
            let call = words.next() == Some("call");
            let function = words.next().expect(line).to_owned();
            let number = words.next().expect(line).parse().expect(line);
            // The marker says 0 where the module's code begins (3.11).
            (call, function, number)
        });
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 20, "{text}");
        rows
    }
}

/// The program itself: what `/proc/PID/exe` shows.
fn program(interpreter: &Interpreter) -> PathBuf {
    match interpreter.name.starts_with("shared") {
        true => interpreter.root.join("embed/embed"),
        false => interpreter.notes.clone(),
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// `function-entry:  test.py:function_3:7` with a space more for each call within `start`.
#[test]
fn call_stack_d_shows_what_happens_within_start() {
    for name in builds() {
        let place = Place::new(name);
        let mut depth = 0_usize;
        let mut expected = Vec::new();
        let profiled = place.profiled();
        for (call, function, line) in profiled.iter().filter(|row| row.1 != "<module>") {
            depth -= usize::from(!call);
            let probe = if *call {
                "function-entry"
            } else {
                "function-return"
            };
            let indent = " ".repeat(depth);
            expected.push(format!("{probe:>15}:{indent}test.py:{function}:{line}"));
            depth += usize::from(*call);
        }
        let (printed, _) = place.traced(&example("call_stack.d"));
        let mut times = Vec::new();
        let mut rows = Vec::new();
        for line in printed.lines().filter(|line| !line.is_empty()) {
            let (time, row) = line.split_once('\t').expect(line);
            times.push(time.parse::<u64>().expect(line));
            rows.push(row.to_owned());
        }
        assert_eq!(rows, expected, "{name}");
        assert!(times.is_sorted(), "{name}: {times:?}");
    }
}

/// A row of the call hierarchy: `   120 python(8274):  => f in test.py:4`.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    depth: usize,
    call: bool,
    function: String,
    file: String,
    line: i64,
}

fn row(text: &str) -> Row {
    let (head, rest) = text.split_once("):").expect(text);
    let (micros, name) = head.trim_start().split_once(' ').expect(text);
    micros.parse::<u64>().expect(text);
    let (comm, tid) = name.split_once('(').expect(text);
    assert_eq!(comm, "python", "{text}");
    tid.parse::<i32>().expect(text);
    let depth = rest.len() - rest.trim_start().len();
    let (arrow, place) = rest.trim_start().split_once(' ').expect(text);
    let (function, place) = place.split_once(" in ").expect(text);
    let (file, line) = place.rsplit_once(':').expect(text);
    Row {
        // The format has one space of its own before the arrow.
        depth: depth - 1,
        call: match arrow {
            "=>" => true,
            "<=" => false,
            _ => panic!("{text}"),
        },
        function: function.to_owned(),
        file: file.to_owned(),
        line: line.parse().expect(text),
    }
}

fn is_the_hierarchy(place: &Place, printed: &str) {
    let name = &place.interpreter.name;
    let rows: Vec<Row> = printed.lines().map(row).collect();
    // Everything is balanced: the depth is that of the calls around it.
    let mut depth = 0_usize;
    for row in &rows {
        depth -= usize::from(!row.call);
        assert_eq!(row.depth, depth, "{name}: {row:?}");
        depth += usize::from(row.call);
    }
    let own: Vec<_> = rows
        .iter()
        .filter(|row| row.file.ends_with("test.py") && row.function != "<module>")
        .map(|row| (row.call, row.function.clone(), row.line))
        .collect();
    let mut expected = place.profiled();
    expected.retain(|row| row.1 != "<module>");
    assert_eq!(own, expected, "{name}");
}

#[test]
fn the_call_hierarchy_by_marks() {
    for name in ["python3.9", "python3.11", "python3.13t", "python3.14"] {
        let place = Place::new(name);
        let (printed, said) = place.traced(&example("show-call-hierarchy.stp"));
        is_the_hierarchy(&place, &printed);
        // The documentation's formats end in `\\n`, which stap prints as it stands.
        assert_eq!(said.matches("\\\\n").count(), 1, "{said}");
    }
}

#[test]
fn the_call_hierarchy_by_a_librarys_marks() {
    let shared = ["shared3.9", "shared3.11", "pyenv3.13"];
    for name in shared.into_iter().filter(|name| is_there(name)) {
        let place = Place::new(name);
        let documented = std::fs::read_to_string(example("show-call-hierarchy-shared.stp"))
            .expect("the example");
        let notes = place.interpreter.notes.file_name().expect("a name");
        let library = match name {
            "pyenv3.13" => "libpython3.13.so.1.0".into(),
            _ => notes.to_string_lossy(),
        };
        let script = place.scratch.file("shared.stp");
        let text = documented.replace("libpython3.6dm.so.1.0", &library);
        std::fs::write(&script, text).expect("written");
        let (printed, _) = place.traced(&script);
        is_the_hierarchy(&place, &printed);
    }
}

#[test]
fn the_call_hierarchy_by_the_tapset() {
    for name in builds() {
        let place = Place::new(name);
        let (printed, said) = place.traced(&example("show-call-hierarchy-tapset.stp"));
        is_the_hierarchy(&place, &printed);
        // To find the libraries of a script's program it is started without the variable that this one needs.
        let own = |line: &&str| !line.contains("version `GLIBC_");
        assert_eq!(said.lines().find(own), None, "{name}");
    }
}

/// The report of the most called functions, each second, while the program waits for a line.
#[test]
fn top_counts_what_was_called() {
    for name in builds() {
        let place = Place::new(name);
        let program = "def often(): pass\ndef seldom(): pass\n\
                       for _ in range(500): often()\nfor _ in range(20): seldom()\ninput()\n";
        std::fs::write(place.scratch.file("test.py"), program).expect("written");
        let mut top = Program::start(
            place
                .command(PTPYTRACE)
                .arg(example("top.stp"))
                .args(["-c", &place.words()]),
        );
        let header = format!(
            "\u{1b}[2J\u{1b}[1;1H{:>6} {:>80} {:>6} {:>30} {:>6}",
            "PID", "FILENAME", "LINE", "FUNCTION", "CALLS"
        );
        assert_eq!(top.line(), header, "{name}");
        let mut rows = Vec::new();
        loop {
            match top.line() {
                line if line == header => break, // the next second's
                line => rows.push(line),
            }
            assert!(rows.len() <= 20, "{name}: {rows:?}");
        }
        top.say("");
        let (_, status) = top.end();
        assert!(status.success(), "{name}");
        let counts: Vec<(&str, i64)> = rows
            .iter()
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let [.., function, calls] = words[..] else {
                    panic!("{line}");
                };
                (function, calls.parse().expect(line))
            })
            .collect();
        assert!(
            counts.is_sorted_by_key(|(_, calls)| -calls),
            "{name}: {rows:?}"
        );
        let often = counts.iter().find(|(function, _)| *function == "often");
        assert_eq!(often, Some(&("often", 500)), "{name}: {rows:?}");
    }
}
