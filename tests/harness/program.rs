//! A program under test: started with pipes, spoken to by lines.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use super::guard::{Guard, kill_tree};

/// A running program.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    _guard: Guard,
}

impl Program {
    /// Starts a command with its input and output in our hands.
    pub fn start(command: &mut Command) -> Program {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let guard = Guard::new(child.id() as i32);
        Program {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            _guard: guard,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The next line, without its end; empty at the end of the output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits for a line that says exactly this.
    pub fn expect(&mut self, expected: &str) {
        assert_eq!(self.line(), expected, "process {}", self.pid());
    }

    /// Sends a line.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        super::guard::signal(self.pid(), signal);
    }

    /// Closes its input, and gives the rest of the output and how it ended.
    pub fn end(self) -> (String, ExitStatus) {
        let (output, _, status) = self.end_with_errors();
        (output, status)
    }

    /// As [`Program::end`], with what it wrote to standard error if that was piped.
    pub fn end_with_errors(mut self) -> (String, String, ExitStatus) {
        self.input = None;
        let (mut rest, mut errors) = (Vec::new(), Vec::new());
        self.output.read_to_end(&mut rest).unwrap();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_end(&mut errors).unwrap();
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&rest), text(&errors), self.child.wait().unwrap())
    }
}

impl Drop for Program {
    /// A test that has failed leaves no process behind.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            kill_tree(self.child.id() as i32);
            let _ = self.child.wait();
        }
    }
}

/// The command; with `user` under an unprivileged user, when we are root. The signals that tests send are not ignored,
/// even if the tests themselves were started so (nohup).
pub fn command(user: bool, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT,TERM");
    if user && is_root() {
        command.args(["setpriv", "--reuid=65534", "--regid=65534"]);
        command.args(["--clear-groups", "--"]);
    }
    command.arg(program);
    command
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
