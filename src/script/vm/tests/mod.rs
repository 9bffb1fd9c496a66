//! Small programs, built by hand, and what they must print. The expected texts follow from the languages' manuals.

mod builtins;
mod control;
mod expressions;
mod faults;
mod functions;
mod lifetime;
mod output;
mod stack;
mod tables;
mod texts;
mod timing;
mod tree;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use ptpytrace_arch::ArgValue;

use super::Engine;
use crate::event::{Arg, Event, EventKind, ProbeInfo, Seen, Text};
use crate::report::{Consumer, Flow};
use crate::script::ir::*;
use crate::script::source::Span;

/// Says faults as they are.
#[derive(Debug)]
struct Plain;

impl Voice for Plain {
    fn fault(&self, fault: &FaultReport<'_>) -> String {
        format!("ERROR in {}: {}", fault.handler, fault.fault)
    }

    fn timer_name(&self, name: TimerName) -> &str {
        match name {
            TimerName(0) => "tick-1s",
            _ => "tick-other",
        }
    }
}

/// A program of these handlers and nothing else.
pub fn program(handlers: Vec<Handler>) -> Program {
    Program {
        globals: Vec::new(),
        thread_locals: Vec::new(),
        firing_locals: Vec::new(),
        arrays: Vec::new(),
        aggregations: Vec::new(),
        functions: Vec::new(),
        handlers,
        options: Options::default(),
        voice: Arc::new(Plain),
    }
}

/// A handler.
pub fn handler(trigger: Trigger, body: Block) -> Handler {
    Handler {
        triggers: vec![trigger],
        predicate: None,
        locals: Vec::new(),
        body,
        row: Row::None,
        span: Span::default(),
    }
}

/// A handler that runs at the beginning.
pub fn begin(body: Block) -> Handler {
    handler(Trigger::Begin(0), body)
}

/// A handler that runs at the end.
pub fn end(body: Block) -> Handler {
    handler(Trigger::End(0), body)
}

/// A handler of events: they are routed by its index.
pub fn on_event(body: Block) -> Handler {
    handler(Trigger::Never, body)
}

pub fn int(value: i64) -> IntExpr {
    IntExpr::Constant(value)
}

pub fn text(value: &str) -> StrExpr {
    StrExpr::Constant(value.as_bytes().to_vec())
}

pub fn int_var(name: &str, value: i64) -> Variable {
    Variable {
        name: name.to_owned(),
        initial: Initial::Int(value),
    }
}

pub fn str_var(name: &str, value: &str) -> Variable {
    Variable {
        name: name.to_owned(),
        initial: Initial::Str(value.as_bytes().to_vec()),
    }
}

pub fn slot(scope: Scope, index: usize) -> IntVar {
    IntVar { scope, index }
}

pub fn str_slot(scope: Scope, index: usize) -> StrVar {
    StrVar { scope, index }
}

pub fn load(scope: Scope, index: usize) -> IntExpr {
    IntExpr::Load(slot(scope, index))
}

pub fn load_str(scope: Scope, index: usize) -> StrExpr {
    StrExpr::Load(str_slot(scope, index))
}

pub fn binary(op: BinaryOp, a: IntExpr, b: IntExpr) -> IntExpr {
    IntExpr::Binary(op, Box::new(a), Box::new(b), Span::default())
}

pub fn less(a: IntExpr, b: IntExpr) -> IntExpr {
    IntExpr::Compare(Comparison::Less, Box::new(a), Box::new(b))
}

fn assignment(to: IntVar, op: Option<BinaryOp>, value: IntExpr, yields: Yields) -> IntExpr {
    IntExpr::Assign {
        to,
        op,
        value: Box::new(value),
        yields,
        span: Span::default(),
    }
}

pub fn add(to: IntVar, value: IntExpr) -> Stmt {
    let op = Some(BinaryOp::Add);
    Stmt::Evaluate(Expr::Int(assignment(to, op, value, Yields::New)))
}

pub fn set_str(to: StrVar, value: StrExpr) -> Stmt {
    let value = Box::new(value);
    Stmt::Evaluate(Expr::Str(StrExpr::Assign { to, value }))
}

pub fn int_key(value: i64) -> Expr {
    Expr::Int(int(value))
}

pub fn str_key(value: &str) -> Expr {
    Expr::Str(text(value))
}

/// An array.
pub fn array(keys: &[Type], value: Type) -> Array {
    Array {
        name: "a".to_owned(),
        per_thread: false,
        keys: keys.to_vec(),
        value,
        limit: None,
        wraps: false,
        zero_removes: false,
        span: Span::default(),
    }
}

