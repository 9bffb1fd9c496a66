//! The program must not notice: registers, flags and the red zone are as they were.

use proptest::prelude::*;
use ptpytrace_arch::Registers;

use super::machine::Machine;
use super::{Rig, arguments, site};
use crate::fastpath::recorder::Site;
use crate::fastpath::ring::record::Wanted;
use crate::plan::{Compare, Operand, Test};

/// Carry, parity, adjust, zero, sign, overflow.
const FLAGS: u64 = 0x8d5;

/// A stack with a pattern in it; gives the stack pointer in its middle.
fn stack() -> (Vec<u64>, u64) {
    let stack: Vec<u64> = (0..1024).map(|it| it * 0x0101_0101).collect();
    let middle = stack.as_ptr().addr() as u64 + 4096;
    (stack, middle)
}

proptest! {
    #[test]
    fn registers_flags_and_red_zone(
        general in prop::array::uniform15(any::<u64>()),
        flags in any::<u64>(),
        strings in any::<bool>(),
        wanted in any::<bool>(),
    ) {
        let specs = "8@%r13 8@%r14 -4@%eax 8@8(%rsp) 4@%r11d 1@%ch";
        let kinds = [Wanted::Text, Wanted::Text, Wanted::Number, Wanted::Number, Wanted::Number, Wanted::Number];
        let arguments = arguments(specs, &kinds);
        let mut machine = Machine::new();
        let mut rig = Rig::roomy();
        let bound = if wanted { i64::MIN } else { i64::MAX };
        let test = Test::Numbers(Operand::Argument(2), Compare::GreaterOrEqual, Operand::Constant(bound));
        let site = Site { test: Some(&test), ..site(&arguments) };
        let code = rig.inline(&site, &machine);
        let (memory, rsp) = stack();
        let mut registers = Registers::default();
        registers.general[..15].copy_from_slice(&general);
        let texts = [c"some/file.py", c"name"].map(|it| it.as_ptr().addr() as u64);
        if strings {
            (registers.general[2], registers.general[1]) = (texts[0], texts[1]);
        } else {
            (registers.general[2], registers.general[1]) = (0, 1 << 60);
        }
        registers.general[18] = flags & FLAGS | 2;
        registers.general[19] = rsp;
        for round in 0..4 {
            let before = registers.clone();
            machine.run(&code, &mut registers);
            prop_assert_eq!(&registers.general[..15], &before.general[..15], "{}", round);
            prop_assert_eq!(registers.general[19], rsp);
            prop_assert_eq!(registers.general[18] & FLAGS, flags & FLAGS);
        }
        // What lies at and above the stack pointer, and the 128 bytes below it.
        for (index, word) in memory.iter().enumerate().skip(512 - 16) {
            prop_assert_eq!(*word, index as u64 * 0x0101_0101);
        }
        let records = rig.records();
        prop_assert_eq!(records.len(), if wanted { 4 } else { 0 });
        for args in records {
            prop_assert_eq!(args[2].raw.as_i64(), i64::from(general[10] as i32));
            prop_assert_eq!(args[3].raw.as_u64(), 513 * 0x0101_0101);
            prop_assert_eq!(args[4].raw.as_u64(), general[6] & 0xffff_ffff);
            prop_assert_eq!(args[5].raw.as_u64(), general[11] >> 8 & 0xff);
        }
    }
}

/// A tracer that leaves looks for ways back into the code on the stacks of threads.
#[test]
fn no_address_of_the_code_is_left_on_the_stack() {
    let arguments = arguments("8@%r13 8@%r14", &[Wanted::Text, Wanted::Text]);
    let mut machine = Machine::new();
    let mut rig = Rig::roomy();
    let code = rig.inline(&site(&arguments), &machine);
    let within = machine.at()..machine.at() + code.bytes.len() as u64;
    let texts: Vec<_> = (0..100)
        .map(|it| std::ffi::CString::new(format!("function{it}")).unwrap())
        .collect();
    let (memory, rsp) = stack();
    for text in &texts {
        let mut registers = Registers::default();
        (registers.general[2], registers.general[1]) =
            (text.as_ptr().addr() as u64, c"same".as_ptr().addr() as u64);
        (registers.general[18], registers.general[19]) = (2, rsp);
        machine.run(&code, &mut registers);
        let memory = std::hint::black_box(&memory); // the code has written to it
        assert_eq!(memory.iter().find(|it| within.contains(*it)), None);
    }
    assert_eq!(rig.records().len(), texts.len());
}
