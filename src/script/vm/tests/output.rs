//! Where output goes: rows, speculations, standard error, aggregations that are printed.

use super::*;

/// The columns of dtrace(1): `%3d %6d %32s `, under a header.
#[test]
fn rows_have_dtraces_columns() {
    let mut handlers = vec![
        begin(vec![print(vec![Shown::L("hello")])]),
        on_event(vec![]),
        end(vec![]),
    ];
    handlers.iter_mut().for_each(|it| it.row = Row::Columns);
    let mut running = Running::new(program(handlers));
    let probe = probe("function__entry", vec![1]);
    running.event(&event(1, &probe, vec![]));
    let expected = [
        "CPU     ID                    FUNCTION:NAME\n",
        "  0      1                           :BEGIN hello\n",
        "  0     77              eval:function-entry \n",
        "  0      2                             :END \n",
    ];
    assert_eq!(running.end(), expected.concat());
}

/// The columns of `dtrace -F`: `%3d %-41s `; a name is indented by two for each call that has not returned.
#[test]
fn flow_rows_are_indented() {
    let mut handlers = vec![on_event(vec![])];
    handlers.iter_mut().for_each(|it| it.row = Row::Flow);
    let mut running = Running::new(program(handlers));
    for name in [
        "function__entry",
        "line",
        "function__entry",
        "function__return",
        "function__return",
    ] {
        running.event(&event(1, &probe(name, vec![0]), vec![]));
    }
    let row = |text: &str| format!("{text:<46}\n");
    let expected = [
        format!("{:<45}\n", "CPU FUNCTION"),
        row("  0  -> eval"),
        row("  0    | eval:line"),
        row("  0    -> eval"),
        row("  0    <- eval"),
        row("  0  <- eval"),
    ];
    assert_eq!(running.end(), expected.concat());
}

/// Two clauses of one entry are one call.
#[test]
fn a_firing_is_indented_once() {
    let mut handlers = vec![on_event(vec![]), on_event(vec![])];
    handlers.iter_mut().for_each(|it| it.row = Row::Flow);
    let mut running = Running::new(program(handlers));
    for name in ["function__entry", "function__entry"] {
        running.event(&event(1, &probe(name, vec![0, 1]), vec![]));
    }
    let text = running.end();
    let rows: Vec<&str> = text.lines().skip(1).map(str::trim_end).collect();
    let expected = [
        "  0  -> eval",
        "  0    | eval:function-entry",
        "  0    -> eval",
        "  0      | eval:function-entry",
    ];
    assert_eq!(rows, expected);
}

