//! aarch64 operands, against tables worked out by hand from the Arm assembler's syntax and `struct user_pt_regs`.

use ptpytrace_arch::{
    AARCH64, Arch, ArgError, ArgSpec, ArgValue, Bytes, FetchError, HookStep, Location, Reason,
    Registers, X86_64, for_machine,
};

fn one(text: &str) -> ArgSpec {
    let mut specs = AARCH64.parse_args(text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(specs.len(), 1, "{text}");
    specs.remove(0)
}

fn fault(text: &str) -> ArgError {
    match AARCH64.parse_args(text) {
        Ok(specs) => panic!("{text} was read as {specs:?}"),
        Err(error) => error,
    }
}

const NOTHING: Bytes = Bytes {
    base: 0,
    bytes: &[],
};

#[test]
fn cpu() {
    assert_eq!(AARCH64.name(), "aarch64");
    assert_eq!(for_machine(183).map(Arch::name), Some("aarch64"));
    assert_eq!((AARCH64.pc_index(), AARCH64.sp_index()), (32, 31));
    assert_eq!(AARCH64.pc_after_breakpoint(), 0);
    // brk #imm16 is 0xd4200000 | imm16 << 5.
    assert_eq!(AARCH64.breakpoint(), 0xd420_0000_u32.to_le_bytes());
    assert_ne!(for_machine(183), for_machine(62));
    let dynamic: &dyn Arch = &X86_64;
    assert_eq!(for_machine(62), Some(dynamic));
}

#[test]
fn instructions() {
    let code = |word: u32| word.to_le_bytes();
    assert_eq!(AARCH64.nop_len(&code(0xd503_201f)), Some(4));
    assert_eq!(AARCH64.nop_len(&[0x1f, 0x20, 0x03, 0xd5, 0xff]), Some(4));
    assert_eq!(AARCH64.nop_len(&[0x1f, 0x20, 0x03]), None);
    // yield, wfe, bti, bti c, paciasp, ret, mov w0, w0
    for word in [
        0xd503_203f,
        0xd503_205f,
        0xd503_241f,
        0xd503_245f,
        0xd503_233f,
        0xd65f_03c0,
        0x2a00_03e0,
    ] {
        assert_eq!(AARCH64.nop_len(&code(word)), None, "{word:#x}");
    }
    let steps = [
        (0xd503_201f, Some(HookStep::Nop(4))),
        // bti, bti c, bti j, bti jc
        (0xd503_241f, Some(HookStep::Nop(4))),
        (0xd503_245f, Some(HookStep::Nop(4))),
        (0xd503_249f, Some(HookStep::Nop(4))),
        (0xd503_24df, Some(HookStep::Nop(4))),
        // ret, ret x29, retaa, paciasp, the hint after bti jc, stp x29, x30, [sp, -16]!
        (0xd65f_03c0, Some(HookStep::Return(0))),
        (0xd65f_03a0, None),
        (0xd65f_0bff, None),
        (0xd503_233f, None),
        (0xd503_251f, None),
        (0xa9bf_7bfd, None),
    ];
    for (word, step) in steps {
        assert_eq!(AARCH64.hook_step(&code(word)), step, "{word:#x}");
    }
    assert_eq!(AARCH64.hook_step(&[]), None);
}

/// asm/ptrace.h, `struct user_pt_regs`: regs[31], sp, pc, pstate.
#[test]
fn every_register_name() {
    let place = |name: &str| {
        let it = AARCH64.register(name)?;
        Some((it.word(), it.shift(), it.bits()))
    };
    for number in 0..31 {
        assert_eq!(place(&format!("x{number}")), Some((number, 0, 64)));
        assert_eq!(place(&format!("w{number}")), Some((number, 0, 32)));
    }
    let others = [
        ("sp", 31, 64),
        ("wsp", 31, 32),
        ("pc", 32, 64),
        ("fp", 29, 64),
        ("lr", 30, 64),
        ("ip0", 16, 64),
        ("ip1", 17, 64),
    ];
    for (name, word, bits) in others {
        assert_eq!(place(name), Some((word, 0, bits)), "{name}");
    }
    for name in ["", "x", "x31", "x01", "x-1", "w31", "X0", "r0", "v0", "xzr"] {
        assert_eq!(place(name), None, "{name}");
    }
}

/// With x0 = 0x1000, x1 = 3, x2 = 0xffffffff_fffffffe, x19 = 0x2000, x29 = 29, x30 = 30, sp = 0x3000.
fn registers() -> Registers {
    let mut registers = Registers::default();
    for (word, value) in [
        (0, 0x1000),
        (1, 3),
        (2, u64::MAX - 1),
        (19, 0x2000),
        (29, 29),
        (30, 30),
        (31, 0x3000),
    ] {
        registers.general[word] = value;
    }
    registers
}

#[test]
fn values() {
    use ArgValue::{Signed, Unsigned};
    let cases = [
        ("8@x0", Unsigned(0x1000)),
        ("4@w1", Unsigned(3)),
        ("-4@w2", Signed(-2)),
        ("4@x2", Unsigned(0xffff_fffe)),
        ("-4@x2", Signed(-2)),
        ("-2@w2", Signed(-2)),
        ("1@w2", Unsigned(0xfe)),
        ("x30", Unsigned(30)),
        ("8@lr", Unsigned(30)),
        ("8@x29", Unsigned(29)),
        ("8@fp", Unsigned(29)),
        ("8@sp", Unsigned(0x3000)),
        ("8@xzr", Unsigned(0)),
        ("-4@wzr", Signed(0)),
        ("8@8", Unsigned(8)),
        ("-4@-1", Signed(-1)),
        ("4@#-1", Unsigned(0xffff_ffff)),
        ("8@#0x10", Unsigned(16)),
        ("8@0XFF", Unsigned(255)),
        ("8@18446744073709551615", Unsigned(u64::MAX)),
        ("5", Unsigned(5)),
    ];
    for (text, value) in cases {
        let spec = one(text);
        assert!(!spec.needs_memory() && !spec.needs_vector(), "{text}");
        assert_eq!(spec.fetch(&registers(), &NOTHING), Ok(value), "{text}");
    }
}

#[test]
fn addresses() {
    let cases = [
        ("-4@[sp, 28]", 0x301c),
        ("8@[x1]", 3),
        ("-4@[x19, 112]", 0x2070),
        ("8@[x19,112]", 0x2070),
        ("8@[ x19 , #112 ]", 0x2070),
        ("8@[x0, #16]", 0x1010),
        ("8@[x0, -8]", 0xff8),
        ("8@[x0, #-0x10]", 0xff0),
        ("8@[x0, x1]", 0x1003),
        ("8@[x0, x1, lsl 3]", 0x1018),
        ("8@[x0, x1, lsl #4]", 0x1030),
        ("8@[x0, x2]", 0xffe),
        ("8@[x0, x2, sxtx 1]", 0xffc),
        ("8@[x0, w2, sxtw 2]", 0xff8),
        ("8@[x0, w2, sxtw]", 0xffe),
        ("8@[x0, w2, uxtw]", 0x1_0000_0ffe),
        ("8@[x0, w2, uxtw #3]", 0x8_0000_0ff0),
        ("8@[x0, w1, uxtw 0]", 0x1003),
        ("8@[x0, xzr]", 0x1000),
        ("8@[sp, wzr, sxtw 2]", 0x3000),
        ("8@[x1, -4]", u64::MAX),
    ];
    for (text, address) in cases {
        let spec = one(text);
        assert!(spec.needs_memory(), "{text}");
        let size = usize::from(spec.size);
        let read = 0;
        let failure = FetchError::Memory {
            address,
            size,
            read,
        };
        assert_eq!(spec.fetch(&registers(), &NOTHING), Err(failure), "{text}");
    }
}

#[test]
fn vectors() {
    let mut registers = Registers::default();
    let mut vector = Box::new([[0u8; 16]; 32]);
    vector[0][..8].copy_from_slice(&2.5f64.to_le_bytes());
    vector[1][..4].copy_from_slice(&0.5f32.to_le_bytes());
    vector[31][..8].copy_from_slice(&(-7i64).to_le_bytes());
    registers.vector = Some(vector);
    let fetch = |text: &str| one(text).fetch(&registers, &NOTHING);
    assert_eq!(fetch("8f@d0"), Ok(ArgValue::Float(2.5)));
    assert_eq!(fetch("8f@v0"), Ok(ArgValue::Float(2.5)));
    assert_eq!(fetch("4f@s1"), Ok(ArgValue::Float(0.5)));
    // GCC keeps an integer there when it runs out of general registers.
    assert_eq!(fetch("-8@v31"), Ok(ArgValue::Signed(-7)));
    assert_eq!(one("8f@q3").location, Location::Vector(3));
    let missing = one("8f@d0").fetch(&Registers::default(), &NOTHING);
    assert_eq!(missing, Err(FetchError::Vector(0)));
}

#[test]
fn symbols_are_resolved() {
    let lookup = |name: &str| (name == ".LANCHOR2").then_some(0x1234_5ff8);
    let mut registers = Registers::default();
    // What `adrp x21, .LANCHOR2` leaves.
    registers.general[21] = 0x1234_5000;
    let memory = Bytes {
        base: 0x1234_5ff8,
        bytes: &[9, 0, 0, 0, 8, 0, 0, 0],
    };
    for (text, value) in [
        ("4@[x21, #:lo12:.LANCHOR2]", 9),
        ("4@[x21, :lo12:.LANCHOR2]", 9),
        ("4@[x21, :lo12:.LANCHOR2+4]", 8),
        ("8@.LANCHOR2", 0x1234_5ff8),
        ("8@#.LANCHOR2-8", 0x1234_5ff0),
    ] {
        let spec = one(text);
        assert_eq!(spec.symbols().collect::<Vec<_>>(), [".LANCHOR2"]);
        let unresolved = FetchError::Unresolved(".LANCHOR2".into());
        assert_eq!(spec.fetch(&registers, &memory), Err(unresolved));
        let spec = spec.resolve(&lookup).expect(text);
        let value = Ok(ArgValue::Unsigned(value));
        assert_eq!(spec.fetch(&registers, &memory), value, "{text}");
    }
    // The sum wraps within the 12 bits, as the linker computes it.
    let spec = one("4@[x21, :lo12:.LANCHOR2+8]").resolve(&lookup);
    assert_eq!(spec.map(|it| it.to_string()), Ok("4@[x21]".to_owned()));
    let error = one("4@[x21, :lo12:other]").resolve(&lookup);
    let reason = error.expect_err("not in the table").reason;
    assert_eq!(reason, Reason::UnknownSymbol("other".into()));
}

#[test]
fn whole_notes() {
    let note = "8@x25 -4@[x22] 8@x3 2@[x22, 20] -4@[sp, 128]\t2@[x0, w1, sxtw 2]  8@8";
    let specs = AARCH64.parse_args(note).expect(note);
    let shown: Vec<String> = specs.iter().map(ToString::to_string).collect();
    let expected = [
        "8@x25",
        "-4@[x22]",
        "8@x3",
        "2@[x22, 20]",
        "-4@[sp, 128]",
        "2@[x0, w1, sxtw 2]",
        "8@8",
    ];
    assert_eq!(shown, expected);
    assert!(
        specs
            .iter()
            .zip(expected)
            .all(|(it, text)| *it.text == *text)
    );
    assert_eq!(AARCH64.parse_args(""), Ok(vec![]));
}

#[test]
fn faults() {
    use Reason::{AddressRegister, Expected, Number, Register, Scale, Size};
    let cases = [
        ("16@v0", 0..2, Size),
        ("8@x31", 2..5, Register),
        ("8@w31", 2..5, Register),
        ("8@d32", 2..5, Register),
        ("8@[x31]", 3..6, Register),
        ("8@[xzr]", 3..6, Register),
        ("8@[]", 3..3, Register),
        ("8@[w0]", 3..5, AddressRegister),
        ("8@[pc, 8]", 3..5, AddressRegister),
        ("8@[x0, sp]", 7..9, AddressRegister),
        ("8@[x0, pc]", 7..9, AddressRegister),
        ("8@[x0, y1]", 7..9, Register),
        ("8@[x0, w1]", 9..10, Expected("`, uxtw` or `, sxtw`")),
        ("8@[x0, w1, lsl 3]", 11..14, Expected("`uxtw` or `sxtw`")),
        ("8@[x0, x1, uxtw 3]", 11..15, Expected("`lsl` or `sxtx`")),
        ("8@[x0, x1, lsl 5]", 15..16, Scale),
        ("8@[x0, x1, lsl x]", 15..16, Expected("a number")),
        ("8@[x0, 8]!", 9..10, Expected("the end of the argument")),
        ("8@[x0], 8", 6..7, Expected("the end of the argument")),
        ("8@[x0, 8", 8..8, Expected("`]`")),
        ("8@[x0 8]", 6..7, Expected("`]`")),
        ("8@[x0, :lo12:4]", 13..14, Expected("a symbol")),
        ("8@[x0, #sym]", 8..11, Expected("a number")),
        ("8@[x0, :got_lo12:sym]", 7..8, Expected("an operand")),
        ("8@%x0", 2..3, Expected("an operand")),
        ("8@v0.d[0]", 2..6, Register),
        ("8@v0.2d", 2..7, Register),
        ("8@x0+8", 2..6, Register),
        ("8@sp-16", 2..7, Register),
        ("8@#lr", 2..5, Register),
        ("8@x0,", 2..4, Register),
        ("8@", 2..2, Expected("an operand")),
        ("8@#", 3..3, Expected("an operand")),
        ("8@18446744073709551616", 2..22, Number),
    ];
    for (text, span, reason) in cases {
        let error = fault(text);
        assert_eq!((&error.span, &error.reason), (&span, &reason), "{text}");
    }
}
