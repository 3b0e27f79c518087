//! Commands, and what comes of them.

use super::{MemberId, Position, Runs, Seat};
use crate::wire::Position as StreamPosition;
use crate::wire::native::Publish;
use crate::wire::reply::Code;
use crate::wire::{ClientSequence, Dialect, Name, OrderNumber, PublicKey, Writer};

/// Something that changes what all brokers of an order agree on.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    /// A peer takes a name: it joins, or comes back to its session.
    Sit(Sit<'a>),
    /// A native member publishes: each message is ordered once.
    Publish {
        /// Which member.
        member: MemberId,
        /// Its messages.
        publish: Publish<'a>,
        /// Only so many of them are to be looked at.
        count: u32,
    },
    /// A member of a fixed dialect has something to say.
    Say {
        /// Which member.
        member: MemberId,
        /// As it came: `name: text` by convention.
        payload: &'a [u8],
    },
    /// Members have moved on, or speak differently.
    Move(&'a [(MemberId, Position)]),
    /// A member has lost its connection: its session stays, as far as it has come.
    Away(MemberId, Position),
    /// A member's session ends.
    Leave(MemberId),
    /// An operator ends a member's session.
    End(MemberId),
    /// An operator ends a member's connection, whichever broker has it; nothing else changes.
    Kick(MemberId),
    /// A key speaks for a member from now on.
    Own {
        /// Which member.
        member: MemberId,
        /// With which key.
        key: PublicKey,
    },
}

/// What a peer that takes a name says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Sit<'a> {
    /// The proposer's name for it.
    pub seat: Seat,
    /// The name.
    pub name: &'a Name,
    /// What it speaks.
    pub dialect: Dialect,
    /// Whether it puts an empty frame before its messages.
    pub delimited: bool,
    /// Where a new member's deliveries begin; `None`: right behind the notice of its joining.
    pub start: Option<OrderNumber>,
    /// Whether its session ends with its connection. Such a peer takes no session that exists.
    pub transient: bool,
    /// The peer's process; 0: it does not say.
    pub life: u64,
    /// That process's count of its hellos: a lower one is out of date.
    pub attempt: u32,
    /// The key that it has proved to have.
    pub key: Option<PublicKey>,
    /// Whether the proposer's list gives it the name, whoever had it before.
    pub owned: bool,
}

/// What has come of a command.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A peer has its name.
    Seated {
        /// The proposer's name for it.
        seat: Seat,
        /// Which member it is.
        member: MemberId,
        /// Whether it has joined, rather than come back.
        is_new: bool,
    },
    /// A peer has not got its name.
    Unseated {
        /// The proposer's name for it.
        seat: Seat,
        /// Why not.
        why: Rejection,
    },
    /// Messages of a native member are ordered, or were before.
    Published {
        /// Which member.
        member: MemberId,
        /// Their numbers.
        runs: Runs,
        /// How many of them are new.
        ordered: u64,
        /// How many of them were known.
        repeated: u64,
        /// Why the rest of the frame was not ordered.
        stopped: Option<Rejection>,
    },
    /// A message of a fixed dialect is ordered, or why it is not.
    Said {
        /// Which member.
        member: MemberId,
        /// Its number.
        result: Result<OrderNumber, Rejection>,
    },
    /// A session has ended.
    Left {
        /// Which member it was.
        member: MemberId,
        /// Its name.
        name: Name,
        /// Whether an operator has ended it.
        by_operator: bool,
    },
    /// A member's connection is to end; its session stays.
    Kicked {
        /// Which member.
        member: MemberId,
    },
    /// A member is away.
    Away(MemberId),
    /// Members have moved on, or speak differently.
    Moved(Vec<(MemberId, Position)>),
    /// A broker has begun to serve.
    Opened {
        /// Its name.
        broker: Name,
        /// Its process.
        writer: Writer,
    },
    /// A broker was silent for too long.
    BrokerGone {
        /// Its name.
        broker: Name,
        /// Its process.
        writer: Writer,
    },
    /// Another broker has another history.
    Diverged {
        /// Where.
        position: StreamPosition,
        /// What it has there.
        theirs: u64,
        /// What this broker has; `None`: it has not come so far.
        ours: Option<u64>,
    },
    /// A broker has written a part of a snapshot.
    SnapshotPart {
        /// Of which position.
        of: StreamPosition,
        /// Its process.
        writer: Writer,
        /// That of the state which it had there.
        digest: u64,
    },
    /// What was to be noted is.
    Noted,
    /// It was about a session that has ended: nothing has changed.
    Stale,
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason.
    pub code: Code,
    /// A number that belongs to the reason, see [`Code`].
    pub detail: u64,
    /// The reason in words for a person.
    pub text: &'static str,
}

impl Rejection {
    pub(super) fn gap(expected: ClientSequence) -> Self {
        Self {
            code: Code::SequenceGap,
            detail: expected.0,
            text: "client sequences were skipped",
        }
    }

    pub(super) fn reused(sequence: ClientSequence) -> Self {
        Self {
            code: Code::SequenceReused,
            detail: sequence.0,
            text: "this client sequence was used for another message",
        }
    }

    pub(super) fn forgotten(sequence: ClientSequence) -> Self {
        Self {
            code: Code::SequenceReused,
            detail: sequence.0,
            text: "this client sequence was ordered too long ago: its number is not known any more",
        }
    }

    pub(super) fn too_large(most: usize) -> Self {
        Self {
            code: Code::TooLarge,
            detail: most as u64,
            text: "message too large",
        }
    }

    pub(super) fn limit(most: u64, text: &'static str) -> Self {
        Self {
            code: Code::LimitReached,
            detail: most,
            text,
        }
    }

    pub(super) fn out_of_date() -> Self {
        Self {
            code: Code::Superseded,
            detail: 0,
            text: "a newer connection has this name",
        }
    }

    pub(super) fn not_its_name() -> Self {
        Self {
            code: Code::NotAllowed,
            detail: 0,
            text: "this key may not use this name",
        }
    }

    pub(super) fn taken() -> Self {
        Self {
            code: Code::NotAllowed,
            detail: 0,
            text: "this name is a connection's",
        }
    }
}
