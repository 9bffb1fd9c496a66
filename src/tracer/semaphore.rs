//! Semaphores: the 16-bit counters that tell a program that somebody observes a marker. Several tracers may hold one,
//! so it is counted up and down, never set.

use ptpytrace_arch::ReadMemory;

use super::space::ImageId;
use crate::address::RuntimeAddress;
use crate::process::memory::ProcessMemory;

/// A semaphore that was counted up by one.
#[derive(Clone, Debug)]
pub struct Raised {
    /// Where it lies.
    pub address: RuntimeAddress,
    /// In which image.
    pub image: ImageId,
}

fn read(address: RuntimeAddress, memory: &ProcessMemory) -> Option<u16> {
    let mut bytes = [0; 2];
    (memory.read(address.0, &mut bytes) == 2).then(|| u16::from_ne_bytes(bytes))
}

impl Raised {
    /// What its value is to be once it is counted up.
    pub fn next(address: RuntimeAddress, memory: &ProcessMemory) -> Option<u16> {
        read(address, memory)?.checked_add(1)
    }

    /// Counts it up; `None` when it cannot be read or written, or stands at its highest value.
    pub fn raise(
        address: RuntimeAddress,
        image: ImageId,
        memory: &ProcessMemory,
    ) -> Option<Raised> {
        let value = read(address, memory)?.checked_add(1)?;
        memory.write(address.0, &value.to_ne_bytes()).ok()?;
        Some(Raised { address, image })
    }

    /// Counts it down; true unless that failed. At 0 somebody else has reset it, and it stays.
    pub fn lower(&self, memory: &ProcessMemory) -> bool {
        match read(self.address, memory).map(|value| value.checked_sub(1)) {
            Some(Some(value)) => memory.write(self.address.0, &value.to_ne_bytes()).is_ok(),
            Some(None) | None => true,
        }
    }
}
