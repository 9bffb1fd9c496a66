//! Counts the calls of each Python function of a program, with the library instead of the command line:
//!
//! ```text
//! cargo run --release --example count_calls -- /usr/bin/python3.11 examples/calls.py
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use ptpytrace::cpython::Limits;
use ptpytrace::event::{Delivery, EventKind, Seen};
use ptpytrace::plan::Plan;
use ptpytrace::probe::MarkerPattern;
use ptpytrace::process::program;
use ptpytrace::tracer::{Engine, Launch, Options, Tracer, command};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let search = std::env::var_os("PATH");
    let program = program::resolve(&words, search.as_deref(), Path::new("."))?;
    let entries = MarkerPattern::parse("python:function__entry")?;
    let plan = Plan::of_markers(&[entries], 256, Limits::default());
    let options = Options {
        engine: Engine::Trap,
        ..Options::default()
    };
    let (_commander, orders) = command::channel()?;
    let (sender, deliveries) = bounded(4096);
    let mut tracer =
        Tracer::new(Arc::new(plan), options, orders, sender).ok_or("this CPU is not supported")?;
    tracer.launch(&Launch {
        program: program.path,
        arguments: words,
    })?;
    let counter = thread::spawn(move || count(&deliveries));
    let summary = tracer.run();
    let counts = counter.join().map_err(|_| "the counter has failed")?;
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    for (function, calls) in rows.iter().take(10) {
        println!("{calls:8} {function}");
    }
    println!("the program ended: {:?}", summary.command);
    Ok(())
}

/// The second argument of `function__entry` is the function's name.
fn count(deliveries: &Receiver<Delivery>) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    for delivery in deliveries {
        if let Delivery::Event(event) = delivery
            && let EventKind::Fired { args, .. } = event.kind
            && let Some(Seen::Text(name)) = args.get(1).map(|arg| &arg.seen)
        {
            *counts.entry(name.lossy().into_owned()).or_insert(0) += 1;
        }
    }
    counts
}
