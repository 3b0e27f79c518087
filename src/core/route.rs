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

/// A connection as its socket names it. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
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
