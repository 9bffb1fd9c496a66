//! The order of the steps, and what they all need.

use iced_x86::BlockEncoderOptions;
use iced_x86::code_asm::{AsmRegister64, CodeAssembler, CodeLabel, qword_ptr, registers::*};
use rustc_hash::FxHashSet;

use super::frame::{self, Frame};
use super::{AssembleError, Code, Fixup, Site, condition};
use crate::fastpath::ring::Layout;
use crate::fastpath::ring::record::Shape;
use crate::plan::Test;

/// The registers that the ordinary way uses besides rax and rcx, with their words.
const WORKING: [(AsmRegister64, usize); 5] =
    [(rdx, 12), (rsi, 13), (rdi, 14), (gpr64::r8, 9), (r9, 8)];

/// What a step gives.
pub(super) type Step<T = ()> = Result<T, AssembleError>;

/// Makes the code of one site.
pub(super) struct Generator<'a> {
    pub(super) code: CodeAssembler,
    pub(super) frame: Frame,
    pub(super) labels: Labels,
    pub(super) site: &'a Site<'a>,
    pub(super) gate: u64,
    pub(super) layout: &'a Layout,
    pub(super) shape: Shape,
    /// What of the site's test can be decided here.
    test: Option<Test>,
    /// What of that is the same for all events of a function.
    of_function: Option<Test>,
    decided: bool,
    /// The labels that have been placed: equal to those that jumps name, but knowing where they are.
    placed: FxHashSet<CodeLabel>,
    ranges: Vec<Range>,
    landings: Vec<Landing>,
}

/// The places that several steps jump to.
pub(super) struct Labels {
    /// Everything is saved and the ring is in rdi: write the record (again).
    pub(super) retry: CodeLabel,
    /// The thread pointer is in rcx: find the thread's ring, or take one.
    pub(super) claim: CodeLabel,
    /// The record has been begun at the position rsi, and some string is not known.
    pub(super) general: CodeLabel,
    /// A record has been begun at the head, which is in rsi.
    pub(super) nested: CodeLabel,
    /// The ring has not the room for edx bytes.
    pub(super) full: CodeLabel,
    /// As `full`, for a record of the fixed length.
    pub(super) full_fixed: CodeLabel,
    /// The mark has been passed.
    pub(super) bell: CodeLabel,
    /// The record ends the lap.
    pub(super) lap: CodeLabel,
    /// The position behind the record is in rcx.
    pub(super) publish: CodeLabel,
    /// Put everything back.
    pub(super) leave: CodeLabel,
    /// Put back rax, rcx and the flags.
    pub(super) leave_early: CodeLabel,
    /// Have the callback not be called there again.
    refuse: CodeLabel,
    /// Subroutine: copies a string into the record.
    pub(super) take_text: CodeLabel,
    /// Subroutine: wakes the tracer.
    pub(super) ring_bell: CodeLabel,
}

/// Code in which a fault is expected.
struct Range {
    begin: CodeLabel,
    end: CodeLabel,
    target: CodeLabel,
}

/// Where a number goes on whose memory could not be read.
struct Landing {
    from: CodeLabel,
    to: CodeLabel,
    /// The bit to set in the record.
    unreadable: Option<u16>,
}

