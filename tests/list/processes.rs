//! Listing real processes: addresses are compared with what `/proc/PID/maps`
//! and `readelf` say, across chroots, mount and user namespaces, and when the
//! binary has been deleted.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ptpytrace::cli::list::{ListReport, list_process};
use ptpytrace::process::maps::{ImageCache, mapped_images};
use serde_json::Value;

use super::{cache, errors, options};

const PROGRAM: &str = "import os; print(os.getpid(), flush=True); input()";

/// A Python process that has said that it runs, and that ends when told to.
struct Python {
    child: Child,
    pid: i32,
}

impl Python {
    fn start(command: &mut Command) -> Python {
        let mut child = command
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let pid = line
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{command:?} said {line:?}"));
        Python { child, pid }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // The end of input ends the program.
        if let Some(mut input) = self.child.stdin.take() {
            let _ = input.write_all(b"\n");
        }
        let _ = self.child.wait();
    }
}

fn listed(pid: i32, flags: &str, patterns: &[&str]) -> (String, ListReport) {
    let mut out = Vec::new();
    let options = options(flags, patterns);
    let report = list_process(pid, &options, &mut ImageCache::new(), &mut out).expect("written");
    (String::from_utf8(out).expect("UTF-8"), report)
}

fn objects(pid: i32, patterns: &[&str]) -> Vec<Value> {
    let (text, report) = listed(pid, "jn", patterns);
    assert_eq!(errors(&report), Vec::<String>::new());
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Location and semaphore of every python note by `readelf -n`, in order.
fn noted(path: &Path) -> Vec<(u64, u64)> {
    let output = Command::new("readelf")
        .arg("-n")
        .arg(path)
        .env("LC_ALL", "C")
        .output();
    let text = String::from_utf8(output.expect("readelf (binutils)").stdout).expect("UTF-8");
    text.lines()
        .filter(|line| line.contains("Location: "))
        .map(|line| {
            let numbers: Vec<u64> = line
                .split("0x")
                .skip(1)
                .map(|part| {
                    u64::from_str_radix(part.split(',').next().unwrap_or(part), 16)
                        .expect("hexadecimal")
                })
                .collect();
            (numbers[0], numbers[2])
        })
        .collect()
}

/// The address of the first mapping of a file whose path ends so: for a shared library the load bias.
fn first_mapping(pid: i32, end: &str) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("maps");
    let line = maps
        .lines()
        .find(|line| line.trim_end_matches(" (deleted)").ends_with(end))
        .unwrap_or_else(|| panic!("{end} in {maps}"));
    u64::from_str_radix(line.split('-').next().unwrap_or(""), 16).expect("an address")
}

/// Compares the run-time addresses of every python marker with the file's, moved by `bias`.
fn check(pid: i32, module: &str, file: &Path, bias: u64) {
    let objects: Vec<Value> = objects(pid, &["python:*"])
        .into_iter()
        .filter(|object| object["module"] == module)
        .collect();
    let ours: Vec<(u64, u64)> = objects
        .iter()
        .map(|object| {
            assert_eq!(object["pid"], pid);
            let number = |name: &str| object[name].as_u64().expect("a number");
            (number("address"), number("semaphore_address"))
        })
        .collect();
    let mut expected: Vec<(u64, u64)> = noted(file)
        .into_iter()
        .map(|(location, semaphore)| (location + bias, semaphore + bias))
        .collect();
    // Sites of one name are listed together.
    let mut sorted = ours.clone();
    sorted.sort_unstable();
    expected.sort_unstable();
    assert!(!ours.is_empty(), "no python markers of {module}");
    assert_eq!(sorted, expected, "{module}");
}

#[test]
fn an_executable_that_is_not_moved() {
    let python = Python::start(&mut Command::new("/usr/bin/python3.11"));
    check(
        python.pid,
        "python3.11",
        Path::new("/usr/bin/python3.11"),
        0,
    );
}

#[test]
fn libraries_and_executables_of_every_version() {
    let cache = cache();
    let list = std::fs::read_to_string(cache.join("interpreters.tsv")).expect("read");
    let mut seen = 0;
    for line in list.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [_, _, kind, wrapper, file, ..] = fields[..] else {
            panic!("{line}");
        };
        if kind == "dlopen" || noted(Path::new(file)).is_empty() {
            continue;
        }
        let python = Python::start(&mut Command::new(wrapper));
        let file = Path::new(file);
        let module = file
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let bias = if kind == "static" {
            0
        } else {
            first_mapping(python.pid, module)
        };
        check(python.pid, module, file, bias);
        seen += 1;
    }
    assert!(seen >= 4, "{list}");
}

