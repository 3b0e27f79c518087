//! A name that was asked for and is not given yet.

use super::{Packet, Proof, Route};
use crate::core::order::Seat;
use crate::wire::native::Start;
use crate::wire::{Dialect, Name, PublicKey};

/// Bytes that each held message takes besides its own.
const COST: usize = 64;

/// A peer that has asked for a name.
#[derive(Debug)]
pub(super) struct Sitting {
    pub(super) seat: Seat,
    pub(super) name: Name,
    pub(super) route: Route,
    pub(super) dialect: Dialect,
    pub(super) start: Start,
    pub(super) receives: bool,
    /// The key that it has proved to have.
    pub(super) key: Option<PublicKey>,
    /// What its connection has said meanwhile: only several brokers let it wait.
    pub(super) held: Vec<Held>,
    /// Bytes of that.
    pub(super) held_bytes: usize,
    /// Something that it has said was dropped, and so is all that follows until it has its name.
    pub(super) is_full: bool,
}

/// Something that a connection has said before it has its name.
#[derive(Debug)]
pub(super) enum Held {
    /// A ZeroMQ message.
    Packet {
        delimited: bool,
        body: Vec<u8>,
        proof: Option<Proof>,
    },
    /// Bytes over plain TCP.
    Bytes(Vec<u8>),
    /// The end of a plain TCP connection.
    End,
}

impl Held {
    pub(super) fn packet(packet: &Packet<'_>) -> Self {
        Self::Packet {
            delimited: packet.delimited,
            body: packet.body.to_vec(),
            proof: packet.proof,
        }
    }

    /// Bytes that it takes.
    pub(super) fn len(&self) -> usize {
        COST + match self {
            Self::Packet { body, .. } => body.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::End => 0,
        }
    }
}
