//! Function calls that a stopped thread makes on the tracer's behalf.
//!
//! Unlike a system call (`remote`) a function may take its time, and may need what other threads hold: so the thread
//! is set running, everything else is dealt with as ever, and when it runs into the breakpoint behind the call it is
//! put back as it was. All of its registers are kept meanwhile, the vector registers too: it may have been stopped
//! anywhere. A system call that was interrupted is taken up again by the kernel, which sees from the registers that it
//! has to. Should the tracer be killed meanwhile, the thread finds its way back by itself ([`super::way_back`]).

use ptpytrace_arch::Registers;

use super::sigtrap::BIT as SIGTRAP_BIT;
use super::stopped::{Gone, StoppedThread};
use super::{sys, way_back};
use crate::injected::Agent;

/// What a thread is made to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The agent with the springboard.
    pub agent: &'a Agent,
    /// The function's address.
    pub function: u64,
    /// Its first two arguments.
    pub arguments: [u64; 2],
}

/// A call under way.
#[derive(Debug)]
pub struct Call {
    saved: Registers,
    bytes: usize,
    extended: Vec<u8>,
    mask: u64,
}

impl Call {
    /// Sets a stopped thread on its way; it has to be resumed.
    ///
    /// # Errors
    /// The thread has been killed.
    pub fn begin(thread: &StoppedThread, target: Target<'_>) -> Result<Call, Gone> {
        let mut saved = Registers::default();
        let bytes = thread.registers(&mut saved)?;
        let extended = sys::get_extended(thread.tid()).map_err(|_| Gone)?;
        let mut registers = saved.clone();
        target
            .agent
            .set_out(&mut registers, target.function, target.arguments);
        let mask = sys::get_signal_mask(thread.tid()).map_err(|_| Gone)?;
        let stack = way_back::lay(thread, &saved, mask);
        let arch = ptpytrace_arch::for_machine(super::HOST_MACHINE);
        if let Some(arch) = arch {
            thread.note_departure(arch, &saved);
        }
        let sp = arch.map(|arch| arch.sp_index());
        if let (Some(stack), Some(sp)) = (stack, sp)
            && let Some(word) = registers.general.get_mut(sp)
        {
            *word = stack;
        }
        // A breakpoint where SIGTRAP is blocked takes the program's handler away (force_sig of the kernel).
        sys::set_signal_mask(thread.tid(), mask & !SIGTRAP_BIT).map_err(|_| Gone)?;
        thread.set_registers(&registers, bytes)?;
        Ok(Call {
            saved,
            bytes,
            extended,
            mask,
        })
    }

    /// The thread has come back: it is put where it was. Gives what the function returned.
    ///
    /// # Errors
    /// The thread has been killed.
    pub fn finish(self, thread: &StoppedThread) -> Result<i32, Gone> {
        let mut registers = Registers::default();
        thread.registers(&mut registers)?;
        let result = Agent::result(&registers);
        sys::set_extended(thread.tid(), &self.extended).map_err(|_| Gone)?;
        sys::set_signal_mask(thread.tid(), self.mask).map_err(|_| Gone)?;
        // Last: should the tracer be killed before, the thread finds the same way back.
        thread.set_registers(&self.saved, self.bytes)?;
        Ok(result)
    }
}
