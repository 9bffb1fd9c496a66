//! Arrays and aggregations.

use super::*;

const ONE_INT: &[Type] = &[Type::Int];

fn for_each(keys: Vec<Option<Place>>, order: Option<Order>, body: Block) -> ForEach {
    ForEach {
        table: Table::Array(ArrayId(0)),
        keys,
        value: None,
        slice: Vec::new(),
        order,
        limit: None,
        body,
    }
}

fn each(it: ForEach) -> Stmt {
    Stmt::ForEach(Box::new(it))
}

fn key(index: usize) -> Option<Place> {
    Some(Place::Int(slot(Scope::Global, index)))
}

fn order(by: OrderBy, descending: bool) -> Option<Order> {
    Some(Order { by, descending })
}

/// Keys 3, 1, 2 of values 10, 30, 10, and what a body sees.
fn numbers(body: Block) -> Program {
    let mut it = program(vec![begin(
        [
            vec![
                put(vec![int_key(3)], None, int(10)),
                put(vec![int_key(1)], None, int(30)),
                put(vec![int_key(2)], None, int(10)),
            ],
            body,
        ]
        .concat(),
    )]);
    it.globals = vec![int_var("k", 0), int_var("v", 0)];
    it.arrays = vec![array(ONE_INT, Type::Int)];
    it
}

#[test]
fn an_absent_element_is_0_and_reading_makes_none() {
    let has = |k| IntExpr::Contains(ArrayId(0), vec![int_key(k)]);
    let body = vec![show(vec![get(vec![int_key(9)]), has(9), has(1)])];
    assert_eq!(output(numbers(body)), "0 0 1 ");
}

#[test]
fn loops_go_in_the_order_that_is_asked_for() {
    let show_key = || vec![show(vec![load(Scope::Global, 0)])];
    let table = [
        (None, "3 1 2 "),
        (order(OrderBy::Key(0), false), "1 2 3 "),
        (order(OrderBy::Key(0), true), "3 2 1 "),
        (order(OrderBy::Value, false), "3 2 1 "),
        // Ties stay in the order of insertion.
        (order(OrderBy::Value, true), "1 3 2 "),
    ];
    for (order, expected) in table {
        let body = vec![each(for_each(vec![key(0)], order, show_key()))];
        assert_eq!(output(numbers(body)), expected, "{order:?}");
        for limit in [-1, 0, 1, 2, 3, 4] {
            let mut it = for_each(vec![key(0)], order, show_key());
            it.limit = Some(int(limit));
            let rounds = usize::try_from(limit).unwrap_or(0).min(3);
            let expected = expected.get(..2 * rounds).expect("two bytes a key");
            assert_eq!(output(numbers(vec![each(it)])), expected, "{limit}");
        }
    }
}

#[test]
fn a_loop_gives_values_too_and_can_be_left() {
    let mut it = for_each(
        vec![key(0)],
        None,
        vec![
            Stmt::If {
                condition: IntExpr::Compare(
                    Comparison::Equal,
                    Box::new(load(Scope::Global, 0)),
                    Box::new(int(3)),
                ),
                then: vec![Stmt::Continue],
                otherwise: Vec::new(),
            },
            show(vec![load(Scope::Global, 0), load(Scope::Global, 1)]),
            Stmt::Break,
        ],
    );
    it.value = key(1);
    assert_eq!(output(numbers(vec![each(it)])), "1 30 ");
}

/// What is removed in a loop has no round any more, what is added has none yet.
#[test]
fn a_loop_may_change_its_table() {
    let remove_1 = Stmt::Delete(Region::Slice(
        Table::Array(ArrayId(0)),
        vec![Some(int_key(1))],
    ));
    let k = || binary(BinaryOp::Add, load(Scope::Global, 0), int(100));
    let body = vec![
        each(for_each(
            vec![key(0)],
            None,
            vec![
                show(vec![load(Scope::Global, 0)]),
                remove_1,
                put(vec![Expr::Int(k())], None, int(1)),
            ],
        )),
        print(vec![Shown::L("| ")]),
        each(for_each(
            vec![key(0)],
            None,
            vec![show(vec![load(Scope::Global, 0)])],
        )),
    ];
    assert_eq!(output(numbers(body)), "3 2 | 3 2 103 102 ");
}

