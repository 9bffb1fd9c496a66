//! What builtins see and do.

use crossbeam_channel::bounded;

use super::*;
use crate::event::{Hold, Verdict};
use crate::process::memory::ProcessMemory;
use crate::script::builtin::{Action, IntFunction, Needs, StrFunction};

static SUM: IntFunction = IntFunction {
    name: "sum",
    needs: Needs::NONE,
    run: |call| Ok(call.int(0) + call.int(1) + i64::try_from(call.bytes(2).len()).unwrap_or(0)),
};

static TWICE: StrFunction = StrFunction {
    name: "twice",
    needs: Needs::NONE,
    run: |call| {
        let text = call.bytes(0);
        call.give(text);
        call.give(text);
        Ok(())
    },
};

static REFUSE: Action = Action {
    name: "refuse",
    needs: Needs::NONE,
    run: |_| Err(Fault::Said("refused".to_owned())),
};

static SPEAK: Action = Action {
    name: "speak",
    needs: Needs::NONE,
    run: |call| {
        call.print(b"[out]");
        call.complain(b"[err]");
        call.signal(10);
        let memory = call.memory().is_some();
        call.print(if memory { b"held" } else { b"free" });
        Ok(())
    },
};

fn twice(value: StrExpr) -> StrExpr {
    StrExpr::Call(&TWICE, vec![Expr::Str(value)], Span::default())
}

#[test]
fn builtins_are_given_values_and_give_some() {
    let argument = StrExpr::Argument {
        index: 0,
        limit: 3,
        otherwise: None,
        span: Span::default(),
    };
    let sum = IntExpr::Call(
        &SUM,
        vec![
            int_key(40),
            Expr::Int(IntExpr::Argument(1)),
            Expr::Str(twice(twice(argument))),
        ],
        Span::default(),
    );
    let mut running = Running::new(program(vec![on_event(vec![show(vec![sum])])]));
    let probe = probe("line", vec![0]);
    running.event(&event(1, &probe, vec![string("abcdef"), number(2)]));
    assert_eq!(running.printed(), "54 ");
}

#[test]
fn a_builtin_may_refuse() {
    let act = |action| Stmt::Act(action, Vec::new(), Span::default());
    let (text, errors) = outcome(program(vec![begin(vec![act(&SPEAK), act(&REFUSE)])]));
    assert_eq!(text, "[out]free");
    assert_eq!(errors, "[err]ERROR in 0: refused\n");
}

/// Who is held is answered, with the signals that the script sends.
#[test]
fn a_held_thread_is_answered() {
    let act = Stmt::Act(&SPEAK, Vec::new(), Span::default());
    let mut running = Running::new(program(vec![on_event(vec![act])]));
    let own = i32::try_from(std::process::id()).expect("a pid");
    let memory = Arc::new(ProcessMemory::open(own).expect("its own memory"));
    let (answer, verdicts) = bounded(2);
    let hold = Hold { memory, answer };
    let probe = probe("line", vec![0]);
    let send = |engine: &mut Engine, event: &Event| {
        let mut out = Vec::new();
        let flow = engine.event(event, Some(&hold), &mut out);
        assert_eq!(flow.expect("memory"), Flow::Continue);
        out
    };
    let out = send(&mut running.engine, &event(1, &probe, vec![]));
    assert_eq!(out, b"[out]held");
    assert_eq!(verdicts.recv(), Ok(Verdict { signals: vec![10] }));
    // Nobody's event is answered too.
    let other = super::probe("other", vec![]);
    send(&mut running.engine, &event(1, &other, vec![]));
    assert_eq!(verdicts.recv(), Ok(Verdict::default()));
}
