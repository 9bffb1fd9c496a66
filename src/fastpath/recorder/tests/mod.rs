//! Runs the generated code in this process and reads what it has recorded.

mod callbacks;
mod machine;
mod nested;
mod operands;
mod preserved;
mod rings;
mod strings;
mod tests_at_site;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ptpytrace_arch::{Arch, X86_64};

use super::{AssembleError, Code, Site, WhenFull};
use crate::event::{Arg, ProbeInfo, Seen};
use crate::fastpath::ring::record::{Argument, Shape, Wanted};
use crate::fastpath::ring::{Layout, Reader, gate, header};
use crate::plan::Test;
use machine::Machine;

/// The shared file.
struct Ram(Box<[AtomicU64]>);

impl AsRef<[AtomicU64]> for Ram {
    fn as_ref(&self) -> &[AtomicU64] {
        &self.0
    }
}

impl Ram {
    fn new(bytes: u64) -> Ram {
        Ram((0..bytes / 8).map(|_| AtomicU64::new(0)).collect())
    }

    fn address(&self) -> u64 {
        self.0.as_ptr().addr() as u64
    }

    fn word(&self, offset: u64) -> &AtomicU64 {
        &self.0[offset as usize / 8]
    }
}

/// A traced program and its tracer in one.
struct Rig {
    layout: Layout,
    file: Arc<Ram>,
    gate: Ram,
    reader: Reader,
}

/// A site with nothing special.
fn site(arguments: &[Argument]) -> Site<'_> {
    Site {
        number: 3,
        arguments,
        limit: 200,
        test: None,
        pid: 1234,
        target: 77,
        pc: 0x5555_0001,
        when_full: WhenFull::Wait,
        of_function: false,
        callback: None,
    }
}

fn arguments(specs: &str, wanted: &[Wanted]) -> Vec<Argument> {
    let specs = X86_64.parse_args(specs).unwrap().into_iter().map(Some);
    let wanted = wanted.iter().copied();
    specs
        .zip(wanted)
        .map(|(spec, wanted)| Argument { spec, wanted })
        .collect()
}

/// What CPython's function markers have, as a function's arguments.
fn function_arguments() -> Vec<Argument> {
    arguments(
        "8@%rdi 8@%rsi -4@%edx",
        &[Wanted::Text, Wanted::Text, Wanted::Number],
    )
}

impl Rig {
    fn new(layout: Layout) -> Rig {
        let file = Arc::new(Ram::new(layout.file_bytes()));
        let gate = Ram::new(gate::BYTES);
        let reader = Reader::new(Arc::clone(&file) as _, layout);
        file.word(header::OWNER).store(1, Ordering::Relaxed);
        gate.word(gate::HEADER)
            .store(file.address(), Ordering::Relaxed);
        Rig {
            layout,
            file,
            gate,
            reader,
        }
    }

    fn roomy() -> Rig {
        Rig::new(Layout::new(4, 1 << 16, 1 << 16).unwrap())
    }

    /// Code that ends with a return.
    fn function(&mut self, site: &Site<'_>, machine: &Machine) -> Code {
        self.assemble(site, machine, &mut |_| Some(vec![0xc3]))
    }

    /// Code that ends with the way out of the machine.
    fn inline(&mut self, site: &Site<'_>, machine: &Machine) -> Code {
        let out = machine.way_out();
        self.assemble(site, machine, &mut |at| Some(jump(at, out)))
    }

    fn assemble(
        &mut self,
        site: &Site<'_>,
        machine: &Machine,
        tail: &mut dyn FnMut(u64) -> Option<Vec<u8>>,
    ) -> Code {
        let code = self.try_assemble(site, machine, tail).unwrap();
        machine.load(&code);
        self.reader
            .add_site(site.number, code.shape.clone(), probe("it"));
        code
    }

    fn try_assemble(
        &mut self,
        site: &Site<'_>,
        machine: &Machine,
        tail: &mut dyn FnMut(u64) -> Option<Vec<u8>>,
    ) -> Result<Code, AssembleError> {
        site.assemble(machine.at(), self.gate.address(), &self.layout, tail)
    }

