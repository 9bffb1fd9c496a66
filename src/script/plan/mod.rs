//! What a program wants of the traced processes: for each probe what to capture (`needs`), and what can be decided on
//! the spot (`guard`).

mod guard;
mod needs;

use super::ir::{Program, Trigger};
use crate::cpython::Limits;
use crate::plan::{
    Capture, MarkerPoint, MarkerSource, Plan, Point, ProviderGlob, Request, Texts, Within,
};
use crate::probe::glob::Glob;

/// A plan, and which handler each of its requests is for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What to ask of the tracer.
    pub plan: Plan,
    /// For each request the handler's index. Requests behind the last are for the Python call stack.
    pub routes: Vec<usize>,
}

impl Wanted {
    /// What a program wants.
    pub fn by(program: &Program) -> Wanted {
        let functions = needs::of_functions(program);
        let mut requests = Vec::new();
        let mut routes = Vec::new();
        for (index, handler) in program.handlers.iter().enumerate() {
            let capture = needs::of_handler(handler, &functions);
            let test = guard::of(handler);
            for trigger in &handler.triggers {
                if let Trigger::Traced(traced) = trigger {
                    requests.push(Request {
                        within: traced.within.clone(),
                        point: traced.point.clone(),
                        capture: capture.clone(),
                        test: test.clone(),
                    });
                    routes.push(index);
                }
            }
        }
        let samples = |it: &Trigger| matches!(it, Trigger::Timer(timer) if timer.samples);
        let mut triggers = program.handlers.iter().flat_map(|it| &it.triggers);
        let asks = !requests.is_empty() || triggers.any(samples);
        if program.options.python_stack && asks {
            requests.extend(python_stack(program.options.max_string));
        }
        let plan = Plan {
            requests,
            objects: Limits::default(),
            markers: MarkerSource::default(),
        };
        Wanted { plan, routes }
    }
}

/// The function markers, with file, function and line.
fn python_stack(max_string: usize) -> impl Iterator<Item = Request> {
    ["function-entry", "function-return"]
        .into_iter()
        .map(move |name| Request {
            within: Within::default(),
            point: Point::Marker(MarkerPoint {
                provider: ProviderGlob::Note(Some(Glob::literal("python"))),
                module: None,
                function: None,
                name: Glob::literal(name),
            }),
            capture: Capture {
                numbers: 0b111,
                texts: Texts {
                    arguments: 0b011,
                    limit: max_string,
                },
                ..Capture::default()
            },
            test: None,
        })
}

#[cfg(test)]
mod tests;
