//! Finding programs, against what a shell finds, and the words for each fault.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

/// A folder with files in it, which is also the current folder of the commands.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, mode: u32, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permitted");
        path
    }

    fn script(&self, name: &str) -> PathBuf {
        self.file(name, 0o755, b"#!/bin/sh\necho \"$0\"\n")
    }

    fn resolve(&self, name: &str, search: &str) -> Result<Program, ProgramError> {
        resolve(
            &[name.into(), "argument".into()],
            Some(search.as_ref()),
            self.path(),
        )
    }

    fn found(&self, name: &str, search: &str) -> PathBuf {
        self.resolve(name, search).expect("it can be run").path
    }

    /// What is said of a program that cannot be run, with this folder written as `DIR`.
    fn refused(&self, name: &str, search: &str) -> String {
        let error = self.resolve(name, search).expect_err("it cannot be run");
        error
            .to_string()
            .replace(&self.path().display().to_string(), "DIR")
    }
}

/// Tries again while a process that another test has just started still holds the file open for writing.
fn when_not_busy<T>(run: impl Fn() -> Result<T, i32>) -> Result<T, i32> {
    loop {
        match run() {
            Err(libc::ETXTBSY) => std::thread::yield_now(),
            other => return other,
        }
    }
}

/// The error with which the kernel refuses to run a program, if it does.
fn kernels_error(name: &str, folder: &Path) -> Option<i32> {
    let run = || {
        let output = Command::new(name).current_dir(folder).output();
        output.map_err(|error| error.raw_os_error().unwrap_or(0))
    };
    when_not_busy(run).err()
}

#[test]
fn programs_are_found_where_a_shell_finds_them() {
    let folder = Folder::new();
    for name in ["a/tool", "b/tool", "tool", "b/other", "c/tool"] {
        folder.script(name);
    }
    folder.file("d/tool", 0o644, b"#!/bin/sh\n");
    fs::create_dir_all(folder.path().join("e/tool")).expect("created");
    let absolute = folder.path().join("c").display().to_string();
    let searches = [
        "a:b", "b:a", "x:b", ":a", "a:", "d:b", "e:b", "x::b", ".:a", "", "d:e:x:b", &absolute,
    ];
    for search in searches {
        let found = folder.found("tool", search);
        // The shell's own choice, and what the script then sees as its name.
        let shell = when_not_busy(|| {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", "exec tool"]).env("PATH", search);
            let output = shell.current_dir(folder.path()).output().expect("sh runs");
            let busy = String::from_utf8_lossy(&output.stderr).contains("busy");
            if busy { Err(libc::ETXTBSY) } else { Ok(output) }
        })
        .expect("it runs");
        let shown = String::from_utf8_lossy(&shell.stdout)
            .trim_end()
            .to_string();
        let (found, shown) = (folder.path().join(found), folder.path().join(shown));
        let same = |path: &Path| fs::canonicalize(path).expect("it exists");
        assert_eq!(same(&found), same(&shown), "PATH={search}");
    }
}

#[test]
fn a_path_is_left_as_it_was_written() {
    let folder = Folder::new();
    folder.script("a/tool");
    for name in ["a/tool", "./a/tool", "a/../a/tool"] {
        assert_eq!(folder.found(name, "x"), Path::new(name));
    }
    assert_eq!(folder.found("tool", "x:a"), Path::new("a/tool"));
    assert_eq!(folder.found("tool", "./a"), Path::new("./a/tool"));
    let shell = resolve(&["sh".into()], None, folder.path()).expect("the default PATH has it");
    assert_eq!(
        (shell.path, shell.interpreter),
        ("/usr/bin/sh".into(), None)
    );
}

#[test]
fn a_scripts_interpreter_is_named() {
    let folder = Folder::new();
    folder.file("one", 0o755, b"#! /bin/sh -e\n");
    folder.file("two", 0o755, b"#!one");
    for (name, interpreter) in [("./one", "/bin/sh"), ("./two", "one")] {
        let program = folder.resolve(name, "").expect("it can be run");
        assert_eq!(program.interpreter, Some(interpreter.into()));
    }
}

