//! A traced program that writes anything anywhere into the rings while they are read: no panic, no endless loop, and
//! every record that is given out has the shape of its site.
#![no_main]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libfuzzer_sys::fuzz_target;
use ptpytrace::event::Seen;
use ptpytrace::fastpath::ring::record::{Argument, Shape, Wanted};
use ptpytrace::fastpath::ring::{DATA, Layout, Reader, Record, TABLE, ring_header};
use ptpytrace_arch::{Arch, X86_64};

const LIMIT: usize = 40;
const SIZE: u64 = 4096;

struct Words(Vec<AtomicU64>);

impl AsRef<[AtomicU64]> for Words {
    fn as_ref(&self) -> &[AtomicU64] {
        &self.0
    }
}

impl Words {
    fn set(&self, offset: u64, value: u64) {
        if let Some(word) = self.0.get((offset / 8) as usize) {
            word.store(value, Ordering::Relaxed);
        }
    }

    fn get(&self, offset: u64) -> u64 {
        let word = self.0.get((offset / 8) as usize);
        word.map_or(0, |it| it.load(Ordering::Relaxed))
    }
}

fuzz_target!(|input: &[u8]| {
    let layout = Layout::new(2, SIZE, 200).unwrap();
    let words = (0..layout.file_bytes() / 8).map(|_| AtomicU64::new(0));
    let words = Arc::new(Words(words.collect()));
    let mut reader = Reader::new(Arc::clone(&words) as _, layout);
    for (number, wanted) in [Wanted::Text, Wanted::Number].into_iter().enumerate() {
        reader.add_site(number as u16, shape(wanted), Arc::default());
    }
    for command in input.chunks_exact(11) {
        let place = u64::from(u16::from_le_bytes([command[1], command[2]]));
        let value = u64::from_le_bytes(command[3..11].try_into().unwrap());
        let ring = layout.ring(u32::from(command[0] >> 7)).unwrap();
        match command[0] & 0x0f {
            0 => words.set(place * 8 % TABLE, value),
            1..=3 => words.set(ring + place % 12 * 8, value),
            4..=7 => words.set(ring + DATA + place * 8 % (2 * SIZE), value),
            8 | 9 => {
                // As a recorder does: claims, and publishes.
                words.set(ring + ring_header::KEY, value | 1);
                let head = words.get(ring + ring_header::HEAD);
                words.set(ring + ring_header::HEAD, layout.behind(head, place & 0xff8));
            }
            10 => reader.name_thread(value, place as i32),
            11 => reader.forget_thread(value),
            12 => drained(reader.drain(&mut check)),
            _ => drained(reader.flush(&mut check)),
        }
    }
    drained(reader.flush(&mut check));
    let _ = reader.lost();
});

/// A ring holds at most so many records of one word each.
fn drained(records: u64) {
    assert!(records <= 2 * SIZE / 8);
}

fn check(record: &Record) {
    assert_eq!(record.args().len(), 3);
    assert!(record.site < 2);
    for arg in record.args() {
        match &arg.seen {
            Seen::Text(text) => assert!(record.site == 0 && text.bytes.len() <= LIMIT),
            Seen::Number | Seen::Unreadable => {}
            Seen::Object(_) => panic!("objects are not recorded"),
        }
    }
}

fn shape(wanted: Wanted) -> Shape {
    let specs = X86_64.parse_args("8@%rdi 8@%rsi -4@%edx").unwrap();
    let wanted = [wanted, wanted, Wanted::Number];
    let arguments = Argument::all(specs, wanted);
    Shape::of(&arguments, LIMIT).unwrap()
}
