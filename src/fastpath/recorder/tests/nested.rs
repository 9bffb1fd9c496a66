//! Records that are made in the middle of others, and others that are never finished.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::machine::{Machine, PageEnd, at_next_fault, handle, rescued, send};
use super::rings::{FILE, LetGo, NAME, call};
use super::{Rig, function_arguments, site, text};
use crate::event::Seen;
use crate::fastpath::ring::{DATA, Layout, Lost, header, ring_header};

static HANDLER_CALLS: AtomicU64 = AtomicU64::new(0);
static MACHINE: AtomicPtr<Machine> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn on_signal(_: i32) {
    let machine: *const Machine = MACHINE.load(Ordering::SeqCst);
    if let Some(machine) = super::machine::borrowed(machine) {
        call(machine, u64::from(u32::MAX));
        HANDLER_CALLS.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_signal_handler_may_hit_the_site_at_any_moment() {
    let arguments = function_arguments();
    let machine = Machine::new();
    // A small ring, so that handlers run while the ring is full, too.
    let mut rig = Rig::new(Layout::new(2, 8192, 1000).unwrap());
    rig.function(&site(&arguments), &machine);
    MACHINE.store((&raw const machine).cast_mut(), Ordering::SeqCst);
    handle(libc::SIGUSR1, on_signal);
    let file = Arc::clone(&rig.file);
    let done = AtomicBool::new(false);
    let (mut outer, mut inner) = (0i64, 0u64);
    std::thread::scope(|scope| {
        let _let_go = LetGo(file.word(header::OWNER));
        let (to_tid, tid) = std::sync::mpsc::channel();
        let (machine, done) = (&machine, &done);
        scope.spawn(move || {
            to_tid.send(nix::unistd::gettid().as_raw()).unwrap();
            let strings: Vec<std::ffi::CString> = (0..300)
                .map(|it| std::ffi::CString::new(format!("string {it}")).unwrap())
                .collect();
            for number in 0..200_000u64 {
                let name = &strings[number as usize * 7 % strings.len()];
                let file = FILE.as_ptr().addr() as u64;
                machine.call(name.as_ptr().addr() as u64, file, number);
            }
            done.store(true, Ordering::SeqCst);
        });
        let tid = tid.recv().unwrap();
        let mut sink = |record: &crate::fastpath::ring::Record| {
            let number = record.args()[2].raw.as_i64();
            if number == -1 {
                inner += 1;
                assert_eq!(text(&record.args()[0]).unwrap().0, FILE.to_bytes());
            } else {
                assert_eq!(number, outer);
                let name = format!("string {}", number * 7 % 300);
                assert_eq!(text(&record.args()[0]).unwrap().0, name.as_bytes());
                outer += 1;
            }
        };
        let mut handled = u64::MAX;
        while !done.load(Ordering::SeqCst) {
            // Not faster than they are handled: the thread would do nothing else.
            let now = HANDLER_CALLS.load(Ordering::SeqCst);
            if now != handled {
                handled = now;
                send(tid, libc::SIGUSR1);
            }
            rig.reader.drain(&mut sink);
        }
        MACHINE.store(std::ptr::null_mut(), Ordering::SeqCst);
        rig.reader.flush(&mut sink);
    });
    assert_eq!(outer, 200_000);
    assert_eq!(rig.reader.active(), 1, "a thread has one ring");
    rig.reader.flush(&mut |_| inner += 1);
    assert_eq!(inner, HANDLER_CALLS.load(Ordering::SeqCst));
    assert!(inner > 100, "{inner}");
    assert_eq!(rig.reader.lost(), Lost::default());
}

static STEPPED: AtomicPtr<Machine> = AtomicPtr::new(std::ptr::null_mut());
/// Before which instruction of the handler's record another handler comes.
static SECOND: AtomicU32 = AtomicU32::new(u32::MAX);
static HANDLED: AtomicU64 = AtomicU64::new(0);

fn record_in_a_handler() {
    let machine: *const Machine = STEPPED.load(Ordering::SeqCst);
    let Some(machine) = super::machine::borrowed(machine) else {
        return;
    };
    HANDLED.fetch_add(1, Ordering::SeqCst);
    let [file, name] = [FILE, NAME].map(|it| it.as_ptr().addr() as u64);
    match SECOND.swap(u32::MAX, Ordering::SeqCst) {
        u32::MAX => call(machine, u64::from(u32::MAX)),
        second => {
            let words = [file, name, u64::from(u32::MAX)];
            machine.call_interrupted(second, record_in_a_handler, words);
        }
    }
}

/// A handler that hits the site runs before each of its instructions in turn, and sometimes another one within that.
#[test]
fn a_signal_handler_may_hit_the_site_between_any_two_instructions() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::new(Layout::new(2, 8192, 1000).unwrap());
    rig.function(&site(&arguments), &machine);
    STEPPED.store((&raw const machine).cast_mut(), Ordering::SeqCst);
    let file = Arc::clone(&rig.file);
    let done = AtomicBool::new(false);
    let mut seen = Vec::new();
    let names = std::thread::scope(|scope| {
        let _let_go = LetGo(file.word(header::OWNER));
        let stepping = scope.spawn(|| {
            let names = interrupted_calls(&machine);
            done.store(true, Ordering::SeqCst);
            names
        });
        let mut sink = |record: &crate::fastpath::ring::Record| {
            let (name, _) = text(&record.args()[0]).unwrap();
            seen.push((record.args()[2].raw.as_i64(), name.to_vec()));
        };
        while !done.load(Ordering::SeqCst) {
            rig.reader.flush(&mut sink);
        }
        rig.reader.flush(&mut sink);
        stepping.join().unwrap()
    });
    STEPPED.store(std::ptr::null_mut(), Ordering::SeqCst);
    let (inner, outer): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(number, _)| *number == -1);
    assert_eq!(inner.len() as u64, HANDLED.load(Ordering::SeqCst));
    assert!(inner.iter().all(|(_, name)| name == FILE.to_bytes()));
    let names = names.into_iter().map(CString::into_bytes);
    let calls: Vec<_> = (0..).zip(names).collect();
    assert_eq!(outer, calls);
    assert!(inner.len() > calls.len(), "{}", calls.len());
    assert_eq!(rig.reader.lost(), Lost::default());
}

