use super::*;
use crate::script::ir::{self, Row, Trigger};

mod soup;

struct Outcome {
    compiled: Option<Compiled>,
    messages: Vec<String>,
}

fn compile_with(text: &str, settings: &Settings) -> Outcome {
    let mut sources = Sources::default();
    let id = sources.add("t.d", text.as_bytes()).expect("short");
    let (compiled, diagnostics) = compile(&sources, id, settings);
    Outcome {
        compiled,
        messages: diagnostics.iter().map(|it| it.message.clone()).collect(),
    }
}

fn compiled(text: &str) -> Compiled {
    let outcome = compile_with(text, &Settings::default());
    assert_eq!(outcome.messages, [""; 0], "{text}");
    outcome.compiled.expect("no errors")
}

fn messages(text: &str) -> Vec<String> {
    compile_with(text, &Settings::default()).messages
}

/// The statements of a clause of a marker, as Rust shows them, without spans and the names of enumerations' boxes.
fn lowered(statements: &str) -> String {
    let text = format!("#pragma D option quiet\npython*:::line {{ {statements} }}");
    let program = compiled(&text).program;
    shown(&program.handlers[0].body)
}

fn shown(value: &impl std::fmt::Debug) -> String {
    let mut text = format!("{value:?}");
    while let Some(start) = text.find("Span {") {
        let end = text[start..].find('}').expect("an end") + start + 1;
        text.replace_range(start..end, "_");
    }
    text.replace("IntVar { scope: Firing, index: 0 }", "this0")
        .replace("IntVar { scope: Thread, index: 0 }", "self0")
        .replace("IntVar { scope: Global, index: 0 }", "global0")
        .replace("StrVar { scope: Firing, index: 0 }", "this0")
}

/// What the last statement evaluates.
fn evaluated(statements: &str) -> String {
    let text = lowered(statements);
    let at = text.rfind("Evaluate(").expect("an expression") + "Evaluate(".len();
    text[at..].strip_suffix(")]").expect("the last").to_owned()
}

#[test]
fn operators_are_signed_as_c_has_it() {
    for (text, expected) in [
        // int and int
        ("arg0 / 2", "Binary(Divide,"),
        ("pid / 2", "Binary(Divide,"),
        ("pid / 2U", "Binary(DivideUnsigned,"),
        ("pid % uid", "Binary(RemainderUnsigned,"),
        // an unsigned int and a long: long holds both
        ("arg0 % uid", "Binary(Remainder,"),
        ("timestamp / 1000", "Binary(DivideUnsigned,"),
        ("timestamp - walltimestamp < 0", "Compare(Below,"),
        ("arg0 < 0", "Compare(Less,"),
        ("arg0 < timestamp", "Compare(Below,"),
        ("uid < pid", "Compare(Below,"),
        ("(char)arg0 < (unsigned char)arg1", "Compare(Less,"),
        // a shift has the left operand's type
        ("arg0 >> 3", "Binary(ShiftRight,"),
        ("arg0 >> 3ULL", "Binary(ShiftRight,"),
        ("timestamp >> 3", "Binary(ShiftRightUnsigned,"),
        ("(uint8_t)arg0 >> 1", "Binary(ShiftRight,"),
        ("(char *)arg0 < (char *)arg1", "Compare(Below,"),
    ] {
        let shown = evaluated(&format!("{text};"));
        assert!(
            shown.starts_with(&format!("Int({expected}")),
            "{text}: {shown}"
        );
    }
}

