//! A program that knows how often it calls what, and a tracer that counts calls and returns: launched with it, or attached
//! and gone again while the program does what it is told by lines ([`program`](self) is `programs/engine/hazards.py`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use crate::harness::guard::{self, Guard};
use crate::harness::interpreters::{Interpreter, interpreter, program_file};
use crate::harness::memory::Code;
use crate::harness::program::{Program, command};
use crate::harness::task::{system_call, tasks, until};
use crate::harness::tracer::{Scratch, ptpytrace};

/// How often what was called, by function.
pub type Counts = BTreeMap<String, u64>;

/// Counts the calls of each function of the test programs.
pub const SCRIPT: &str = r#"
    #pragma D option quiet
    python*:::function-entry
    /strstr(copyinstr(arg0), "/programs/engine/") != NULL/
    { @calls[copyinstr(arg1)] = count(); }
    python*:::function-return
    /strstr(copyinstr(arg0), "/programs/engine/") != NULL/
    { @returns[copyinstr(arg1)] = count(); }
    END { printa("%s %@d\n", @calls); printf("--\n"); printa("%s %@d\n", @returns); }
"#;

/// Rows `function count`; others are passed over.
pub fn parse(text: &str) -> Counts {
    let mut counts = Counts::new();
    for (name, count) in text.lines().filter_map(|line| line.split_once(' ')) {
        if let Ok(count) = count.trim().parse::<u64>() {
            *counts.entry(name.to_owned()).or_default() += count;
        }
    }
    counts
}

/// What a tracer has left.
#[derive(Debug)]
pub struct Trace {
    pub calls: Counts,
    pub returns: Counts,
    /// What it said on standard error: with its `--stats`, as it is run with that.
    pub said: String,
}

impl Trace {
    /// From what was written.
    pub fn of(written: &str, said: String) -> Trace {
        let (calls, returns) = written
            .split_once("--\n")
            .unwrap_or_else(|| panic!("no tables: {said}"));
        Trace {
            calls: parse(calls),
            returns: parse(returns),
            said,
        }
    }

    /// Every function was called, and has returned, as often as the program says.
    #[track_caller]
    pub fn assert_exact(&self, title: &str, expected: &Counts) {
        assert!(!expected.is_empty(), "{title}: {}", self.said);
        for (function, count) in expected {
            let seen = (self.calls.get(function), self.returns.get(function));
            let wanted = (Some(count), Some(count));
            assert_eq!(seen, wanted, "{title}: {function}: {}", self.said);
        }
    }

    /// Whether the sites of the function markers record without a trap; fails where some do and some do not.
    #[track_caller]
    pub fn is_diverted(&self) -> bool {
        let count = |way: &str| self.said.matches(&format!(" {way} at 0x")).count();
        let traps = count("trap");
        let others: usize = ["retarget", "pun", "jump"].into_iter().map(count).sum();
        assert!(traps == 0 || others == 0, "{}", self.said);
        others > 0
    }

    /// Whether it said so.
    pub fn says(&self, what: &str) -> bool {
        self.said.contains(what)
    }
}

/// A program, and perhaps a tracer.
pub struct Session {
    pub name: &'static str,
    pub program: Program,
    /// The process that runs the program.
    pub pid: i32,
    pub scratch: Scratch,
    launched: bool,
    tracer: Option<(Child, Guard)>,
    /// What was called while it was traced.
    pub expected: Counts,
}

impl Session {
    /// Starts the program, untraced.
    pub fn start(name: &'static str) -> Session {
        Session::start_as(name, false)
    }

    /// As [`Session::start`], under an unprivileged user if that is wanted.
    pub fn start_as(name: &'static str, user: bool) -> Session {
        let found = interpreter(name);
        let mut command = command(user, &found.wrapper);
        Session::run(name, &mut command, &[])
    }

