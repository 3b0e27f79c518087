//! Why a stream cannot be used.

use std::io;

/// Why a stream cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address cannot be read.
    #[error("{address}: no address of a NATS server: {why}; write nats://HOST or tls://HOST")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// The name of a stream is none.
    #[error("{0:?} is no name of a stream: use letters, digits, - and _")]
    StreamName(String),
    /// It would be sent readable for others.
    #[error(
        "{0} is another machine, and all messages would travel to it unencrypted: write tls://{0}, \
         or give --insecure if the network is trusted"
    )]
    Plaintext(String),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// A file that says who we are cannot be read.
    #[error("{file}: {why}")]
    Identity {
        /// Which.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// No server takes the connection.
    #[error("no NATS server is reached: {0}")]
    Unreachable(String),
    /// The stream has no leader, or no server answers for it.
    #[error("the stream {stream} cannot be used: {why}")]
    Unavailable {
        /// Its name in NATS.
        stream: String,
        /// What was answered.
        why: String,
    },
    /// There is no such stream.
    #[error(
        "there is no stream {0}: make it with `orden-broker stream create`; if it was there before, \
         keep the brokers' journals: they hold the order"
    )]
    NoStream(String),
    /// The server is too old.
    #[error("NATS server {0}: 2.15.0 or later is needed")]
    OldServer(String),
    /// The server takes too little at once.
    #[error(
        "the server's max_payload is {found} bytes and {needed} are needed: set `max_payload: \
         {needed}` in each server's file, or give --max-message-bytes {fits}"
    )]
    Payload {
        /// What it takes.
        found: usize,
        /// What is needed.
        needed: usize,
        /// The largest message that would do.
        fits: usize,
    },
    /// Records could be lost.
    #[error("the stream {stream} is not safe: {why}")]
    Unfit {
        /// Its name in NATS.
        stream: String,
        /// What is wrong and what to do.
        why: String,
    },
}
