//! Scripts from text to program, against what the manual pages of SystemTap say and what its own front end says.

use std::path::{Path, PathBuf};

use super::{Mark, Programs, Settings, compile, match_points};
use crate::plan::{Point, ProviderGlob};
use crate::script::diagnostic::Severity;
use crate::script::ir::{
    Expr, Initial, IntExpr, OrderBy, Piece, Program, Region, Scope, Stmt, StrContext, StrExpr,
    Table, Trigger, Type,
};
use crate::script::source::Sources;

/// A machine with two pythons, one of them with its markers in a library.
pub struct Machine;

const STATIC: &str = "/usr/bin/python3.9";
const SHARED: &str = "/opt/bin/python3.12";
const LIBRARY: &str = "/opt/lib/libpython3.12.so.1.0";

impl Programs for Machine {
    fn resolve(&self, name: &str, library: bool) -> Option<PathBuf> {
        let path = match (name, library) {
            ("python" | "python3.9" | STATIC, false) => STATIC,
            ("python3.12" | SHARED, false) => SHARED,
            (LIBRARY, _) => LIBRARY,
            _ => return None,
        };
        Some(PathBuf::from(path))
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        if pattern.starts_with("python") {
            vec![SHARED.into(), STATIC.into()]
        } else {
            Vec::new()
        }
    }

    fn marks(&self, path: &Path) -> Result<Vec<Mark>, String> {
        let all = [
            ("function__entry", 3),
            ("function__return", 3),
            ("line", 3),
            ("gc__start", 1),
            ("gc__done", 1),
        ];
        let mark = |(name, arguments): (&str, usize)| Mark {
            provider: "python".to_owned(),
            name: name.to_owned(),
            arguments,
        };
        match path.to_str() {
            Some(STATIC | LIBRARY) => Ok(all.into_iter().map(mark).collect()),
            Some(SHARED) => Ok(Vec::new()),
            _ => Err(format!("{} cannot be read", path.display())),
        }
    }

    fn libraries(&self, program: &Path) -> Vec<PathBuf> {
        if program == Path::new(SHARED) {
            vec![LIBRARY.into(), "/lib/libc.so.6".into()]
        } else {
            Vec::new()
        }
    }

    fn process(&self, pid: i32) -> Option<PathBuf> {
        (pid == 7).then(|| STATIC.into())
    }
}

fn settings() -> Settings<'static> {
    Settings::new(&Machine)
}

/// The program, or what is wrong with the script.
fn try_with(text: &str, settings: &Settings<'_>) -> Result<(Program, Vec<String>), Vec<String>> {
    let mut sources = Sources::default();
    let id = sources.add("t.stp", text.as_bytes()).expect("short");
    let (program, diagnostics) = compile(&mut sources, id, settings);
    let of = |severity: Severity| -> Vec<String> {
        let all = diagnostics.iter().filter(|it| it.severity == severity);
        all.map(|it| {
            let (line, column) = sources.position(it.span);
            format!("{} at {line}:{column}", it.message)
        })
        .collect()
    };
    match program {
        Some(program) => Ok((program, of(Severity::Warning))),
        None => Err(of(Severity::Error)),
    }
}

fn program(text: &str) -> Program {
    try_with(text, &settings()).expect(text).0
}

fn errors(text: &str) -> Vec<String> {
    try_with(text, &settings()).map(|_| ()).expect_err(text)
}

/// The points of a handler, as `pp()` shows them.
fn texts(program: &Program) -> Vec<Vec<String>> {
    let text = |trigger: &Trigger| match trigger {
        Trigger::Traced(traced) => traced.text.clone(),
        other => format!("{other:?}"),
    };
    let handlers = program.handlers.iter();
    handlers
        .map(|it| it.triggers.iter().map(text).collect())
        .collect()
}

