//! What happened, as whoever was there wrote it down: a history, one event a line of JSON.
//!
//! Clients write down what they asked for and what they were given. A simulation also sees what
//! passes the broker's door and how far the broker believes each member to be; a run with real
//! processes leaves those events out, and what rests on them is not checked.

use std::fmt;

use orden::wire::record::{Flags, Record};
use orden::wire::rendering;
use serde::{Deserialize, Serialize};

use crate::clock::now_us;

/// One event, with microseconds since the run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    pub at: u64,
    #[serde(flatten)]
    pub event: Event,
}

/// A history that one thread writes.
#[derive(Debug, Default)]
pub struct History(Vec<Moment>);

impl History {
    /// Notes what happens now.
    pub fn note(&mut self, event: Event) {
        let at = now_us();
        self.0.push(Moment { at, event });
    }

    pub fn moments(&self) -> &[Moment] {
        &self.0
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter().map(|moment| &moment.event)
    }
}

/// One thing that happened. `who` is a member's name; one that begins with `*` is the run's own
/// name for a peer that has none, and `connection` a name for a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The broker serves, on a log that goes on with `next`.
    BrokerStart { epoch: u32, next: u64 },
    /// The broker is gone, without a word.
    BrokerCrash,
    /// Something else was done to somebody; for whoever reads the history.
    Fault { what: String },

    /// A client's process begins. It knows the next number that it has not processed, or nothing;
    /// it still has what it wanted ordered, or has forgotten it.
    Start {
        who: String,
        position: Option<u64>,
        keeps_sends: bool,
    },
    /// A client's process is gone.
    Crash { who: String },
    /// The broker has welcomed a client to its log; deliveries begin with `begin`.
    Open {
        who: String,
        resumed: bool,
        begin: u64,
        log: u64,
    },
    /// An application wants a message ordered. `sequence` is 0 in the dialects without.
    Send {
        who: String,
        sequence: u64,
        digest: Digest,
    },
    /// It hears that the message has this number.
    Confirm {
        who: String,
        sequence: u64,
        order: u64,
    },
    /// It hears that the message was ordered so long ago that nobody knows its number any more.
    OrderedBefore { who: String, sequence: u64 },
    /// It hears that the message will not be ordered.
    Reject {
        who: String,
        sequence: u64,
        why: String,
    },
    /// Somebody who does as nobody should sends this, and it must not be ordered.
    Misuse { who: String, digest: Digest },
    /// An application is given a message.
    Deliver { who: String, message: Message },
    /// An application is told that messages are no longer kept: it goes on with `to`.
    Skip { who: String, to: u64 },

    /// The broker hears from a member.
    Hears {
        who: String,
        connection: String,
        said: Said,
    },
    /// The broker hands a member messages, up to `end` (without it).
    Serves {
        who: String,
        connection: String,
        end: u64,
    },
    /// How far the broker believes a member to be, and how many messages it may be ahead of it.
    Cursor {
        who: String,
        floor: u64,
        next: u64,
        window: Option<u64>,
    },
    /// The broker lets a member go on with `to`, since it no longer keeps what is before.
    Trims { who: String, to: u64 },
    /// The broker answers a member's goodbye: its position is kept, whatever happens.
    Farewell { who: String },
    /// The broker knows a member no longer.
    Gone { who: String },

    /// All faults are mended; from now on everything must come right.
    Healed,
    /// The log, read after the end: one message; `text` if it is a notice.
    Log {
        message: Message,
        notice: Option<String>,
    },
    /// The log, read after the end: the oldest number that is kept, and the next.
    LogEnd { oldest: u64, next: u64 },
    /// The log, read after the end: the first number that a member has not acknowledged.
    Floor { who: String, floor: u64 },
    /// A client that is alive and connected at the end; it should have everything.
    Settled { who: String, receives: bool },
}

/// What a member said, as far as the checker cares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It named itself; with the next number that it wants, if it said so.
    Hello { resume: Option<u64> },
    /// It holds everything up to this number.
    Ack { order: u64 },
}

/// A message as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub order: u64,
    /// Who sent it, where that is told apart from the text.
    pub sender: Option<String>,
    /// Its client sequence, where that is told.
    pub sequence: Option<u64>,
    pub digest: Digest,
    /// Of which form of the text the digest is.
    pub form: Form,
}

/// In which form a text was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As it was sent.
    Exact,
    /// As JSON shows it, with some bytes replaced.
    Replaced,
    /// As plain TCP shows it, without its end.
    Cut,
}

/// A hash of a text in the words of the fixed dialects, `name: text`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(pub u64);

impl Digest {
    /// FNV-1a (Fowler, Noll, Vo): the same in every process and for all time.
    pub fn of(parts: &[&[u8]]) -> Self {
        let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        let part = |hash, part: &&[u8]| part.iter().fold(hash, step);
        Self(parts.iter().fold(0xCBF2_9CE4_8422_2325, part))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 32)
    }
}

impl Message {
    /// As native peers, and the log, show it.
    pub fn of_record(record: &Record<'_>) -> Self {
        let sequence = record.client_sequence.0;
        Self {
            order: record.order.0,
            sender: Some(String::from_utf8_lossy(record.sender).into_owned()),
            sequence: (sequence != 0).then_some(sequence),
            digest: Digest::of(&rendering::parts(record)),
            form: Form::Exact,
        }
    }

    /// As peers of the fixed dialects see it.
    pub fn of_text(order: u64, text: &[u8], form: Form) -> Self {
        let is_notice = text.starts_with(b"Server: ");
        Self {
            order,
            sender: is_notice.then(|| "Server".to_owned()),
            sequence: None,
            digest: Digest::of(&[text]),
            form,
        }
    }
}

impl Event {
    /// A message of the log, read after the end.
    pub fn of_log(record: &Record<'_>) -> Self {
        let is_notice = record.flags.has(Flags::NOTICE);
        Self::Log {
            message: Message::of_record(record),
            notice: is_notice.then(|| String::from_utf8_lossy(record.payload).into_owned()),
        }
    }

    /// Whom it is about.
    pub fn who(&self) -> Option<&str> {
        match self {
            Self::Start { who, .. }
            | Self::Crash { who }
            | Self::Open { who, .. }
            | Self::Send { who, .. }
            | Self::Confirm { who, .. }
            | Self::OrderedBefore { who, .. }
            | Self::Reject { who, .. }
            | Self::Misuse { who, .. }
            | Self::Deliver { who, .. }
            | Self::Skip { who, .. }
            | Self::Hears { who, .. }
            | Self::Serves { who, .. }
            | Self::Cursor { who, .. }
            | Self::Trims { who, .. }
            | Self::Gone { who }
            | Self::Floor { who, .. }
            | Self::Settled { who, .. } => Some(who),
            _ => None,
        }
    }

    /// Which message it is about, by its number.
    pub fn order(&self) -> Option<u64> {
        match self {
            Self::Confirm { order, .. } => Some(*order),
            Self::Deliver { message, .. } | Self::Log { message, .. } => Some(message.order),
            _ => None,
        }
    }

    /// Whether it says how the broker itself fares.
    pub fn is_brokers(&self) -> bool {
        matches!(
            self,
            Self::BrokerStart { .. } | Self::BrokerCrash | Self::Fault { .. } | Self::Healed
        )
    }
}
