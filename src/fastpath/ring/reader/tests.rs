//! Records written by hand, as the format's table has them, and as no recorder would write them.

use super::*;
use crate::event::Seen;
use crate::fastpath::ring::paper::{Paper, long_ago};
use crate::fastpath::ring::{DATA, ring_header, sys};
use proptest::prelude::*;
use ptpytrace_arch::ArgValue;
use std::sync::atomic::AtomicBool;

/// A file and its reader.
struct Desk {
    paper: Paper,
    reader: Reader,
}

impl std::ops::Deref for Desk {
    type Target = Paper;

    fn deref(&self) -> &Paper {
        &self.paper
    }
}

impl Desk {
    fn new() -> Desk {
        let (paper, reader) = Paper::new();
        Desk { paper, reader }
    }

    /// Thread and number of all records.
    fn flush(&mut self) -> Vec<(i32, i64)> {
        let mut found = Vec::new();
        self.reader
            .flush(&mut |it| found.push((it.event.tid, it.args()[1].raw.as_i64())));
        found
    }
}

#[test]
fn strings_follow_or_are_named() {
    let mut desk = Desk::new();
    desk.claim(1, 0x7000, 42);
    let time = long_ago();
    // Slot 3 gets "abc"; the second string is cut.
    let remembered = 2u64 << 28 | 3 << 16 | 3;
    let cut = 1u64 << 28 | 1 << 27 | 9;
    desk.publish(
        1,
        &[
            80 | 5 << 32,
            time,
            7,
            remembered | cut << 32,
            0x1111,
            u64::from_le_bytes(*b"abc\0\0\0\0\0"),
            0x2222,
            u64::from_le_bytes(*b"12345678"),
            u64::from(b'9'),
            0,
        ],
    );
    // Named; the second cannot be read, nor can the number.
    desk.publish(
        1,
        &[
            40 | 5 << 32 | 1 << 48,
            time,
            0,
            3 << 28 | 3 << 16 | 3,
            0x3333,
        ],
    );
    let mut found = Vec::new();
    desk.reader.flush(&mut |it| {
        assert_eq!((it.event.tid, it.site), (42, 5));
        found.push(it.args().to_vec());
    });
    let texts = |args: &[Arg]| -> Vec<Option<(Vec<u8>, bool)>> {
        let seen = args.iter().map(|it| match &it.seen {
            Seen::Text(text) => Some((text.bytes.clone(), text.truncated)),
            _ => None,
        });
        seen.collect()
    };
    let abc = Some((b"abc".to_vec(), false));
    assert_eq!(
        texts(&found[0]),
        [abc.clone(), None, Some((b"123456789".to_vec(), true))]
    );
    assert_eq!(texts(&found[1]), [abc, None, None]);
    assert_eq!(found[1][0].raw, ArgValue::Unsigned(0x1111));
    assert_eq!(found[1][1].seen, Seen::Unreadable);
    assert_eq!(found[1][2].raw, ArgValue::Unsigned(0x3333));
    assert_eq!(desk.reader.lost(), Lost::default());
}

#[test]
fn threads_are_merged_by_time() {
    let mut desk = Desk::new();
    let time = long_ago();
    for (ring, tid) in [(0, 10), (1, 11), (2, 12)] {
        desk.claim(ring, 0x7000 + u64::from(ring), tid);
    }
    for number in [1, 4, 5, 9] {
        desk.number(0, time + number * 10, number);
    }
    for number in [2, 3, 8] {
        desk.number(2, time + number * 10, number);
    }
    desk.number(1, time + 60, 6);
    desk.number(1, time + 20, 7); // out of order within its thread: keeps its place
    let expected = [
        (10, 1),
        (12, 2),
        (12, 3),
        (10, 4),
        (10, 5),
        (11, 6),
        (11, 7),
        (12, 8),
        (10, 9),
    ];
    assert_eq!(desk.flush(), expected);
}

#[test]
fn what_is_new_waits_for_what_may_be_older() {
    let mut desk = Desk::new();
    desk.claim(0, 0x7000, 10);
    desk.claim(1, 0x8000, 11);
    desk.flush();
    let (long_ago, now) = (long_ago(), sys::ticks());
    desk.number(0, long_ago, 1);
    // A time in the near future is the present: it waits. One in the far future is no time at all.
    desk.number(0, now + (1 << 31), 2);
    desk.number(1, u64::MAX, 3);
    let mut found = Vec::new();
    desk.reader.clock.refresh(sys::ticks());
    let taken = desk
        .reader
        .drain(&mut |it| found.push(it.args()[1].raw.as_i64()));
    found.sort_unstable();
    assert_eq!((found, taken), (vec![1, 3], 2));
    assert_eq!(desk.flush(), [(10, 2)]);
}