#[test]
fn the_documented_tapset_loads_though_it_names_a_fourth_argument() {
    let script = r#"
        /* Provide a higher-level wrapping around the function__entry and
           function__return markers: \*/
        probe python.function.entry = process("python").mark("function__entry")
        {
            filename = user_string($arg1);
            funcname = user_string($arg2);
            lineno = $arg3;
            frameptr = $arg4
        }
        probe python.function.entry
        {
          printf("%s => %s in %s:%d\\n", thread_indent(1), funcname, filename, lineno);
        }"#;
    let (program, warnings) = try_with(script, &settings()).expect("it compiles");
    assert_eq!(
        texts(&program),
        [[format!("process(\"{STATIC}\").mark(\"function__entry\")")]]
    );
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let handler = &program.handlers[0];
    assert_eq!(handler.locals, [Type::Str, Type::Str, Type::Int]);
    let Stmt::Print(_, format) = &handler.body[3] else {
        panic!("{:?}", handler.body)
    };
    assert!(matches!(&format.pieces[..], [.., Piece::Literal(end)] if end == b"\n"));
    let Stmt::Evaluate(Expr::Str(StrExpr::Assign { value, .. })) = &handler.body[0] else {
        panic!("{:?}", handler.body)
    };
    assert!(matches!(
        **value,
        StrExpr::Argument {
            index: 0,
            limit: 4096,
            otherwise: None,
            ..
        }
    ));
    let used = script.replace("lineno);", "frameptr);");
    assert_eq!(
        errors(&used),
        ["semantic error: unresolved target-symbol expression '$arg4' at 9:24"]
    );
}

#[test]
fn the_shipped_tapset_finds_the_markers_wherever_they_are() {
    let script = "probe python.function.entry { println(funcname) }";
    let everywhere = program(script);
    let own = format!("process(\"{STATIC}\").provider(\"python\").mark(\"function__entry\")");
    let library = format!(
        "process(\"{SHARED}\").library(\"{LIBRARY}\").provider(\"python\").mark(\"function__entry\")"
    );
    assert_eq!(texts(&everywhere), [[own.clone(), library.clone()]]);
    let mut with = settings();
    with.program = Some(STATIC.into());
    assert_eq!(
        texts(&try_with(script, &with).expect("it compiles").0),
        [[own]]
    );
    with.program = Some(SHARED.into());
    assert_eq!(
        texts(&try_with(script, &with).expect("it compiles").0),
        [[library]]
    );
    for point in [
        "python.line",
        "python.gc.start",
        "python.gc.done",
        "python.function.return",
    ] {
        program(&format!("probe {point} {{ println(pp()) }}"));
    }
    program("probe python.gc.* { println(pp()) }");
}

#[test]
fn a_name_is_the_program_of_the_command_when_that_is_its_last_part() {
    let mut with = settings();
    with.program = Some("/home/me/python-build/python".into());
    with.command = Some("./python".to_owned());
    let error = try_with("probe process(\"python\").mark(\"line\") {}", &with)
        .map(|_| ())
        .expect_err("no such file");
    assert!(error[0].contains("no match"), "{error:?}");
    with.command = Some("./run".to_owned());
    let (program, _) = try_with(
        "probe process(\"python\").mark(\"line\") { println(1) }",
        &with,
    )
    .expect("PATH's");
    assert_eq!(
        texts(&program),
        [[format!("process(\"{STATIC}\").mark(\"line\")")]]
    );
}

#[test]
fn marks_of_programs_libraries_and_processes() {
    let script = "probe process(\"python3.12\").library(\"libpython3.12.so.1.0\").mark(\"gc__*\"), process(7).mark(\"line\") { println($arg1) }";
    let program = program(script);
    let library =
        |name: &str| format!("process(\"{SHARED}\").library(\"{LIBRARY}\").mark(\"{name}\")");
    let expected = [
        vec![library("gc__done"), library("gc__start")],
        vec![format!("process(\"{STATIC}\").mark(\"line\")")],
    ];
    assert_eq!(texts(&program), expected);
    let Trigger::Traced(traced) = &program.handlers[0].triggers[0] else {
        panic!()
    };
    let Point::Marker(marker) = &traced.point else {
        panic!()
    };
    assert!(marker.module.as_ref().is_some_and(|it| it.matches(LIBRARY)));
    assert!(marker.name.matches("gc-done"));
    assert!(matches!(&marker.provider, ProviderGlob::Note(Some(glob)) if glob.matches("python")));
    assert!(
        traced
            .within
            .program
            .as_ref()
            .is_some_and(|it| it.matches(SHARED))
    );
    let Trigger::Traced(traced) = &program.handlers[1].triggers[0] else {
        panic!()
    };
    assert_eq!(traced.within.pid, Some(7));
}

