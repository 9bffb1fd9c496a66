//! Instructions at other places, byte by byte as the Intel SDM (volume 2) encodes them.

use ptpytrace_arch::x86_64::displace::{
    Immovable, RelocateError, displacement, jump, jump_target, relocate,
};
use ptpytrace_arch::x86_64::flow::{Flow, is_literal, steps};

#[test]
fn operands_and_branches_are_adapted() {
    let (from, to) = (0x40_1000_u64, 0x50_0000_u64);
    let table: [(&[u8], &[u8]); 8] = [
        // mov rax, [rbx+0x20]; pop rbp: nothing to adapt.
        (
            &[0x48, 0x8b, 0x43, 0x20, 0x5d],
            &[0x48, 0x8b, 0x43, 0x20, 0x5d],
        ),
        // mov rax, [rip+0x10] = [0x401017].
        (
            &[0x48, 0x8b, 0x05, 0x10, 0, 0, 0],
            &[0x48, 0x8b, 0x05, 0x10, 0x10, 0xf0, 0xff],
        ),
        // cmp dword [rip+0x10], 7 = [0x401017], with an immediate behind the distance.
        (
            &[0x83, 0x3d, 0x10, 0, 0, 0, 7],
            &[0x83, 0x3d, 0x10, 0x10, 0xf0, 0xff, 7],
        ),
        // jmp 0x401015.
        (&[0xe9, 0x10, 0, 0, 0], &[0xe9, 0x10, 0x10, 0xf0, 0xff]),
        // jmp short 0x401012, which becomes a long one.
        (&[0xeb, 0x10], &[0xe9, 0x0d, 0x10, 0xf0, 0xff]),
        // jne short 0x401012.
        (&[0x75, 0x10], &[0x0f, 0x85, 0x0c, 0x10, 0xf0, 0xff]),
        // jrcxz 0x401012, which has no long form: jrcxz over a jump, and that jump to the target.
        (
            &[0xe3, 0x10],
            &[0xe3, 0x02, 0xeb, 0x05, 0xe9, 0x09, 0x10, 0xf0, 0xff],
        ),
        // ret.
        (&[0xc3], &[0xc3]),
    ];
    for (code, expected) in table {
        let moved = relocate(code, from, to).expect("movable");
        assert_eq!(moved.bytes, expected, "{code:x?}");
        assert_eq!(moved.places.first(), Some(&(from, to)));
        let leaves = matches!(code.first(), Some(0xe9 | 0xeb | 0xc3));
        assert_eq!(moved.falls_through, !leaves, "{code:x?}");
    }
}

#[test]
fn places_follow_the_lengths() {
    // pop rbx; jne short; pop rbp: the branch grows from two bytes to six.
    let moved = relocate(&[0x5b, 0x75, 0x10, 0x5d], 0x40_1000, 0x50_0000).expect("movable");
    let expected = [
        (0x40_1000, 0x50_0000),
        (0x40_1001, 0x50_0001),
        (0x40_1003, 0x50_0007),
    ];
    assert_eq!(moved.places, expected);
}

#[test]
fn what_is_refused() {
    let table: [(&[u8], u64, Immovable); 9] = [
        (&[0x5b, 0xe8, 0, 0, 0, 0], 1, Immovable::Call),
        (&[0xff, 0xd0], 0, Immovable::Call),
        (&[0x0f, 0x05], 0, Immovable::System),
        (&[0xcc], 0, Immovable::System),
        (&[0xf4], 0, Immovable::System),
        (&[0xc7, 0xf8, 0, 0, 0, 0], 0, Immovable::System),
        (&[0xf3, 0x0f, 0x1e, 0xfa], 0, Immovable::LandingPad),
        (&[0xc3, 0x90], 1, Immovable::Unreached),
        (&[0x5b, 0x48], 1, Immovable::Undecodable),
    ];
    for (code, at, reason) in table {
        let expected = RelocateError {
            address: 0x1000 + at,
            reason,
        };
        assert_eq!(relocate(code, 0x1000, 0x2000), Err(expected), "{code:x?}");
    }
    // A branch and an operand more than 2 GiB away.
    for code in [&[0x75_u8, 0x10][..], &[0x48, 0x8b, 0x05, 0x10, 0, 0, 0]] {
        let error = relocate(code, 1 << 40, 0x40_0000).map_err(|error| error.reason);
        assert_eq!(error, Err(Immovable::OutOfReach));
    }
    let nothing = relocate(&[], 1, 2).expect("nothing");
    assert!(nothing.bytes.is_empty() && nothing.places.is_empty() && nothing.falls_through);
}

