//! The tracer as a whole, where only its inside can be made to fail.

use std::fs;
use std::io::Read;
use std::path::Path;

use crossbeam_channel::{Receiver, unbounded};

use super::*;
use crate::cpython::Limits;
use crate::plan::MarkerSource;
use crate::probe::MarkerPattern;

mod races;

pub(super) use races::meanwhile;

impl Tracer {
    /// Panics at the trap that a test asked for.
    pub(super) fn fail_on_request(&mut self) {
        match self.fail_at {
            0 => {}
            1 => {
                self.fail_at = 0;
                panic!("a failure that a test asked for");
            }
            _ => self.fail_at -= 1,
        }
    }
}

fn interpreter() -> PathBuf {
    let cache = std::env::var_os("PTPYTRACE_CACHE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/interpreters"),
        PathBuf::from,
    );
    let path = cache.join("bin/python3.9");
    assert!(
        path.exists(),
        "{} is missing; run tests/interpreters/fetch",
        path.display()
    );
    path
}

/// A tracer of calls and returns, and what it tells.
fn tracer() -> (Tracer, Receiver<Delivery>) {
    tracer_with(MarkerSource::default())
}

fn tracer_with(markers: MarkerSource) -> (Tracer, Receiver<Delivery>) {
    let functions = MarkerPattern::parse("python:function__*").expect("a pattern");
    let plan = Plan {
        markers,
        ..Plan::of_markers(&[functions], 4096, Limits::default())
    };
    tracer_of(plan)
}

fn tracer_of(plan: Plan) -> (Tracer, Receiver<Delivery>) {
    let (_, orders) = command::channel().expect("a channel");
    let (sender, deliveries) = unbounded();
    let options = Options {
        engine: Engine::Trap,
        ..Options::default()
    };
    let tracer = Tracer::new(Arc::new(plan), options, orders, sender).expect("a known CPU");
    (tracer, deliveries)
}

/// After an internal error the program goes on untraced and computes what it would have computed.
#[test]
fn an_internal_error_leaves_the_program_unharmed() {
    let program = interpreter();
    let folder = tempfile::tempdir().expect("a folder");
    let result = folder.path().join("result");
    let code = format!(
        "def f(n): return n if n < 2 else f(n-1) + f(n-2)\n\
         import threading\n\
         r = []\n\
         t = [threading.Thread(target=lambda: r.append(f(12))) for _ in range(4)]\n\
         [x.start() for x in t]; [x.join() for x in t]\n\
         tracer = [l for l in open('/proc/self/status') if 'TracerPid' in l][0].split()[1]\n\
         open({:?}, 'w').write(f'{{r}} {{tracer}}')",
        result.display().to_string()
    );
    let (mut tracer, deliveries) = tracer();
    // Some way into the program: start-up takes about 4,400 traps.
    tracer.fail_at = 5000;
    let arguments = vec![program.clone().into(), "-c".into(), code.into()];
    tracer
        .launch(&Launch { program, arguments })
        .expect("launched");
    let summary = tracer.run();
    assert_eq!(summary.command, Some(Stop::Exited(0)));
    assert!(summary.failed && summary.left);
    let events = deliveries.try_iter().count();
    assert!(events > 1000, "it was traced before: {events}");
    let mut text = String::new();
    fs::File::open(&result)
        .and_then(|mut file| file.read_to_string(&mut text))
        .expect("the result");
    assert_eq!(text, "[144, 144, 144, 144] 0");
}
