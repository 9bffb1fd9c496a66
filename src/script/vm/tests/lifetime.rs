//! How long things live, and that memory follows what lives.

use super::*;

fn end_of(tid: i32) -> Event {
    Event {
        kind: EventKind::ThreadEnd,
        ..event(tid, &probe("line", vec![]), vec![])
    }
}

#[test]
fn a_thread_has_variables_and_arrays_of_its_own_until_it_ends() {
    let n = slot(Scope::Thread, 0);
    let name = str_slot(Scope::Thread, 1);
    let mut it = program(vec![on_event(vec![
        add(n, int(1)),
        set_str(
            name,
            StrExpr::Concat(Box::new(StrExpr::Load(name)), Box::new(text("x"))),
        ),
        put(vec![int_key(1)], Some(BinaryOp::Add), int(2)),
        show(vec![IntExpr::Load(n), get(vec![int_key(1)])]),
        show_str(vec![StrExpr::Load(name)]),
    ])]);
    it.thread_locals = vec![int_var("n", 10), str_var("name", "-")];
    it.arrays = vec![Array {
        per_thread: true,
        ..array(&[Type::Int], Type::Int)
    }];
    let mut running = Running::new(it);
    let probe = probe("line", vec![0]);
    for tid in [1, 2, 1] {
        running.event(&event(tid, &probe, vec![]));
    }
    assert_eq!(running.printed(), "11 2 -x 11 2 -x 12 4 -xx ");
    assert_eq!(running.engine.kept_threads(), 2);
    running.event(&end_of(1));
    assert_eq!(running.engine.kept_threads(), 1);
    for tid in [1, 2] {
        running.event(&event(tid, &probe, vec![]));
    }
    assert_eq!(running.printed(), "11 2 -x 12 4 -xx ");
}

#[test]
fn the_handlers_of_one_firing_share_variables() {
    let seen = slot(Scope::Firing, 0);
    let name = str_slot(Scope::Firing, 1);
    let argument = StrExpr::Argument {
        index: 0,
        limit: 255,
        otherwise: None,
        span: Span::default(),
    };
    let mut second = on_event(vec![
        show(vec![IntExpr::Load(seen)]),
        show_str(vec![StrExpr::Load(name)]),
    ]);
    second.predicate = Some(IntExpr::Load(seen));
    let mut it = program(vec![
        on_event(vec![
            add(seen, IntExpr::Argument(1)),
            set_str(name, argument),
        ]),
        second,
    ]);
    it.firing_locals = vec![int_var("seen", 0), str_var("name", "")];
    let mut running = Running::new(it);
    let probe = probe("line", vec![0, 1]);
    for n in [4, 0, 5] {
        let args = vec![string("file"), number(n)];
        running.event(&event(1, &probe, args));
    }
    assert_eq!(running.printed(), "4 file 5 file ");
}

/// A handler that several of an event's requests are for runs once.
#[test]
fn a_handler_runs_once_for_a_firing() {
    let body = || vec![show(vec![int(1)])];
    let it = program(vec![on_event(body()), on_event(vec![show(vec![int(2)])])]);
    let errors = Box::new(Shared::default());
    let mut engine = Engine::new(it, vec![1, 0, 1, usize::MAX], errors);
    let mut out = Vec::new();
    let probe = probe("line", vec![0, 1, 2, 3, 4]);
    let flow = engine.event(&event(1, &probe, vec![]), None, &mut out);
    assert_eq!(flow.expect("memory"), Flow::Continue);
    assert_eq!(out, b"1 2 ");
}

/// What is kept for a moment only does not add up.
#[test]
fn temporary_strings_do_not_fill_memory() {
    let s = str_slot(Scope::Global, 0);
    let shown = format(vec![
        Shown::L("a temporary string, number "),
        Shown::I(IntExpr::Argument(0)),
    ]);
    let mut it = program(vec![on_event(vec![
        set_str(s, StrExpr::Format(Box::new(shown))),
        Stmt::Delete(Region::All(Table::Array(ArrayId(0)))),
        put(vec![Expr::Str(StrExpr::Load(s))], None, int(1)),
    ])]);
    it.globals = vec![str_var("s", "")];
    it.arrays = vec![array(&[Type::Str], Type::Int)];
    let mut running = Running::new(it);
    let probe = probe("line", vec![0]);
    let mut most = (0, 0);
    let mut event = event(1, &probe, vec![]);
    for n in 0..1_000_000 {
        if let EventKind::Fired { args, .. } = &mut event.kind {
            args.clear();
            args.push(number(n));
        }
        running.event(&event);
        let (strings, bytes) = running.engine.kept_strings();
        most = (most.0.max(strings), most.1.max(bytes));
    }
    assert!(most.0 < 40_000, "{most:?} strings and bytes");
    assert!(most.1 < 2 << 20, "{most:?} strings and bytes");
}

/// What is referred to from anywhere stays as it is while others come and go.
#[test]
fn strings_that_are_referred_to_stay() {
    let s = str_slot(Scope::Global, 0);
    let t = str_slot(Scope::Thread, 0);
    let shown = |what| {
        StrExpr::Format(Box::new(format(vec![
            Shown::L(what),
            Shown::I(IntExpr::Argument(0)),
        ])))
    };
    let mut first = on_event(vec![
        set_str(s, shown("global ")),
        set_str(t, shown("thread ")),
        put(vec![Expr::Str(shown("key "))], None, int(8)),
        Stmt::Record {
            to: AggregationId(0),
            keys: vec![Expr::Str(shown("entry "))],
            value: int(1),
            weight: None,
            span: Span::default(),
        },
    ]);
    first.predicate = Some(less(IntExpr::Argument(0), int(1)));
    let waste = on_event(vec![set_str(
        str_slot(Scope::Global, 1),
        shown("waste that nobody refers to "),
    )]);
    let check = on_event(vec![
        show_str(vec![StrExpr::Load(s), StrExpr::Load(t)]),
        show(vec![
            get(vec![str_key("key 0")]),
            IntExpr::ContainsEntry(AggregationId(0), vec![str_key("entry 0")]),
        ]),
    ]);
    let mut it = program(vec![first, waste, check]);
    it.globals = vec![str_var("s", ""), str_var("w", "")];
    it.thread_locals = vec![str_var("t", "")];
    it.arrays = vec![array(&[Type::Str], Type::Int)];
    it.aggregations = vec![counting(&[Type::Str])];
    let mut running = Running::new(it);
    let (busy, last) = (probe("line", vec![0, 1]), probe("line", vec![2]));
    for n in 0..100_000 {
        running.event(&event(1, &busy, vec![number(n)]));
    }
    assert!(running.engine.kept_strings().0 < 40_000);
    running.event(&event(1, &last, vec![]));
    assert_eq!(running.printed(), "global 0 thread 0 8 1 ");
}

#[test]
fn kept_strings_are_cut() {
    let s = str_slot(Scope::Global, 0);
    let long = StrExpr::Concat(Box::new(text("abc")), Box::new(text("def")));
    let mut it = program(vec![begin(vec![
        set_str(s, long),
        show_str(vec![StrExpr::Load(s)]),
    ])]);
    it.globals = vec![str_var("s", "")];
    it.options.max_string = 4;
    assert_eq!(output(it), "abcd ");
}
