//! Scripts as people write them, on real interpreters. What must come of them is what the program counts itself, or
//! what `sys.setprofile` says of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::interpreters::{Interpreter, interpreter};
use crate::harness::tracer::{PTPYTRACE, Scratch, run};

const INTERPRETERS: [&str; 2] = ["python3.9", "python3.11"];

/// Prints the flow of the calls of the program that `sys.argv[1]` names as `flow.d` does.
const PROFILE: &str = "
import sys
path = sys.argv[1]
rows, depth = [], 0
def profile(frame, event, arg):
    global depth
    code = frame.f_code
    if code.co_filename != path or event not in ('call', 'return'):
        return
    depth -= event == 'return'
    arrow, line = ('->', code.co_firstlineno) if event == 'call' else ('<-', frame.f_lineno)
    rows.append(' ' * (2 * depth) + f'{arrow} {code.co_name}:{line}')
    depth += event == 'call'
code = compile(open(path).read(), path, 'exec')
sys.argv = [path]
sys.setprofile(profile)
exec(code, {'__name__': '__main__'})
sys.setprofile(None)
print('\\n'.join(rows))
";

/// A folder with `program.py`, and an interpreter to run it.
struct Place {
    scratch: Scratch,
    interpreter: Interpreter,
}

/// What came of a run.
struct Ran {
    printed: String,
    /// The program's own counts.
    counts: BTreeMap<String, i64>,
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/scripts/running")
        .join(name)
}

impl Place {
    fn new(name: &str) -> Place {
        let interpreter = interpreter(name);
        let scratch = Scratch::new();
        let python = scratch.file("python");
        std::os::unix::fs::symlink(&interpreter.notes, python).expect("a link");
        std::fs::copy(file("program.py"), scratch.file("program.py")).expect("copied");
        Place {
            scratch,
            interpreter,
        }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let root = &self.interpreter.root;
        let mut command = Command::new(program);
        command
            .env("PYTHONHOME", root.join("usr"))
            .env("LD_LIBRARY_PATH", root.join("private-lib"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.scratch.path());
        command
    }

    /// Runs a script about the program.
    fn run(&self, script: &str, arguments: &[&str]) -> Ran {
        let output = run(self
            .command(PTPYTRACE)
            .args(["-c", "./python program.py counts"])
            .args(arguments.iter().filter(|it| it.starts_with('-')))
            .arg(file(script))
            .args(arguments.iter().filter(|it| !it.starts_with('-'))));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(said, "", "{script}");
        let counts = std::fs::read_to_string(self.scratch.file("counts")).expect("counts");
        let counts = counts.lines().map(|line| {
            let (name, number) = line.split_once(' ').expect(line);
            (name.to_owned(), number.parse().expect(line))
        });
        Ran {
            printed: String::from_utf8(output.stdout).expect("text"),
            counts: counts.collect(),
        }
    }
}

impl Ran {
    /// The numbers of the rows `WORD NAME NUMBER…`, by name.
    fn rows(&self, word: &str) -> BTreeMap<String, Vec<i64>> {
        let rows = self.printed.lines().filter_map(|line| {
            let (name, numbers) = line
                .strip_prefix(word)?
                .strip_prefix(' ')?
                .split_once(' ')?;
            let numbers = numbers.split(' ').map(|it| it.parse().expect(line));
            Some((name.to_owned(), numbers.collect()))
        });
        rows.collect()
    }

    /// The first number of such rows.
    fn numbers(&self, word: &str) -> BTreeMap<String, i64> {
        let rows = self.rows(word).into_iter();
        rows.map(|(name, numbers)| (name, numbers[0])).collect()
    }

