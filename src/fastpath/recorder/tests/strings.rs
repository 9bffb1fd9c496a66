//! Strings: every length, every alignment, at the end of a page, beyond it, and again and again.

use proptest::prelude::*;
use ptpytrace_arch::{ArgValue, Bytes};

use super::machine::{Machine, PageEnd, rescued};
use super::{Rig, function_arguments, site, text};
use crate::event::Seen;
use crate::fastpath::recorder::Site;
use crate::process::memory::c_string::{StringRead, c_string};

const LIMIT: usize = 230;

/// Each string, given by its memory and address, recorded twice together with a fixed one; compared with what the
/// tracer would read itself.
fn check(rig: &mut Rig, machine: &Machine, address: u64, memory: &Bytes<'_>, limit: usize) {
    let fixed = c"fixed".as_ptr().addr() as u64;
    for _ in 0..3 {
        machine.call(address, fixed, 7);
    }
    let records = rig.records();
    assert_eq!(records.len(), 3);
    for args in &records {
        assert_eq!(text(&args[1]), Some((&b"fixed"[..], false)));
        assert_eq!(args[2].raw, ArgValue::Signed(7));
        assert_eq!(args[0].raw, ArgValue::Unsigned(address));
        match c_string(memory, address, limit) {
            StringRead::Text { bytes, truncated } => {
                assert_eq!(text(&args[0]), Some((&bytes[..], truncated)));
            }
            StringRead::Unreadable => assert_eq!(args[0].seen, Seen::Unreadable),
        }
    }
}

#[test]
fn every_length_at_every_alignment_and_page_end() {
    let arguments = function_arguments();
    for limit in [0, 1, 7, 8, 9, 16, LIMIT] {
        let machine = Machine::new();
        let mut rig = Rig::roomy();
        let site = Site {
            limit,
            ..site(&arguments)
        };
        let code = rig.function(&site, &machine);
        let _rescue = rescued(&code);
        let mut page = PageEnd::new();
        for length in (0..40).chain([199, 200, 206, 207, 208, 209, 229, 230, 231, 400]) {
            for before in 0..9 {
                let mut bytes: Vec<u8> = (0..length).map(|it| b'a' + (it % 26) as u8).collect();
                bytes.push(0);
                let after = [b'x'; 9];
                page.put(&after[..before], 0);
                let address = page.put(&bytes, before);
                let memory = Bytes {
                    base: address,
                    bytes: &bytes,
                };
                if limit >= 5 {
                    check(&mut rig, &machine, address, &memory, limit);
                }
                // Without its NUL it goes on into the page that cannot be read.
                if before == 0 && length > 0 && limit >= 5 {
                    let open = &bytes[..length];
                    let address = page.put(open, 0);
                    let memory = Bytes {
                        base: address,
                        bytes: open,
                    };
                    check(&mut rig, &machine, address, &memory, limit);
                }
            }
        }
    }
}

#[test]
fn addresses_that_hold_nothing_are_unreadable() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::roomy();
    let code = rig.function(&site(&arguments), &machine);
    let nothing = Bytes {
        base: 0,
        bytes: &[],
    };
    // Without anybody to deal with faults: these must not cause any.
    for address in [0, 1, 4095, 1 << 47, 1 << 63, u64::MAX, u64::MAX - 4095] {
        check(&mut rig, &machine, address, &nothing, 200);
    }
    let _rescue = rescued(&code);
    let mut page = PageEnd::new();
    let page = page.put(&[], 0);
    for address in [4096, page, page + 1, page + 4095, (1 << 47) - 1] {
        check(&mut rig, &machine, address, &nothing, 200);
    }
}

#[test]
fn another_string_at_the_same_address_is_another_string() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::roomy();
    rig.function(&site(&arguments), &machine);
    let mut page = PageEnd::new();
    let mut expected = Vec::new();
    for round in 0..50u8 {
        for length in [3usize, 8, 20] {
            let mut bytes = vec![b'a' + round % 3; length];
            bytes[length - 1] = b'0' + round % 7;
            bytes.push(0);
            bytes.resize(24, b'#');
            let address = page.put(&bytes, 0);
            machine.call(address, address, 0);
            expected.push(bytes[..length].to_vec());
        }
    }
    let records = rig.records();
    let found: Vec<Vec<u8>> = records
        .iter()
        .map(|it| text(&it[0]).unwrap().0.to_vec())
        .collect();
    assert_eq!(found, expected);
    assert!(records.iter().all(|it| text(&it[0]) == text(&it[1])));
    assert_eq!(rig.reader.lost(), Default::default());
}

#[test]
fn a_known_string_takes_no_room() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut rig = Rig::roomy();
    let code = rig.function(&site(&arguments), &machine);
    assert_eq!(code.shape.fixed(), 32);
    let (file, name) = (c"/usr/lib/python3/fib.py", c"fib");
    let call = || machine.call(file.as_ptr().addr() as u64, name.as_ptr().addr() as u64, 1);
    let head = crate::fastpath::ring::FIRST_RING + crate::fastpath::ring::ring_header::HEAD;
    let written = |rig: &Rig| {
        rig.file
            .word(head)
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    call();
    let first = written(&rig);
    assert_eq!(first, 32 + (8 + 24) + (8 + 8));
    call();
    call();
    assert_eq!(written(&rig), first + 64);
    assert_eq!(rig.records().len(), 3);
}

proptest! {
    #[test]
    fn any_strings_in_any_order_arrive(
        strings in prop::collection::vec("[ -~]{0,300}", 1..20),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..200),
    ) {
        let arguments = function_arguments();
        let machine = Machine::new();
        let mut rig = Rig::roomy();
        rig.function(&site(&arguments), &machine);
        let strings: Vec<std::ffi::CString> =
            strings.into_iter().map(|it| std::ffi::CString::new(it).unwrap()).collect();
        let mut expected = Vec::new();
        let mut found = Vec::new();
        for (one, other) in order {
            let pair = [one.get(&strings), other.get(&strings)];
            let [first, second] = pair.map(|it| it.as_ptr().addr() as u64);
            machine.call(first, second, 0);
            expected.push(pair.map(|it| it.to_bytes()[..it.to_bytes().len().min(200)].to_vec()));
            for args in rig.records() {
                found.push([0, 1].map(|it| text(&args[it]).unwrap().0.to_vec()));
            }
        }
        prop_assert_eq!(found, expected);
    }
}
