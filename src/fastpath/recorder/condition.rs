//! Decides a [`Test`] before anything is recorded: with rax and rcx alone where no globs are to be matched, so that an
//! event that is not wanted costs next to nothing.

use iced_x86::code_asm::{CodeLabel, byte_ptr, registers::*};

use super::generator::{Generator, Step};
use super::{Site, names};
use crate::plan::{Compare, Names, Operand, Subject, Test};

/// How deep tests may be nested.
const DEEPEST: usize = 32;
/// How many comparisons a test may have.
const MOST: usize = 128;
/// The longest constant that a string is compared with, in bytes.
const LONGEST: usize = 256;

/// What of a test can be decided at the site, `None` when nothing can; and whether that is all of it.
///
/// What cannot be decided counts as holding: then the event is recorded, and whoever reads the record decides.
pub(super) fn decidable(test: &Test, site: &Site<'_>) -> (Option<Test>, bool) {
    let mut decider = Decider {
        site,
        left: MOST,
        whole: true,
    };
    let test = decider.part(test, DEEPEST);
    (test, decider.whole)
}

struct Decider<'a> {
    site: &'a Site<'a>,
    left: usize,
    whole: bool,
}

impl Decider<'_> {
    fn part(&mut self, test: &Test, depth: usize) -> Option<Test> {
        let found = depth.checked_sub(1).and_then(|depth| match test {
            Test::All(tests) => Some(Test::All(
                tests.iter().filter_map(|it| self.part(it, depth)).collect(),
            )),
            Test::Any(tests) => {
                let parts: Option<Vec<Test>> =
                    tests.iter().map(|it| self.part(it, depth)).collect();
                parts.map(Test::Any)
            }
            Test::Names(_) if !self.site.of_function => Some(Test::All(Vec::new())),
            Test::Names(names) => self.names(names),
            Test::Numbers(one, _, other) => {
                (self.counts() && self.number(one, depth) && self.number(other, depth))
                    .then(|| test.clone())
            }
            Test::Text(subject, _, constant) => {
                (self.counts() && self.text(*subject, constant)).then(|| test.clone())
            }
        });
        self.whole &= found.is_some();
        found
    }

    fn names(&mut self, names: &Names) -> Option<Test> {
        let specs = self.site.arguments.iter().map(|it| it.spec.is_some());
        if specs.take(2).filter(|known| *known).count() < 2 {
            return None;
        }
        let (part, whole) = names::decidable(names);
        self.whole &= whole;
        match part {
            Some(part) => Some(Test::Names(part)),
            None => whole.then(|| Test::All(Vec::new())),
        }
    }

    fn counts(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    fn number(&self, operand: &Operand, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        match operand {
            Operand::Constant(_) | Operand::Pid | Operand::Target => true,
            // The program knows its own thread id only in its own namespace.
            Operand::Tid => false,
            Operand::Argument(index) => {
                let argument = self.site.arguments.get(usize::from(*index));
                let spec = argument.and_then(|it| it.spec.as_ref());
                spec.is_none_or(|spec| !spec.float)
            }
            Operand::And(operand, _) => self.number(operand, depth),
        }
    }

    fn text(&self, subject: Subject, constant: &[u8]) -> bool {
        let Subject::Argument(index) = subject else {
            return false;
        };
        let argument = self.site.arguments.get(usize::from(index));
        argument.is_some_and(|it| it.spec.is_some())
            && constant.len() < self.site.limit.min(LONGEST)
            && !constant.contains(&0)
    }
}

/// Whether deciding it takes more than rax and rcx.
pub(super) fn takes_more(test: &Test) -> bool {
    match test {
        Test::All(tests) | Test::Any(tests) => tests.iter().any(takes_more),
        Test::Names(_) => true,
        Test::Numbers(..) | Test::Text(..) => false,
    }
}

