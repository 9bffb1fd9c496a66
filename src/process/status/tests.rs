//! The parser of `status` against texts by hand, the kernel, and noise.

use super::*;
use crate::process::proc::ProcFs;
use proptest::prelude::*;

/// A `status` of Linux 6.1 (shortened by what is not read), of a setuid program in a pid namespace.
const TEXT: &str = "\
Name:\ta\\nb\\\\c
Umask:\t0022
State:\tt (tracing stop)
Tgid:\t4711
Ngid:\t0
Pid:\t4711
PPid:\t4700
TracerPid:\t99
Uid:\t1000\t0\t1\t2
Gid:\t100\t101\t102\t103
FDSize:\t256
Groups:\t100 
NStgid:\t4711\t1
NSpid:\t4711\t1
VmPeak:\t    3060 kB
VmSize:\t    3060 kB
Threads:\t1
SigQ:\t0/96365
SigPnd:\t0000000000000001
ShdPnd:\t8000000000000000
SigBlk:\t0000000000010000
SigIgn:\t0000000000001000
SigCgt:\t0000000000000002
CapInh:\t0000000000000000
CapPrm:\t00000000000c0000
CapEff:\t0000000000080000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
";

#[test]
fn each_field_is_read_from_its_own_line() {
    let status = Status::parse(TEXT.as_bytes()).expect("a well-formed text");
    let expected = Status {
        name: "a\nb\\c".into(),
        state: State::TracingStop,
        tgid: 4711,
        ppid: 4700,
        tracer: 99,
        uid: Ids {
            real: 1000,
            effective: 0,
            saved: 1,
            filesystem: 2,
        },
        gid: Ids {
            real: 100,
            effective: 101,
            saved: 102,
            filesystem: 103,
        },
        ns_pids: vec![4711, 1],
        seccomp: Some(Seccomp::Filter),
        no_new_privileges: Some(true),
        pending: SignalSet(1),
        shared_pending: SignalSet(1 << 63),
        blocked: SignalSet(0x10000),
        ignored: SignalSet(0x1000),
        caught: SignalSet(2),
        permitted: Capabilities(0xc0000),
        capabilities: Capabilities(0x80000),
        has_memory: true,
        kernel_thread: None,
    };
    assert_eq!(status, expected);
    assert!(status.capabilities.contains(CAP_SYS_PTRACE));
    assert!(!status.capabilities.contains(18));
    assert!(status.blocked.contains(libc::SIGCHLD));
    assert!(status.ignored.contains(libc::SIGPIPE));
    assert!(status.pending.contains(1) && status.shared_pending.contains(64));
}

#[test]
fn sets_answer_for_every_number() {
    for number in [i32::MIN, -1, 0, 65, i32::MAX] {
        assert!(!SignalSet(u64::MAX).contains(number), "{number}");
    }
    assert!(!Capabilities(u64::MAX).contains(64));
    assert!(Capabilities(0b111).include(Capabilities(0b101)));
    assert!(!Capabilities(0b101).include(Capabilities(0b10)));
}

#[test]
fn letters_are_states() {
    let cases = [
        ("R (running)", State::Running),
        ("S", State::Sleeping),
        ("D (disk sleep)", State::DiskSleep),
        ("T (stopped)", State::Stopped),
        ("t (tracing stop)", State::TracingStop),
        ("Z (zombie)", State::Zombie),
        ("X (dead)", State::Dead),
        ("x", State::Dead),
        ("I (idle)", State::Other('I')),
    ];
    for (text, state) in cases {
        assert_eq!(State::parse(text), Some(state), "{text}");
    }
    assert_eq!(State::parse(""), None);
    assert_eq!(State::parse("7"), None);
}

