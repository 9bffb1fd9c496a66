//! System calls and what happens to processes, against what the program says of itself.

use ptpytrace::event::Seen;
use ptpytrace::plan::{Place, Point, ProcessPoint, Request, Within};
use ptpytrace::tracer::Stop;

use super::{Ran, counts, glob, nobody, numbers, request, trace};
use crate::harness::tracer::Scratch;

fn call(name: &str, place: Place) -> Request {
    let name = glob(name);
    request(Point::Syscall { name, place }, numbers())
}

#[test]
fn system_calls_are_counted_with_arguments_and_results() {
    let scratch = Scratch::new();
    let program = counts(&scratch, &["-O1"]);
    let names = ["getppid", "close", "rt_sigreturn"];
    let requests = names
        .iter()
        .flat_map(|name| [Place::Entry, Place::Return].map(|place| call(name, place)));
    let ran = trace(
        &[program.to_str().unwrap(), "calls"],
        requests.collect(),
        nobody,
    );
    assert_eq!(ran.summary.command, Some(Stop::Exited(7)));
    assert_eq!(ran.of("getppid", "entry").len(), 100);
    let parents = ran.of("getppid", "return");
    let own = i64::from(std::process::id());
    assert_eq!(parents.len(), 100);
    assert!(
        parents
            .iter()
            .all(|it| it.number(0) == own && it.number(1) == own)
    );
    let bad = |place, index: usize, value| {
        let closes = ran.of("close", place);
        closes.iter().filter(|it| it.number(index) == value).count()
    };
    assert_eq!(bad("entry", 0, -1), 7);
    assert_eq!(bad("return", 1, -9), 7); // EBADF
    assert_eq!(ran.of("rt_sigreturn", "entry").len(), 3);
    assert!(
        ran.firings()
            .iter()
            .all(|it| it.probe.provider == "syscall")
    );
}

fn points(within: &Within) -> Vec<Request> {
    use ProcessPoint::*;
    let all = [
        Start,
        Exec,
        Exit,
        Create,
        ThreadStart,
        ThreadExit,
        SignalHandle,
        SignalSend,
    ];
    let requests = all.map(|point| Request {
        within: within.clone(),
        ..request(Point::Process(point), numbers())
    });
    requests.to_vec()
}

fn named(ran: &Ran, name: &str, pid: i32) -> Vec<Vec<i64>> {
    let firings = ran.firings();
    let those = firings
        .iter()
        .filter(|it| it.probe.name == name && it.event.pid == pid);
    those
        .map(|it| (0..it.args.len()).map(|index| it.number(index)).collect())
        .collect()
}

#[test]
fn processes_are_told_from_start_to_exit() {
    let scratch = Scratch::new();
    let program = counts(&scratch, &["-O1"]);
    let path = program.to_str().unwrap();
    let ran = trace(&[path, "processes"], points(&Within::default()), nobody);
    assert_eq!(ran.summary.command, Some(Stop::Exited(7)));
    let target = ran.target;
    let created: Vec<i32> = named(&ran, "create", target)
        .iter()
        .map(|it| it[0] as i32)
        .collect();
    assert_eq!(created.len(), 3);
    let starts: Vec<i32> = ran
        .firings()
        .iter()
        .filter(|it| it.probe.name == "start")
        .map(|it| it.event.pid)
        .collect();
    assert_eq!(starts, [target, created[0], created[1], created[2]]);
    assert_eq!(named(&ran, "exit", created[0]), [[1, 10]]);
    assert_eq!(named(&ran, "exit", created[1]), [[1, 7]]);
    assert_eq!(named(&ran, "exit", created[2]), [[2, 9]]);
    assert_eq!(named(&ran, "exit", target), [[1, 7]]);
    let execs: Vec<_> = ran
        .firings()
        .into_iter()
        .filter(|it| it.probe.name == "exec-success")
        .collect();
    assert_eq!(execs.len(), 1);
    assert_eq!(execs[0].event.pid, created[1]);
    let Seen::Text(text) = &execs[0].args[0].seen else {
        panic!("{:?}", execs[0].args);
    };
    assert_eq!(text.bytes, path.as_bytes());
    assert_eq!(named(&ran, "lwp-start", target).len(), 2);
    assert_eq!(named(&ran, "lwp-exit", target).len(), 2);
    // SIGCHLD of three children
    assert_eq!(named(&ran, "signal-handle", target), [[17], [17], [17]]);
}

#[test]
fn signals_are_told_with_their_senders() {
    let scratch = Scratch::new();
    let program = counts(&scratch, &["-O1"]);
    let ran = trace(
        &[program.to_str().unwrap(), "calls"],
        points(&Within::default()),
        nobody,
    );
    let own = i64::from(ran.target);
    assert_eq!(
        named(&ran, "signal-send", ran.target),
        vec![vec![own, 10]; 3]
    );
    assert_eq!(named(&ran, "signal-handle", ran.target), [[10]; 3]);
}

#[test]
fn the_target_is_not_its_children() {
    let scratch = Scratch::new();
    let program = counts(&scratch, &["-O1"]);
    let within = Within {
        target: true,
        ..Within::default()
    };
    let ran = trace(
        &[program.to_str().unwrap(), "processes"],
        points(&within),
        nobody,
    );
    assert!(ran.firings().iter().all(|it| it.event.pid == ran.target));
    assert_eq!(named(&ran, "exit", ran.target), [[1, 7]]);
    let elsewhere = Within {
        program: Some(glob("other*")),
        ..Within::default()
    };
    let ran = trace(
        &[program.to_str().unwrap(), "processes"],
        points(&elsewhere),
        nobody,
    );
    assert!(ran.firings().is_empty());
}
