//! Single instructions, to see what cannot be had for less.

use std::time::Instant;

use iced_x86::code_asm::{CodeAssembler, qword_ptr, registers::*};

use super::Contestant;
use super::machine::Machine;

const CALLS: u64 = 200_000;

type Emit = fn(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>;

pub fn all() -> anyhow::Result<Vec<Contestant>> {
    let pieces: [(&'static str, Emit); 6] = [
        ("a function that returns (what is subtracted)", |_| Ok(())),
        ("rdtsc", |code| code.rdtsc()),
        ("compare-exchange", |code| {
            code.mov(rax, qword_ptr(rdi))?;
            code.lea(rcx, rax + 32)?;
            code.cmpxchg(qword_ptr(rdi), rcx)
        }),
        ("lock compare-exchange", |code| {
            code.mov(rax, qword_ptr(rdi))?;
            code.lea(rcx, rax + 32)?;
            code.lock().cmpxchg(qword_ptr(rdi), rcx)
        }),
        ("lock xadd", |code| {
            code.mov(eax, 32)?;
            code.lock().xadd(qword_ptr(rdi), rax)
        }),
        ("lahf, seto, push, pop, add, sahf", |code| {
            code.lahf()?;
            code.seto(al)?;
            code.push(rax)?;
            code.pop(rax)?;
            code.add(al, 127)?;
            code.sahf()
        }),
    ];
    pieces
        .map(|(name, emit)| piece(name, emit))
        .into_iter()
        .collect()
}

fn piece(name: &'static str, emit: Emit) -> anyhow::Result<Contestant> {
    let machine = Machine::new()?;
    let mut code = CodeAssembler::new(64)?;
    emit(&mut code)?;
    code.ret()?;
    machine.load(&code.assemble(machine.at())?);
    let word = Box::leak(Box::new([0u64; 16])).as_ptr().addr() as u64;
    let run = move || {
        let begin = Instant::now();
        for number in 0..CALLS {
            machine.call(word, word, number);
        }
        begin.elapsed().as_nanos() as f64 / CALLS as f64
    };
    Ok(Contestant {
        name,
        run: Box::new(run),
    })
}
