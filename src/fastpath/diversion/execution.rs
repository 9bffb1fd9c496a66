//! Diverts functions in the tests' own process, and runs them and what was displaced: the CPU says what is right.

mod machine;

use iced_x86::code_asm::*;
use machine::{CODE, Machine, Registers, at};
use proptest::prelude::*;
use ptpytrace_arch::x86_64::displace::relocate;

use super::*;
use crate::address::FileAddress;
use crate::elf::{Frame, Frames};

/// One instruction of those that a displaced piece may have.
#[derive(Clone, Debug)]
enum Line {
    /// Arithmetic on two registers.
    Registers(u8, u8, u8),
    /// Arithmetic with an immediate.
    Immediate(u8, u8, i32),
    /// Takes the address of data.
    Take(u8, u8),
    /// Loads from data.
    Load(u8, u8),
    /// Changes data.
    Store(u8, u8),
    /// Leaves for one of the exits, if the condition holds.
    Branch(u8, u8),
    /// Pushes and pops.
    Stack(u8, u8),
    /// Leaves when rcx is 0, for the nearest exit: this branch has no long form.
    Counter,
}

/// The registers that the instructions use: all but rsp.
const USED: [AsmRegister64; 15] = [
    rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15,
];

fn line() -> impl Strategy<Value = Line> {
    let register = || 0..USED.len() as u8;
    prop_oneof![
        (0..8u8, register(), register()).prop_map(|(op, a, b)| Line::Registers(op, a, b)),
        (0..4u8, register(), any::<i32>()).prop_map(|(op, a, it)| Line::Immediate(op, a, it)),
        (register(), 0..8u8).prop_map(|(a, word)| Line::Take(a, word)),
        (register(), 0..8u8).prop_map(|(a, word)| Line::Load(a, word)),
        (register(), 0..8u8).prop_map(|(a, word)| Line::Store(a, word)),
        (0..6u8, 0..4u8).prop_map(|(condition, exit)| Line::Branch(condition, exit)),
        (register(), register()).prop_map(|(a, b)| Line::Stack(a, b)),
        Just(Line::Counter),
    ]
}

fn write(line: &Line, to: &mut CodeAssembler, machine: &Machine) -> Result<(), IcedError> {
    let used = |register: u8| USED[usize::from(register)];
    let word = |word: u8| at(machine.data() + u64::from(word) * 8);
    match *line {
        Line::Registers(op, a, b) => {
            let (a, b) = (used(a), used(b));
            match op {
                0 => to.mov(a, b),
                1 => to.add(a, b),
                2 => to.sbb(a, b),
                3 => to.cmp(a, b),
                4 => to.imul_2(a, b),
                5 => to.cmovb(a, b),
                6 => to.xchg(a, b),
                _ => to.test(a, b),
            }
        }
        Line::Immediate(op, a, value) => match op {
            0 => to.add(used(a), value),
            1 => to.xor(used(a), value),
            2 => to.cmp(used(a), value),
            _ => to.mov(used(a), i64::from(value)),
        },
        Line::Take(a, index) => to.lea(used(a), word(index)),
        Line::Load(a, index) => to.mov(used(a), word(index)),
        Line::Store(a, index) => to.add(word(index), used(a)),
        Line::Branch(condition, exit) => {
            let exit = machine.exit(exit);
            match condition {
                0 => to.je(exit),
                1 => to.jb(exit),
                2 => to.js(exit),
                3 => to.jo(exit),
                4 => to.jg(exit),
                _ => to.jp(exit),
            }
        }
        Line::Stack(a, b) => to.push(used(a)).and_then(|()| to.pop(used(b))),
        Line::Counter => to.jrcxz(machine.exit(0)),
    }
}

proptest! {
    /// Relocated instructions leave registers, flags, data and way as the original ones do.
    #[test]
    fn instructions_do_the_same_elsewhere(
        lines in proptest::collection::vec(line(), 1..8),
        values in any::<[u64; 16]>(),
        flags in any::<u8>(),
        far in prop_oneof![Just(0x200_u64), Just(0x7000_0000), Just(0x20_0000)],
    ) {
        let machine = Machine::new(far);
        let mut assembler = CodeAssembler::new(64).expect("64 bits");
        for line in &lines {
            write(line, &mut assembler, &machine).expect("an instruction");
        }
        let original = assembler.assemble(machine.code(0)).expect("code");
        let elsewhere = machine.code(1);
        let moved = relocate(&original, machine.code(0), elsewhere).expect("movable");
        prop_assert_eq!(moved.places.first(), Some(&(machine.code(0), elsewhere)));
        prop_assert!(moved.falls_through);
        let registers = Registers::random(values, flags);
        let expected = machine.run(0, &original, &registers);
        let found = machine.run(1, &moved.bytes, &registers);
        prop_assert_eq!(found, expected);
    }
}

