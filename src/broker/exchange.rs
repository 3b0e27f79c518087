//! What passes between the broker's threads. Every channel is bounded, and what goes through it
//! is a burst: a lock and a wake-up are paid for many messages at once.

use crate::core::{Chunk, Grants, LoadError, Outgoing, Proof, Route, Undelivered};
use crate::wire::OrderNumber;

/// A frame as libzmq hands it over.
pub(super) type Frame = zmq::Message;

/// Bursts that may wait for the sequencer.
pub(super) const INBOUND_BURSTS: usize = 16;
/// Bursts that may wait for the dispatcher.
pub(super) const OUTBOUND_BURSTS: usize = 16;
/// Stretches of the log that may wait to be read.
pub(super) const LOADS: usize = 16;
/// Arrivals after which a burst is closed.
pub(super) const BURST_ARRIVALS: usize = 256;
/// Bytes after which a burst is closed.
pub(super) const BURST_BYTES: usize = 256 << 10;

/// What the sequencer hears.
pub(super) enum Inbound {
    /// From the dispatcher, in the order in which it came.
    Arrivals(Vec<Arrival>),
    /// From the loader.
    Loaded {
        /// The number that was asked for.
        from: OrderNumber,
        /// What was there.
        result: Result<Chunk, LoadError>,
    },
    /// The access list was reloaded.
    Grants(Grants),
    /// Nothing more will be taken in: finish what was.
    Stop,
}

/// One thing that has come from a socket.
pub(super) enum Arrival {
    /// A ZeroMQ peer's message.
    Packet {
        /// The connection's routing id.
        id: Frame,
        /// Whether an empty frame came first.
        delimited: bool,
        /// The message.
        body: Frame,
        /// Whether there were more frames.
        excess: bool,
        /// Who it is from, if keys decide.
        proof: Option<Proof>,
    },
    /// A plain TCP peer has connected.
    Connected {
        /// The socket's name for the connection.
        id: Frame,
        /// `host:port`.
        name: String,
    },
    /// Bytes of a plain TCP peer.
    Bytes {
        /// The socket's name for the connection.
        id: Frame,
        /// What was read.
        bytes: Frame,
    },
    /// A plain TCP peer's connection is gone.
    Disconnected {
        /// The socket's name for the connection.
        id: Frame,
    },
    /// A connection was refused, for this reason.
    Refused(&'static str),
    /// A frame could not be handed to a socket.
    Undelivered {
        /// For whom it was.
        to: Route,
        /// Why not.
        why: Undelivered,
    },
}

impl Arrival {
    /// The bytes that a peer has sent with it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Packet { body, .. } => body.len(),
            Self::Bytes { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// What the dispatcher is to do, in this order.
pub(super) struct Outbound {
    /// Frames to send.
    pub(super) sends: Vec<Outgoing>,
    /// Connections to close.
    pub(super) closes: Vec<Route>,
}
