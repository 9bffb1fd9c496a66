//! The tracer is killed with SIGKILL at random moments: no program dies of that or computes anything wrong, and nothing is
//! left in its memory. The seed is printed; `PTPYTRACE_SEED` sets it, `PTPYTRACE_CYCLES` how often each program is tried,
//! and `PTPYTRACE_ONLY` a part of the descriptions of those cases that are.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::harness::guard;
use crate::harness::interpreters::{Interpreter, interpreter, program_file};
use crate::harness::memory::{Code, Semaphores};
use crate::harness::program::Program;
use crate::harness::tracer::{PTPYTRACE, Scratch, ptpytrace};

/// Native markers with and without the entry marker's companion, and injected ones.
const INTERPRETERS: [&str; 3] = ["python3.9", "python3.11", "python3.13"];
/// The ways in which the program works.
const WAYS: [&str; 4] = ["alone", "threads", "forks", "spawns"];
/// A function of the interpreter, in which every thread is all the time.
const LOOP: &str =
    "pid$target::_PyEval_EvalFrameDefault:entry, pid$target::_PyEval_EvalFrameDefault:return
    { @ = count(); }";
/// What is traced: function markers, or all of them, with breakpoints and without; or a function of the interpreter.
const WANTED: [&[&str]; 5] = [
    &["--engine", "trap"],
    &["--engine", "trap", "-m", "*"],
    &["--engine", "jump"],
    &["--engine", "jump", "-m", "*"],
    &["--lang", "dtrace", "-e", LOOP],
];

fn number(name: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => otherwise(),
    }
}

/// How often each program's tracer is killed.
fn cycles() -> u64 {
    number("PTPYTRACE_CYCLES", || 2)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn moment(&mut self, milliseconds: u64) {
        std::thread::sleep(Duration::from_micros(self.below(milliseconds * 1000)));
    }
}

/// A program under a reaper, launched by a tracer or not.
struct Case {
    interpreter: Interpreter,
    way: &'static str,
    about: String,
    /// Sites may be diverted: such a site stays so, and its code records nothing.
    diverts: bool,
    scratch: Scratch,
}

impl Case {
    fn start(&self, launcher: &[&str]) -> Program {
        let mut command = std::process::Command::new("python3");
        command
            .arg(program_file("targets/reaper.py"))
            .args(launcher);
        command.arg(&self.interpreter.wrapper);
        command.arg(program_file("targets/toiler.py")).arg(self.way);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Program::start(command.stderr(Stdio::inherit()))
    }