#[test]
fn a_table_may_be_emptied_within_its_loop() {
    let all = || Region::All(Table::Array(ArrayId(0)));
    let body = vec![
        each(for_each(
            vec![key(0)],
            order(OrderBy::Key(0), false),
            vec![show(vec![load(Scope::Global, 0)]), Stmt::Delete(all())],
        )),
        put(vec![int_key(5)], None, int(6)),
        show(vec![get(vec![int_key(5)]), get(vec![int_key(3)])]),
    ];
    assert_eq!(output(numbers(body)), "1 6 0 ");
}

#[test]
fn slices_select_by_some_keys() {
    let pair = |a, b| vec![int_key(a), str_key(b)];
    let mut it = program(vec![begin(vec![
        put(pair(1, "x"), None, int(11)),
        put(pair(1, "y"), None, int(12)),
        put(pair(2, "x"), None, int(21)),
        each(ForEach {
            slice: vec![None, Some(str_key("x"))],
            ..for_each(
                vec![key(0), None],
                None,
                vec![show(vec![load(Scope::Global, 0)])],
            )
        }),
        each(ForEach {
            slice: vec![
                None,
                // A string that was never kept is no key.
                Some(Expr::Str(StrExpr::Concat(
                    Box::new(text("no")),
                    Box::new(text("where")),
                ))),
            ],
            ..for_each(vec![key(0), None], None, vec![show(vec![int(-1)])])
        }),
        Stmt::Delete(Region::Slice(
            Table::Array(ArrayId(0)),
            vec![Some(int_key(1)), None],
        )),
        show(vec![
            get(pair(1, "x")),
            get(pair(1, "y")),
            get(pair(2, "x")),
        ]),
    ])]);
    it.globals = vec![int_var("k", 0)];
    it.arrays = vec![array(&[Type::Int, Type::Str], Type::Int)];
    assert_eq!(output(it), "1 2 0 0 21 ");
}

#[test]
fn strings_are_keys_and_values() {
    let mut it = program(vec![begin(vec![
        Stmt::Evaluate(Expr::Str(StrExpr::AssignElement {
            array: ArrayId(0),
            keys: vec![str_key("b")],
            value: Box::new(text("one")),
            span: Span::default(),
        })),
        Stmt::Evaluate(Expr::Str(StrExpr::AssignElement {
            array: ArrayId(0),
            keys: vec![str_key("a")],
            value: Box::new(StrExpr::Concat(
                Box::new(text("two")),
                Box::new(StrExpr::Element(ArrayId(0), vec![str_key("b")])),
            )),
            span: Span::default(),
        })),
        each(ForEach {
            value: Some(Place::Str(str_slot(Scope::Global, 1))),
            ..for_each(
                vec![Some(Place::Str(str_slot(Scope::Global, 0)))],
                order(OrderBy::Key(0), false),
                vec![show_str(vec![
                    load_str(Scope::Global, 0),
                    load_str(Scope::Global, 1),
                ])],
            )
        }),
        print(vec![
            Shown::L("["),
            Shown::S(StrExpr::Element(ArrayId(0), vec![str_key("c")])),
            Shown::L("]"),
        ]),
    ])]);
    it.globals = vec![str_var("k", ""), str_var("v", "")];
    it.arrays = vec![array(&[Type::Str], Type::Str)];
    assert_eq!(output(it), "a twoone b one []");
}