/// A function of two numbers with a marker in it, given what stands before and behind the marker's nop.
struct Subject {
    machine: Machine,
    facts: SiteFacts,
    calls: u64,
}

/// The site that nobody has changed.
fn site_of(facts: &SiteFacts) -> Site<'_> {
    Site {
        address: facts.address,
        live: &facts.bytes,
        facts,
    }
}

impl Subject {
    /// `site` is the offset of the nop.
    fn new(function: &[u8], site: u64) -> Subject {
        let machine = Machine::new(0x200);
        let start = machine.code(0);
        machine.write(start, function);
        let mut bytes = function.to_vec();
        bytes.resize(CODE as usize, 0xcc);
        machine.write(start, &bytes);
        let frame = Frame {
            start: FileAddress(start),
            end: FileAddress(start + function.len() as u64),
            landing_pads: false,
        };
        let code = Code {
            pieces: vec![Piece {
                address: start,
                bytes,
                executable: true,
            }],
            fixed: false,
            frames: Frames::new(vec![frame]),
        };
        let facts = survey(&code, &[FileAddress(start + site)], &|_| false).remove(0);
        Subject {
            machine,
            facts,
            calls: 0,
        }
    }

    /// Calls it with many numbers, each time with the result that `expected` has.
    fn check(&mut self, expected: fn(u64, u64) -> u64) {
        for a in 0..10_u64 {
            for b in [0, 1, u64::MAX, 1 << 40] {
                assert_eq!(self.machine.call(a, b), expected(a, b), "{a} {b}");
                self.calls += 1;
            }
        }
    }

    /// Diverts the function, calls it, and undoes it.
    fn divert(mut self, way: WayKind, expected: fn(u64, u64) -> u64) {
        self.check(expected);
        let facts = self.facts.clone();
        let site = site_of(&facts);
        let mappings = crate::process::maps::read(std::process::id() as i32).expect("own maps");
        let mut space = FreeSpace::of(&mappings, 8 << 20);
        let choice = choose(&site, &[way], &mut space);
        assert_eq!(choice.way.kind(), way, "{choice:?}");
        let stub = self.machine.code(1);
        let counting = self.machine.counting();
        let tail = Tail::assemble(&site, &choice, stub + counting.len() as u64).expect("a tail");
        let change = Change::prepare(&site, &choice, stub, &tail).expect("a change");
        self.machine.write(stub, &counting);
        self.machine.write(tail.address, &tail.bytes);
        if let Some((landing, code)) = &change.landing {
            let Way::Pun { pages, .. } = &choice.way else {
                panic!("only a pun lands");
            };
            let mapped: Vec<_> = pages.iter().map(machine::Mapped::at).collect();
            self.machine.write(*landing, code);
            self.machine.write(change.write.address, &change.write.new);
            self.finish(&change, expected);
            drop(mapped);
        } else {
            self.machine.write(change.write.address, &change.write.new);
            self.finish(&change, expected);
        }
    }

    fn finish(&mut self, change: &Change, expected: fn(u64, u64) -> u64) {
        self.calls = 0;
        self.check(expected);
        assert_eq!(self.machine.counted(), self.calls);
        self.machine.write(change.write.address, &change.write.old);
        self.check(expected);
        assert_eq!(self.machine.counted(), self.calls / 2);
        let mut code = vec![0; self.facts.bytes.len()];
        self.machine.read(self.facts.address, &mut code);
        assert_eq!(code, self.facts.bytes);
    }
}

/// mov rax, rdi; nop; cmp rax, rsi; jb +4; add rax, rsi; ret; sub rax, rsi; ret. The nop is followed by a comparison
/// whose flags count, and the bytes that a jump takes reach into the branch.
const COMPARING: [u8; 18] = [
    0x48, 0x89, 0xf8, 0x90, 0x48, 0x39, 0xf0, 0x72, 0x04, 0x48, 0x01, 0xf0, 0xc3, 0x48, 0x29, 0xf0,
    0xc3, 0xcc,
];

fn comparing(a: u64, b: u64) -> u64 {
    if a < b {
        a.wrapping_sub(b)
    } else {
        a.wrapping_add(b)
    }
}

#[test]
fn a_jump_over_displaced_instructions() {
    Subject::new(&COMPARING, 3).divert(WayKind::Jump, comparing);
}

