//! The replicated stream that holds the order of several brokers: what they need of it, without
//! the name of an engine.
//!
//! A stream gives each appended record a place, its [`Position`], and every reader the same record
//! at the same place. Brokers count on nothing else: an answer to an append is a hint, and a
//! record counts when it is read back in its turn.

#[cfg(feature = "nats")]
pub mod nats;

use std::sync::Arc;

use crossbeam_channel::Receiver;

use crate::wire::Position;

/// A replicated stream, as a broker uses it. Nothing blocks, and nothing is a promise: each request
/// may be lost, done twice, or done late, so who asks keeps a time after which it asks again.
pub trait Stream: Send {
    /// Appends a record. `Appended` or `Refused` may follow with the same tag; the record itself
    /// comes with the tail.
    fn append(&mut self, tag: u64, shelf: Shelf, record: Arc<Vec<u8>>);

    /// Asks for the records from `from` on, at most so many and about so many bytes, but at least
    /// one. `Fetched` for each in turn without a gap, then `FetchEnd`. A fetch replaces an
    /// earlier one that has not ended.
    fn fetch(&mut self, from: Position, records: u32, bytes: u32);

    /// Reads one record from the engine's leader, to compare it with what was applied: `ReadAgain`.
    fn read_again(&mut self, at: Position);

    /// Asks where the last snapshot part lies: `LastSnapshot`.
    fn find_snapshot(&mut self);

    /// Removes all records below `below`, which a snapshot replaces.
    fn purge(&mut self, below: Position);

    /// What has happened; bounded. Only tails are dropped when it is full.
    fn events(&self) -> &Receiver<StreamEvent>;
}

/// What kind of record is appended; parts of snapshots can be found apart from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// Commands.
    Commands,
    /// A part of a snapshot.
    Snapshot,
}

/// What has happened at the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// A record was committed. Records may be left out, come twice, and come out of turn.
    Tail {
        /// Its place.
        position: Position,
        /// Its bytes.
        record: Vec<u8>,
    },
    /// A record that was asked for.
    Fetched {
        /// Its place.
        position: Position,
        /// Its bytes.
        record: Vec<u8>,
    },
    /// A fetch has ended.
    FetchEnd {
        /// Where it began.
        from: Position,
        /// All records from `from` to this one (without it) were `Fetched`. There may be more: a
        /// server that lags answers with what it has. If it is `from`, there is none yet, or no
        /// server has answered: ask again a little later.
        next: Position,
        /// Whether the engine's leader says that it has later records but none at `next`: it was
        /// purged, or is lost.
        is_missing: bool,
    },
    /// A record has a place, says the engine. A hint for timing, not a promise: after a change
    /// of leader the place may hold another record.
    Appended {
        /// That of the append.
        tag: u64,
        /// Where.
        position: Position,
    },
    /// A record was not appended, as far as the engine knows.
    Refused {
        /// That of the append.
        tag: u64,
        /// Why.
        why: Refusal,
    },
    /// The stream can be reached and has a leader: after the start, after each reconnect, and after
    /// each change of leader. Time to read again what was applied.
    Up(Extent),
    /// How far the stream goes, about once a second while it is up.
    Extent(Extent),
    /// The stream has no leader, or no server is reached.
    Down(Outage),
    /// The record at a place, at the engine's leader; `None`: it has none there.
    ReadAgain {
        /// The place.
        position: Position,
        /// Its bytes.
        record: Option<Vec<u8>>,
    },
    /// Where the last snapshot part lies, if there is one.
    LastSnapshot(Option<Position>),
    /// The stream is configured so that records may be lost: take in no more publishes. The text
    /// says what differs and what to do.
    Unfit(String),
    /// The configuration is as it must be again.
    Fit,
    /// Records are gone, or the stream was made anew: stop. The text says what was found.
    Broken(String),
}

/// Which places a stream holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The first record that is kept.
    pub first: Position,
    /// The last one; below `first` if there is none.
    pub last: Position,
}

/// Why a stream does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// A server is reached, but the stream has no leader.
    NoLeader,
    /// No server is reached.
    NoServer,
}

/// Why a record was not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The stream has no room.
    Full,
    /// The record is larger than a server takes.
    TooLarge,
    /// No leader, no connection, or no answer: try again after a while.
    Unavailable,
    /// Anything else, in the engine's words.
    Other(String),
}
