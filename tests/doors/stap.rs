//! Called `stap`. The expected lines are those of stap(1), staprun(8) and error::pass1(7stap).

use super::{Door, python};

#[test]
fn points_are_listed_sorted_and_status_1_says_that_there_are_none() {
    for user in [false, true] {
        let door = Door::new(user);
        let path = python();
        let ran = door.run(
            "stap",
            &["-l", &format!("process(\"{path}\").mark(\"gc__*\")")],
        );
        let line = |name: &str| format!("process(\"{path}\").mark(\"{name}\")\n");
        assert_eq!(ran.out, line("gc__done") + &line("gc__start"));
        assert_eq!((ran.status, ran.errors.as_str()), (Some(0), ""));
        let pattern = format!("process(\"{path}\").mark(\"function__entry\")");
        let ran = door.run("stap", &["-L", &pattern]);
        assert_eq!(
            ran.out,
            format!("{pattern} $arg1:long $arg2:long $arg3:long\n")
        );
        let ran = door.run(
            "stap",
            &["-l", &format!("process(\"{path}\").mark(\"nosuch\")")],
        );
        assert_eq!(
            (ran.out.as_str(), ran.errors.as_str(), ran.status),
            ("", "", Some(1))
        );
        let ran = door.run("stap", &["-l", "process(\"/bin/sh\").mark("]);
        assert_eq!(ran.status, Some(1));
        assert!(
            ran.errors
                .ends_with("Pass 1: parse failed.  [man error::pass1]\n"),
            "{ran:?}"
        );
    }
}

#[test]
fn errors_are_counted_at_the_end() {
    let door = Door::new(true);
    let script = "probe begin { error(\"x\") }";
    let ran = door.run("stap", &["-e", script]);
    assert_eq!(
        ran.errors,
        "ERROR: x\nWARNING: Number of errors: 1, skipped probes: 0\n\
         Pass 5: run failed.  [man error::pass5]\n"
    );
    assert_eq!(ran.status, Some(1));
    let ran = door.run("stap", &["-w", "-e", script]);
    assert_eq!(
        ran.errors,
        "ERROR: x\nPass 5: run failed.  [man error::pass5]\n"
    );
}

#[test]
fn each_pass_has_its_status() {
    let door = Door::new(true);
    let table: [(&[&str], Option<i32>, &str); 6] = [
        (&["-p1", "-e", "probe nosuch {}"], Some(0), ""),
        (
            &["-p2", "-e", "probe nosuch {}"],
            Some(1),
            "Pass 2: analysis failed.  [man error::pass2]\n",
        ),
        (
            &["-p1", "-e", "probe begin {"],
            Some(1),
            "Pass 1: parse failed.  [man error::pass1]\n",
        ),
        (&["-p2", "-e", "probe begin { print(1) }"], Some(0), ""),
        (
            &["-e", "probe begin { exit() }", "-c", "false"],
            Some(1),
            "Pass 5: run failed.  [man error::pass5]\n",
        ),
        (&["-e", "probe end { }", "-c", "true"], Some(0), ""),
    ];
    for (words, status, expected) in table {
        let ran = door.run("stap", words);
        assert_eq!(ran.status, status, "{words:?}: {ran:?}");
        assert!(ran.errors.ends_with(expected), "{words:?}: {ran:?}");
        assert_eq!(
            ran.errors.is_empty(),
            expected.is_empty(),
            "{words:?}: {ran:?}"
        );
        assert_eq!(ran.out, "", "{words:?}");
    }
}

#[test]
fn a_script_may_be_in_several_texts_and_its_output_in_a_file() {
    let door = Door::new(true);
    door.write("x.stp", "probe begin { printf(\"one %s\\n\", @1) }\n");
    let words = [
        "-E",
        "probe begin { println(\"two\") } probe end { println(\"end\") }",
        "-T",
        "1",
        "-o",
        "log",
        "x.stp",
        "arg",
    ];
    let ran = door.run("stap", &words);
    assert_eq!((ran.status, ran.errors.as_str()), (Some(0), ""), "{ran:?}");
    let text = std::fs::read_to_string(door.path().join("log")).expect("the output");
    assert_eq!(text, "one arg\ntwo\nend\n");
}
