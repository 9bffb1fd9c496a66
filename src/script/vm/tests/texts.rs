//! Strings.

use super::*;

fn context(what: StrContext) -> StrExpr {
    StrExpr::Context(what)
}

#[test]
fn a_probe_has_names_in_both_languages() {
    let mut handler = on_event(vec![show_str(vec![
        context(StrContext::ThreadName),
        context(StrContext::Instance),
        context(StrContext::Provider),
        context(StrContext::Module),
        context(StrContext::Function),
        context(StrContext::ProbeName),
        context(StrContext::MarkName),
        context(StrContext::ProbePoint),
        context(StrContext::Parameters),
    ])]);
    handler.triggers = vec![Trigger::Traced(Box::new(Traced {
        within: crate::plan::Within::default(),
        point: crate::plan::Point::Process(crate::plan::ProcessPoint::Start),
        optional: false,
        text: "process(\"p\").mark(\"function__*\")".to_owned(),
    }))];
    let mut running = Running::new(program(vec![handler]));
    let probe = probe("function__entry", vec![0]);
    running.event(&event(9, &probe, vec![number(16), number(-1)]));
    let expected = [
        "python3 python7 python libpython3.so eval function-entry function__entry ",
        "process(\"p\").mark(\"function__entry\") $arg1=0x10 $arg2=0xffffffffffffffff ",
    ];
    assert_eq!(running.printed(), expected.concat());
}

#[test]
fn points_that_are_not_in_a_process_have_names_too() {
    let names = || {
        show_str(vec![
            context(StrContext::Provider),
            context(StrContext::ProbeName),
            context(StrContext::ProbePoint),
        ])
    };
    let text = output(program(vec![begin(vec![names()]), end(vec![names()])]));
    assert_eq!(text, "dtrace BEGIN begin dtrace END end ");
}

#[test]
fn what_a_regular_expression_matched_is_remembered() {
    let regex = |pattern| Arc::new(regex::bytes::Regex::new(pattern).expect("a good one"));
    let matches = |s, pattern| IntExpr::Matches(Box::new(text(s)), regex(pattern));
    let text = output(program(vec![begin(vec![
        show(vec![
            matches("lib/python3.9/os.py", "python([0-9]+)[.]([0-9]+)(x)?"),
            matches("none", "x"),
        ]),
        show_str(vec![
            StrExpr::Matched(0),
            StrExpr::Matched(1),
            StrExpr::Matched(2),
            StrExpr::Matched(3),
            StrExpr::Matched(4),
        ]),
    ])]));
    assert_eq!(text, "1 0 python3.9 3 9   ");
}

#[test]
fn strings_are_put_together_and_chosen() {
    let concat = |a, b| StrExpr::Concat(Box::new(a), Box::new(b));
    let choose = |c, a, b| StrExpr::Choose(Box::new(int(c)), Box::new(a), Box::new(b));
    let inner = concat(concat(text("a"), text("")), concat(text("b"), text("c")));
    let formatted = StrExpr::Format(Box::new(format(vec![
        Shown::S(inner.clone()),
        Shown::L("="),
        Shown::I(int(-3)),
    ])));
    let text = output(program(vec![begin(vec![show_str(vec![
        inner,
        choose(1, text("yes"), text("no")),
        choose(0, text("yes"), text("no")),
        concat(formatted.clone(), formatted),
    ])])]));
    assert_eq!(text, "abc yes no abc=-3abc=-3 ");
}

#[test]
fn widths_come_from_arguments() {
    let spec = |width| Spec {
        width: Some(Number::Argument(Box::new(int(width)))),
        ..Spec::default()
    };
    let piece = |width| Piece::Str {
        spec: spec(width),
        style: StrStyle::Plain,
        value: text("ab"),
    };
    let bar = || Piece::Literal(b"|".to_vec());
    let pieces = vec![piece(4), bar(), piece(-4), bar(), piece(0), bar()];
    let stmt = Stmt::Print(Stream::Out, Format { pieces });
    assert_eq!(output(program(vec![begin(vec![stmt])])), "  ab|ab  |ab|");
}

/// A string in a variable is a value, not a place: what was assigned stays when the place changes.
#[test]
fn strings_are_values() {
    let (a, b) = (str_slot(Scope::Local, 0), str_slot(Scope::Local, 1));
    let grow = |var| StrExpr::Concat(Box::new(StrExpr::Load(var)), Box::new(text("x")));
    let mut handler = begin(vec![
        set_str(a, grow(a)),
        set_str(b, StrExpr::Load(a)),
        set_str(a, grow(a)),
        set_str(a, grow(a)),
        show_str(vec![StrExpr::Load(a), StrExpr::Load(b)]),
    ]);
    handler.locals = vec![Type::Str, Type::Str];
    assert_eq!(output(program(vec![handler])), "xxx x ");
}