/// D: assigning 0 gives the element back.
#[test]
fn zero_removes_where_it_does() {
    let k = |k| vec![int_key(k)];
    let has = |k| IntExpr::Contains(ArrayId(0), vec![int_key(k)]);
    let mut it = numbers(vec![
        put(k(3), None, int(0)),
        put(k(1), Some(BinaryOp::Subtract), int(30)),
        put(k(7), None, int(0)),
        show(vec![has(3), has(1), has(2), has(7)]),
    ]);
    it.arrays.iter_mut().for_each(|it| it.zero_removes = true);
    assert_eq!(output(it), "0 0 1 0 ");
}

#[test]
fn a_full_array_is_an_error_unless_it_wraps() {
    let limited = |wraps| {
        let mut it = numbers(vec![show(vec![
            get(vec![int_key(3)]),
            get(vec![int_key(2)]),
        ])]);
        it.arrays.iter_mut().for_each(|it| {
            it.limit = Some(2);
            it.wraps = wraps;
        });
        outcome(it)
    };
    assert_eq!(limited(true), ("0 10 ".to_owned(), String::new()));
    let error = "ERROR in 0: array overflow, check a\n".to_owned();
    assert_eq!(limited(false), (String::new(), error));
}

fn record(keys: Vec<Expr>, value: i64) -> Stmt {
    Stmt::Record {
        to: AggregationId(0),
        keys,
        value: int(value),
        weight: None,
        span: Span::default(),
    }
}

fn statistic(keys: Vec<Expr>, what: Statistic) -> IntExpr {
    IntExpr::Statistic {
        of: AggregationId(0),
        keys,
        what,
        span: Span::default(),
    }
}

#[test]
fn aggregations_summarise_each_key() {
    let k = || vec![str_key("k")];
    let mut it = program(vec![begin(vec![
        record(k(), 5),
        record(k(), -8),
        record(vec![str_key("other")], 100),
        show(vec![
            statistic(k(), Statistic::Count),
            statistic(k(), Statistic::Sum),
            statistic(k(), Statistic::Min),
            statistic(k(), Statistic::Max),
            statistic(k(), Statistic::Average),
            statistic(vec![str_key("none")], Statistic::Count),
            IntExpr::ContainsEntry(AggregationId(0), k()),
            IntExpr::ContainsEntry(AggregationId(0), vec![str_key("none")]),
        ]),
        Stmt::Clear(AggregationId(0)),
        show(vec![
            statistic(k(), Statistic::Count),
            IntExpr::ContainsEntry(AggregationId(0), k()),
        ]),
        show(vec![statistic(k(), Statistic::Average)]),
    ])]);
    it.aggregations = vec![counting(&[Type::Str])];
    let (text, errors) = outcome(it);
    assert_eq!(text, "2 -3 -8 5 -1 0 1 0 0 1 ");
    assert_eq!(errors, "ERROR in 0: empty aggregate\n");
}

#[test]
fn aggregations_can_be_gone_through_and_trimmed() {
    let record = |k: i64, times: usize| vec![record(vec![int_key(k)], 1); times];
    let show_all = || {
        each(ForEach {
            table: Table::Aggregation(AggregationId(0)),
            ..for_each(
                vec![key(0)],
                order(OrderBy::Statistic(Statistic::Count), true),
                vec![show(vec![load(Scope::Global, 0)])],
            )
        })
    };
    let trim = |keep| {
        Stmt::Trim(Trim {
            aggregation: AggregationId(0),
            keep: int(keep),
        })
    };
    for (keep, expected) in [
        (2, "2 1 "),
        (-2, "1 3 "),
        (0, ""),
        (9, "2 1 3 "),
        (-9, "2 1 3 "),
    ] {
        let body = [
            record(1, 2),
            record(2, 3),
            record(3, 1),
            vec![trim(keep), show_all()],
        ];
        let mut it = program(vec![begin(body.concat())]);
        it.globals = vec![int_var("k", 0)];
        it.aggregations = vec![counting(ONE_INT)];
        assert_eq!(output(it), expected, "{keep}");
    }
}
