//! The tracer's end of the channel to the consumer. When it is full the tracer waits, and with it the traced thread:
//! nothing is lost. Only a command to leave ends that wait; what is dropped from then on is counted.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, select};

use super::command::Command;
use crate::event::{Delivery, Notice, Verdict};
use crate::fastpath::ring::Waker;

/// Sends events and remarks.
#[derive(Debug)]
pub struct Outbox {
    deliveries: Sender<Delivery>,
    commands: Receiver<Command>,
    /// Commands that came while an event waited for room.
    pub pending: Vec<Command>,
    /// Events that were dropped because the consumer did not take them.
    pub lost: u64,
    closed: bool,
    hurry: bool,
    /// Goes after the sender: the consumer then finds the channel closed.
    waker: WakeAtLast,
}

/// Wakes the consumer, for the last time when it is dropped.
#[derive(Debug, Default)]
struct WakeAtLast(Arc<Waker>);

impl Drop for WakeAtLast {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl Outbox {
    /// Commands are looked for in `commands` while the channel is full.
    pub fn new(deliveries: Sender<Delivery>, commands: Receiver<Command>) -> Outbox {
        Outbox {
            deliveries,
            commands,
            pending: Vec::new(),
            lost: 0,
            closed: false,
            hurry: false,
            waker: WakeAtLast::default(),
        }
    }

    /// Wakes the consumer where it waits for other things than the channel, too.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker.0)
    }

    /// Whether the consumer has gone: its output was closed.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Hands over an event; waits while the channel is full.
    pub fn send(&mut self, delivery: Delivery) {
        match self.deliveries.try_send(delivery) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) => self.closed = true,
            Err(TrySendError::Full(delivery)) => self.wait(delivery),
        }
        self.waker.0.wake();
    }

    /// Tells the person something.
    pub fn notice(&mut self, verbose: bool, text: String) {
        self.send(Delivery::Notice(Notice { verbose, text }));
    }

    fn wait(&mut self, delivery: Delivery) {
        if self.hurry {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        let commands = self.commands.clone();
        loop {
            select! {
                send(self.deliveries, delivery) -> sent => {
                    self.closed |= sent.is_err();
                    return;
                }
                recv(commands) -> command => {
                    let Ok(command) = command else {
                        // Nobody commands any more.
                        self.closed |= self.deliveries.send(delivery).is_err();
                        return;
                    };
                    self.pending.push(command);
                    self.hurry |= ends(command);
                }
            }
            if self.hurry {
                // Where the consumer has gone, it has all that it wanted.
                match self.deliveries.try_send(delivery) {
                    Ok(()) => {}
                    Err(TrySendError::Disconnected(_)) => self.closed = true,
                    Err(TrySendError::Full(_)) => self.lost = self.lost.saturating_add(1),
                }
                return;
            }
        }
    }

    /// Waits for the answer about a held thread: none comes when the consumer drops it, and none is waited for when a
    /// command to leave comes.
    pub fn verdict(&mut self, answer: &Receiver<Verdict>) -> Verdict {
        let commands = self.commands.clone();
        while !self.hurry {
            select! {
                recv(answer) -> verdict => return verdict.unwrap_or_default(),
                recv(commands) -> command => {
                    let Ok(command) = command else {
                        return answer.recv().unwrap_or_default();
                    };
                    self.pending.push(command);
                    self.hurry |= ends(command);
                }
            }
        }
        answer.try_recv().unwrap_or_default()
    }
}

/// Whether a command ends the tracing.
fn ends(command: Command) -> bool {
    matches!(command, Command::Leave | Command::EndCommand)
}
