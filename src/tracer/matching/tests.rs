//! Tables of what is meant by what.

use super::*;
use crate::cpython::Limits;
use crate::plan::{Capture, MarkerPoint, ProviderGlob};

fn glob(text: &str) -> Glob {
    Glob::parse(text).expect("a glob")
}

fn matcher(requests: impl IntoIterator<Item = (Within, Point)>) -> Matcher {
    let requests = requests.into_iter().map(|(within, point)| Request {
        within,
        point,
        capture: Capture::default(),
        test: None,
    });
    Matcher::new(Arc::new(Plan {
        requests: requests.collect(),
        objects: Limits::default(),
        markers: crate::plan::MarkerSource::default(),
    }))
}

fn process(pid: i32, program: &str) -> Identity {
    Identity {
        pid,
        target: Some(100),
        program: Some(program.into()),
    }
}

#[test]
fn processes_are_chosen_by_target_id_and_program() {
    let within = |target, pid, program: Option<&str>| Within {
        target,
        pid,
        program: program.map(glob),
    };
    let table = [
        (within(false, None, None), 7, "/x/y", true),
        (within(true, None, None), 100, "/x/y", true),
        (within(true, None, None), 7, "/x/y", false),
        (within(false, Some(7), None), 7, "/x/y", true),
        (within(false, Some(7), None), 8, "/x/y", false),
        (within(false, None, Some("y")), 7, "/x/y", true),
        (within(false, None, Some("y*")), 7, "/x/yes", true),
        (within(false, None, Some("/x/*")), 7, "/x/y", true),
        (within(false, None, Some("/x")), 7, "/x/y", false),
        (within(false, None, Some("x")), 7, "/x/y", false),
        (within(false, None, Some("/bin/[y]")), 7, "/usr/bin/y", true),
        (within(false, None, Some("/usr/bin/[y]")), 7, "/bin/y", true),
        (
            within(false, None, Some("/opt/[y]")),
            7,
            "/usr/opt/y",
            false,
        ),
        (within(true, None, Some("y")), 100, "/x/y", true),
        (within(true, None, Some("z")), 100, "/x/y", false),
    ];
    for (within, pid, program, expected) in table {
        let about = format!("{within:?} {pid} {program}");
        let matcher = matcher([(within, Point::Process(ProcessPoint::Exit))]);
        let found = matcher.process_point(&process(pid, program), ProcessPoint::Exit);
        assert_eq!(!found.is_empty(), expected, "{about}");
    }
}

#[test]
fn files_are_known_by_path_name_and_soname() {
    let table = [
        ("libc.so.6", "/usr/lib/libc.so.6", None, true),
        ("libc", "/usr/lib/libc.so.6", None, true),
        ("libc", "/usr/lib/libc-2.31.so", Some("libc.so.6"), true),
        (
            "libc.so.6",
            "/usr/lib/libc-2.31.so",
            Some("libc.so.6"),
            true,
        ),
        ("libc*", "/usr/lib/libcrypt.so.1", None, true),
        ("libm", "/usr/lib/libc.so.6", None, false),
        ("lib", "/usr/lib/libc.so.6", None, false),
        ("/lib/*/libc.so.6", "/usr/lib/x/libc.so.6", None, true),
        ("/usr/lib/*/libc.so.6", "/lib/x/libc.so.6", None, true),
        ("a.out", "/x/y", None, true),
        ("a.out", "/x/z", None, false),
    ];
    for (text, path, soname, expected) in table {
        let module = Module {
            path: Path::new(path),
            soname,
        };
        let file = FileGlob::new(&glob(text));
        let found = file.means(&process(7, "/x/y"), module);
        assert_eq!(found, expected, "{text} {path}");
    }
}

#[test]
fn links_are_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().canonicalize().expect("a path");
    std::fs::write(folder.join("python3.11"), "").expect("a file");
    std::os::unix::fs::symlink("python3.11", folder.join("python3")).expect("a link");
    let link = folder.join("python3");
    let file = FileGlob::new(&Glob::literal(link.to_str().expect("a text")));
    assert!(file.matches(&folder.join("python3.11"), None));
    assert!(!file.matches(&folder.join("python3.12"), None));
}

#[test]
fn markers_are_chosen_by_all_four_parts() {
    let marker = |provider: ProviderGlob, parts: [&str; 3]| {
        let part = |text: &str| (!text.is_empty()).then(|| glob(text));
        let point = MarkerPoint {
            provider,
            module: part(parts[0]),
            function: part(parts[1]),
            name: glob(parts[2]),
        };
        (Within::default(), Point::Marker(point))
    };
    let any = || ProviderGlob::Note(None);
    let instance = |text: &str| ProviderGlob::Instance(text.to_owned());
    let matcher = matcher([
        marker(any(), ["", "", "function-entry"]),
        marker(instance("python$target"), ["", "", "function-*"]),
        marker(instance("python7"), ["", "", "function-*"]),
        marker(any(), ["libpython*", "", "function-entry"]),
        marker(any(), ["", "dtrace_*", "function-entry"]),
        marker(any(), ["", "other", "function-entry"]),
        marker(any(), ["", "", "function-return"]),
    ]);
    let module = Module {
        path: Path::new("/usr/lib/libpython3.9.so.1.0"),
        soname: None,
    };
    let found = |pid, name, function| {
        let provider = "python";
        let marker = Marker {
            provider,
            name,
            function,
        };
        matcher.marker(&process(pid, "/x"), module, marker)
    };
    let function = Some("dtrace_function_entry");
    assert_eq!(found(100, "function__entry", function), [0, 1, 3, 4]);
    assert_eq!(found(7, "function__entry", function), [0, 2, 3, 4]);
    assert_eq!(found(7, "function__entry", None), [0, 2, 3, 4, 5]);
    assert_eq!(found(7, "function__return", function), [2, 6]);
    assert_eq!(found(8, "line", function), [0; 0]);
    assert!(matcher.depends_on_process());
}

#[test]
fn system_calls_are_chosen_by_name_and_place() {
    let call = |name: &str, place| {
        let name = glob(name);
        (Within::default(), Point::Syscall { name, place })
    };
    let matcher = matcher([
        call("read", Place::Entry),
        call("*", Place::Return),
        call("pread*", Place::Entry),
    ]);
    let process = process(7, "/x");
    let found = |name, place| matcher.system_call(&process, Some((name, place)));
    assert_eq!(found("read", Place::Entry), [0]);
    assert_eq!(found("read", Place::Return), [1]);
    assert_eq!(found("pread64", Place::Entry), [2]);
    assert_eq!(matcher.system_call(&process, None), [0, 1, 2]);
    assert!(!matcher.depends_on_process() && !matcher.wants_files(&process));
}
