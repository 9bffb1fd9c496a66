//! Programs against events from files: no process is traced.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use ptpytrace::event::{Event, EventKind};
use ptpytrace::plan::Point;
use ptpytrace::report::Consumer;
use ptpytrace::script::ir::{Program, Trigger};
use ptpytrace::script::vm::Engine;

/// What `$target` and `target()` are.
const TARGET: i32 = 7;

/// Standard error, kept.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("one thread").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a program prints for these events, and what it says on standard error.
pub fn run(program: Program, events: &[Event]) -> (String, String) {
    let routes = (0..program.handlers.len()).collect();
    let events = routed(&program, events);
    let said = Said::default();
    let mut engine = Engine::new(program, routes, Box::new(said.clone()));
    let mut out = Vec::new();
    engine.begin(Some(TARGET), &mut out).expect("written");
    for event in &events {
        engine.event(event, None, &mut out).expect("written");
    }
    engine.end(&mut out).expect("written");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let said = said.0.lock().expect("one thread").clone();
    (text(out), text(said))
}

/// The events with the handlers that they are for.
fn routed(program: &Program, events: &[Event]) -> Vec<Event> {
    let mut known = BTreeMap::new();
    let route = |event: &Event| {
        let EventKind::Fired { probe, args } = &event.kind else {
            return event.clone();
        };
        let key = (event.pid, probe.id);
        let probe = known.entry(key).or_insert_with(|| {
            let mut probe = (**probe).clone();
            let wanted = |trigger: &Trigger| match trigger {
                Trigger::Traced(traced) => match &traced.point {
                    Point::Marker(marker) => {
                        marker.may_match(&probe.provider, &probe.name)
                            && marker
                                .provider
                                .matches(&probe.provider, event.pid, Some(TARGET))
                    }
                    _ => false,
                },
                _ => false,
            };
            let handlers = program.handlers.iter().enumerate();
            let handlers = handlers.filter(|(_, it)| it.triggers.iter().any(wanted));
            probe.requests = handlers.map(|(index, _)| index).collect();
            Arc::new(probe)
        });
        let (probe, args) = (Arc::clone(probe), args.clone());
        Event {
            kind: EventKind::Fired { probe, args },
            ..event.clone()
        }
    };
    events.iter().map(route).collect()
}
