//! Which x86-64 instructions are nops, against the encodings of the Intel SDM (volume 2, NOP, table 4-12) and of GNU
//! `as` (`.nops 15`), and against a second decoder written out by hand.

use proptest::prelude::*;
use ptpytrace_arch::{Arch, HookStep, X86_64};

/// Intel's recommended nops of 1 to 9 bytes, then the assembler's longer ones.
const NOPS: [&str; 15] = [
    "90",
    "66 90",
    "0f 1f 00",
    "0f 1f 40 00",
    "0f 1f 44 00 00",
    "66 0f 1f 44 00 00",
    "0f 1f 80 00 00 00 00",
    "0f 1f 84 00 00 00 00 00",
    "66 0f 1f 84 00 00 00 00 00",
    "66 2e 0f 1f 84 00 00 00 00 00",
    "66 66 2e 0f 1f 84 00 00 00 00 00",
    "66 66 66 2e 0f 1f 84 00 00 00 00 00",
    "66 66 66 66 2e 0f 1f 84 00 00 00 00 00",
    "66 66 66 66 66 2e 0f 1f 84 00 00 00 00 00",
    "66 66 66 66 66 66 2e 0f 1f 84 00 00 00 00 00",
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.split(' ');
    digits
        .map(|it| u8::from_str_radix(it, 16).expect("hexadecimal"))
        .collect()
}

#[test]
fn recommended_nops() {
    for (hex, length) in NOPS.iter().zip(1usize..) {
        let mut code = bytes(hex);
        assert_eq!(code.len(), length, "{hex}");
        assert_eq!(X86_64.nop_len(&code), Some(length), "{hex}");
        assert_eq!(
            X86_64.hook_step(&code),
            Some(HookStep::Nop(length)),
            "{hex}"
        );
        // One byte short there is no whole instruction; one byte more changes nothing.
        assert_eq!(X86_64.nop_len(&code[..length - 1]), None, "{hex}");
        code.push(0xcc);
        assert_eq!(X86_64.nop_len(&code), Some(length), "{hex}");
    }
}

#[test]
fn other_nops() {
    // xchg %rax,%rax; nopl %eax; nopw (%rax); nopq (%rax); nopl with a 32-bit address; nopl (%r8); nopl %fs:(%rax)
    for hex in [
        "48 90",
        "0f 1f c0",
        "66 0f 1f 00",
        "48 0f 1f 00",
        "67 0f 1f 00",
        "41 0f 1f 00",
        "64 0f 1f 00",
    ] {
        let code = bytes(hex);
        assert_eq!(X86_64.nop_len(&code), Some(code.len()), "{hex}");
    }
}

#[test]
fn no_nops() {
    for (hex, what) in [
        ("f3 90", "pause"),
        ("f2 90", "reserved"),
        ("41 90", "xchg %eax,%r8d"),
        ("87 c0", "xchg %eax,%eax clears the upper half"),
        ("f0 90", "lock: invalid"),
        ("f0 0f 1f 00", "lock: invalid"),
        ("0f 1f 48 00", "0f 1f /1 is reserved"),
        ("0f 1f f8", "0f 1f /7 is reserved"),
        ("f3 0f 1f 00", "reserved"),
        ("0f 18 00", "prefetchnta"),
        ("0f 0d 00", "prefetch"),
        ("f3 0f 1e fa", "endbr64"),
        ("f3 0f 1e fb", "endbr32"),
        ("f3 48 0f 1e c8", "rdsspq %rax"),
        ("0f 1e fa", "reserved"),
        ("89 c0", "mov %eax,%eax clears the upper half"),
        ("8d 76 00", "lea"),
        ("cc", "int3"),
        ("c3", "ret"),
        ("e9 00 00 00 00", "jmp"),
        (
            "66 66 66 66 66 66 66 2e 0f 1f 84 00 00 00 00 00",
            "16 bytes are too long",
        ),
    ] {
        assert_eq!(X86_64.nop_len(&bytes(hex)), None, "{hex}: {what}");
    }
    assert_eq!(X86_64.nop_len(&[]), None);
}

fn add(to: usize, from: usize, addend: i64, narrow: bool, length: usize) -> Option<HookStep> {
    Some(HookStep::Add {
        to,
        from,
        addend,
        narrow,
        length,
    })
}

