//! Why a broker cannot start, or had to stop.

use std::io;

use crate::net::{KeyError, Libzmq, SocketError};
use crate::store;

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
    /// A thread has ended before its time; its own error says why.
    #[error("the {0} thread has ended")]
    ThreadGone(&'static str),
}

impl From<zmq::Error> for Error {
    fn from(error: zmq::Error) -> Self {
        Self::Socket(error.into())
    }
}