#[test]
fn a_ring_goes_from_thread_to_thread() {
    let mut desk = Desk::new();
    let time = long_ago();
    for (tid, number) in [(10, 1), (11, 2), (12, 3)] {
        desk.claim(0, 0x7000 + tid, tid);
        desk.number(0, time, number);
        desk.number(0, time, number);
        desk.reader.forget_thread(0x7000 + tid);
    }
    desk.reader.name_thread(0x9000, 99);
    desk.claim(0, 0x9000, 13);
    desk.number(0, time, 4);
    let expected = [
        (10, 1),
        (10, 1),
        (11, 2),
        (11, 2),
        (12, 3),
        (12, 3),
        (99, 4),
    ];
    assert_eq!(desk.flush(), expected);
}

#[test]
fn a_record_is_never_attributed_to_the_next_thread() {
    const THREADS: u64 = 20_000;
    let (paper, mut reader) = Paper::new();
    let tenancy = reader.tenancy();
    let over = AtomicBool::new(false);
    let (mut next, mut count) = (1, 0u64);
    std::thread::scope(|scope| {
        // The program and its tracer: threads come and go in one ring, all with the same pointer.
        scope.spawn(|| {
            for tid in 1..=THREADS {
                paper.claim(0, 0x7000, tid);
                for _ in 0..tid % 4 {
                    while !paper.has_room(0, 48) {
                        std::thread::yield_now();
                    }
                    paper.number(0, long_ago(), tid);
                }
                tenancy.free(0x7000);
            }
            over.store(true, Ordering::SeqCst);
        });
        let mut check = |record: &Record| {
            let tid = record.event.tid;
            assert_eq!(record.args()[1].raw.as_i64(), i64::from(tid));
            assert!(next <= tid);
            next = tid;
            count += 1;
        };
        while !over.load(Ordering::SeqCst) {
            reader.flush(&mut check);
        }
        reader.flush(&mut check);
    });
    let expected: u64 = (1..=THREADS).map(|tid| tid % 4).sum();
    assert_eq!(count, expected);
    assert_eq!(reader.lost(), Lost::default());
}

#[test]
fn what_is_to_be_skipped_is() {
    let mut desk = Desk::new();
    let (begin, overhang) = (long_ago(), desk.layout.overhang());
    desk.claim(0, 0x7000, 10);
    desk.number(0, begin, 1);
    // 48 is where the first record ends; the ring's size is no more than what is skipped.
    desk.set(0, ring_header::SKIP, 48 + 1);
    assert_eq!(desk.flush(), [(10, 1)]);
    desk.set(0, DATA + 48, u64::MAX);
    let head = desk.layout.behind(48, overhang);
    desk.set(0, ring_header::HEAD, head);
    assert!(desk.flush().is_empty());
    assert!(desk.has_room(0, 4096));
    desk.number(0, begin, 2);
    desk.reader.forget_thread(0x7000);
    desk.claim(0, 0x8000, 11);
    desk.number(0, begin, 3);
    assert_eq!(desk.flush(), [(10, 2), (11, 3)]);
    assert_eq!(desk.reader.lost(), Lost::default());
    // Beyond what has been written.
    desk.set(0, ring_header::SKIP, head + 96 + 1);
    desk.number(0, begin, 4);
    assert!(desk.flush().is_empty());
    assert_eq!(desk.reader.lost().damaged, 1);
    desk.number(0, begin, 5);
    assert_eq!(desk.flush(), [(11, 5)]);
}

