//! Full rings, threads, a tracer that is no more, children.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use ptpytrace_arch::ArgValue;

use super::machine::Machine;
use super::{Ram, Rig, function_arguments, site, text};
use crate::event::EventKind;
use crate::fastpath::drain::{Drain, Moment};
use crate::fastpath::recorder::{Site, WhenFull};
use crate::fastpath::recording::{Line, RecordedSite, Recording};
use crate::fastpath::ring::{Layout, Lost, Mapping, Reader, Waker, gate, header, wake_writers};

pub(super) const FILE: &std::ffi::CStr = c"/usr/lib/python3.9/fib.py";
pub(super) const NAME: &std::ffi::CStr = c"fib";

/// When the test's thread fails, those that wait for room are let go, so that the test does not hang.
pub(super) struct LetGo<'a>(pub(super) &'a AtomicU64);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        let died = u64::from(libc::FUTEX_OWNER_DIED);
        self.0.fetch_or(died, Ordering::SeqCst);
    }
}

pub(super) fn call(machine: &Machine, number: u64) {
    let (file, name) = (FILE.as_ptr().addr() as u64, NAME.as_ptr().addr() as u64);
    machine.call(file, name, number);
}

#[test]
fn a_full_ring_counts_what_it_drops() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::new(Layout::new(1, 4096, 1000).unwrap());
    let site = Site {
        when_full: WhenFull::Drop,
        ..site(&arguments)
    };
    rig.function(&site, &machine);
    let mut seen = 0;
    for _ in 0..10 {
        (0..1000).for_each(|it| call(&machine, it));
        seen += rig.records().len() as u64;
    }
    assert!(seen > 1000, "{seen}");
    assert_eq!(rig.reader.lost().dropped, 10_000 - seen);
    assert_eq!(
        (rig.reader.lost().damaged, rig.reader.lost().missed),
        (0, 0)
    );
}

#[test]
fn many_laps_of_rings_of_every_size_lose_nothing() {
    let arguments = function_arguments();
    for (size, limit) in [(4096, 50), (4096, 4096), (8192, 60_000), (65536, 200)] {
        let machine = Machine::new();
        let mut rig = Rig::new(Layout::new(1, size, 1 << 18).unwrap());
        let site = Site {
            limit,
            ..site(&arguments)
        };
        rig.function(&site, &machine);
        let texts: Vec<std::ffi::CString> = (0..97usize)
            .map(|it| std::ffi::CString::new(vec![b'x'; it * it * 13 % 9000]).unwrap())
            .collect();
        for round in 0..5000usize {
            let text_of = &texts[round * 31 % texts.len()];
            machine.call(
                text_of.as_ptr().addr() as u64,
                NAME.as_ptr().addr() as u64,
                round as u64,
            );
            let records = rig.records();
            assert_eq!(records.len(), 1);
            assert_eq!(records[0][2].raw, ArgValue::Signed(round as i64));
            let whole = text_of.to_bytes();
            let cut = &whole[..whole.len().min(limit)];
            assert_eq!(text(&records[0][0]), Some((cut, cut.len() < whole.len())));
        }
        assert_eq!(rig.reader.lost(), Lost::default());
    }
}

