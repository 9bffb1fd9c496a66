//! What others may ask of the tracer while it waits, and how they wake it.
//!
//! The tracer sleeps in wait4(2), the cheapest way to wait for a stop. A command is put into a channel, a flag is
//! raised, and an empty-handled signal interrupts the wait. The signal may come just before the tracer falls asleep,
//! so it is sent again until the flag has been seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::sys;

/// Something asked of the tracer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Attach to this process too.
    Attach(i32),
    /// Restore everything and detach.
    Leave,
    /// End the launched command, then leave.
    EndCommand,
    /// Time has passed: see whether a detach hangs.
    Nudge,
}

/// Sends commands; may be cloned and given to other threads.
#[derive(Clone, Debug)]
pub struct Commander {
    commands: Sender<Command>,
    raised: Arc<AtomicBool>,
    tracer: i32,
}

/// The tracer's end.
#[derive(Debug)]
pub struct Orders {
    /// The commands, in order.
    pub commands: Receiver<Command>,
    raised: Arc<AtomicBool>,
}

/// The signal that interrupts the wait: the last real-time signal but two, which nobody else uses here.
pub(super) fn wake_signal() -> i32 {
    libc::SIGRTMAX() - 2
}

/// Makes the two ends; to be called by the thread that will trace.
///
/// # Errors
/// The signal's handler cannot be installed.
pub fn channel() -> std::io::Result<(Commander, Orders)> {
    sys::make_interrupting(wake_signal())?;
    let (sender, commands) = unbounded();
    let raised = Arc::new(AtomicBool::new(false));
    let commander = Commander {
        commands: sender,
        raised: Arc::clone(&raised),
        tracer: sys::own_thread(),
    };
    Ok((commander, Orders { commands, raised }))
}

impl Commander {
    /// Sends a command and wakes the tracer; returns when it has noticed. False when it has gone.
    pub fn send(&self, command: Command) -> bool {
        if self.commands.send(command).is_err() {
            return false;
        }
        self.raised.store(true, Ordering::SeqCst);
        while self.raised.load(Ordering::SeqCst) {
            if sys::signal_thread(self.tracer, wake_signal()).is_err() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Orders {
    /// Whether there is something to look for. Lowers the flag.
    pub fn raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed) && self.raised.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Orders {
    /// Nobody waits for a tracer that has gone.
    fn drop(&mut self) {
        self.raised.store(false, Ordering::SeqCst);
    }
}
