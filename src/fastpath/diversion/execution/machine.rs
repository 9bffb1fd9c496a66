//! Memory that may be written and executed, and a way to run code in it with chosen registers. All that is `unsafe` in
//! these tests is here.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use iced_x86::code_asm::*;

/// How many bytes there are for code at each of a machine's two places.
pub const CODE: u64 = 0x60;
const PAGE: u64 = 4096;
/// Offsets in the first page.
const ENTER: u64 = 0;
const EXITS: u64 = 0x400 + CODE;
const LEAVE: u64 = 0x300;
/// The machine's data: in the second page.
const DATA: u64 = PAGE;
const STATE: u64 = PAGE + 0x100;
const RESULT: u64 = PAGE + 0x200;
const OWN_STACK: u64 = PAGE + 0x300;
const GOAL: u64 = PAGE + 0x308;
const EXIT: u64 = PAGE + 0x310;
const COUNTER: u64 = PAGE + 0x318;
/// The end of the stack on which code runs.
const STACK: u64 = 3 * PAGE;

/// What code is started with and leaves: the sixteen registers in this order, then the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers([u64; 17]);

const ORDER: [AsmRegister64; 16] = [
    rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rsp,
];

impl Registers {
    /// Any values; of the flags those that arithmetic sets.
    pub fn random(values: [u64; 16], flags: u8) -> Registers {
        let mut words = [0; 17];
        words[..16].copy_from_slice(&values);
        words[16] = 0x202 | u64::from(flags & 0xd5) | (u64::from(flags & 2) << 10);
        Registers(words)
    }
}

/// The eight bytes at an address, relative to rip.
pub fn at(address: u64) -> AsmMemoryOperand {
    qword_ptr(AsmMemoryOperand::from(iced_x86::Register::RIP) + address as i64)
}

/// All that a run leaves: registers, data, and which exit was taken.
pub type Outcome = (Registers, [u64; 8], u64);

/// Pages mapped until this is dropped.
#[derive(Debug)]
pub struct Mapped(Range<u64>);

impl Mapped {
    /// These pages, which must be free.
    pub fn at(range: &Range<u64>) -> Mapped {
        Mapped::try_at(range).expect("free pages")
    }

    fn try_at(range: &Range<u64>) -> Option<Mapped> {
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let length = (range.end - range.start) as usize;
        // SAFETY: MAP_FIXED_NOREPLACE takes nobody's pages.
        let at = unsafe { libc::mmap(range.start as *mut _, length, protection, flags, -1, 0) };
        (at as u64 == range.start).then(|| Mapped(range.clone()))
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let length = (self.0.end - self.0.start) as usize;
        // SAFETY: mapped by this value, and nothing refers to it but by address.
        unsafe { libc::munmap(self.0.start as *mut _, length) };
    }
}

/// Two places for code, `far` bytes apart, with data, exits and a stack.
pub struct Machine {
    base: u64,
    far: u64,
    _pages: Vec<Mapped>,
}

impl Machine {
    pub fn new(far: u64) -> Machine {
        /// Where the next machine may lie: tests run side by side.
        static NEXT: AtomicU64 = AtomicU64::new(0x2_0000_0000);
        loop {
            let base = NEXT.fetch_add(0x10_0000, Ordering::Relaxed);
            let mut ranges: Vec<_> = std::iter::once(base..base + 4 * PAGE).collect();
            if far >= 4 * PAGE {
                ranges.push(base + 0x400 + far..base + 0x400 + far + PAGE);
            }
            let align = |range: &Range<u64>| {
                range.start & !(PAGE - 1)..(range.end + PAGE - 1) & !(PAGE - 1)
            };
            let pages: Option<Vec<_>> =
                ranges.iter().map(|it| Mapped::try_at(&align(it))).collect();
            if let Some(pages) = pages {
                let machine = Machine {
                    base,
                    far,
                    _pages: pages,
                };
                machine.lay_out();
                return machine;
            }
        }
    }

    /// The first or the second place for code.
    pub fn code(&self, place: u64) -> u64 {
        // The exits are within a short branch's reach of the first.
        self.base + 0x400 + place * self.far
    }

    /// Where eight words of data lie.
    pub fn data(&self) -> u64 {
        self.base + DATA
    }

    /// One of four places that code may leave to.
    pub fn exit(&self, exit: u8) -> u64 {
        self.base + EXITS + u64::from(exit) * 0x10
    }

    pub fn write(&self, address: u64, bytes: &[u8]) {
        // SAFETY: the tests write to pages that they have mapped, and run code there only between writes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
    }

