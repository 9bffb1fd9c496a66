//! Whole recorders, with the ring drained outside the measured time, or by another thread at the same time.

use std::ffi::CString;
use std::io::{BufWriter, Seek, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::time::{ClockId, clock_gettime};
use ptpytrace::event::ProbeInfo;
use ptpytrace::fastpath::drain::Drain;
use ptpytrace::fastpath::recorder::{Site, WhenFull};
use ptpytrace::fastpath::recording::{Line, RecordedSite, Recording};
use ptpytrace::fastpath::ring::record::{Argument, Wanted};
use ptpytrace::fastpath::ring::{
    FIRST_RING, Layout, LayoutError, Mapping, Owner, Reader, Waker, gate, header, ring_header,
};
use ptpytrace::plan::{Compare, Operand, Subject, Test};
use ptpytrace::report::{Consumer, Flow, Hierarchy};
use ptpytrace_arch::{Arch, X86_64};

use super::Contestant;
use super::machine::Machine;

const CALLS: u64 = 4000;
const BATCHES: u64 = 50;

/// A site that is called, and its reader.
struct Bench {
    mapping: Arc<Mapping>,
    machine: Machine,
    back: Machine,
    reader: Reader,
    file: CString,
    name: CString,
}

/// The CPU time of this thread: other people's load makes it longer, too, but not by whole turns of the CPU.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map(Duration::from).unwrap_or_default()
}

fn layout() -> Result<Layout, LayoutError> {
    Layout::new(4, 1 << 18, 1 << 16)
}

pub fn all() -> anyhow::Result<Vec<Contestant>> {
    let text = |text: &str| Test::Text(Subject::Argument(1), Compare::Equal, text.into());
    let number = Test::Numbers(Operand::Argument(2), Compare::Less, Operand::Constant(0));
    let numbers = [Wanted::Nothing, Wanted::Nothing, Wanted::Number];
    let texts = [Wanted::Text, Wanted::Text, Wanted::Number];
    Ok(vec![
        batches("test on a number: rejected", &texts, Some(&number))?,
        batches("test on a string: rejected", &texts, Some(&text("main")))?,
        batches("test on a string: accepted", &texts, Some(&text("fib")))?,
        batches("time, thread, line", &numbers, None)?,
        batches("time, thread, two known strings, line", &texts, None)?,
        copied_strings(&texts)?,
        new_strings(&texts)?,
        drained(&texts)?,
        consumer(&texts)?,
        hierarchy(&texts)?,
    ])
}

impl Bench {
    fn new(wanted: &[Wanted], test: Option<&Test>) -> anyhow::Result<Bench> {
        let specs = X86_64.parse_args("8@%rdi 8@%rsi -4@%edx")?;
        let arguments = Argument::all(specs, wanted.iter().copied());
        let layout = layout()?;
        let (mapping, mut reader) = Bench::reader()?;
        Owner::new()?.take(Arc::clone(&mapping));
        let gate: &'static mut [u64] = vec![0u64; (gate::BYTES / 8) as usize].leak();
        let words: &[AtomicU64] = (*mapping).as_ref();
        let base = words.as_ptr().addr() as u64;
        gate[(gate::HEADER / 8) as usize] = base + header::OWNER;
        let gate = gate.as_ptr().addr() as u64;
        let mut machine = |number, name| -> anyhow::Result<Machine> {
            let site = Site {
                number,
                arguments: &arguments,
                limit: 256,
                test,
                pid: 1,
                target: 0,
                pc: 0,
                when_full: WhenFull::Wait,
                of_function: false,
                callback: None,
            };
            let machine = Machine::new()?;
            let code = site.assemble(machine.at(), gate, &layout, &mut |_| Some(vec![0xc3]))?;
            machine.load(&code.bytes);
            reader.add_site(number, code.shape, probe(name));
            Ok(machine)
        };
        let machines = [
            machine(0, "function__entry")?,
            machine(1, "function__return")?,
        ];
        Ok(Bench {
            mapping,
            machine: machines[0],
            back: machines[1],
            reader,
            file: CString::new("/usr/lib/python3.9/site-packages/fib.py")?,
            name: CString::new("fib")?,
        })
    }

