//! Why a run cannot be made, or not be finished.

use std::path::Path;

/// What stands between the user and a figure.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The broker that this program starts is not to be had.
    #[error("the broker did not start: {0}")]
    Server(String),
    /// A peer's socket has failed.
    #[error("a socket has failed: {0}")]
    Socket(#[from] zmq::Error),
    /// A peer was told something that it must not be told.
    #[error("{0}")]
    Peer(String),
    /// The system said no.
    #[error("cannot {what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// The user has had enough.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// For `map_err`: what was tried, and with which file.
    pub(super) fn system(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("{what} {}", path.display());
        |why| Self::System { what, why }
    }
}
