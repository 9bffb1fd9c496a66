//! What becomes of errors.

use super::*;

fn fails() -> Stmt {
    Stmt::Evaluate(Expr::Int(binary(BinaryOp::Divide, int(1), int(0))))
}

#[test]
fn an_error_ends_the_handler_and_what_it_printed_stays() {
    let (text, errors) = outcome(program(vec![begin(vec![
        show(vec![int(1)]),
        fails(),
        show(vec![int(2)]),
    ])]));
    assert_eq!(text, "1 ");
    assert_eq!(errors, "ERROR in 0: division by 0\n");
}

/// A print that fails prints nothing of itself.
#[test]
fn half_a_print_is_none() {
    let (text, _) = outcome(program(vec![begin(vec![
        show(vec![int(1)]),
        show(vec![int(2), binary(BinaryOp::Remainder, int(1), int(0))]),
    ])]));
    assert_eq!(text, "1 ");
}

/// D: an error discards the handler's output, and only that of this handler; then the ERROR clauses run, and the
/// program goes on.
#[test]
fn d_discards_tells_and_goes_on() {
    let mut it = program(vec![
        on_event(vec![show(vec![int(1)])]),
        on_event(vec![show(vec![int(2)]), fails()]),
        handler(
            Trigger::Error(0),
            vec![
                show_str(vec![StrExpr::Context(StrContext::ErrorMessage)]),
                // arg4 is DTRACEFLT_DIVZERO.
                show(vec![IntExpr::Argument(4)]),
                fails(),
            ],
        ),
        on_event(vec![show(vec![int(3)])]),
    ]);
    it.options.max_errors = None;
    it.options.discard_on_error = true;
    let mut running = Running::new(it);
    let probe = probe("line", vec![0, 1, 3]);
    running.event(&event(1, &probe, vec![]));
    assert_eq!(running.flow, Flow::Continue);
    // The error handler's own error discards what it printed, and is told without running it again.
    assert_eq!(running.printed(), "1 3 ");
    let complaints = "ERROR in 1: division by 0\nERROR in 2: division by 0\n";
    assert_eq!(running.complaints(), complaints);
    assert_eq!(running.engine.counters().errors, 2);
    assert!(!running.engine.counters().failed);
}

#[test]
fn d_error_handlers_print() {
    let mut it = program(vec![
        begin(vec![fails()]),
        handler(
            Trigger::Error(0),
            vec![
                show_str(vec![StrExpr::Context(StrContext::ErrorMessage)]),
                show(vec![IntExpr::Argument(1), IntExpr::Argument(4)]),
            ],
        ),
    ]);
    it.options.max_errors = None;
    let (text, _) = outcome(it);
    assert_eq!(text, "division by 0 1 4 ");
}

/// SystemTap: so many errors are borne; one more ends the program, in its error handlers instead of its ends.
#[test]
fn systemtap_counts_errors() {
    let mut it = program(vec![
        on_event(vec![fails()]),
        end(vec![show(vec![int(1)])]),
        handler(Trigger::Error(0), vec![show(vec![int(2)])]),
    ]);
    it.options.max_errors = Some(1);
    let probe = probe("line", vec![0]);
    for (events, flow, text) in [(1, Flow::Continue, "1 "), (2, Flow::Finish, "2 ")] {
        let mut running = Running::new(it.clone());
        for _ in 0..events {
            running.event(&event(1, &probe, vec![]));
        }
        assert_eq!(running.flow, flow);
        assert_eq!(running.engine.counters().failed, flow == Flow::Finish);
        assert_eq!(running.end(), text);
    }
}

#[test]
fn try_catches_and_goes_on() {
    let mut it = program(vec![begin(vec![
        Stmt::Try {
            body: vec![show(vec![int(1)]), fails(), show(vec![int(2)])],
            message: Some(str_slot(Scope::Global, 0)),
            handler: vec![show_str(vec![load_str(Scope::Global, 0)])],
        },
        Stmt::Try {
            body: vec![Stmt::Fail(text("mine"), Span::default())],
            message: Some(str_slot(Scope::Global, 0)),
            handler: vec![show_str(vec![load_str(Scope::Global, 0)])],
        },
        show(vec![int(3)]),
    ])]);
    it.globals = vec![str_var("message", "")];
    assert_eq!(output(it), "1 division by 0 mine 3 ");
}

/// An error amid the keys of an element leaves nothing behind that later keys could see.
#[test]
fn a_caught_error_leaves_no_keys_behind() {
    let bad = vec![
        int_key(1),
        Expr::Int(binary(BinaryOp::Divide, int(1), int(0))),
    ];
    let mut it = program(vec![begin(vec![
        put(vec![int_key(1), int_key(2)], None, int(5)),
        Stmt::Try {
            body: vec![put(bad, None, int(1))],
            message: None,
            handler: vec![],
        },
        show(vec![get(vec![int_key(1), int_key(2)])]),
    ])]);
    it.arrays = vec![array(&[Type::Int, Type::Int], Type::Int)];
    assert_eq!(output(it), "5 ");
}

#[test]
fn a_string_that_cannot_be_read_is_an_error_or_another() {
    let argument = |otherwise| StrExpr::Argument {
        index: 0,
        limit: 3,
        otherwise,
        span: Span::default(),
    };
    let mut it = program(vec![on_event(vec![
        show_str(vec![argument(Some(Box::new(text("<unknown>"))))]),
        show_str(vec![argument(None)]),
    ])]);
    it.options.max_errors = None;
    let mut running = Running::new(it);
    let probe = probe("line", vec![0]);
    let unreadable = Arg {
        raw: ArgValue::Unsigned(0x10),
        seen: Seen::Unreadable,
    };
    running.event(&event(1, &probe, vec![string("abcdef")]));
    running.event(&event(1, &probe, vec![unreadable]));
    assert_eq!(running.printed(), "abc abc <unknown> ");
    assert_eq!(
        running.complaints(),
        "ERROR in 0: user string copy fault -14 at 0x0000000000000010\n"
    );
}
