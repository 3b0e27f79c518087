//! What a broker is told when it starts.

use std::time::Duration;

use crate::core::Limits;
use crate::store;

/// Everything that a broker can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the ROUTER is bound: a ZeroMQ endpoint such as `tcp://127.0.0.1:8081`.
    pub endpoint: String,
    /// Where plain TCP peers connect, if they are to be served.
    pub tcp_endpoint: Option<String>,
    /// Where the log is kept.
    pub storage: Storage,
    /// When the log is synced.
    pub sync: Sync,
    /// Bounds.
    pub limits: Limits,
}

/// Where the log is kept.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Nowhere: it ends with the process.
    Memory {
        /// The most bytes of messages that are kept.
        retain_bytes: u64,
    },
    /// In files.
    Files(store::Options),
}

/// When what was appended to the log is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before anybody sees a message or hears that it was taken.
    Always,
    /// At most this long after: a power cut may take back what was seen meanwhile.
    Every(Duration),
    /// When the system likes: a power cut may take back much of what was seen.
    Never,
}