#[test]
fn what_matches_nothing_says_what_is_similar() {
    let table = [
        (
            "process(\"python\").mark(\"function_entry\")",
            "semantic error: no match (similar marks: function__entry, function__return, gc__done, gc__start, line) at 1:7",
        ),
        (
            "process(\"python3.12\").library(\"libpyton3.12.so.1.0\").mark(\"line\")",
            "semantic error: no match (similar libraries: libpython3.12.so.1.0, libc.so.6) at 1:7",
        ),
        (
            "process(\"pyton\").mark(\"line\")",
            "semantic error: cannot find executable 'pyton' at 1:7",
        ),
        (
            "process.mark(\"line\")",
            "semantic error: unspecified process probe is invalid without a -c COMMAND or -x PID at 1:7",
        ),
        (
            "kernel.function(\"x\")",
            "semantic error: the probe point kernel is refused: needs the kernel at 1:7",
        ),
        (
            "process(\"python\").plt",
            "semantic error: the probe point process.plt is refused: probe the function where it is: process(\"library\").function(\"f\") at 1:7",
        ),
        (
            "timer.s(0)",
            "semantic error: interval value out of range (10 us to 1 day) at 1:7",
        ),
        (
            "process(\"python\").function(\"f@x.c:3\")",
            "semantic error: function 'f@x.c:3': files and lines need debug information, which is not read at 1:7",
        ),
    ];
    for (point, expected) in table {
        assert_eq!(
            errors(&format!("probe {point} {{ println(1) }}")),
            [expected],
            "{point}"
        );
        // Where it is optional nothing is said, as long as another probe is there.
        program(&format!(
            "probe {point} ? {{ println(1) }} probe begin {{ println(2) }}"
        ));
    }
    assert_eq!(
        errors("probe begni {}")[0],
        "semantic error: probe point mismatch (similar: begin, end, kernel, never, perf) at 1:7"
    );
}

#[test]
fn a_sufficient_point_ends_the_list() {
    let program = program(
        "probe process(\"nosuch\").mark(\"x\")!, process(\"python\").mark(\"line\")!, begin { println(1) }",
    );
    assert_eq!(
        texts(&program).concat(),
        [format!("process(\"{STATIC}\").mark(\"line\")")]
    );
}