#[test]
fn hook_steps() {
    for (hex, step) in [
        ("f3 0f 1e fa 55", Some(HookStep::Nop(4))),
        ("f3 0f 1e fb", None),
        ("c3", Some(HookStep::Return(0))),
        ("f3 c3", Some(HookStep::Return(0))),
        ("f2 c3", Some(HookStep::Return(0))),
        ("c2 08 00", Some(HookStep::Return(8))),
        ("c2 ff ff", Some(HookStep::Return(0xffff))),
        ("c2 08", None),
        ("f3 0f 1e", None),
        ("cb", None),
        ("66 c3", None),
        // words: r12 3, rbp 4, rbx 5, rax 10, rsi 13, rdi 14, rsp 19
        ("55", Some(HookStep::Push { from: 4, length: 1 })),
        ("41 54", Some(HookStep::Push { from: 3, length: 2 })),
        ("66 55", None), // push bp
        ("6a 01", None), // push 1
        ("ff 30", None), // push [rax]
        ("48 83 ec 08", add(19, 19, -8, false, 4)),
        ("48 81 ec 98 00 00 00", add(19, 19, -0x98, false, 7)),
        ("48 83 c4 10", add(19, 19, 16, false, 4)),
        ("48 83 ef 08", None), // sub rdi, 8: its flags may matter
        ("83 ec 08", None),    // sub esp, 8
        ("8d 47 ff", add(10, 14, -1, true, 3)),
        ("48 8d 45 10", add(10, 4, 16, false, 4)),
        ("48 8d 05 10 00 00 00", None), // lea rax, [rip+16]
        ("48 8d 04 37", None),          // lea rax, [rdi+rsi]
        ("66 8d 47 ff", None),          // lea ax, [rdi-1]
        ("48 89 fb", add(5, 14, 0, false, 3)),
        ("89 fb", add(5, 14, 0, true, 2)),
        ("66 89 fb", None), // mov bx, di
        ("48 8b 1f", None), // mov rbx, [rdi]
        ("f3 90", None),
    ] {
        assert_eq!(X86_64.hook_step(&bytes(hex)), step, "{hex}");
    }
    assert_eq!(X86_64.hook_step(&[]), None);
}

/// A nop's length worked out from the SDM's instruction format: prefixes, REX, opcode, ModRM, SIB, displacement.
fn model(code: &[u8]) -> Option<usize> {
    let legacy = [0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
    let is_rex = |it: &u8| it & 0xf0 == 0x40;
    let prefix = |it: &&u8| legacy.contains(it) || is_rex(it);
    let at = code.iter().take_while(prefix).count();
    // REX counts only right before the opcode.
    let rex = at
        .checked_sub(1)
        .and_then(|last| code.get(last))
        .copied()
        .filter(is_rex);
    let length = match code.get(at..)? {
        // With REX.B it is an exchange with r8.
        [0x90, ..] if rex.is_none_or(|it| it & 1 == 0) => at + 1,
        [0x0f, 0x1f, modrm, rest @ ..] if modrm & 0o070 == 0 => {
            let (mode, rm) = (modrm >> 6, modrm & 7);
            let sib = mode != 3 && rm == 4;
            let no_base = match (sib, rest.first()) {
                (true, Some(sib)) => sib & 7 == 5,
                (true, None) => return None,
                (false, _) => rm == 5,
            };
            let displacement = match mode {
                0 if no_base => 4,
                1 => 1,
                2 => 4,
                _ => 0,
            };
            at + 3 + usize::from(sib) + displacement
        }
        _ => return None,
    };
    (length <= 15 && length <= code.len()).then_some(length)
}

fn code() -> impl Strategy<Value = Vec<u8>> {
    let prefix = prop::sample::select(vec![0x66u8, 0x67, 0x2e, 0x64, 0x3e, 0xf2, 0xf3, 0xf0]);
    let rex = prop::option::of(0x40..=0x4fu8);
    let opcode = prop::sample::select(vec![vec![0x90], vec![0x0f, 0x1f], vec![0x0f, 0x1e]]);
    let rest = prop::collection::vec(any::<u8>(), 0..9);
    let prefixes = prop::collection::vec(prefix, 0..9);
    (prefixes, rex, opcode, rest).prop_map(|(prefixes, rex, opcode, rest)| {
        [prefixes, rex.into_iter().collect(), opcode, rest].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn as_the_model_says(code in code()) {
        prop_assert_eq!(X86_64.nop_len(&code), model(&code));
    }

    #[test]
    fn any_bytes(code in prop::collection::vec(any::<u8>(), 0..20)) {
        prop_assert_eq!(X86_64.nop_len(&code), model(&code));
        X86_64.hook_step(&code);
    }
}
