//! What reaches the simulated broker.

use orden::core::{LoadError, Transport, Undelivered};
use orden::wire::OrderNumber;

/// Something that reaches the broker.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A ZeroMQ peer's message.
    Packet {
        id: Vec<u8>,
        delimited: bool,
        body: Vec<u8>,
        excess: bool,
    },
    /// A plain TCP peer's beginning, bytes and end.
    Connected {
        id: Vec<u8>,
    },
    Bytes {
        id: Vec<u8>,
        bytes: Vec<u8>,
    },
    Disconnected {
        id: Vec<u8>,
    },
    /// A frame that a socket did not take.
    Undelivered {
        to: orden::core::Route,
        why: Undelivered,
    },
    /// A stretch of the log, or why there is none.
    Loaded {
        from: OrderNumber,
        result: Result<orden::core::Chunk, LoadError>,
    },
}

impl Arrival {
    /// A frame that came over a connection of this kind.
    pub(crate) fn of(transport: Transport, id: Vec<u8>, frame: Vec<u8>) -> Self {
        match transport {
            Transport::Tcp => Self::Bytes { id, bytes: frame },
            // The first byte says what a peer in a simulation put around its message.
            Transport::Zmq => Self::Packet {
                id,
                delimited: frame[0] & 1 != 0,
                excess: frame[0] & 2 != 0,
                body: frame[1..].to_vec(),
            },
        }
    }
}