impl<'a> Generator<'a> {
    pub(super) fn new(
        site: &'a Site<'a>,
        gate: u64,
        layout: &'a Layout,
        shape: Shape,
    ) -> Step<Generator<'a>> {
        let mut code = CodeAssembler::new(64)?;
        let mut label = || code.create_label();
        let labels = Labels {
            retry: label(),
            claim: label(),
            general: label(),
            nested: label(),
            full: label(),
            full_fixed: label(),
            bell: label(),
            lap: label(),
            publish: label(),
            leave: label(),
            leave_early: label(),
            refuse: label(),
            take_text: label(),
            ring_bell: label(),
        };
        let (test, decided) = match site.test {
            Some(test) => condition::decidable(test, site),
            None => (None, true),
        };
        let of_function = test.as_ref().filter(|_| site.callback.is_some());
        Ok(Generator {
            code,
            frame: Frame::new(site.callback.is_some()),
            labels,
            site,
            gate,
            layout,
            shape,
            of_function: of_function.and_then(Test::of_function),
            test,
            decided,
            placed: FxHashSet::default(),
            ranges: Vec::new(),
            landings: Vec::new(),
        })
    }

    /// All the code for the address `at`, and where in it `room` bytes are left for the tail.
    pub(super) fn finish(mut self, at: u64, room: usize) -> Step<(Code, usize)> {
        self.enter()?;
        if let Some(test) = self.of_function.take() {
            let refuse = self.labels.refuse;
            self.jump_unless(&test, refuse)?;
            // That was all?
            self.test.take_if(|all| *all == test);
        }
        let test = self.test.take();
        let more = test.as_ref().is_some_and(condition::takes_more);
        if more {
            self.save_more()?;
        }
        if let Some(test) = test {
            let reject = match more {
                true => self.labels.leave,
                false => self.labels.leave_early,
            };
            self.jump_unless(&test, reject)?;
        }
        if !more {
            self.save_more()?;
        }
        self.find_ring()?;
        self.record()?;
        let saved = self.frame.clone();
        let tail = self.leave(room)?;
        self.frame = saved;
        self.out_of_the_way()?;
        self.encode(at, tail)
    }

    /// Saves what the test uses: rax, the flags, rcx.
    fn enter(&mut self) -> Step {
        if self.site.callback.is_some() {
            return Ok(());
        }
        self.code.lea(rsp, rsp - self.frame.red_zone())?;
        self.push(rax, Some(10))?;
        // pushfq and popfq take several times as long.
        self.code.lahf()?;
        self.code.seto(al)?;
        self.push(rax, None)?;
        self.push(rcx, Some(11))
    }

    /// Saves what else is used.
    fn save_more(&mut self) -> Step {
        match self.site.callback {
            Some(_) => Ok(()),
            None => WORKING
                .into_iter()
                .try_for_each(|(register, word)| self.push(register, Some(word))),
        }
    }

    /// Restores everything and leaves room for the tail; gives the label of the tail.
    fn leave(&mut self, room: usize) -> Step<CodeLabel> {
        let (leave, early) = (self.labels.leave, self.labels.leave_early);
        self.place(leave)?;
        if self.site.callback.is_some() {
            self.place(early)?;
        } else {
            for (register, _) in WORKING.into_iter().rev() {
                self.pop(register)?;
            }
            self.place(early)?;
            self.pop(rcx)?;
            self.pop(rax)?;
            // Overflow: 1 + 127 does, 0 + 127 does not. The other flags come from ah.
            self.code.add(al, 127)?;
            self.code.sahf()?;
            self.pop(rax)?;
            self.code.lea(rsp, rsp + self.frame.red_zone())?;
        }
        let tail = self.code.create_label();
        self.place(tail)?;
        for bytes in vec![0xcc; room].chunks(16) {
            self.code.db(bytes)?;
        }
        Ok(tail)
    }

    /// Nobody can want an event of this function.
    fn refuse(&mut self) -> Step {
        let Some(callback) = self.site.callback else {
            return Ok(());
        };
        let [result, refusal] = [callback.result, callback.refusal].map(frame::parts);
        let refuse = self.labels.refuse;
        self.place(refuse)?;
        if let (Some(result), Some(refusal)) = (result, refusal) {
            self.code.mov(result.whole, refusal.whole)?;
        }
        Ok(self.code.jmp(self.labels.leave_early)?)
    }

    /// The code that is seldom run.
    fn out_of_the_way(&mut self) -> Step {
        self.end_of_lap()?;
        self.refuse()?;
        if !self.shape.texts.is_empty() {
            self.general()?;
            self.take_text()?;
        }
        self.nested()?;
        self.full()?;
        self.bell()?;
        self.claim()?;
        for landing in std::mem::take(&mut self.landings) {
            self.place(landing.from)?;
            if let Some(bit) = landing.unreadable {
                self.mark_unreadable(bit)?;
            }
            self.code.xor(eax, eax)?;
            self.code.jmp(landing.to)?;
        }
        Ok(())
    }

    fn encode(mut self, at: u64, tail: CodeLabel) -> Step<(Code, usize)> {
        let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
        let result = self.code.assemble_options(at, options)?;
        let address = |label: &CodeLabel| {
            let placed = self.placed.get(label).unwrap_or(label);
            result.label_ip(placed)
        };
        let mut fixups = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            fixups.push(Fixup {
                begin: address(&range.begin)?,
                end: address(&range.end)?,
                target: address(&range.target)?,
            });
        }
        let place = address(&tail)?.wrapping_sub(at);
        let place = usize::try_from(place).map_err(|_| AssembleError::TooLong)?;
        let code = Code {
            bytes: result.inner.code_buffer,
            fixups,
            decided: self.decided,
            shape: self.shape,
        };
        Ok((code, place))
    }

    /// Puts a label here.
    pub(super) fn place(&mut self, mut label: CodeLabel) -> Step {
        self.code.set_label(&mut label)?;
        self.placed.insert(label);
        // An instruction can have one label only, so each label gets one that is no bytes long.
        Ok(self.code.zero_bytes()?)
    }

    /// A label that stands here.
    pub(super) fn here(&mut self) -> Step<CodeLabel> {
        let label = self.code.create_label();
        self.place(label)?;
        Ok(label)
    }

    /// Calls a subroutine. Where to it has returned does not stay on the stack: a tracer that leaves would take that for
    /// the way of somebody who is still inside.
    pub(super) fn call(&mut self, subroutine: CodeLabel) -> Step {
        self.code.call(subroutine)?;
        Ok(self.code.mov(qword_ptr(rsp - 8), 0)?)
    }

    pub(super) fn push(&mut self, register: AsmRegister64, word: Option<usize>) -> Step {
        self.code.push(register)?;
        self.frame.push(word);
        Ok(())
    }

    pub(super) fn pop(&mut self, register: AsmRegister64) -> Step {
        self.code.pop(register)?;
        self.frame.pop();
        Ok(())
    }

    /// What is emitted from `begin` on may fault; then the thread goes on at `target`.
    pub(super) fn guard(&mut self, begin: CodeLabel, target: CodeLabel) -> Step {
        let end = self.here()?;
        self.ranges.push(Range { begin, end, target });
        Ok(())
    }

    /// What is emitted from `begin` on loads rax and may fault; then rax is 0, and the bit is set in the record.
    pub(super) fn guard_number(&mut self, begin: CodeLabel, unreadable: Option<u16>) -> Step {
        let from = self.code.create_label();
        self.guard(begin, from)?;
        let to = self.here()?;
        self.landings.push(Landing {
            from,
            to,
            unreadable,
        });
        Ok(())
    }
}
