//! Why a broker cannot start, or had to stop.

use std::io;

use crate::net::{KeyError, Libzmq, SocketError};
use crate::store;
use crate::wire::{LogId, Name, Position};

/// Why a broker cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An endpoint cannot be bound.
    #[error("cannot listen on {endpoint}: {source}")]
    Bind {
        /// The endpoint.
        endpoint: String,
        /// What the system says.
        source: io::Error,
    },
    /// A socket has failed; nothing that a peer does leads to this.
    #[error("the sockets have failed: {0}")]
    Socket(#[from] SocketError),
    /// The log cannot be opened, or was not written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A key file, or the list of those who are authorized, cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// This program was linked with a libzmq that is too old, or cannot encrypt.
    #[error("{0} is linked, and at least 4.3.5 with CURVE is needed")]
    UnfitLibzmq(Libzmq),
    /// The system has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(String),
    /// A thread cannot be started, or what it needs is not to be had.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// Histories differ: nothing more is delivered until a person has decided.
    #[error("two histories: {0}; nothing more is delivered")]
    Diverged(String),
    /// A record that only a newer version can apply.
    #[error("the stream holds what only a newer version of orden-broker can apply")]
    NewerNeeded,
    /// Another process serves under this broker's name.
    #[error("a newer broker of the name {0} has taken over")]
    TakenOver(Name),
    /// The stream has let go of records that this broker has not applied.
    #[error("the journal ends at position {applied}, and the stream begins at {first} now")]
    LeftBehind {
        /// The last position that was applied.
        applied: Position,
        /// The first one that the stream holds.
        first: Position,
    },
    /// The journal goes on in an earlier stream of the same order.
    #[error("the journal belongs to an earlier stream of the order {:016x}", .0.0)]
    EarlierStream(LogId),
    /// A log that already is the journal of one of several brokers, or is none yet.
    #[error("{0}")]
    NotToMove(&'static str),
    /// The stream holds no order.
    #[error("the stream founds no order: {0}")]
    Unfounded(String),
    /// The journal and the stream belong to different orders.
    #[error("the journal is of the order {:016x}, the stream of {:016x}", journal.0, stream.0)]
    OtherOrder {
        /// That of the journal.
        journal: LogId,
        /// That of the stream.
        stream: LogId,
    },
    /// The order was founded with another limit.
    #[error("the order was founded for messages of up to {founded} bytes, not {given}")]
    OtherRules {
        /// What all brokers share.
        founded: u64,
        /// What this one was told.
        given: usize,
    },
    /// The journal of one of several brokers, and no stream to go on with.
    #[error("the journal of one of several brokers: on its own it would make a second history")]
    OneOfSeveral,
    /// It was not wanted any more before it served.
    #[error("stopped before it served")]
    GivenUp,
    /// A thread has ended before its time; its own error says why.
    #[error("the {0} thread has ended")]
    ThreadGone(&'static str),
}

impl From<zmq::Error> for Error {
    fn from(error: zmq::Error) -> Self {
        Self::Socket(error.into())
    }
}