    /// A file and its reader.
    fn reader() -> anyhow::Result<(Arc<Mapping>, Reader)> {
        let layout = layout()?;
        let file = memfd_create("ring", MFdFlags::MFD_ALLOW_SEALING)?;
        let mapping = Arc::new(Mapping::new(file, &layout)?);
        let reader = Reader::new(Arc::clone(&mapping) as _, layout);
        Ok((mapping, reader))
    }

    fn call(&self, number: u64) {
        let (file, name) = (&self.file, &self.name);
        let [file, name] = [file, name].map(|it| it.as_ptr().addr() as u64);
        self.machine.call(file, name, number);
    }

    /// As [`Bench::call`], for a function's return.
    fn come_back(&self, number: u64) {
        let (file, name) = (&self.file, &self.name);
        let [file, name] = [file, name].map(|it| it.as_ptr().addr() as u64);
        self.back.call(file, name, number);
    }

    fn drain(&mut self) -> u64 {
        let mut lines = 0;
        self.reader.flush(&mut |record| {
            lines += record.args().last().map_or(0, |it| it.raw.as_u64());
        });
        std::hint::black_box(lines)
    }
}

/// The calls alone.
fn batches(
    name: &'static str,
    wanted: &[Wanted],
    test: Option<&Test>,
) -> anyhow::Result<Contestant> {
    let mut bench = Bench::new(wanted, test)?;
    let run = move || {
        let mut spent = Duration::ZERO;
        for _ in 0..BATCHES {
            let begin = Instant::now();
            (0..CALLS).for_each(|number| bench.call(number));
            spent += begin.elapsed();
            bench.drain();
        }
        spent.as_nanos() as f64 / (BATCHES * CALLS) as f64
    };
    Ok(Contestant {
        name,
        run: Box::new(run),
    })
}

/// Strings that are measured and copied each time, as without the table of strings.
fn copied_strings(wanted: &[Wanted]) -> anyhow::Result<Contestant> {
    let mut bench = Bench::new(wanted, None)?;
    bench.machine.call(0, 0, 0);
    bench.drain();
    // The table is said to be in use, so nothing is ever entered.
    let words: &[AtomicU64] = (*bench.mapping).as_ref();
    let place = usize::try_from((FIRST_RING + ring_header::BUSY) / 8)?;
    if let Some(word) = words.get(place) {
        word.fetch_or(1 << 32, Ordering::SeqCst);
    }
    let run = move || {
        let mut spent = Duration::ZERO;
        for _ in 0..BATCHES {
            let begin = Instant::now();
            (0..CALLS / 4).for_each(|number| bench.call(number));
            spent += begin.elapsed();
            bench.drain();
        }
        spent.as_nanos() as f64 / (BATCHES * (CALLS / 4)) as f64
    };
    Ok(Contestant {
        name: "time, thread, two strings copied each time, line",
        run: Box::new(run),
    })
}

/// Every string is at an address whose slot holds another one: it is measured, copied and entered.
fn new_strings(wanted: &[Wanted]) -> anyhow::Result<Contestant> {
    let mut bench = Bench::new(wanted, None)?;
    let mut texts = [*b"/usr/lib/python3.9/site-packages/fib.py\0", [b'x'; 40]];
    texts[1][4] = 0;
    let texts: &'static mut [[u8; 40]; 2] = Box::leak(Box::new(texts));
    let run = move || {
        let mut spent = Duration::ZERO;
        for _ in 0..BATCHES {
            let begin = Instant::now();
            for number in 0..CALLS / 4 {
                texts[0][1] = b'a' + (number % 26) as u8;
                texts[1][1] = b'a' + (number % 26) as u8;
                let [file, name] = texts.each_ref().map(|it| it.as_ptr().addr() as u64);
                bench.machine.call(file, name, number);
            }
            spent += begin.elapsed();
            bench.drain();
        }
        spent.as_nanos() as f64 / (BATCHES * (CALLS / 4)) as f64
    };
    Ok(Contestant {
        name: "time, thread, two new strings, line",
        run: Box::new(run),
    })
}