/// A handler's error takes its row with it, not the header.
#[test]
fn an_error_takes_its_row_with_it() {
    let fails = Stmt::Fail(text("no"), Span::default());
    let mut handlers = vec![begin(vec![fails]), begin(vec![show(vec![int(1)])])];
    handlers.iter_mut().for_each(|it| it.row = Row::Columns);
    let mut it = program(handlers);
    it.options.discard_on_error = true;
    it.options.max_errors = None;
    let (text, _) = outcome(it);
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "CPU     ID                    FUNCTION:NAME",
        "  0      1                           :BEGIN 1 ",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn speculations_are_printed_when_they_are_committed() {
    let mut it = program(vec![
        begin(vec![
            show(vec![int(0)]),
            Stmt::Speculate(int(1)),
            show(vec![int(1)]),
        ]),
        begin(vec![Stmt::Speculate(int(2)), show(vec![int(2)])]),
        begin(vec![Stmt::Speculate(int(1)), show(vec![int(3)])]),
        begin(vec![Stmt::Speculate(int(0)), show(vec![int(4)])]),
        begin(vec![Stmt::Discard(int(2)), Stmt::Commit(int(1))]),
        end(vec![
            Stmt::Commit(int(1)),
            Stmt::Commit(int(2)),
            Stmt::Commit(int(9)),
        ]),
    ]);
    assert_eq!(output(it.clone()), "0 4 1 3 ");
    // Its row belongs to the speculation.
    it.handlers.truncate(5);
    it.handlers.remove(3);
    it.handlers.remove(0);
    if let Some(first) = it.handlers.get_mut(1) {
        first.row = Row::Columns;
    }
    let text = output(it);
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(rows, ["  0      1                           :BEGIN 3 "]);
}

#[test]
fn complaints_go_to_standard_error() {
    let it = program(vec![begin(vec![
        Stmt::Print(
            Stream::Err,
            format(vec![Shown::L("careful "), Shown::I(int(1))]),
        ),
        print(vec![Shown::L("out")]),
    ])]);
    assert_eq!(outcome(it), ("out".to_owned(), "careful 1".to_owned()));
}

/// Much output is handed on while a handler still runs; nothing is lost or doubled.
#[test]
fn long_output_keeps_its_order() {
    let i = slot(Scope::Local, 0);
    let mut handler = begin(vec![Stmt::Loop {
        condition: less(IntExpr::Load(i), int(50_000)),
        body: vec![show(vec![IntExpr::Load(i)])],
        step: vec![add(i, int(1))],
    }]);
    handler.locals = vec![Type::Int];
    let expected: String = (0..50_000).map(|n| format!("{n} ")).collect();
    for discard in [false, true] {
        let mut it = program(vec![handler.clone()]);
        it.options.discard_on_error = discard;
        assert!(output(it) == expected, "discard {discard}");
    }
}

fn counted(aggregations: usize, body: Block) -> Program {
    let record = |to: usize, key: &str, times: usize| {
        let stmt = Stmt::Record {
            to: AggregationId(to),
            keys: vec![str_key(key)],
            value: int(1),
            weight: None,
            span: Span::default(),
        };
        vec![stmt; times]
    };
    let records = [
        record(0, "often", 3),
        record(0, "once", 1),
        record(1, "twice", 2),
        record(1, "once", 4),
    ];
    let records = records.concat().into_iter();
    let known = |stmt: &Stmt| match stmt {
        Stmt::Record { to, .. } => to.0 < aggregations,
        _ => true,
    };
    let body = records.filter(known).chain(body).collect();
    let mut it = program(vec![begin(body)]);
    it.aggregations = vec![counting(&[Type::Str]); aggregations];
    it
}

fn print_these(ids: &[usize], format: Option<Vec<AggregationPiece>>, unless: bool) -> Stmt {
    Stmt::PrintAggregations(Box::new(PrintAggregations {
        aggregations: ids.iter().map(|id| AggregationId(*id)).collect(),
        format,
        unless_printed: unless,
    }))
}

/// printa() with a format: a row for each key, by value; keys of several aggregations are joined.
#[test]
fn rows_ascend_by_value_and_join_keys() {
    let piece = |which| AggregationPiece::Value {
        spec: Spec::default(),
        style: IntStyle::Signed,
        which,
    };
    let key = AggregationPiece::StrKey {
        spec: Spec::default(),
        style: StrStyle::Plain,
        key: 0,
    };
    let literal = |text: &str| AggregationPiece::Literal(text.as_bytes().to_vec());
    let format = vec![
        key,
        literal(" "),
        piece(0),
        literal(" "),
        piece(1),
        literal("\n"),
    ];
    let it = counted(2, vec![print_these(&[0, 1], Some(format), false)]);
    assert_eq!(output(it), "twice 0 2\nonce 1 4\noften 3 0\n");
}

/// What was printed is not printed again at the end, nor what is empty.
#[test]
fn what_was_printed_is_not_printed_again() {
    let format = Some(vec![AggregationPiece::Literal(b"row ".to_vec())]);
    let it = counted(
        2,
        vec![
            print_these(&[0], format.clone(), false),
            print(vec![Shown::L("| ")]),
            print_these(&[0], format.clone(), true),
            print_these(&[1], format.clone(), true),
            print(vec![Shown::L("| ")]),
            print_these(&[1], format.clone(), true),
        ],
    );
    assert_eq!(output(it), "row row | row row | ");
    let mut empty = program(vec![begin(vec![print_these(&[0], None, true)])]);
    empty.aggregations = vec![counting(&[])];
    assert_eq!(output(empty), "");
}
