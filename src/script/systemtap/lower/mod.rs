//! From checked trees to the intermediate program.

mod call;
mod display;
mod expr;
mod format;
mod stmt;

use std::collections::HashMap;

use super::analysis::{Inference, Ty, Unit};
use super::ast::{Expr as Tree, ExprKind};
use super::points::Site;
use crate::script::diagnostic::Diagnostics;
use crate::script::ir::{
    Aggregation, AggregationId, Array, ArrayId, Buckets, Function, FunctionId, Handler, Initial,
    IntExpr, IntVar, Keep, Options, Place, Row, Scope, StrVar, Trigger, Type, Variable,
};
use crate::script::source::Span;

/// Where a global is kept.
#[derive(Clone, Copy, Debug)]
enum Home {
    /// Nowhere: nobody uses it.
    None,
    Scalar(Place),
    Array(ArrayId),
    Statistics(AggregationId),
}

/// What globals and functions become.
#[derive(Debug, Default)]
pub struct Tables {
    /// Scalars.
    pub globals: Vec<Variable>,
    /// Arrays.
    pub arrays: Vec<Array>,
    /// Statistics.
    pub aggregations: Vec<Aggregation>,
    /// Functions.
    pub functions: Vec<Function>,
    /// Handlers.
    pub handlers: Vec<Handler>,
}

/// Lowers checked trees.
pub struct Lowering<'l, 'p, 'a> {
    inference: &'l mut Inference<'p, 'a>,
    options: &'l Options,
    homes: Vec<Home>,
    /// The functions of the program, by their number among the declarations.
    functions: HashMap<usize, FunctionId>,
    /// What it all becomes.
    pub tables: Tables,
    /// Warnings, and what could not be lowered.
    pub diagnostics: Diagnostics,
    /// The names of the locals of what is lowered now.
    names: HashMap<String, usize>,
    /// And their types.
    locals: Vec<Type>,
    site: Option<Site>,
    loops: usize,
    /// The documentation's `\\n` was told of.
    told: bool,
}

