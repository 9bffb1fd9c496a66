//! Sites within callbacks: what a called function keeps is kept, a function that is ruled out is refused, and texts that
//! are pinned are not looked at again; globs are matched as [`Names::want`] matches them.

use std::ffi::CString;

use proptest::prelude::*;
use ptpytrace_arch::Registers;

use super::machine::Machine;
use super::{Rig, arguments, function_arguments, site, text};
use crate::fastpath::recorder::{Callback, Code, Site};
use crate::fastpath::ring::record::{Argument, Wanted};
use crate::plan::{Compare, Names, Operand, Subject, Test};
use crate::probe::glob::Glob;

/// Words of registers: `r15`, `r14`, `r13`, `r12`, `rbp`, `rbx` are 0 to 5.
const NAME: usize = 0;
const FILE: usize = 1;
const LINE: usize = 2;
const CALLBACK: Callback = Callback {
    result: 4,
    refusal: 3,
    pinned: 7,
};

fn callback_arguments() -> Vec<Argument> {
    let wanted = [Wanted::Text, Wanted::Text, Wanted::Number];
    arguments("8@%r14 8@%r15 -4@%r13d", &wanted)
}

fn callback<'a>(arguments: &'a [Argument], test: Option<&'a Test>) -> Site<'a> {
    Site {
        of_function: true,
        callback: Some(CALLBACK),
        test,
        ..site(arguments)
    }
}

/// Runs it with these words in the first eight registers; gives them afterwards.
fn run(machine: &mut Machine, code: &Code, words: [u64; 8]) -> [u64; 8] {
    let stack: Vec<u64> = (0..1024).collect();
    let mut registers = Registers::default();
    registers.general[..8].copy_from_slice(&words);
    registers.general[18] = 2;
    registers.general[19] = stack.as_ptr().addr() as u64 + 4096;
    let before = registers.general[19];
    machine.run(code, &mut registers);
    assert_eq!(registers.general[19], before, "the stack pointer");
    assert!((512..1024).all(|it| stack[it as usize] == it), "the stack");
    *registers.general.first_chunk().unwrap()
}

fn address(text: &CString) -> u64 {
    text.as_ptr().addr() as u64
}

/// Names and parts of globs that are often found in each other.
fn names() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "ab",
        "/",
        "test_",
        "x.py",
        "\u{fc}",
        "longer than a word",
    ]);
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

fn globs() -> impl Strategy<Value = Glob> {
    let texts = prop::collection::vec(names(), 1..4).prop_map(|parts| parts.join("*"));
    prop_oneof![8 => texts, 1 => Just("[ab]*".to_owned()), 1 => Just("?b".to_owned())]
        .prop_map(|text| Glob::parse(&text).unwrap())
}

fn filters() -> impl Strategy<Value = Names> {
    let some = || prop::collection::vec(globs(), 0..3);
    (some(), some()).prop_map(|(only, skip)| Names { only, skip })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn names_are_matched_as_by_the_tracer(
        filter in filters(),
        hits in prop::collection::vec((names(), names()), 1..6),
        within in any::<bool>(),
    ) {
        let (plain, own) = (function_arguments(), callback_arguments());
        let (mut machine, mut rig) = (Machine::new(), Rig::roomy());
        let test = Test::Names(filter.clone());
        let code = match within {
            true => rig.inline(&callback(&own, Some(&test)), &machine),
            false => {
                let site = Site { of_function: true, test: Some(&test), ..site(&plain) };
                rig.function(&site, &machine)
            }
        };
        let literal = filter.only.iter().chain(&filter.skip).all(|it| it.literal_parts().is_some());
        prop_assert_eq!(code.decided, literal);
        for (file, function) in hits {
            let wanted = filter.want(file.as_bytes(), function.as_bytes());
            let [file, function] = [file, function].map(|it| CString::new(it).unwrap());
            let mut refused = false;
            if within {
                let mut words = [100, 101, 102, 103, 104, 105, 106, 0];
                (words[FILE], words[NAME], words[LINE]) = (address(&file), address(&function), 9);
                let after = run(&mut machine, &code, words);
                refused = after[CALLBACK.result] == 103;
                words[CALLBACK.result] = after[CALLBACK.result];
                prop_assert_eq!(after[..6].to_vec(), words[..6].to_vec());
                prop_assert!(refused || after[CALLBACK.result] == 104);
            } else {
                machine.call(address(&file), address(&function), 9);
            }
            let recorded = rig.records().len() == 1;
            // What cannot be decided there is recorded.
            prop_assert!(recorded || !wanted);
            prop_assert!(!literal || recorded == wanted);
            prop_assert_eq!(refused, within && !recorded);
        }
    }
}

#[test]
fn only_what_rules_a_function_out_refuses_it() {
    let text = |constant: &[u8]| Test::Text(Subject::Argument(1), Compare::Equal, constant.into());
    let line = Test::Numbers(Operand::Argument(2), Compare::Equal, Operand::Constant(5));
    let table = [
        (text(b"f"), true, false),
        (text(b"g"), false, true),
        (line.clone(), false, false),
        (Test::All(vec![line.clone(), text(b"f")]), false, false),
        (Test::All(vec![line.clone(), text(b"g")]), false, true),
        (Test::Any(vec![line, text(b"g")]), false, false),
    ];
    let (file, name) = (c"a.py".to_owned(), c"f".to_owned());
    let arguments = callback_arguments();
    for (test, recorded, refused) in table {
        let (mut machine, mut rig) = (Machine::new(), Rig::roomy());
        let code = rig.inline(&callback(&arguments, Some(&test)), &machine);
        let words = [address(&name), address(&file), 9, 33, 44, 55, 66, 0];
        let after = run(&mut machine, &code, words);
        assert_eq!(after[CALLBACK.result] == 33, refused, "{test:?}");
        assert_eq!(rig.records().len() == 1, recorded, "{test:?}");
    }
}

/// The text is changed where it lies: who may not rely on it sees that, who may does not look.
#[test]
fn pinned_texts_are_not_compared() {
    let arguments = callback_arguments();
    let (mut machine, mut rig) = (Machine::new(), Rig::roomy());
    let code = rig.inline(&callback(&arguments, None), &machine);
    let file = c"a.py".to_owned();
    let rounds = [
        (b"one\0", 7i64, b"one"),
        (b"one\0", 7, b"one"),
        (b"two\0", 7, b"one"),
        (b"two\0", 8, b"two"),
        (b"six\0", -1, b"six"),
        (b"ten\0", -1, b"ten"),
        (b"ten\0", 8, b"ten"),
        (b"add\0", 9, b"add"),
        (b"add\0", 9, b"add"),
        (b"new\0", 9, b"add"),
    ];
    let mut name = *b"....\0\0\0\0";
    for (round, (content, pinned, seen)) in rounds.into_iter().enumerate() {
        name[..4].copy_from_slice(content);
        let place = name.as_ptr().addr() as u64;
        let words = [place, address(&file), 9, 0, 0, 0, 0, pinned.cast_unsigned()];
        let after = run(&mut machine, &code, words);
        assert_eq!(after[CALLBACK.pinned], pinned.cast_unsigned(), "{round}");
        let records = rig.records();
        let read = records.first().and_then(|args| text(&args[1]));
        assert_eq!(read, Some((seen.as_slice(), false)), "{round}");
    }
}
