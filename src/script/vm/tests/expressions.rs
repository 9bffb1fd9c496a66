//! Expressions whose values are known.

use super::*;

fn shown(values: Vec<IntExpr>) -> String {
    output(program(vec![begin(vec![show(values)])]))
}

#[test]
fn logic_stops_early_and_gives_0_or_1() {
    let fails = || binary(BinaryOp::Divide, int(1), int(0));
    let and = |a, b| IntExpr::And(Box::new(a), Box::new(b));
    let or = |a, b| IntExpr::Or(Box::new(a), Box::new(b));
    let choose = |c, a, b| IntExpr::Choose(Box::new(c), Box::new(a), Box::new(b));
    let text = shown(vec![
        and(int(0), fails()),
        or(int(5), fails()),
        and(int(2), int(3)),
        or(int(0), int(0)),
        choose(int(1), int(8), fails()),
        choose(int(0), fails(), int(9)),
        IntExpr::Unary(UnaryOp::Not, Box::new(int(5))),
        IntExpr::Unary(UnaryOp::Not, Box::new(int(0))),
        IntExpr::Unary(UnaryOp::Complement, Box::new(int(0))),
        IntExpr::Unary(UnaryOp::Negate, Box::new(int(i64::MIN))),
    ]);
    assert_eq!(text, "0 1 1 0 8 9 0 1 -1 -9223372036854775808 ");
}

/// C's conversions between integers of different widths.
#[test]
fn conversions_keep_the_low_bits() {
    let convert = |bits, signed, value| IntExpr::Convert {
        bits,
        signed,
        value: Box::new(int(value)),
    };
    let text = shown(vec![
        convert(8, true, 0xff),
        convert(8, false, -1),
        convert(16, true, 0x8000),
        convert(16, false, 0x1_ffff),
        convert(32, true, 0xffff_ffff),
        convert(32, false, -1),
        convert(32, true, 5),
    ]);
    assert_eq!(text, "-1 255 -32768 65535 -1 4294967295 5 ");
}

#[test]
fn assignments_give_the_new_value_or_the_old() {
    let x = slot(Scope::Global, 0);
    let mut it = program(vec![begin(vec![
        show(vec![
            assignment(x, None, int(5), Yields::Old),
            assignment(x, Some(BinaryOp::Add), int(1), Yields::Old),
            assignment(x, Some(BinaryOp::Multiply), int(3), Yields::New),
            load(Scope::Global, 0),
        ]),
        Stmt::Reset(Place::Int(x)),
        show(vec![load(Scope::Global, 0)]),
    ])]);
    it.globals = vec![int_var("x", 40)];
    assert_eq!(output(it), "40 5 18 18 40 ");
}

#[test]
fn comparisons_have_signs_strings_have_none() {
    let compare = |how| IntExpr::Compare(how, Box::new(int(-1)), Box::new(int(1)));
    let compare_str = |how, a, b| IntExpr::CompareStr(how, Box::new(text(a)), Box::new(text(b)));
    let text = shown(vec![
        compare(Comparison::Less),
        compare(Comparison::Below),
        compare(Comparison::Greater),
        compare(Comparison::Above),
        compare(Comparison::AboveOrEqual),
        compare(Comparison::NotEqual),
        compare_str(Comparison::Less, "a", "ab"),
        compare_str(Comparison::Less, "z", "\u{e9}"),
        compare_str(Comparison::Equal, "", ""),
        compare_str(Comparison::GreaterOrEqual, "a", "b"),
    ]);
    assert_eq!(text, "1 0 0 1 1 1 1 1 1 0 ");
}

#[test]
fn arguments_that_are_not_there_are_0() {
    let mut running = Running::new(program(vec![on_event(vec![show(vec![
        IntExpr::Argument(0),
        IntExpr::Argument(1),
        IntExpr::Argument(200),
        IntExpr::ArgumentCount,
        IntExpr::Context(IntContext::Pid),
        IntExpr::Context(IntContext::Tid),
        IntExpr::Context(IntContext::Timestamp),
        IntExpr::Context(IntContext::Target),
        IntExpr::Context(IntContext::ProbeId),
        IntExpr::Context(IntContext::Uid),
    ])])]));
    let probe = probe("line", vec![0]);
    running.event(&event(8, &probe, vec![number(-5), number(6)]));
    assert_eq!(running.printed(), "-5 6 0 2 7 8 1000000 7 77 0 ");
}
