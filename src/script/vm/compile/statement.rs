//! Statements.

use super::super::code::{BlockCode, Step, ValueCode};
use super::super::machine::{Datum, Run, Stop};
use super::Compiler;
use super::keys::Selection;
use super::variable::write_str;
use crate::script::ir::{Block, Expr, Fault, Region, Stmt, StrExpr, StrVar, Table};
use crate::script::source::Span;

impl Compiler<'_> {
    pub(super) fn statement(&mut self, stmt: &Stmt) -> Step {
        match stmt {
            Stmt::Evaluate(expr) => self.evaluate(expr),
            Stmt::If {
                condition,
                then,
                otherwise,
            } => {
                let condition = self.int(condition);
                let (then, otherwise) = (self.block(then), self.block(otherwise));
                Box::new(move |run| match condition(run)? {
                    0 => otherwise.run(run),
                    _ => then.run(run),
                })
            }
            Stmt::Loop {
                condition,
                body,
                step,
            } => self.while_loop(condition, body, step),
            Stmt::ForEach(it) => self.for_each(it),
            Stmt::Break => Box::new(|_| Err(Stop::Break)),
            Stmt::Continue => Box::new(|_| Err(Stop::Continue)),
            Stmt::Next => Box::new(|_| Err(Stop::Next)),
            Stmt::Return(value) => self.return_value(value.as_ref()),
            Stmt::Try {
                body,
                message,
                handler,
            } => self.try_catch(body, *message, handler),
            Stmt::Reset(place) => self.reset(*place),
            Stmt::Delete(region) => self.delete(region),
            Stmt::Record {
                to,
                keys,
                value,
                weight,
                span,
            } => self.record(*to, keys, value, weight.as_ref(), *span),
            Stmt::Print(stream, format) => self.print(*stream, format),
            Stmt::PrintAggregations(print) => self.print_aggregations(print),
            Stmt::PrintHistogram(histogram) => self.print_histogram(histogram),
            Stmt::Trim(trim) => self.trim(trim),
            Stmt::Clear(id) => self.clear(*id),
            Stmt::Normalize(id, by, span) => self.normalize(*id, by, *span),
            Stmt::Exit(status) => {
                let status = self.int(status);
                Box::new(move |run| {
                    let status = status(run)?;
                    // As exit(3): what is asked for first counts, and its low 8 bits.
                    let low = i32::try_from(status & 0xff).unwrap_or(1);
                    run.m.exit.get_or_insert(low);
                    Ok(())
                })
            }
            Stmt::Fail(text, span) => self.fail(text, *span),
            Stmt::Act(action, arguments, span) => self.act(action, arguments, *span),
            Stmt::Speculate(id) => {
                let id = self.int(id);
                Box::new(move |run| {
                    let id = id(run)?;
                    let m = &mut *run.m;
                    // The row that was begun for this handler belongs to it.
                    let start = match m.out.len() == m.row_out {
                        true => m.handler_out,
                        false => m.out.len(),
                    };
                    m.speculations.begin(id, start);
                    Ok(())
                })
            }
            Stmt::Commit(id) => {
                let id = self.int(id);
                Box::new(move |run| {
                    let id = id(run)?;
                    let m = &mut *run.m;
                    m.speculations.commit(id, &mut m.out);
                    run.drain()
                })
            }
            Stmt::Discard(id) => {
                let id = self.int(id);
                Box::new(move |run| {
                    let id = id(run)?;
                    run.m.speculations.discard(id);
                    Ok(())
                })
            }
        }
    }

    fn return_value(&mut self, value: Option<&Expr>) -> Step {
        match value.map(|value| self.value(value)) {
            None => Box::new(|run| {
                run.m.returned = match run.m.returned {
                    Datum::Int(_) => Datum::Int(0),
                    Datum::Str(_) => Datum::default(),
                };
                Err(Stop::Return)
            }),
            Some(ValueCode::Int(code)) => Box::new(move |run| {
                run.m.returned = Datum::Int(code(run)?);
                Err(Stop::Return)
            }),
            Some(ValueCode::Str(code)) => Box::new(move |run| {
                let value = code(run)?;
                run.m.returned = Datum::Str(value);
                Err(Stop::Return)
            }),
        }
    }

    fn try_catch(&mut self, body: &Block, message: Option<StrVar>, handler: &Block) -> Step {
        let (body, handler) = (self.block(body), self.block(handler));
        Box::new(move |run| {
            let (keys, staged) = (run.m.keys.len(), run.m.staged.len());
            match body.run(run) {
                Err(Stop::Fault) => {
                    run.m.keys.truncate(keys);
                    run.m.staged.truncate(staged);
                    caught(run, message, &handler)
                }
                other => other,
            }
        })
    }

    fn fail(&mut self, text: &StrExpr, span: Span) -> Step {
        let text = self.str(text);
        Box::new(move |run| {
            let text = text(run)?;
            let text = String::from_utf8_lossy(run.bytes(text)).into_owned();
            Err(run.fail(Fault::Said(text), Some(span)))
        })
    }

    fn delete(&mut self, region: &Region) -> Step {
        match region {
            Region::All(table) => {
                let place = self.table_place(*table);
                Box::new(move |run| {
                    let end = place.end(run);
                    run.work(end)?;
                    place.clear(run);
                    Ok(())
                })
            }
            Region::Slice(Table::Array(id), keys) if keys.iter().all(Option::is_some) => {
                let keys: Vec<Expr> = keys.iter().flatten().cloned().collect();
                self.delete_element(*id, &keys)
            }
            Region::Slice(table, keys) => {
                let (place, slice) = (self.table_place(*table), self.slice(keys));
                Box::new(move |run| {
                    let selection: Selection = slice.select(run)?;
                    let end = place.end(run);
                    run.work(end)?;
                    for position in 0..end {
                        if place.has(run, position, &|key: &[u64]| selection.has(key)) {
                            place.remove(run, position);
                        }
                    }
                    Ok(())
                })
            }
        }
    }
}

/// A fault was caught: tells it and runs the handler.
fn caught(run: &mut Run<'_>, message: Option<StrVar>, handler: &BlockCode) -> Result<(), Stop> {
    let fault = run.m.fault.take();
    if let (Some(var), Some((fault, _))) = (message, fault) {
        let text = run.scratch(fault.to_string().as_bytes())?;
        write_str(run, var, text)?;
    }
    handler.run(run)
}
