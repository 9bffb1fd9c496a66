//! Called `dtrace`. The expected lines are those of DTrace 2.0.7 and, for the ends of processes, of the manual.

use super::{Door, python, without_numbers};

const HEADER: &str = "CPU     ID                    FUNCTION:NAME\n";

#[test]
fn what_a_script_matches_is_told_first() {
    for user in [false, true] {
        let door = Door::new(user);
        let command = format!("{} t.py", python());
        let clause = "python$target:::function-entry /copyinstr(arg1) == \"f\"/ { trace(7); }";
        let ran = door.run("dtrace", &["-n", clause, "-c", &command]);
        assert_eq!(
            without_numbers(&ran.errors),
            "dtrace: description 'python$target:::function-entry ' matched N probe\n\
             dtrace: pid N has exited\n"
        );
        let rows = ran.out.strip_prefix(HEADER).expect("a header");
        let rows: Vec<&str> = rows.lines().filter(|it| !it.is_empty()).collect();
        assert_eq!(rows.len(), 2, "{ran:?}");
        assert!(
            rows.iter()
                .all(|it| it.contains(":function-entry ") && it.ends_with("7"))
        );
        assert_eq!(ran.status, Some(0));
    }
}

#[test]
fn every_text_has_its_count_and_timers_are_one_each() {
    let door = Door::new(true);
    door.write(
        "a.d",
        "BEGIN { printf(\"hi\"); }\nEND {}\ntick-50ms { exit(3); }\n",
    );
    let ran = door.run("dtrace", &["-s", "a.d", "-n", "BEGIN"]);
    assert_eq!(
        ran.errors,
        "dtrace: script 'a.d' matched 3 probes\ndtrace: description 'BEGIN' matched 1 probe\n"
    );
    assert_eq!(ran.status, Some(3));
    assert!(ran.out.starts_with(&format!(
        "{HEADER}  0      1                           :BEGIN hi\n"
    )));
    // A pragma in the script is as good as -q.
    door.write("q.d", "#pragma D option quiet\nBEGIN { exit(0); }\n");
    for words in [&["-s", "q.d"][..], &["-qn", "BEGIN { exit(0); }"]] {
        let ran = door.run("dtrace", words);
        assert_eq!(
            (ran.out.as_str(), ran.errors.as_str()),
            ("\n", ""),
            "{words:?}"
        );
    }
}

