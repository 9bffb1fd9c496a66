//! x86-64 operands, against tables worked out by hand from AT&T syntax and `struct user_regs_struct`.

use ptpytrace_arch::{
    Arch, ArgSpec, ArgValue, Bytes, FetchError, Index, Location, Memory, Register, Registers,
    X86_64, for_machine,
};

fn one(text: &str) -> ArgSpec {
    let mut specs = X86_64.parse_args(text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(specs.len(), 1, "{text}");
    specs.remove(0)
}

fn register(name: &str) -> Register {
    X86_64.register(name).unwrap_or_else(|| panic!("{name}"))
}

/// Word *i* is 0x8070605040302010 with *i* added to each byte.
fn registers() -> Registers {
    let mut registers = Registers::default();
    for (word, value) in (0u64..).zip(&mut registers.general) {
        *value = word * 0x0101_0101_0101_0101 + 0x8070_6050_4030_2010;
    }
    registers
}

const NOTHING: Bytes = Bytes {
    base: 0,
    bytes: &[],
};

#[test]
fn cpu() {
    assert_eq!(X86_64.name(), "x86-64");
    assert_eq!(for_machine(62).map(Arch::name), Some("x86-64"));
    assert_eq!(for_machine(3).map(Arch::name), None);
    assert_eq!(X86_64.breakpoint(), [0xcc]);
    assert_eq!((X86_64.pc_index(), X86_64.sp_index()), (16, 19));
    assert_eq!(X86_64.pc_after_breakpoint(), 1);
}

/// sys/user.h, `struct user_regs_struct`: the order of its 27 members.
#[test]
fn every_register_name() {
    let words: [(&str, usize); 17] = [
        ("r15 r15d r15w r15b", 0),
        ("r14 r14d r14w r14b", 1),
        ("r13 r13d r13w r13b", 2),
        ("r12 r12d r12w r12b", 3),
        ("rbp ebp bp bpl", 4),
        ("rbx ebx bx bl", 5),
        ("r11 r11d r11w r11b", 6),
        ("r10 r10d r10w r10b", 7),
        ("r9 r9d r9w r9b", 8),
        ("r8 r8d r8w r8b", 9),
        ("rax eax ax al", 10),
        ("rcx ecx cx cl", 11),
        ("rdx edx dx dl", 12),
        ("rsi esi si sil", 13),
        ("rdi edi di dil", 14),
        ("rip", 16),
        ("rsp esp sp spl", 19),
    ];
    for (names, word) in words {
        for (name, bits) in names.split(' ').zip([64, 32, 16, 8]) {
            let found = register(name);
            assert_eq!(
                (found.word(), found.shift(), found.bits()),
                (word, 0, bits),
                "{name}"
            );
        }
    }
    for (name, word) in [("ah", 10), ("bh", 5), ("ch", 11), ("dh", 12)] {
        let found = register(name);
        assert_eq!(
            (found.word(), found.shift(), found.bits()),
            (word, 8, 8),
            "{name}"
        );
    }
    for name in [
        "", "%rax", "RAX", "r16", "r8l", "sih", "eip", "xmm0", "fs", "st",
    ] {
        assert_eq!(X86_64.register(name), None, "{name}");
    }
}

/// Values that need no memory: (argument, value), with rax = 0x8a7a6a5a4a3a2a1a.
#[test]
fn values_in_registers() {
    use ArgValue::{Signed, Unsigned};
    let cases = [
        ("8@%rax", Unsigned(0x8a7a_6a5a_4a3a_2a1a)),
        ("-8@%rax", Signed(0x8a7a_6a5a_4a3a_2a1a_u64 as i64)),
        ("%rax", Unsigned(0x8a7a_6a5a_4a3a_2a1a)),
        ("4@%eax", Unsigned(0x4a3a_2a1a)),
        ("-4@%eax", Signed(0x4a3a_2a1a)),
        ("-4@%rax", Signed(0x4a3a_2a1a)),
        ("2@%ax", Unsigned(0x2a1a)),
        ("-2@%rax", Signed(0x2a1a)),
        ("1@%al", Unsigned(0x1a)),
        ("1@%ah", Unsigned(0x2a)),
        ("4@%ah", Unsigned(0x2a)),
        // A size wider than the name takes the wider register.
        ("4@%si", Unsigned(0x4d3d_2d1d)),
        ("8@%rbp", Unsigned(0x8474_6454_4434_2414)),
        ("-4@%r14d", Signed(0x4131_2111)),
        ("2@%r9w", Unsigned(0x2818)),
        ("1@%r9b", Unsigned(0x18)),
        ("1@%sil", Unsigned(0x1d)),
        ("1@%dil", Unsigned(0x1e)),
        ("1@%bpl", Unsigned(0x14)),
        ("1@%spl", Unsigned(0x23)),
        ("1@%bh", Unsigned(0x25)),
        ("1@%ch", Unsigned(0x2b)),
        ("1@%dh", Unsigned(0x2c)),
        ("8@%rip", Unsigned(0x9080_7060_5040_3020)),
    ];
    for (text, value) in cases {
        let spec = one(text);
        assert!(!spec.needs_memory() && !spec.needs_vector(), "{text}");
        assert_eq!(spec.fetch(&registers(), &NOTHING), Ok(value), "{text}");
    }
}

#[test]
fn constants() {
    use ArgValue::{Float, Signed, Unsigned};
    let cases = [
        ("8@$5", Unsigned(5)),
        ("-4@$-1", Signed(-1)),
        ("4@$-1", Unsigned(0xffff_ffff)),
        ("8@$-1", Unsigned(u64::MAX)),
        ("8@$0xff", Unsigned(255)),
        ("8@$0XfF", Unsigned(255)),
        ("-1@$0xff", Signed(-1)),
        ("-2@$0x8000", Signed(-32768)),
        ("1@$256", Unsigned(0)),
        ("8@$18446744073709551615", Unsigned(u64::MAX)),
        ("-8@$-9223372036854775808", Signed(i64::MIN)),
        ("-8@$9223372036854775807", Signed(i64::MAX)),
        ("4f@$0x3f800000", Float(1.0)),
        ("8f@$0xc000000000000000", Float(-2.0)),
        ("-4@$-8+12-1", Signed(3)),
        ("$7", Unsigned(7)),
    ];
    for (text, value) in cases {
        let spec = one(text);
        assert_eq!(
            spec.fetch(&Registers::default(), &NOTHING),
            Ok(value),
            "{text}"
        );
        assert_eq!(&*spec.text, text);
    }
}

#[test]
fn memory_operands() {
    let base = |name: &str, displacement| Memory {
        base: Some(register(name)),
        displacement,
        ..Memory::default()
    };
    let index = |name: &str, scale| {
        Some(Index {
            register: register(name),
            scale,
            sign_extend: false,
        })
    };
    let symbol = |name: &str, displacement, pc_relative| Memory {
        symbol: Some(name.into()),
        displacement,
        pc_relative,
        ..Memory::default()
    };
    let cases = [
        ("-4@112(%rsp)", base("rsp", 112)),
        ("8@(%rsp)", base("rsp", 0)),
        ("-8@8(%rsp)", base("rsp", 8)),
        ("8@0x10(%rsp)", base("rsp", 16)),
        ("8@-0x1F(%rsp)", base("rsp", -31)),
        ("-4@-8+16-4(%rbp)", base("rbp", 4)),
        ("8@16(%rip)", base("rip", 16)),
        (
            "4@-8(%rbp,%rax,4)",
            Memory {
                index: index("rax", 4),
                ..base("rbp", -8)
            },
        ),
        (
            "4@-8( %rbp , %rax , 4 )",
            Memory {
                index: index("rax", 4),
                ..base("rbp", -8)
            },
        ),
        (
            "8@(%rbp,%r12)",
            Memory {
                index: index("r12", 1),
                ..base("rbp", 0)
            },
        ),
        (
            "4@(,%rax,8)",
            Memory {
                index: index("rax", 8),
                ..Memory::default()
            },
        ),
        (
            "4@4(%eax,%ecx,2)",
            Memory {
                index: index("ecx", 2),
                address_bits: 32,
                ..base("eax", 4)
            },
        ),
        (
            "4@(,%ecx,2)",
            Memory {
                index: index("ecx", 2),
                address_bits: 32,
                ..Memory::default()
            },
        ),
        ("8@sym(%rip)", symbol("sym", 0, true)),
        ("8@sym+8(%rip)", symbol("sym", 8, true)),
        ("8@8+sym(%rip)", symbol("sym", 8, true)),
        ("8@sym-8(%rip)", symbol("sym", -8, true)),
        ("8@.LC0(%rip)", symbol(".LC0", 0, true)),
        (
            "8@_ZN3foo3barE.llvm$1(%rip)",
            symbol("_ZN3foo3barE.llvm$1", 0, true),
        ),
        ("8@sym@GOTPCREL(%rip)", symbol("sym@GOTPCREL", 0, true)),
        ("8@sym", symbol("sym", 0, false)),
        ("sym+4", symbol("sym", 4, false)),
        (
            "8@table(,%rax,8)",
            Memory {
                index: index("rax", 8),
                ..symbol("table", 0, false)
            },
        ),
        (
            "8@4096",
            Memory {
                displacement: 4096,
                ..Memory::default()
            },
        ),
    ];
    for (text, memory) in cases {
        let spec = one(text);
        assert!(spec.needs_memory(), "{text}");
        assert_eq!(spec.location, Location::Memory(memory), "{text}");
    }
}

/// (argument, address) with rbp = 0x1000, rax = 0x20, ecx = 0xfffffff0, fs_base = 0x7000, gs_base = 0x9000,
/// rip = 0x400001.
#[test]
fn addresses() {
    let mut registers = Registers::default();
    for (word, value) in [
        (4, 0x1000),
        (10, 0x20),
        (11, 0xffff_fff0),
        (16, 0x40_0001),
        (21, 0x7000),
        (22, 0x9000),
    ] {
        registers.general[word] = value;
    }
    let cases = [
        ("1@(%rbp)", 0x1000),
        ("1@-8(%rbp,%rax,4)", 0x1078),
        ("1@(,%rax,8)", 0x100),
        ("1@-33(%rax)", u64::MAX),
        ("1@16(%rip)", 0x40_0011),
        ("1@(%ecx,%eax)", 0x10),
        ("1@(%rcx,%rax)", 0x1_0000_0010),
        ("1@%fs:0", 0x7000),
        ("1@%fs:0xfffffffffffffff8", 0x6ff8),
        ("1@%fs:-8(%rax)", 0x7018),
        ("1@%gs:(%rax)", 0x9020),
        ("1@%fs:(%ecx,%eax)", 0x7010),
        ("1@%ds:(%rbp)", 0x1000),
    ];
    for (text, address) in cases {
        let failure = FetchError::Memory {
            address,
            size: 1,
            read: 0,
        };
        let spec = one(text);
        assert_eq!(spec.fetch(&registers, &NOTHING), Err(failure), "{text}");
        let memory = Bytes {
            base: address,
            bytes: &[0x5a],
        };
        assert_eq!(
            spec.fetch(&registers, &memory),
            Ok(ArgValue::Unsigned(0x5a)),
            "{text}"
        );
    }
}

#[test]
fn vectors() {
    let mut registers = Registers::default();
    let spec = one("8f@%xmm0");
    assert!(spec.needs_vector());
    assert_eq!(spec.fetch(&registers, &NOTHING), Err(FetchError::Vector(0)));
    let mut vector = Box::new([[0u8; 16]; 32]);
    vector[0][..8].copy_from_slice(&1.5f64.to_le_bytes());
    vector[3][..4].copy_from_slice(&(-0.25f32).to_le_bytes());
    vector[31][..4].copy_from_slice(&[1, 2, 3, 0xff]);
    registers.vector = Some(vector);
    let fetch = |text: &str| one(text).fetch(&registers, &NOTHING);
    assert_eq!(fetch("8f@%xmm0"), Ok(ArgValue::Float(1.5)));
    assert_eq!(fetch("4f@%xmm3"), Ok(ArgValue::Float(-0.25)));
    assert_eq!(fetch("-4@%xmm31"), Ok(ArgValue::Signed(-0x00fc_fdff)));
    assert_eq!(one("8f@%ymm7").location, Location::Vector(7));
    assert_eq!(one("8f@%zmm16").location, Location::Vector(16));
}
