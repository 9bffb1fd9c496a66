//! Functions of the script.

use super::*;

fn function(result: Option<Type>, locals: &[Type], parameters: usize, body: Block) -> Function {
    Function {
        name: "f".to_owned(),
        result,
        locals: locals.to_vec(),
        parameters,
        body,
    }
}

fn call(arguments: Vec<Expr>) -> Box<Invocation> {
    Box::new(Invocation {
        function: FunctionId(0),
        arguments,
        span: Span::default(),
    })
}

fn local(index: usize) -> IntExpr {
    load(Scope::Local, index)
}

fn give(value: IntExpr) -> Stmt {
    Stmt::Return(Some(Expr::Int(value)))
}

/// fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2)
fn fibonacci() -> Function {
    let again = |by| {
        let n = binary(BinaryOp::Subtract, local(0), int(by));
        IntExpr::Invoke(call(vec![Expr::Int(n)]))
    };
    function(
        Some(Type::Int),
        &[Type::Int, Type::Int],
        1,
        vec![
            // The other local is 0 in each call.
            add(slot(Scope::Local, 1), int(1)),
            Stmt::If {
                condition: less(local(0), int(2)),
                then: vec![give(local(0))],
                otherwise: vec![],
            },
            give(binary(
                BinaryOp::Subtract,
                binary(
                    BinaryOp::Add,
                    binary(BinaryOp::Add, again(1), again(2)),
                    local(1),
                ),
                int(1),
            )),
        ],
    )
}

#[test]
fn functions_recurse_with_locals_of_their_own() {
    let value = IntExpr::Invoke(call(vec![int_key(15)]));
    let mut it = program(vec![begin(vec![show(vec![value])])]);
    it.functions = vec![fibonacci()];
    assert_eq!(output(it), "610 ");
}

#[test]
fn strings_go_in_and_out() {
    // f(n, s) = n < 1 ? s : f(n - 1, s . "ab")
    let again = call(vec![
        Expr::Int(binary(BinaryOp::Subtract, local(0), int(1))),
        Expr::Str(StrExpr::Concat(
            Box::new(load_str(Scope::Local, 1)),
            Box::new(text("ab")),
        )),
    ]);
    let body = vec![
        Stmt::If {
            condition: less(local(0), int(1)),
            then: vec![Stmt::Return(Some(Expr::Str(load_str(Scope::Local, 1))))],
            otherwise: vec![],
        },
        Stmt::Return(Some(Expr::Str(StrExpr::Invoke(again)))),
    ];
    let f = function(Some(Type::Str), &[Type::Int, Type::Str], 2, body);
    let value = || StrExpr::Invoke(call(vec![int_key(3), str_key("<")]));
    let both = StrExpr::Concat(Box::new(value()), Box::new(value()));
    let mut it = program(vec![begin(vec![show_str(vec![both])])]);
    it.functions = vec![f];
    assert_eq!(output(it), "<ababab<ababab ");
}

#[test]
fn without_a_return_the_value_is_empty() {
    let other = function(Some(Type::Int), &[], 0, vec![give(int(9))]);
    let calls_other = Stmt::Evaluate(Expr::Int(IntExpr::Invoke(Box::new(Invocation {
        function: FunctionId(1),
        arguments: Vec::new(),
        span: Span::default(),
    }))));
    let mut it = program(vec![begin(vec![show(vec![IntExpr::Invoke(call(vec![]))])])]);
    it.functions = vec![function(Some(Type::Int), &[], 0, vec![calls_other]), other];
    assert_eq!(output(it), "0 ");
}

/// `next` in a function ends the handler.
#[test]
fn next_ends_the_handler_from_within() {
    let mut it = program(vec![begin(vec![
        show(vec![int(1)]),
        Stmt::Evaluate(Expr::Int(IntExpr::Invoke(call(vec![])))),
        show(vec![int(2)]),
    ])]);
    it.functions = vec![function(None, &[], 0, vec![Stmt::Next])];
    assert_eq!(output(it), "1 ");
}

