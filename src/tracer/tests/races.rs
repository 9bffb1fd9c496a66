//! What a process does while it is being attached: each race is made to go wrong, once.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::space::AddressSpace;
use super::wait::ChildKind;
use super::*;
use crate::event::Seen;
use crate::fastpath::guard::Guard;
use crate::plan::{Capture, FunctionPoint, Place, Point, Request, Within};
use crate::probe::glob::Glob;
use crate::process::memory::ProcessMemory;

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(60);

type Meanwhile = Box<dyn FnMut(i32)>;

thread_local! {
    /// What happens before each thread is seized.
    static MEANWHILE: RefCell<Option<Meanwhile>> = const { RefCell::new(None) };
}

/// Called before a thread is seized.
pub fn meanwhile(tid: i32) {
    let act = MEANWHILE.with_borrow_mut(Option::take);
    if let Some(mut act) = act {
        act(tid);
        MEANWHILE.set(Some(act));
    }
}

/// A program in Python that is told to go on by bytes.
struct Target {
    pid: i32,
    /// Its end is seen by the tracer, which is of the same process.
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Ends the watch over it.
    _done: mpsc::Sender<()>,
}

impl Target {
    /// Starts it, and waits for its line "ready".
    fn start(code: &str) -> Target {
        let mut program = Program::new(interpreter());
        program.args(["-c", code]).process_group(0);
        program.stdin(Stdio::piped()).stdout(Stdio::piped());
        let spawn = move || program.spawn().expect("it starts");
        let mut child = thread::spawn(spawn).join().expect("it starts");
        let pid = child.id() as i32;
        let (done, wait) = mpsc::channel::<()>();
        thread::spawn(move || {
            if wait.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = sys::signal_process(-pid, libc::SIGKILL); // with its children: the test hangs
            }
        });
        let mut target = Target {
            pid,
            input: child.stdin.take().expect("piped"),
            output: BufReader::new(child.stdout.take().expect("piped")),
            _child: child,
            _done: done,
        };
        assert_eq!(target.line(), "ready");
        target
    }

    fn go_on(&mut self) {
        self.input.write_all(b"x").expect("it runs");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output");
        line.trim_end().to_owned()
    }

    /// Waits for its first child.
    fn offspring(&self) -> i32 {
        let list = format!("/proc/{0}/task/{0}/children", self.pid);
        let begin = Instant::now();
        loop {
            let text = fs::read_to_string(&list).expect("it runs");
            if let Some(child) = text.split_whitespace().next() {
                return child.parse().expect("a number");
            }
            assert!(begin.elapsed() < LIMIT, "no child");
            thread::yield_now();
        }
    }
}

/// Whether it is a call of `f` by a process.
fn is_call(delivery: &Delivery, pid: i32) -> bool {
    match delivery {
        Delivery::Event(event) if event.pid == pid => match &event.kind {
            EventKind::Fired { probe, args } if probe.name == "function__entry" => {
                matches!(args.get(1).map(|arg| &arg.seen), Some(Seen::Text(text)) if text.bytes == b"f")
            }
            _ => false,
        },
        _ => false,
    }
}

/// How many calls of `f` a process was seen to make.
fn calls(deliveries: &Receiver<Delivery>, pid: i32) -> usize {
    deliveries.try_iter().filter(|it| is_call(it, pid)).count()
}

/// Makes a hundred calls when it is told to.
const CALLS: &str = "import os\ndef f(): return 3\nprint(\"up\", flush=True)\nos.read(0, 1)\nfor _ in range(100): f()\nprint(\"done\")";