#[test]
fn threads_wait_for_room_and_nothing_is_lost() {
    const THREADS: u64 = 4;
    const EVENTS: u64 = 50_000;
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::new(Layout::new(8, 4096, 1000).unwrap());
    rig.function(&site(&arguments), &machine);
    let file = Arc::clone(&rig.file);
    let done = AtomicU64::new(0);
    let mut next: std::collections::HashMap<i32, i64> = Default::default();
    let (mut total, mut last_time, mut disorder) = (0, 0, 0);
    std::thread::scope(|scope| {
        let _let_go = LetGo(file.word(header::OWNER));
        for _ in 0..THREADS {
            scope.spawn(|| {
                (0..EVENTS).for_each(|it| call(&machine, it));
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        let mut sink = |record: &crate::fastpath::ring::Record| {
            let expected = next.entry(record.event.tid).or_default();
            assert_eq!(record.args()[2].raw.as_i64(), *expected);
            *expected += 1;
            total += 1;
            disorder += u64::from(record.event.time < last_time);
            last_time = record.event.time;
        };
        while done.load(Ordering::SeqCst) < THREADS {
            rig.reader.wait(Duration::from_millis(10));
            rig.reader.drain(&mut sink);
        }
        rig.reader.flush(&mut sink);
    });
    assert_eq!(total, THREADS * EVENTS);
    assert_eq!(next.len() as u64, THREADS);
    assert_eq!(rig.reader.lost(), Lost::default());
    assert_eq!(disorder, 0, "times given out never run backwards");
}

#[test]
fn a_drain_that_sleeps_is_woken_by_whoever_records() {
    const ROUNDS: u64 = 300;
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::roomy();
    rig.function(&site(&arguments), &machine);
    let (file, layout) = (Arc::clone(&rig.file), rig.layout);
    let empty = Reader::over(Arc::clone(&file) as _, layout);
    let reader = std::mem::replace(&mut rig.reader, empty);
    let mut drain = Drain::new(Arc::new(Waker::default()));
    drain.add(Recording {
        pid: std::process::id().cast_signed(),
        target: 0,
        comm: Arc::from("it"),
        line: Arc::new(Line::new(&reader)),
        reader,
        sites: vec![RecordedSite::default(); 4],
    });
    let (to_thread, seen) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let _let_go = LetGo(file.word(header::OWNER));
        let machine = &machine;
        scope.spawn(move || {
            for number in 0..ROUNDS {
                // Now while it looks, now while it gathers, now while it sleeps for good.
                let until = Instant::now() + Duration::from_micros(number * 7919 % 15_000);
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
                call(machine, number);
                seen.recv().unwrap();
            }
        });
        let mut next = 0u64;
        while next < ROUNDS {
            let _ = drain.take_recent(Moment::now(), &mut |event| {
                assert!(matches!(&event.kind, EventKind::Fired { args, .. }
                    if args[2].raw.as_u64() == next));
                next += 1;
                to_thread.send(()).unwrap();
                ControlFlow::Continue(())
            });
            drain.sleep(None, || next < ROUNDS);
        }
    });
    assert_eq!(drain.recorded().fired, [ROUNDS]);
}

#[test]
fn without_a_tracer_nobody_waits() {
    let arguments = function_arguments();
    for owner in [0, u64::from(libc::FUTEX_OWNER_DIED), 0x4000_0001] {
        let machine = Machine::new();
        let mut rig = Rig::new(Layout::new(1, 4096, 1000).unwrap());
        rig.function(&site(&arguments), &machine);
        call(&machine, 1);
        rig.file.word(header::OWNER).store(owner, Ordering::SeqCst);
        (0..1000).for_each(|it| call(&machine, it));
        assert_eq!(rig.gate.word(gate::HEADER).load(Ordering::SeqCst), 0);
        rig.records();
        (0..1000).for_each(|it| call(&machine, it));
        assert_eq!(rig.records().len(), 0, "the gate is closed");
        assert_eq!(rig.reader.lost(), Lost::default());
    }
}

#[test]
fn a_closed_gate_records_nothing() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::roomy();
    rig.function(&site(&arguments), &machine);
    call(&machine, 1);
    // As a forked child sees it, or what a tracer leaves.
    for word in rig.gate.0.iter() {
        word.store(0, Ordering::SeqCst);
    }
    (0..100).for_each(|it| call(&machine, it));
    assert_eq!(rig.records().len(), 1);
}