/// Calls with a handler before each instruction; gives the name of each.
fn interrupted_calls(machine: &Machine) -> Vec<CString> {
    let mut names: Vec<CString> = Vec::new();
    let seconds: [fn(u32) -> u32; 2] = [|_| u32::MAX, |it| it * 37 % 101];
    let ways = seconds.into_iter().flat_map(|it| [(false, it), (true, it)]);
    // Strings that are known, and such that are not.
    for (fresh, second) in ways {
        for step in 0.. {
            let last = names.last().filter(|_| !fresh).cloned();
            let name =
                last.unwrap_or_else(|| CString::new(format!("string {}", names.len())).unwrap());
            names.push(name);
            let name = names.last().unwrap().as_ptr().addr() as u64;
            let number = names.len() as u64 - 1;
            SECOND.store(second(step), Ordering::SeqCst);
            let words = [name, FILE.as_ptr().addr() as u64, number];
            if !machine.call_interrupted(step, record_in_a_handler, words) {
                assert!(step > 40, "{step}");
                break;
            }
        }
    }
    names
}

static NESTED: AtomicPtr<Machine> = AtomicPtr::new(std::ptr::null_mut());

fn record_nested() {
    let machine: *const Machine = NESTED.load(Ordering::SeqCst);
    if let Some(machine) = super::machine::borrowed(machine) {
        call(machine, 77);
    }
}

#[test]
fn a_record_made_in_the_middle_of_another_comes_first_and_stays_whole() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::new(Layout::new(1, 16384, 1000).unwrap());
    let code = rig.function(&site(&arguments), &machine);
    let _rescue = rescued(&code);
    NESTED.store((&raw const machine).cast_mut(), Ordering::SeqCst);
    let mut page = PageEnd::new();
    let nothing_there = page.put(b"", 0);
    for round in 0..2000i64 {
        let name = std::ffi::CString::new("x".repeat(round as usize % 90)).unwrap();
        // It faults at the second string, when most of the record has been written.
        at_next_fault(record_nested);
        let name_at = name.as_ptr().addr() as u64;
        machine.call(name_at, nothing_there, round.cast_unsigned());
        let records = rig.records();
        let numbers: Vec<i64> = records.iter().map(|it| it[2].raw.as_i64()).collect();
        assert_eq!(numbers, [77, round]);
        assert_eq!(text(&records[0][0]), Some((FILE.to_bytes(), false)));
        assert_eq!(text(&records[0][1]), Some((NAME.to_bytes(), false)));
        assert_eq!(text(&records[1][0]), Some((name.to_bytes(), false)));
        assert_eq!(records[1][1].seen, Seen::Unreadable);
    }
    NESTED.store(std::ptr::null_mut(), Ordering::SeqCst);
    assert_eq!(rig.reader.lost(), Lost::default());
}

#[test]
fn a_record_that_was_jumped_out_of_leaves_no_trace() {
    let arguments = function_arguments();
    // In the second ring, to skip a record is to skip the rest of the ring.
    for (size, largest) in [(16384, 1000), (4096, 50_000)] {
        let machine = Machine::new();
        let mut rig = Rig::new(Layout::new(1, size, largest).unwrap());
        rig.function(&site(&arguments), &machine);
        let (file, layout) = (Arc::clone(&rig.file), rig.layout);
        let done = AtomicBool::new(false);
        let mut numbers = Vec::new();
        std::thread::scope(|scope| {
            let _let_go = LetGo(file.word(header::OWNER));
            scope.spawn(|| {
                for number in 0..1000 {
                    leave_unfinished(&file, &layout);
                    call(&machine, number);
                }
                done.store(true, Ordering::SeqCst);
            });
            while !done.load(Ordering::SeqCst) {
                rig.reader
                    .flush(&mut |it| numbers.push(it.args()[2].raw.as_i64()));
            }
            rig.reader
                .flush(&mut |it| numbers.push(it.args()[2].raw.as_i64()));
        });
        assert_eq!(numbers, (0..1000).collect::<Vec<i64>>());
        assert_eq!(rig.reader.lost(), Lost::default());
    }
}

/// As if a record had been begun in the first ring, and its thread were somewhere else now.
fn leave_unfinished(file: &super::Ram, layout: &Layout) {
    let begin = layout.ring(0).unwrap();
    let head = file.word(begin + ring_header::HEAD).load(Ordering::SeqCst);
    let intent = file.word(begin + ring_header::INTENT);
    intent.store(head, Ordering::SeqCst);
    let place = begin + DATA + (head & layout.mask());
    for at in (0..64).step_by(8) {
        file.word(place + at).store(u64::MAX, Ordering::SeqCst);
    }
}