/// Attaches while the process runs [`CALLS`] instead of what it was, and gives how many calls are seen then.
fn calls_after_exec(code: &str, by_leader: bool) -> usize {
    let target = Target::start(&code.replace("CALLS", &format!("{CALLS:?}")));
    let (mut tracer, deliveries) = tracer();
    let pid = target.pid;
    let (tell, told) = mpsc::channel();
    let mut target = Some(target);
    MEANWHILE.set(Some(Box::new(move |tid| {
        if (tid == pid) == by_leader
            && let Some(mut target) = target.take()
        {
            target.go_on();
            assert_eq!(target.line(), "up");
            tell.send(target).expect("awaited");
        }
    })));
    tracer.attach(pid).expect("attached");
    let mut target = told.try_recv().expect("it has called exec");
    MEANWHILE.set(None);
    target.go_on();
    tracer.run();
    assert_eq!(target.line(), "done");
    calls(&deliveries, pid)
}

#[test]
fn an_exec_before_it_is_held() {
    let code = "import os, sys\nprint('ready', flush=True)\nos.read(0, 1)\n\
                os.execv(sys.executable, [sys.executable, '-c', CALLS])";
    assert_eq!(calls_after_exec(code, true), 100);
}

#[test]
fn an_exec_by_a_thread_that_is_not_held_yet() {
    let code = "import os, sys, threading\n\
                def run():\n  os.read(0, 1)\n  os.execv(sys.executable, [sys.executable, '-c', CALLS])\n\
                thread = threading.Thread(target=run)\nthread.start()\nprint('ready', flush=True)\nthread.join()";
    assert_eq!(calls_after_exec(code, false), 100);
}

/// Forks when it is told to; the child makes a hundred calls.
const FORKS: &str = "import os, sys\ndef f(): return 3\nprint('ready', flush=True)\nos.read(0, 1)\n\
                     pid = os.fork()\n\
                     if pid == 0:\n  for _ in range(100): f()\n  os.write(1, b'right\\n')\n  os._exit(7)\n\
                     print(os.waitpid(pid, 0)[1] >> 8)";

#[test]
fn a_child_that_is_found_before_its_parent_tells_of_it() {
    let mut target = Target::start(FORKS);
    let (mut tracer, deliveries) = tracer();
    tracer.attach(target.pid).expect("attached");
    target.go_on();
    let child = target.offspring();
    tracer.attach_quietly(child);
    tracer.run();
    assert_eq!(target.line(), "right");
    assert_eq!(target.line(), "7");
    assert_eq!(calls(&deliveries, child), 100);
}

/// The kernel lets the stop for a fork count as the one that a thread was told to make. Another one has to follow, for the
/// shield, before breakpoints come.
#[test]
fn a_process_that_forks_just_then_has_a_shield_before_it_runs_on() {
    let code = "import os\nprint('ready', flush=True)\nos.read(0, 1)\n\
                if (pid := os.fork()) == 0: os._exit(7)\n\
                os.read(0, 1)\nprint(os.waitpid(pid, 0)[1] >> 8)";
    let mut target = Target::start(code);
    let pid = target.pid;
    let (mut tracer, _deliveries) = tracer();
    let (guard, end) = Guard::absent().expect("a line");
    tracer.set_guard(guard);
    let memory = ProcessMemory::open(pid).expect("it runs");
    let space = tracer.table.add_space(AddressSpace {
        memory: Some(Arc::new(memory)),
        ..AddressSpace::default()
    });
    tracer.table.add_process(pid, space, true);
    tracer.seize_threads(pid).expect("seized");
    target.go_on();
    let fork = wait::wait_for(pid, LIMIT);
    assert!(
        matches!(fork, Waited::Stopped(_, Stop::Child(_))),
        "{fork:?}"
    );
    tracer.deferred.push_back(fork); // as if it had been told to stop before
    tracer.learn_signals(pid, space, true);
    assert!(tracer.is_shielded(pid));
    drop(end); // nobody is to wait for that
    tracer.look_through(pid);
    tracer.tell_start(pid);
    target.go_on();
    tracer.run();
    assert_eq!(target.line(), "7");
}

