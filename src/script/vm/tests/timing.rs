//! Timers.

use super::*;

fn every(period: u64, name: u32, body: Block) -> Handler {
    let timer = Timer {
        period,
        jitter: 0,
        name: TimerName(name),
        samples: false,
    };
    handler(Trigger::Timer(timer), body)
}

#[test]
fn timers_fire_when_they_are_due() {
    let hour = 3_600_000_000_000;
    let names = vec![
        StrExpr::Context(StrContext::ProbeName),
        StrExpr::Context(StrContext::ProbePoint),
    ];
    let mut running = Running::new(program(vec![
        every(hour, 0, vec![show_str(names)]),
        every(3 * hour, 1, vec![show(vec![int(3)]), Stmt::Exit(int(0))]),
    ]));
    let first = running.engine.due().expect("armed");
    running.tick(first - 1);
    assert_eq!(running.printed(), "");
    running.tick(first);
    assert_eq!(running.printed(), "tick-1s tick-1s ");
    assert_eq!(running.engine.due(), Some(first + hour));
    // Both are late; what was missed is skipped, and the one that was due first runs first.
    running.tick(first + 2 * hour + 1);
    assert_eq!(running.printed(), "tick-1s tick-1s 3 ");
    assert_eq!(running.flow, Flow::Finish);
    assert_eq!(running.engine.due(), None);
}

/// Two clauses of one timer are one firing: the first tells the second.
#[test]
fn handlers_of_one_timer_share_a_firing() {
    let x = slot(Scope::Firing, 0);
    let mut it = program(vec![
        every(1000, 0, vec![add(x, int(5))]),
        every(1000, 0, vec![show(vec![IntExpr::Load(x)])]),
        every(1000, 1, vec![show(vec![IntExpr::Load(x)])]),
    ]);
    it.firing_locals = vec![int_var("x", 0)];
    let mut running = Running::new(it);
    for _ in 0..2 {
        let due = running.engine.due().expect("armed");
        running.tick(due);
    }
    assert_eq!(running.printed(), "5 0 5 0 ");
}

#[test]
fn aggregations_are_printed_now_and_then() {
    let record = Stmt::Record {
        to: AggregationId(0),
        keys: vec![],
        value: int(1),
        weight: None,
        span: Span::default(),
    };
    let mut it = program(vec![begin(vec![record])]);
    it.aggregations = vec![counting(&[])];
    it.options.aggregation_interval = 1_000_000_000_000;
    let mut running = Running::new(it);
    let due = running.engine.due().expect("armed");
    running.tick(due);
    let text = running.printed();
    assert_eq!(text.trim(), "1");
    running.tick(due + 1_000_000_000_000);
    assert_eq!(running.printed(), text, "again");
}
