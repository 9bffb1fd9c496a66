//! Aggregations: what is recorded, and what is printed at the end.

use super::Lower;
use super::names::ir_type;
use super::printa::newline;
use super::typed::Typed;
use crate::script::dtrace::ast::{Expr, ExprKind};
use crate::script::dtrace::builtins::{self, Kind, Meaning, Row, Status, Summary};
use crate::script::dtrace::types::Type;
use crate::script::dtrace::voice::ClauseWords;
use crate::script::ir::{
    self, AggregationId, Buckets, Handler, IntExpr, Keep, PrintAggregations, Statistic, Stmt,
    Trigger,
};
use crate::script::source::Span;

/// The most buckets of `lquantize`, as in DTrace.
const MAX_BUCKETS: i128 = 65_535;

/// An aggregation as it was first assigned.
pub(super) struct Summarised {
    name: String,
    function: &'static str,
    summary: Summary,
    buckets: Option<Buckets>,
    pub(super) keys: Vec<Type>,
    span: Span,
}

impl Summarised {
    /// Its value is a histogram.
    pub(super) fn has_histogram(&self) -> bool {
        self.buckets.is_some()
    }
}

impl Lower<'_> {
    /// `@name[keys] = function(arguments)`
    pub(super) fn record(
        &mut self,
        name: &str,
        keys: &[Expr],
        value: &Expr,
        span: Span,
    ) -> Option<Stmt> {
        let (row, summary, arguments) = self.summary(name, value)?;
        let (value, weight, buckets) = self.recorded(&row, summary, arguments, value.span)?;
        let keys: Vec<Option<Typed>> = keys.iter().map(|it| self.expr(it)).collect();
        let keys = keys.into_iter().collect::<Option<Vec<Typed>>>()?;
        let types = keys.iter().map(|it| it.ty.clone()).collect();
        let guessed = keys.iter().any(|it| it.guessed);
        let new = Summarised {
            name: name.to_owned(),
            function: row.name,
            summary,
            buckets,
            keys: types,
            span,
        };
        let to = self.summarised(new, guessed)?;
        Some(Stmt::Record {
            to,
            keys: keys.into_iter().map(Typed::recorded).collect(),
            value,
            weight,
            span,
        })
    }

    /// The aggregating function of an assignment.
    fn summary<'e>(&mut self, name: &str, value: &'e Expr) -> Option<(Row, Summary, &'e [Expr])> {
        if let ExprKind::Call(function, arguments) = &value.kind {
            let row = builtins::find(&[Kind::Aggregating], function);
            if let Some((row, Meaning::Summary(summary))) = row.map(|it| (it, it.meaning)) {
                return Some((row, summary, arguments));
            }
            if let Some(similar) =
                builtins::similar(&[Kind::Aggregating], function, std::iter::empty())
            {
                let message = format!("@{name}: {function} is no aggregating function");
                self.hint(value.span, message, format!("did you mean `{similar}`?"));
                return None;
            }
        }
        let names: Vec<&str> = builtins::rows()
            .filter(|it| it.kind == Kind::Aggregating && it.status == Status::Supported)
            .map(|it| it.name)
            .collect();
        self.hint(
            value.span,
            format!("@{name}: an aggregation must be assigned an aggregating function"),
            names.join(", "),
        );
        None
    }

    /// What the arguments of an aggregating function say: the value, its weight, the buckets.
    fn recorded(
        &mut self,
        row: &Row,
        summary: Summary,
        arguments: &[Expr],
        span: Span,
    ) -> Option<(IntExpr, Option<IntExpr>, Option<Buckets>)> {
        let Some((first, rest)) = arguments.split_first() else {
            let wanted = match summary {
                Summary::Count => return Some((IntExpr::Constant(1), None, None)),
                Summary::Log => "1 or 2",
                Summary::Linear => "3 to 5",
                Summary::LogLinear => "5 or 6",
                _ => "1",
            };
            return self.mismatch(row, 0, wanted, span);
        };
        let (bounds, wanted) = match summary {
            Summary::Count => return self.mismatch(row, arguments.len(), "0", span),
            Summary::Log => (0, "1 or 2"),
            Summary::Linear => (3.min(rest.len()).max(2), "3 to 5"),
            Summary::LogLinear => (4, "5 or 6"),
            _ if rest.is_empty() => (0, "1"),
            _ => return self.mismatch(row, arguments.len(), "1", span),
        };
        let (Some(bounds), Some(weight)) = (rest.get(..bounds), rest.get(bounds..)) else {
            return self.mismatch(row, arguments.len(), wanted, span);
        };
        let value = self.int(first)?.0;
        let weight = match weight {
            [] => None,
            [weight] => Some(self.int(weight)?.0),
            _ => return self.mismatch(row, arguments.len(), wanted, span),
        };
        let mut numbers = Vec::new();
        for bound in bounds {
            numbers.push(self.constant(bound, &format!("a bound of {}( )", row.name))?);
        }
        let buckets = match summary {
            Summary::Log => Some(Buckets::Log),
            Summary::Linear => Some(self.linear(&numbers, span)?),
            Summary::LogLinear => Some(self.log_linear(&numbers, span)?),
            _ => None,
        };
        Some((value, weight, buckets))
    }

    fn linear(&mut self, bounds: &[i64], span: Span) -> Option<Buckets> {
        let (low, high, step) = match *bounds {
            [low, high] => (low, high, 1),
            [low, high, step] => (low, high, step),
            _ => return None,
        };
        if low >= high {
            self.error(
                span,
                "lquantize( ): the lower bound must be below the upper one",
            );
            return None;
        }
        let width = i128::from(high) - i128::from(low);
        if step <= 0 || i128::from(step) > width {
            self.error(
                span,
                "lquantize( ): the step must be above 0 and fit between the bounds",
            );
            return None;
        }
        if width / i128::from(step) > MAX_BUCKETS {
            self.error(span, format!("lquantize( ): more than {MAX_BUCKETS} steps"));
            return None;
        }
        Some(Buckets::Linear { low, high, step })
    }

    fn log_linear(&mut self, bounds: &[i64], span: Span) -> Option<Buckets> {
        let narrow = |it: &i64| u16::try_from(*it).ok();
        let numbers: Option<Vec<u16>> = bounds.iter().map(narrow).collect();
        let Some(&[factor, low, high, steps]) = numbers.as_deref() else {
            self.error(
                span,
                "llquantize( ): factor, magnitudes and steps are integers from 0 to 65535",
            );
            return None;
        };
        let message = if factor < 2 {
            "llquantize( ): the factor must be at least 2"
        } else if low >= high {
            "llquantize( ): the lowest magnitude must be below the highest"
        } else if !divides(factor, steps) && !divides(steps, factor) {
            "llquantize( ): the steps must be a multiple of the factor or divide it"
        } else if i64::from(factor).checked_pow(u32::from(high) + 1).is_none() {
            "llquantize( ): the highest magnitude does not fit 64 bits"
        } else {
            return Some(Buckets::LogLinear {
                factor,
                low,
                high,
                steps,
            });
        };
        self.error(span, message);
        None
    }

    /// The aggregation of that name, which is what it was before.
    fn summarised(&mut self, new: Summarised, guessed: bool) -> Option<AggregationId> {
        let Some(&index) = self.aggregation_names.get(&new.name) else {
            let id = AggregationId(self.aggregations.len());
            self.program.aggregations.push(ir::Aggregation {
                name: new.name.clone(),
                keys: new.keys.iter().map(ir_type).collect(),
                key_sizes: new.keys.iter().map(key_size).collect(),
                keep: keep(new.summary, new.buckets),
                limit: None,
                wraps: false,
                span: new.span,
            });
            self.aggregation_names.insert(new.name.clone(), id.0);
            self.aggregations.push(new);
            return Some(id);
        };
        let old = self.aggregations.get(index)?;
        let name = &new.name;
        let message = if old.function != new.function {
            format!(
                "aggregation redefined: @{name} = {}( ), before @{name} = {}( )",
                new.function, old.function
            )
        } else if old.buckets != new.buckets {
            format!("aggregation redefined: @{name} has other bounds before")
        } else if old.keys.len() != new.keys.len() {
            format!(
                "@{name}[ ] prototype mismatch: {} keys passed, {} expected",
                new.keys.len(),
                old.keys.len()
            )
        } else if !guessed
            && old
                .keys
                .iter()
                .zip(&new.keys)
                .any(|(old, new)| ir_type(old) != ir_type(new))
        {
            format!("@{name}[ ] has keys of other types before")
        } else {
            return Some(AggregationId(index));
        };
        let place = old.span;
        let diagnostic = crate::script::diagnostic::Diagnostic::error(new.span, message);
        self.diagnostics.push(diagnostic.related(place, "here"));
        None
    }

    /// An argument that is an aggregation.
    pub(super) fn aggregation_argument(&mut self, row: &Row, expr: &Expr) -> Option<AggregationId> {
        let ExprKind::Aggregation(name, keys) = &expr.kind else {
            let message = format!("{}( ) takes an aggregation here: `@name`", row.name);
            self.error(expr.span, message);
            return None;
        };
        if keys.is_some() {
            let message = format!("{}( ): an aggregation is named without its keys", row.name);
            self.error(expr.span, message);
            return None;
        }
        let found = self.aggregation_names.get(name).copied();
        if found.is_none() {
            self.hint(
                expr.span,
                format!("undefined aggregation: @{name}"),
                format!("a clause above must assign it: `@{name} = count();`"),
            );
        }
        found.map(AggregationId)
    }

    pub(super) fn summarised_by(&self, id: AggregationId) -> Option<&Summarised> {
        self.aggregations.get(id.0)
    }

    /// What DTrace prints at the end: a newline, then all aggregations that were not printed.
    pub(super) fn ending(&mut self) {
        let mut body = vec![newline()];
        for index in 0..self.aggregations.len() {
            let id = AggregationId(index);
            body.push(Stmt::PrintAggregations(Box::new(PrintAggregations {
                aggregations: vec![id],
                format: Some(self.plain_row(&[id])),
                unless_printed: true,
            })));
        }
        self.words.clauses.push(ClauseWords {
            probe: "dtrace:::END".to_owned(),
            ..ClauseWords::default()
        });
        self.program.handlers.push(Handler {
            triggers: vec![Trigger::End(i64::MAX)],
            predicate: None,
            locals: Vec::new(),
            body,
            row: ir::Row::None,
            span: Span::default(),
        });
    }
}

/// The bytes of a key's type.
fn key_size(ty: &Type) -> u8 {
    if ty.is_str() { 8 } else { ty.as_int().bits / 8 }
}

fn divides(factor: u16, steps: u16) -> bool {
    steps.checked_rem(factor) == Some(0)
}

fn keep(summary: Summary, buckets: Option<Buckets>) -> Keep {
    let value = match summary {
        Summary::Count => Statistic::Count,
        Summary::Min => Statistic::Min,
        Summary::Max => Statistic::Max,
        Summary::Average => Statistic::Average,
        Summary::Deviation => Statistic::Deviation,
        Summary::Sum | Summary::Log | Summary::Linear | Summary::LogLinear => Statistic::Sum,
    };
    let only = |wanted| buckets.filter(|_| summary == wanted);
    Keep {
        value,
        squares: summary == Summary::Deviation,
        log: only(Summary::Log),
        linear: only(Summary::Linear),
        log_linear: only(Summary::LogLinear),
    }
}
