//! Somebody else's breakpoints on the sites: the kernel's, for a uprobe, and the program's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::engine::session::Session;
use crate::harness::interpreters::{Interpreter, interpreter};
use crate::harness::program::is_root;
use crate::harness::tracer::Scratch;

const TRACEFS: &str = "/sys/kernel/tracing";

/// An interpreter of its own, so that nobody else's processes are probed.
fn copy(name: &str, scratch: &Scratch) -> Interpreter {
    let found = interpreter(name);
    let notes = scratch.file("python");
    fs::copy(&found.notes, &notes).unwrap();
    let (root, library) = (found.root.join("usr"), found.root.join("private-lib"));
    let script = format!(
        "#!/bin/sh\nexport PYTHONHOME={} LD_LIBRARY_PATH={}\nexec {} \"$@\"\n",
        root.display(),
        library.display(),
        notes.display()
    );
    let wrapper = scratch.file("wrapper");
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    Interpreter {
        name: name.to_owned(),
        wrapper,
        notes,
        root: found.root,
    }
}

/// The address of a marker's only site, and where that is in the file; of a file that is loaded where it says.
fn site(file: &Path, marker: &str) -> (u64, u64) {
    let image = ptpytrace::elf::Image::open(file).unwrap();
    let mut notes = image.notes().iter();
    let note = notes.find(|note| note.name == marker).expect("the marker");
    let address = note.location;
    let mut segments = image.segments().iter();
    let within = |from: u64, size: u64| (from..from + size).contains(&address.0);
    let segment = segments
        .find(|it| it.executable() && within(it.address.0, it.file_size))
        .expect("its segment");
    (address.0, address.0 - segment.address.0 + segment.offset)
}

/// A uprobe of tracefs; removed when dropped.
struct Uprobe(String);

impl Uprobe {
    /// `None` where the kernel has none, or does not let us.
    fn new(file: &Path, offset: u64) -> Option<Uprobe> {
        let name = format!("ptpytrace_{}/site_{offset:x}", std::process::id());
        let events = PathBuf::from(TRACEFS).join("uprobe_events");
        if !is_root() || !events.exists() {
            println!("no uprobes here");
            return None;
        }
        append(&events, &format!("p:{name} {}:{offset:#x}", file.display()));
        let probe = Uprobe(name);
        probe.enable(true);
        Some(probe)
    }

    fn enable(&self, on: bool) {
        let file = format!("{TRACEFS}/events/{}/enable", self.0);
        fs::write(file, if on { "1" } else { "0" }).unwrap();
    }

    /// How often it was hit.
    fn hits(&self) -> u64 {
        let profile = fs::read_to_string(format!("{TRACEFS}/uprobe_profile")).unwrap();
        let (_, event) = self.0.split_once('/').unwrap();
        let mut rows = profile
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows
            .find(|row| row.get(1) == Some(&event))
            .expect("its row");
        row[2].parse().unwrap()
    }
}

impl Drop for Uprobe {
    fn drop(&mut self) {
        self.enable(false);
        append(
            &PathBuf::from(TRACEFS).join("uprobe_events"),
            &format!("-:{}", self.0),
        );
    }
}

fn append(file: &Path, line: &str) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// The site is left alone, and that is said; the other marker's is diverted all the same.
#[test]
fn a_uprobe_on_the_site() {
    let place = Scratch::new();
    let copied = copy("python3.9", &place);
    let (_, offset) = site(&copied.notes, "function__entry");
    let mut session = Session::start_with(&copied);
    let Some(probe) = Uprobe::new(&copied.notes, offset) else {
        return;
    };
    session.attach(false, &["--engine", "jump"]);
    session.ask("single 13");
    let trace = session.leave();
    let expected = session.expected["fib"];
    assert_eq!(trace.returns.get("fib"), Some(&expected), "{}", trace.said);
    assert_eq!(trace.calls.get("fib"), None, "{}", trace.said);
    let why = "is not armed: another debugger or tracer has a breakpoint there";
    assert!(
        trace.says(why) && trace.says("not armed at 0x"),
        "{}",
        trace.said
    );
    // Its semaphore was up meanwhile.
    assert!(probe.hits() >= expected, "{}", probe.hits());
    drop(probe);
    session.assert_clean("after all have left");
    session.attach(false, &["--engine", "jump"]);
    session.ask("single 12");
    let trace = session.leave();
    trace.assert_exact("after the uprobe has gone", &session.expected);
    session.end();
}

/// A uprobe that comes later: where a jump behind the nop leads to the recorder both see everything.
#[test]
fn a_uprobe_on_a_diverted_site() {
    let place = Scratch::new();
    let copied = copy("python3.9", &place);
    let (_, offset) = site(&copied.notes, "function__return");
    let mut session = Session::start_with(&copied);
    session.attach(false, &["--engine", "jump"]);
    session.ask("single 13");
    let Some(probe) = Uprobe::new(&copied.notes, offset) else {
        return;
    };
    let before = session.expected["fib"];
    session.ask("single 14");
    let during = session.expected["fib"] - before;
    assert!(probe.hits() >= during, "{} of {during}", probe.hits());
    drop(probe);
    session.ask("single 12");
    let trace = session.leave();
    assert!(trace.says("retarget at 0x"), "{}", trace.said);
    trace.assert_exact("a uprobe came and went", &session.expected);
    session.assert_clean("after all have left");
    session.end();
}

/// Somebody takes a recorder's jump away: the program is right, what it called is not seen, and that is said. So it is
/// where the program ends before the tracer does.
#[test]
fn a_site_that_somebody_else_changes() {
    for engine in ["jump", "trap"] {
        for ends in [false, true] {
            let interpreter = interpreter("python3.9");
            let (address, _) = site(&interpreter.notes, "function__return");
            if engine == "trap" && ends {
                continue; // the end is not seen there while the memory is
            }
            let mut session = Session::start("python3.9");
            session.attach(false, &["--engine", engine]);
            session.ask("single 13");
            session.ask_untraced(&format!(
                "put_back {address} {}",
                interpreter.notes.display()
            ));
            let expected = session.expected.clone();
            session.ask_untraced("single 12");
            let trace = match ends {
                true => session.end().0.expect("a trace"),
                false => {
                    let trace = session.leave();
                    session.end();
                    trace
                }
            };
            assert_eq!(
                trace.returns.get("fib"),
                expected.get("fib"),
                "{}",
                trace.said
            );
            let told = format!("somebody else has changed the site at {address:#x}");
            assert!(trace.says(&told), "{engine}: {}", trace.said);
        }
    }
}

/// Its handler still gets every signal, and the other markers are seen.
#[test]
fn a_breakpoint_of_the_programs_own_on_the_site() {
    let file = interpreter("python3.9").notes;
    let (address, _) = site(&file, "gc__start");
    for engine in ["jump", "trap"] {
        let mut session = Session::start("python3.9");
        session.ask(&format!("own_breakpoint {address}"));
        session.attach_with(&["--engine", engine, "-m", "gc__*", "-m", "function__entry"]);
        let said = session.ask_untraced("collect 50");
        assert_eq!(said, "Signals 50\n", "{engine}");
        let (shown, said) = session.leave_lines();
        let done = shown
            .lines()
            .filter(|line| line.contains("gc__done"))
            .count();
        assert_eq!(done, 50, "{engine}: {said}");
        assert!(!shown.contains("gc__start"), "{engine}: {said}");
        assert!(
            said.contains("another debugger or tracer has a breakpoint"),
            "{engine}: {said}"
        );
        session.ask_untraced("collect 5");
        session.end();
    }
}