#[test]
fn more_threads_than_rings_are_counted() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::new(Layout::new(2, 4096, 1000).unwrap());
    rig.function(&site(&arguments), &machine);
    let barrier = std::sync::Barrier::new(3);
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (machine, barrier) = (&machine, &barrier);
            scope.spawn(move || {
                call(machine, number);
                barrier.wait();
                call(machine, number);
                barrier.wait();
            });
        }
    });
    assert_eq!(rig.records().len(), 4);
    assert_eq!(rig.reader.lost().missed, 2);
}

#[test]
fn the_ring_of_a_thread_that_has_ended_is_free_again() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::new(Layout::new(1, 4096, 1000).unwrap());
    rig.function(&site(&arguments), &machine);
    let mut expected = Vec::new();
    for number in 0..20 {
        let (pointer, tid) = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                call(&machine, number);
                (
                    super::machine::thread_pointer(),
                    nix::unistd::gettid().as_raw(),
                )
            });
            thread.join().unwrap()
        });
        // Some are read before the next thread comes, some only after several.
        rig.reader.forget_thread(pointer);
        expected.push((tid, number as i64));
        if number % 3 > 0 {
            continue;
        }
        rig.reader.flush(&mut |record| {
            let found = (record.event.tid, record.args()[2].raw.as_i64());
            assert!(expected.contains(&found), "{found:?}");
        });
    }
    assert_eq!(rig.reader.lost(), Lost::default());
}

#[test]
fn a_forked_child_records_nothing() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::roomy();
    let wiped = super::machine::wiped_on_fork(gate::BYTES as usize);
    let header = rig.gate.word(gate::HEADER).load(Ordering::SeqCst);
    rig.gate = super::Ram(wiped);
    rig.gate.word(gate::HEADER).store(header, Ordering::SeqCst);
    rig.function(&site(&arguments), &machine);
    call(&machine, 1);
    let ended = super::machine::in_child(|| (0..1000).for_each(|it| call(&machine, it)));
    assert_eq!(ended, 0);
    call(&machine, 2);
    let records = rig.records();
    let numbers: Vec<i64> = records.iter().map(|it| it[2].raw.as_i64()).collect();
    assert_eq!(numbers, [1, 2]);
    // The memory is a mapping, not the allocator's.
    std::mem::forget(rig.gate);
}

#[test]
fn rings_that_no_thread_has_had_take_no_memory() {
    const RINGS: u32 = 512;
    const THREADS: u64 = 3;
    let layout = Layout::new(RINGS, 1 << 16, 1 << 16).unwrap();
    let flags = MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC;
    let file = memfd_create(c"rings", flags).unwrap();
    let mapping = Arc::new(Mapping::new(&file, &layout).unwrap());
    let words: &[AtomicU64] = (*mapping).as_ref();
    words[header::OWNER as usize / 8].store(1, Ordering::SeqCst);
    let gate = Ram::new(gate::BYTES);
    let header = words.as_ptr().addr() as u64;
    gate.word(gate::HEADER).store(header, Ordering::SeqCst);
    let mut reader = Reader::new(Arc::clone(&mapping) as _, layout);
    let (arguments, machine) = (function_arguments(), Machine::new());
    let code = site(&arguments).assemble(machine.at(), gate.address(), &layout, &mut |_| {
        Some(vec![0xc3])
    });
    let code = code.unwrap();
    machine.load(&code);
    reader.add_site(3, code.shape.clone(), super::probe("it"));
    let together = std::sync::Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let (machine, together) = (&machine, &together);
            scope.spawn(move || {
                call(machine, number);
                together.wait(); // so that each has a ring of its own
                call(machine, number + 10);
            });
        }
    });
    let mut seen = Vec::new();
    reader.flush(&mut |it| seen.push(it.args()[2].raw.as_u64()));
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 10, 11, 12]);
    reader.forget_thread(0x1234_5000);
    wake_writers(words, &layout);
    assert_eq!(reader.lost(), Lost::default());
    let blocks = nix::sys::stat::fstat(&file).unwrap().st_blocks;
    let pages = blocks * 512 / 4096;
    assert!(pages < 64, "{pages} pages for {THREADS} of {RINGS} rings");
}
