use std::sync::Arc;

use super::*;
use crate::plan::{Compare, Operand, Subject, Test};
use crate::script::ir::{
    Comparison, Expr, FaultReport, Format, Function, FunctionId, Handler, IntContext, IntExpr,
    IntStyle, IntVar, Invocation, Options, Piece, Row, Scope, Spec, Stmt, StrExpr, Stream,
    TimerName, Traced, UnaryOp, Voice, Yields,
};
use crate::script::source::Span;

#[derive(Debug)]
struct Mute;

impl Voice for Mute {
    fn fault(&self, _: &FaultReport<'_>) -> String {
        String::new()
    }

    fn timer_name(&self, _: TimerName) -> &str {
        ""
    }
}

fn marker() -> Trigger {
    Trigger::Traced(Box::new(Traced {
        within: Within::default(),
        point: Point::Process(crate::plan::ProcessPoint::Exec),
        optional: false,
        text: String::new(),
    }))
}

fn handler(predicate: Option<IntExpr>, body: Vec<Stmt>) -> Handler {
    Handler {
        triggers: vec![marker()],
        predicate,
        locals: Vec::new(),
        body,
        row: Row::None,
        span: Span::default(),
    }
}

fn wanted(handlers: Vec<Handler>, functions: Vec<Function>) -> Wanted {
    Wanted::by(&Program {
        globals: Vec::new(),
        thread_locals: Vec::new(),
        firing_locals: Vec::new(),
        arrays: Vec::new(),
        aggregations: Vec::new(),
        functions,
        handlers,
        options: Options::default(),
        voice: Arc::new(Mute),
    })
}

fn text(index: u8, limit: usize) -> StrExpr {
    StrExpr::Argument {
        index,
        limit,
        otherwise: None,
        span: Span::default(),
    }
}

fn equals(index: u8, limit: usize, constant: &[u8]) -> IntExpr {
    let constant = StrExpr::Constant(constant.to_vec());
    let subject = text(index, limit);
    IntExpr::CompareStr(Comparison::Equal, subject.into(), constant.into())
}

fn less(one: IntExpr, other: i64) -> IntExpr {
    IntExpr::Compare(
        Comparison::Less,
        one.into(),
        IntExpr::Constant(other).into(),
    )
}

fn not(inner: IntExpr) -> IntExpr {
    IntExpr::Unary(UnaryOp::Not, inner.into())
}

fn print(value: IntExpr) -> Stmt {
    let piece = Piece::Int {
        spec: Spec::default(),
        style: IntStyle::Signed,
        value,
    };
    Stmt::Print(
        Stream::Out,
        Format {
            pieces: vec![piece],
        },
    )
}

fn test_of(predicate: IntExpr) -> Option<Test> {
    let mut wanted = wanted(vec![handler(Some(predicate), Vec::new())], Vec::new());
    wanted.plan.requests.pop().and_then(|it| it.test)
}

#[test]
fn only_what_is_looked_at_is_captured() {
    let body = vec![
        print(IntExpr::Argument(2)),
        print(IntExpr::Context(IntContext::Uid)),
    ];
    let found = wanted(vec![handler(Some(equals(1, 255, b"f")), body)], Vec::new());
    let capture = &found.plan.requests.first().expect("one").capture;
    assert_eq!(capture.numbers, 0b100);
    assert_eq!(
        capture.texts,
        Texts {
            arguments: 0b10,
            limit: 255
        }
    );
    assert!(capture.ids && !capture.cpu && !capture.cpu_time && !capture.hold);
    assert_eq!(found.routes, [0]);
}

#[test]
fn what_functions_look_at_counts_for_who_calls_them() {
    let call = |function| {
        Stmt::Evaluate(Expr::Int(IntExpr::Invoke(Box::new(Invocation {
            function: FunctionId(function),
            arguments: Vec::new(),
            span: Span::default(),
        }))))
    };
    let function = |body| Function {
        name: String::new(),
        result: None,
        locals: Vec::new(),
        parameters: 0,
        body,
    };
    // 0 and 1 call each other; 1 looks at argument 5. Nobody calls 2.
    let functions = vec![
        function(vec![call(1)]),
        function(vec![call(0), print(IntExpr::Argument(5))]),
        function(vec![print(IntExpr::Context(IntContext::CpuTime))]),
    ];
    let found = wanted(vec![handler(None, vec![call(0)])], functions);
    let capture = &found.plan.requests.first().expect("one").capture;
    assert_eq!(capture.numbers, 1 << 5);
    assert!(!capture.cpu_time);
}

