//! What an operator can have a running broker do, from any thread of its process.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, SendTimeoutError, Sender, bounded};

use super::exchange::Inbound;
use crate::core::{Declined, Input, Instruction, Reply};
use crate::wire::Name;

/// How long the sequencer may take, before who asks is told that it has not answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tells a broker what to do. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Operator {
    inbound: Sender<Inbound>,
}

/// Why something was not done, or is not known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// The broker will not.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// The broker takes nothing more in.
    #[error("the broker has stopped")]
    Stopped,
    /// It may be done, or be done later.
    #[error("the sequencer has not answered for {} s", PATIENCE.as_secs())]
    NoAnswer,
}

impl Operator {
    pub(super) fn new(inbound: Sender<Inbound>) -> Self {
        Self { inbound }
    }

    /// Ends a member's connection; its session stays.
    ///
    /// # Errors
    /// [`NotDone`].
    pub fn kick(&self, name: &Name) -> Result<(), NotDone> {
        self.instruct(Instruction::Kick(name.clone()))?;
        log::warn!("an operator has ended the connection of {name}");
        Ok(())
    }

    /// Ends a member's session; it is durable that it has ended.
    ///
    /// # Errors
    /// [`NotDone`].
    pub fn end(&self, name: &Name) -> Result<(), NotDone> {
        self.instruct(Instruction::End(name.clone()))?;
        log::warn!("an operator has ended the session of {name}");
        Ok(())
    }

    /// Takes the broker out of service: no new members; it ends once what it has accepted is
    /// acknowledged by all who are connected, and after `patience` at the latest.
    ///
    /// # Errors
    /// [`NotDone`].
    pub fn drain(&self, patience: Duration) -> Result<(), NotDone> {
        log::info!(
            "draining: no new members; this broker ends within {} s",
            patience.as_secs()
        );
        self.instruct(Instruction::Drain(patience))
    }

    /// It waits for the sequencer, but the sequencer never waits for it.
    fn instruct(&self, instruction: Instruction) -> Result<(), NotDone> {
        let (reply, answered) = bounded(1);
        let sent = (self.inbound).send_timeout(Inbound::Operator { instruction, reply }, PATIENCE);
        sent.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => NotDone::NoAnswer,
            SendTimeoutError::Disconnected(_) => NotDone::Stopped,
        })?;
        match answered.recv_timeout(PATIENCE) {
            Ok(result) => Ok(result?),
            Err(RecvTimeoutError::Timeout) => Err(NotDone::NoAnswer),
            Err(RecvTimeoutError::Disconnected) => Err(NotDone::Stopped),
        }
    }
}

/// Those who wait for the sequencer's answer.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    next: u64,
    replies: HashMap<u64, Sender<Result<(), Declined>>>,
}

impl Waiting {
    /// What the machine is told of an order, whose answer goes to `reply`.
    pub(super) fn input(
        &mut self,
        instruction: Instruction,
        reply: Sender<Result<(), Declined>>,
    ) -> Input<'static> {
        let ticket = self.next;
        self.next += 1;
        self.replies.insert(ticket, reply);
        Input::Operator {
            ticket,
            instruction,
        }
    }

    /// Passes answers on.
    pub(super) fn answer(&mut self, replies: Vec<Reply>) {
        for Reply { ticket, result } in replies {
            if let Some(waiting) = self.replies.remove(&ticket) {
                // One that has waited too long is gone.
                waiting.try_send(result).ok();
            }
        }
    }
}