    /// Starts the program with a tracer from its beginning on; `words` is its first command.
    pub fn launch(name: &'static str, options: &[&str], words: &[&str]) -> Session {
        let scratch = Scratch::new();
        let mut tracer = ptpytrace(false);
        counting(&mut tracer, options);
        tracer.arg("-o").arg(scratch.file("trace"));
        tracer.stderr(File::create(scratch.file("said")).unwrap());
        tracer.arg("--").arg(interpreter(name).wrapper);
        let mut session = Session::run(name, &mut tracer, words);
        session.scratch = scratch;
        session.launched = true;
        session
    }

    /// As [`Session::start`], by an interpreter that is not one of the table.
    pub fn start_with(interpreter: &Interpreter) -> Session {
        let mut command = command(false, &interpreter.wrapper);
        Session::run("a copy", &mut command, &[])
    }

    fn run(name: &'static str, command: &mut Command, words: &[&str]) -> Session {
        command.arg(program_file("engine/hazards.py")).args(words);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let program = Program::start(command);
        let mut session = Session {
            name,
            pid: program.pid(),
            program,
            scratch: Scratch::new(),
            launched: false,
            tracer: None,
            expected: Counts::new(),
        };
        let said = session.lines_until("ready");
        session.expect(&said);
        session
    }

    /// Reads lines up to this one, or to the end.
    pub fn lines_until(&mut self, last: &str) -> String {
        let mut said = String::new();
        loop {
            let line = self.program.line();
            if line == last || line.is_empty() {
                return said;
            }
            said += &format!("{line}\n");
        }
    }

    /// These calls are to be in the trace.
    pub fn expect(&mut self, said: &str) {
        for (function, count) in parse(said) {
            // Other lines begin with a capital.
            if function.starts_with(|first: char| first.is_lowercase()) {
                *self.expected.entry(function).or_default() += count;
            }
        }
    }

    /// Has the program do something; gives what it says to that, but its counts count.
    pub fn ask(&mut self, command: &str) -> String {
        self.program.say(command);
        let said = self.lines_until("done");
        self.expect(&said);
        said
    }

    /// As [`Session::ask`], while nobody is to see it.
    pub fn ask_untraced(&mut self, command: &str) -> String {
        self.program.say(command);
        self.lines_until("done")
    }

    /// Attaches a tracer that counts, and waits until the function markers are armed.
    pub fn attach(&mut self, user: bool, options: &[&str]) {
        self.until_it_listens();
        let mut tracer = ptpytrace(user);
        counting(&mut tracer, options);
        self.start_tracer(tracer);
        self.expected.clear();
    }

    /// As [`Session::attach`], for a tracer that prints lines.
    pub fn attach_with(&mut self, options: &[&str]) {
        let mut tracer = ptpytrace(false);
        tracer.arg("--stats").args(options);
        self.start_tracer(tracer);
    }

    /// Has a tracer attach, and waits until the function markers are armed.
    fn start_tracer(&mut self, mut tracer: Command) {
        tracer.args(["-v", "-p", &self.pid.to_string(), "-o"]);
        tracer.arg(self.scratch.file("trace"));
        tracer.stdin(Stdio::null());
        tracer.stderr(File::create(self.scratch.file("said")).unwrap());
        self.tracer_is(tracer.spawn().unwrap());
        self.until_armed();
    }

    /// Tells a tracer that prints lines to leave; gives what it has printed and said.
    pub fn leave_lines(&mut self) -> (String, String) {
        guard::signal(self.tracer_pid(), libc::SIGINT);
        self.tracer_gone();
        let read = |file: &str| fs::read_to_string(self.scratch.file(file)).unwrap();
        (read("trace"), read("said"))
    }

    /// Waits until the program has returned from all that it has called, and reads.
    pub fn until_it_listens(&self) {
        const READ: i64 = 0; // on x86-64
        until("it waits for a command", || {
            system_call(self.pid) == Some(READ)
        });
    }

    /// Waits until the markers are armed: then the tracer (`-v`) says so.
    pub fn until_armed(&mut self) {
        let attached = format!("process {}: attached", self.pid);
        let said = self.scratch.file("said");
        until("the markers are armed", || {
            fs::read_to_string(&said).is_ok_and(|it| it.contains(&attached))
                || self.tracer_has_ended()
        });
    }

