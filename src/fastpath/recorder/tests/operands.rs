//! Every kind of operand gives what [`ptpytrace_arch::ArgSpec::fetch`] gives.

use proptest::prelude::*;
use ptpytrace_arch::{Arch, ArgSpec, Bytes, Registers, X86_64};

use super::machine::{Machine, thread_pointer};
use super::{Rig, site};
use crate::event::Seen;
use crate::fastpath::ring::record::{Argument, Wanted};

/// All registers in all widths, and memory through them.
fn operands() -> Vec<String> {
    let registers = [
        "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx",
        "rsi", "rdi",
    ];
    let mut operands: Vec<String> = Vec::new();
    for name in registers {
        operands.push(format!("%{name}"));
        for (base, index) in [(name, "rax"), ("rsp", name), ("r12", name), (name, name)] {
            operands.push(format!("16(%{base},%{index},4)"));
        }
        operands.push(format!("-8(%{name})"));
        operands.push(format!("(,%{name},8)"));
    }
    let rest = [
        "%ah",
        "%bh",
        "%ch",
        "%dh",
        "%al",
        "%sil",
        "%r9b",
        "%eax",
        "%r10d",
        "%si",
        "%r13w",
        "%esp",
        "%rsp",
        "%rip",
        "8(%rsp)",
        "-120(%rsp)",
        "$5",
        "$-1",
        "$0x123456789abcdef0",
        "%xmm0",
        "%xmm15",
        "12(%ebx)",
        "4(%ecx,%edx,2)",
        "4(%r8d,%eax)",
        "%fs:0",
        "%fs:0(,%rbx,1)",
        "8(%rip)",
        "0x7fffffffffff",
        "0x1234(%rbx)",
        "-0x123456789a(%rbp)",
    ];
    operands.extend(rest.map(str::to_owned));
    operands
}

/// What is known to be in this process's memory, which both ways read.
struct Own<'a>(Bytes<'a>);

fn spec(size: i8, operand: &str) -> ArgSpec {
    X86_64
        .parse_args(&format!("{size}@{operand}"))
        .unwrap()
        .remove(0)
}

/// Runs one operand; compares.
fn check(
    machine: &mut Machine,
    rig: &mut Rig,
    spec: ArgSpec,
    registers: &Registers,
    memory: &Own<'_>,
) {
    let arguments = [Argument {
        spec: Some(spec.clone()),
        wanted: Wanted::Number,
    }];
    let site = site(&arguments);
    let code = rig.inline(&site, machine);
    let mut before = registers.clone();
    before.general[16] = site.pc;
    before.general[21] = thread_pointer();
    let mut after = before.clone();
    machine.run(&code, &mut after);
    assert_eq!(after.general[..15], before.general[..15], "{spec}");
    let records = rig.records();
    let found = &records[0][0];
    match spec.fetch(&before, &memory.0) {
        Ok(value) => {
            let same = value == found.raw
                || value.as_u64() == found.raw.as_u64()
                    && format!("{value:?}") == format!("{:?}", found.raw);
            assert!(same, "{spec}: {value:?} {:?}", found.raw);
            assert_eq!(found.seen, Seen::Number, "{spec}");
        }
        // Other memory of this process may well be readable.
        Err(_) if spec.needs_memory() => {}
        Err(error) => panic!("{spec}: {error}"),
    }
}

#[test]
fn every_operand_of_every_size() {
    let content: Vec<u8> = (0..8192u32).map(|it| ((it * 37) >> 3) as u8).collect();
    let middle = (content.as_ptr().addr() as u64 + 4096) & !15;
    let memory = Own(Bytes {
        base: content.as_ptr().addr() as u64,
        bytes: &content,
    });
    let mut stack = vec![0u64; 1024];
    let mut registers = Registers::default();
    for (index, word) in registers.general[..15].iter_mut().enumerate() {
        *word = middle + 8 * index as u64;
    }
    let vector = std::array::from_fn(|it| [0x80 + it as u8; 16]);
    registers.vector = Some(Box::new(vector));
    registers.general[18] = 2;
    registers.general[19] = stack.as_mut_ptr().addr() as u64 + 4096;
    let mut machine = Machine::new();
    let mut checked = 0;
    for operand in operands() {
        for size in [1, -1, 2, -2, 4, -4, 8, -8] {
            let mut rig = Rig::roomy();
            let spec = spec(size, &operand);
            // The stack pointer and small numbers make addresses elsewhere: then only that nothing breaks is tested.
            check(&mut machine, &mut rig, spec, &registers, &memory);
            checked += 1;
        }
    }
    assert_eq!(checked, operands().len() * 8);
}