#[test]
fn nonsense_costs_only_itself() {
    let time = long_ago();
    let fixed = 48u64 | 5 << 32;
    let cases: [(&str, &[u64]); 8] = [
        ("no length", &[5 << 32, time]),
        ("odd length", &[17 | 5 << 32, time, 0]),
        ("longer than what is there", &[4096 | 5 << 32, time]),
        ("shorter than its site's", &[16 | 5 << 32, time]),
        ("unknown site", &[16 | 6 << 32, time]),
        ("unknown slot", &[fixed, time, 0, 3 << 28 | 600 << 16, 0, 0]),
        ("empty slot", &[fixed, time, 0, 3 << 28 | 9 << 16, 0, 0]),
        (
            "string beyond the record",
            &[fixed, time, 0, 1 << 28 | 20, 0, 0],
        ),
    ];
    for (case, words) in cases {
        let mut desk = Desk::new();
        desk.claim(0, 0x7000, 10);
        desk.publish(0, words);
        assert_eq!(desk.flush(), [], "{case}");
        assert_eq!(desk.reader.lost().damaged, 1, "{case}");
        desk.number(0, time, 8);
        assert_eq!(desk.flush(), [(10, 8)], "{case}");
    }
    for head in [4, u64::MAX, 1 << 40, 4104] {
        let mut desk = Desk::new();
        desk.claim(0, 0x7000, 10);
        desk.set(0, ring_header::HEAD, head);
        assert_eq!(desk.flush(), [], "{head}");
        assert_eq!(desk.reader.lost().damaged, 1, "{head}");
        desk.set(0, ring_header::HEAD, head & !7);
        desk.number(0, time, 8);
        assert_eq!(desk.flush(), [(10, 8)], "{head}");
    }
}

#[test]
fn waiting_ends_at_the_limit_or_when_there_is_something() {
    let mut desk = Desk::new();
    desk.claim(0, 0x7000, 10);
    assert!(desk.flush().is_empty());
    desk.reader.wait(Duration::from_millis(1));
    desk.number(0, long_ago(), 1);
    // Would hang for an hour if the record were overlooked.
    desk.reader.wait(Duration::from_secs(3600));
    assert_eq!(desk.flush(), [(10, 1)]);
}

/// Something that a program does to the memory, or the tracer to its reader.
#[derive(Clone, Debug)]
enum Command {
    Header(u64, u64),
    Ring(u32, u64, u64),
    Data(u32, u64, u64),
    Publish(u32, u64),
    Record(u32, u64, u32, u32),
    Forget(u64),
    Drain,
    Flush,
}

fn commands() -> impl Strategy<Value = Command> {
    let word = || prop_oneof![any::<u64>(), 0u64..5000, (0u64..10).prop_map(|it| it * 8)];
    prop_oneof![
        (0u64..20, word()).prop_map(|(at, word)| Command::Header(at * 8, word)),
        (0u32..3, 0u64..12, word()).prop_map(|(ring, at, word)| Command::Ring(ring, at * 8, word)),
        (0u32..3, 0u64..1024, word()).prop_map(|(ring, at, word)| Command::Data(
            ring,
            at * 8,
            word
        )),
        (0u32..3, 0u64..600).prop_map(|(ring, words)| Command::Publish(ring, words * 8)),
        (0u32..3, word(), any::<u32>(), any::<u32>())
            .prop_map(|(ring, time, one, other)| Command::Record(ring, time, one, other)),
        word().prop_map(Command::Forget),
        Just(Command::Drain),
        Just(Command::Flush),
    ]
}

proptest! {
    #[test]
    fn anything_may_be_written_anywhere(commands in prop::collection::vec(commands(), 1..60)) {
        let mut desk = Desk::new();
        let most = 3 * desk.layout.size() / 8;
        for command in commands {
            let mut check = |record: &Record| {
                assert_eq!((record.args().len(), record.site), (3, 5));
                for arg in record.args() {
                    assert!(!matches!(&arg.seen, Seen::Text(text) if text.bytes.len() > 20));
                }
            };
            match command {
                Command::Header(at, word) => store(&desk.file, at, word),
                Command::Ring(ring, at, word) => desk.set(ring, at, word),
                Command::Data(ring, at, word) => desk.set(ring, DATA + at, word),
                Command::Publish(ring, length) => {
                    let at = desk.layout.ring(ring).unwrap() + ring_header::HEAD;
                    let head = load(&desk.file, at);
                    desk.claim(ring, 0x7000, 1);
                    desk.set(ring, ring_header::HEAD, desk.layout.behind(head, length));
                }
                Command::Record(ring, time, one, other) => {
                    // Descriptors that are nearly right.
                    let both = u64::from(one & 0x3fff_001f) | u64::from(other & 0x3fff_001f) << 32;
                    let words = [96 | 5 << 32, time, 7, both, 0x1000, 1, 2, 3, 4, 5, 6, 7];
                    desk.claim(ring, 0x7000, 1);
                    desk.publish(ring, &words);
                }
                Command::Forget(pointer) => desk.reader.forget_thread(pointer),
                Command::Drain => prop_assert!(desk.reader.drain(&mut check) <= most),
                Command::Flush => prop_assert!(desk.reader.flush(&mut check) <= most),
            }
        }
    }
}