    /// Waits for the end of an attached tracer, however it ends.
    pub fn tracer_gone(&mut self) {
        let (mut tracer, _guard) = self.tracer.take().expect("a tracer");
        tracer.wait().unwrap();
    }

    /// This process traces the program.
    pub fn tracer_is(&mut self, tracer: Child) {
        let guard = Guard::new(tracer.id() as i32);
        self.tracer = Some((tracer, guard));
    }

    /// The tracer's process id.
    pub fn tracer_pid(&self) -> i32 {
        let attached = self.tracer.as_ref().map(|(it, _)| it.id() as i32);
        attached.unwrap_or(self.pid)
    }

    fn tracer_has_ended(&mut self) -> bool {
        let tracer = self.tracer.as_mut();
        tracer.is_none_or(|(it, _)| it.try_wait().unwrap().is_some())
    }

    /// Waits for the end of an attached tracer, and gives what it has left.
    pub fn tracer_ends(&mut self) -> Trace {
        let (mut tracer, _guard) = self.tracer.take().expect("a tracer");
        let status = tracer.wait().unwrap();
        let read = |file: &str| fs::read_to_string(self.scratch.file(file)).unwrap_or_default();
        let said = read("said");
        assert!(status.success(), "{}: {status}: {said}", self.name);
        Trace::of(&read("trace"), said)
    }

    /// Tells an attached tracer to leave.
    pub fn leave(&mut self) -> Trace {
        guard::signal(self.tracer_pid(), libc::SIGINT);
        self.tracer_ends()
    }

    /// As [`Session::assert_restored`], and nothing of the tracer's is mapped.
    #[track_caller]
    pub fn assert_clean(&self, when: &str) {
        self.assert_restored(when);
        let left = self.mappings();
        assert!(left.is_empty(), "{}, {when}: {left:?}", self.name);
    }

    /// Nobody traces the program, and its code is as in its files.
    #[track_caller]
    pub fn assert_restored(&self, when: &str) {
        let (pid, name) = (self.pid, self.name);
        let traced = tasks(pid).into_iter().any(|task| task.tracer != 0);
        assert!(!traced, "{name}, {when}: it is traced");
        let differences = Code::default().differences(pid);
        assert_eq!(differences, [""; 0], "{name}, {when}");
    }

    /// The lines of /proc/PID/maps that show memory shared with a tracer.
    pub fn mappings(&self) -> Vec<String> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap();
        let lines = maps.lines().filter(|line| line.contains("memfd:ptpytrace"));
        lines.map(str::to_owned).collect()
    }

    /// Ends the program, which must have been right, and with it its tracer. Gives what that has left.
    pub fn end(mut self) -> (Option<Trace>, Counts) {
        let name = self.name;
        let traced = self.launched || self.tracer.is_some();
        let (output, status) = self.program.end();
        if let Some((mut tracer, _guard)) = self.tracer.take() {
            let status = tracer.wait().unwrap();
            assert!(status.success(), "{name}: {status}");
        }
        let read = |file: &str| fs::read_to_string(self.scratch.file(file)).unwrap_or_default();
        let said = read("said");
        assert!(status.success(), "{name}: {status}: {output}{said}");
        assert!(output.ends_with("right\n"), "{name}: {output}{said}");
        let trace = traced.then(|| Trace::of(&read("trace"), said));
        (trace, self.expected)
    }

    /// As [`Session::end`] of one that was traced to the end: every call was seen.
    #[track_caller]
    pub fn ends_exact(self, title: &str) -> Trace {
        let title = format!("{}, {title}", self.name);
        let (trace, expected) = self.end();
        let trace = trace.expect("a trace");
        trace.assert_exact(&title, &expected);
        trace
    }
}

/// The options of a tracer that counts.
pub fn counting(command: &mut Command, options: &[&str]) {
    command.arg("--stats").args(options);
    command.args(["--lang", "dtrace", "-e", SCRIPT]);
}