#[test]
fn conditions_on_captured_values_become_tests() {
    let name = |compare| Test::Text(Subject::Argument(1), compare, b"f".to_vec());
    let line = |compare| Test::Numbers(Operand::Argument(2), compare, Operand::Constant(10));
    let f = || equals(1, 255, b"f");
    let below = || less(IntExpr::Argument(2), 10);
    let and = |one: IntExpr, other: IntExpr| IntExpr::And(one.into(), other.into());
    let or = |one: IntExpr, other: IntExpr| IntExpr::Or(one.into(), other.into());
    let unknown = || {
        IntExpr::Load(IntVar {
            scope: Scope::Thread,
            index: 0,
        })
    };
    let (equal, unequal) = (Compare::Equal, Compare::NotEqual);
    let table = [
        (f(), Some(name(equal))),
        (not(f()), Some(name(unequal))),
        (
            and(f(), below()),
            Some(Test::All(vec![name(equal), line(Compare::Less)])),
        ),
        (
            not(and(f(), below())),
            Some(Test::Any(vec![
                name(unequal),
                line(Compare::GreaterOrEqual),
            ])),
        ),
        (and(unknown(), f()), Some(name(equal))),
        (or(unknown(), f()), None),
        (unknown(), None),
        (
            IntExpr::Argument(0),
            Some(Test::Numbers(
                Operand::Argument(0),
                unequal,
                Operand::Constant(0),
            )),
        ),
        // as long as what the script sees of the string: not to be told from a longer one
        (equals(1, 1, b"f"), None),
    ];
    for (predicate, expected) in table {
        assert_eq!(test_of(predicate.clone()), expected, "{predicate:?}");
    }
}

/// What has an effect must happen, or fail, in the script.
#[test]
fn a_condition_with_effects_is_left_to_the_script() {
    let count = IntExpr::Assign {
        to: IntVar {
            scope: Scope::Global,
            index: 0,
        },
        op: None,
        value: IntExpr::Constant(1).into(),
        yields: Yields::New,
        span: Span::default(),
    };
    let divided = |by| {
        IntExpr::Binary(
            crate::script::ir::BinaryOp::Divide,
            IntExpr::Argument(0).into(),
            Box::new(by),
            Span::default(),
        )
    };
    let and = |one: IntExpr| IntExpr::And(one.into(), equals(1, 255, b"f").into());
    assert_eq!(test_of(and(count)), None);
    assert_eq!(test_of(and(divided(IntExpr::Argument(1)))), None);
    assert!(test_of(and(divided(IntExpr::Constant(2)))).is_some());
}

#[test]
fn tests_at_the_beginning_of_the_body_count() {
    let pid = || {
        let target = IntExpr::Context(IntContext::Target);
        let pid = IntExpr::Context(IntContext::Pid);
        IntExpr::Compare(Comparison::NotEqual, pid.into(), target.into())
    };
    let same = Test::Numbers(Operand::Pid, Compare::Equal, Operand::Target);
    let branch = |condition, then| Stmt::If {
        condition,
        then,
        otherwise: Vec::new(),
    };
    let first = |body| {
        let mut found = wanted(vec![handler(None, body)], Vec::new());
        found.plan.requests.pop().and_then(|it| it.test)
    };
    let act = || print(IntExpr::Constant(1));
    let next = branch(pid(), vec![Stmt::Next]);
    assert_eq!(first(vec![next.clone(), act()]), Some(same.clone()));
    assert_eq!(first(vec![branch(not(pid()), vec![act()])]), Some(same));
    assert_eq!(first(vec![branch(not(pid()), vec![act()]), act()]), None);
    assert_eq!(first(vec![act(), next]), None);
}

#[test]
fn a_python_stack_adds_the_function_markers_behind_the_routes() {
    let mut program = Program {
        globals: Vec::new(),
        thread_locals: Vec::new(),
        firing_locals: Vec::new(),
        arrays: Vec::new(),
        aggregations: Vec::new(),
        functions: Vec::new(),
        handlers: vec![handler(None, Vec::new())],
        options: Options::default(),
        voice: Arc::new(Mute),
    };
    program.options.python_stack = true;
    let found = Wanted::by(&program);
    assert_eq!((found.plan.requests.len(), found.routes.len()), (3, 1));
    assert!(found.plan.wants("python", "function__entry"));
    assert!(found.plan.wants("python", "function__return"));
}
