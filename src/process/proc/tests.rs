//! The readings of `/proc` over a tree by hand and over real processes.

use super::*;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

fn tree() -> (tempfile::TempDir, ProcFs) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proc = ProcFs::at(folder.path());
    (folder, proc)
}

fn write(proc: &ProcFs, file: &str, content: &[u8]) {
    let path = proc.path(file);
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(path, content).expect("written");
}

#[test]
fn a_variable_that_is_empty_chooses_no_other_tree() {
    for (value, root) in [
        (None, "/proc"),
        (Some(""), "/proc"),
        (Some("/tree"), "/tree"),
    ] {
        assert_eq!(
            ProcFs::chosen(value.map(OsString::from)).root(),
            Path::new(root)
        );
    }
}

#[test]
fn only_folders_with_a_number_are_processes_and_threads() {
    let (_folder, proc) = tree();
    for name in ["7", "12", "+3", "0", "3x", "99999999999", "self"] {
        fs::create_dir_all(proc.path(name).join("task")).expect("created");
    }
    fs::create_dir(proc.path("7/task/8")).expect("created");
    fs::create_dir(proc.path("7/task/7")).expect("created");
    assert_eq!(proc.processes().unwrap(), [7, 12]);
    assert_eq!(proc.threads(7).unwrap(), Lookup::Found(vec![7, 8]));
    assert_eq!(proc.threads(12).unwrap(), Lookup::Gone);
    assert_eq!(proc.threads(13).unwrap(), Lookup::Gone);
}

#[test]
fn names_and_command_lines_may_hold_any_bytes() {
    let (_folder, proc) = tree();
    write(&proc, "7/task/8/comm", b"a\n\xff)\n");
    assert_eq!(
        proc.comm(7, 8).unwrap().found().unwrap().as_bytes(),
        b"a\n\xff)"
    );
    assert_eq!(proc.comm(7, 9).unwrap(), Lookup::Gone);
    let cases: [(&[u8], &[&[u8]]); 5] = [
        (b"", &[]),
        (b"python3\0-c\0\0", &[b"python3", b"-c", b""]),
        (b"\0", &[]),
        (b"no end", &[b"no end"]),
        (b"\xff\0a b\0", &[b"\xff", b"a b"]),
    ];
    for (text, expected) in cases {
        write(&proc, "7/cmdline", text);
        let words = proc.cmdline(7).unwrap().found().unwrap();
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        assert_eq!(words, expected, "{text:?}");
    }
}

#[test]
fn an_executable_that_was_removed_is_told_from_its_name() {
    let (_folder, proc) = tree();
    fs::create_dir_all(proc.path("7")).expect("created");
    assert_eq!(proc.exe(7).unwrap(), Lookup::Found(None));
    symlink("/usr/bin/python3 (deleted)", proc.path("7/exe")).expect("linked");
    let found = proc.exe(7).unwrap().found().flatten().unwrap();
    assert_eq!(
        (found.path, found.deleted),
        ("/usr/bin/python3".into(), true)
    );
    assert_eq!(proc.exe(8).unwrap(), Lookup::Gone);
}

#[test]
fn a_file_is_cut_after_a_mebibyte() {
    let (_folder, proc) = tree();
    write(&proc, "7/cmdline", &vec![b'x'; (1 << 20) + 10]);
    let words = proc.cmdline(7).unwrap().found().unwrap();
    assert_eq!(words.first().map(|word| word.len()), Some(1 << 20));
}

#[test]
fn a_malformed_status_is_an_error_and_a_missing_one_is_an_answer() {
    let (_folder, proc) = tree();
    write(&proc, "7/status", b"Name:\tx\n");
    let error = proc.status(7).expect_err("there is no state");
    assert_eq!(
        error.to_string(),
        "the field `State` is missing or malformed"
    );
    assert_eq!(proc.status(8).unwrap(), Lookup::Gone);
    assert_eq!(proc.stat(8, 8).unwrap(), Lookup::Gone);
}

#[test]
fn a_child_is_found_while_it_runs_and_gone_when_it_is_reaped() {
    let proc = ProcFs::default();
    let mut child = Command::new("cat")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cat runs");
    let pid = child.id() as i32;
    // It answers, so it has passed through exec.
    let mut pipe = child.stdin.take().expect("a pipe");
    io::Write::write_all(&mut pipe, b"x").expect("written");
    let mut answer = [0];
    child
        .stdout
        .as_mut()
        .expect("a pipe")
        .read_exact(&mut answer)
        .expect("read");

    assert!(proc.processes().unwrap().contains(&pid));
    assert_eq!(proc.threads(pid).unwrap(), Lookup::Found(vec![pid]));
    assert_eq!(proc.comm(pid, pid).unwrap(), Lookup::Found("cat".into()));
    assert_eq!(
        proc.cmdline(pid).unwrap(),
        Lookup::Found(vec!["cat".into(), "-".into()])
    );
    let exe = proc.exe(pid).unwrap().found().flatten().expect("a program");
    let cat = ["/bin/cat", "/usr/bin/cat"].map(|path| fs::canonicalize(path).ok());
    assert!(
        cat.contains(&fs::canonicalize(&exe.path).ok()) && !exe.deleted,
        "{exe:?}"
    );

    drop(pipe);
    child.wait().expect("reaped");
    assert_eq!(proc.status(pid).unwrap(), Lookup::Gone);
    assert_eq!(proc.threads(pid).unwrap(), Lookup::Gone);
    assert_eq!(proc.comm(pid, pid).unwrap(), Lookup::Gone);
    assert_eq!(proc.exe(pid).unwrap(), Lookup::Gone);
    assert_eq!(proc.cmdline(pid).unwrap(), Lookup::Gone);
}

#[test]
fn a_process_that_ends_between_open_and_read_is_gone() {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .spawn()
        .expect("cat runs");
    let proc = ProcFs::default();
    let mut file = File::open(proc.process_path(child.id() as i32, "status")).expect("it runs");
    drop(child.stdin.take());
    child.wait().expect("reaped");
    let result = file.read(&mut [0; 64]);
    assert_eq!(unless_gone(result).unwrap(), Lookup::Gone);
}

#[test]
fn every_thread_is_listed() {
    let (ready, started) = std::sync::mpsc::channel();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        ready.send(nix::unistd::gettid().as_raw()).expect("sent");
        let _ = wait.recv();
    });
    let tid = started.recv().expect("started");
    let pid = nix::unistd::getpid().as_raw();
    let threads = ProcFs::default().threads(pid).unwrap().found().unwrap();
    drop(release);
    thread.join().expect("no panic");
    assert!(
        threads.contains(&pid) && threads.contains(&tid),
        "{threads:?}"
    );
    assert!(threads.is_sorted());
}
