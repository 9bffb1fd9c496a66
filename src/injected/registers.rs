//! The registers of a thread that is made to call a function of the agent (x86-64, System V ABI).

use ptpytrace_arch::Registers;

use super::{Agent, Injected};

/// Words of [`Registers::general`].
const R12: usize = 3;
const RBP: usize = 4;
const R10: usize = 7;
const RAX: usize = 10;
const RSI: usize = 13;
const RDI: usize = 14;
/// The number of the system call that the kernel takes the thread to be in; -1: none.
const ORIG_RAX: usize = 15;
const RIP: usize = 16;
const FLAGS: usize = 18;
const RSP: usize = 19;

/// At the site of a function's marker (see `callbacks::fire`): what the callback returns, and what it is to return where
/// nobody wants events of that function.
pub const RESULT: usize = RBP;
/// See above.
pub const REFUSAL: usize = R12;
/// There, too: [`crate::fastpath::recorder::Callback::pinned`].
pub const PINNED: usize = R10;

/// The direction flag, clear at each call (System V ABI), and the one for single steps.
const DIRECTION_AND_TRAP: u64 = 0x400 | 0x100;
/// So many bytes below the stack pointer belong to the function that was interrupted.
const RED_ZONE: u64 = 128;

impl Agent {
    /// Sets a thread out to call a function, from wherever it is.
    pub fn set_out(&self, registers: &mut Registers, function: u64, arguments: [u64; 2]) {
        let general = &mut registers.general;
        let [first, second] = arguments;
        let stack = (general[RSP].wrapping_sub(RED_ZONE)) & !15;
        general[RSP] = stack;
        general[RIP] = self.springboard;
        general[RAX] = function;
        general[RDI] = first;
        general[RSI] = second;
        general[ORIG_RAX] = u64::MAX;
        general[FLAGS] &= !DIRECTION_AND_TRAP;
    }

    /// Where a thread has just come over the site of a function's marker: has the callback ask not to be called there
    /// again (see `callbacks::fire`). False anywhere else.
    pub fn spare(&self, registers: &mut Registers) -> bool {
        let behind = registers.general[RIP];
        let found = self.is_of_function(behind.wrapping_sub(1));
        if found {
            registers.general[RESULT] = registers.general[REFUSAL];
        }
        found
    }

    /// Whether the site of a function's marker is at this address.
    pub fn is_of_function(&self, address: u64) -> bool {
        let of_function = [Injected::Entry, Injected::Return, Injected::Line];
        let mut sites = self.sites.iter();
        sites.any(|(marker, site)| of_function.contains(marker) && *site == address)
    }

    /// The result of a function that gives an `int`.
    pub fn result(registers: &Registers) -> i32 {
        registers.general[RAX] as u32 as i32
    }
}

/// Whether a thread that was stopped is still in the system call with this number, at these places of its stack and
/// code.
pub fn is_in_system_call(registers: &Registers, number: u64, stack: u64, code: u64) -> bool {
    let general = &registers.general;
    (general[ORIG_RAX], general[RSP], general[RIP]) == (number, stack, code)
}

/// A function's argument, where it begins; of the first two.
pub fn argument(registers: &Registers, second: bool) -> u64 {
    registers.general[if second { RSI } else { RDI }]
}

/// Changes it.
pub fn set_argument(registers: &mut Registers, second: bool, value: u64) {
    registers.general[if second { RSI } else { RDI }] = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_red_zone_is_left_alone_and_the_stack_aligned() {
        let agent = Agent::assemble(None).unwrap().at(0x10_000);
        for low in 0..16 {
            let mut registers = Registers::default();
            registers.general[RSP] = 0x7fff_0000_1230 + low;
            registers.general[FLAGS] = 0x746;
            agent.set_out(&mut registers, 0x1234, [5, 6]);
            let stack = registers.general[RSP];
            assert!(stack <= 0x7fff_0000_1230 + low - 128 && stack % 16 == 0);
            assert_eq!(registers.general[FLAGS], 0x246);
            assert_eq!(registers.general[RIP], agent.springboard);
            assert_eq!(registers.general[ORIG_RAX], u64::MAX);
        }
    }

    #[test]
    fn a_negative_result_is_one() {
        let mut registers = Registers::default();
        registers.general[RAX] = 0xffff_ffff;
        assert_eq!(Agent::result(&registers), -1);
        assert!(!is_in_system_call(&registers, 1, 0, 0));
    }
}
