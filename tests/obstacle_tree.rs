//! `diagnose` over trees in the shape of `/proc`: which file each fact comes from.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ptpytrace::process::obstacle::{Attempt, Caller, Cause, Named, diagnose, program_obstacle};
use ptpytrace::process::proc::ProcFs;
use ptpytrace::process::program::Unfit;

const PID: i32 = 4711;

/// A tree with this test as process 99 without any rights, its child 200, and process 4711 of the same user.
struct Tree {
    _folder: tempfile::TempDir,
    proc: ProcFs,
}

impl Tree {
    fn new() -> Tree {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tree = Tree {
            proc: ProcFs::at(folder.path()),
            _folder: folder,
        };
        tree.process(1, "init", "");
        tree.process(99, "ptpytrace", "");
        tree.process(200, "sh", "PPid:\t99");
        tree.process(PID, "python3", "");
        tree.write("self/status", &status(99, "ptpytrace", ""));
        tree
    }

    fn write(&self, file: &str, content: &str) {
        let path = self.proc.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, content).expect("written");
    }

    /// `line` replaces the line of that key.
    fn process(&self, pid: i32, name: &str, line: &str) {
        self.write(&format!("{pid}/status"), &status(pid, name, line));
        self.write(&format!("{pid}/task/{pid}/comm"), &format!("{name}\n"));
    }

    fn cause(&self) -> Cause {
        let caller = Caller::read(&self.proc).expect("the tree has self");
        diagnose(PID, Attempt::OpenMemory, libc::EACCES, &self.proc, &caller).cause
    }

    fn seize(&self) -> Cause {
        let caller = Caller::read(&self.proc).expect("the tree has self");
        diagnose(PID, Attempt::Seize, libc::EPERM, &self.proc, &caller).cause
    }
}

fn status(pid: i32, name: &str, line: &str) -> String {
    // The files of the tree belong to whoever runs this test.
    let uid = nix::unistd::geteuid().as_raw();
    let mut lines = vec![
        format!("Name:\t{name}"),
        "State:\tS (sleeping)".into(),
        format!("Tgid:\t{pid}"),
        "PPid:\t1".into(),
        "TracerPid:\t0".into(),
        format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}"),
        "Gid:\t100\t100\t100\t100".into(),
        "VmSize:\t    3060 kB".into(),
        "SigPnd:\t0000000000000000".into(),
        "ShdPnd:\t0000000000000000".into(),
        "SigBlk:\t0000000000000000".into(),
        "SigIgn:\t0000000000000000".into(),
        "SigCgt:\t0000000000000000".into(),
        "CapPrm:\t0000000000000000".into(),
        "CapEff:\t0000000000000000".into(),
    ];
    let key = line.split('\t').next().filter(|key| !key.is_empty());
    if let Some(key) = key {
        lines.retain(|other| !other.starts_with(key));
        lines.push(line.into());
    }
    lines.join("\n") + "\n"
}

fn named(pid: i32, name: &str) -> Named {
    Named {
        pid,
        name: Some(name.into()),
    }
}

#[test]
fn nothing_is_wrong_in_this_tree() {
    let cause = Tree::new().cause();
    let expected = Cause::Unexplained {
        errno: libc::EACCES,
        profile: None,
    };
    assert_eq!(cause, expected);
}

#[test]
fn the_level_of_yama_is_read_and_descendants_are_exempt_from_the_first() {
    for level in [1, 2, 3] {
        let tree = Tree::new();
        tree.write("sys/kernel/yama/ptrace_scope", &format!("{level}\n"));
        assert_eq!(tree.cause(), Cause::Yama(level));
        // A grandchild: 4711 of 200 of 99.
        tree.process(PID, "python3", "PPid:\t200");
        match level {
            1 => assert!(matches!(tree.cause(), Cause::Unexplained { .. })),
            _ => assert_eq!(tree.cause(), Cause::Yama(level)),
        }
    }
}

#[test]
fn a_circle_of_parents_ends() {
    let tree = Tree::new();
    tree.write("sys/kernel/yama/ptrace_scope", "1\n");
    tree.process(PID, "python3", "PPid:\t4712");
    tree.process(4712, "python3", "PPid:\t4711");
    assert_eq!(tree.cause(), Cause::Yama(1));
}

#[test]
fn the_tracer_is_named_by_its_process_though_the_kernel_names_its_thread() {
    let tree = Tree::new();
    tree.process(PID, "python3", "TracerPid:\t501");
    tree.process(500, "gdb", "");
    tree.process(501, "gdb worker", "Tgid:\t500");
    // As a sandbox would, so that Seize is not explained by one around this test.
    let mut caller = Caller::read(&tree.proc).expect("the tree has self");
    caller.ptrace_refused = None;
    let diagnosed = diagnose(PID, Attempt::Seize, libc::EPERM, &tree.proc, &caller);
    assert_eq!(diagnosed.cause, Cause::TracedBy(named(500, "gdb")));
    assert_eq!(diagnosed.process, named(PID, "python3"));

    tree.process(PID, "python3", "TracerPid:\t99");
    assert_eq!(tree.seize(), Cause::TracedByCaller);
}

