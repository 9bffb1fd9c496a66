//! Files and memory of any content: nothing panics, nothing takes long, and what is diverted by a jump has no branch into
//! the bytes that another decoder finds.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions};
use proptest::prelude::*;

use super::*;
use crate::address::FileAddress;
use crate::elf::{Frame, Frames};

/// Bytes among which branches, nops and distances of a few bytes are frequent.
fn code_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(vec![
            0x90, 0xe9, 0xe8, 0xeb, 0x74, 0x0f, 0x85, 0x8d, 0x48, 0x5b
        ]),
        Just(0),
        Just(0xff),
        0..40_u8,
    ];
    proptest::collection::vec(byte, 16..200)
}

/// Near branches that some byte of the code begins, with a target in the window.
fn branches_into(bytes: &[u8], start: u64, window: &Range<u64>) -> Vec<u64> {
    let at = |offset: usize| {
        let mut decoder = Decoder::with_ip(
            64,
            &bytes[offset..],
            start + offset as u64,
            DecoderOptions::NONE,
        );
        let instruction = decoder.decode();
        // Short ones may be parts of other instructions, which the disassembly shows.
        let long = instruction.len() >= 5 && !instruction.is_invalid();
        (long && window.contains(&instruction.near_branch_target()))
            .then_some(start + offset as u64)
    };
    (0..bytes.len()).filter_map(at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_file_and_any_memory(
        mut text in code_bytes(),
        data in proptest::collection::vec(any::<u8>(), 0..64),
        (start, gap) in (prop_oneof![Just(0x40_1000_u64), Just(0), any::<u64>()], any::<u32>()),
        (site, frame) in (any::<prop::sample::Index>(), any::<(u8, u8)>()),
        (fixed, landing_pads, changed) in any::<(bool, bool, Option<prop::sample::Index>)>(),
    ) {
        let offset = site.index(text.len());
        text[offset] = 0x90;
        let site = start.wrapping_add(offset as u64);
        let end = start.saturating_add(text.len() as u64);
        let code = Code {
            pieces: vec![
                Piece { address: start, bytes: text.clone(), executable: true },
                Piece { address: end.wrapping_add(u64::from(gap)), bytes: data, executable: false },
            ],
            fixed,
            frames: Frames::new(vec![Frame {
                start: FileAddress(start.wrapping_add(u64::from(frame.0) / 4)),
                end: FileAddress(end.wrapping_sub(u64::from(frame.1) / 8)),
                landing_pads,
            }]),
        };
        let facts = survey(&code, &[FileAddress(site)], &|_| false).remove(0);
        let mut live = facts.bytes.clone();
        if let Some(index) = changed.filter(|_| !live.is_empty()) {
            let at = index.index(live.len());
            live[at] ^= 0x40;
        }
        for way in WayKind::DIVERSIONS {
            let place = Site { address: site, live: &live, facts: &facts };
            let choice = choose(&place, &[way], &mut FreeSpace::of(&[], 0));
            let stub = site.wrapping_add(0x1_0000);
            if let Ok(tail) = Tail::assemble(&place, &choice, stub)
                && let Ok(change) = Change::prepare(&place, &choice, stub, &tail)
            {
                prop_assert_eq!(change.write.old.len(), change.write.new.len());
                prop_assert!(change.write.address >= site);
                if choice.way == Way::Jump {
                    let found = branches_into(&text, start, &change.window);
                    prop_assert!(found.is_empty(), "{found:x?}");
                }
            }
        }
    }
}