impl<'l, 'p, 'a> Lowering<'l, 'p, 'a> {
    /// Gives globals and functions their places.
    pub fn new(inference: &'l mut Inference<'p, 'a>, options: &'l Options) -> Lowering<'l, 'p, 'a> {
        let functions = inference.order.iter().enumerate();
        let functions = functions
            .map(|(at, index)| (*index, FunctionId(at)))
            .collect();
        let mut lowering = Lowering {
            inference,
            options,
            homes: Vec::new(),
            functions,
            tables: Tables::default(),
            diagnostics: Diagnostics::default(),
            names: HashMap::new(),
            locals: Vec::new(),
            site: None,
            loops: 0,
            told: false,
        };
        for index in 0..lowering.inference.globals.len() {
            let home = lowering.home(index);
            lowering.homes.push(home);
        }
        lowering
    }

    fn home(&mut self, index: usize) -> Home {
        let Some(info) = self.inference.globals.get(index) else {
            return Home::None;
        };
        let Some((global, _)) = self.inference.declarations.globals.get(index).copied() else {
            return Home::None;
        };
        if !info.read && !info.written {
            return Home::None;
        }
        let keys = info
            .keys
            .as_ref()
            .map(|(keys, _)| keys.clone())
            .unwrap_or_default();
        let keys: Vec<Type> = keys
            .into_iter()
            .map(|it| type_of(self.inference.slots.ty(it)))
            .collect();
        let limit = global.limit.and_then(|it| usize::try_from(it).ok());
        let name = global.name.text.clone();
        let span = global.name.span;
        let ty = self.inference.slots.ty(info.value);
        if ty == Some(Ty::Stats) {
            let keep = Keep {
                squares: info.squares,
                log: info.log.then_some(Buckets::Log),
                linear: info
                    .linear
                    .map(|(low, high, step)| Buckets::Linear { low, high, step }),
                ..Keep::default()
            };
            let id = AggregationId(self.tables.aggregations.len());
            let wraps = global.wraps;
            self.tables.aggregations.push(Aggregation {
                name,
                key_sizes: vec![8; keys.len()],
                keys,
                keep,
                limit,
                wraps,
                span,
            });
            return Home::Statistics(id);
        }
        let value = type_of(ty);
        if !keys.is_empty() {
            let id = ArrayId(self.tables.arrays.len());
            self.tables.arrays.push(Array {
                name,
                per_thread: false,
                keys,
                value,
                limit,
                wraps: global.wraps,
                zero_removes: false,
                span,
            });
            return Home::Array(id);
        }
        let initial = match (global.initial.as_ref().map(|it| &it.kind), value) {
            (Some(ExprKind::Text(text)), Type::Str) => Initial::Str(text.clone()),
            (Some(ExprKind::Number(number)), Type::Int) => Initial::Int(*number),
            (_, Type::Str) => Initial::Str(Vec::new()),
            (_, Type::Int) => Initial::Int(0),
        };
        let place = place(value, Scope::Global, self.tables.globals.len());
        self.tables.globals.push(Variable { name, initial });
        Home::Scalar(place)
    }

    /// A function that is called; to be given in the order of [`Inference::order`].
    pub fn function(&mut self, unit: &Unit) {
        let at = self.tables.functions.len();
        let index = self.inference.order.get(at).copied();
        let declared = index
            .and_then(|it| self.inference.declarations.functions.get(it))
            .map(|(it, _)| *it);
        let Some(declared) = declared else { return };
        self.enter(unit);
        let body = self.block(&unit.body);
        let result = unit
            .result
            .and_then(|it| self.inference.slots.ty(it))
            .map(|it| type_of(Some(it)));
        self.tables.functions.push(Function {
            name: declared.name.text.clone(),
            result,
            locals: std::mem::take(&mut self.locals),
            parameters: declared.parameters.len(),
            body,
        });
    }

    /// A handler.
    pub fn handler(&mut self, unit: &Unit, triggers: Vec<Trigger>, span: Span) {
        self.enter(unit);
        let predicate = self.conditions(&unit.conditions);
        let body = self.block(&unit.body);
        self.tables.handlers.push(Handler {
            triggers,
            predicate,
            locals: std::mem::take(&mut self.locals),
            body,
            row: Row::None,
            span,
        });
    }

    fn conditions(&mut self, conditions: &[Tree]) -> Option<IntExpr> {
        let mut all = None;
        for condition in conditions {
            let own = self.int(condition);
            all = Some(match all {
                None => own,
                Some(before) => IntExpr::And(Box::new(before), Box::new(own)),
            });
        }
        all
    }

    fn enter(&mut self, unit: &Unit) {
        let slots = &mut self.inference.slots;
        self.locals = unit
            .locals
            .all
            .iter()
            .map(|it| type_of(slots.ty(it.slot)))
            .collect();
        self.names = unit.locals.names.clone();
        self.site = unit.site;
        self.loops = 0;
    }

    /// A local that the script does not name.
    fn hidden(&mut self, ty: Type) -> Place {
        let index = self.locals.len();
        self.locals.push(ty);
        place(ty, Scope::Local, index)
    }

    /// Where a scalar variable is kept.
    fn scalar(&self, name: &str, span: Span) -> Option<Place> {
        let local = self.names.get(name).and_then(|index| {
            let ty = self.locals.get(*index)?;
            Some(place(*ty, Scope::Local, *index))
        });
        local.or_else(|| match self.global(name, span) {
            Home::Scalar(place) => Some(place),
            _ => None,
        })
    }

    fn global(&self, name: &str, span: Span) -> Home {
        let index = self.inference.declarations.global(name, span.source);
        index
            .and_then(|it| self.homes.get(it))
            .copied()
            .unwrap_or(Home::None)
    }
}

/// What is of no type is never looked at: any will do.
fn type_of(ty: Option<Ty>) -> Type {
    match ty {
        Some(Ty::Str) => Type::Str,
        _ => Type::Int,
    }
}

fn place(ty: Type, scope: Scope, index: usize) -> Place {
    match ty {
        Type::Int => Place::Int(IntVar { scope, index }),
        Type::Str => Place::Str(StrVar { scope, index }),
    }
}
