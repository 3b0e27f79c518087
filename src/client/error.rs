//! Why a client cannot do what it is asked.

use std::time::Duration;

use super::transport::TransportError;
use crate::core::participant::{Ending, NotDelivered};
use crate::wire::{ClientSequence, DecodeError, OrderNumber};

/// Why a client cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is none to connect to, or a socket has failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The thread cannot be started, or what it needs is not to be had.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The broker has not answered in time.
    #[error("the broker has not answered for {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// The session is over.
    #[error(transparent)]
    Ended(#[from] Ending),
    /// The message is larger than the broker takes.
    #[error("a message can have {most} bytes")]
    TooLarge {
        /// The most bytes.
        most: usize,
    },
    /// Messages were not confirmed in time. They may be ordered or not; to publish them again
    /// under the same client sequences, in a later run under this name, orders each once.
    #[error("{}", unconfirmed(*.first, *.count))]
    Unconfirmed {
        /// The client sequence of the first.
        first: ClientSequence,
        /// How many there are.
        count: u64,
    },
    /// The number of this message is no longer known: it was ordered before this program started.
    #[error("the message with client sequence {0} was ordered long before")]
    OrderedBefore(ClientSequence),
    /// What was never delivered cannot be acknowledged.
    #[error(transparent)]
    NotDelivered(#[from] NotDelivered),
    /// Messages that were to be delivered are no longer kept. Returned once, in their place; the
    /// message `to` is delivered next.
    #[error("messages {from} to {} are no longer kept", .to.0 - 1)]
    Skipped {
        /// The first that is missing.
        from: OrderNumber,
        /// The next that will be delivered.
        to: OrderNumber,
    },
    /// The broker has sent what is no message.
    #[error("the broker has sent nonsense: {0}")]
    Nonsense(DecodeError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The client's thread has panicked.
    #[error("the client's thread has panicked")]
    Panicked,
}

/// Why the client's thread has stopped; each call returns it.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    Transport(TransportError),
    Ended(Ending),
    Nonsense(DecodeError),
    TooLarge(usize),
    Closed,
    Panicked,
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Transport(error) => Self::Transport(error),
            Stop::Ended(ending) => Self::Ended(ending),
            Stop::Nonsense(error) => Self::Nonsense(error),
            Stop::TooLarge(most) => Self::TooLarge { most },
            Stop::Closed => Self::Closed,
            Stop::Panicked => Self::Panicked,
        }
    }
}

impl From<TransportError> for Stop {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

fn unconfirmed(first: ClientSequence, count: u64) -> String {
    match count {
        1 => format!("the message with client sequence {first} was not confirmed"),
        _ => format!("{count} messages were not confirmed, from client sequence {first} on"),
    }
}
