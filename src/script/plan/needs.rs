//! What a handler looks at.

use crate::plan::Capture;
use crate::script::builtin::Needs;
use crate::script::ir::visit::{self, Node};
use crate::script::ir::{
    FunctionId, Handler, IntContext, IntExpr, IntStyle, Piece, Program, Row, Stmt, StrContext,
    StrExpr,
};

/// The most return addresses that are captured.
const MOST_FRAMES: u16 = 128;

/// What one piece of code looks at, and which functions it calls.
#[derive(Clone, Debug, Default)]
struct Seen {
    capture: Capture,
    calls: Vec<FunctionId>,
}

/// What each function looks at, those that it calls included.
pub struct Functions(Vec<Capture>);

/// For all functions of a program.
pub fn of_functions(program: &Program) -> Functions {
    let own: Vec<Seen> = program
        .functions
        .iter()
        .map(|function| {
            let mut seen = Seen::default();
            visit::block(&function.body, &mut |node| seen.look(node));
            seen
        })
        .collect();
    Functions((0..own.len()).map(|index| reached(index, &own)).collect())
}

/// What a function looks at, by itself and through others.
fn reached(start: usize, own: &[Seen]) -> Capture {
    let mut capture = Capture::default();
    let mut visited = vec![false; own.len()];
    let mut open = vec![start];
    while let Some(index) = open.pop() {
        let (Some(seen), Some(visited)) = (own.get(index), visited.get_mut(index)) else {
            continue;
        };
        if !std::mem::replace(visited, true) {
            capture.join(&seen.capture);
            open.extend(seen.calls.iter().map(|it| it.0));
        }
    }
    capture
}

/// What a handler looks at, its functions included.
pub fn of_handler(handler: &Handler, functions: &Functions) -> Capture {
    let mut seen = Seen::default();
    if let Some(predicate) = &handler.predicate {
        visit::int(predicate, &mut |node| seen.look(node));
    }
    visit::block(&handler.body, &mut |node| seen.look(node));
    for called in &seen.calls {
        if let Some(capture) = functions.0.get(called.0) {
            seen.capture.join(capture);
        }
    }
    seen.capture.cpu |= handler.row != Row::None;
    seen.capture
}

impl Seen {
    fn look(&mut self, node: Node<'_>) {
        match node {
            Node::Int(expression) => self.look_int(expression),
            Node::Str(expression) => self.look_str(expression),
            Node::Stmt(Stmt::Act(action, ..)) => self.need(action.needs),
            Node::Stmt(_) => {}
            Node::Piece(Piece::Int { style, .. }) => {
                self.capture.hold |= *style == IntStyle::Symbol;
            }
            Node::Piece(_) => {}
        }
    }

    fn look_int(&mut self, expression: &IntExpr) {
        match expression {
            IntExpr::Argument(index) => self.capture.numbers |= bit(*index),
            IntExpr::Context(context) => self.look_context(*context),
            IntExpr::Call(function, ..) => self.need(function.needs),
            IntExpr::Invoke(invocation) => self.calls.push(invocation.function),
            _ => {}
        }
    }

    fn look_context(&mut self, context: IntContext) {
        match context {
            IntContext::Caller => {
                self.capture.native_frames = self.capture.native_frames.max(2);
            }
            IntContext::Cpu => self.capture.cpu = true,
            IntContext::CpuTime => self.capture.cpu_time = true,
            IntContext::Ppid
            | IntContext::Pgid
            | IntContext::Sid
            | IntContext::Uid
            | IntContext::Euid
            | IntContext::Gid
            | IntContext::Egid => self.capture.ids = true,
            IntContext::Timestamp
            | IntContext::WallTime
            | IntContext::Pid
            | IntContext::Tid
            | IntContext::Target
            | IntContext::ProbeId => {}
        }
    }

    fn look_str(&mut self, expression: &StrExpr) {
        match expression {
            StrExpr::Argument { index, limit, .. } => {
                self.capture.texts.arguments |= bit(*index);
                self.capture.texts.limit = self.capture.texts.limit.max(*limit);
            }
            StrExpr::Object(index) => self.capture.objects |= bit(*index),
            StrExpr::Context(StrContext::Parameters) => self.capture.numbers = u64::MAX,
            // The process may have moved on, or ended, when the handler runs.
            StrExpr::Context(StrContext::WorkingDirectory) => self.capture.hold = true,
            StrExpr::Context(StrContext::NativeStack(frames)) => {
                let wanted = match frames {
                    0 => MOST_FRAMES,
                    some => (*some).min(MOST_FRAMES),
                };
                self.capture.native_frames = self.capture.native_frames.max(wanted);
                self.capture.hold = true; // its addresses become symbols
            }
            StrExpr::Call(function, ..) => self.need(function.needs),
            StrExpr::Invoke(invocation) => self.calls.push(invocation.function),
            _ => {}
        }
    }

    fn need(&mut self, needs: Needs) {
        self.capture.hold |= needs.hold;
        self.capture.ids |= needs.ids;
    }
}

fn bit(index: u8) -> u64 {
    1_u64.checked_shl(u32::from(index)).unwrap_or(0)
}
