//! Programs that live from signals, and what a program inherits: traced, all is as untraced. Each program of
//! `targets/signals.py` is run untraced and traced, and must print the same and end in the same way.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use crate::harness::interpreters::{WITH_FUNCTIONS, interpreter, program_file};
use crate::harness::program::{self, command};
use crate::harness::task::until;
use crate::harness::tracer::{PTPYTRACE, Scratch, ptpytrace, run};

/// How ptpytrace ends when its command ends so.
fn passed_on(output: &Output) -> i32 {
    let status = output.status;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a program untraced and traced, compares the two, and gives what it printed.
fn compare(name: &str, words: &[&str], options: &[&str], user: bool) -> (String, i32) {
    let scratch = Scratch::new();
    let wrapper = interpreter(name).wrapper;
    let file = program_file("targets/signals.py");
    let mut untraced = command(user, &wrapper);
    let untraced = run(untraced.arg(&file).args(words));
    let mut traced = ptpytrace(user);
    traced
        .args(options)
        .arg("-o")
        .arg(scratch.file("trace"))
        .arg("--")
        .arg(&wrapper);
    let traced = run(traced.arg(&file).args(words));
    let about = format!("{name} {words:?}, user {user}");
    assert_eq!(
        text(&traced.stdout),
        text(&untraced.stdout),
        "{about}: {}",
        text(&traced.stderr)
    );
    assert_eq!(text(&traced.stderr), text(&untraced.stderr), "{about}");
    let status = traced.status.code().expect("ptpytrace exits");
    assert_eq!(status, passed_on(&untraced), "{about}");
    let trace = std::fs::read_to_string(scratch.file("trace")).unwrap();
    assert!(
        trace.contains(&format!(" => {} in ", words[0])),
        "{about}: it was not traced"
    );
    (text(&traced.stdout), status)
}

/// As untraced with each interpreter, and as an ordinary user.
fn same(program: &str, printed: &str, status: i32) {
    for (name, user) in WITH_FUNCTIONS
        .map(|name| (name, false))
        .into_iter()
        .chain([("python3.9", true)])
    {
        let seen = compare(name, &[program], &[], user);
        assert_eq!(seen, (format!("{printed}\n"), status), "{name} {program}");
    }
}

#[test]
fn sigtrap_has_a_handler() {
    same("trap_handler", "300 True", 0);
}

#[test]
fn sigtrap_comes_from_another_process_in_a_storm() {
    same("trap_storm", "True True", 0);
}

#[test]
fn sigtrap_is_ignored_by_the_program() {
    same("trap_ignored", "True", 0);
}

#[test]
fn sigtrap_ignored_by_the_program_is_seen_by_others() {
    same("trap_ignored_visibly", "survived\nTrue", 0);
}

#[test]
fn sigtrap_is_blocked() {
    same("trap_blocked", "taken", 0);
}

#[test]
fn sigtrap_is_blocked_in_some_threads_and_handled_in_another() {
    same("trap_blocked_in_thread", "50", 0);
}

#[test]
fn sigtrap_by_default_ends_the_program() {
    same("trap_default", "before", 133);
}

#[test]
fn a_breakpoint_of_its_own() {
    same("own_breakpoint", "100", 0);
}

#[test]
fn alarms_in_a_storm() {
    same("alarm_storm", "True True True", 0);
}

#[test]
fn the_wakeup_descriptor_gets_each_number() {
    same("wakeup_fd", "bytes right", 0);
}

#[test]
fn real_time_signals_keep_order_and_values() {
    same("queued_values", "values right", 0);
}

#[test]
fn handlers_get_the_senders_values() {
    same("delivered_values", "values right", 0);
}

#[test]
fn handlers_on_an_alternate_stack() {
    same("alternate_stack", "stacks right", 0);
}

#[test]
fn ends_of_children_are_announced() {
    same("child_signals", "True", 0);
}

#[test]
fn stopping_and_continuing_is_seen_by_the_parent() {
    same("stop_and_continue", "states right", 0);
}

#[test]
fn exec_that_fails_after_vfork() {
    same("failing_exec", "all failed as they must", 0);
}

#[test]
fn affinity_never_changes() {
    same("affinity", "0", 0);
}

/// ptrace(2): a process has one tracer at most, so a program's own tracing of a child needs --no-follow.
#[test]
fn a_program_that_traces_its_own_child() {
    for name in WITH_FUNCTIONS {
        let seen = compare(name, &["tracing_itself"], &["--no-follow"], false);
        assert_eq!(seen, ("21\n".to_owned(), 0), "{name}");
    }
}

/// A shell command that starts a program with something inherited: $@ is the program.
fn through_shell(setup: &str, words: &[&str], user: bool) -> Output {
    let mut shell = command(user, "/bin/bash");
    run(shell.args(["-c", setup, "sh"]).args(words))
}

fn inherited_under(setup: &str, program: &str, user: bool) -> String {
    let scratch = Scratch::new();
    let wrapper = interpreter("python3.9").wrapper;
    let file = program_file("targets/signals.py");
    let trace = scratch.file("trace");
    let words = [wrapper.to_str().unwrap(), file.to_str().unwrap(), program];
    let untraced = through_shell(setup, &words, user);
    let prefix = [PTPYTRACE, "-o", trace.to_str().unwrap(), "--"];
    let traced = through_shell(setup, &[&prefix[..], &words[..]].concat(), user);
    let (seen, expected) = (text(&traced.stdout), text(&untraced.stdout));
    assert_eq!(seen, expected, "{setup}: {}", text(&traced.stderr));
    assert!(
        untraced.status.success() && traced.status.success(),
        "{setup}"
    );
    assert!(
        trace.metadata().unwrap().len() > 0,
        "{setup}: it was not traced"
    );
    seen
}

#[test]
fn all_that_is_inherited_is_the_same() {
    let setups = [
        "exec \"$@\"",
        "trap '' PIPE INT HUP TERM USR1 RTMIN RTMAX-2; exec \"$@\"",
        "exec nohup \"$@\"",
        "umask 027; cd /usr; exec nice -n 3 \"$@\"",
        "exec 5</dev/null 7>/dev/null; A=b exec \"$@\" </dev/zero",
        "exec taskset 1 \"$@\"",
    ];
    for setup in setups {
        for user in [false, true] {
            let seen = inherited_under(setup, "inherited", user);
            assert!(
                seen.contains("SigIgn") && seen.contains("PYTHONHOME"),
                "{seen}"
            );
        }
    }
}

#[test]
fn sigtrap_ignored_at_exec_stays_ignored() {
    let seen = inherited_under("trap '' TRAP; exec \"$@\"", "trap_inherited", false);
    assert_eq!(seen, "True False\n");
}

/// The signal mask is inherited too; a shell cannot set it, Python can.
#[test]
fn blocked_signals_stay_blocked() {
    let code = "import os, signal, sys; \
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTRAP, signal.SIGUSR2, signal.SIGINT, 40]); \
                os.execvp(sys.argv[1], sys.argv[1:])";
    let python = interpreter("python3.9").wrapper;
    let setup = format!("exec {} -c '{code}' \"$@\"", python.display());
    let seen = inherited_under(&setup, "inherited", false);
    assert!(seen.contains("'0000008000000812'"), "{seen}");
}

#[test]
fn exit_statuses_and_fatal_signals_are_passed_on() {
    let scratch = Scratch::new();
    let wrapper = interpreter("python3.9").wrapper;
    let python = |code: &str| {
        let mut tracer = ptpytrace(false);
        tracer
            .arg("-o")
            .arg(scratch.file("trace"))
            .arg("--")
            .arg(&wrapper)
            .args(["-c", code]);
        run(&mut tracer).status.code()
    };
    for status in [0, 1, 77, 255] {
        assert_eq!(python(&format!("raise SystemExit({status})")), Some(status));
        assert_eq!(
            python(&format!("import os; os._exit({status})")),
            Some(status)
        );
    }
    for signal in [
        libc::SIGSEGV,
        libc::SIGKILL,
        libc::SIGABRT,
        libc::SIGINT,
        libc::SIGTERM,
        40,
    ] {
        let code = format!(
            "import os, signal\nif {signal} != 9: signal.signal({signal}, signal.SIG_DFL)\nos.kill(os.getpid(), {signal})"
        );
        assert_eq!(python(&code), Some(128 + signal));
    }
}

/// The daemon is followed, and the tracer ends when it ends, with the command's status.
#[test]
fn a_daemon_is_followed() {
    let scratch = Scratch::new();
    let trace = scratch.file("trace");
    let mark = scratch.file("mark");
    let mut tracer = Command::new(PTPYTRACE);
    tracer
        .arg("-o")
        .arg(&trace)
        .arg("--")
        .arg(interpreter("python3.9").wrapper);
    tracer
        .arg(program_file("targets/signals.py"))
        .arg("daemon")
        .arg(&mark);
    let mut tracer = program::Program::start(&mut tracer);
    tracer.expect("daemon started");
    until("the daemon's calls are in the trace", || {
        std::fs::read_to_string(&trace).is_ok_and(|text| text.contains(" => daemon in "))
    });
    assert!(!mark.exists());
    let (rest, status) = tracer.end(); // the end of its input lets the daemon go on
    assert_eq!((rest.as_str(), status.code()), ("", Some(0)));
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "34 True\n");
    let text = std::fs::read_to_string(&trace).unwrap();
    assert!(text.contains(" => leave_a_mark in "), "{text}");
}