#[test]
fn aliases_add_before_and_behind_and_lead_to_each_other() {
    let program = program(
        "probe a = begin { println(\"a\") } probe b.c = a { println(\"b\") }
         probe b.c += end { println(\"behind\") } probe b.* { println(\"own\") }",
    );
    let printed = |at: usize| -> String {
        let pieces = program.handlers[at].body.iter().map(|stmt| match stmt {
            Stmt::Print(_, format) => match &format.pieces[0] {
                Piece::Str {
                    value: StrExpr::Constant(text),
                    ..
                } => String::from_utf8_lossy(text).into_owned(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
        pieces.collect::<Vec<String>>().join(" ")
    };
    assert_eq!(
        (printed(0).as_str(), printed(1).as_str()),
        ("a b own", "own behind")
    );
    assert_eq!(program.handlers[1].triggers, [Trigger::End(0)]);
    assert!(
        errors("probe a = b {} probe b = a {} probe a { println(1) }")[0]
            .contains("aliases lead to each other")
    );
}

#[test]
fn timers_and_priorities() {
    let program = program(
        "probe timer.ms(1000), timer.hz(4), timer.s(2).randomize(1), timer.profile, begin(-3), error(5), never { println(1) }",
    );
    let timers: Vec<(u64, u64, String)> = program.handlers[0]
        .triggers
        .iter()
        .filter_map(|trigger| match trigger {
            Trigger::Timer(timer) => Some((
                timer.period,
                timer.jitter,
                program.voice.timer_name(timer.name).to_owned(),
            )),
            _ => None,
        })
        .collect();
    let expected = [
        (1_000_000_000, 0, "timer.ms(1000)"),
        (250_000_000, 0, "timer.hz(4)"),
        (2_000_000_000, 1_000_000_000, "timer.s(2).randomize(1)"),
        (4_000_000, 0, "timer.profile"),
    ];
    assert_eq!(
        timers,
        expected.map(|(period, jitter, name)| (period, jitter, name.to_owned()))
    );
    assert_eq!(
        program.handlers[0].triggers[4..],
        [Trigger::Begin(-3), Trigger::Error(5), Trigger::Never]
    );
}

#[test]
fn types_are_inferred_across_functions() {
    let program = program(
        "global names, sums, last = 7
         function join(a, b) { return a . \"/\" . b }
         function twice(n) { if (n > 0) return n * 2 }
         probe begin { names[1, \"x\"] = join(\"a\", \"b\"); sums[\"k\"] <<< twice(last); last += 1
            foreach ([i, s] in names) println(i, s) println(@count(sums[\"k\"])) println(last) }",
    );
    let [names] = &program.arrays[..] else {
        panic!()
    };
    assert_eq!(
        (names.keys.as_slice(), names.value),
        (&[Type::Int, Type::Str][..], Type::Str)
    );
    let [sums] = &program.aggregations[..] else {
        panic!()
    };
    assert_eq!(sums.keys, [Type::Str]);
    assert_eq!(program.globals[0].initial, Initial::Int(7));
    let results: Vec<_> = program
        .functions
        .iter()
        .map(|it| (it.name.as_str(), it.result, it.parameters))
        .collect();
    assert_eq!(
        results,
        [("join", Some(Type::Str), 2), ("twice", Some(Type::Int), 1)]
    );
    // Read, but nowhere written: names is; nothing is displayed at the end.
    assert_eq!(program.handlers.len(), 1);
}

#[test]
fn what_is_never_called_or_used_needs_no_types() {
    let program = program("global never function f(x) { return x . 1 } probe begin { println(1) }");
    assert!(
        program.functions.is_empty() && program.globals.is_empty() && program.arrays.is_empty()
    );
}

#[test]
fn errors_are_those_of_stap() {
    let table = [
        (
            "printf(\"%s\", 1)",
            "semantic error: type mismatch: expected string but found long at 1:28",
        ),
        (
            "printf(\"%d\", \"a\")",
            "semantic error: type mismatch: expected long but found string at 1:28",
        ),
        (
            "printf(\"%d %d\", 1)",
            "semantic error: Wrong number of args to formatted print operator at 1:15",
        ),
        (
            "printf(\"%q\", 1)",
            "parse error: invalid or missing conversion specifier at 1:22",
        ),
        (
            "x = 1; x = \"a\"; print(x)",
            "semantic error: type mismatch: expected long but found string at 1:22",
        ),
        ("print(x)", "semantic error: unresolved type: 'x' at 1:21"),
        (
            "fooo(1)",
            "semantic error: unresolved function fooo (similar: log, HZ, abort, addr, cpu) at 1:15",
        ),
        (
            "print(strlen(\"a\", \"b\"))",
            "semantic error: arity mismatch found (function 'strlen' takes 1 args) at 1:21",
        ),
        (
            "print(1 . \"a\")",
            "semantic error: type mismatch: expected string but found long at 1:21",
        ),
        (
            "delete 5",
            "semantic error: invalid operand of delete expression at 1:22",
        ),
        (
            "5 = 3",
            "semantic error: Expecting lvalue for assignment at 1:17",
        ),
        (
            "x = ;",
            "parse error: expected literal string or number, saw operator ';' at 1:19",
        ),
        (
            "if (1 { }",
            "parse error: expected ')', saw operator '{' at 1:21",
        ),
        (
            "return 1",
            "parse error: found 'return' not in function context at 1:15",
        ),
        (
            "print($1)",
            "parse error: command line argument out of range [1-0] at 1:21",
        ),
        (
            "print(@cast(1, \"x\")->y)",
            "semantic error: @cast is refused: needs debug information of the traced program, which is not read at 1:21",
        ),
        (
            "print(@count(q))",
            "semantic error: stat locals not supported, missing global declaration? at 1:28",
        ),
        (
            "foreach (a in b) print(a)",
            "semantic error: unresolved arity-1 global array b, missing global declaration? at 1:29",
        ),
        (
            "print(\"a\" =~ \"(\")",
            "semantic error: regex compilation error: unclosed group at 1:28",
        ),
        (
            "print(%{ 1 %})",
            "parse error: embedded C (%{ … %}) cannot be run at 1:21",
        ),
        (
            "exit(1)",
            "semantic error: arity mismatch found (function 'exit' takes 0 args) at 1:15",
        ),
        (
            "ftrace(\"x\")",
            "semantic error: the function ftrace is refused: needs the kernel at 1:15",
        ),
        (
            "println(1) break",
            "semantic error: found 'break' or 'continue' outside of a loop at 1:26",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(
            errors(&format!("probe begin {{ {body} }}")),
            [expected],
            "{body}"
        );
    }
    assert_eq!(
        errors("global a probe begin { a[1] = 1; a[1, 2] = 2 println(a[1]) }"),
        ["semantic error: inconsistent arity (1 vs 2): 'a' at 1:34"]
    );
    assert_eq!(
        errors("global a probe begin { a <<< 1; a = 2 }"),
        ["semantic error: type mismatch: expected stats but found long at 1:33"]
    );
}

#[test]
fn several_errors_are_told_at_once() {
    let all =
        errors("probe begin { x = } probe end { ( } global x x probe never { printf(\"%d\") }");
    assert_eq!(all.len(), 3, "{all:?}");
    let all = errors("probe begin { print(nosuch()) print(1 . 2) } probe end { print(y) }");
    assert_eq!(all.len(), 4, "{all:?}");
}

#[test]
fn globals_that_nobody_reads_are_printed_at_the_end() {
    let program =
        program("global a, s, t, u probe begin { a[1, \"x\"] = 2; s <<< 3; t = \"q\"; u++ }");
    let displays = &program.handlers[1..];
    assert_eq!(displays.len(), 4);
    assert!(displays.iter().all(|it| it.triggers == [Trigger::End(0)]));
    let [Stmt::ForEach(each)] = &displays[0].body[..] else {
        panic!()
    };
    assert!(matches!(each.table, Table::Array(_)));
    assert!(
        each.order
            .is_some_and(|it| it.descending && it.by == OrderBy::Value)
    );
    assert_eq!(displays[0].locals, [Type::Int, Type::Str, Type::Int]);
    let [Stmt::Print(_, format)] = &displays[2].body[..] else {
        panic!()
    };
    assert!(matches!(&format.pieces[0], Piece::Literal(text) if text == b"t="));
}

#[test]
fn loops_deletes_and_membership() {
    let program = program(
        "global a, b
         probe begin { a[1] = 2; b[1, \"x\"] = 3
            foreach (v = k- in a limit 3) println(v, k)
            foreach ([i+, s] in b[*, \"x\"]) println(i, s)
            if ([1, *] in b) println(1)
            delete a[1] delete b[*, \"x\"] delete a
            for (i = 0; i < 3; i++) { if (i == 1) continue; println(i) } }",
    );
    let body = &program.handlers[0].body;
    let Stmt::ForEach(first) = &body[2] else {
        panic!("{body:?}")
    };
    assert!(first.value.is_some() && first.limit.is_some());
    assert!(
        first
            .order
            .is_some_and(|it| it.by == OrderBy::Key(0) && it.descending)
    );
    let Stmt::ForEach(second) = &body[3] else {
        panic!("{body:?}")
    };
    assert!(matches!(&second.slice[..], [None, Some(Expr::Str(_))]));
    let Stmt::If { condition, .. } = &body[4] else {
        panic!("{body:?}")
    };
    assert!(matches!(condition, IntExpr::After(..)));
    assert!(
        matches!(&body[5], Stmt::Delete(Region::Slice(Table::Array(_), keys)) if keys.len() == 1)
    );
    assert!(matches!(
        &body[7],
        Stmt::Delete(Region::All(Table::Array(_)))
    ));
    let Stmt::Loop { step, .. } = &body[9] else {
        panic!("{body:?}")
    };
    assert_eq!(step.len(), 1);
}

#[test]
fn conditionals_and_macros_come_before_all() {
    let mut with = settings();
    with.arguments = vec!["5".to_owned()];
    let script = "%( $# == 1 %? @define twice(x) %( ((@x) * 2) %) %: broken ( %)
        %( systemtap_v >= \"1.8\" && arch != \"s390\" %? probe begin { println(@twice($1 + 1), $2) } %: nonsense %)";
    let errors = try_with(script, &with)
        .map(|_| ())
        .expect_err("$2 is missing");
    assert_eq!(
        errors,
        ["parse error: command line argument out of range [1-1] at 2:92"]
    );
    let (program, _) = try_with(&script.replace(", $2", ""), &with).expect("it compiles");
    assert_eq!(program.handlers.len(), 1);
}

#[test]
fn macros_that_grow_without_end_are_stopped() {
    let mut script = String::from("@define a0 %( 1 + 1 + 1 + 1 %)\n");
    for at in 1..40 {
        script.push_str(&format!(
            "@define a{at} %( @a{0} + @a{0} + @a{0} %)\n",
            at - 1
        ));
    }
    script.push_str("probe begin { println(@a39) }");
    assert!(errors(&script)[0].contains("a million tokens"));
    assert!(errors("@define a %( @a %) probe begin { @a }")[0].contains("too deep"));
}

#[test]
fn what_is_nested_too_deep_is_an_error() {
    let deep = [
        format!(
            "probe begin {{ println({}1{}) }}",
            "(".repeat(10_000),
            ")".repeat(10_000)
        ),
        format!("probe begin {{ println(1{}) }}", " + 1".repeat(10_000)),
        format!("probe begin {{ println({}1) }}", "- ".repeat(10_000)),
        format!("probe begin {{ {} }}", "if (1) ".repeat(10_000)),
        format!("probe begin {}", "{".repeat(10_000)),
        format!("probe {}", "{a.".repeat(10_000)),
        format!("probe begin {{ println({}1) }}", "1 ? 1 : ".repeat(10_000)),
        format!("probe begin {{ x {} }}", "= x ".repeat(10_000)),
        format!("probe begin {{ {} }}", "x[".repeat(10_000)),
    ];
    for script in deep {
        assert!(
            errors(&script)[0].contains("levels within each other"),
            "{}",
            errors(&script)[0]
        );
    }
    let deepest = format!(
        "probe begin {{ println({}1{}) }}",
        "(".repeat(90),
        ")".repeat(90)
    );
    program(&deepest);
    program(&format!(
        "probe begin {{ println(1{}) }}",
        " + 1".repeat(90)
    ));
}

#[test]
fn limits_are_set_by_name() {
    let mut with = settings();
    let define = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    with.defines = vec![
        define("MAXSTRINGLEN", "64"),
        define("MAXMAPENTRIES", "10"),
        define("MAXERRORS", "3"),
        define("MAXACTION", "1000"),
        define("STP_NO_OVERLOAD", ""),
        define("NOSUCH", "1"),
    ];
    let (program, warnings) = try_with("probe begin { println(1) }", &with).expect("it compiles");
    let options = &program.options;
    assert_eq!(
        (
            options.max_string,
            options.max_entries,
            options.max_errors,
            options.max_actions
        ),
        (63, 10, Some(3), 1000)
    );
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    with.defines = vec![define("MAXERRORS", "x")];
    assert!(try_with("probe begin { println(1) }", &with).is_err());
}

#[test]
fn variables_of_a_mark() {
    let program = program(
        "probe process(\"python\").mark(\"line\") {
            println($$parms, $$name, @defined($arg3) ? $arg3 : 0, @defined($arg4) ? $arg4 : -1) }",
    );
    let Stmt::Print(_, format) = &program.handlers[0].body[0] else {
        panic!()
    };
    assert!(matches!(
        &format.pieces[..],
        [
            Piece::Str {
                value: StrExpr::Context(StrContext::Parameters),
                ..
            },
            Piece::Str {
                value: StrExpr::Context(StrContext::MarkName),
                ..
            },
            Piece::Int {
                value: IntExpr::Argument(2),
                ..
            },
            Piece::Int {
                value: IntExpr::Constant(-1),
                ..
            },
            Piece::Literal(_),
        ]
    ));
}

#[test]
fn a_user_string_with_a_text_for_bad_addresses() {
    let program = program(
        "probe process(\"python\").mark(\"line\") { println(user_string($arg1, \"?\"), user_string_n($arg2, 5), user_string($arg1 + 1)) }",
    );
    let Stmt::Print(_, format) = &program.handlers[0].body[0] else {
        panic!()
    };
    assert!(matches!(
        &format.pieces[..3],
        [
            Piece::Str {
                value: StrExpr::Argument {
                    otherwise: Some(_),
                    ..
                },
                ..
            },
            Piece::Str {
                value: StrExpr::Argument {
                    limit: 5,
                    otherwise: None,
                    ..
                },
                ..
            },
            Piece::Str {
                value: StrExpr::Call(..),
                ..
            },
        ]
    ));
}

#[test]
fn the_lists_of_points() {
    let (found, _, wrong) = match_points("process(\"python\").mark(\"gc*\")", &settings());
    assert!(!wrong.has_errors());
    let lines: Vec<String> = found.iter().map(super::Matched::with_variables).collect();
    let line = |name: &str| format!("process(\"{STATIC}\").mark(\"{name}\") $arg1:long");
    assert_eq!(lines, [line("gc__done"), line("gc__start")]);
    let (found, ..) = match_points("python.gc.*", &settings());
    let points: Vec<&str> = found.iter().map(|it| it.point.as_str()).collect();
    assert_eq!(points, ["python.gc.done", "python.gc.start"]);
    assert!(
        match_points("process(\"nosuch\").mark(\"*\")", &settings())
            .2
            .has_errors()
    );
}

#[test]
fn locals_hide_nothing_and_parameters_hide_globals() {
    let program =
        program("global x = 1 function f(x) { x = 5 return x } probe begin { println(f(2), x) }");
    let Stmt::Evaluate(Expr::Int(IntExpr::Assign { to, .. })) = &program.functions[0].body[0]
    else {
        panic!()
    };
    assert_eq!(to.scope, Scope::Local);
}

#[test]
fn faults_are_told_as_stap_tells_them() {
    use crate::script::ir::{Fault, FaultReport};
    use crate::script::source::Span;
    let text = "probe begin { println(1 / 0) println(user_string(5)) }";
    let program = program(text);
    let mut sources = Sources::default();
    let id = sources.add("t.stp", text.as_bytes()).expect("short");
    let say = |fault: &Fault, at: usize, length: usize| {
        let span = Span::new(id, at..at + length);
        // The shipped tapset comes behind the script, so that the script is the first source here too.
        program.voice.fault(&FaultReport {
            fault,
            probe: None,
            handler: 0,
            span,
        })
    };
    assert_eq!(
        say(&Fault::Division, 24, 1),
        "ERROR: division by 0 near operator '/' at t.stp:1:25"
    );
    assert_eq!(
        say(&Fault::UserString(5), 37, 11),
        "ERROR: user string copy fault -14 at 0x0000000000000005 near identifier 'user_string' at t.stp:1:38"
    );
    assert_eq!(say(&Fault::Said("no".to_owned()), 0, 0), "ERROR: no");
}

/// Pieces of scripts: what comes of any row of them must be a program or an error.
const SOUP: &[&str] = &[
    "probe",
    "global",
    "function",
    "if",
    "else",
    "for",
    "foreach",
    "in",
    "limit",
    "return",
    "delete",
    "while",
    "break",
    "next",
    "try",
    "catch",
    "private",
    "begin",
    "end",
    "timer",
    "s",
    "process",
    "mark",
    "x",
    "y",
    "f",
    "\"python\"",
    "\"line\"",
    "\"%d %s\"",
    "1",
    "0x7fffffffffffffff",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ";",
    ".",
    "?",
    ":",
    "!",
    "=",
    "+=",
    "<<<",
    "++",
    "--",
    "+",
    "-",
    "*",
    "/",
    "%",
    "<<",
    "==",
    "=~",
    "&&",
    "||",
    "~",
    "@count",
    "@hist_log",
    "@define",
    "%(",
    "%?",
    "%:",
    "%)",
    "@x",
    "$arg1",
    "$1",
    "@1",
    "$#",
    "@defined",
    "@cast",
    "->",
    "printf",
    "print",
    "user_string",
    "python.function.entry",
    "%{ %}",
    "long",
    "string",
    "# c\n",
    "/* */",
    "\"",
    "\\\\",
];

/// Openings that lead deeper than pieces alone would.
const OPENINGS: &[&str] = &[
    "",
    "probe begin { ",
    "global x, y probe process(\"python\").mark(\"line\") { ",
    "function f(x) { ",
];

proptest::proptest! {
    #[test]
    fn any_row_of_tokens_is_a_program_or_an_error(
        opening in 0..OPENINGS.len(),
        pieces in proptest::collection::vec(0..SOUP.len(), 0..60),
        close in 0..3_usize,
    ) {
        let mut text = OPENINGS[opening].to_owned();
        for piece in pieces {
            text.push_str(SOUP[piece]);
            text.push(' ');
        }
        text.push_str(&"}".repeat(close));
        let mut sources = Sources::default();
        let id = sources.add("t.stp", text.as_bytes()).expect("short");
        let (file, _) = super::parse(&sources, id, &settings());
        super::dump(&file);
        let (program, diagnostics) = compile(&mut sources, id, &settings());
        assert_eq!(program.is_some(), !diagnostics.has_errors(), "{text}");
        diagnostics.render(&sources, false);
    }
}
