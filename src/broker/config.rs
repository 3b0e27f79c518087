//! What a broker is told when it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::commit::Sync;
use crate::core::Limits;
use crate::store;
use crate::store::medium::Medium;
use crate::wire::SecretKey;

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
    /// Bounds of the machine.
    pub limits: Limits,
    /// Limits for connections, each and all of them together.
    pub connections: ConnectionLimits,
    /// Which peers are served; `None`: every peer that reaches the sockets, unencrypted.
    pub security: Option<Security>,
}

/// Limits for connections, each and all of them together.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// The most connections that are accepted from one address in a second.
    pub connections_a_second: u32,
    /// How long a handshake may take. With keys, a connection that has said nothing after twice
    /// as long is ended, too.
    pub handshake: Duration,
    /// The most bytes of frames that were received and are not dealt with yet, over all
    /// connections together: an eighth of it over plain TCP, and of the rest a third for frames of
    /// up to 256 KiB.
    pub received_bytes: u64,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_a_second: 5_000,
            handshake: Duration::from_secs(5),
            received_bytes: 96 << 20,
        }
    }
}

/// Encryption, and who is let in.
#[derive(Clone, Debug)]
pub struct Security {
    /// The broker's own key.
    pub secret: SecretKey,
    /// The file or directory that says which keys may do what.
    pub authorized: PathBuf,
}

/// Where the log is kept.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Nowhere: it ends with the process.
    Memory(store::MemoryOptions),
    /// In files.
    Files(store::Options),
    /// In files of the caller's own, such as ones that a test can look at; of the options, the
    /// directory means nothing.
    Medium(Arc<dyn Medium>, store::Options),
}
