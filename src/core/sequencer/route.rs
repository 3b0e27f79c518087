//! Where a peer is to be found: a connection, not an identity.

use std::fmt;
use std::sync::Arc;

/// Which of the broker's sockets a peer is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// The ROUTER.
    Zmq,
    /// The STREAM socket, for peers on plain TCP.
    Tcp,
}

/// Socket, number and name of a connection.
pub(super) type ConnectionKey = (Transport, u64, Arc<[u8]>);

/// A connection as its socket names it. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Route {
    /// The socket.
    pub transport: Transport,
    /// The socket's name for the connection.
    pub id: Arc<[u8]>,
    /// Whether the peer puts an empty frame before its messages and so wants one before ours.
    pub delimited: bool,
    /// The number of the connection, see [`Proof`](super::Proof); 0 without keys, where the
    /// socket's name for it has to do.
    pub connection: u64,
}

impl Route {
    /// What tells the connection from all others.
    pub(super) fn key(&self) -> ConnectionKey {
        (self.transport, self.connection, Arc::clone(&self.id))
    }

    /// Whether both lead to the same connection.
    #[must_use]
    pub fn is_same_connection(&self, other: &Self) -> bool {
        (self.transport, self.connection, &self.id)
            == (other.transport, other.connection, &other.id)
    }

    /// Whether libzmq made the id up: such a peer cannot come back as itself, and its id must
    /// not be shown, as the next one can be guessed from it.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        self.id.first() == Some(&0)
    }

    /// Whether this connection was made before another, as far as their ids tell.
    ///
    /// libzmq numbers the connections for which it makes ids up, from anywhere on and round
    /// (`router_t::identify_peer`), so they are compared as serial numbers are (RFC 1982).
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        match (self.number(), other.number()) {
            (Some(own), Some(other)) => own != other && other.wrapping_sub(own) < 1 << 31,
            _ => false,
        }
    }

    fn number(&self) -> Option<u32> {
        match *self.id {
            [0, a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_generated() {
            return write!(f, "{:?} peer", self.transport);
        }
        write!(
            f,
            "{:?} peer {:?}",
            self.transport,
            String::from_utf8_lossy(&self.id)
        )
    }
}
