//! Whole argument strings of x86-64 notes: symbols, several arguments, and what is refused and where.

use ptpytrace_arch::{
    Arch, ArgError, ArgSpec, ArgValue, Bytes, FetchError, Reason, Registers, X86_64,
};

fn one(text: &str) -> ArgSpec {
    let mut specs = X86_64.parse_args(text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(specs.len(), 1, "{text}");
    specs.remove(0)
}

fn fault(text: &str) -> ArgError {
    match X86_64.parse_args(text) {
        Ok(specs) => panic!("{text} was read as {specs:?}"),
        Err(error) => error,
    }
}

#[test]
fn symbols_are_resolved() {
    let lookup = |name: &str| match name {
        "sym" => Some(0x5000),
        "top" => Some(u64::MAX),
        _ => None,
    };
    let memory = Bytes {
        base: 0x4ff8,
        bytes: &[
            1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
        ],
    };
    for (text, value) in [
        ("8@sym-8(%rip)", 1),
        ("8@sym(%rip)", 2),
        ("8@sym+8(%rip)", 3),
        ("8@sym", 2),
        ("8@$sym", 0x5000),
        ("8@$sym+16", 0x5010),
        ("8@$top+2", 1),
        ("2@$sym+0x10000", 0x5000),
    ] {
        let spec = one(text);
        assert_eq!(spec.symbols().count(), 1, "{text}");
        let unresolved = spec.fetch(&Registers::default(), &memory);
        assert!(
            matches!(unresolved, Err(FetchError::Unresolved(_))),
            "{text}"
        );
        let spec = spec.resolve(&lookup).expect(text);
        assert_eq!(spec.symbols().count(), 0, "{text}");
        let value = Ok(ArgValue::Unsigned(value));
        assert_eq!(spec.fetch(&Registers::default(), &memory), value, "{text}");
        assert_eq!(&*spec.text, text);
    }
    let spec = one("8@8+_errno@tpoff(%rip)");
    assert_eq!(spec.symbols().collect::<Vec<_>>(), ["_errno@tpoff"]);
    let error = spec.resolve(&lookup).expect_err("not in the table");
    assert_eq!(error.reason, Reason::UnknownSymbol("_errno@tpoff".into()));
    assert_eq!(error.span, 4..16);
    let spec = one("8@%rax");
    assert_eq!(spec.resolve(&|_| None), Ok(spec.clone()));
}

#[test]
fn whole_notes() {
    let note = "8@%rbp -4@%eax\t1@%al  2@%ax 8@$5 -4@$-1 -4@112(%rsp) 8@(%rsp) 4@-8(%rbp,%rax,4) 8@sym(%rip)\n";
    let specs = X86_64.parse_args(note).expect(note);
    let shown: Vec<String> = specs.iter().map(ToString::to_string).collect();
    assert_eq!(shown, note.split_ascii_whitespace().collect::<Vec<_>>());
    for empty in ["", " ", "\t\n "] {
        assert_eq!(X86_64.parse_args(empty), Ok(vec![]));
    }
    let each = X86_64.parse_each("8@%rax 16@%xmm0 -4@%edx").expect("short");
    let good: Vec<bool> = each.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, true]);
}

#[test]
fn faults() {
    use Reason::{AddressRegister, Expected, Number, Register as NoRegister, Scale, Size};
    let cases = [
        ("16@%rax", 0..2, Size),
        ("3@%rax", 0..1, Size),
        ("0@%rax", 0..1, Size),
        ("@%rax", 0..0, Size),
        ("-@%rax", 0..1, Size),
        ("--4@%rax", 0..3, Size),
        ("2f@%rax", 0..2, Size),
        ("4g@%rax", 0..2, Size),
        ("99999999999999999999@%rax", 0..20, Size),
        ("8@%foo", 2..6, NoRegister),
        ("8@%", 2..3, NoRegister),
        ("8@%st", 2..5, NoRegister),
        ("8@%xmm32", 2..8, NoRegister),
        ("8@%xmm01", 2..8, NoRegister),
        ("8@%fs", 2..5, NoRegister),
        ("8@(%foo)", 3..7, NoRegister),
        ("8@%rax:8", 2..7, AddressRegister),
        ("8@(%al)", 3..6, AddressRegister),
        ("8@(%rax,%ecx)", 8..12, AddressRegister),
        ("8@(%rax,%rsp)", 8..12, AddressRegister),
        ("8@(%rax,%rip)", 8..12, AddressRegister),
        ("8@(,%ah,1)", 4..7, AddressRegister),
        ("8@(%rax,%rcx,3)", 13..14, Scale),
        ("8@(%rax,%rcx,16)", 13..15, Scale),
        ("8@(%rax,%rcx,x)", 13..14, Expected("a number")),
        ("8@(%rax", 7..7, Expected("`)`")),
        ("8@(%rip,%rax)", 7..8, Expected("`)`")),
        ("8@()", 3..4, Expected("a register")),
        ("8@(%rax,4)", 8..9, Expected("a register")),
        ("8@", 2..2, Expected("an operand")),
        ("8@$", 3..3, Expected("an operand")),
        ("8@*%rax", 2..3, Expected("an operand")),
        ("8@%rax)", 6..7, Expected("the end of the argument")),
        ("8@$5x", 4..5, Expected("the end of the argument")),
        ("8@$0x", 5..5, Expected("a number")),
        ("8@$--5", 4..5, Expected("a number")),
        ("8@$-sym", 4..5, Expected("a number")),
        ("8@a+b", 4..5, Expected("a number")),
        ("8@$18446744073709551616", 3..23, Number),
        ("8@$-9223372036854775809", 3..23, Number),
        ("8@$0x10000000000000000", 3..22, Number),
        ("8@%rbp 4@%é", 9..10, NoRegister),
    ];
    for (text, span, reason) in cases {
        let error = fault(text);
        assert_eq!((&error.span, &error.reason), (&span, &reason), "{text}");
        assert!(text.contains(&*error.text) && !error.text.is_empty());
    }
}

#[test]
fn limits() {
    let many = "8@%rax ".repeat(64);
    assert_eq!(X86_64.parse_args(&many).map(|it| it.len()), Ok(64));
    let error = fault(&format!("{many}8@%rbx"));
    assert_eq!(error.reason, Reason::TooMany);
    assert_eq!(error.span, 448..454);
    let long = format!("8@%rax{}", " ".repeat(65536 - 6));
    assert_eq!(X86_64.parse_args(&long).map(|it| it.len()), Ok(1));
    assert_eq!(fault(&format!("{long} ")).reason, Reason::TooLong);
    let shown = fault(&format!("8@%\u{1b}[{}", "é".repeat(1000))).to_string();
    assert!(shown.len() < 400 && !shown.contains('\u{1b}'), "{shown}");
}