#[test]
fn a_description_that_matches_nothing_keeps_the_command_from_running() {
    let door = Door::new(true);
    let command = format!("{} -c 'open(\"ran\",\"w\")'", python());
    door.write("b.d", "BEGIN {}\nnosuch$target:::foo { trace(1); }\n");
    let ran = door.run("dtrace", &["-s", "b.d", "-c", &command]);
    assert_eq!(ran.status, Some(1));
    let errors = without_numbers(&ran.errors);
    let expected = "dtrace: failed to compile script b.d: line N: probe description nosuchN:::foo does not match \
                    any probes\n";
    assert!(errors.starts_with(expected), "{errors}");
    assert!(!door.path().join("ran").exists());
    let ran = door.run(
        "dtrace",
        &["-n", "python*:::function-entri", "-c", &command],
    );
    assert_eq!(ran.status, Some(1));
    let expected = "dtrace: invalid probe specifier python*:::function-entri: probe description \
                    python*:::function-entri does not match any probes\n";
    assert!(ran.errors.starts_with(expected), "{}", ran.errors);
    assert!(
        ran.errors.contains("similar: function-entry"),
        "{}",
        ran.errors
    );
    assert!(!door.path().join("ran").exists());
    let ran = door.run("dtrace", &["-Z", "-s", "b.d", "-c", &command]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(
        ran.errors
            .starts_with("dtrace: script 'b.d' matched 1 probe\n")
    );
    assert!(door.path().join("ran").exists());
}

#[test]
fn the_end_of_the_command_is_told_and_its_status_is_not_passed_on() {
    let door = Door::new(true);
    for (script, expected) in [
        ("exit 0", "has exited"),
        ("exit 3", "exited with status N"),
        ("kill -9 $$", "terminated by SIGKILL"),
    ] {
        let command = format!("sh -c '{script}'");
        let ran = door.run("dtrace", &["-n", "END", "-c", &command]);
        let told = format!("dtrace: description 'END' matched N probe\ndtrace: pid N {expected}\n");
        assert_eq!(without_numbers(&ran.errors), told);
        assert_eq!(ran.status, Some(0));
        let ran = door.run("dtrace", &["-qn", "END", "-c", &command]);
        assert_eq!((ran.out.as_str(), ran.errors.as_str()), ("\n", ""));
    }
}

#[test]
fn exit_ends_the_command() {
    let door = Door::new(true);
    // It would not end in the time of a test.
    let ran = door.run(
        "dtrace",
        &["-n", "tick-50ms { exit(4); }", "-c", "sleep 100000"],
    );
    assert_eq!(ran.status, Some(4), "{ran:?}");
    assert!(!ran.errors.contains("pid"), "{ran:?}");
}

#[test]
fn probes_are_listed_as_a_table() {
    for user in [false, true] {
        let door = Door::new(user);
        let command = format!("{} t.py", python());
        let words = [
            "-l",
            "-n",
            "python*:::gc-*",
            "-n",
            "END",
            "-n",
            "tick-1s",
            "-c",
            &command,
        ];
        let ran = door.run("dtrace", &words);
        let rows: Vec<&str> = ran.out.lines().collect();
        let header = "   ID   PROVIDER            MODULE                          FUNCTION NAME";
        assert_eq!(rows.first(), Some(&header));
        let own = "    2     dtrace                                                     END";
        assert_eq!(rows.get(1), Some(&own));
        let names: Vec<&str> = rows
            .iter()
            .skip(2)
            .filter_map(|it| it.split(' ').next_back())
            .collect();
        assert_eq!(names, ["gc-done", "gc-start", "tick-1s"], "{}", ran.out);
        assert_eq!((ran.status, ran.errors.as_str()), (Some(0), ""));
        // -P, -m and -f name less and less.
        let ran = door.run("dtrace", &["-l", "-P", "dtrace", "-c", &command]);
        assert_eq!(ran.out.lines().count(), 4, "{}", ran.out);
        let ran = door.run("dtrace", &["-l", "-m", "python3.9", "-c", &command]);
        assert!(
            ran.out.contains(" function-entry\n") && !ran.out.contains("BEGIN"),
            "{}",
            ran.out
        );
        let ran = door.run("dtrace", &["-l", "-P", "nosuch", "-c", &command]);
        assert_eq!(
            (ran.out.lines().count(), ran.errors.as_str(), ran.status),
            (
                1,
                "dtrace: failed to match nosuch:::: No probe matches description\n",
                Some(0)
            )
        );
    }
}

#[test]
fn what_is_wrong_is_one_line_and_the_status_1() {
    let door = Door::new(true);
    for (words, expected) in [
        (
            &["-x", "nosuch", "-n", "BEGIN"][..],
            "failed to set option 'nosuch': invalid option name",
        ),
        (
            &["-n", "BEGIN {"],
            "dtrace: invalid probe specifier BEGIN {: ",
        ),
        (&["-s", "nosuch.d"], "nosuch.d"),
    ] {
        let ran = door.run("dtrace", words);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.errors.contains(expected), "{ran:?}");
        assert!(
            ran.errors.lines().all(|it| it.starts_with("dtrace: ")),
            "{ran:?}"
        );
    }
    assert_eq!(door.run("dtrace", &[]).status, Some(2));
    let ran = door.run("dtrace", &["-e", "-n", "BEGIN { printf(\"no\"); }"]);
    let told = "dtrace: description 'BEGIN ' matched 1 probe\n";
    assert_eq!(
        (ran.out.as_str(), ran.errors.as_str(), ran.status),
        ("", told, Some(0))
    );
    assert!(door.run("dtrace", &["-V"]).out.starts_with("dtrace: "));
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let door = Door::new(true);
    door.write("empty.d", "/* nothing */\n");
    let table: [(&[&str], &str, i32); 4] = [
        (&["-s", "empty.d"], "there is no probe in it", 1),
        (&["empty.d"], "write -s empty.d", 2),
        (
            &["-n", "BEGIN", "-p", "4999999"],
            "there is no such process",
            1,
        ),
        (&["--no-such-flag"], "--no-such-flag", 2),
    ];
    for (words, expected, status) in table {
        let ran = door.run("dtrace", words);
        assert!(ran.errors.contains(expected), "{words:?}: {ran:?}");
        assert_eq!(
            (ran.out.as_str(), ran.status),
            ("", Some(status)),
            "{words:?}"
        );
    }
}

#[test]
fn help_shows_how_it_is_used() {
    let door = Door::new(true);
    for tool in ["dtrace", "stap"] {
        let ran = door.run(tool, &["--help"]);
        assert!(
            ran.out.contains(&format!("Usage: {tool} [FLAGS] ")),
            "{ran:?}"
        );
        assert_eq!((ran.errors.as_str(), ran.status), ("", Some(0)));
    }
}
