//! Words of D in any order: nothing may panic, hang, or overflow the stack.

use proptest::prelude::*;

use super::*;

const WORDS: &[&str] = &[
    "BEGIN",
    "END",
    "ERROR",
    "tick-1s",
    "python*:::line",
    "pid$target:libc:f:return",
    "syscall:::return",
    "proc:::exit",
    "fbt:::",
    "{",
    "}",
    "{",
    "}",
    "(",
    ")",
    "(",
    ")",
    "[",
    "]",
    ";",
    ";",
    ",",
    "/",
    "/",
    "?",
    ":",
    "=",
    "+=",
    "-=",
    "<<=",
    "==",
    "!=",
    "<",
    ">=",
    "&&",
    "||",
    "^^",
    "+",
    "-",
    "*",
    "%",
    "&",
    "|",
    "^",
    "~",
    "!",
    "<<",
    ">>",
    "++",
    "--",
    "->",
    ".",
    "self->x",
    "this->x",
    "self->a",
    "x",
    "y",
    "self",
    "this",
    "@",
    "@a",
    "@a[x]",
    "$1",
    "$$1",
    "$target",
    "$9",
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "0x8000000000000000",
    "255u",
    "'a'",
    "\"text\"",
    "\"%d %s %@d\"",
    "\"%*.*s\"",
    "arg0",
    "arg1",
    "args",
    "pid",
    "timestamp",
    "execname",
    "errno",
    "NULL",
    "copyin",
    "copyinstr",
    "stringof",
    "sizeof",
    "(int)",
    "(char *)",
    "(string)",
    "int",
    "string",
    "unsigned",
    "inline",
    "typedef",
    "enum",
    "struct",
    "if",
    "else",
    "while",
    "printf",
    "printa",
    "trace",
    "exit",
    "count()",
    "sum",
    "quantize",
    "lquantize(1,2,3)",
    "trunc",
    "normalize",
    "clear",
    "strlen",
    "substr",
    "strjoin",
    "lltostr",
    "jstack()",
    "ustack(5)",
    "usym",
    "speculation()",
    "speculate",
    "system",
    "#pragma D option quiet\n",
    "\n#pragma D option strsize=8\n",
    "/*",
    "*/",
    "//",
    "\n",
    "`",
    "é",
    "\"",
    "'",
];

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(WORDS)
}

fn compile_any(text: &str, bare: bool) {
    let mut sources = Sources::default();
    let id = sources.add("t.d", text.as_bytes()).expect("short");
    let settings = Settings {
        arguments: vec!["7".to_owned()],
        destructive: true,
        ..Settings::default()
    };
    let (script, _) = parse(&sources, id, bare);
    dump(&script);
    let unit = Unit {
        source: id,
        spec: Spec::Name,
        bare,
    };
    let (compiled, diagnostics) = compile_all(&sources, &[unit], &settings);
    assert_eq!(compiled.is_none(), diagnostics.has_errors());
    diagnostics.render(&sources, false);
}

proptest! {
    #[test]
    fn words_in_any_order_are_compiled_or_refused(words in prop::collection::vec(word(), 0..60), bare: bool) {
        compile_any(&words.join(" "), bare);
    }

    #[test]
    fn clauses_of_any_words_are_compiled_or_refused(words in prop::collection::vec(word(), 0..40)) {
        compile_any(&format!("python*:::line {{ {} }}", words.join(" ")), false);
    }

    #[test]
    fn any_text_is_compiled_or_refused(text: String) {
        compile_any(&text, true);
    }
}

#[test]
fn the_deepest_programs_fit_the_stack() {
    let deep = |open: &str, close: &str, times: usize| {
        let text = format!(
            "python*:::line /{}arg0{}/ {{ x = {}arg0{}; }}",
            open.repeat(times),
            close.repeat(times),
            open.repeat(times),
            close.repeat(times)
        );
        compile_any(&text, false);
    };
    for times in [90, 190, 1000] {
        for (open, close) in [
            ("(", ")"),
            ("-", ""),
            ("strlen(lltostr(", "))"),
            ("a[", "]"),
            ("(int)", ""),
            ("1 + ", ""),
            ("arg1 ? arg2 : ", ""),
            ("arg1 ? ", " : 2"),
            ("this->x = ", ""),
            ("1 && (0 || ", ")"),
        ] {
            deep(open, close, times);
        }
    }
    let ifs = format!("BEGIN {{ {} x = 1; }}", "if (arg0) { ".repeat(90)) + &"}".repeat(90);
    compile_any(&ifs, false);
}
