//! Values at a hit: every size with and without a sign, and memory that ends in the middle.

use ptpytrace_arch::{AARCH64, Arch, ArgValue, Bytes, FetchError, ReadMemory, Registers, X86_64};

fn fetch(cpu: &dyn Arch, text: &str, memory: &Bytes<'_>) -> Result<ArgValue, FetchError> {
    let mut registers = Registers::default();
    registers.general[cpu.sp_index()] = 0x1ff8;
    let specs = cpu.parse_args(text).unwrap_or_else(|e| panic!("{e}"));
    specs[0].fetch(&registers, memory)
}

#[test]
fn every_size_and_sign() {
    use ArgValue::{Float, Signed, Unsigned};
    // As eight bytes the double -1.25 (0xbff4000000000000), as four the float -0.5 (0xbf000000).
    let double = [0, 0, 0, 0, 0, 0, 0xf4, 0xbf];
    let single = [0, 0, 0, 0xbf, 9, 9, 9, 9];
    let low = [0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88];
    let cases = [
        ("1", low, Unsigned(0x81)),
        ("-1", low, Signed(-0x7f)),
        ("2", low, Unsigned(0x8281)),
        ("-2", low, Signed(-0x7d7f)),
        ("4", low, Unsigned(0x8483_8281)),
        ("-4", low, Signed(-0x7b7c_7d7f)),
        ("8", low, Unsigned(0x8887_8685_8483_8281)),
        ("-8", low, Signed(-0x7778_797a_7b7c_7d7f)),
        ("8f", double, Float(-1.25)),
        ("4f", single, Float(-0.5)),
        ("-4f", single, Float(-0.5)),
    ];
    for (size, bytes, value) in cases {
        let bytes = &bytes;
        let base = 0x1ff8;
        let memory = Bytes { base, bytes };
        let (x86, arm) = (format!("{size}@(%rsp)"), format!("{size}@[sp]"));
        assert_eq!(fetch(&X86_64, &x86, &memory), Ok(value), "{x86}");
        assert_eq!(fetch(&AARCH64, &arm, &memory), Ok(value), "{arm}");
    }
}

#[test]
fn memory_that_ends() {
    // The page ends at 0x2000, eight bytes above the stack pointer.
    let bytes = &[1, 2, 3, 4, 5, 6, 7, 8];
    let base = 0x1ff8;
    let memory = Bytes { base, bytes };
    let missing = |address, size, read| {
        Err(FetchError::Memory {
            address,
            size,
            read,
        })
    };
    for (size, offset, result) in [
        (8, 0, Ok(ArgValue::Unsigned(0x0807_0605_0403_0201))),
        (8, 1, missing(0x1ff9, 8, 7)),
        (8, 8, missing(0x2000, 8, 0)),
        (4, 4, Ok(ArgValue::Unsigned(0x0807_0605))),
        (4, 6, missing(0x1ffe, 4, 2)),
        (2, 7, missing(0x1fff, 2, 1)),
        (1, 7, Ok(ArgValue::Unsigned(8))),
        (1, 8, missing(0x2000, 1, 0)),
        (1, -1, missing(0x1ff7, 1, 0)),
        (8, -0x1ff9, missing(u64::MAX, 8, 0)),
    ] {
        let x86 = format!("{size}@{offset}(%rsp)");
        assert_eq!(fetch(&X86_64, &x86, &memory), result, "{x86}");
        let arm = format!("{size}@[sp, {offset}]");
        assert_eq!(fetch(&AARCH64, &arm, &memory), result, "{arm}");
    }
}

#[test]
fn bytes_at_the_edges_of_the_address_space() {
    let base = u64::MAX - 1;
    let top = Bytes {
        base,
        bytes: &[1, 2],
    };
    let mut buffer = [0; 4];
    assert_eq!(top.read(base, &mut buffer), 2);
    assert_eq!(buffer, [1, 2, 0, 0]);
    assert_eq!(top.read(0, &mut buffer), 0);
    assert_eq!(top.read(u64::MAX, &mut buffer), 1);
    assert_eq!(top.read(base, &mut []), 0);
}

#[test]
fn conversions() {
    let value = ArgValue::Signed(-1);
    assert_eq!((value.as_u64(), value.as_i64()), (u64::MAX, -1));
    let value = ArgValue::Unsigned(u64::MAX);
    assert_eq!((value.as_u64(), value.as_i64()), (u64::MAX, -1));
    let value = ArgValue::Float(-2.75);
    assert_eq!((value.as_u64(), value.as_i64()), (0, -2));
    let value = ArgValue::Float(f64::NAN);
    assert_eq!((value.as_u64(), value.as_i64()), (0, 0));
    let value = ArgValue::Float(1e300);
    assert_eq!((value.as_u64(), value.as_i64()), (u64::MAX, i64::MAX));
}

#[test]
fn debug_shows_the_cpu() {
    let specs = X86_64.parse_args("8@%rax").expect("one register");
    assert_eq!(specs[0].arch().elf_machine(), 62);
    assert!(format!("{:?}", specs[0]).contains("arch: x86-64"));
}