/// Stops of the main thread are awaited then; a child's is not one of them.
#[test]
fn a_child_that_stops_before_its_parent_tells_of_it_while_an_agent_is_to_be_installed() {
    let mut target = Target::start(FORKS);
    let (mut tracer, _deliveries) = tracer_with(MarkerSource::Injected);
    tracer.attach(target.pid).expect("attached");
    target.go_on();
    let (parent, fork) = loop {
        match wait::wait_for(target.pid, Duration::from_millis(1)) {
            Waited::Stopped(thread, stop @ Stop::Child(_)) => break (thread, stop),
            Waited::Stopped(thread, stop) => tracer.stopped(thread, stop),
            Waited::Interrupted => {}
            ended => panic!("{ended:?}"),
        }
    };
    let child = parent.event_message().expect("it stands");
    let first = wait::wait_for(child, LIMIT);
    let Waited::Stopped(thread, Stop::Trap) = first else {
        panic!("{first:?}");
    };
    assert!(!tracer.missions.is_empty(), "the agent is there already");
    tracer.stopped(thread, Stop::Trap);
    assert!(tracer.early.contains_key(&child), "it runs on");
    tracer.stopped(parent, fork);
    tracer.run();
    assert_eq!(target.line(), "right");
    assert_eq!(target.line(), "7");
}

/// The kernel may let the stop for a fork count as the one that was asked for.
#[test]
fn a_process_that_forks_just_when_the_agent_is_to_be_installed() {
    let mut target = Target::start(FORKS);
    let pid = target.pid;
    let (mut tracer, _deliveries) = tracer_with(MarkerSource::Injected);
    tracer.attach(pid).expect("attached");
    let next = |tracer: &mut Tracer| loop {
        tracer.tend_missions();
        match wait::wait_for(pid, Duration::from_millis(1)) {
            Waited::Stopped(thread, stop) => break (thread, stop),
            Waited::Interrupted => {}
            ended => panic!("{ended:?}"),
        }
    };
    let (thread, stop) = next(&mut tracer);
    assert_eq!(stop, Stop::Trap);
    thread.resume(0); // as if it had not come to that
    target.go_on();
    let (thread, stop) = next(&mut tracer);
    assert_eq!(stop, Stop::Child(ChildKind::Fork));
    tracer.stopped(thread, stop);
    let stop = wait::wait_for(pid, LIMIT / 6);
    let Waited::Stopped(thread, Stop::Trap) = stop else {
        panic!("{stop:?}"); // it waits for its child, which waits for the tracer
    };
    tracer.stopped(thread, Stop::Trap);
    assert!(tracer.calls.contains_key(&pid));
    tracer.run();
    assert_eq!(target.line(), "right");
    assert_eq!(target.line(), "7");
}

#[test]
fn a_child_whose_parent_is_killed_before_it_tells_of_it() {
    let mut target = Target::start(FORKS);
    let (mut tracer, deliveries) = tracer();
    let pid = target.pid;
    tracer.attach(pid).expect("attached");
    target.go_on();
    let child = target.offspring();
    sys::signal_process(pid, libc::SIGKILL).expect("killed");
    // Whether its end or the child's stop is seen first, is the kernel's choice: here its end.
    while let Ok(status) = sys::wait_one(pid) {
        let stop = Stop::from_status(status);
        if matches!(stop, Stop::Killed(libc::SIGKILL)) {
            tracer.ended(pid, stop);
            break;
        }
    }
    tracer.run();
    assert_eq!(target.line(), "right");
    assert_eq!(calls(&deliveries, child), 100);
}

