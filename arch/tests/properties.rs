//! Properties of argument specs on both CPUs: no text makes them panic, what is printed reads back as the same, and
//! values agree with a second model written from the field's definitions.

use proptest::prelude::*;
use ptpytrace_arch::{
    AARCH64, Arch, ArgValue, Bytes, FetchError, GENERAL_WORDS, ReadMemory, Registers, X86_64,
};

const CPUS: [&dyn Arch; 2] = [&X86_64, &AARCH64];

const NOTHING: Bytes = Bytes {
    base: 0,
    bytes: &[],
};

/// Reads all it can of a text and holds what it read to its promises.
fn hold(cpu: &dyn Arch, text: &str) -> Result<(), TestCaseError> {
    let Ok(each) = cpu.parse_each(text) else {
        return Ok(());
    };
    for found in each {
        match found {
            Ok(spec) => {
                let shown = spec.to_string();
                let again = cpu.parse_args(&shown);
                let again = again.map_err(|e| TestCaseError::fail(format!("{shown}: {e}")))?;
                let mut renamed = spec.clone();
                renamed.text = shown.into();
                prop_assert_eq!(again, vec![renamed]);
                let fetched = spec.fetch(&Registers::default(), &NOTHING);
                prop_assert_eq!(
                    spec.needs_vector(),
                    matches!(fetched, Err(FetchError::Vector(_)))
                );
                let resolved = spec.resolve(&|_| Some(u64::MAX));
                prop_assert!(resolved.is_ok_and(|it| it.symbols().next().is_none()));
            }
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}");
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
    Ok(())
}

/// What an argument of the model is made of.
#[derive(Clone, Debug)]
enum Place {
    Constant(i64),
    Register(usize),
    Vector(usize),
    /// An address as a sum, modulo 2^64.
    Memory(Vec<Term>),
}

/// One summand of an address.
#[derive(Clone, Debug)]
enum Term {
    Number(i64),
    /// A word's low bits, taken as signed or not, times a factor.
    Word(usize, u32, bool, i128),
}

/// The x86-64 registers in the order of `struct user_regs_struct`, their low parts by the rules of naming.
const X86_WORDS: &str =
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp";

fn x86_register() -> impl Strategy<Value = (String, usize)> {
    let words: Vec<(String, usize)> = X86_WORDS.split(' ').map(str::to_owned).zip(0..).collect();
    let general =
        |(name, _): &(String, usize)| !["orig_rax", "rip", "cs", "eflags"].contains(&&**name);
    prop::sample::select(words.into_iter().filter(general).collect::<Vec<_>>())
}

/// The name of the part of a 64-bit register that has this many bytes.
fn part(name: &str, bytes: u8) -> String {
    let numbered = name.as_bytes()[1].is_ascii_digit();
    let short = &name[1..];
    match (numbered, bytes) {
        (_, 8) => name.to_owned(),
        (true, 4) => format!("{name}d"),
        (true, 2) => format!("{name}w"),
        (true, _) => format!("{name}b"),
        (false, 4) => format!("e{short}"),
        (false, 2) => short.to_owned(),
        (false, _) => match short.strip_suffix('x') {
            Some(letter) => format!("{letter}l"),
            None => format!("{short}l"),
        },
    }
}

fn x86_operand(size: u8) -> impl Strategy<Value = (String, Place)> {
    let index = (x86_register(), prop::sample::select(vec![1i128, 2, 4, 8]));
    let index = index.prop_filter("rsp is no index", |((name, _), _)| name != "rsp");
    let base = x86_register().prop_map(|(name, word)| (format!("%{name}"), word));
    let memory = (
        any::<i64>(),
        prop::option::of(base),
        prop::option::of(index),
        any::<bool>(),
    )
        .prop_map(|(number, base, index, thread_local)| {
            let mut terms = vec![Term::Number(number)];
            let mut text = String::new();
            if thread_local {
                text.push_str("%fs:");
                terms.push(Term::Word(21, 64, false, 1));
            }
            text += &number.to_string();
            if base.is_some() || index.is_some() {
                text.push('(');
            }
            let closed = base.is_some() || index.is_some();
            if let Some((name, word)) = base {
                text += &name;
                terms.push(Term::Word(word, 64, false, 1));
            }
            if let Some(((name, word), scale)) = index {
                text += &format!(",%{name},{scale}");
                terms.push(Term::Word(word, 64, false, scale));
            }
            if closed {
                text.push(')');
            }
            (text, Place::Memory(terms))
        });
    prop_oneof![
        any::<i64>().prop_map(|it| (format!("${it}"), Place::Constant(it))),
        x86_register().prop_map(move |(name, word)| (
            format!("%{}", part(&name, size)),
            Place::Register(word)
        )),
        (0..32usize).prop_map(|it| (format!("%xmm{it}"), Place::Vector(it))),
        memory,
    ]
}

fn arm_operand(size: u8) -> impl Strategy<Value = (String, Place)> {
    let letter = if size == 8 { 'x' } else { 'w' };
    let base = || {
        (0..32usize).prop_map(|it| {
            (
                if it == 31 {
                    "sp".to_owned()
                } else {
                    format!("x{it}")
                },
                it,
            )
        })
    };
    let extend = prop::sample::select(vec![
        ("lsl", 64u32, false),
        ("uxtw", 32, false),
        ("sxtw", 32, true),
    ]);
    prop_oneof![
        any::<i64>().prop_map(|it| (it.to_string(), Place::Constant(it))),
        (0..31usize).prop_map(move |it| (format!("{letter}{it}"), Place::Register(it))),
        (0..32usize).prop_map(|it| (format!("v{it}"), Place::Vector(it))),
        (base(), any::<i64>()).prop_map(|((name, word), number)| {
            let terms = vec![Term::Word(word, 64, false, 1), Term::Number(number)];
            (format!("[{name}, {number}]"), Place::Memory(terms))
        }),
        (base(), 0..31usize, extend, 0..5u32).prop_map(
            |((name, word), index, (kind, bits, signed), shift)| {
                let letter = if bits == 64 { 'x' } else { 'w' };
                let scaled = Term::Word(index, bits, signed, 1 << shift);
                let terms = vec![Term::Word(word, 64, false, 1), scaled];
                (
                    format!("[{name}, {letter}{index}, {kind} {shift}]"),
                    Place::Memory(terms),
                )
            }
        ),
    ]
}

fn size() -> impl Strategy<Value = (u8, bool, bool)> {
    let whole = (
        prop::sample::select(vec![1u8, 2, 4, 8]),
        any::<bool>(),
        Just(false),
    );
    let float = (prop::sample::select(vec![4u8, 8]), Just(false), Just(true));
    prop_oneof![4 => whole, 1 => float]
}

/// An argument of a CPU: its index in [`CPUS`], its text, size, sign, floating point, and its meaning.
type Case = (usize, String, (u8, bool, bool), Place);

fn argument() -> impl Strategy<Value = Case> {
    size().prop_flat_map(|(size, signed, float)| {
        let x86 = x86_operand(size).prop_map(|it| (0, it));
        let arm = arm_operand(size).prop_map(|it| (1, it));
        prop_oneof![x86, arm].prop_map(move |(cpu, (operand, place))| {
            let sign = if signed { "-" } else { "" };
            let letter = if float { "f" } else { "" };
            (
                cpu,
                format!("{sign}{size}{letter}@{operand}"),
                (size, signed, float),
                place,
            )
        })
    })
}

/// Memory in which the byte at each address is a hash of the address, so that a wrong address gives a wrong value.
struct Hashed;

fn hash(address: u64) -> u8 {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

impl ReadMemory for Hashed {
    fn read(&self, addr: u64, buf: &mut [u8]) -> usize {
        for (byte, offset) in buf.iter_mut().zip(0u64..) {
            *byte = hash(addr.wrapping_add(offset));
        }
        buf.len()
    }
}

fn modelled_bytes(place: &Place, registers: &Registers) -> [u8; 8] {
    let address = match place {
        Place::Constant(value) => return value.to_le_bytes(),
        Place::Register(word) => return registers.general[*word].to_le_bytes(),
        Place::Vector(number) => {
            let all = registers.vector.as_ref().expect("given")[*number];
            return std::array::from_fn(|at| all[at]);
        }
        Place::Memory(terms) => terms.iter().map(|term| match term {
            Term::Number(number) => i128::from(*number),
            Term::Word(word, bits, signed, factor) => {
                let value = i128::from(registers.general[*word]) % (1i128 << bits);
                let negative = *signed && value >= 1i128 << (bits - 1);
                (value - if negative { 1i128 << bits } else { 0 }) * factor
            }
        }),
    };
    let address = address.sum::<i128>().rem_euclid(1i128 << 64) as u64;
    std::array::from_fn(|at| hash(address.wrapping_add(at as u64)))
}

/// The value that the first bytes make, by the standard library's own conversions.
fn modelled_value(bytes: [u8; 8], (size, signed, float): (u8, bool, bool)) -> ArgValue {
    let [a, b, c, d, ..] = bytes;
    match (size, signed, float) {
        (4, _, true) => ArgValue::Float(f32::from_le_bytes([a, b, c, d]).into()),
        (_, _, true) => ArgValue::Float(f64::from_le_bytes(bytes)),
        (1, true, _) => ArgValue::Signed(i8::from_le_bytes([a]).into()),
        (2, true, _) => ArgValue::Signed(i16::from_le_bytes([a, b]).into()),
        (4, true, _) => ArgValue::Signed(i32::from_le_bytes([a, b, c, d]).into()),
        (_, true, _) => ArgValue::Signed(i64::from_le_bytes(bytes)),
        (1, false, _) => ArgValue::Unsigned(a.into()),
        (2, false, _) => ArgValue::Unsigned(u16::from_le_bytes([a, b]).into()),
        (4, false, _) => ArgValue::Unsigned(u32::from_le_bytes([a, b, c, d]).into()),
        (_, false, _) => ArgValue::Unsigned(u64::from_le_bytes(bytes)),
    }
}

/// Equality under which two NaNs of the same bits are equal.
fn bits(value: ArgValue) -> (u8, u64) {
    match value {
        ArgValue::Signed(it) => (0, it as u64),
        ArgValue::Unsigned(it) => (1, it),
        ArgValue::Float(it) => (2, it.to_bits()),
    }
}

fn registers() -> impl Strategy<Value = Registers> {
    let word = prop_oneof![
        any::<u64>(),
        0..256u64,
        Just(u64::MAX),
        Just(1 << 31),
        Just(0x7fff_ffff)
    ];
    let general = prop::collection::vec(word, GENERAL_WORDS);
    let vector = prop::collection::vec(any::<[u8; 16]>(), 32);
    (general, vector).prop_map(|(general, vector)| Registers {
        general: std::array::from_fn(|at| general[at]),
        vector: Some(Box::new(std::array::from_fn(|at| vector[at]))),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text(text in any::<String>()) {
        for cpu in CPUS {
            hold(cpu, &text)?;
        }
    }

    #[test]
    fn text_of_the_syntax(text in "([-+$%#@:,()\\[\\]xwvdsf *0-9a-f.]|%r|8@|%fs:|:lo12:|sym|, |sxtw |rip|é){0,24}") {
        for cpu in CPUS {
            hold(cpu, &text)?;
            hold(cpu, &format!("8@{text}"))?;
        }
    }

    #[test]
    fn fetch_agrees_with_the_model((cpu, text, kind, place) in argument(), registers in registers()) {
        let cpu = CPUS[cpu];
        let specs = cpu.parse_args(&text);
        let specs = specs.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(specs.len(), 1);
        let found = specs[0].fetch(&registers, &Hashed).map(bits);
        let value = modelled_value(modelled_bytes(&place, &registers), kind);
        prop_assert_eq!(found, Ok(bits(value)), "{}", text);
        hold(cpu, &text)?;
    }

    #[test]
    fn notes_of_many_arguments(arguments in prop::collection::vec(argument(), 0..40)) {
        for (number, cpu) in CPUS.into_iter().enumerate() {
            let texts = arguments.iter().filter(|it| it.0 == number).map(|it| it.1.clone());
            let texts: Vec<String> = texts.collect();
            let specs = cpu.parse_args(&texts.join(" "));
            let specs = specs.map_err(|e| TestCaseError::fail(e.to_string()))?;
            let read: Vec<String> = specs.iter().map(|it| it.text.to_string()).collect();
            prop_assert_eq!(read, texts);
        }
    }
}
