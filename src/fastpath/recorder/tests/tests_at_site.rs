//! Tests are decided as [`Test::holds`] decides them.

use std::ffi::CString;

use proptest::prelude::*;

use super::machine::{Machine, PageEnd, rescued};
use super::{Rig, function_arguments, site};
use crate::fastpath::recorder::Site;
use crate::plan::{Captured, Compare, Operand, Subject, Test};

struct Hit {
    texts: [Option<Vec<u8>>; 2],
    line: i32,
}

impl Captured for Hit {
    fn is_of_function(&self) -> bool {
        false
    }

    fn argument(&self, index: u8) -> i64 {
        if index == 2 { self.line.into() } else { 0 }
    }
    fn text(&self, index: u8) -> Option<&[u8]> {
        self.texts.get(usize::from(index))?.as_deref()
    }
    fn pid(&self) -> i32 {
        1234
    }
    fn tid(&self) -> i32 {
        0
    }
    fn target(&self) -> i32 {
        77
    }
    fn thread_name(&self) -> &[u8] {
        b""
    }
}

fn compares() -> impl Strategy<Value = Compare> {
    prop::sample::select(vec![
        Compare::Equal,
        Compare::NotEqual,
        Compare::Less,
        Compare::LessOrEqual,
        Compare::Greater,
        Compare::GreaterOrEqual,
    ])
}

fn constants() -> impl Strategy<Value = i64> {
    prop_oneof![
        -3i64..4,
        Just(1234),
        Just(77),
        any::<i64>(),
        any::<i32>().prop_map(i64::from)
    ]
}

fn operands() -> impl Strategy<Value = Operand> {
    let leaf = prop_oneof![
        constants().prop_map(Operand::Constant),
        Just(Operand::Argument(2)),
        Just(Operand::Argument(9)),
        Just(Operand::Pid),
        Just(Operand::Target),
    ];
    leaf.prop_recursive(2, 4, 1, |inner| {
        (inner, constants()).prop_map(|(operand, mask)| Operand::And(Box::new(operand), mask))
    })
}

/// Strings that often begin alike.
fn strings() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec!["ab", "a", "/usr/lib/", "xyzzy", "\u{fc}", "12345678"]);
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat().into_bytes())
}

fn tests() -> impl Strategy<Value = Test> {
    let leaf = prop_oneof![
        (operands(), compares(), operands())
            .prop_map(|(one, how, other)| Test::Numbers(one, how, other)),
        (0u8..2, compares(), strings()).prop_map(|(index, how, text)| Test::Text(
            Subject::Argument(index),
            how,
            text
        )),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Test::All),
            prop::collection::vec(inner, 0..3).prop_map(Test::Any),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn as_the_consumer_would(
        test in tests(),
        hits in prop::collection::vec(
            (prop::option::weighted(0.9, strings()), prop::option::weighted(0.9, strings()),
             prop_oneof![-3i32..4, Just(1234), any::<i32>()]),
            1..8),
    ) {
        let arguments = function_arguments();
        let machine = Machine::new();
        let mut rig = Rig::roomy();
        let site = Site { test: Some(&test), ..site(&arguments) };
        let code = rig.function(&site, &machine);
        prop_assert!(code.decided);
        for (one, other, line) in hits {
            let texts = [one, other];
            let memory = texts.clone().map(|it| it.map(|it| CString::new(it).unwrap()));
            let [first, second] = memory.each_ref().map(|it| match it {
                Some(text) => text.as_ptr().addr() as u64,
                None => 0,
            });
            machine.call(first, second, u64::from(line as u32));
            let wanted = test.holds(&Hit { texts, line });
            prop_assert_eq!(rig.records().len(), usize::from(wanted));
        }
    }
}

#[test]
fn strings_at_the_end_of_a_page() {
    let arguments = function_arguments();
    let machine = Machine::new();
    let mut page = PageEnd::new();
    for constant in ["a", "abcdefg", "abcdefgh", "abcdefghijklmnopq"] {
        for how in [
            Compare::Equal,
            Compare::NotEqual,
            Compare::Less,
            Compare::Greater,
        ] {
            let test = Test::Text(Subject::Argument(0), how, constant.into());
            let mut rig = Rig::roomy();
            let site = Site {
                test: Some(&test),
                ..site(&arguments)
            };
            let code = rig.function(&site, &machine);
            let _rescue = rescued(&code);
            for text in [
                "",
                "a",
                "b",
                "abcdefg",
                "abcdefgh",
                "abcdefghijklmnopq",
                "abcdefghijklmnopqr",
            ] {
                for before in 0..20 {
                    let bytes = [text.as_bytes(), &[0], &vec![b'?'; before]].concat();
                    let address = page.put(&bytes, 0);
                    machine.call(address, address, 0);
                    let hit = Hit {
                        texts: [Some(text.into()), None],
                        line: 0,
                    };
                    let wanted = usize::from(test.holds(&hit));
                    assert_eq!(
                        rig.records().len(),
                        wanted,
                        "{text} {how:?} {constant} {before}"
                    );
                }
                // What cannot be read passes.
                let address = page.put(&constant.as_bytes()[..constant.len() - 1], 0);
                machine.call(address + constant.len() as u64 - 1, 0, 0);
                assert_eq!(rig.records().len(), 1);
            }
        }
    }
}
