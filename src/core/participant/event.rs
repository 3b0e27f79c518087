//! What a participant's machine is told, what it tells, and how it ends.

use crate::wire::reply::{Code, Welcome};
use crate::wire::sessions::SequenceRun;
use crate::wire::{ClientSequence, DecodeError, OrderNumber};

/// One thing that has happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// There is a new connection to the broker.
    Connected,
    /// The connection is gone, with what was under way on it.
    Disconnected,
    /// An attempt to connect has failed; there will be others.
    Unreachable(Obstacle),
    /// The broker has sent a frame.
    Frame(&'a [u8]),
    /// Time has passed: what has a deadline is to be looked at.
    Tick,
}

/// Something that the machine's owner should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The session is open; reported once a connection.
    Welcomed(Welcome),
    /// The broker is not there any more. What is published waits.
    Away,
    /// The broker cannot be reached. Each reason is told once, and again only after
    /// [`Limits::obstacle_again`](super::Limits::obstacle_again). That no broker answers is not
    /// told after [`Event::Away`], which says as much.
    Unreachable(Obstacle),
    /// Messages of the participant's own are ordered. Every client sequence is reported once, in
    /// order.
    Confirmed(SequenceRun),
    /// Messages of the participant's own were ordered so long ago that the broker would not know
    /// their numbers any more; they were not sent again. Only with
    /// [`Numbering::From`](super::Numbering::From).
    OrderedBefore {
        /// The first client sequence.
        first: ClientSequence,
        /// How many there are.
        count: u64,
    },
    /// Messages from `from` on, up to `to` (without it), are no longer kept: deliveries go on
    /// with `to`.
    Skipped {
        /// The first that is missing.
        from: OrderNumber,
        /// The next that will be delivered.
        to: OrderNumber,
    },
    /// The broker's disk is full. What it would not take is said again until there is room.
    NoSpace,
    /// The broker has refused something that is not lost by it.
    Refused {
        /// The reason.
        code: Code,
        /// The reason in words.
        text: String,
    },
    /// A frame was no message of the broker's; it counts as lost.
    Undecodable(DecodeError),
    /// It is over. Nothing comes after this.
    Ended(Ending),
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The connection is not accepted, or nothing is said over it.
    #[error("no broker answers")]
    NobodyThere,
    /// The other side does not understand us: one of both is encrypted and the other is not, or
    /// it does not speak ZeroMQ.
    #[error("the other side speaks otherwise: it needs keys, or takes none, or is no broker")]
    OtherLanguage,
    /// The other side ends the connection before anything is said. So does a broker that has
    /// other keys than it should, and one that takes no more connections at the moment.
    #[error(
        "the connection is ended at once: the broker turns connections away at the moment, or \
         wants other keys, or it is no broker"
    )]
    HungUp,
    /// The other side speaks ZeroMQ, but says what no broker says.
    #[error("the other side is no orden broker")]
    NoBroker,
    /// The broker does not let our key in.
    #[error("the broker does not know our key")]
    KeyRefused,
    /// The host's name leads to no address.
    #[error("the host's name has no address: is it spelt right?")]
    UnknownHost,
    /// The broker goes down, and there are others.
    #[error("the broker goes down")]
    GoesDown,
    /// The name service does not tell.
    #[error("the name service does not answer")]
    NamesSilent,
}

impl Obstacle {
    /// How many there are.
    pub(super) const COUNT: usize = 8;
}

/// Why a participant's machine has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// It has said goodbye, and the broker has heard it, or keeps the session without that.
    #[error("said goodbye")]
    Departed,
    /// It has said a goodbye that ends the session, and the connection has ended before the
    /// answer: the session may have ended, or stay.
    #[error("the broker has not answered the goodbye: the session may still be there")]
    Unanswered,
    /// Another connection has taken the name.
    #[error("another connection has taken this name")]
    Superseded,
    /// Another connection has published under this name in the meantime: the client sequences
    /// that wait may be its messages, not ours.
    #[error("another connection has published under this name, up to client sequence {0}")]
    SequencesTaken(ClientSequence),
    /// The broker has another log than before, or one that ends earlier.
    #[error("{text} (it goes on with number {end})")]
    LogRegressed {
        /// What exactly.
        text: String,
        /// The number that the next ordered message gets.
        end: OrderNumber,
    },
    /// The broker does not remember messages that it has confirmed.
    #[error("the broker has lost confirmed messages: it expects client sequence {expected}")]
    ConfirmedLost {
        /// The client sequence that it expects next.
        expected: ClientSequence,
    },
    /// The session was ended while this participant was away.
    #[error("the session has ended in the meantime")]
    SessionEnded,
    /// The broker does not know the name, and a session was to be gone on with.
    #[error("the broker does not know this name")]
    UnknownName,
    /// A client sequence was used before, for a message with another payload.
    #[error("client sequence {0} was used for another message")]
    SequenceReused(ClientSequence),
    /// The first client sequence lies beyond the next one of the session.
    #[error("the session goes on with client sequence {expected}, not with {first}")]
    SequenceAhead {
        /// The next one of the session.
        expected: ClientSequence,
        /// The one that was asked for.
        first: ClientSequence,
    },
    /// The broker will not have it.
    #[error("the broker refuses: {text} ({})", code.name())]
    Refused {
        /// The reason.
        code: Code,
        /// The reason in words.
        text: String,
    },
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The broker has not welcomed this participant yet.
    #[error("the broker has not answered yet")]
    NotWelcomed,
    /// As many messages are unconfirmed as may be: try again after the next confirmation.
    #[error("too many messages are unconfirmed")]
    WindowFull,
    /// The message is larger than the broker takes.
    #[error("a message can have {most} bytes")]
    TooLarge {
        /// The most bytes.
        most: usize,
    },
    /// An observer publishes nothing.
    #[error("an observer publishes nothing")]
    Observer,
    /// The machine has ended, or was told to leave.
    #[error("the session is over")]
    Over,
}

/// An order number that was not delivered cannot be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} was not delivered")]
pub struct NotDelivered(pub OrderNumber);