#[test]
fn memory_of_the_stack_and_relative_to_the_program() {
    let mut machine = Machine::new();
    let mut rig = Rig::roomy();
    let stack: Vec<u64> = (0..1024).map(|it| it * 0x1_0001_0001).collect();
    let memory = Own(Bytes {
        base: stack.as_ptr().addr() as u64,
        bytes: &stack
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect::<Vec<u8>>(),
    });
    let mut registers = Registers::default();
    registers.general[18] = 2;
    registers.general[19] = stack.as_ptr().addr() as u64 + 4096;
    registers.general[11] = 3;
    registers.general[10] = registers.general[19];
    let operands = [
        "8(%rsp)",
        "(%rsp)",
        "-8(%rsp)",
        "-128(%rsp)",
        "2048(%rsp,%rcx,8)",
        "(%rax,%rcx,8)",
        "(%rsp,%rcx,1)",
    ];
    for operand in operands {
        for size in [1, 2, -4, 8] {
            let spec = spec(size, operand);
            let mut before = registers.clone();
            before.general[16] = 0;
            assert!(spec.fetch(&before, &memory.0).is_ok(), "{operand}");
            check(&mut machine, &mut rig, spec, &registers, &memory);
        }
    }
}

#[test]
fn floating_point_and_faults() {
    let mut machine = Machine::new();
    let mut rig = Rig::roomy();
    let nothing = Own(Bytes {
        base: 0,
        bytes: &[],
    });
    let mut registers = Registers::default();
    let mut vector = [[0; 16]; 32];
    vector[3][..8].copy_from_slice(&1.5f64.to_le_bytes());
    vector[4][..4].copy_from_slice(&2.5f32.to_le_bytes());
    registers.vector = Some(Box::new(vector));
    let stack = vec![0u64; 1024];
    registers.general[18] = 2;
    registers.general[19] = stack.as_ptr().addr() as u64 + 4096;
    for text in ["8f@%xmm3", "4f@%xmm4", "8f@%rax"] {
        let spec = X86_64.parse_args(text).unwrap().remove(0);
        check(&mut machine, &mut rig, spec, &registers, &nothing);
    }
    let specs = X86_64
        .parse_args("8@16(%rax) 4@$7 1@(%rcx,%rcx,2) 8@%rcx")
        .unwrap();
    let arguments: Vec<Argument> = specs
        .into_iter()
        .map(|spec| Argument {
            spec: Some(spec),
            wanted: Wanted::Number,
        })
        .collect();
    registers.general[11] = 1;
    let code = rig.inline(&site(&arguments), &machine);
    machine.run(&code, &mut registers);
    let records = rig.records();
    let seen: Vec<Seen> = records[0].iter().map(|it| it.seen.clone()).collect();
    assert_eq!(
        seen,
        [
            Seen::Unreadable,
            Seen::Number,
            Seen::Unreadable,
            Seen::Number
        ]
    );
    assert_eq!(records[0][1].raw.as_u64(), 7);
    assert_eq!(records[0][3].raw.as_u64(), 1);
}

proptest! {
    #[test]
    fn random_registers(general in prop::array::uniform15(any::<u64>()), which in 0usize..200, size in prop::sample::select(vec![1i8, -1, 2, -2, 4, -4, 8, -8])) {
        let specs = operands().into_iter().map(|operand| spec(size, &operand));
        let specs: Vec<ArgSpec> = specs.filter(|it| !it.needs_memory()).collect();
        let spec = specs[which % specs.len()].clone();
        let mut registers = Registers::default();
        registers.general[..15].copy_from_slice(&general);
        let stack = vec![0u64; 1024];
        registers.general[18] = 2;
        registers.general[19] = stack.as_ptr().addr() as u64 + 4096;
        registers.vector = Some(Box::new([[0x9c; 16]; 32]));
        let nothing = Own(Bytes { base: 0, bytes: &[] });
        check(&mut Machine::new(), &mut Rig::roomy(), spec, &registers, &nothing);
    }
}
