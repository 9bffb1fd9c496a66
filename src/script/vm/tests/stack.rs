//! The Python call stack.

use super::*;

#[test]
fn the_stack_has_an_entry_before_its_handlers_and_a_return_after_them() {
    let stack = |limit| StrExpr::Context(StrContext::PythonStack(limit));
    let mut it = program(vec![on_event(vec![print(vec![Shown::S(stack(0))])])]);
    it.options.python_stack = true;
    let errors = Box::new(Shared::default());
    // Requests 1 and 2 are for the stack alone.
    let mut engine = Engine::new(it, vec![0, usize::MAX, usize::MAX], errors);
    let entry = probe("function__entry", vec![0, 1]);
    let silent = probe("function__entry", vec![1]);
    let leave = probe("function__return", vec![0, 2]);
    let args = |function| vec![string("a.py"), string(function), number(5)];
    let mut printed = |tid, probe, function| {
        let mut out = Vec::new();
        let flow = engine.event(&event(tid, probe, args(function)), None, &mut out);
        assert_eq!(flow.expect("memory"), Flow::Continue);
        String::from_utf8(out).expect("ASCII")
    };
    let frame = |function: &str| format!("              {function} (a.py:5)\n");
    assert_eq!(printed(1, &silent, "main"), "");
    let both = ["\n", &frame("f"), &frame("main")].concat();
    assert_eq!(printed(1, &entry, "f"), both);
    assert_eq!(printed(2, &entry, "g"), ["\n", &frame("g")].concat());
    assert_eq!(printed(1, &leave, "never entered"), both);
    assert_eq!(printed(1, &leave, "f"), both);
    let main = ["\n", &frame("main")].concat();
    assert_eq!(printed(1, &leave, "main"), main);
    assert_eq!(printed(1, &leave, "main"), "\n");
}

#[test]
fn stacks_are_cut_and_may_be_keys() {
    let key = || Expr::Str(StrExpr::Context(StrContext::PythonStack(1)));
    let mut it = program(vec![
        on_event(vec![put(vec![key()], Some(BinaryOp::Add), int(1))]),
        end(vec![Stmt::ForEach(Box::new(ForEach {
            table: Table::Array(ArrayId(0)),
            keys: vec![Some(Place::Str(str_slot(Scope::Global, 0)))],
            value: None,
            slice: vec![],
            order: None,
            limit: None,
            body: vec![
                show_str(vec![load_str(Scope::Global, 0)]),
                show(vec![get(vec![Expr::Str(load_str(Scope::Global, 0))])]),
            ],
        }))]),
    ]);
    it.arrays = vec![array(&[Type::Str], Type::Int)];
    it.globals = vec![str_var("k", "")];
    it.options.python_stack = true;
    // A stack is kept whole.
    it.options.max_string = 10;
    let mut running = Running::new(it);
    let entry = probe("function__entry", vec![0]);
    for _ in 0..3 {
        let args = vec![string("a.py"), string("f"), number(1)];
        running.event(&event(1, &entry, args));
    }
    assert_eq!(running.end(), "\n              f (a.py:1)\n 3 ");
}