#[test]
fn the_table_shows_the_pid_in_the_provider() {
    let python = Python::start(&mut Command::new("/usr/bin/python3.11"));
    let pid = python.pid;
    let (text, report) = listed(pid, "", &[&format!("python{pid}:gc-*")]);
    assert_eq!(report.markers, 2, "{text}");
    let provider = format!("python{pid}");
    let expected = format!(
        "\x20  ID   PROVIDER            MODULE                          FUNCTION NAME
    1 {provider:>10}        python3.11                                   gc-done
    2 {provider:>10}        python3.11                                   gc-start
"
    );
    assert_eq!(text, expected);
    let (text, _) = listed(pid, "v", &["python:*"]);
    for (location, semaphore) in noted(Path::new("/usr/bin/python3.11")) {
        let line =
            format!("    Address: {location:#x}, Semaphore: {semaphore:#x} in process {pid}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
}

/// Copies in a process of its own: a program that another thread starts meanwhile would hold the copy open for writing,
/// and the copy could not be executed ("text file busy").
fn copied(from: &str, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status();
    assert!(status.expect("cp").success());
}

#[test]
fn a_deleted_executable() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("python copy");
    copied("/usr/bin/python3.11", &copy);
    let python = Python::start(&mut Command::new(&copy));
    std::fs::remove_file(&copy).expect("removed");
    check(
        python.pid,
        "python copy",
        Path::new("/usr/bin/python3.11"),
        0,
    );
    // Another file of that name must not be taken for it.
    copied("/bin/true", &copy);
    check(
        python.pid,
        "python copy",
        Path::new("/usr/bin/python3.11"),
        0,
    );
}

/// A process in a root folder of its own, whose libraries are not this system's.
fn in_root(namespaces: &[&str]) -> (Python, PathBuf) {
    let root = cache().join("ROOT-3.13");
    let root = root.canonicalize().expect("a root folder");
    let mut command = Command::new("unshare");
    command.args(namespaces).arg("--root").arg(&root);
    let python = Python::start(command.arg("/usr/bin/python3.13"));
    (python, root.join("usr/bin/python3.13"))
}

#[test]
fn a_process_in_a_chroot() {
    let (python, file) = in_root(&["--user", "--map-root-user"]);
    check(python.pid, "python3.13", &file, 0);
    let found = mapped_images(python.pid, &mut ImageCache::new()).expect("images");
    assert!(
        found
            .images
            .iter()
            .any(|mapped| mapped.path.ends_with("libc.so.6"))
    );
}

#[test]
fn a_process_in_a_mount_namespace_and_a_chroot() {
    let (python, file) = in_root(&["--user", "--map-root-user", "--mount"]);
    check(python.pid, "python3.13", &file, 0);
}

/// As container runtimes start a process: the kernel then writes paths as that process sees them.
#[test]
fn a_process_whose_root_is_another_mount() {
    let root = cache()
        .join("ROOT-3.13")
        .canonicalize()
        .expect("a root folder");
    let file = root.join("usr/bin/python3.13");
    let script = r#"mount --bind "$1" "$1" && cd "$1" && pivot_root . tmp && shift && exec /usr/bin/python3.13 "$@""#;
    let mut command = Command::new("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
    ]);
    let python = Python::start(
        command
            .arg(&root)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    );
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", python.pid)).expect("maps");
    assert!(maps.contains(" /usr/bin/python3.13\n"), "{maps}");
    check(python.pid, "python3.13", &file, 0);
}

/// In a user namespace nobody may open `map_files`; runs all the tests above there.
#[test]
fn without_the_right_to_open_map_files() {
    if std::env::var_os("IN_USER_NAMESPACE").is_some() {
        let name = std::fs::read_dir("/proc/self/map_files")
            .expect("map_files")
            .next();
        let path = name.expect("a mapping").expect("an entry").path();
        let error = std::fs::File::open(path).expect_err("no right");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        // The parent is outside this namespace.
        let parent = nix::unistd::getppid().as_raw();
        let (_, report) = listed(parent, "", &[]);
        let errors = errors(&report);
        let expected = format!("process {parent}: permission denied; looking at a process needs");
        assert!(
            errors.len() == 1 && errors[0].starts_with(&expected),
            "{errors:?}"
        );
        return;
    }
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user"])
        .arg(std::env::current_exe().expect("own path"))
        .arg("list::processes::")
        .env("IN_USER_NAMESPACE", "1")
        .output()
        .expect("unshare (util-linux)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("; 0 failed; 0 ignored"),
        "{text}"
    );
}

#[test]
fn an_interpreter_without_markers() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = folder.path().join("python-bare");
    let status = Command::new("objcopy")
        .args(["--remove-section=.note.stapsdt", "/usr/bin/python3.11"])
        .arg(&bare)
        .status();
    assert!(status.expect("objcopy (binutils)").success());
    let python = Python::start(&mut Command::new(&bare));
    let (text, report) = listed(python.pid, "", &["python:*"]);
    assert_eq!((report.markers, report.errors.len()), (8, 0), "{text}");
    let (text, report) = listed(python.pid, "n", &["python:*"]);
    assert_eq!((text.as_str(), report.markers), ("", 0));
    let errors = errors(&report);
    let expected = format!(
        "{}: has no markers: this CPython was built without --with-dtrace",
        bare.display()
    );
    assert!(errors[0].starts_with(&expected), "{errors:?}");
}

#[test]
fn processes_that_cannot_be_listed() {
    let (_, report) = listed(i32::MAX, "", &[]);
    assert_eq!(
        errors(&report),
        [format!(
            "process {}: no such process; check the number",
            i32::MAX
        )]
    );
    // A child that has ended and is not waited for: its output's end says so.
    let mut child = Command::new("/bin/true")
        .stdout(Stdio::piped())
        .spawn()
        .expect("true");
    let pid = i32::try_from(child.id()).expect("a pid");
    let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
    let id = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(pid));
    nix::sys::wait::waitid(id, flags).expect("ended");
    let (_, report) = listed(pid, "", &[]);
    child.wait().expect("waited for");
    let expected = format!(
        "process {pid}: maps nothing: it has ended and its parent has not waited for it, or it is a kernel thread"
    );
    assert_eq!(errors(&report), [expected]);
}

#[test]
fn a_second_scan_of_a_process_parses_nothing() {
    let python = Python::start(&mut Command::new("/usr/bin/python3.11"));
    let other = Python::start(&mut Command::new("/usr/bin/python3.11"));
    let mut cache = ImageCache::new();
    let first = mapped_images(python.pid, &mut cache).expect("images");
    let known = cache.len();
    let second = mapped_images(other.pid, &mut cache).expect("images");
    assert_eq!(cache.len(), known, "the same files");
    assert!(std::sync::Arc::ptr_eq(
        &first.images[0].image,
        &second.images[0].image
    ));
}
