//! What the broker's machine is told.

use std::ops::Deref;

use super::{Grants, Index, Instruction, Route, Transport};
use crate::core::order::Chunk;
use crate::wire::{OrderNumber, Position, PublicKey};

/// One thing that has happened, as the machine takes it: borrowed from whatever has brought it.
pub type Input<'a> = InputOf<&'a [u8], &'a str, &'a Route>;

/// One thing that has happened. On its way to the machine it owns its bytes, in whatever holds
/// them where they have come from (`B`); there it is [borrowed](Self::borrowed) as [`Input`].
#[derive(Clone, Debug)]
pub enum InputOf<B, N = String, R = Route> {
    /// A ZeroMQ peer has sent a message.
    Packet(PacketOf<B>),
    /// A peer has connected over plain TCP.
    Connected {
        /// The socket's name for the connection.
        id: B,
        /// `host:port` of the peer: its name.
        name: N,
    },
    /// Bytes have arrived over plain TCP.
    Bytes {
        /// The socket's name for the connection.
        id: B,
        /// What was read.
        bytes: B,
    },
    /// A plain TCP connection is gone.
    Disconnected {
        /// The socket's name for the connection.
        id: B,
    },
    /// A frame could not be handed to a socket.
    Undelivered {
        /// For whom it was.
        to: R,
        /// Why not.
        why: Undelivered,
    },
    /// All writes up to this group are as safe as they have to be before anybody may know.
    Committed(Index),
    /// A stretch of the log, asked for by [`Ready::loads`](super::Ready::loads).
    Loaded {
        /// The number that was asked for.
        from: OrderNumber,
        /// What was there.
        result: Result<Chunk, LoadError>,
    },
    /// The sockets have passed on all that was given out up to a
    /// [`Ready::is_crowded`](super::Ready::is_crowded).
    Left,
    /// The broker ends in good order: what may be sent waits for nothing any more.
    Stops,
    /// The shell has refused a connection, for this reason.
    Refused(&'static str),
    /// The access list was reloaded.
    Grants(Grants),
    /// An operator wants something done; answered by one
    /// [`Reply`](super::Reply) with the same ticket.
    Operator {
        /// The caller's number for it.
        ticket: u64,
        /// What is to be done.
        instruction: Instruction,
    },
    /// Time has passed: what has a deadline is to be looked at.
    Tick,
    /// The next record of the stream that several brokers share.
    Ordered {
        /// Its position: the one behind the last.
        position: Position,
        /// Its bytes.
        record: B,
    },
    /// Something about that stream.
    Stream(StreamNews),
}

/// What has happened to the stream that several brokers share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamNews {
    /// Everything that is known to be there was applied.
    Level,
    /// It is there again: what was under way may be lost.
    Reconnected,
    /// A record was not appended.
    Refused,
    /// It takes no more publishes, or takes them again.
    Takes(bool),
    /// A server of it is reached, or none is any more.
    Reached(bool),
    /// This broker ends in good order: its members are to sit elsewhere.
    Ends,
    /// It is not what it was: nothing that it says counts any more.
    Broken(String),
    /// It has let go of records that were not applied; this is the first one that is left.
    LeftBehind(Position),
}

impl<B: Deref<Target = [u8]>> InputOf<B> {
    /// The same, as the machine takes it.
    pub fn borrowed(&self) -> Input<'_> {
        match self {
            Self::Packet(packet) => Input::Packet(packet.borrowed()),
            Self::Connected { id, name } => Input::Connected { id, name },
            Self::Bytes { id, bytes } => Input::Bytes { id, bytes },
            Self::Disconnected { id } => Input::Disconnected { id },
            Self::Undelivered { to, why } => Input::Undelivered { to, why: *why },
            Self::Committed(index) => Input::Committed(*index),
            Self::Loaded { from, result } => Input::Loaded {
                from: *from,
                result: result.clone(),
            },
            Self::Left => Input::Left,
            Self::Stops => Input::Stops,
            Self::Refused(reason) => Input::Refused(reason),
            Self::Grants(grants) => Input::Grants(grants.clone()),
            Self::Operator {
                ticket,
                instruction,
            } => Input::Operator {
                ticket: *ticket,
                instruction: instruction.clone(),
            },
            Self::Tick => Input::Tick,
            Self::Ordered { position, record } => Input::Ordered {
                position: *position,
                record,
            },
            Self::Stream(news) => Input::Stream(news.clone()),
        }
    }
}

impl<B: Deref<Target = [u8]>> PacketOf<B> {
    /// The same, as the machine takes it.
    pub fn borrowed(&self) -> Packet<'_> {
        PacketOf {
            id: &self.id,
            delimited: self.delimited,
            body: &self.body,
            excess: self.excess,
            proof: self.proof,
        }
    }
}

/// A message of a ZeroMQ peer, as the machine takes it.
pub type Packet<'a> = PacketOf<&'a [u8]>;

/// A message of a ZeroMQ peer as it came from the socket, its bytes held by `B`.
#[derive(Clone, Copy, Debug)]
pub struct PacketOf<B> {
    /// The routing id of the connection.
    pub id: B,
    /// Whether an empty frame came before the message.
    pub delimited: bool,
    /// The frame that holds the message.
    pub body: B,
    /// Whether more frames followed than any dialect has.
    pub excess: bool,
    /// Who has sent it; `None` without keys.
    pub proof: Option<Proof>,
}

/// What the handshake of a connection has proved, as libzmq says it and nobody else can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The key whose secret half the peer has.
    pub key: PublicKey,
    /// Which connection it is: no two have the same number, not even under one routing id.
    pub connection: u64,
}

impl Packet<'_> {
    /// Whether libzmq made the routing id up, see [`Route::is_generated`].
    #[must_use]
    pub fn is_generated(&self) -> bool {
        self.id.first() == Some(&0)
    }

    /// The connection that the packet came over.
    #[must_use]
    pub fn route(&self) -> Route {
        Route {
            transport: Transport::Zmq,
            id: self.id.into(),
            delimited: self.delimited,
            connection: self.proof.map_or(0, |proof| proof.connection),
        }
    }
}

/// Why a frame could not be handed to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Undelivered {
    /// The peer's queue is at its high-water mark.
    Full,
    /// There is no such connection.
    Gone,
}

/// Why a stretch of the log could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// It is no longer kept; this is the oldest number that is.
    Trimmed(OrderNumber),
    /// It cannot be read now; where and why, for the log. It is tried again.
    Unreadable(String),
    /// What is there is not what was written; where, for the log.
    Damaged(String),
}