#[test]
fn a_child_that_lives_in_its_parents_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = folder.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    // In the child, before its exec, the gate is opened: it waits there, and its parent for it.
    let code = format!(
        "import os, sys\ndef f(): return 3\nprint('ready', flush=True)\n\
         open_gate = [(os.POSIX_SPAWN_OPEN, 9, {:?}, os.O_RDONLY, 0)]\n\
         pid = os.posix_spawn('/bin/true', ['true'], {{}}, file_actions=open_gate)\n\
         for _ in range(100): f()\n\
         print(os.waitpid(pid, 0)[1])",
        gate.display().to_string()
    );
    let mut target = Target::start(&code);
    let (mut tracer, deliveries) = tracer();
    let (pid, child) = (target.pid, target.offspring());
    let refused = tracer.attach(child).expect_err("it lives elsewhere");
    assert!(matches!(refused, AttachError::Borrowed { parent, .. } if parent == pid));
    tracer.attach(pid).expect("attached");
    let held = tracer.table.processes.get(&child).map(|it| it.space);
    let space = tracer.table.processes.get(&pid).map(|it| it.space);
    assert!(held.is_some() && held == space, "{held:?} {space:?}");
    let open = move || fs::OpenOptions::new().write(true).open(gate);
    let opened = thread::spawn(open);
    tracer.run();
    assert!(opened.join().expect("no panic").is_ok());
    assert_eq!(target.line(), "0");
    assert_eq!(calls(&deliveries, pid), 100);
}

#[test]
fn a_child_that_leaves_its_parents_memory_before_it_is_held() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = folder.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let code = format!(
        "import os, signal\ndef f(): return 3\nprint('ready', flush=True)\n\
         open_gate = [(os.POSIX_SPAWN_OPEN, 9, {:?}, os.O_RDONLY, 0)]\n\
         pid = os.posix_spawn('/bin/sleep', ['sleep', '1000'], {{}}, file_actions=open_gate)\n\
         os.read(0, 1)\n\
         for _ in range(100): f()\n\
         os.kill(pid, signal.SIGKILL)\n\
         print(os.waitpid(pid, 0)[1])",
        gate.display().to_string()
    );
    let mut target = Target::start(&code);
    let (mut tracer, deliveries) = tracer();
    let (pid, child) = (target.pid, target.offspring());
    MEANWHILE.set(Some(Box::new(move |tid| {
        if tid == child {
            let opened = fs::OpenOptions::new().write(true).open(&gate);
            opened.expect("the child reads");
            while sys::same_address_space(pid, child) == Some(true) {
                thread::yield_now();
            }
        }
    })));
    tracer.attach(pid).expect("attached");
    MEANWHILE.set(None);
    let held = tracer.table.processes.get(&child);
    assert!(held.is_none_or(|it| !it.followed), "{held:?}");
    target.go_on();
    tracer.run();
    assert_eq!(target.line(), libc::SIGKILL.to_string());
    assert_eq!(calls(&deliveries, pid), 100);
}

/// A signal whose news have been taken is lost when the tracer is killed: a thread that has executed a breakpoint would
/// go on behind its first byte.
#[test]
fn the_news_of_a_breakpoint_are_left_with_the_kernel() {
    let code = "import os, signal\n\
                for it in (signal.SIGTRAP, signal.SIGUSR1): signal.signal(it, signal.SIG_IGN)\n\
                print('ready', flush=True)\nos.read(0, 1)\n\
                for it in (signal.SIGTRAP, signal.SIGUSR1): os.kill(os.getpid(), it)\n\
                print('done')";
    let mut target = Target::start(code);
    sys::seize(target.pid, 0).expect("seized");
    target.go_on();
    let begin = Instant::now();
    let stop = || {
        loop {
            if let Some(status) = sys::poll_one(target.pid).expect("it lives") {
                return Stop::from_status(status);
            }
            assert!(begin.elapsed() < LIMIT, "no stop");
            thread::yield_now();
        }
    };
    for _ in 0..3 {
        assert_eq!(stop(), Stop::Signal(libc::SIGTRAP));
    }
    sys::cont(target.pid, 0).expect("it lives");
    assert_eq!(stop(), Stop::Signal(libc::SIGUSR1));
    assert_eq!(sys::poll_one(target.pid), Ok(None));
    sys::cont(target.pid, 0).expect("it lives");
    assert_eq!(target.line(), "done");
    assert!(sys::wait_one(target.pid).is_ok());
}

