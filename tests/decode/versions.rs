//! The recognised version against sys.hexversion, from each interpreter's file alone and from its process.

use super::target::{PythonImage, Target, interpreters};
use ptpytrace::cpython::{Build, Version};
use ptpytrace_arch::Bytes;

/// What the interpreter says of itself.
struct Truth {
    version: Version,
    free_threaded: bool,
    debug: bool,
}

impl Truth {
    fn parse(line: &str) -> Truth {
        let numbers: Vec<u32> = line.split(' ').map(|n| n.parse().unwrap()).collect();
        Truth {
            version: Version::from_hex(numbers[0]).unwrap(),
            free_threaded: numbers[1] == 1,
            debug: numbers[2] == 1,
        }
    }

    #[track_caller]
    fn check(&self, how: &str, name: &str, got: Version) {
        let version = self.version;
        let said = format!("{name}, {how}: recognised {got}, is {version}");
        assert_eq!(
            (got.major, got.minor),
            (version.major, version.minor),
            "{said}"
        );
        assert_eq!(
            (got.free_threaded, got.debug),
            (self.free_threaded, self.debug),
            "{said}"
        );
        if let Some(patch) = got.patch {
            assert_eq!(Some(patch), version.patch, "{said}");
        }
    }
}

#[test]
fn recognised_as_the_interpreter_says() {
    for interpreter in interpreters() {
        let mut target = Target::start(&interpreter, "identify.py", &[]);
        let truth = Truth::parse(&target.line());
        let image = target.image();
        let name = &interpreter.name;

        let in_file = |symbol: &str| image.symbols.get(symbol).copied();
        let from_file = Version::from_symbols(&in_file, &image).unwrap();
        truth.check("file", name, from_file);

        let in_process = |symbol: &str| image.runtime(symbol);
        let from_process = Version::from_symbols(&in_process, &target.memory()).unwrap();
        truth.check("process", name, from_process);

        let exact = (3, 11) <= (truth.version.major, truth.version.minor);
        assert_eq!(
            from_file.patch.is_some(),
            exact,
            "{name}: patch level from the file"
        );
        assert_eq!(
            from_process.patch.is_some(),
            exact,
            "{name}: patch level from the process"
        );

        each_way_alone(&truth, name, &image);
    }
}

/// Each way has to find the version when the surer ones are missing.
fn each_way_alone(truth: &Truth, name: &str, image: &PythonImage) {
    let hidden = |symbols: &'static [&'static str]| {
        move |symbol: &str| {
            let shown = !symbols.contains(&symbol);
            image.symbols.get(symbol).copied().filter(|_| shown)
        }
    };
    let by_runtime = hidden(&["Py_Version"]);
    let got = Version::from_symbols(&by_runtime, image).unwrap();
    truth.check("_PyRuntime", name, got);
    let since_3_13 = (3, 13) <= (truth.version.major, truth.version.minor);
    assert_eq!(
        got.patch.is_some(),
        since_3_13,
        "{name}: patch level from _PyRuntime"
    );

    let by_names = hidden(&["Py_Version", "_PyRuntime"]);
    truth.check(
        "added symbols",
        name,
        Version::from_symbols(&by_names, image).unwrap(),
    );

    let nothing = Bytes {
        base: 0,
        bytes: &[],
    };
    let none = |_: &str| None;
    let build = Build {
        symbols: &none,
        memory: &nothing,
        soname: None,
        path: Some(&image.path),
    };
    truth.check("path", name, Version::recognise(&build).unwrap());
}