    /// All that has been recorded.
    fn records(&mut self) -> Vec<Vec<Arg>> {
        let mut records = Vec::new();
        self.reader
            .flush(&mut |it| records.push(it.args().to_vec()));
        records
    }
}

/// `jmp rel32`
fn jump(at: u64, to: u64) -> Vec<u8> {
    let distance = to.wrapping_sub(at + 5) as i32;
    let mut bytes = vec![0xe9];
    bytes.extend(distance.to_le_bytes());
    bytes
}

fn probe(name: &str) -> Arc<ProbeInfo> {
    Arc::new(ProbeInfo {
        provider: "python".to_owned(),
        name: name.to_owned(),
        ..ProbeInfo::default()
    })
}

fn text(arg: &Arg) -> Option<(&[u8], bool)> {
    match &arg.seen {
        Seen::Text(text) => Some((&text.bytes, text.truncated)),
        _ => None,
    }
}

#[test]
fn what_cannot_be_recorded_is_refused() {
    let machine = Machine::new();
    let mut rig = Rig::new(Layout::new(1, 4096, 1000).unwrap());
    let refused = |rig: &mut Rig, arguments: &[Argument], limit: usize| {
        let site = Site {
            limit,
            ..site(arguments)
        };
        rig.try_assemble(&site, &machine, &mut |_| Some(vec![0xc3]))
            .unwrap_err()
    };
    let texts = function_arguments();
    let shape = Shape::of(&texts, 4000).unwrap();
    assert_eq!(
        refused(&mut rig, &texts, 4000),
        AssembleError::Record(shape.largest())
    );
    let vector = arguments("8f@%xmm16 8@errno", &[Wanted::Number, Wanted::Nothing]);
    assert_eq!(refused(&mut rig, &vector, 10), AssembleError::Argument(0));
    let symbol = arguments("8@%rax 8@errno", &[Wanted::Nothing, Wanted::Number]);
    assert_eq!(refused(&mut rig, &symbol, 10), AssembleError::Argument(1));
    let none = rig.try_assemble(&site(&[]), &machine, &mut |_| None);
    assert_eq!(none, Err(AssembleError::Tail(machine.at())));
}

#[test]
fn the_tail_is_told_where_it_really_is() {
    let machine = Machine::new();
    let mut rig = Rig::roomy();
    let arguments = function_arguments();
    let mut last = 0;
    let code = rig
        .try_assemble(&site(&arguments), &machine, &mut |at| {
            // Longer when it is not at the beginning, as a relocated branch may be.
            let length = if at == machine.at() { 3 } else { 40 };
            last = at;
            let mut tail = at.to_le_bytes().to_vec();
            tail.resize(length.max(8), 0x90);
            Some(tail)
        })
        .unwrap();
    let place = (last - machine.at()) as usize;
    assert_eq!(code.bytes[place..place + 8], last.to_le_bytes());
    assert_eq!(code.bytes[place + 8..place + 40], [0x90; 32]);
}

#[test]
fn a_test_that_is_not_decided_whole_is_said_to_be_so() {
    use crate::plan::{Compare, Operand};
    let machine = Machine::new();
    let mut rig = Rig::roomy();
    let arguments = function_arguments();
    let mut decided = |test: &Test| {
        let site = Site {
            test: Some(test),
            ..site(&arguments)
        };
        rig.function(&site, &machine).decided
    };
    let number = Test::Numbers(
        Operand::Argument(2),
        Compare::Equal,
        Operand::Constant(1 << 40),
    );
    let tid = Test::Numbers(Operand::Tid, Compare::Equal, Operand::Constant(1));
    assert!(decided(&number));
    assert!(!decided(&tid));
    assert!(!decided(&Test::All(vec![number.clone(), tid.clone()])));
    assert!(!decided(&Test::Any(vec![number, tid])));
}