/// An aggregation that counts.
pub fn counting(keys: &[Type]) -> Aggregation {
    Aggregation {
        name: "c".to_owned(),
        keys: keys.to_vec(),
        key_sizes: Vec::new(),
        keep: Keep::default(),
        limit: None,
        wraps: false,
        span: Span::default(),
    }
}

pub fn put(keys: Vec<Expr>, op: Option<BinaryOp>, value: IntExpr) -> Stmt {
    Stmt::Evaluate(Expr::Int(IntExpr::AssignElement {
        array: ArrayId(0),
        keys,
        op,
        value: Box::new(value),
        yields: Yields::New,
        span: Span::default(),
    }))
}

pub fn get(keys: Vec<Expr>) -> IntExpr {
    IntExpr::Element(ArrayId(0), keys)
}

/// A piece of a format, `%d` or `%s`.
pub enum Shown {
    I(IntExpr),
    S(StrExpr),
    L(&'static str),
}

/// Prints these one behind the other.
pub fn print(shown: Vec<Shown>) -> Stmt {
    Stmt::Print(Stream::Out, format(shown))
}

pub fn format(shown: Vec<Shown>) -> Format {
    let piece = |shown| match shown {
        Shown::L(literal) => Piece::Literal(str::as_bytes(literal).to_vec()),
        Shown::I(value) => Piece::Int {
            spec: Spec::default(),
            style: IntStyle::Signed,
            value,
        },
        Shown::S(value) => Piece::Str {
            spec: Spec::default(),
            style: StrStyle::Plain,
            value,
        },
    };
    Format {
        pieces: shown.into_iter().map(piece).collect(),
    }
}

/// `%d ` of each.
pub fn show(values: Vec<IntExpr>) -> Stmt {
    let each = |value| [Shown::I(value), Shown::L(" ")];
    print(values.into_iter().flat_map(each).collect())
}

/// `%s ` of each.
pub fn show_str(values: Vec<StrExpr>) -> Stmt {
    let each = |value| [Shown::S(value), Shown::L(" ")];
    print(values.into_iter().flat_map(each).collect())
}

/// A marker of one request.
pub fn probe(name: &str, requests: Vec<usize>) -> Arc<ProbeInfo> {
    Arc::new(ProbeInfo {
        provider: "python".to_owned(),
        name: name.to_owned(),
        args: Vec::new(),
        module: "libpython3.so".to_owned(),
        function: "eval".to_owned(),
        requests,
        id: 77,
    })
}

/// An argument that is a number.
pub fn number(value: i64) -> Arg {
    Arg {
        raw: ArgValue::Signed(value),
        seen: Seen::Number,
    }
}

/// An argument that is a string.
pub fn string(value: &str) -> Arg {
    Arg {
        raw: ArgValue::Unsigned(0x1000),
        seen: Seen::Text(Text {
            bytes: value.as_bytes().to_vec(),
            truncated: false,
        }),
    }
}

/// An event of process 7.
pub fn event(tid: i32, probe: &Arc<ProbeInfo>, args: Vec<Arg>) -> Event {
    Event {
        time: 1_000_000,
        pid: 7,
        tid,
        comm: Arc::from("python3"),
        kind: EventKind::Fired {
            probe: Arc::clone(probe),
            args,
        },
        context: None,
    }
}

/// What is written to it can be read by others.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A program that runs, and what it printed.
pub struct Running {
    pub engine: Engine,
    pub out: Vec<u8>,
    errors: Shared,
    pub flow: Flow,
}

impl Running {
    /// Begins. Request N is for handler N.
    pub fn new(program: Program) -> Running {
        let routes = (0..program.handlers.len()).collect();
        let errors = Shared::default();
        let mut running = Running {
            engine: Engine::new(program, routes, Box::new(errors.clone())),
            out: Vec::new(),
            errors,
            flow: Flow::Continue,
        };
        running.flow = running
            .engine
            .begin(Some(7), &mut running.out)
            .expect("memory");
        running
    }

    pub fn event(&mut self, event: &Event) {
        let flow = self.engine.event(event, None, &mut self.out);
        self.flow = flow.expect("memory");
    }

    pub fn tick(&mut self, now: u64) {
        self.flow = self.engine.tick(now, &mut self.out).expect("memory");
    }

    pub fn end(&mut self) -> String {
        self.engine.end(&mut self.out).expect("memory");
        self.printed()
    }

    pub fn printed(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.out)).into_owned()
    }

    pub fn complaints(&self) -> String {
        let bytes = self.errors.0.lock().expect("no panics");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What a program prints that only begins and ends.
pub fn output(program: Program) -> String {
    let mut running = Running::new(program);
    let text = running.end();
    assert_eq!(running.complaints(), "");
    text
}

/// What a program prints, and what it complains about.
pub fn outcome(program: Program) -> (String, String) {
    let mut running = Running::new(program);
    let text = running.end();
    (text, running.complaints())
}
