//! Loops, ends and limits.

use super::*;

#[test]
fn loops_step_after_each_round() {
    let i = slot(Scope::Local, 0);
    let body = vec![
        Stmt::If {
            condition: IntExpr::Compare(
                Comparison::Equal,
                Box::new(IntExpr::Load(i)),
                Box::new(int(1)),
            ),
            then: vec![Stmt::Continue],
            otherwise: vec![],
        },
        Stmt::If {
            condition: less(int(3), IntExpr::Load(i)),
            then: vec![Stmt::Break],
            otherwise: vec![],
        },
        show(vec![IntExpr::Load(i)]),
    ];
    let mut handler = begin(vec![Stmt::Loop {
        condition: int(1),
        body,
        step: vec![add(i, int(1))],
    }]);
    handler.locals = vec![Type::Int];
    assert_eq!(output(program(vec![handler])), "0 2 3 ");
}

#[test]
fn an_endless_loop_ends_in_an_error() {
    let mut it = program(vec![begin(vec![Stmt::Loop {
        condition: int(1),
        body: vec![],
        step: vec![],
    }])]);
    it.options.max_actions = 1000;
    let (_, errors) = outcome(it);
    assert_eq!(
        errors,
        "ERROR in 0: too many statements in one firing (1000)\n"
    );
}

/// Catching the error does not start the count again.
#[test]
fn an_endless_loop_cannot_be_kept_alive() {
    let forever = |body| Stmt::Loop {
        condition: int(1),
        body,
        step: vec![],
    };
    let mut it = program(vec![begin(vec![forever(vec![Stmt::Try {
        body: vec![forever(vec![])],
        message: None,
        handler: vec![],
    }])])]);
    it.options.max_actions = 1000;
    let (_, errors) = outcome(it);
    assert!(errors.contains("too many statements"), "{errors}");
}

/// Looking at entries counts too, whatever the statements around it.
#[test]
fn looking_through_a_table_for_ever_ends() {
    let i = slot(Scope::Local, 0);
    let fill = Stmt::Loop {
        condition: less(IntExpr::Load(i), int(1000)),
        body: vec![put(vec![Expr::Int(IntExpr::Load(i))], None, int(1))],
        step: vec![add(i, int(1))],
    };
    let nothing = Stmt::Delete(Region::Slice(
        Table::Array(ArrayId(0)),
        vec![Some(int_key(-1)), None],
    ));
    let mut handler = begin(vec![
        fill,
        Stmt::Loop {
            condition: int(1),
            body: vec![nothing],
            step: vec![add(i, int(1))],
        },
    ]);
    handler.locals = vec![Type::Int];
    let mut it = program(vec![handler, end(vec![show(vec![load(Scope::Global, 0)])])]);
    it.arrays = vec![array(&[Type::Int], Type::Int)];
    it.globals = vec![int_var("x", 8)];
    it.options.max_errors = None;
    it.options.max_actions = 100_000;
    let (text, errors) = outcome(it);
    assert_eq!(text, "8 ", "what comes later is not affected");
    assert!(errors.contains("too many statements"), "{errors}");
}

#[test]
fn text_does_not_grow_without_end() {
    let s = str_slot(Scope::Local, 0);
    let double = StrExpr::Concat(Box::new(StrExpr::Load(s)), Box::new(StrExpr::Load(s)));
    let mut handler = begin(vec![
        set_str(s, text("0123456789")),
        Stmt::Loop {
            condition: int(1),
            body: vec![set_str(s, double)],
            step: vec![],
        },
    ]);
    handler.locals = vec![Type::Str];
    let mut it = program(vec![handler]);
    it.options.max_string = usize::MAX;
    let (_, errors) = outcome(it);
    assert!(errors.contains("too much text"), "{errors}");
}

#[test]
fn begins_and_ends_run_by_priority_then_in_source_order() {
    let it = program(vec![
        end(vec![show(vec![int(3)])]),
        handler(Trigger::Begin(5), vec![show(vec![int(2)])]),
        begin(vec![show(vec![int(0)])]),
        begin(vec![show(vec![int(1)])]),
        handler(Trigger::End(-1), vec![show(vec![int(9)])]),
    ]);
    assert_eq!(output(it), "0 1 2 9 3 ");
}

/// exit() is carried out when its handler is done; other handlers do not run any more, the ends do.
#[test]
fn exit_finishes_the_handler_and_runs_the_ends() {
    let mut running = Running::new(program(vec![
        on_event(vec![Stmt::Exit(int(3)), show(vec![int(1)])]),
        on_event(vec![show(vec![int(2)])]),
        end(vec![show(vec![int(9)]), Stmt::Exit(int(4))]),
        end(vec![show(vec![int(10)])]),
    ]));
    assert_eq!(running.engine.status(), None);
    let probe = probe("line", vec![0, 1]);
    let event = event(1, &probe, vec![]);
    running.event(&event);
    assert_eq!(running.flow, Flow::Finish);
    assert_eq!(running.printed(), "1 ");
    running.event(&event);
    assert_eq!(running.printed(), "", "it has finished");
    assert_eq!(running.engine.due(), None);
    assert_eq!(running.end(), "9 10 ");
    assert_eq!(running.engine.status(), Some(3));
}

#[test]
fn exit_in_a_begin_keeps_the_later_ones_from_running() {
    let mut running = Running::new(program(vec![
        begin(vec![Stmt::Exit(int(0))]),
        begin(vec![show(vec![int(2)])]),
    ]));
    assert_eq!(running.flow, Flow::Finish);
    assert_eq!(running.end(), "");
    assert_eq!(running.engine.status(), Some(0));
}