#[test]
fn interpreters_are_followed_as_far_as_the_kernel_follows() {
    let folder = Folder::new();
    folder.script("script0");
    for number in 1..=6 {
        let line = format!("#!script{}\n", number - 1);
        folder.file(&format!("script{number}"), 0o755, line.as_bytes());
    }
    for number in 0..=6 {
        let name = format!("./script{number}");
        let expected = kernels_error(&name, folder.path());
        match folder.resolve(&name, "") {
            Ok(_) => assert_eq!(expected, None, "{name}"),
            Err(error) => {
                assert_eq!(error.fault, ProgramFault::TooManyInterpreters);
                assert_eq!(expected, Some(libc::ELOOP), "{name}");
            }
        }
    }
    folder.file("circle", 0o755, b"#!circle\n");
    let expected = "cannot run `./circle`: its interpreter is a script, whose interpreter is a script, and so on.";
    assert_eq!(folder.refused("./circle", ""), expected);
}

#[test]
fn a_program_that_is_not_there() {
    let folder = Folder::new();
    let said = |name: &str, search: &str| {
        let text = folder.refused(name, search);
        let start = format!("cannot run `{name}`: ");
        text.strip_prefix(&start.replace(&folder.path().display().to_string(), "DIR"))
            .expect("the name comes first")
            .to_string()
    };
    folder.script("bin/python3");
    folder.script("bin/python3.11");
    folder.file("bin/python4", 0o644, b"");
    folder.script("here");
    let nowhere = "no folder of PATH has such a program.";
    let cases = [
        (
            "python",
            format!("{nowhere} There is `python3`, `python3.11`."),
        ),
        ("pyhton3", format!("{nowhere} There is `python3`.")),
        ("nothing", nowhere.into()),
        (
            "here",
            format!(
                "{nowhere} The current folder has such a file: write `./` in front of its name."
            ),
        ),
        (
            "python3 x.py",
            format!(
                "{nowhere} All of it was taken for the program's name; `-c` splits a command into words."
            ),
        ),
        ("./nothing", "there is no such file.".into()),
        ("./no/such/file", "there is no folder DIR/./no.".into()),
        (
            "bin/python3/x",
            "there is no folder DIR/bin/python3.".into(),
        ),
        ("./bin", "it is a folder.".into()),
    ];
    for (name, expected) in &cases {
        assert_eq!(&said(name, "bin:absent"), expected, "{name}");
    }
    symlink("nowhere", folder.path().join("link")).expect("linked");
    assert_eq!(
        said("./link", ""),
        "it is a symbolic link to nowhere, which does not exist."
    );
    for command in [vec![], vec![OsString::new()]] {
        let error = resolve(&command, None, folder.path()).expect_err("there is no name");
        assert_eq!(
            error.to_string(),
            "the command is empty: name the program to run."
        );
    }
}