    /// The program's counts with those of the functions that do not count themselves.
    fn all_counts(&self) -> BTreeMap<String, i64> {
        let mut counts = self.counts.clone();
        counts.insert("<module>".to_owned(), 1);
        counts.insert("<listcomp>".to_owned(), counts["allocates"]);
        counts
    }
}

#[test]
fn times_by_depth_add_up() {
    for name in INTERPRETERS {
        let ran = Place::new(name).run("times.d", &[]);
        assert_eq!(ran.numbers("calls"), ran.all_counts(), "{name}");
        let (own, all) = (ran.numbers("own"), ran.numbers("all"));
        let printed = &ran.printed;
        // Each moment belongs to one function, and the module's is around all of them.
        assert_eq!(own.values().sum::<i64>(), all["<module>"], "{printed}");
        assert_eq!(ran.numbers("every")["-"], all["<module>"], "{printed}");
        assert!(all["sleeps"] >= 60_000_000, "{printed}");
        assert!(own["start"] < all["start"] - all["sleeps"], "{printed}");
        // Who sleeps uses no CPU.
        let cpu = ran.numbers("cpu_ms");
        assert!(cpu["burns"] >= 55, "{printed}");
        assert!(cpu["sleeps"] < 30, "{printed}");
        assert!(cpu["start"] >= cpu["burns"], "{printed}");
        // The distribution of each function holds as many values as there were calls.
        let leaf = printed.split("spread leaf\n").nth(1).expect(printed);
        let rows = leaf.lines().skip(1).take_while(|line| line.contains('|'));
        let values = rows.map(|line| line.rsplit('|').next().expect(line).replace('@', ""));
        let values = values.map(|it| it.trim().parse::<i64>().expect(leaf));
        assert_eq!(values.sum::<i64>(), ran.counts["leaf"], "{printed}");
    }
}

#[test]
fn the_flow_is_that_of_the_profiler() {
    for name in INTERPRETERS {
        let place = Place::new(name);
        let profiled =
            run(place
                .command(place.scratch.file("python"))
                .args(["-c", PROFILE, "program.py"]));
        let profiled = String::from_utf8(profiled.stdout).expect("text");
        assert!(profiled.lines().count() > 50, "{profiled}");
        let ran = place.run("flow.d", &[]);
        let own = |text: &str| -> Vec<String> {
            let rows = text.lines().filter(|it| !it.is_empty());
            // Run as a program there is more to do at the module's end, and it begins at line 0 in 3.11.
            rows.filter(|it| !it.contains("<module>"))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(own(&ran.printed), own(&profiled), "{name}");
    }
}

#[test]
fn allocations_belong_to_the_function_that_asks() {
    for name in INTERPRETERS {
        let ran = Place::new(name).run("malloc.d", &["-C"]);
        let times = ran.counts["allocates"] * 5;
        // The comprehension is a function of its own; a bytearray has a byte more than was asked for.
        let row = format!("<listcomp>: {times} of {} bytes", times * 100_001);
        let printed = &ran.printed;
        assert!(
            printed.lines().any(|line| line.starts_with(&row)),
            "{printed}"
        );
        let row = format!("           65536 |{} {times}", "@".repeat(40));
        assert!(
            printed.lines().any(|line| line.starts_with(&row)),
            "{printed}"
        );
        let stacks = printed.split("stacks\n").nth(1).expect(printed);
        let functions: Vec<&str> = stacks
            .lines()
            .filter_map(|line| line.trim().split_once(" ("))
            .map(|(function, _)| function)
            .collect();
        assert_eq!(
            functions,
            ["<listcomp>", "allocates", "start", "<module>"],
            "{printed}"
        );
        assert!(stacks.contains(&format!(" {times}\n")), "{printed}");
    }
}

#[test]
fn macros_choose_what_is_compiled() {
    let place = Place::new("python3.9");
    let ran = place.run("switches.d", &["-C", "-DWANTED=\"fib\""]);
    let fib = usize::try_from(ran.counts["fib"]).expect("a count");
    assert_eq!(
        ran.printed.matches("fib!\n").count(),
        fib,
        "{}",
        ran.printed
    );
    let ran = place.run("switches.d", &["-C"]);
    assert_eq!(ran.printed.trim_end(), "nothing wanted");
}

#[test]
fn calls_of_the_system_processes_and_timers() {
    let ran = Place::new("python3.9").run("happenings.d", &[]);
    let lines: Vec<&str> = ran.printed.lines().collect();
    let printed = &ran.printed;
    let asked = ran.counts["asks"] * 17;
    for row in [
        format!("getppid asked {asked}"),
        format!("getppid answered {asked}"),
    ] {
        assert!(lines.contains(&row.as_str()), "{printed}");
    }
    assert_eq!(
        lines.iter().filter(|it| **it == "exec true").count(),
        1,
        "{printed}"
    );
    assert_eq!(
        lines.iter().filter(|it| **it == "exit").count(),
        1,
        "{printed}"
    );
    let last = lines
        .iter()
        .find_map(|it| it.strip_prefix("ticks "))
        .expect(printed);
    let (ticks, samples) = last.split_once(" samples ").expect(last);
    // It sleeps and burns for 120 ms at least; what a busy machine misses is skipped.
    assert!(ticks.parse::<i64>().expect(last) >= 3, "{last}");
    assert!(samples.parse::<i64>().expect(last) >= 3, "{last}");
}

#[test]
fn statistics_of_calls() {
    for name in INTERPRETERS {
        let ran = Place::new(name).run("statistics.stp", &[]);
        let printed = &ran.printed;
        let counts = ran.all_counts();
        let mut most: Vec<i64> = counts.values().copied().collect();
        most.sort_unstable_by(|a, b| b.cmp(a));
        let top = ran.printed.lines().filter_map(|it| it.strip_prefix("top "));
        let top: Vec<i64> = top
            .map(|it| it.rsplit(' ').next().expect(it).parse().expect(it))
            .collect();
        assert_eq!(top, most[..3], "{printed}");
        let depths = ran.rows("depth");
        let found: BTreeMap<String, i64> = depths
            .iter()
            .map(|(it, row)| (it.clone(), row[0]))
            .collect();
        assert_eq!(found, counts, "{printed}");
        // The module, start, and fib(6) with five of its kind below it at most.
        assert_eq!(depths["start"], [1, 2, 2], "{printed}");
        assert_eq!(depths["fib"][1..], [3, 8], "{printed}");
        let lines = format!("lines {}", counts.values().sum::<i64>());
        assert!(printed.lines().any(|it| it == lines), "{printed}");
        // fib(6) is at depth 3; 2 calls are at 4, 4 at 5, 8 at 6, 8 at 7, 2 at 8: 1 from 2 to 3, 22 from 4 to 7, 2 from 8.
        let bars: Vec<(&str, usize)> = printed
            .lines()
            .filter(|it| it.contains(" |@"))
            .map(|it| {
                (
                    it.split(" |").next().expect(it).trim(),
                    it.matches('@').count(),
                )
            })
            .collect();
        assert_eq!(bars, [("2", 1), ("4", 22), ("8", 2)], "{printed}");
    }
}

#[test]
fn the_languages_means_on_a_real_program() {
    for name in INTERPRETERS {
        let ran = Place::new(name).run("language.stp", &["branch"]);
        let printed = &ran.printed;
        assert!(
            printed.starts_with("caught division by 0, 2187\n"),
            "{printed}"
        );
        let calls = usize::try_from(ran.counts["branch"]).expect("a count");
        // thread_indent(2) begins one space in.
        assert_eq!(
            printed.matches("):  -> branch\n").count(),
            calls,
            "{printed}"
        );
        assert_eq!(
            printed.matches("):  <- branch\n").count(),
            calls,
            "{printed}"
        );
        assert_eq!(printed.matches("branch").count(), 2 * calls, "{printed}");
        let now = printed.lines().find_map(|it| it.strip_prefix("now "));
        assert_eq!(now.map(str::len), Some(24), "{printed}");
        let parameters = printed.lines().find_map(|it| it.strip_prefix("parms "));
        let parameters = parameters.expect(printed);
        assert!(parameters.starts_with("$arg1=0x"), "{printed}");
        // `def branch` is in line 16.
        assert!(parameters.ends_with(" $arg3=0x10"), "{printed}");
        let ran = Place::new(name).run("language.stp", &[]);
        let calls = usize::try_from(ran.counts["fib"]).expect("a count");
        assert_eq!(
            ran.printed.matches("-> fib\n").count(),
            calls,
            "{}",
            ran.printed
        );
    }
}

/// Of its own functions the one that burns CPU time is seen most; who sleeps is not sampled.
#[test]
fn samples_show_what_runs() {
    for name in INTERPRETERS {
        let ran = Place::new(name).run("profile.d", &["-C"]);
        let printed = &ran.printed;
        // Stacks stand by ascending count.
        let stacks = printed.split("\n\n").map(str::trim);
        let own: Vec<&str> = stacks
            .filter(|it| {
                let first = it.lines().next();
                first.is_some_and(|line| line.contains("program.py"))
            })
            .collect();
        let last = own.last().expect(printed);
        let functions: Vec<&str> = last
            .lines()
            .filter_map(|line| line.trim().split_once(" ("))
            .map(|(function, _)| function)
            .collect();
        assert_eq!(functions, ["burns", "start"], "{printed}");
        assert!(ran.numbers("name")["python"] >= 3, "{printed}");
    }
}
