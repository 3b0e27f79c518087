//! What reaches the simulated broker.

use orden::core::{InputOf, PacketOf, Transport};

/// Something that reaches the broker.
pub(crate) type Arrival = InputOf<Vec<u8>>;

/// A frame that came over a connection of this kind.
pub(crate) fn arrival_of(transport: Transport, id: Vec<u8>, frame: Vec<u8>) -> Arrival {
    match transport {
        Transport::Tcp => Arrival::Bytes { id, bytes: frame },
        // The first byte says what a peer in a simulation put around its message.
        Transport::Zmq => Arrival::Packet(PacketOf {
            id,
            delimited: frame[0] & 1 != 0,
            excess: frame[0] & 2 != 0,
            body: frame[1..].to_vec(),
            proof: None,
        }),
    }
}