#[test]
fn a_pun_and_its_landing() {
    // Its bytes lead 0x72f03948 bytes on: cmp rax, rsi and the branch's opcode.
    Subject::new(&COMPARING, 3).divert(WayKind::Pun, comparing);
}

#[test]
fn a_jump_that_is_retargeted() {
    // mov rax, rdi; cmp rax, rsi; nop; jmp +1; int3; cmc; adc rax, rsi; ret. The flags live across the marker.
    let function = [
        0x48, 0x89, 0xf8, 0x48, 0x39, 0xf0, 0x90, 0xe9, 1, 0, 0, 0, 0xcc, 0xf5, 0x48, 0x11, 0xf0,
        0xc3,
    ];
    let expected = |a: u64, b: u64| a.wrapping_add(b).wrapping_add(u64::from(a >= b));
    Subject::new(&function, 6).divert(WayKind::Retarget, expected);
}

#[test]
fn a_pun_whose_next_instruction_is_a_call() {
    // mov rax, rdi; nop; call +1 (skips the byte behind it); int3; pop rcx; add rax, rsi; ret.
    let function = [
        0x48, 0x89, 0xf8, 0x90, 0xe8, 1, 0, 0, 0, 0xcc, 0x59, 0x48, 0x01, 0xf0, 0xc3,
    ];
    let subject = Subject::new(&function, 3);
    let facts = subject.facts.clone();
    let site = site_of(&facts);
    let mut space = FreeSpace::of(&[], 0);
    let choice = choose(&site, &WayKind::DIVERSIONS, &mut space);
    assert_eq!(choice.displaced, None);
    // It goes back to the call as it stands.
    let at = subject.machine.code(1);
    let tail = Tail::assemble(
        &site,
        &Choice {
            way: Way::Pun {
                landing: 0,
                pages: vec![],
            },
            ..choice
        },
        at,
    );
    let tail = tail.expect("a tail");
    assert_eq!(tail.places, [(facts.address + 1, at)]);
    assert_eq!(tail.original(at), Some(facts.address + 1));
}

#[test]
fn threads_that_stand_in_the_way() {
    let subject = Subject::new(&COMPARING, 3);
    let facts = subject.facts.clone();
    let site = site_of(&facts);
    let choice = choose(&site, &[WayKind::Jump], &mut FreeSpace::default());
    let stub = subject.machine.code(1);
    let tail = Tail::assemble(&site, &choice, stub + 16).expect("a tail");
    let change = Change::prepare(&site, &choice, stub, &tail).expect("a change");
    let at = facts.address;
    assert_eq!(change.window, at + 1..at + 5);
    // The comparison, which is first in the tail, and the branch behind it, three bytes on.
    assert_eq!(change.moved(at + 1), Some(stub + 16));
    assert_eq!(change.moved(at + 4), Some(stub + 19));
    for stays in [at, at + 2, at + 5, at + 6, stub] {
        assert_eq!(change.moved(stays), None);
    }
    assert_eq!(tail.original(stub + 19), Some(at + 4));
    assert_eq!(tail.original(stub), None);
    let mut stack = vec![0_u8; 64];
    assert!(!change.is_remembered_in(&stack));
    stack[24..32].copy_from_slice(&(at + 4).to_le_bytes());
    assert!(change.is_remembered_in(&stack));
    stack[24..32].copy_from_slice(&(at + 5).to_le_bytes());
    assert!(!change.is_remembered_in(&stack));
}

#[test]
fn stubs_out_of_reach() {
    let subject = Subject::new(&COMPARING, 3);
    let facts = subject.facts.clone();
    let site = site_of(&facts);
    let choice = choose(&site, &[WayKind::Jump], &mut FreeSpace::default());
    let far = facts.address.wrapping_add(1 << 33);
    // Its branch back into the function does not reach.
    assert!(matches!(
        Tail::assemble(&site, &choice, far),
        Err(ChangeError::Relocate(_))
    ));
    let tail = Tail::assemble(&site, &choice, subject.machine.code(1)).expect("a tail");
    assert_eq!(
        Change::prepare(&site, &choice, far, &tail),
        Err(ChangeError::OutOfReach(far))
    );
    let trap = Choice {
        way: Way::Trap,
        ..choice
    };
    assert_eq!(Tail::assemble(&site, &trap, far), Err(ChangeError::Trap));
    assert_eq!(
        Change::prepare(&site, &trap, far, &tail),
        Err(ChangeError::Trap)
    );
}