/// A thread may stop because it was told to when it has run into a breakpoint already, whose signal then comes next: it
/// is judged by where the thread stands.
#[test]
fn a_breakpoint_whose_signal_is_still_to_come_when_the_agent_is_to_be_installed() {
    let code = "import os, select, signal\n\
                seen = []\nsignal.signal(signal.SIGTRAP, lambda *_: seen.append(1))\n\
                def f(): return 3\nprint('ready', flush=True)\n\
                while not select.select([0], [], [], 0)[0]: f()\n\
                print(len(seen))";
    let mut target = Target::start(code);
    let pid = target.pid;
    let (mut tracer, deliveries) = tracer_with(MarkerSource::Injected);
    tracer.attach(pid).expect("attached");
    let thread = loop {
        tracer.tend_missions();
        match wait::wait_for(pid, Duration::from_millis(1)) {
            Waited::Stopped(thread, Stop::Trap) => break thread,
            Waited::Stopped(thread, stop) => tracer.stopped(thread, stop),
            Waited::Interrupted => {}
            ended => panic!("{ended:?}"),
        }
    };
    sys::signal_task(pid, pid, libc::SIGTRAP).expect("it lives");
    tracer.stopped(thread, Stop::Trap);
    assert!(tracer.calls.is_empty(), "it was sent elsewhere");
    let end = thread::spawn(move || {
        let traced = deliveries.iter().any(|it| is_call(&it, pid));
        target.go_on();
        (traced, target.line())
    });
    tracer.run();
    assert_eq!(end.join().expect("no panic"), (true, "1".to_owned()));
}

/// The kernel gives a limited number at a time; a breakpoint's may be behind them.
#[test]
fn a_pending_signal_is_found_behind_many_others() {
    let code = "import os, signal, threading\n\
                many = [signal.SIGRTMIN] * 70 + [signal.SIGRTMIN + 1]\n\
                signal.pthread_sigmask(signal.SIG_BLOCK, many)\n\
                for one in many: signal.pthread_kill(threading.get_ident(), one)\n\
                print('ready', flush=True)\nos.read(0, 1)\nprint('right', flush=True)\nos._exit(0)";
    let mut target = Target::start(code);
    let pid = target.pid;
    sys::seize(pid, 0).expect("seized");
    sys::interrupt(pid).expect("it lives");
    sys::wait_one(pid).expect("it stops");
    let pending = sys::pending_signals(pid).expect("it stands");
    let first = libc::SIGRTMIN();
    let expected = [[first; 70].as_slice(), &[first + 1]].concat();
    let signals: Vec<i32> = pending.iter().map(|info| info.signal).collect();
    assert_eq!(signals, expected);
    sys::detach(pid, 0).expect("let go");
    target.go_on();
    assert_eq!(target.line(), "right");
}

/// Where a function returns to is only known when it is called: by then the process may have been left but for that
/// thread, which stands at the function.
#[test]
fn a_function_that_is_called_while_its_process_is_left() {
    let code = "import os\nprint('ready', flush=True)\nos.read(0, 1)\nprint(os.getppid() > 0)";
    let mut target = Target::start(code);
    let pid = target.pid;
    let point = FunctionPoint {
        module: None,
        function: Glob::literal("getppid"),
        place: Place::Return,
    };
    let request = Request {
        within: Within::default(),
        point: Point::Function(point),
        capture: Capture::everything(100),
        test: None,
    };
    let (mut tracer, _deliveries) = tracer_of(Plan {
        requests: vec![request],
        ..Plan::of_markers(&[], 100, Limits::default())
    });
    tracer.attach(pid).expect("attached");
    target.go_on();
    let stopped = loop {
        match wait::wait_for(pid, LIMIT) {
            Waited::Stopped(thread, stop @ Stop::Signal(libc::SIGTRAP)) => break (thread, stop),
            Waited::Stopped(thread, stop) => tracer.stopped(thread, stop),
            other => panic!("{other:?}"),
        }
    };
    tracer.leave();
    tracer.stopped(stopped.0, stopped.1);
    tracer.run();
    assert_eq!(target.line(), "True");
}