#[test]
fn a_file_that_cannot_be_run() {
    let folder = Folder::new();
    folder.file("tool", 0o644, b"#!/bin/sh\n");
    folder.file("tool.py", 0o644, b"print()\n");
    folder.file("empty", 0o755, b"");
    folder.file("text", 0o755, b"echo x\n");
    folder.file("only", 0o755, b"#!\n");
    let cases = [
        (
            "./tool",
            "DIR/./tool is not executable by this user. See `ls -l DIR/./tool`.",
        ),
        (
            "tool",
            "DIR/./tool is not executable by this user. See `ls -l DIR/./tool`.",
        ),
        (
            "./tool.py",
            "DIR/./tool.py is not executable. Name its interpreter: `python3 DIR/./tool.py`.",
        ),
        ("./empty", "./empty is empty."),
        (
            "./text",
            "./text is neither a program nor a script that begins with `#!`. Name its interpreter: `python3 ./text`, \
             `sh ./text`.",
        ),
        (
            "./only",
            "./only is neither a program nor a script that begins with `#!`. Name its interpreter: `python3 ./only`, \
             `sh ./only`.",
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(
            folder.refused(name, "."),
            format!("cannot run `{name}`: {expected}")
        );
        if name.contains('/') {
            assert_ne!(
                kernels_error(name, folder.path()),
                None,
                "the kernel runs {name}"
            );
        }
    }
}

#[test]
fn a_script_without_its_interpreter() {
    let folder = Folder::new();
    folder.file("missing", 0o755, b"#!/no/such/python3 -u\n");
    folder.file("windows", 0o755, b"#!/bin/sh\r\n");
    folder.file("refused", 0o755, b"#!./plain\n");
    folder.file("plain", 0o644, b"");
    let cases = [
        (
            "./missing",
            "./missing names the interpreter /no/such/python3, which does not exist.",
        ),
        (
            "./windows",
            "./windows names the interpreter /bin/sh\u{fffd}, which does not exist. That line ends as on Windows, with \
             a carriage return: remove it (`dos2unix`).",
        ),
        (
            "./refused",
            "./refused names the interpreter ./plain, which this user may not run.",
        ),
    ];
    for (name, expected) in cases {
        let expected = format!("cannot run `{name}`: the first line of {expected}");
        assert_eq!(folder.refused(name, ""), expected);
        assert_ne!(
            kernels_error(name, folder.path()),
            None,
            "the kernel runs {name}"
        );
    }
}

#[test]
fn elf_files_that_cannot_be_traced_here() {
    let folder = Folder::new();
    let host = fs::read("/bin/sh").expect("readable");
    let changed = |name: &str, changes: &[(usize, u8)]| {
        let mut content = host.clone();
        for (offset, byte) in changes {
            content[*offset] = *byte;
        }
        folder.file(name, 0o755, &content);
        folder.refused(&format!("./{name}"), "")
    };
    // Offsets of elf(5): EI_CLASS 4, EI_DATA 5, e_type 16, e_machine 18.
    let said = changed("half", &[(4, 1)]);
    assert_eq!(
        said,
        "cannot run `./half`: ./half is a 32-bit program: ptpytrace traces 64-bit programs."
    );
    let said = changed("object", &[(16, 1)]);
    assert_eq!(
        said,
        "cannot run `./object`: ./object is an ELF file but not a program."
    );
    let said = changed("alien", &[(18, 243)]);
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x86-64",
        other => other,
    };
    let expected = format!(
        "cannot run `./alien`: ./alien is for another CPU (riscv) than this machine's ({machine})."
    );
    assert_eq!(said, expected);
    let said = changed("big", &[(5, 2), (18, 0), (19, 22)]);
    assert!(said.contains("another CPU (s390x)"), "{said}");

    folder.file("short", 0o755, &host[..100]);
    let expected =
        "cannot run `./short`: ./short is an ELF file that ends too early: it is damaged.";
    assert_eq!(folder.refused("./short", ""), expected);
}

#[test]
fn a_program_for_another_c_library() {
    let folder = Folder::new();
    let mut content = fs::read("/bin/sh").expect("readable");
    let loader = b"/ld-linux";
    let place = content
        .windows(loader.len())
        .position(|bytes| bytes == loader)
        .expect("it is dynamic");
    content[place + 1] = b'x';
    folder.file("musl", 0o755, &content);
    let said = folder.refused("./musl", "");
    assert!(
        said.starts_with("cannot run `./musl`: ./musl needs the dynamic loader /lib"),
        "{said}"
    );
    assert!(
        said.contains("/xd-linux")
            && said.contains(", which does not exist: the program is for another system"),
        "{said}"
    );
    assert_eq!(kernels_error("./musl", folder.path()), Some(libc::ENOENT));
}