#[test]
fn endless_recursion_is_an_error() {
    let again = || Stmt::Evaluate(Expr::Int(IntExpr::Invoke(call(vec![]))));
    let mut it = program(vec![begin(vec![
        Stmt::Try {
            body: vec![again()],
            message: Some(str_slot(Scope::Global, 0)),
            handler: vec![show_str(vec![load_str(Scope::Global, 0)])],
        },
        again(),
    ])]);
    it.globals = vec![str_var("message", "")];
    it.functions = vec![function(None, &[], 0, vec![again()])];
    let (text, errors) = outcome(it);
    let message = "functions call each other more than 200 deep";
    assert_eq!(text, format!("{message} "));
    assert_eq!(errors, format!("ERROR in 0: {message}\n"));
}

/// A program whose function calls itself from within code that is nested as `nest` does it, as deep as parsers allow.
fn nested(nest: impl Fn(Block) -> Block) -> Program {
    let again = || Stmt::Evaluate(Expr::Int(IntExpr::Invoke(call(vec![]))));
    let mut body = vec![again()];
    for _ in 0..200 {
        body = nest(body);
    }
    let mut it = program(vec![begin(vec![again()])]);
    it.options.max_nesting = usize::MAX;
    it.functions = vec![function(Some(Type::Int), &[], 0, body)];
    it.globals = vec![int_var("k", 0)];
    it.arrays = vec![array(&[Type::Int], Type::Int)];
    it
}

/// However many calls the options allow, the native stack has an end.
#[test]
fn deep_code_in_deep_calls_stays_within_the_stack() {
    // As much as a main thread usually has.
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let thread = thread.spawn(deep_code_in_deep_calls).expect("a thread");
    thread.join().expect("all went well");
}

fn deep_code_in_deep_calls() {
    let after = |body| Box::new(IntExpr::After(body, Box::new(int(1))));
    let evaluate = |value| vec![Stmt::Evaluate(Expr::Int(value))];
    let shown = |body| {
        let pieces = format(vec![Shown::I(*after(body))]);
        StrExpr::Format(Box::new(pieces))
    };
    let once = Stmt::Evaluate(Expr::Int(IntExpr::AssignElement {
        array: ArrayId(0),
        keys: vec![int_key(1)],
        op: None,
        value: Box::new(int(1)),
        yields: Yields::New,
        span: Span::default(),
    }));
    let programs = [
        nested(|body| evaluate(IntExpr::Unary(UnaryOp::Negate, after(body)))),
        nested(|body| vec![Stmt::Evaluate(Expr::Str(shown(body)))]),
        nested(|body| vec![print(vec![Shown::S(shown(body))])]),
        nested(|body| {
            let message = None;
            let handler = vec![];
            vec![Stmt::Try {
                body,
                message,
                handler,
            }]
        }),
        nested(|body| {
            let each = ForEach {
                table: Table::Array(ArrayId(0)),
                keys: vec![Some(Place::Int(slot(Scope::Global, 0)))],
                value: None,
                slice: vec![],
                order: None,
                limit: None,
                body,
            };
            vec![once.clone(), Stmt::ForEach(Box::new(each))]
        }),
        nested(|body| {
            let keys = vec![Expr::Int(*after(body))];
            evaluate(IntExpr::Element(ArrayId(0), keys))
        }),
        nested(|body| {
            let text = Expr::Str(shown(body));
            evaluate(IntExpr::Call(
                &crate::script::builtins::STRLEN,
                vec![text],
                Span::default(),
            ))
        }),
    ];
    for (index, it) in programs.into_iter().enumerate() {
        let (_, errors) = outcome(it);
        // Those that catch their errors have too many of them instead.
        let ended = ["call each other", "too many statements"];
        let ended = index == 3 || ended.iter().any(|it| errors.contains(it));
        assert!(ended, "{index}: {errors}");
    }
}

/// What a function prints while a format is evaluated comes before what the format prints.
#[test]
fn a_format_is_printed_in_one_piece() {
    let body = vec![print(vec![Shown::L("<inner>")]), give(int(5))];
    let mut it = program(vec![begin(vec![print(vec![
        Shown::L("a"),
        Shown::I(IntExpr::Invoke(call(vec![]))),
        Shown::L("b"),
    ])])]);
    it.functions = vec![function(Some(Type::Int), &[], 0, body)];
    assert_eq!(output(it), "<inner>a5b");
}