    pub fn read(&self, address: u64, bytes: &mut [u8]) {
        // SAFETY: as for `write`.
        unsafe { ptr::copy_nonoverlapping(address as *const u8, bytes.as_mut_ptr(), bytes.len()) };
    }

    fn word(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.read(self.base + offset, &mut bytes);
        u64::from_ne_bytes(bytes)
    }

    fn set_words(&self, offset: u64, words: &[u64]) {
        for (index, word) in words.iter().enumerate() {
            self.write(self.base + offset + index as u64 * 8, &word.to_ne_bytes());
        }
    }

    fn lay_out(&self) {
        let mut enter = CodeAssembler::new(64).expect("64 bits");
        let mut leave = CodeAssembler::new(64).expect("64 bits");
        self.write_enter(&mut enter).expect("code");
        self.write_leave(&mut leave).expect("code");
        self.write(
            self.base + ENTER,
            &enter.assemble(self.base + ENTER).expect("code"),
        );
        self.write(
            self.base + LEAVE,
            &leave.assemble(self.base + LEAVE).expect("code"),
        );
        for exit in 0..5 {
            let place = self.base + EXITS + exit * 0x10;
            let mut code = CodeAssembler::new(64).expect("64 bits");
            code.mov(at(self.base + EXIT), exit as i32).expect("code");
            code.jmp(self.base + LEAVE).expect("code");
            let code = code.assemble(place).expect("code");
            assert!(code.len() <= 0x10, "{}", code.len());
            self.write(place, &code);
        }
    }

    fn write_enter(&self, code: &mut CodeAssembler) -> Result<(), IcedError> {
        for register in [rbx, rbp, r12, r13, r14, r15] {
            code.push(register)?;
        }
        code.mov(at(self.base + OWN_STACK), rsp)?;
        code.push(at(self.base + STATE + 16 * 8))?;
        code.popfq()?;
        for (index, register) in ORDER.into_iter().enumerate() {
            code.mov(register, at(self.base + STATE + index as u64 * 8))?;
        }
        code.jmp(at(self.base + GOAL))
    }

    fn write_leave(&self, code: &mut CodeAssembler) -> Result<(), IcedError> {
        for (index, register) in ORDER.into_iter().enumerate() {
            code.mov(at(self.base + RESULT + index as u64 * 8), register)?;
        }
        code.mov(rsp, at(self.base + OWN_STACK))?;
        code.pushfq()?;
        code.pop(at(self.base + RESULT + 16 * 8))?;
        for register in [r15, r14, r13, r12, rbp, rbx] {
            code.pop(register)?;
        }
        code.cld()?;
        code.ret()
    }

    /// Runs code at one of the two places.
    pub fn run(&self, place: u64, code: &[u8], registers: &Registers) -> Outcome {
        let at = self.code(place);
        self.write(at, code);
        let end = at + code.len() as u64;
        let mut behind = CodeAssembler::new(64).expect("64 bits");
        behind.jmp(self.exit(4)).expect("code");
        self.write(end, &behind.assemble(end).expect("code"));
        let mut state = registers.0;
        state[15] = self.base + STACK;
        self.set_words(STATE, &state);
        self.set_words(DATA, &[3, 1 << 63, 0, u64::MAX, 5, 7, 1 << 31, 9]);
        self.set_words(GOAL, &[at]);
        // SAFETY: the code is a function that keeps what the ABI says.
        let enter: extern "C" fn() = unsafe { std::mem::transmute(self.base + ENTER) };
        enter();
        let mut result = [0; 17];
        result
            .iter_mut()
            .zip(0..)
            .for_each(|(word, index)| *word = self.word(RESULT + index * 8));
        let mut data = [0; 8];
        data.iter_mut()
            .zip(0..)
            .for_each(|(word, index)| *word = self.word(DATA + index * 8));
        (Registers(result), data, self.word(EXIT))
    }

    /// Calls the function at the first place.
    pub fn call(&self, a: u64, b: u64) -> u64 {
        // SAFETY: the tests put a function of this type there.
        let function: extern "C" fn(u64, u64) -> u64 = unsafe { std::mem::transmute(self.code(0)) };
        function(a, b)
    }

    /// Code for the second place that counts and changes nothing else.
    pub fn counting(&self) -> Vec<u8> {
        let mut code = CodeAssembler::new(64).expect("64 bits");
        let mut write = || {
            code.lea(rsp, qword_ptr(rsp - 128))?;
            code.pushfq()?;
            code.inc(at(self.base + COUNTER))?;
            code.popfq()?;
            code.lea(rsp, qword_ptr(rsp + 128))
        };
        write().expect("code");
        code.assemble(self.code(1)).expect("code")
    }

    /// What that code has counted.
    pub fn counted(&self) -> u64 {
        self.word(COUNTER)
    }
}
