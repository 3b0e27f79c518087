//! The order over HTTP: metrics, health, status, members, the messages themselves, and a page.
//!
//! ```text
//!  server    one thread, its connections and limits   access    hosts, origins, the token
//!  routes    which address is answered by what         answer    how answers are made
//!  seam      what is needed of a broker                wiring    the broker that there is
//!  door      the site, once the broker listens
//!  messages  GET /messages: a request and its start    stream    the log, line by line
//!  posting   POST /messages: the task                  poster    its machine
//!  session   one name's session in it
//!  metrics   Prometheus                                page      the page's files
//!  contents  the answers that need more than a look    trial     reading, for tests
//! ```
//!
//! Nothing here is in a message's path. A reader over HTTP is no member: it costs a cursor and a
//! buffer, and TCP slows it down. A browser that posts is one, with a session like any other.

mod access;
mod answer;
mod contents;
mod door;
mod io;
mod messages;
pub mod metrics;
mod page;
mod poster;
mod posting;
mod query;
mod routes;
mod seam;
mod server;
mod session;
mod stream;
mod token;
mod trial;
mod wiring;

use std::net::SocketAddr;

pub use access::BadHost;
pub use seam::Source;
pub use server::{Bound, Web};
pub use token::{BadToken, Token};
#[doc(hidden)] // for the tests that try bytes
pub use trial::try_request;
pub use wiring::Wiring;

/// The most connections at a time.
pub const CONNECTIONS: usize = 64;
/// The most of them that may read messages as they come, so that probes and people find room.
pub const STREAMS: usize = 48;

/// What the HTTP side of a broker is told when it starts.
#[derive(Debug, Default)]
pub struct Config {
    /// Who may see contents; `None`: whoever reaches the address, if that is this machine only.
    pub token: Option<Token>,
    /// Names that are accepted as `Host`, besides the address itself.
    pub hosts: Vec<String>,
    /// Whether the broker's own peers are known by their keys: then contents need the token.
    pub keys: bool,
    /// The most bytes of one message.
    pub message_bytes: usize,
}

/// Why there is nothing to be had over HTTP.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be bound.
    #[error("cannot listen on http://{address}: {why}")]
    Bind {
        /// The address.
        address: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// A name that is no host.
    #[error(transparent)]
    Host(#[from] BadHost),
    /// The thread cannot be started, or what it needs is not to be had.
    #[error("cannot start the http thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Whether an address is reached from beyond this machine.
pub(crate) fn is_exposed(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}
