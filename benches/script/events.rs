//! Events of a Python program that calls functions: entries and returns of many functions in a few files.

use std::sync::Arc;

use ptpytrace::event::{Arg, Event, EventKind, ProbeInfo, Seen, Text};
use ptpytrace_arch::ArgValue;

/// The markers that fire.
pub const MARKERS: [&str; 2] = ["function__entry", "function__return"];

/// Functions, of names and files as long as real ones.
const FUNCTIONS: usize = 200;

/// Makes one event after the other, in place.
pub struct Events {
    probes: [Arc<ProbeInfo>; 2],
    functions: Vec<(Vec<u8>, Vec<u8>, i64)>,
    event: Event,
}

fn probe(id: u32, name: &str, requests: &[usize]) -> Arc<ProbeInfo> {
    Arc::new(ProbeInfo {
        provider: "python".to_owned(),
        name: name.to_owned(),
        args: Vec::new(),
        module: "python3.11".to_owned(),
        function: "_PyEval_EvalFrameDefault".to_owned(),
        requests: requests.to_vec(),
        id,
    })
}

fn text() -> Arg {
    Arg {
        raw: ArgValue::Unsigned(0x7f00_0000_1000),
        seen: Seen::Text(Text::default()),
    }
}

impl Events {
    /// The functions are made up. `requests` says for each marker which requests it answers.
    pub fn new(requests: &[Vec<usize>; 2]) -> Events {
        let [entry, leave] = MARKERS;
        let probes = [probe(1, entry, &requests[0]), probe(2, leave, &requests[1])];
        let function = |n: usize| {
            (
                format!("/usr/lib/python3.11/package{}/module.py", n % 17).into_bytes(),
                format!("function_{n}").into_bytes(),
                i64::try_from(n * 7).unwrap_or(0),
            )
        };
        let number = Arg {
            raw: ArgValue::Signed(0),
            seen: Seen::Number,
        };
        Events {
            event: Event {
                time: 0,
                pid: 4242,
                tid: 4242,
                comm: Arc::from("python3.11"),
                kind: EventKind::Fired {
                    probe: Arc::clone(&probes[0]),
                    args: vec![text(), text(), number],
                },
                context: None,
            },
            functions: (0..FUNCTIONS).map(function).collect(),
            probes,
        }
    }

    /// The next one: eight entries, then their returns, the functions in an order that is not that of their names.
    pub fn next(&mut self, number: u64) -> &Event {
        let step = number % 16;
        let (entry, call) = match step {
            0..8 => (true, number - step + step),
            _ => (false, number - step + (15 - step)),
        };
        let which = usize::try_from(call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
        let function = self.functions.get(which.unwrap_or(0) % FUNCTIONS);
        self.event.time += 1_000;
        let EventKind::Fired { probe, args } = &mut self.event.kind else {
            return &self.event;
        };
        let fired = &self.probes[usize::from(!entry)];
        if !Arc::ptr_eq(probe, fired) {
            probe.clone_from(fired);
        }
        if let ([file, name, line], Some(function)) = (args.as_mut_slice(), function) {
            set(file, &function.0);
            set(name, &function.1);
            line.raw = ArgValue::Signed(function.2);
        }
        &self.event
    }
}

fn set(arg: &mut Arg, bytes: &[u8]) {
    if let Seen::Text(text) = &mut arg.seen {
        text.bytes.clear();
        text.bytes.extend_from_slice(bytes);
    }
}
