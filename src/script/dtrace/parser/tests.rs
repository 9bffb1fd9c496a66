use super::*;
use crate::script::dtrace::dump;

fn parsed(text: &str, bare: bool) -> (String, Vec<String>) {
    let mut sources = Sources::default();
    let id = sources.add("t.d", text.as_bytes()).expect("short");
    let (script, diagnostics) = parse(&sources, id, bare);
    let messages = diagnostics.iter().map(|it| it.message.clone()).collect();
    (dump(&script), messages)
}

/// The tree of a predicate.
fn predicate(text: &str) -> String {
    let (tree, messages) = parsed(&format!("BEGIN {text} {{ }}"), false);
    assert_eq!(messages, [""; 0], "{text}");
    let start = tree.find("(predicate ").expect("a predicate") + "(predicate ".len();
    let end = tree.find(")\n  (body").expect("a body");
    tree[start..end].to_owned()
}

#[test]
fn a_slash_ends_a_predicate_where_nothing_can_be_divided() {
    for (text, tree) in [
        ("/pid/", "pid"),
        ("/ pid / 2 /", "(/ pid 2)"),
        ("/pid / 2 == 3 / 4/", "(== (/ pid 2) (/ 3 4))"),
        ("/(pid / 2)/", "(/ pid 2)"),
        ("/a[1 / 2] / 3/", "(/ (index a (/ 1 2)) 3)"),
        ("/pid//* a comment */", "pid"),
        ("/pid/ /* a comment */", "pid"),
        ("/pid/\n// a comment\n", "pid"),
        ("/* a comment */ /pid/", "pid"),
        ("/\n!pid\n/\n", "(! pid)"),
    ] {
        assert_eq!(predicate(text), tree, "{text}");
    }
}

#[test]
fn clauses_need_braces_but_on_the_command_line() {
    for text in ["BEGIN", "BEGIN;", "BEGIN /pid/", "a:::b,\nc:::d /pid/"] {
        let (tree, messages) = parsed(text, true);
        assert_eq!(messages, [""; 0], "{text}");
        assert!(tree.contains("(default)"), "{tree}");
        let (_, messages) = parsed(text, false);
        assert_eq!(messages.len(), 1, "{text}: {messages:?}");
    }
}

#[test]
fn probe_descriptions_are_words_of_their_own() {
    let text =
        "python*:::*-entry, pid$target:lib[cm]?.so.6:foo:return, ::a-b: ,syscall::open*:entry{}";
    let (tree, messages) = parsed(text, false);
    assert_eq!(messages, [""; 0]);
    for probe in [
        "(probe python*:::*-entry)",
        "(probe pid$target:lib[cm]?.so.6:foo:return)",
        "(probe ::a-b:)",
        "(probe syscall::open*:entry)",
    ] {
        assert!(tree.contains(probe), "{probe}: {tree}");
    }
}

#[test]
fn several_errors_are_told_and_what_is_right_is_kept() {
    let (tree, messages) = parsed(
        "BEGIN { a = ; b = 1; if (x { c = 2; } d = 3; }\nEND { e = ) }\ntick-1s { f = 4; }",
        false,
    );
    assert_eq!(
        messages,
        [
            "expected an expression, found `;`",
            "expected `)`, found `{`",
            "expected an expression, found `)`",
        ]
    );
    for kept in ["(= b 1)", "(= d 3)", "(= f 4)"] {
        assert!(tree.contains(kept), "{kept}: {tree}");
    }
}

#[test]
fn strings_and_lines_that_begin_with_a_hash() {
    let text = "#!/usr/sbin/dtrace -s\n# 1 \"x.d\"\n#line 3\n#ident \"x\"\n#pragma ident \"x\"\n \
                #pragma D option quiet /* not a word */\nBEGIN { a = \"\\t\\x41\\101\\0cut\\\\\"; }";
    let (tree, messages) = parsed(text, false);
    assert_eq!(messages, [""; 0]);
    assert!(tree.starts_with("(pragma option quiet)\n(clause"), "{tree}");
    assert!(tree.contains(r#"(= a "\tAA")"#), "{tree}");
    let (_, messages) = parsed("#include <x.h>\nBEGIN { a = 08; }", false);
    assert_eq!(
        messages,
        [
            "invalid control directive: #include",
            "`08` is not an integer"
        ]
    );
    let (_, messages) = parsed("BEGIN { } /* no end", false);
    assert_eq!(messages, ["this comment has no end"]);
}

#[test]
fn nesting_is_limited_and_long_chains_are_not_deep() {
    let deep = |open: &str, close: &str, times: usize| {
        format!(
            "BEGIN {{ x = {}1{}; }}",
            open.repeat(times),
            close.repeat(times)
        )
    };
    for (open, close) in [
        ("(", ")"),
        ("-", ""),
        ("f(", ")"),
        ("a[", "]"),
        ("(int)", ""),
    ] {
        let (_, messages) = parsed(&deep(open, close, 20), false);
        assert_eq!(messages, [""; 0], "{open}");
        let (_, messages) = parsed(&deep(open, close, 50_000), false);
        assert_eq!(messages.len(), 1, "{open}: {messages:?}");
    }
    let (_, messages) = parsed(&deep("1 + ", "", 50_000), false);
    assert_eq!(messages, ["an expression of more than 200 levels"]);
    let (_, messages) = parsed(&deep("1 ? 2 : ", "", 50_000), false);
    assert_eq!(messages, ["an expression of more than 200 levels"]);
    let (_, messages) = parsed(&deep("x = ", "", 50_000), false);
    assert_eq!(messages.len(), 1);
    let (_, messages) = parsed(&deep("1 || ", "", 5_000), false);
    assert_eq!(messages, [""; 0]);
    let ifs = format!("BEGIN {{ {} x = 1; }}", "if (1) ".repeat(50_000));
    assert_eq!(parsed(&ifs, false).1.len(), 1);
    let braces = format!("BEGIN {}", "{".repeat(50_000));
    assert!(!parsed(&braces, false).1.is_empty());
}