#[test]
fn a_zombie_and_its_parent() {
    let tree = Tree::new();
    tree.process(PID, "python3", "State:\tZ (zombie)");
    let parent = Some(named(1, "init"));
    let expected = Cause::Ended {
        parent: parent.clone(),
        threads_left: false,
    };
    assert_eq!(tree.cause(), expected);
    tree.write("4711/task/4712/comm", "worker\n");
    let expected = Cause::Ended {
        parent,
        threads_left: true,
    };
    assert_eq!(tree.cause(), expected);
}

#[test]
fn kernel_threads_by_status_and_by_stat() {
    let tree = Tree::new();
    tree.process(PID, "kworker", "Kthread:\t1");
    assert_eq!(tree.cause(), Cause::KernelThread);

    let fields: Vec<String> = (10..=52).map(|number| number.to_string()).collect();
    let stat = format!(
        "4711 (kworker) S 2 0 0 0 0 {} {}",
        0x0020_0000,
        fields.join(" ")
    );
    tree.process(PID, "kworker", "");
    tree.write("4711/task/4711/stat", &stat);
    assert_eq!(tree.cause(), Cause::KernelThread);
}

#[test]
fn ids_capabilities_and_labels_come_from_their_lines() {
    let tree = Tree::new();
    tree.process(PID, "python3", "Uid:\t77\t77\t77\t77");
    assert!(matches!(tree.cause(), Cause::OtherUser { uid: 77, .. }));
    tree.process(PID, "python3", "Gid:\t100\t7\t100\t100");
    assert!(matches!(tree.cause(), Cause::OtherGroup { gid: 7, .. }));
    tree.process(PID, "python3", "CapPrm:\t0000000000000400");
    assert_eq!(tree.cause(), Cause::MoreCapable);

    tree.process(PID, "python3", "");
    tree.write("4711/attr/current", "docker-default (enforce)\n");
    let expected = Cause::Unexplained {
        errno: libc::EACCES,
        profile: Some("docker-default (enforce)".into()),
    };
    assert_eq!(tree.cause(), expected);
    tree.write("4711/attr/current", "unconfined\n");
    assert!(matches!(
        tree.cause(),
        Cause::Unexplained { profile: None, .. }
    ));
}

#[test]
fn the_callers_own_rights_decide() {
    let tree = Tree::new();
    tree.write("sys/kernel/yama/ptrace_scope", "2\n");
    let rights = "CapEff:\t0000000000080000";
    tree.write("self/status", &status(99, "ptpytrace", rights));
    tree.write("self/uid_map", "         0          0 4294967295\n");
    assert!(matches!(tree.cause(), Cause::Unexplained { .. }));
    tree.write("self/uid_map", "         0     100000      65536\n");
    assert_eq!(tree.cause(), Cause::OtherUserNamespace);
    // The thread's own folder comes before the process's.
    tree.write("thread-self/status", &status(99, "ptpytrace", ""));
    assert_eq!(tree.cause(), Cause::Yama(2));
}

#[test]
fn user_namespaces_are_compared_by_their_links() {
    let tree = Tree::new();
    for (folder, target) in [("self", "user:[1]"), ("4711", "user:[2]")] {
        fs::create_dir_all(tree.proc.path(folder).join("ns")).expect("created");
        symlink(target, tree.proc.path(folder).join("ns/user")).expect("linked");
    }
    assert_eq!(tree.cause(), Cause::OtherUserNamespace);
}

#[test]
fn what_is_hidden_is_told_from_what_has_ended() {
    let tree = Tree::new();
    fs::remove_dir_all(tree.proc.path("4711")).expect("removed");
    assert_eq!(tree.cause(), Cause::NoSuchProcess);
    fs::remove_dir_all(tree.proc.path("1")).expect("removed");
    assert_eq!(tree.cause(), Cause::Hidden);
}

#[test]
fn a_tree_without_self_takes_the_real_caller() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let caller = Caller::read(&ProcFs::at(folder.path())).expect("/proc is mounted");
    assert_eq!(caller.pid, nix::unistd::getpid().as_raw());
    assert_eq!(caller.uid.real, nix::unistd::getuid().as_raw());
}

#[test]
fn programs_that_cannot_be_traced_are_told_from_their_files() {
    let tree = Tree::new();
    let caller = Caller::read(&tree.proc).expect("the tree has self");
    let link = |target: &Path| {
        let _ = fs::remove_file(tree.proc.path("4711/exe"));
        symlink(target, tree.proc.path("4711/exe")).expect("linked");
    };
    assert_eq!(program_obstacle(PID, &tree.proc, &caller), None);
    link(&std::env::current_exe().expect("a file"));
    assert_eq!(program_obstacle(PID, &tree.proc, &caller), None);

    tree.write(
        "file32",
        "\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0",
    );
    link(&tree.proc.path("file32"));
    let obstacle = program_obstacle(PID, &tree.proc, &caller).expect("32 bits are too few");
    assert_eq!(obstacle.cause, Cause::Program(Unfit::ThirtyTwoBit));
    assert_eq!(
        obstacle.to_string(),
        "cannot attach to process 4711 (python3): its program is a 32-bit program: ptpytrace traces 64-bit programs."
    );
}
