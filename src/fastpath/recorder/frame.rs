//! What the recorder has pushed on the thread's stack, and so where a register's value of before is.

use iced_x86::code_asm::{AsmRegister8, AsmRegister16, AsmRegister32, AsmRegister64, registers::*};

/// How far below the stack pointer the program may have data (System V ABI).
const RED_ZONE: i32 = 128;

/// The stack pointer's word in [`ptpytrace_arch::Registers::general`].
const STACK_POINTER: usize = 19;
/// The program counter's.
const PROGRAM_COUNTER: usize = 16;

/// A general register and its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// All of it.
    pub(super) whole: AsmRegister64,
    /// Its low 32 bits.
    pub(super) half: AsmRegister32,
    /// Its low 16 bits.
    pub(super) quarter: AsmRegister16,
    /// Its low 8 bits.
    pub(super) low: AsmRegister8,
    /// Bits 8 to 15, where they have a name.
    pub(super) high: Option<AsmRegister8>,
}

/// The general registers in the order of [`ptpytrace_arch::Registers::general`].
pub(super) fn parts(word: usize) -> Option<Parts> {
    let (whole, half, quarter, low, high) = match word {
        0 => (r15, r15d, r15w, r15b, None),
        1 => (r14, r14d, r14w, r14b, None),
        2 => (r13, r13d, r13w, r13b, None),
        3 => (r12, r12d, r12w, r12b, None),
        4 => (rbp, ebp, bp, bpl, None),
        5 => (rbx, ebx, bx, bl, Some(bh)),
        6 => (r11, r11d, r11w, r11b, None),
        7 => (r10, r10d, r10w, r10b, None),
        8 => (r9, r9d, r9w, r9b, None),
        9 => (gpr64::r8, r8d, r8w, r8b, None),
        10 => (rax, eax, ax, al, Some(ah)),
        11 => (rcx, ecx, cx, cl, Some(ch)),
        12 => (rdx, edx, dx, dl, Some(dh)),
        13 => (rsi, esi, si, sil, None),
        14 => (rdi, edi, di, dil, None),
        _ => return None,
    };
    Some(Parts {
        whole,
        half,
        quarter,
        low,
        high,
    })
}

/// Where the value is that a register had at the site.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    /// Still there.
    Register(Parts),
    /// On the stack, so many bytes above the stack pointer.
    Stack(i32),
    /// It is the stack pointer plus so much.
    StackPointer(i32),
    /// It is the program counter.
    ProgramCounter,
}

/// What has been pushed, the last at the end: registers by their word, or anything else.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pushed: Vec<Option<usize>>,
    /// How far below the stack pointer of before the first of it is.
    red_zone: i32,
    /// Only what a called function keeps is still there (System V ABI).
    called: bool,
}

/// The words of the registers that a called function keeps.
const KEPT: [usize; 6] = [0, 1, 2, 3, 4, 5];

impl Frame {
    /// Nothing has been pushed. `called`: it is as if the program had called a function here.
    pub(super) fn new(called: bool) -> Frame {
        Frame {
            pushed: Vec::new(),
            red_zone: if called { 0 } else { RED_ZONE },
            called,
        }
    }

    /// How far below the stack pointer the program may have data.
    pub(super) fn red_zone(&self) -> i32 {
        self.red_zone
    }

    /// Eight bytes have been pushed.
    pub(super) fn push(&mut self, what: Option<usize>) {
        self.pushed.push(what);
    }

    /// Eight bytes have been popped.
    pub(super) fn pop(&mut self) {
        self.pushed.pop();
    }

    /// Where the value is that a register, given by its word, had at the site; `None` for what is no general register.
    pub(super) fn held(&self, word: usize) -> Option<Held> {
        let above = |count: usize| i32::try_from(count).ok()?.checked_mul(8);
        if word == STACK_POINTER {
            let pushed = above(self.pushed.len())?;
            return Some(Held::StackPointer(pushed.checked_add(self.red_zone)?));
        }
        if word == PROGRAM_COUNTER {
            return Some(Held::ProgramCounter);
        }
        let parts = parts(word)?;
        let place = self.pushed.iter().position(|it| *it == Some(word));
        Some(match place {
            Some(place) => {
                let later = self.pushed.len().saturating_sub(place).saturating_sub(1);
                Held::Stack(above(later)?)
            }
            None if self.called && !KEPT.contains(&word) => return None,
            None => Held::Register(parts),
        })
    }
}