#[test]
fn jumps_near_and_far() {
    assert_eq!(jump(0x1000, 0x1000), [0xe9, 0xfb, 0xff, 0xff, 0xff]);
    assert_eq!(jump(0x1000, 0x8000_1004), [0xe9, 0xff, 0xff, 0xff, 0x7f]);
    let far = [0xff, 0x25, 0, 0, 0, 0, 0x05, 0x10, 0, 0x80, 0, 0, 0, 0];
    assert_eq!(jump(0x1000, 0x8000_1005), far);
    assert_eq!(jump_target(&[0xe9, 0x10, 0, 0, 0], 0x1000), Some(0x1015));
    assert_eq!(
        jump_target(&[0xe9, 0xfb, 0xff, 0xff, 0xff, 1], 0x1000),
        Some(0x1000)
    );
    assert_eq!(jump_target(&[0xe8, 0x10, 0, 0, 0], 0x1000), None);
    assert_eq!(jump_target(&[0xe9, 0x10, 0, 0], 0x1000), None);
    assert_eq!(displacement(8, 6), Some([0xfe, 0xff, 0xff, 0xff]));
    assert_eq!(displacement(0, 1 << 31), None);
}

#[test]
fn where_control_goes() {
    let table: [(&[u8], Flow); 12] = [
        (&[0x90], Flow::Next),
        (&[0xe9, 0x10, 0, 0, 0], Flow::Jump(0x1015)),
        (&[0x74, 0xfe], Flow::Branch(0x1000)),
        (&[0xe2, 0xfe], Flow::Branch(0x1000)),
        (&[0xc7, 0xf8, 0, 0, 0, 0], Flow::Branch(0x1006)),
        (&[0xe8, 0, 0, 0, 0], Flow::Call(0x1005)),
        (&[0xff, 0xe0], Flow::IndirectJump),
        (&[0xff, 0x24, 0xc5, 0, 0, 0x40, 0], Flow::IndirectJump),
        (&[0xff, 0x15, 0, 0, 0, 0], Flow::IndirectCall),
        (&[0xf3, 0xc3], Flow::Return),
        (&[0x0f, 0x05], Flow::System),
        (&[0x0f, 0x0b], Flow::System),
    ];
    for (code, flow) in table {
        let step = steps(code, 0x1000).next().expect("one").expect("whole");
        assert_eq!((step.flow, step.length), (flow, code.len()), "{code:x?}");
    }
    // Ends behind the first error.
    assert_eq!(steps(&[0x90, 0x06, 0x90], 0).count(), 2);
}

#[test]
fn literals() {
    // mov esi, 0x40daa2; mov rax, [rip+5]; jmp [0x401000+rax*8]; jmp +0.
    let code = [
        0xbe, 0xa2, 0xda, 0x40, 0, 0x48, 0x8b, 0x05, 5, 0, 0, 0, 0xff, 0x24, 0xc5, 0, 0x10, 0x40,
        0, 0xe9, 0, 0, 0, 0,
    ];
    let literal = |at| is_literal(&code, 0x1000, 0x1000 + at);
    let literals: Vec<u64> = (0..code.len() as u64)
        .filter(|at| literal(*at) == Ok(true))
        .collect();
    assert_eq!(literals, [1, 15]);
    assert!(literal(code.len() as u64).is_err());
    assert!(is_literal(&[0x06, 0x90], 0, 1).is_err());
}