#[test]
fn variables_keep_64_bits_and_prints_are_as_wide_as_types() {
    // self->last is an int, and yet keeps a whole time.
    let text = lowered("this->x = timestamp; this->y = 1; printf(\"%d\", (int)arg0);");
    assert!(
        text.contains("Assign { to: this0, op: None, value: Context(Timestamp), yields: New"),
        "{text}"
    );
    assert!(
        text.contains(
            "style: Signed, value: Convert { bits: 32, signed: true, value: Argument(0) }"
        ),
        "{text}"
    );
    let program = compiled(
        "self int last; BEGIN { self->last = timestamp; printf(\"%d %u %x\", self->last, self->last, self->last); }",
    )
    .program;
    let text = shown(&program.handlers[0].body);
    let signed = "style: Signed, value: Convert { bits: 32, signed: true, value: Load(self0) }";
    let unsigned =
        "style: Unsigned, value: Convert { bits: 32, signed: false, value: Load(self0) }";
    let hex = "style: Hex, value: Convert { bits: 32, signed: false, value: Load(self0) }";
    assert!(
        text.contains("to: self0, op: None, value: Context(Timestamp)"),
        "{text}"
    );
    for expected in [signed, unsigned, hex] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn percent_d_is_unsigned_where_the_type_is() {
    for (argument, expected) in [
        ("timestamp", "style: Unsigned, value: Context(Timestamp)"),
        ("arg0", "style: Signed, value: Argument(0)"),
        ("uid", "style: Unsigned, value: Context(Uid)"),
        (
            "(char)arg0",
            "style: Signed, value: Convert { bits: 8, signed: true, value: Argument(0) }",
        ),
        (
            "strlen(\"abc\")",
            "style: Unsigned, value: Call(strlen, [Str(Constant([97, 98, 99]))], _)",
        ),
    ] {
        let text = lowered(&format!("printf(\"%d\", {argument});"));
        assert!(text.contains(expected), "{argument}: {text}");
    }
}

#[test]
fn string_arguments_are_captured_and_computed_addresses_are_read() {
    let captured = |index, limit| {
        format!("Str(Argument {{ index: {index}, limit: {limit}, otherwise: None, span: _ }})")
    };
    for (text, expected) in [
        ("copyinstr(arg0)", captured(0, 255)),
        ("copyinstr(arg1, 16)", captured(1, 16)),
        ("copyinstr(arg1, 1000)", captured(1, 255)),
        ("copyinstr(args[1])", captured(1, 255)),
        ("copyinstr((uintptr_t)arg1)", captured(1, 255)),
        ("stringof(copyin(arg0, 10))", captured(0, 10)),
        ("(string)copyin(arg0, 10)", captured(0, 10)),
        ("stringof(copyinstr(arg0))", captured(0, 255)),
        (
            "copyinstr(arg0 + 8)",
            "Str(Call(copyinstr, [Int(Binary(Add, Argument(0), Constant(8), _)), Int(Constant(255))], _))".to_owned(),
        ),
        (
            "*(int *)copyin(arg0, 4)",
            "Int(Call(copyin int32_t, [Int(Argument(0))], _))".to_owned(),
        ),
        (
            "*(uint32_t *)copyin(arg0, 4)",
            "Int(Call(copyin uint32_t, [Int(Argument(0))], _))".to_owned(),
        ),
        (
            "((long *)copyin(arg0, 32))[2]",
            "Int(Call(copyin int64_t, [Int(Binary(Add, Argument(0), Binary(Multiply, Constant(2), Constant(8), _), _))], _))"
                .to_owned(),
        ),
    ] {
        assert_eq!(evaluated(&format!("{text};")), expected, "{text}");
    }
    let text = "#pragma D option strsize=32\npython*:::line { trace(copyinstr(arg0)); }";
    let compiled = compiled(text);
    assert_eq!(compiled.program.options.max_string, 31);
    let text = shown(&compiled.program.handlers[0].body);
    assert!(text.contains("limit: 31"), "{text}");
}

#[test]
fn zero_is_no_string() {
    for (text, expected) in [
        (
            "this->s = \"a\"; this->s = 0;",
            "Str(Assign { to: this0, value: Constant([]) })",
        ),
        (
            "this->s = \"a\"; this->s = NULL;",
            "Str(Assign { to: this0, value: Constant([]) })",
        ),
        (
            "this->s = \"a\"; this->s == NULL;",
            "Int(CompareStr(Equal, Load(this0), Constant([])))",
        ),
        (
            "this->s = \"a\"; this->s != 0;",
            "Int(CompareStr(NotEqual, Load(this0), Constant([])))",
        ),
        (
            "arg0 ? \"a\" : 0;",
            "Str(Choose(Argument(0), Constant([97]), Constant([])))",
        ),
        // What is a string is known from a later assignment too.
        ("this->s = 0; this->s = \"a\"; this->s;", "Str(Load(this0))"),
        (
            "this->s != NULL; this->t = this->s; this->s = \"a\"; this->s;",
            "Str(Load(this0))",
        ),
    ] {
        assert_eq!(evaluated(text), expected, "{text}");
    }
}

#[test]
fn variables_have_the_types_of_their_first_assignment_wherever_it_is() {
    let text = "BEGIN /self->seen == 0/ { x = y; self->seen = timestamp; z = self->m[1, \"k\"]; }\n\
                END { y = \"text\"; self->m[2, \"l\"] = \"v\"; x == \"a\"; z == \"b\"; }";
    let program = compiled(text).program;
    let kinds: Vec<(&str, ir::Type)> = program
        .globals
        .iter()
        .map(|it| (it.name.as_str(), it.initial.ty()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("y", ir::Type::Str),
            ("x", ir::Type::Str),
            ("z", ir::Type::Str)
        ]
    );
    let array = &program.arrays[0];
    assert_eq!(array.name, "self->m");
    assert!(array.per_thread && array.zero_removes);
    assert_eq!(array.keys, [ir::Type::Int, ir::Type::Str]);
    assert_eq!(array.value, ir::Type::Str);
}

#[test]
fn rows_are_printed_for_clauses_that_record() {
    for (body, row) in [
        ("{ }", Row::Columns),
        ("{ trace(1); }", Row::Columns),
        ("{ exit(0); }", Row::Columns),
        ("{ ustack(); }", Row::Columns),
        ("{ x = 1; }", Row::None),
        ("{ @ = count(); }", Row::None),
        (
            "{ this->s = speculation(); speculate(this->s); }",
            Row::None,
        ),
    ] {
        let program = compiled(&format!("python*:::line {body}")).program;
        assert_eq!(program.handlers[0].row, row, "{body}");
        let quiet = format!("#pragma D option quiet\npython*:::line {body}");
        assert_eq!(
            compiled(&quiet).program.handlers[0].row,
            Row::None,
            "{body}"
        );
    }
    let program = compiled("#pragma D option flowindent\npython*:::line { trace(1); }").program;
    assert_eq!(program.handlers[0].row, Row::Flow);
}

#[test]
fn the_end_prints_what_was_not_printed_after_all_others() {
    let program = compiled("BEGIN { @b = count(); @a[1] = sum(2); } END { trace(1); }").program;
    let last = program.handlers.last().expect("an end");
    assert_eq!(last.triggers, [Trigger::End(i64::MAX)]);
    let text = shown(&last.body);
    assert!(
        text.starts_with("[Print(Out, Format { pieces: [Literal([10])] })"),
        "{text}"
    );
    let (first, second) = (
        text.find("aggregations: [AggregationId(0)]").expect("@b"),
        text.find("aggregations: [AggregationId(1)]").expect("@a"),
    );
    assert!(first < second);
    assert_eq!(text.matches("unless_printed: true").count(), 2);
}

#[test]
fn rows_of_aggregations_are_as_wide_as_their_keys() {
    let row = |keys: &str| {
        let text = format!("BEGIN {{ @[{keys}] = sum(1); }}");
        let program = compiled(&text).program;
        shown(&program.handlers.last().expect("an end").body)
    };
    let width = |number| format!("width: Some(Fixed({number}))");
    assert!(row("arg0").contains(&width(16)));
    assert!(row("pid").contains(&width(8)));
    assert!(row("(short)arg0").contains(&width(5)));
    assert!(row("(char)arg0").contains(&width(3)));
    let text = row("execname");
    assert!(
        text.contains("Literal([32, 32]), StrKey") && text.contains(&width(50)),
        "{text}"
    );
    assert!(lowered("@[(char)timestamp] = count();").contains("bits: 8, signed: true"));
    // The key is cut to its type where it is recorded.
    let text = lowered("@[(short)arg0] = count();");
    assert!(
        text.contains("keys: [Int(Convert { bits: 16, signed: true, value: Argument(0) })]"),
        "{text}"
    );
}

#[test]
fn printa_takes_keys_and_aggregations_in_any_order() {
    let text = lowered(
        "@a[execname, pid] = sum(1); @b[execname, pid] = quantize(1); printa(\"%'@9i %s %@d (%i)\\n\", @a, @b);",
    );
    let order = ["grouped: true", "which: 0", "StrKey", "which: 1", "IntKey"];
    let places: Vec<usize> = order.iter().map(|it| text.find(it).expect(it)).collect();
    assert!(places.is_sorted(), "{places:?} {text}");
    assert!(
        text.contains("aggregations: [AggregationId(0), AggregationId(1)]"),
        "{text}"
    );
    for (wrong, expected) in [
        ("printa(\"%s %d %s\", @a)", "missing a key"),
        ("printa(\"%d %d %@d\", @a)", "key #1 is incompatible"),
        ("printa(\"%s\", @a, @c)", "different number or type"),
        ("printa(\"%s\")", "an aggregation is missing"),
        ("printa()", "prototype mismatch"),
        ("printa(@a[1])", "without its keys"),
        ("printa(\"%*s\", @a)", "`*` has no argument"),
    ] {
        let text = format!("BEGIN {{ @a[execname, pid] = sum(1); @c = count(); {wrong}; }}");
        let messages = messages(&text);
        assert!(
            messages.iter().any(|it| it.contains(expected)),
            "{wrong}: {messages:?}"
        );
    }
}

#[test]
fn histograms_have_their_buckets() {
    let text = "BEGIN { @a = quantize(1); @b = lquantize(1, -10, 90, 10); @c = llquantize(1, 10, 0, 6, 20); \
                @d = lquantize(1, 0, 5); @e = quantize(1, 7); }";
    let program = compiled(text).program;
    let keep: Vec<_> = program.aggregations.iter().map(|it| &it.keep).collect();
    assert_eq!(keep[0].log, Some(ir::Buckets::Log));
    let linear = |low, high, step| Some(ir::Buckets::Linear { low, high, step });
    assert_eq!(keep[1].linear, linear(-10, 90, 10));
    assert_eq!(keep[3].linear, linear(0, 5, 1));
    let log_linear = ir::Buckets::LogLinear {
        factor: 10,
        low: 0,
        high: 6,
        steps: 20,
    };
    assert_eq!(keep[2].log_linear, Some(log_linear));
    for wrong in [
        "lquantize(1, 5, 5)",
        "lquantize(1, 0, 5, 0)",
        "lquantize(1, 0, 5, -1)",
        "lquantize(1, 0, 100000, 1)",
        "lquantize(1, -9223372036854775807, 9223372036854775807, 1)",
        "lquantize(1, arg0, 5)",
        "llquantize(1, 1, 0, 6, 20)",
        "llquantize(1, 10, 6, 0, 20)",
        "llquantize(1, 10, 0, 6, 7)",
        "llquantize(1, 10, 0, 60, 10)",
        "quantize()",
        "count(1)",
        "sum(1, 2)",
    ] {
        let messages = messages(&format!("BEGIN {{ @a = {wrong}; }}"));
        assert_eq!(messages.len(), 1, "{wrong}: {messages:?}");
    }
}

#[test]
fn macro_arguments_are_numbers_and_with_two_dollars_strings() {
    let settings = Settings {
        arguments: vec!["-12".to_owned(), "main".to_owned(), "0x10".to_owned()],
        script_name: "x.d".to_owned(),
        pid: 7,
        ..Settings::default()
    };
    let text = "BEGIN { trace($1); trace($$2); trace($$1); trace($3); trace($$0); trace($pid); trace($target); }";
    let outcome = compile_with(text, &settings);
    assert_eq!(outcome.messages, [""; 0]);
    let text = shown(&outcome.compiled.expect("no errors").program.handlers[0].body);
    for expected in [
        "Constant(-12)",
        "Constant([109, 97, 105, 110])",
        "Constant([45, 49, 50])",
        "Constant(16)",
        "Constant([120, 46, 100])",
        "Constant(7)",
        "Context(Target)",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let messages = |text: &str| compile_with(text, &settings).messages;
    assert_eq!(
        messages("BEGIN { trace($1); trace($2); }"),
        [
            "the macro argument 'main' is not an integer",
            "extraneous argument '0x10' ($3 is not referenced)"
        ]
    );
    let outcome = compile_with("BEGIN { trace($4); }", &Settings::default());
    assert_eq!(outcome.messages, ["macro argument $4 is not defined"]);
    let text = "#pragma D option defaultargs\nBEGIN { trace($4); trace($$4); }";
    assert_eq!(compile_with(text, &Settings::default()).messages, [""; 0]);
}

#[test]
fn inline_constants_stand_for_their_values_and_not_for_ever() {
    let text = "inline int A = 2; inline int B = A * 3; inline string S = \"s\"; enum { X, Y = 7, Z };\n\
                BEGIN { trace(B); trace(S); trace(Z); }";
    let text = shown(&compiled(text).program.handlers[0].body);
    for expected in ["Constant(6)", "Constant([115])", "Constant(8)"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let endless = messages("inline int A = A + A; BEGIN { trace(A); }");
    assert!(
        endless.iter().all(|it| it.contains("too much")),
        "{endless:?}"
    );
    let mut large = "inline int a0 = 1;".to_owned();
    for index in 1..16 {
        large.push_str(&format!(
            "inline int a{index} = a{0} + a{0} + a{0} + a{0} + a{0};",
            index - 1
        ));
    }
    let large = messages(&format!("{large} BEGIN {{ trace(a15); }}"));
    assert!(large.iter().any(|it| it.contains("too much")), "{large:?}");
}

#[test]
fn destructive_actions_must_be_allowed() {
    let text = "BEGIN { system(\"ls %s\", execname); stop(); raise(9); }";
    assert_eq!(messages(text).len(), 3);
    let settings = Settings {
        destructive: true,
        ..Settings::default()
    };
    assert_eq!(compile_with(text, &settings).messages, [""; 0]);
    assert_eq!(
        messages(&format!("#pragma D option destructive\n{text}")),
        [""; 0]
    );
}

#[test]
fn stacks_are_strings_that_need_capturing() {
    let program =
        compiled("python*:::line { @[jstack()] = count(); jstack(5); ustack(3, 100); }").program;
    assert!(program.options.python_stack);
    let text = shown(&program.handlers[0].body);
    for expected in ["PythonStack(50)", "PythonStack(5)", "PythonStack(3)"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(
        compiled("python*:::line { ustack(); }")
            .program
            .options
            .python_stack
    );
    assert!(
        !compiled("python*:::line { trace(1); }")
            .program
            .options
            .python_stack
    );
}

#[test]
fn system_calls_return_in_both_arguments() {
    let text = "syscall:::return { trace(arg0); trace(arg1); trace(errno); }";
    let text = shown(&compiled(text).program.handlers[0].body);
    assert!(!text.contains("Argument(0)"), "{text}");
    let messages = messages("syscall:::entry { trace(errno); }");
    assert_eq!(messages.len(), 1);
}

#[test]
fn several_texts_share_their_variables() {
    let mut sources = Sources::default();
    let clause = sources
        .add("-n", b"BEGIN { @a = count(); x = 1; }")
        .expect("short");
    let bare = sources.add("-P", b"python*").expect("short");
    let script = sources
        .add("t.d", b"END { printa(@a); trace(x); }")
        .expect("short");
    let units = [
        Unit::clause(clause, Spec::Name),
        Unit::clause(bare, Spec::Provider),
        Unit::script(script),
    ];
    let (compiled, diagnostics) = compile_all(&sources, &units, &Settings::default());
    assert_eq!(diagnostics, Diagnostics::default());
    let program = compiled.expect("no errors").program;
    assert_eq!(program.handlers.len(), 4);
    assert_eq!(program.globals.len(), 1);
    assert_eq!(program.handlers[1].row, Row::Columns);
}

#[test]
fn trace_shows_values_by_their_types() {
    let pieces = |text: &str| {
        let program = compiled(&format!("python*:::line {{ trace({text}); }}")).program;
        shown(&program.handlers[0].body)
    };
    assert!(pieces("arg0").contains("Literal([32]), Int { spec: Spec { left: false, plus: false, space: false, alternate: false, zero: false, grouped: false, width: Some(Fixed(16))"));
    assert!(pieces("pid").contains("width: Some(Fixed(8))"));
    let text = pieces("execname");
    assert!(
        text.contains("Literal([32, 32])") && text.contains("width: Some(Fixed(33))"),
        "{text}"
    );
    let quiet = lowered("trace(arg0);");
    assert!(
        !quiet.contains("Literal") && quiet.contains("width: None"),
        "{quiet}"
    );
}

#[test]
fn long_chains_become_trees_that_are_not_deep() {
    let chain = vec!["arg0 == 1"; 3000].join(" || ");
    let program = compiled(&format!("python*:::line /{chain}/ {{ trace(1); }}")).program;
    let mut depth = 0_u32;
    let mut predicate = program.handlers[0].predicate.as_ref();
    while let Some(ir::IntExpr::Or(left, _)) = predicate {
        depth += 1;
        predicate = Some(left);
    }
    assert_eq!(depth, 12);
}

#[test]
fn strings_compare_and_join() {
    assert_eq!(
        evaluated("execname < \"b\";"),
        "Int(CompareStr(Less, Context(ThreadName), Constant([98])))"
    );
    assert_eq!(
        evaluated("strjoin(\"a\", strjoin(execname, lltostr(5)));"),
        "Str(Concat(Constant([97]), Concat(Context(ThreadName), Call(lltostr, [Int(Constant(5)), Int(Constant(10))], _))))"
    );
}
