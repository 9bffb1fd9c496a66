//! A clock for the tracer, which otherwise sleeps until a traced thread has news: while it is wanted, a thread of its
//! own interrupts that sleep again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::tracer::{command, sys};

/// How often.
const TICK: Duration = Duration::from_millis(4);

/// The clock; it ends with its owner.
#[derive(Debug)]
pub struct Ticker {
    wanted: Arc<Flags>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Flags {
    ticking: AtomicBool,
    ended: AtomicBool,
}

impl Ticker {
    /// Starts it, for the calling thread.
    pub fn start() -> Ticker {
        let wanted = Arc::new(Flags::default());
        let (flags, tracer) = (Arc::clone(&wanted), sys::own_thread());
        let handle = thread::spawn(move || tick(&flags, tracer));
        Ticker {
            wanted,
            thread: handle.thread().clone(),
        }
    }

    /// Whether it is to tick.
    pub fn set(&self, ticking: bool) {
        if self.wanted.ticking.swap(ticking, Ordering::SeqCst) != ticking && ticking {
            self.thread.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.wanted.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn tick(flags: &Flags, tracer: i32) {
    while !flags.ended.load(Ordering::SeqCst) {
        if !flags.ticking.load(Ordering::SeqCst) {
            thread::park();
            continue;
        }
        thread::sleep(TICK);
        if sys::signal_thread(tracer, command::wake_signal()).is_err() {
            return;
        }
    }
}