impl Generator<'_> {
    /// Goes to `to` unless the test holds. Uses rax and rcx, and where it [`takes_more`] all working registers.
    pub(super) fn jump_unless(&mut self, test: &Test, to: CodeLabel) -> Step {
        match test {
            Test::All(tests) => tests.iter().try_for_each(|it| self.jump_unless(it, to)),
            Test::Any(tests) => {
                let holds = self.code.create_label();
                for test in tests {
                    self.jump_if(test, holds)?;
                }
                self.code.jmp(to)?;
                self.place(holds)
            }
            _ => self.jump_when(test, false, to),
        }
    }

    fn jump_if(&mut self, test: &Test, to: CodeLabel) -> Step {
        match test {
            Test::Any(tests) => tests.iter().try_for_each(|it| self.jump_if(it, to)),
            Test::All(tests) => {
                let fails = self.code.create_label();
                for test in tests {
                    self.jump_unless(test, fails)?;
                }
                self.code.jmp(to)?;
                self.place(fails)
            }
            _ => self.jump_when(test, true, to),
        }
    }

    /// Goes to `to` when a comparison gives `outcome`.
    fn jump_when(&mut self, test: &Test, outcome: bool, to: CodeLabel) -> Step {
        match test {
            Test::Numbers(one, compare, other) => {
                self.compare_numbers(one, other)?;
                self.jump_signed(*compare, outcome, to)
            }
            Test::Text(Subject::Argument(index), compare, constant) => {
                self.compare_text(usize::from(*index), *compare, constant, outcome, to)
            }
            Test::Names(names) => self.names(names, outcome, to),
            _ => Ok(()),
        }
    }

    fn compare_numbers(&mut self, one: &Operand, other: &Operand) -> Step {
        match self.known(other) {
            Some(value) => {
                self.number(one)?;
                match i32::try_from(value) {
                    Ok(value) => self.code.cmp(rax, value)?,
                    Err(_) => {
                        self.code.mov(rcx, value)?;
                        self.code.cmp(rax, rcx)?;
                    }
                }
            }
            None => {
                self.number(other)?;
                self.push(rax, None)?;
                self.number(one)?;
                self.pop(rcx)?;
                self.code.cmp(rax, rcx)?;
            }
        }
        Ok(())
    }

    /// The value of an operand that is known beforehand.
    fn known(&self, operand: &Operand) -> Option<i64> {
        Some(match operand {
            Operand::Constant(value) => *value,
            Operand::Pid => self.site.pid.into(),
            Operand::Target => self.site.target.into(),
            Operand::And(operand, mask) => self.known(operand)? & mask,
            Operand::Argument(index) => {
                let argument = self.site.arguments.get(usize::from(*index));
                return match argument.and_then(|it| it.spec.as_ref()) {
                    Some(_) => None,
                    None => Some(0),
                };
            }
            Operand::Tid => return None,
        })
    }

    /// Loads an operand into rax.
    fn number(&mut self, operand: &Operand) -> Step {
        if let Some(value) = self.known(operand) {
            return Ok(self.code.mov(rax, value)?);
        }
        match operand {
            Operand::Argument(index) => self.load(usize::from(*index), None),
            Operand::And(operand, mask) => {
                self.number(operand)?;
                self.code.mov(rcx, *mask)?;
                Ok(self.code.and(rax, rcx)?)
            }
            _ => Ok(()),
        }
    }

    fn jump_signed(&mut self, compare: Compare, outcome: bool, to: CodeLabel) -> Step {
        let code = &mut self.code;
        match (compare, outcome) {
            (Compare::Equal, true) | (Compare::NotEqual, false) => code.je(to)?,
            (Compare::Equal, false) | (Compare::NotEqual, true) => code.jne(to)?,
            (Compare::Less, true) | (Compare::GreaterOrEqual, false) => code.jl(to)?,
            (Compare::Less, false) | (Compare::GreaterOrEqual, true) => code.jge(to)?,
            (Compare::Greater, true) | (Compare::LessOrEqual, false) => code.jg(to)?,
            (Compare::Greater, false) | (Compare::LessOrEqual, true) => code.jle(to)?,
        }
        Ok(())
    }

    fn jump_unsigned(&mut self, compare: Compare, outcome: bool, to: CodeLabel) -> Step {
        let code = &mut self.code;
        match (compare, outcome) {
            (Compare::Equal, true) | (Compare::NotEqual, false) => code.je(to)?,
            (Compare::Equal, false) | (Compare::NotEqual, true) => code.jne(to)?,
            (Compare::Less, true) | (Compare::GreaterOrEqual, false) => code.jb(to)?,
            (Compare::Less, false) | (Compare::GreaterOrEqual, true) => code.jae(to)?,
            (Compare::Greater, true) | (Compare::LessOrEqual, false) => code.ja(to)?,
            (Compare::Greater, false) | (Compare::LessOrEqual, true) => code.jbe(to)?,
        }
        Ok(())
    }

    /// Compares a string with a constant as strcmp(3) does. A string that cannot be read passes.
    fn compare_text(
        &mut self,
        argument: usize,
        compare: Compare,
        constant: &[u8],
        outcome: bool,
        to: CodeLabel,
    ) -> Step {
        let done = self.code.create_label();
        let unreadable = if outcome { to } else { done };
        let (decide, bytewise) = (self.code.create_label(), self.code.create_label());
        let with_nul: Vec<u8> = constant.iter().copied().chain([0]).collect();
        self.load(argument, None)?;
        self.code.mov(rcx, rax)?;
        self.jump_if_unreadable(unreadable)?;
        if matches!(compare, Compare::Equal | Compare::NotEqual) {
            self.compare_words(&with_nul, bytewise, decide, unreadable)?;
            self.place(decide)?;
            self.jump_unsigned(compare, outcome, to)?;
            self.code.jmp(done)?;
        } else {
            self.code.jmp(bytewise)?;
            self.place(decide)?;
            self.jump_unsigned(compare, outcome, to)?;
            self.code.jmp(done)?;
        }
        self.place(bytewise)?;
        let begin = self.here()?;
        for (index, byte) in (0i32..).zip(&with_nul) {
            self.code.movzx(eax, byte_ptr(rcx + index))?;
            self.code.cmp(eax, i32::from(*byte))?;
            self.code.jne(decide)?;
        }
        self.guard(begin, unreadable)?;
        self.code.jmp(decide)?;
        self.place(done)
    }

    /// Compares several bytes at once; goes to `bytewise` when they are not all in one page, to `decide` when they
    /// differ.
    fn compare_words(
        &mut self,
        bytes: &[u8],
        bytewise: CodeLabel,
        decide: CodeLabel,
        unreadable: CodeLabel,
    ) -> Step {
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.code.mov(eax, ecx)?;
        self.code.and(eax, 4095)?;
        self.code.cmp(eax, 4096i32.saturating_sub(length))?;
        self.code.ja(bytewise)?;
        let begin = self.here()?;
        self.compare(rcx, bytes, decide)?;
        self.guard(begin, unreadable)
    }
}