#[test]
fn a_field_that_every_kernel_has_must_be_there() {
    let needed = [
        "Name",
        "State",
        "Tgid",
        "PPid",
        "TracerPid",
        "Uid",
        "Gid",
        "SigPnd",
        "ShdPnd",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "CapPrm",
        "CapEff",
    ];
    for key in needed {
        let cut = TEXT.replace(&format!("{key}:"), "Other:");
        assert_eq!(Status::parse(cut.as_bytes()), Err(FormatError(key)));
    }
    for key in ["NSpid", "Seccomp", "NoNewPrivs", "VmSize"] {
        let cut = TEXT.replace(&format!("{key}:"), "Other:");
        assert!(Status::parse(cut.as_bytes()).is_ok(), "{key}");
    }
    for (from, to, key) in [
        ("Uid:\t1000\t0\t1\t2", "Uid:\t1000\t0\t1", "Uid"),
        ("TracerPid:\t99", "TracerPid:\tx", "TracerPid"),
        ("Seccomp:\t2", "Seccomp:\t", "Seccomp"),
        ("CapEff:\t0", "CapEff:\tg", "CapEff"),
    ] {
        assert_eq!(
            Status::parse(TEXT.replace(from, to).as_bytes()),
            Err(FormatError(key))
        );
    }
}

#[test]
fn kernel_threads_are_recognised_with_and_without_their_own_line() {
    let parse = |text: &str| Status::parse(text.as_bytes()).expect("well-formed");
    let old = TEXT
        .replace("VmSize:", "Other:")
        .replace("PPid:\t4700", "PPid:\t2");
    assert!(!parse(TEXT).is_kernel_thread());
    assert!(parse(&old).is_kernel_thread());
    assert!(!parse(&old.replace("State:\tt", "State:\tZ")).is_kernel_thread());
    assert!(!parse(&format!("{old}Kthread:\t0\n")).is_kernel_thread());
    assert!(parse(&format!("{TEXT}Kthread:\t1\n")).is_kernel_thread());
}

#[test]
fn this_process_is_described_as_its_own_system_calls_do() {
    let status = ProcFs::default()
        .status_of("thread-self")
        .unwrap()
        .found()
        .unwrap();
    let uid = nix::unistd::getresuid().unwrap();
    let gid = nix::unistd::getresgid().unwrap();
    assert_eq!(status.tgid, nix::unistd::getpid().as_raw());
    assert_eq!(status.ppid, nix::unistd::getppid().as_raw());
    assert_eq!(status.state, State::Running);
    let found = [status.uid.real, status.uid.effective, status.uid.saved];
    assert_eq!(
        found,
        [
            uid.real.as_raw(),
            uid.effective.as_raw(),
            uid.saved.as_raw()
        ]
    );
    let found = [status.gid.real, status.gid.effective, status.gid.saved];
    assert_eq!(
        found,
        [
            gid.real.as_raw(),
            gid.effective.as_raw(),
            gid.saved.as_raw()
        ]
    );
    assert!(status.has_memory && !status.is_kernel_thread());
    assert_eq!(status.ns_pids.last(), Some(&nix::unistd::gettid().as_raw()));
}

#[test]
fn a_name_with_line_ends_and_backslashes_is_read_as_it_was_set() {
    let found = std::thread::spawn(|| {
        nix::sys::prctl::set_name(c"a\nTgid:\t1\\").expect("any name is accepted");
        ProcFs::default().status_of("thread-self")
    });
    let status = found.join().expect("no panic").unwrap().found().unwrap();
    assert_eq!(status.name, OsStr::new("a\nTgid:\t1\\"));
    assert_eq!(status.tgid, nix::unistd::getpid().as_raw());
}

proptest! {
    #[test]
    fn any_text_gives_an_answer(text: Vec<u8>, at in 0usize..TEXT.len(), byte: u8) {
        let _ = Status::parse(&text);
        let mut changed = TEXT.as_bytes().to_vec();
        if let Some(place) = changed.get_mut(at) {
            *place = byte;
        }
        let _ = Status::parse(&changed);
        let _ = Status::parse(changed.get(..at).unwrap_or(&[]));
    }

    #[test]
    fn escapes_are_undone(name: Vec<u8>) {
        // As the kernel writes them: string_escape_str(…, ESCAPE_SPACE | ESCAPE_SPECIAL, "\n\\").
        let mut escaped = Vec::new();
        for byte in &name {
            match byte {
                b'\n' => escaped.extend_from_slice(b"\\n"),
                b'\\' => escaped.extend_from_slice(b"\\\\"),
                other => escaped.push(*other),
            }
        }
        let found = unescaped(&escaped);
        prop_assert_eq!(found.as_bytes(), name.as_slice());
    }
}
