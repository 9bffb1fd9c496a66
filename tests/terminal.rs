//! Job control in a terminal: Ctrl-Z, bg, fg and Ctrl-C work on a traced job as on an untraced one, whether the shell
//! runs the tracer or the tracer the shell. Each conversation is held untraced first.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::harness::interpreters::{interpreter, program_file};
use crate::harness::pty::Terminal;
use crate::harness::task::{tasks, until};
use crate::harness::tracer::{PTPYTRACE, Scratch};

/// Writes a script `job` that runs the job, through the tracer or not.
fn write_job(folder: &Path, name: &str, traced: bool) {
    let python = interpreter(name).wrapper;
    let program = program_file("targets/job.py");
    let tracer = match traced {
        true => format!("{PTPYTRACE} -o {}/trace --", folder.display()),
        false => String::new(),
    };
    let job = folder.join("job");
    let text = format!(
        "#!/bin/sh\nexec {tracer} {} {} \"$@\"\n",
        python.display(),
        program.display()
    );
    fs::write(&job, text).unwrap();
    fs::set_permissions(&job, fs::Permissions::from_mode(0o755)).unwrap();
}

fn shell(folder: &Path, traced: bool) -> Command {
    let words = ["bash", "--norc", "--noediting", "-i"];
    let mut command = match traced {
        true => {
            let mut command = Command::new(PTPYTRACE);
            command
                .arg("-o")
                .arg(folder.join("trace"))
                .arg("--")
                .args(words);
            command
        }
        false => {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            command
        }
    };
    command
        .current_dir(folder)
        .env("PS1", "prompt> ")
        .env("HISTFILE", "/dev/null");
    command
}

/// All processes of the foreground group.
fn group(terminal: &Terminal) -> Vec<i32> {
    let wanted = terminal.foreground().to_string();
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let words = stat
            .rsplit_once(')')?
            .1
            .split_whitespace()
            .collect::<Vec<_>>();
        (words.get(2) == Some(&wanted.as_str())).then_some(pid)
    })
    .collect()
}

fn until_stopped(processes: &[i32]) {
    until("the job's processes are stopped", || {
        let mut states = processes.iter().flat_map(|pid| tasks(*pid));
        states.all(|task| "Tt".contains(task.state))
    });
}

/// Ctrl-Z, jobs, bg, jobs, fg, Ctrl-Z, fg, Ctrl-C.
fn converse(mut terminal: Terminal) -> Option<i32> {
    terminal.expect("prompt> ");
    terminal.say("./job one\n");
    terminal.expect("ready ['one']");
    let processes = group(&terminal);
    assert!(!processes.is_empty() && !processes.contains(&terminal.pid()));
    terminal.say("\x1a");
    terminal.expect("Stopped");
    terminal.expect("prompt> ");
    until_stopped(&processes);
    terminal.say("jobs\n");
    terminal.expect("Stopped");
    terminal.expect("prompt> ");
    terminal.say("bg\n");
    terminal.expect("continued 1");
    terminal.say("jobs\n");
    terminal.expect("Running");
    terminal.say("fg\n");
    terminal.expect("./job one\r\n");
    until("the job is in the foreground", || {
        group(&terminal) == processes
    });
    terminal.say("\x1a");
    terminal.expect("Stopped");
    terminal.expect("prompt> ");
    until_stopped(&processes);
    terminal.say("fg\n");
    terminal.expect("continued 2");
    terminal.say("\x03");
    terminal.expect("interrupted");
    terminal.expect("prompt> ");
    terminal.say("echo status=$?\n");
    terminal.expect("status=5\r\n");
    terminal.say("exit 3\n");
    terminal.end().code()
}

#[test]
fn jobs_of_a_shell_are_traced() {
    for name in ["python3.9", "python3.11", "python3.15"] {
        for traced in [false, true] {
            let scratch = Scratch::new();
            write_job(scratch.path(), name, traced);
            let terminal = Terminal::start(&mut shell(scratch.path(), false));
            assert_eq!(converse(terminal), Some(3), "{name}, traced {traced}");
            if traced {
                let trace = fs::read_to_string(scratch.file("trace")).unwrap();
                assert!(trace.contains(" => work in "), "{name}: {trace}");
            }
        }
    }
}

#[test]
fn a_shell_is_traced_with_its_jobs() {
    for traced in [false, true] {
        let scratch = Scratch::new();
        write_job(scratch.path(), "python3.9", false);
        let terminal = Terminal::start(&mut shell(scratch.path(), traced));
        assert_eq!(converse(terminal), Some(3), "traced {traced}");
        if traced {
            let trace = fs::read_to_string(scratch.file("trace")).unwrap();
            assert!(trace.contains(" => work in "), "{trace}");
        }
    }
}

#[test]
fn the_streams_are_the_terminal() {
    let python = interpreter("python3.9").wrapper;
    let scratch = Scratch::new();
    let trace = scratch.file("trace");
    let prefix = [
        Path::new(PTPYTRACE),
        Path::new("-o"),
        &trace,
        Path::new("--"),
    ];
    for prefix in [&[][..], &prefix[..]] {
        // A shell between, so that the program's parent is the session's leader when nothing traces it.
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "\"$@\"; exit $?", "sh"])
            .args(prefix)
            .arg(&python);
        shell
            .arg(program_file("targets/signals.py"))
            .arg("terminal");
        let mut terminal = Terminal::start(&mut shell);
        let leader = if prefix.is_empty() { "True" } else { "False" };
        terminal.expect(&format!("[True, True, True] True {leader} (0, 0)\r\n"));
        assert_eq!(terminal.end().code(), Some(0));
    }
    assert!(
        fs::read_to_string(&trace)
            .unwrap()
            .contains(" => terminal in ")
    );
}