/// The reader's part.
fn consumer(wanted: &[Wanted]) -> anyhow::Result<Contestant> {
    let mut bench = Bench::new(wanted, None)?;
    let run = move || {
        let mut spent = Duration::ZERO;
        for _ in 0..BATCHES {
            (0..CALLS).for_each(|number| bench.call(number));
            let begin = cpu_time();
            bench.drain();
            spent += cpu_time().saturating_sub(begin);
        }
        spent.as_nanos() as f64 / (BATCHES * CALLS) as f64
    };
    Ok(Contestant {
        name: "the reader, for each of these",
        run: Box::new(run),
    })
}

/// The reader's part, and the call hierarchy written to a file.
fn hierarchy(wanted: &[Wanted]) -> anyhow::Result<Contestant> {
    let mut bench = Bench::new(wanted, None)?;
    let mut drain = Drain::new(Arc::new(Waker::default()));
    let (_, empty) = Bench::reader()?;
    let reader = std::mem::replace(&mut bench.reader, empty);
    drain.add(Recording {
        pid: i32::MAX,
        target: 0,
        comm: Arc::from("python3.9"),
        line: Arc::new(Line::new(&reader)),
        reader,
        sites: vec![RecordedSite::default(); 2],
    });
    let mut report = Hierarchy::default();
    let mut out = BufWriter::with_capacity(1 << 16, tempfile::tempfile()?);
    let run = move || {
        let mut spent = Duration::ZERO;
        for _ in 0..BATCHES {
            for number in 0..CALLS / 20 {
                (0..10).for_each(|_| bench.call(number));
                (0..10).for_each(|_| bench.come_back(number));
            }
            let begin = cpu_time();
            let _ = drain.take_all(&mut |event| match report.event(
                event,
                None,
                &mut out as &mut dyn Write,
            ) {
                Ok(Flow::Continue) => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            });
            spent += cpu_time().saturating_sub(begin);
        }
        let _ = out.rewind();
        spent.as_nanos() as f64 / (BATCHES * CALLS) as f64
    };
    Ok(Contestant {
        name: "the reader and the call hierarchy, written to a file",
        run: Box::new(run),
    })
}

/// With another thread that drains.
fn drained(wanted: &[Wanted]) -> anyhow::Result<Contestant> {
    let mut bench = Bench::new(wanted, None)?;
    let run = move || {
        let done = AtomicBool::new(false);
        let caller = Caller {
            machine: bench.machine,
            file: bench.file.as_ptr().addr() as u64,
            name: bench.name.as_ptr().addr() as u64,
        };
        std::thread::scope(|scope| {
            let spent = scope.spawn(|| {
                let spent = caller.calls();
                done.store(true, Ordering::SeqCst);
                spent
            });
            let mut lines = 0;
            while !done.load(Ordering::SeqCst) {
                bench.reader.wait(Duration::from_millis(1));
                bench.reader.drain(&mut |record| lines += record.event.time);
            }
            bench.reader.flush(&mut |record| lines += record.event.time);
            std::hint::black_box(lines);
            spent.join().unwrap_or_default()
        })
    };
    Ok(Contestant {
        name: "the same, drained by another thread meanwhile",
        run: Box::new(run),
    })
}

/// What the calling thread needs.
struct Caller {
    machine: Machine,
    file: u64,
    name: u64,
}

impl Caller {
    fn calls(&self) -> f64 {
        let begin = Instant::now();
        for number in 0..BATCHES * CALLS {
            self.machine.call(self.file, self.name, number);
        }
        begin.elapsed().as_nanos() as f64 / (BATCHES * CALLS) as f64
    }
}

fn probe(name: &str) -> Arc<ProbeInfo> {
    Arc::new(ProbeInfo {
        provider: "python".to_owned(),
        name: name.to_owned(),
        ..ProbeInfo::default()
    })
}
