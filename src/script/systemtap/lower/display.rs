//! Globals that are written but never read are printed at the end, as SystemTap does.

use super::format::plain;
use super::{Home, Lowering};
use crate::script::ir::{
    AggregationId, ArrayId, Block, Comparison, Expr, ForEach, Format, Handler, IntExpr, IntStyle,
    Order, OrderBy, Piece, Place, Row, Spec, Statistic, Stmt, StrExpr, StrStyle, Stream, Table,
    Trigger, Type,
};
use crate::script::source::Span;

impl Lowering<'_, '_, '_> {
    /// A handler for each such global of the script itself.
    pub fn display(&mut self) {
        let globals = self.inference.declarations.globals.iter().enumerate();
        let globals: Vec<(usize, String, Span)> = globals
            .filter(|(index, (_, tapset))| {
                let info = self.inference.globals.get(*index);
                !tapset && info.is_some_and(|it| it.written && !it.read)
            })
            .map(|(index, (global, _))| (index, global.name.text.clone(), global.name.span))
            .collect();
        for (index, name, span) in globals {
            self.locals = Vec::new();
            let body = match self.homes.get(index).copied() {
                Some(Home::Scalar(place)) => vec![scalar(&name, place)],
                Some(Home::Array(id)) => self.array(&name, id),
                Some(Home::Statistics(id)) => self.statistics(&name, id, span),
                Some(Home::None) | None => continue,
            };
            self.tables.handlers.push(Handler {
                triggers: vec![Trigger::End(0)],
                predicate: None,
                locals: std::mem::take(&mut self.locals),
                body,
                row: Row::None,
                span,
            });
        }
    }

    /// A place for each key.
    fn key_places(&mut self, types: &[Type]) -> Vec<Place> {
        types.iter().map(|ty| self.hidden(*ty)).collect()
    }

    fn array(&mut self, name: &str, id: ArrayId) -> Block {
        let Some(array) = self.tables.arrays.get(id.0) else {
            return Block::new();
        };
        let (types, value) = (array.keys.clone(), array.value);
        let keys = self.key_places(&types);
        let value = self.hidden(value);
        let mut pieces = head(name, &keys);
        pieces.push(literal("="));
        pieces.extend(shown(value));
        pieces.push(literal("\n"));
        let order = Order {
            by: OrderBy::Value,
            descending: true,
        };
        vec![each(
            Table::Array(id),
            keys,
            Some(value),
            order,
            vec![print(pieces)],
        )]
    }

    fn statistics(&mut self, name: &str, id: AggregationId, span: Span) -> Block {
        let Some(types) = self.tables.aggregations.get(id.0).map(|it| it.keys.clone()) else {
            return Block::new();
        };
        let keys = self.key_places(&types);
        let own: Vec<Expr> = keys.iter().map(|it| super::expr::load(Some(*it))).collect();
        let statistic = |what| IntExpr::Statistic {
            of: id,
            keys: own.clone(),
            what,
            span,
        };
        let mut pieces = head(name, &keys);
        let all = [
            (" @count=", Statistic::Count),
            (" @min=", Statistic::Min),
            (" @max=", Statistic::Max),
            (" @sum=", Statistic::Sum),
            (" @avg=", Statistic::Average),
        ];
        for (text, what) in all {
            pieces.push(literal(text));
            pieces.push(plain(Expr::Int(statistic(what))));
        }
        pieces.push(literal("\n"));
        if !keys.is_empty() {
            let order = Order {
                by: OrderBy::Statistic(Statistic::Count),
                descending: true,
            };
            return vec![each(
                Table::Aggregation(id),
                keys,
                None,
                order,
                vec![print(pieces)],
            )];
        }
        let count = Box::new(statistic(Statistic::Count));
        vec![Stmt::If {
            condition: IntExpr::Compare(Comparison::Equal, count, Box::new(IntExpr::Constant(0))),
            then: vec![print(vec![literal(&format!("{name} @count=0x0\n"))])],
            otherwise: vec![print(pieces)],
        }]
    }
}

fn scalar(name: &str, place: Place) -> Stmt {
    let mut pieces = vec![literal(&format!("{name}="))];
    pieces.extend(shown(place));
    pieces.push(literal("\n"));
    print(pieces)
}

fn each(table: Table, keys: Vec<Place>, value: Option<Place>, order: Order, body: Block) -> Stmt {
    Stmt::ForEach(Box::new(ForEach {
        table,
        keys: keys.into_iter().map(Some).collect(),
        value,
        slice: Vec::new(),
        order: Some(order),
        limit: None,
        body,
    }))
}

/// `NAME[KEY,KEY]`
fn head(name: &str, keys: &[Place]) -> Vec<Piece> {
    let mut pieces = vec![literal(name)];
    for (at, key) in keys.iter().enumerate() {
        pieces.push(literal(if at == 0 { "[" } else { "," }));
        pieces.extend(shown(*key));
    }
    if !keys.is_empty() {
        pieces.push(literal("]"));
    }
    pieces
}

/// A number, or a string in quotes.
fn shown(place: Place) -> Vec<Piece> {
    let spec = Spec::default();
    match place {
        Place::Int(variable) => vec![Piece::Int {
            spec,
            style: IntStyle::Signed,
            value: IntExpr::Load(variable),
        }],
        Place::Str(variable) => vec![
            literal("\""),
            Piece::Str {
                spec,
                style: StrStyle::Escaped,
                value: StrExpr::Load(variable),
            },
            literal("\""),
        ],
    }
}

fn literal(text: &str) -> Piece {
    Piece::Literal(text.as_bytes().to_vec())
}

fn print(pieces: Vec<Piece>) -> Stmt {
    Stmt::Print(Stream::Out, Format { pieces })
}