    /// Waits until the guard has put everything back.
    fn until_it_is_clean(&self, pid: i32) {
        let begun = Instant::now();
        while let Some(remains) = self.remains(pid) {
            let waited = begun.elapsed();
            assert!(
                waited < Duration::from_secs(60),
                "{}: {remains}",
                self.about
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What is not as it was in a program's memory; `None` for one that has died, which has an end of its own to tell.
    fn remains(&self, pid: i32) -> Option<String> {
        if !Path::new(&format!("/proc/{pid}")).exists() {
            return None;
        }
        let values = Semaphores::of(&self.interpreter.notes).values(pid);
        if values.iter().any(|value| *value != 0) {
            return Some(format!("semaphores: {values:?}"));
        }
        if self.diverts {
            return None;
        }
        let found = Code::default().differences_if_alive(pid).ok()?;
        (!found.is_empty()).then(|| format!("{found:?}"))
    }

    /// The tracer has been killed: the program, if it has ever begun, goes on to its right end.
    /// Gives how many children of it were exposed: made by vfork when the tracer died (see `fastpath::guard`).
    fn goes_on(&self, mut program: Program, mut lines: Vec<String>, tracer: Option<i32>) -> u64 {
        let seen = |lines: &[String], word: &str| lines.iter().any(|line| line.starts_with(word));
        while !seen(&lines, "ready") {
            let line = program.line();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let about = &self.about;
        let pid = lines.iter().find_map(|line| line.strip_prefix("program "));
        if let Some(pid) = pid {
            assert!(seen(&lines, "ready"), "{about}: {lines:?}");
            self.until_it_is_clean(pid.parse().unwrap());
            program.say("");
        }
        let pid = pid.map(str::to_owned);
        let (rest, status) = program.end();
        assert!(status.success(), "{about}");
        lines.extend(rest.lines().map(str::to_owned));
        let ended: BTreeMap<&str, &str> = lines
            .iter()
            .filter_map(|line| line.strip_prefix("ended ")?.split_once(' '))
            .collect();
        let tracer = tracer.map(|pid| pid.to_string());
        for (ended, status) in &ended {
            let right: &[&str] = match (Some(*ended), &pid) {
                (ended, _) if ended == tracer.as_deref() => &["-9"],
                (ended, Some(pid)) if ended == Some(pid) => &["0"],
                (_, Some(_)) => &["0", "7"], // orphans
                (_, None) => &["0", "127"],  // a command that has not been run
            };
            assert!(
                right.contains(status),
                "{about}: {ended} {status}: {lines:?}"
            );
        }
        let result = lines
            .iter()
            .find(|line| line.starts_with("right") || line.starts_with("wrong"));
        assert_eq!(
            result.map(String::as_str),
            pid.map(|_| "right"),
            "{about}: {lines:?}"
        );
        let exposed = lines.iter().find_map(|line| line.strip_prefix("exposed "));
        exposed.map_or(0, |count| count.parse().unwrap())
    }

    fn launched(&self, random: &mut Random, wanted: &[&str]) -> u64 {
        let trace = self.scratch.file("trace");
        let mut words = vec![PTPYTRACE, "-o", trace.to_str().unwrap()];
        words.extend(wanted);
        words.push("--");
        let mut program = self.start(&words);
        let started = program.line();
        let tracer: i32 = started.strip_prefix("started ").unwrap().parse().unwrap();
        let mut lines = Vec::new();
        if random.below(2) == 0 {
            random.moment(400);
        } else {
            while lines.last().is_none_or(|line| line != "ready") {
                lines.push(program.line());
                assert!(
                    lines.last().is_some_and(|line| !line.is_empty()),
                    "{}",
                    self.about
                );
            }
            random.moment(50);
        }
        guard::signal(tracer, libc::SIGKILL);
        self.goes_on(program, lines, Some(tracer))
    }

    fn attached(&self, random: &mut Random, wanted: &[&str]) -> u64 {
        let mut program = self.start(&[]);
        let mut lines = vec![program.line()];
        while lines.last().is_some_and(|line| line != "ready") {
            lines.push(program.line());
        }
        let pid = lines
            .iter()
            .find_map(|line| line.strip_prefix("program "))
            .unwrap();
        let mut tracer = ptpytrace(false);
        tracer
            .args(wanted)
            .args(["-p", pid, "-o"])
            .arg(self.scratch.file("trace"));
        let mut tracer = tracer.spawn().unwrap();
        random.moment(200);
        if random.below(3) == 0 {
            guard::signal(tracer.id() as i32, libc::SIGINT); // it is killed while it leaves
            random.moment(20);
        }
        tracer.kill().unwrap();
        tracer.wait().unwrap();
        self.goes_on(program, lines, None)
    }
}

fn killed(way: &'static str, run: impl Fn(&Case, &mut Random, &[&str]) -> u64) {
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64
    };
    let seed = number("PTPYTRACE_SEED", clock);
    let only = std::env::var("PTPYTRACE_ONLY").unwrap_or_default();
    let mut random = Random(seed);
    let (mut exposed, mut cases) = (0, 0);
    for cycle in 0..cycles() {
        for name in INTERPRETERS {
            let wanted = WANTED[random.below(WANTED.len() as u64) as usize];
            let case = Case {
                interpreter: interpreter(name),
                way,
                diverts: wanted.contains(&"jump"),
                about: format!("{name} {way} {wanted:?}, cycle {cycle} of seed {seed}"),
                scratch: Scratch::new(),
            };
            if !case.about.contains(&only) {
                continue;
            }
            assert!(Path::new(&case.interpreter.wrapper).exists());
            println!("{}", case.about);
            let more = run(&case, &mut random, wanted);
            assert!(more <= 1, "{}: {more} children were exposed", case.about);
            exposed += more;
            cases += 1;
        }
    }
    println!("{exposed} children exposed in {cases} cases");
    assert!(exposed <= 1 + cases / 10, "{exposed} of {cases}");
}

#[test]
fn launched_programs_survive_a_killed_tracer() {
    WAYS.into_iter().for_each(|way| killed(way, Case::launched));
}

#[test]
fn attached_programs_survive_a_killed_tracer() {
    WAYS.into_iter().for_each(|way| killed(way, Case::attached));
}
